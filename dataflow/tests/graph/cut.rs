//! How a case's records are cut into epochs, and when clocks and rules are sent.

use crate::case::{BLACKLIST, Case, ROLES, Restart, SentTime};
use crate::dice::Dice;
use crate::generator;
use std::collections::{BTreeMap, BTreeSet};
use streamflow_oracle::{RulesVersion, TopicRole};

/// Assigns each record, in the order in which they were made, an epoch that never decreases within a
/// partition, and sees to the partitions' announcements, clocks and ends.
pub(crate) fn cut(case: &mut Case, dice: &mut Dice) {
    let few_epochs = case.events.len() > 300;
    let size = if few_epochs { *dice.pick(&[60, 1000]) } else { *dice.pick(&[1, 1, 3, 10, 40, 1000]) };
    let lagging = dice.chance(40);
    let idle = dice.between(0, 3) as u64;
    let mut lags: BTreeMap<(u16, u16), i64> = BTreeMap::new();
    for (index, event) in case.events.iter_mut().enumerate() {
        let lag = lags.entry((event.topic, event.partition));
        let lag = lag.or_insert_with(|| if lagging { dice.between(0, 40) } else { 0 });
        let batch = ((index as i64 + *lag) / size) as u64;
        event.epoch = 1 + batch + batch / 4 * idle;
    }
    case.in_flight = *dice.pick(&[0, 1, 5, 1000]);
    case.partition_times.clear();
    let mut partitions: BTreeSet<(u16, u16)> = case
        .events
        .iter()
        .filter(|event| ROLES[usize::from(event.topic)] == TopicRole::Transactions)
        .map(|event| (event.topic, event.partition))
        .collect();
    partitions.insert((BLACKLIST, 0));
    send(case, &partitions, 1, i64::MIN);
    clocks(case, &partitions, dice);
    let end = case.last_epoch() + u64::from(dice.chance(50));
    send(case, &partitions, end, i64::MAX);
}

fn send(case: &mut Case, partitions: &BTreeSet<(u16, u16)>, epoch: u64, time: i64) {
    let all = partitions.iter().map(|(topic, partition)| SentTime {
        epoch,
        topic: *topic,
        partition: *partition,
        time,
        end: None,
    });
    case.partition_times.extend(all);
}

/// Partitions that have been read to their end follow the clock: never beyond the time of a record that is
/// yet to come, unless clocks may be wrong.
fn clocks(case: &mut Case, partitions: &BTreeSet<(u16, u16)>, dice: &mut Dice) {
    if case.events.iter().any(|event| event.appended_at.is_none()) {
        // In files there is no clock, but the list is read to its end before long.
        let list = case.events.iter().filter(|event| event.topic == BLACKLIST);
        let epoch = list.map(|event| event.epoch).max().unwrap_or(1);
        let end = SentTime { epoch, topic: BLACKLIST, partition: 0, time: i64::MAX, end: None };
        case.partition_times.push(end);
        return;
    }
    for epoch in 1..=case.last_epoch() {
        let clock = case.events.iter().filter(|event| event.epoch <= epoch);
        let Some(clock) = clock.filter_map(|event| event.appended_at).max() else { continue };
        for (topic, partition) in partitions {
            let percent = if *topic == BLACKLIST { 60 } else { 15 };
            if !dice.chance(percent) {
                continue;
            }
            let own = |event: &&streamflow_oracle::RawEvent| {
                (event.topic, event.partition) == (*topic, *partition) && event.epoch > epoch
            };
            let coming = case.events.iter().filter(own).min_by_key(|event| event.offset);
            let next = coming.and_then(|event| event.appended_at);
            let mut time = next.map_or(clock, |next| next.min(clock));
            if case.clocks_may_be_wrong && dice.chance(5) {
                time = clock + dice.between(0, 3 * case.horizon);
            }
            let (topic, partition) = (*topic, *partition);
            let end = coming.filter(|_| dice.chance(50)).map(|event| event.offset);
            case.partition_times.push(SentTime { epoch, topic, partition, time, end });
        }
    }
}

/// Lets the restart before `epoch` change horizon and retention, and the rules.
pub(crate) fn change_at_restart(case: &mut Case, epoch: u64, dice: &mut Dice) {
    let horizon = match dice.below(3) {
        0 => case.horizon,
        1 => case.horizon / *dice.pick(&[2, 5]),
        _ => case.horizon * dice.between(2, 4),
    };
    let retention = horizon.max(case.retention);
    // Later changes of the rules still do not reach back to what is final.
    for version in case.rules_versions.iter_mut().filter(|version| version.epoch >= epoch) {
        version.applies_from += (case.horizon - horizon).max(0);
    }
    let rules = dice.chance(50).then(|| generator::random_rules(dice));
    if let Some(rules) = rules.clone() {
        let applies_from = match case.watermark(epoch, &case.recompute(epoch)) {
            known @ (i64::MIN | i64::MAX) => known,
            watermark => watermark - horizon,
        };
        let place = case.rules_versions.partition_point(|version| version.epoch < epoch);
        case.rules_versions.insert(place, RulesVersion { shadow: None, epoch, applies_from, rules });
    }
    case.restart = Some(Restart { epoch, horizon, retention, rules });
}

/// Changes of the rules, none of which reaches back to what is final.
pub(crate) fn change_rules(case: &mut Case, dice: &mut Dice) {
    let changes = if dice.chance(50) { dice.between(1, 4) } else { 0 };
    let mut epochs: Vec<u64> =
        (0..changes).map(|_| dice.between(1, case.last_epoch() as i64) as u64).collect();
    epochs.sort_unstable();
    for epoch in epochs {
        let Some(event) = case.events.iter().find(|event| event.epoch >= epoch) else { continue };
        let now = event.appended_at.unwrap_or_default();
        let settled = match case.watermark(epoch, &case.recompute(epoch)) {
            i64::MIN => now - case.horizon,
            i64::MAX => continue,
            watermark => watermark - case.horizon,
        };
        let applies_from = settled + dice.between(0, 3) * dice.between(0, case.horizon);
        let shadow = dice.chance(50).then(|| (*dice.pick(&["night", "s.2"])).to_owned());
        let mut rules = generator::random_rules(dice);
        if shadow.is_some() && dice.chance(20) {
            rules.rules.clear();
        }
        case.rules_versions.push(RulesVersion { shadow, epoch, applies_from, rules });
    }
}
