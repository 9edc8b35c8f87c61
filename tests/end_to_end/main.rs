//! The binary from end to end, as its users run it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

/// What the tests are made of: a browser, the binary, its traffic, a shop and its Kafka transactions, a consumer,
/// the oracle's events, what must always hold, and the files of a replay.
mod alignment;
mod amendments;
mod browser;
mod command;
mod consistency;
mod consumer;
mod events;
mod exactness;
mod foreign;
mod parts;
mod results;
mod scrape;
mod shop;
mod traffic;
mod upstream;

/// Measurements on real servers count only where their results are right.
mod bench;
/// Kill after kill under load: after each every table is what the events give, and consumers see each change
/// once.
mod chaos;
/// Clients of the HTTP server do not end it, and read what they may.
mod clients;
/// Several processes are as good as one, whichever of them dies, is cut off, or comes along.
mod clocks;
mod cluster;
/// Bad configuration stops the start with one line that says what to correct.
mod configuration;
/// PostgreSQL may be late, silent, or behind a pooler.
mod connections;
/// The JSON forms that others read.
mod contracts;
/// The demonstration shows what it promises and ends well.
mod demo;
/// Customers who are erased: no dump finds them, and every table is still what the events give.
mod erase;
/// Why a transaction is alerted or not, then and now, and what would change that.
mod explain;
/// Files and command lines: what is there stays, and what is wrong is one line.
mod files;
/// Stopped and gone on with by other worker counts, a run gives what an uninterrupted one does.
mod golden;
/// Hostile input becomes dead letters, or is kept as it is; nothing else happens.
mod hostile;
/// From a real Kafka to a real PostgreSQL: every table is what the events in bronze give, at every frontier.
mod kafka_to_gold;
/// Log lines say what they belong to.
mod logs;
/// Maintenance removes what is old and nothing else, whoever else is at work.
mod maintain;
/// Metrics, health and readiness: all that is documented is there and true, also while PostgreSQL or Kafka is
/// away.
mod metrics;
/// Alert rules and dashboards are valid and tested, and a real Prometheus that watches a running pipeline
/// fills them.
mod observe;
/// Partitions are added, topics deleted and created anew, records taken by retention: each has its outcome.
mod outages;
/// The status page, as Chromium shows it.
mod page;
/// What consumers of Kafka see is what the tables hold, each change once.
mod publisher;
/// A replay amends what it has written.
mod refunds;
/// A replay depends on the events alone: not on workers, order within the horizon, or partitions.
mod replay;
/// A database that was restored to an older state goes on.
mod restored;
/// Dead letters are sent again: each once, to where it came from, and marked.
mod resubmit;
/// Old dead letters and transactions go, and stay counted: everything else is as if they were there.
mod retention;
/// Each role can do what it is for, and nothing else.
mod roles;
mod rule_sets;
/// Over TLS, with passwords proven by SCRAM, which no log and no argument shows.
mod secure;
/// A stage that stands still shows as that stage's lag.
mod stalls;
/// Partitions stand still before records that nobody can read, until an operator passes them.
mod unreadable;
/// What `verify` says of a healthy pipeline and of each kind of damage.
mod verify;
