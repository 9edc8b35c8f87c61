// Puts a snapshot, which is what /status.json answers, into the document. Everything is written as text.

const STATES = {
  ok: { look: "ok", sign: "\u2713", text: "ok" },
  holds: { look: "bad", sign: "\u2716", text: "holds up" },
  waits: { look: "warn", sign: "\u25b2", text: "waits" },
  unknown: { look: "", sign: "", text: "not known" },
};

const WHAT = {
  source: "read from Kafka",
  admitted: "checked, then identified",
  history: "scored in their history",
  aggregates: "all views computed",
  committed: "in PostgreSQL",
  published: "alerts back in Kafka",
};

const CHANGES = { raised: ["\u25b2", "bad"], revised: ["\u25c6", "warn"], withdrawn: ["\u25bd", ""] };

const find = (selector) => document.querySelector(selector);

/// Only where it differs, so that what is selected stays so.
function write(element, text, look) {
  if (element.textContent !== text) element.textContent = text;
  if (look !== undefined && element.className !== look) element.className = look;
}

/// Cells are {text, look, title}.
function fill(body, rows) {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, place) => {
    const row = body.rows[place] ?? body.insertRow();
    cells.forEach(({ text, look = "", title = "" }, column) => {
      const cell = row.cells[column] ?? row.insertCell();
      write(cell, text, look);
      if (cell.title !== title) cell.title = title;
    });
  });
}

const named = (topic) => ({ text: topic, look: "topic", title: topic });
const number = (text, look = "") => ({ text, look: `number ${look}`.trim() });
const flag = (good, text) => ({ text: `${good ? STATES.ok.sign : STATES.holds.sign} ${text}`.trim(), look: good ? "ok" : "bad" });

function showVerdict({ verdict, process, time }) {
  const { sign, look } = verdict.ready ? STATES.ok : verdict.healthy ? STATES.waits : STATES.holds;
  const word = verdict.ready ? "ready" : verdict.healthy ? "not ready" : "failed";
  write(find("#verdict"), `${sign} ${word}${verdict.reason === null ? "" : `: ${verdict.reason}`}`, `state ${look}`);
  find("#verdict").title = verdict.reason ?? "";
  document.title = `${sign} StreamFlow`;
  const workers = `${process.workers} worker${process.workers === 1 ? "" : "s"}`;
  const place = process.processes > 1 ? `process ${process.process} of ${process.processes}, ` : "";
  write(find("#process"), `${place}version ${process.version}, ${workers}, up ${span((time - process.started) / 1000)}`);
  write(find("#clock"), clockTime.format(time));
}

function showStages(stages, rates, curves) {
  const list = find("#stages");
  stages.forEach(({ stage, state, lag_seconds, unit }, place) => {
    if (list.children.length === place) list.append(find("#stage").content.cloneNode(true));
    const card = list.children[place];
    const { look, sign, text } = STATES[state];
    card.className = `stage ${look === "ok" ? "" : look}`.trim();
    card.dataset.stage = stage;
    card.dataset.state = state;
    const part = (selector) => card.querySelector(selector);
    write(part("h3"), stage);
    write(part(".what"), WHAT[stage] ?? "");
    write(part(".state"), `${sign} ${text}`, `state ${look}`);
    write(part(".lag"), lag_seconds === null ? UNKNOWN : `${seconds(lag_seconds)} s`);
    write(part(".rate"), `${perSecond(rates[place])} ${unit}/s`);
    part("polyline").setAttribute("points", curve(curves[place]));
  });
}

/// Rates of the last minute, the last one at the right.
function curve(rates) {
  const top = Math.max(1, ...rates);
  const point = (rate, place) => `${61 - rates.length + place},${(15 - (rate / top) * 14).toFixed(2)}`;
  return rates.map(point).join(" ");
}

function showPartitions(partitions) {
  fill(find("#partitions tbody"), partitions.map((partition) => {
    const behind = partition.lag_seconds > 10 ? "bad" : "";
    return [
      named(partition.topic),
      number(count(partition.partition)),
      number(count(partition.committed_offset)),
      number(count(partition.end_offset)),
      number(count(partition.lag_records), behind),
      number(`${behind ? `${STATES.holds.sign} ` : ""}${seconds(partition.lag_seconds)} s`, behind),
      readability(partition),
    ];
  }));
}

/// Whether its broker answers, and whether what it has can be read.
function readability({ away_since: away, unreadable }) {
  if (unreadable !== null) {
    const { offset, reason, since } = unreadable;
    const text = `unreadable at ${count(offset)} since ${clockTime.format(since)}`;
    return { ...flag(false, text), title: `records at offset ${offset}: ${reason}` };
  }
  return flag(away === null, away === null ? "up" : `away since ${clockTime.format(away)}`);
}

function showBooks(books) {
  const sum = (ended, outcome) =>
    ended.filter((entry) => !outcome || entry.outcome === outcome).reduce((total, entry) => total + entry.events, 0);
  fill(find("#books tbody"), books.map(({ topic, read, pending, ended }) => {
    const difference = read - pending - sum(ended);
    return [
      named(topic),
      number(count(read)),
      number(count(sum(ended, "accepted"))),
      number(count(sum(ended, "ignored"))),
      number(count(sum(ended, "dead_letter"))),
      { ...flag(difference === 0, difference === 0 ? "" : `${count(difference)} off`), title: "read less pending and where they ended" },
    ];
  }));
  const waiting = books.reduce((total, { pending }) => total + pending, 0);
  const accounts = new Map([["pending", waiting]]);
  books.flatMap(({ ended }) => ended).forEach(({ account, events }) => {
    accounts.set(account, (accounts.get(account) ?? 0) + events);
  });
  const told = [...accounts].filter(([, events]) => events !== 0);
  write(find("#accounts"), told.map(([account, events]) => `${account} ${count(events)}`).join(" \u00b7 "));
}

function showFigures(snapshot, rate) {
  const { latency, flow, memory, commits, publisher, start } = snapshot;
  const most = (value) => flow.workers.reduce((largest, worker) => Math.max(largest, value(worker)), 0);
  const latencies = latency.commit;
  const quantile = (name) => (latencies === null ? UNKNOWN : milliseconds(latencies[name]));
  const full = most((worker) => Math.max(worker.in_flight_records / worker.window_records, worker.in_flight_bytes / flow.limit_bytes));
  const pausing = flow.workers.some(({ worker }) => rate((past) => paused(past, worker)) > 0);
  const busy = flow.workers.map(({ worker }) => percent(rate((past) => workerOf(past, worker)?.busy_seconds ?? null)));
  const commitRate = rate((past) => past.commits.commits);
  const commitTime = rate((past) => past.commits.seconds);
  const figures = [
    ["record to commit, p50", quantile("p50")],
    ["p99", quantile("p99")],
    ["max, last minute or two", quantile("max")],
    ["commits/s, mean duration", `${perSecond(commitRate)}, ${commitRate > 0 ? milliseconds(commitTime / commitRate) : UNKNOWN}`],
    ["PostgreSQL, publisher", `${up(commits.postgres_up)}, ${up(publisher?.up ?? null)}`],
    ["in flight, of what may be", `${count(flow.workers.reduce((sum, worker) => sum + worker.in_flight_records, 0))}, ${percent(full)}`],
    ["reading", pausing ? `${STATES.waits.sign} paused at a limit` : `${STATES.ok.sign} not limited`],
    ["workers busy", busy.join(" ") || UNKNOWN],
    ["memory, of the limit", `${mebibytes(memory.resident_bytes)} of ${mebibytes(memory.limit_bytes)} MiB`],
    ["restored at the start", `${count(start.rows)} rows in ${start.seconds === null ? UNKNOWN : tenths.format(start.seconds)} s`],
  ];
  const list = find("#figures dl");
  figures.forEach(([name, value], place) => {
    if (list.children.length === place * 2) list.append(document.createElement("dt"), document.createElement("dd"));
    write(list.children[place * 2], name);
    write(list.children[place * 2 + 1], value);
  });
}

const workerOf = (snapshot, number) => snapshot.flow.workers.find(({ worker }) => worker === number);
const paused = (snapshot, number) => workerOf(snapshot, number)?.paused_seconds ?? null;
const up = (value) => (value === null ? UNKNOWN : value ? `${STATES.ok.sign} up` : `${STATES.holds.sign} away`);

function showAlerts(alerts) {
  fill(find("#alerts tbody"), alerts.map((alert) => {
    const [sign, look] = CHANGES[alert.change] ?? ["", ""];
    const reasons = alert.rules.map(({ rule, explanation }) => `${rule} ${explanation ?? ""}`.trim()).join(" \u00b7 ");
    const title = `${reasons}\nstore ${alert.store_id}, transaction of ${new Date(alert.transaction_at).toISOString()}`;
    return [
      { ...number(preciseTime.format(alert.changed_at)), look: "number when" },
      { text: `${sign} ${alert.change}`, look },
      { text: alert.cause.replace("_", " ") },
      number(alert.score),
      number(`${alert.amount} ${alert.currency}`),
      { text: alert.alert_id ?? HIDDEN, look: "id alert", title: alert.alert_id ?? "" },
      { text: alert.transaction_id ?? HIDDEN, look: "id", title: alert.transaction_id ?? "" },
      { text: alert.customer_id ?? HIDDEN, look: "id", title: alert.customer_id ?? "" },
      { text: reasons, look: "wide", title },
    ];
  }));
  write(find("#no-alerts"), alerts.length === 0 ? "None since the start of this process." : "");
}
