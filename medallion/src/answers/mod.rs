//! Answers to events that wait: what the tables hold about their transactions and customers.
//!
//! Law: an event is answered at a frontier at which everything before its `final_before` is final, after all
//! events before it of its transaction and of its customer have been decided and what they changed is
//! committed. So an answer does not depend on when it is given.
//!
//! ```text
//! streamflow.pending_events ──(the first of each customer)──┐
//! silver.transactions, gold.fact_fraud_alerts ── the version found ─────────┼──> Answer
//!          `` ── what is final of the customer, what precedes the version ──┤
//! gold.rule_versions, silver.blacklist ── the verdict on a corrected one ─────┤
//! streamflow.removed_transactions ── what maintenance has removed before it ──┘
//! ```

mod customers;
mod found;
mod precedents;
mod removed;

use crate::hydration::{controls, longest_look_back};
use crate::tables::pending_events;
use crate::topics::Topics;
use customers::{Spot, final_pasts, sole};
use found::found;
use postgres::{Client, IsolationLevel, Transaction as Snapshot};
use precedents::verdicts;
use removed::first_kept;
pub use removed::{Removed, removed};
use std::sync::Arc;
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::amendments::{Answer, Pending, answerable};
use streamflow_dataflow::operators::watermark;
use streamflow_dataflow::resume::Resume;
use streamflow_dataflow::score::{Amended, Scored};
use streamflow_dataflow::settings::Settings;
use streamflow_model::{Calendar, Source};

/// Rows are looked up by index, however small the tables are at first.
const SESSION: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
     SET enable_mergejoin = off; SET jit = off; SET timezone = 'UTC'; SET statement_timeout = 0";

/// Reads answers.
pub struct Answers {
    settings: Settings,
    topics: Arc<Topics>,
    calendar: Calendar,
}

/// The version that an event brings, with the current version that it meets.
struct Case {
    pending: Pending,
    found: Option<Amended>,
}

impl Case {
    /// The id of the row that is not to be counted beside the event's version.
    fn replaced(&self) -> Option<&str> {
        self.found.as_ref().map(|found| found.scored.transaction.id.as_str())
    }

    fn is_final(&self) -> bool {
        self.pending.event.transaction.event_time < self.pending.final_before
    }
}

impl Answers {
    /// Answers under these settings. `topics` are those of the configuration.
    #[must_use]
    pub fn new(settings: Settings, topics: Arc<Topics>) -> Self {
        let calendar = Calendar::new(settings.time_zone);
        Self { settings, topics, calendar }
    }

    /// Prepares a connection.
    ///
    /// # Errors
    /// Those of the server and the connection, here and below.
    pub fn on_connect(&self, client: &mut Client) -> Result<(), PostgresError> {
        Ok(client.batch_execute(SESSION)?)
    }

    /// Whether any of these events still waits.
    ///
    /// # Errors
    /// As [`Answers::on_connect`].
    pub fn any_waits(&self, client: &mut Client, events: &[Source]) -> Result<bool, PostgresError> {
        pending_events::any_of(client, &self.topics, events)
    }

    /// The answers to at most `limit` events: of each customer the first one, if it waits for no other.
    /// They are to be taken before this is called again.
    ///
    /// # Errors
    /// As [`Answers::on_connect`]; [`PostgresError::Fenced`] for rows that no pipeline wrote.
    pub fn read(&self, client: &mut Client, limit: i64) -> Result<Vec<Answer>, PostgresError> {
        let snapshot = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let mut snapshot = snapshot.read_only(true).start()?;
        let settled = self.settled(&mut snapshot)?;
        let waiting = pending_events::first(&mut snapshot, &self.topics, settled, limit)?;
        let answers = self.answer(&mut snapshot, answerable(waiting))?;
        snapshot.commit()?;
        Ok(answers)
    }

    /// The instant before which everything is final, microseconds since 1970.
    fn settled(&self, snapshot: &mut Snapshot<'_>) -> Result<i64, PostgresError> {
        let sql = "SELECT (extract(epoch FROM watermark) * 1000000)::int8 FROM streamflow.progress";
        let time: Option<i64> = snapshot.query_one(sql, &[])?.try_get(0)?;
        Ok(watermark::settled(time.unwrap_or(i64::MIN), self.settings.correction_horizon))
    }

    fn answer(
        &self,
        snapshot: &mut Snapshot<'_>,
        waiting: Vec<Pending>,
    ) -> Result<Vec<Answer>, PostgresError> {
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = found(snapshot, &waiting, &self.topics)?;
        let cases: Vec<Case> = waiting
            .into_iter()
            .map(|pending| {
                let found = found.remove(&pending.event.transaction.id);
                let event_time = |found: &Amended| found.scored.transaction.event_time;
                let meant = |found: &Amended| event_time(found) >= pending.reaches_back_to;
                Case { found: found.filter(meant), pending }
            })
            .collect();
        let controls = controls(snapshot, None)?;
        let resume = Resume { controls, ..Resume::default() };
        let look_back = longest_look_back(&self.settings, &resume);
        let whole_from = first_kept(snapshot)?.saturating_add(look_back);
        let verdicts = verdicts(snapshot, &cases, &self.settings, &resume.controls, look_back)?;
        let pasts = final_pasts(snapshot, &cases, look_back)?;
        let spots = |of: fn(&Case) -> Option<&streamflow_model::Transaction>| {
            let spot = |case| of(case).map(|transaction| Spot::new(case, transaction, &self.calendar));
            cases.iter().map(spot).collect::<Vec<_>>()
        };
        let new = sole(snapshot, &spots(|case| Some(&case.pending.event.transaction)))?;
        let old = sole(snapshot, &spots(|case| case.found.as_ref().map(|found| &*found.scored.transaction)))?;
        let rest = verdicts.into_iter().zip(pasts).zip(new.into_iter().zip(old));
        let answers = cases.into_iter().zip(rest).zip(0..);
        let answers = answers.map(|((case, ((verdict, past), (new, old))), number)| Answer {
            number,
            pending: case.pending,
            found: case.found.map(|found| Amended {
                scored: Scored { first_in_minute: old.in_minute, ..found.scored },
                sole_in_hour: old.in_hour,
                ..found
            }),
            verdict,
            sole_in_minute: new.in_minute,
            sole_in_hour: new.in_hour,
            past,
            whole_from,
        });
        Ok(answers.collect())
    }
}
