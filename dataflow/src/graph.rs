//! The graph: every stage, one line each, in the order in which data flows.
//!
//! ```text
//! transactions ─ admission ─ identity ─ history ─┬─ scored ─┬─ facts ─ aggregates ──┐
//!      (partition times)                         │          └─ aggregates ──────────┤
//! dimension topics ─ dimensions ─ list changes ──┤                                  ├─ views
//! rules ─────────────────────────────────────────┼─ alert changes, profiles ────────┤
//!                                                └─ settled                         │
//! dead letters, books, quality, progress, watermark ────────────────────────────────┘
//! ```

use crate::admission::admit;
use crate::changes::ViewChange;
use crate::controls::ControlChange;
use crate::detectors::RulesChange;
use crate::dimensions::{Role, dimensions};
use crate::history::{self, history};
use crate::identity::{self, identify};
use crate::inputs::Inputs;
use crate::operators::forgetting::Forgetting;
use crate::operators::ordered;
use crate::operators::watermark;
use crate::resume::{Restored, Resume};
use crate::score::Settled;
use crate::settings::Settings;
use crate::views::books::books;
use crate::views::quality::quality;
use crate::views::{Facts, maintain_all};
use timely::dataflow::operators::{Concatenate, Probe};
use timely::dataflow::{ProbeHandle, StreamVec};

/// Which of the graph's outputs are wanted beside the views.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Rows of bronze and the changes of scored transactions.
    pub transactions: bool,
    /// Transactions once more when they become final, in no particular order within an epoch.
    pub settled: bool,
}

/// What flows out.
pub struct Outputs<'s> {
    /// Every change of every view.
    pub changes: StreamVec<'s, u64, ViewChange>,
    /// Transactions that have become final, if wanted.
    pub settled: StreamVec<'s, u64, Settled>,
    /// How far the stages are.
    pub stages: Stages,
}

/// Frontiers within the graph: all workers have completed what lies before them.
#[derive(Clone)]
pub struct Stages {
    /// Of admission.
    pub admitted: ProbeHandle<u64>,
    /// Of history.
    pub history: ProbeHandle<u64>,
}

/// Builds the graph. `roles` gives what the topic at each place of the configuration holds; `resume` is where it goes on.
pub fn build<'s>(
    settings: &Settings,
    roles: &[Role],
    wanted: Wanted,
    resume: &Resume,
    inputs: Inputs<'s>,
) -> Outputs<'s> {
    let scope = inputs.transactions.scope();
    let (rows, entries, counts) =
        (inputs.restored.rows(), inputs.restored.books(), inputs.restored.quality());
    let Restored { transactions: past, customers, views: _ } = inputs.restored;
    let dimensions = dimensions(settings, roles, inputs.dimensions);
    let admitted = admit(settings, resume, inputs.transactions);
    let own_times = [inputs.partition_times, admitted.partition_times, dimensions.partition_times];
    let times = watermark::broadcast(scope.concatenate(own_times));
    let known = identity::Past { resume, transactions: past.clone() };
    let identified = identify(settings, wanted.transactions, known, admitted.events, times.clone());
    let list_changes = ordered::flat_map("list changes", dimensions.changes.clone(), list_change);
    let rules_changes = ordered::flat_map("rules changes", inputs.rules.clone(), rules_change);
    let controls = ordered::broadcast("controls", scope.concatenate([list_changes, rules_changes]));
    let before = history::Past { resume, transactions: past, customers };
    let histories = history(settings, wanted.settled, before, identified.versions, controls, times.clone());
    let facts = Facts::new(settings, histories.scored.clone());
    let forgetting = Forgetting::new(resume.first_epoch());
    // The streams with the fewest data: all outputs of an operator have the same frontier.
    let (admitted_probe, progress) = admitted.progress.probe();
    let (history_probe, alert_changes) = histories.alert_changes.probe();
    let stages = Stages { admitted: admitted_probe, history: history_probe };
    let events = scope.concatenate([admitted.tallies, identified.tallies]);
    let tallies = scope.concatenate([events.clone(), dimensions.tallies]);

    let mut changes = vec![
        dimensions.changes,
        told(inputs.rules, ViewChange::RulesChange),
        told(admitted.dead_letters, ViewChange::DeadLetter),
        told(identified.dead_letters, ViewChange::DeadLetter),
        told(progress, ViewChange::Progress),
        told(dimensions.progress, ViewChange::Progress),
        told(watermark::watermark(times.clone()), ViewChange::Watermark),
        told(alert_changes, ViewChange::AlertChange),
        told(histories.profiles, ViewChange::Profile),
        told(maintain_all(&facts, &forgetting, &rows), ViewChange::Row),
        told(books(&forgetting, entries, tallies), ViewChange::Books),
        told(quality(&forgetting, counts, events), ViewChange::Quality),
    ];
    if wanted.transactions {
        changes.push(told(identified.received, ViewChange::Received));
        let scored = histories.scored.inner;
        changes.push(told(scored, |(scored, _, diff)| ViewChange::Scored(scored, diff as i8)));
    }
    forgetting.settle(settings.correction_horizon, times);
    Outputs { changes: scope.concatenate(changes), settled: histories.settled, stages }
}

/// The changes of a view, in the order in which they are told: of one key and epoch the last counts.
fn told<'s, D: Clone + 'static>(
    stream: StreamVec<'s, u64, D>,
    change: impl Fn(D) -> ViewChange + 'static,
) -> StreamVec<'s, u64, ViewChange> {
    ordered::flat_map("changes", stream, move |datum| [change(datum)])
}

fn list_change(change: ViewChange) -> Option<ControlChange> {
    match change {
        ViewChange::ListChange(change) => Some(ControlChange::List(change)),
        _ => None,
    }
}

fn rules_change(change: RulesChange) -> Option<ControlChange> {
    Some(ControlChange::Rules(change))
}
