//! History: the hot path. Each transaction is scored in the context of its customer's earlier ones.
//!
//! Law: at a complete epoch, `scored` holds exactly one version of each current transaction, voided ones
//! included, with the verdict on it in the context of the current transactions of its customer that precede
//! it in the order (event time, transaction id), under the rules and the list entries that apply at its event
//! time. Amounts are compared with earlier ones in the same currency only. The verdict is there as it is shown: scores in thousandths, no evidence. The evidence of a current
//! alert is that of its last change or, if there is a later one, of the last in `evidence`.
//!
//! Encoding: per customer the transactions within the horizon in order, plus exact sums over everything, by
//! currency: those of the customer's first one inline, any others apart. An event in order is one push and one evaluation. Any other re-evaluates what it can change and
//! emits the differences: of few transactions, all that follow it; of many, those that may be shown otherwise,
//! which is known without an evaluation of the rest (`sequence`, `stability`, `revision`) where all are in one
//! currency. Versions are applied
//! one by one in the order of (epoch, partition, offset), so the changes of an alert and their numbers do not
//! depend on how epochs were cut either.
//!
//! ```text
//! versions ──(by customer)──┐           ┌── scored (a collection: -1 the old, +1 the new verdict)
//! amendments ───────────────┤           ├── amended (a collection, of final transactions)
//! list and rule changes ────┤  history  ├── alert changes, numbered within each alert
//! partition times ──────────┘           ├── profiles of customers (upserts)
//!                                       ├── evidence of alerts that have not changed since
//!                                       └── settled: transactions as they leave the horizon, for good
//! ```
//!
//! Transactions a horizon behind the watermark are final: they are folded into the sums, slice by slice of
//! event time, so idle customers fold too and memory is bounded by the horizon.

mod amend;
mod currencies;
mod customer;
mod entry;
mod evaluation;
mod judge;
mod operator;
mod policy;
mod restore;
mod revision;
mod sequence;
mod slicing;
mod stability;
mod state;
mod symbols;

pub use judge::Judge;
pub use operator::{Histories, Replacements, history};
pub use slicing::Slicing;
pub use state::Optional;
