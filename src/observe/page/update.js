// Asks for a snapshot every second, and says so when none comes.

const EVERY = 1000;
const PATIENCE = 3000;

/// Snapshots between the two of which a rate is told: few, so that it is fresh, but not one, so that it is steady.
const BETWEEN = 3;

/// Rates that a curve shows.
const CURVE = 61;

let past = [];
let curves = [];
let answered = null;

/// What a count, as `value` finds it in a snapshot, has grown by in a second of late; null where that is not known.
function rate(value) {
  const [first, last] = [past[0], past[past.length - 1]];
  const [before, now] = [value(first), value(last)];
  if (first.time >= last.time || before === null || now === null || now < before) return null;
  return ((now - before) * 1000) / (last.time - first.time);
}

function show(snapshot) {
  // After a restart everything is counted anew.
  if (past.length > 0 && past[0].process.started !== snapshot.process.started) past = [];
  past = [...past, snapshot].slice(-1 - BETWEEN);
  const rates = snapshot.stages.map(({ frontier }, place) =>
    frontier === null ? null : rate(({ stages }) => stages[place].done));
  curves = rates.map((value, place) => [...(curves[place] ?? []), value ?? 0].slice(-CURVE));
  showVerdict(snapshot);
  showStages(snapshot.stages, rates, curves);
  showPartitions(snapshot.partitions);
  showBooks(snapshot.books);
  showFigures(snapshot, rate);
  showAlerts(snapshot.alerts);
}

function stale(isStale) {
  document.body.classList.toggle("stale", isStale);
  const note = find("#stale");
  note.hidden = !isStale;
  const since = answered === null ? "it was opened" : clockTime.format(answered);
  write(note, isStale ? `${STATES.holds.sign} stale since ${since}: the process does not answer` : "");
  if (isStale) document.title = `${STATES.holds.sign} StreamFlow`;
}

async function ask() {
  const answer = await fetch("status.json", { signal: AbortSignal.timeout(PATIENCE), cache: "no-store" });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

async function update() {
  const begun = performance.now();
  const snapshot = await ask().catch(() => null);
  setTimeout(update, Math.max(0, EVERY - (performance.now() - begun)));
  if (snapshot !== null) {
    answered = Date.now();
    show(snapshot);
  }
  stale(snapshot === null);
}

update();
