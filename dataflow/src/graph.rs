//! The graph: every stage, one line each, in the order of the data.
//!
//! ```text
//! transactions ─ admission ─ identity ─ history ─┬─ scored ─┬─ facts ─ aggregates ──┐
//!      (partition times)                         │          └─ transactions ────────┤
//! dimension topics ─ dimensions ─ list changes ──┤                                  ├─ views
//! rules ─────────────────────────────────────────┼─ alert changes, profiles ────────┤
//!                                                └─ settled                         │
//! dead letters, books, quality, progress, watermark ────────────────────────────────┘
//! ```

use crate::admission::admit;
use crate::changes::ViewChange;
use crate::controls::controls;
use crate::dimensions::{Role, decode_dimensions};
use crate::history::history;
use crate::identity::identify;
use crate::inputs::Inputs;
use crate::operators::forgetting::Forgetting;
use crate::operators::ordered;
use crate::operators::watermark;
use crate::resume::Resume;
use crate::roster::OfMember;
use crate::score::Settled;
use crate::settings::Settings;
use crate::views::books::books;
use crate::views::quality::quality;
use crate::views::{Facts, maintain_all};
use timely::dataflow::operators::{Concatenate, Probe};
use timely::dataflow::{ProbeHandle, StreamVec};

/// The outputs that are wanted beside the views.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Rows of bronze and changes of scored transactions.
    pub transactions: bool,
    /// Transactions as they become final, in no particular order within an epoch.
    pub settled: bool,
}

/// The streams out of the graph.
pub struct Outputs<'s> {
    /// Every change of every view.
    pub changes: StreamVec<'s, u64, ViewChange>,
    /// Transactions that have become final, if wanted.
    pub settled: StreamVec<'s, u64, Settled>,
    /// Frontiers within the graph.
    pub stages: Stages,
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
    let Inputs { transactions, dimensions, rules, partition_times, restored } = inputs;
    let scope = transactions.scope();
    let forgetting = Forgetting::new(resume.first_epoch());

    let dimensions = decode_dimensions(settings, roles, dimensions);
    let admitted = admit(settings, resume, transactions);
    let times = [partition_times, admitted.partition_times, dimensions.partition_times];
    let times = watermark::broadcast(scope.concatenate(times));
    let identified =
        identify(settings, wanted.transactions, resume, &restored, admitted.events, times.clone());
    let controls = controls(dimensions.changes.clone(), rules.clone());
    let histories =
        history(settings, wanted.settled, resume, &restored, identified.versions, controls, times.clone());
    let facts = Facts::new(
        settings,
        resume.settled(settings),
        &forgetting,
        histories.restored,
        histories.scored.clone(),
    );
    let events = scope.concatenate([admitted.tallies, identified.tallies]);
    let tallies = scope.concatenate([events.clone(), dimensions.tallies]);

    // All outputs of an operator have the same frontier, so the streams with the fewest data are probed.
    let (admitted_probe, progress) = admitted.progress.probe();
    let (history_probe, alert_changes) = histories.alert_changes.probe();
    let stages = Stages { admitted: admitted_probe, history: history_probe };

    let mut changes = vec![
        dimensions.changes,
        into_changes(rules, ViewChange::RulesChange),
        into_changes(admitted.dead_letters, ViewChange::DeadLetter),
        into_changes(identified.dead_letters, ViewChange::DeadLetter),
        into_changes(progress, ViewChange::Progress),
        into_changes(dimensions.progress, ViewChange::Progress),
        into_changes(watermark::watermark(times.clone()), ViewChange::Watermark),
        into_changes(alert_changes, ViewChange::AlertChange),
        into_changes(histories.profiles, ViewChange::Profile),
        into_changes(maintain_all(&facts, &restored.rows()), ViewChange::Row),
        into_changes(books(&forgetting, restored.books(), tallies), ViewChange::Books),
        into_changes(quality(&forgetting, restored.quality(), events), ViewChange::Quality),
    ];
    if wanted.transactions {
        let scored =
            |(scored, _, diff): (OfMember<_>, _, isize)| ViewChange::Scored(scored.value, diff as i8);
        changes.push(into_changes(identified.received, ViewChange::Received));
        changes.push(into_changes(histories.scored.inner, scored));
    }
    forgetting.settle(settings.correction_horizon, times);
    Outputs { changes: scope.concatenate(changes), settled: histories.settled, stages }
}

/// Wraps rows as [`ViewChange`]; within an epoch the last row of a key wins.
fn into_changes<'s, D: Clone + 'static>(
    rows: StreamVec<'s, u64, D>,
    wrap: impl Fn(D) -> ViewChange + 'static,
) -> StreamVec<'s, u64, ViewChange> {
    ordered::flat_map("changes", rows, move |row| [wrap(row)])
}
