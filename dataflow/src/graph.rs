//! The graph: every stage, one line each, in the order of the data.
//!
//! ```text
//! transactions ─ admission ─ identity ─ history ─┬─ scored ─┬─ facts ─ aggregates ──┐
//!      (partition times)                         │          └─ transactions ────────┤
//! dimension topics ─ dimensions ─ list changes ──┤                                  ├─ views
//! rules (first version) ─┴─ rules changes ───────┼─ alert changes, profiles ────────┤
//!                                                └─ settled                         │
//! dead letters, books, quality, progress, watermark ────────────────────────────────┘
//! ```
//!
//! [`Outputs`] offers collections to whoever adds to the graph. Here the current alerts are counted by store,
//! and stay counted while events are corrected:
//!
//! ```
//! use differential_dataflow::operators::CountTotal;
//! use std::sync::mpsc;
//! use streamflow_dataflow::decode::Event;
//! use streamflow_dataflow::dimensions::Role;
//! use streamflow_dataflow::graph::{Wanted, build};
//! use streamflow_dataflow::inputs::Inputs;
//! use streamflow_dataflow::resume::Resume;
//! use streamflow_dataflow::settings::Settings;
//! use streamflow_model::record::Record;
//! use streamflow_model::{PartitionId, Source};
//!
//! let record = |topic: u16, offset, json: &'static str| Record {
//!     source: Source::new(PartitionId::new(topic, 0).unwrap(), offset),
//!     appended_at: None,
//!     key: None,
//!     payload: Some(json.into()),
//!     full_length: json.len() as u64,
//! };
//! let (counts_out, counts) = mpsc::channel();
//! timely::execute_directly(move |worker| {
//!     let mut inputs = worker.dataflow(|scope| {
//!         let (handles, _restored, inputs) = Inputs::new(scope);
//!         let roles = [Role::Transactions, Role::Blacklist];
//!         let outputs = build(&Settings::default(), &roles, Wanted::default(), &Resume::default(), inputs);
//!         let by_store = outputs.alerts().map(|alerted| alerted.transaction.store.clone()).count_total();
//!         by_store.inspect(move |(count, epoch, diff)| counts_out.send((count.clone(), *epoch, *diff)).unwrap());
//!         handles
//!     });
//!     inputs.dimensions.send(record(1, 0, r#"{"entity": "customer", "id": "c-1", "reason": "stolen card"}"#));
//!     inputs.advance_to(1);
//!     let paid = r#"{"transaction_id": "t-1", "customer_id": "c-1", "store_id": "s-1", "amount": "10.00",
//!         "timestamp": "2026-02-01T12:00:00Z"}"#;
//!     inputs.transactions.send(Event::from(record(0, 0, paid)));
//!     inputs.advance_to(2);
//!     let voided = r#"{"transaction_id": "t-1", "customer_id": "c-1", "store_id": "s-1", "amount": "10.00",
//!         "timestamp": "2026-02-01T12:00:00Z", "revision": 1, "voided": true}"#;
//!     inputs.transactions.send(Event::from(record(0, 1, voided)));
//! });
//! let one_alert = ("s-1".into(), 1);
//! assert_eq!(counts.iter().collect::<Vec<_>>(), [(one_alert.clone(), 1, 1), (one_alert, 2, -1)]);
//! ```

use crate::admission::admit;
use crate::changes::ViewChange;
use crate::controls::controls;
use crate::dimensions::{Role, clocks_of, decode_dimensions};
use crate::history::{Optional, Replacements, history};
use crate::identity::identify;
use crate::inputs::Inputs;
use crate::operators::forgetting::Forgetting;
use crate::operators::hold::hold;
use crate::operators::watermark::{CurrentWatermark, PartitionTime};
use crate::operators::{ordered, watermark};
use crate::resume::Resume;
use crate::roster::OfMember;
use crate::score::{Alerted, Amended, Scored, Settled, ShadowAlert, ShownHit};
use crate::settings::Settings;
use crate::views::books::books;
use crate::views::quality::quality;
use crate::views::{Facts, maintain_all};
use differential_dataflow::VecCollection;
use std::sync::Arc;
use streamflow_model::{Received, Transaction};
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Concat, Concatenate, Probe};
use timely::dataflow::{ProbeHandle, StreamVec};

/// The outputs that are wanted beside the views.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Rows of bronze, changes of scored transactions, and the evidence of alerts.
    pub transactions: bool,
    /// Transactions as they become final, in no particular order within an epoch.
    pub settled: bool,
}

/// What comes out of the graph. The collections hold differences from the first epoch on: what was before is
/// in the tables.
pub struct Outputs<'s> {
    /// Every change of every table, as sinks receive it: an ordered stream, of which the last row of a key
    /// wins.
    pub changes: StreamVec<'s, u64, ViewChange>,
    /// Accepted events, copies included; empty unless transactions are wanted.
    pub received: VecCollection<'s, u64, Received, isize>,
    /// Current transactions with their verdicts, voided ones included, each on its customer's worker.
    pub scored: VecCollection<'s, u64, OfMember<Scored>, isize>,
    /// Versions of final transactions that amendments retract or assert: with `scored` they add up to the current
    /// ones.
    pub amended: VecCollection<'s, u64, OfMember<Amended>, isize>,
    /// Transactions that have become final, if wanted.
    pub settled: StreamVec<'s, u64, Settled>,
    /// The watermark.
    pub watermark: CurrentWatermark,
    /// Frontiers within the graph.
    pub stages: Stages,
}

impl<'s> Outputs<'s> {
    /// Current transactions, voided ones included.
    pub fn transactions(&self) -> VecCollection<'s, u64, Arc<Transaction>, isize> {
        let amended = self.amended.clone().map(|amended| amended.value.scored.transaction);
        self.scored.clone().map(|scored| scored.value.transaction).concat(amended)
    }

    /// Current transactions with an alert: what the log of alert changes adds up to.
    pub fn alerts(&self) -> VecCollection<'s, u64, Alerted, isize> {
        let amended = self.amended.clone().map(|amended| amended.value.scored);
        let scored = self.scored.clone().map(|scored| scored.value).concat(amended);
        scored.flat_map(Scored::alerted)
    }

    /// What shadow sets would alert, with its transaction.
    pub fn shadow_alerts(&self) -> VecCollection<'s, u64, (Arc<Transaction>, ShadowAlert<ShownHit>), isize> {
        let amended = self.amended.clone().map(|amended| amended.value.scored);
        let scored = self.scored.clone().map(|scored| scored.value).concat(amended);
        scored.flat_map(|Scored { transaction, verdict, .. }| {
            verdict.shadows.into_iter().map(move |shadow| (Arc::clone(&transaction), shadow))
        })
    }
}

/// Frontiers of stages: all workers have completed the epochs before them.
#[derive(Clone)]
pub struct Stages {
    /// Of admission.
    pub admitted: ProbeHandle<u64>,
    /// Of history.
    pub history: ProbeHandle<u64>,
}

/// Builds the graph. `roles` are those of the topics, by index in the configuration.
pub fn build<'s>(
    settings: &Settings,
    roles: &[Role],
    wanted: Wanted,
    resume: &Resume,
    inputs: Inputs<'s>,
) -> Outputs<'s> {
    let Inputs { transactions, dimensions, rules, clocks, answers, settle, restored } = inputs;
    let scope = transactions.scope();
    let forgetting = Forgetting::new(resume.first_epoch());

    let of_transactions = clocks_of(roles, &clocks, |role| role == Role::Transactions);
    let of_dimensions = clocks_of(roles, &clocks, |role| role != Role::Transactions);
    let of_watermark = clocks_of(roles, &clocks, Role::holds_watermark).map(PartitionTime::from);
    let dimensions = decode_dimensions(settings, roles, resume, dimensions, of_dimensions);
    let admitted = admit(settings, resume, transactions, of_transactions);
    let times = [of_watermark, admitted.partition_times, dimensions.partition_times];
    let times = watermark::broadcast(scope.concatenate(times));
    let identified =
        identify(settings, wanted.transactions, resume, &restored, admitted.events, answers, times.clone());
    // Nothing becomes final that an event waiting for an answer may still amend.
    let held_times = hold(times.clone(), ordered::broadcast("holds", identified.holds));
    let rules = rules.concat(dimensions.rules_changes);
    let controls = controls(dimensions.list_changes.clone(), rules.clone());
    let replacements =
        Replacements { versions: identified.versions, amendments: identified.amendments, settle };
    let optional = Optional { settled: wanted.settled, evidence: wanted.transactions };
    let histories =
        history(settings, optional, resume, &restored, replacements, controls, held_times.clone());
    let facts = Facts::new(
        settings,
        resume.settled(settings),
        &forgetting,
        histories.restored,
        histories.scored.clone(),
        histories.amended.clone(),
        held_times.clone(),
    );
    let views = maintain_all(&facts, &restored.rows());
    let events = scope.concatenate([admitted.tallies, identified.tallies]);
    let tallies = scope.concatenate([events.clone(), dimensions.tallies]);

    // All outputs of an operator have the same frontier, so the streams with the fewest data are probed.
    let (admitted_probe, progress) = admitted.progress.probe();
    let (history_probe, alert_changes) = histories.alert_changes.probe();
    let stages = Stages { admitted: admitted_probe, history: history_probe };

    let (watermark, current_watermark) = watermark::watermark(times.clone());
    let mut changes = vec![
        into_changes(dimensions.customers, ViewChange::Customer),
        into_changes(dimensions.stores, ViewChange::Store),
        into_changes(dimensions.products, ViewChange::Product),
        into_changes(dimensions.list_changes, ViewChange::ListChange),
        into_changes(rules, ViewChange::RulesChange),
        into_changes(admitted.dead_letters, ViewChange::DeadLetter),
        into_changes(identified.dead_letters, ViewChange::DeadLetter),
        into_changes(dimensions.dead_letters, ViewChange::DeadLetter),
        into_changes(progress, ViewChange::Progress),
        into_changes(dimensions.progress, ViewChange::Progress),
        into_changes(watermark, ViewChange::Watermark),
        into_changes(alert_changes, ViewChange::AlertChange),
        into_changes(histories.profiles, ViewChange::Profile),
        into_changes(identified.pending, ViewChange::Pending),
        into_changes(views.rows, ViewChange::Row),
        into_changes(views.differences, ViewChange::RowDifference),
        into_changes(books(&forgetting, restored.books(), tallies), ViewChange::Books),
        into_changes(quality(&forgetting, restored.quality(), events), ViewChange::Quality),
    ];
    if wanted.transactions {
        let scored =
            |(scored, _, diff): (OfMember<_>, _, isize)| ViewChange::Scored(scored.value, diff as i8);
        let received = |(received, _, _)| ViewChange::Received(received);
        changes.push(into_changes(identified.received.inner.clone(), received));
        changes.push(into_changes(histories.scored.inner.clone(), scored));
        let amended = |(amended, _, diff): (OfMember<Amended>, _, isize)| {
            ViewChange::Scored(amended.value.scored, diff as i8)
        };
        changes.push(into_changes(histories.amended.inner.clone(), amended));
        changes.push(into_changes(histories.evidence, ViewChange::AlertEvidence));
    }
    forgetting.settle(settings.correction_horizon, held_times);
    Outputs {
        changes: scope.concatenate(changes),
        received: identified.received,
        scored: histories.scored,
        amended: histories.amended,
        settled: histories.settled,
        watermark: current_watermark,
        stages,
    }
}

/// Wraps rows as [`ViewChange`]; within an epoch the last row of a key wins.
fn into_changes<'s, D: Clone + 'static>(
    rows: StreamVec<'s, u64, D>,
    wrap: impl Fn(D) -> ViewChange + 'static,
) -> StreamVec<'s, u64, ViewChange> {
    ordered::flat_map("changes", rows, move |row| [wrap(row)])
}
