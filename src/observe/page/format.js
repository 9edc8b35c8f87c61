// How values are written. Null is what the process does not know.

const UNKNOWN = "\u2013";
const HIDDEN = "hidden";

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

function count(value) {
  return value === null ? UNKNOWN : whole.format(value);
}

function perSecond(value) {
  if (value === null) return UNKNOWN;
  if (value >= 10000) return compact.format(value);
  return value < 10 ? tenths.format(value) : whole.format(value);
}

/// Of a lag or an age, in seconds.
function seconds(value) {
  return value === null ? UNKNOWN : tenths.format(value);
}

/// Of something long: days down to seconds.
function span(value) {
  if (value === null) return UNKNOWN;
  const total = Math.floor(value);
  const [days, hours, minutes] = [Math.floor(total / 86400), Math.floor(total / 3600) % 24, Math.floor(total / 60) % 60];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${total % 60} s` : `${total} s`;
}

function milliseconds(value) {
  return value === null ? UNKNOWN : `${whole.format(value * 1000)} ms`;
}

function mebibytes(value) {
  return value === null ? UNKNOWN : whole.format(value / 1048576);
}

function percent(part) {
  return part === null ? UNKNOWN : `${whole.format(part * 100)} %`;
}

const clockTime = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const preciseTime = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3,
});
