//! A graph that stops at a frontier, and another one that resumes from what the tables hold by then.

use crate::case::{Case, graph_rules, partition_id};
use crate::silver::row;
use std::collections::BTreeMap;
use streamflow_dataflow::amendments::Pending;
use streamflow_dataflow::changes::{PartitionPosition, ViewChange};
use streamflow_dataflow::controls::ControlChange;
use streamflow_dataflow::history::Slicing;
use streamflow_dataflow::operators::watermark::Clock;
use streamflow_dataflow::resume::{RestoredCustomer, RestoredTransaction, Resume};
use streamflow_dataflow::rules::{RulesChange, SetName, Version};
use streamflow_dataflow::score::Scored;
use streamflow_dataflow::settings::Settings;
use streamflow_dataflow::views::customer_profile::{Profile, ProfileKey};
use streamflow_dataflow::views::{self, Facts, Views};
use streamflow_model::{Id, PartitionId, Source};

/// The state from which a graph resumes: what all changes before its first epoch add up to.
#[derive(Default)]
pub(crate) struct Past {
    /// The first epoch whose events are still to be read; 0 for a fresh start.
    pub cut: u64,
    pub resume: Resume,
    pub announcements: Vec<Clock>,
    pub transactions: Vec<RestoredTransaction>,
    pub customers: Vec<RestoredCustomer>,
    pub views: Vec<ViewChange>,
    pub pending: Vec<Pending>,
    /// Everything that was emitted.
    pub changes: Vec<(u64, ViewChange)>,
}

#[derive(Default)]
struct Rows {
    /// With how often each was gained less lost, and when it was gained.
    scored: BTreeMap<Scored, (i64, usize)>,
    changes: usize,
    profiles: BTreeMap<ProfileKey, Profile>,
    partitions: BTreeMap<PartitionId, PartitionPosition>,
    /// The last row of each key, by the key's text.
    views: BTreeMap<String, ViewChange>,
    /// The rows of views over facts, to which differences are added.
    sums: Views<views::Rows>,
    controls: Vec<ControlChange>,
    watermark: Option<i64>,
    pending: BTreeMap<Source, Pending>,
}

/// The last row of each id, and the event times of those that another one with their id has overwritten.
fn latest(rows: BTreeMap<Scored, (i64, usize)>) -> (BTreeMap<Id, Scored>, Vec<i64>) {
    let mut rows: Vec<_> = rows.into_iter().filter(|(_, (count, _))| *count > 0).collect();
    rows.sort_by_key(|(_, (_, gained))| *gained);
    let mut latest: BTreeMap<Id, Scored> = BTreeMap::new();
    let replaced = rows.into_iter().filter_map(|(row, _)| latest.insert(row.transaction.id.clone(), row));
    let overwritten = replaced.map(|row| row.transaction.event_time).collect();
    (latest, overwritten)
}

impl Past {
    /// The state of a graph that stopped before epoch `cut` after emitting `changes`. `None` where the tables
    /// do not determine it because an id was used again.
    pub(crate) fn of(case: &Case, cut: u64, changes: &[(u64, ViewChange)]) -> Option<Self> {
        // What was final under a shorter horizon, and what has been amended since, is not evaluated anew.
        let amended = changes.iter().any(|(_, change)| matches!(change, ViewChange::Pending((_, None))));
        let settings = case.later_settings();
        if amended && settings.correction_horizon > case.horizon {
            return None;
        }
        let mut rows = Rows::default();
        changes.iter().for_each(|(_, change)| rows.apply(change.clone()));
        // What the tables hold once a pipeline has started.
        let version = Version::configured(graph_rules(&case.rules));
        let first = RulesChange { set: SetName::Live, applies_from: i64::MIN, version };
        let controls = [ControlChange::Rules(first)].into_iter().chain(rows.controls).collect();
        let held_before =
            rows.pending.values().map(|pending| pending.held_before(settings.correction_horizon));
        let resume = Resume {
            watermark: rows.watermark.unwrap_or(i64::MIN),
            partitions: rows.partitions.into_values().collect(),
            controls,
            held_before: held_before.min().unwrap_or(i64::MAX),
        };
        let settled = resume.settled(&settings);
        let folded_before = Slicing::new(settings.correction_horizon).folded_before(settled);
        let seen_since = settled
            .saturating_sub(settings.identity_retention)
            .min(folded_before.saturating_sub(look_back(case, &settings)))
            .min(settled.saturating_sub(Facts::RESTORED));
        // The row of an id that was used again after it had been forgotten holds the later transaction only.
        let (scored, overwritten) = latest(rows.scored);
        if overwritten.iter().any(|event_time| *event_time >= seen_since) {
            return None;
        }
        // Clocks and ends are sent again: they are not records, and no table has them.
        let sent_times = case.partition_times.iter().filter(|sent| sent.epoch < cut);
        let announcements = sent_times.map(|sent| {
            let announcement = resume.announcement(partition_id(sent.topic, sent.partition));
            Clock { time: announcement.time.max(sent.time), ..announcement }
        });
        // As the tables are read: a row of its own is looked for only where the profile does not say it.
        let last_folded = |key: &ProfileKey, profile: &Profile| {
            if profile.last_seen < folded_before {
                return Some(profile.last_seen);
            }
            let own = scored.values().map(|scored| &scored.transaction).filter(|transaction| {
                (&transaction.customer, transaction.currency) == (&key.customer, key.currency)
                    && !transaction.voided
            });
            own.map(|transaction| transaction.event_time).filter(|time| *time < folded_before).max()
        };
        Some(Self {
            cut,
            announcements: announcements.collect(),
            customers: rows
                .profiles
                .iter()
                .map(|(key, profile)| RestoredCustomer {
                    id: key.customer.clone(),
                    currency: key.currency,
                    profile: *profile,
                    last_folded: last_folded(key, profile),
                })
                .collect(),
            transactions: scored
                .values()
                .filter(|scored| scored.transaction.event_time >= seen_since)
                .map(|scored| RestoredTransaction {
                    transaction: scored.transaction.clone(),
                    hit: scored.verdict.is_hit(),
                    alert_changes: scored.alert_changes,
                })
                .collect(),
            views: rows.views.into_values().collect(),
            pending: rows.pending.into_values().collect(),
            changes: changes.to_vec(),
            resume,
        })
    }
}

/// The longest stretch that any version of the rules looks back, microseconds.
fn look_back(case: &Case, settings: &Settings) -> i64 {
    let versions = case.rules_versions.iter().map(|version| graph_rules(&version.rules));
    let reach = versions.chain([graph_rules(&case.rules), settings.rules.clone()]);
    let minute = 60_000_000;
    reach.map(|rules| rules.look_back().farthest()).max().unwrap_or(0).max(minute)
}

impl Rows {
    fn apply(&mut self, change: ViewChange) {
        let change = match change {
            ViewChange::RowDifference(difference) => {
                let Some(row) = self.sums.add(difference) else { return };
                ViewChange::Row(row)
            }
            change => change,
        };
        if let ViewChange::Row(row) = &change {
            self.sums.put(row.clone());
        }
        let key = match &change {
            ViewChange::Row(row) => format!("{}: {:?}", row.view(), row.key()),
            ViewChange::Quality((key, _)) => format!("{key:?}"),
            ViewChange::Books((key, _)) => format!("{key:?}"),
            _ => return self.apply_other(change),
        };
        self.views.insert(key, change);
    }

    fn apply_other(&mut self, change: ViewChange) {
        match change {
            ViewChange::Scored(scored, diff) => {
                self.changes += 1;
                let held = self.scored.entry(row(scored)).or_default();
                *held = (held.0 + i64::from(diff), if diff > 0 { self.changes } else { held.1 });
            }
            ViewChange::Profile((key, Some(profile))) => {
                self.profiles.insert(key, profile);
            }
            ViewChange::Profile((key, None)) => {
                self.profiles.remove(&key);
            }
            ViewChange::Pending((source, Some(pending))) => {
                self.pending.insert(source, pending);
            }
            ViewChange::Pending((source, None)) => {
                self.pending.remove(&source);
            }
            ViewChange::Progress(progress) => {
                self.partitions.insert(progress.partition, progress);
            }
            ViewChange::Watermark(watermark) => self.watermark = self.watermark.max(Some(watermark)),
            ViewChange::ListChange(change) => self.controls.push(ControlChange::List(change)),
            ViewChange::RulesChange(change) => self.controls.push(ControlChange::Rules(change)),
            _ => {}
        }
    }
}
