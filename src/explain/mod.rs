//! Why a transaction is alerted or not: each change of its alert, what precedes it, and what would change its
//! verdict.
//!
//! ```text
//! gold.explain ── its versions, the changes with cause, version of the rules, evidence and events ──┐
//! silver.transactions, bronze.raw_transactions ── what precedes it, as known then ──┐               ├──> Explanation
//! gold.rule_versions, silver.blacklist ── as known then ────────────────────────────┴── Judge ──────┘
//! ```
//!
//! Law: all of it is read in one snapshot. What is said of a time before is what events, versions and alert
//! changes that were read by then give; what cannot be known any more is a note.

mod context;
mod explanation;
mod flips;
mod history;
mod nearest;
mod recorded;
mod row;
mod text;

pub use explanation::Explanation;

use crate::config::Config;
use crate::database::connect_migrated;
use anyhow::{Result, bail};
use context::ContextValues;
use explanation::{Evaluated, RecordedVerdict, Verdicts};
use flips::Flips;
use history::History;
use postgres::IsolationLevel;
use recorded::{Known, Recorded};
use streamflow_dataflow::controls::ControlChange;
use streamflow_dataflow::history::Judge;
use streamflow_dataflow::rules::{RulesChange, SetName};
use streamflow_medallion::hydration::controls;
use streamflow_model::Calendar;
use streamflow_model::timestamp::Rfc3339;

/// Rows are looked up by index, however small the tables are at first.
const SESSION: &str = "SET jit = off; SET timezone = 'UTC'; SET statement_timeout = 0";

/// Explains a transaction as it is known now, or as it was at `known_at`, microseconds since 1970.
///
/// # Errors
/// PostgreSQL's; nobody knows such a transaction, or nobody did then.
pub fn explain(config: &Config, id: &str, known_at: Option<i64>) -> Result<Explanation> {
    let mut client = connect_migrated(&config.postgres)?;
    client.batch_execute(SESSION)?;
    let snapshot = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
    let mut snapshot = snapshot.read_only(true).start()?;
    let Some(recorded) = Recorded::read(&mut snapshot, id, known_at)? else {
        bail!("there is no transaction {id}");
    };
    let Some(known) = Known::find(&mut snapshot, id, &recorded, known_at)? else {
        bail!(
            "transaction {id} was not known at {}, by what is on record",
            Rfc3339(known_at.unwrap_or(i64::MAX))
        );
    };
    let settings = config.graph_settings();
    let mut controls = controls(&mut snapshot, known_at)?;
    controls.retain(|change| !is_of_shadow(change));
    let reach = controls.iter().filter_map(|change| match change {
        ControlChange::Rules(change) => Some(change.version.rules.look_back().farthest()),
        ControlChange::List(_) => None,
    });
    let look_back = reach.max().unwrap_or_default().max(settings.longest_window);
    let calendar = Calendar::new(settings.time_zone);
    let transaction = known.transaction;
    let mut notes = known.notes;
    let history = History::read(&mut snapshot, &transaction, known_at, look_back, &calendar, &mut notes)?;
    let judge = Judge::new(settings.rules, controls, calendar);

    let precedents = history.before(&transaction);
    let verdict = judge.verdict(&transaction, &precedents);
    let rules = judge.rules(transaction.event_time);
    let rules_version = recorded::rules_version(&mut snapshot, transaction.event_time, known_at)?;
    let verdicts = Verdicts::new(
        RecordedVerdict::of(&recorded, known_at.is_some()),
        Evaluated::new(&verdict, rules, rules_version),
    );
    if !verdicts.agree {
        notes.push(DISAGREEMENT.to_owned());
    }
    notes.extend(recorded.missing_changes());
    Ok(Explanation {
        transaction_id: id.to_owned(),
        known_at: known_at.map(|at| Rfc3339(at).to_string()),
        frontier: recorded.frontier,
        transaction: known.shown,
        verdict: verdicts,
        context: ContextValues::new(&transaction, &history, &precedents, &judge),
        flips: (!transaction.voided).then(|| Flips::find(&transaction, &history, &judge)),
        events: recorded.events,
        changes: recorded.changes,
        notes,
    })
}

/// What shadow sets would alert is no alert.
fn is_of_shadow(change: &ControlChange) -> bool {
    matches!(change, ControlChange::Rules(RulesChange { set: SetName::Shadow(_), .. }))
}

const DISAGREEMENT: &str = "the verdict on record differs from what the rules give now in this context: it is final, and what precedes it \
     has been amended since; context and flips are those of the verdict evaluated now";
