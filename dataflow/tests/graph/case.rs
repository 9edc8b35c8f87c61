//! A case: everything that one run of the graph depends on, and how it is cut into epochs.

use chrono_tz::Tz;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use streamflow_dataflow::detectors::blacklist::Blacklist;
use streamflow_dataflow::detectors::card_testing::CardTesting;
use streamflow_dataflow::detectors::expression::{ExpressionRule, Written};
use streamflow_dataflow::detectors::high_value::HighValue;
use streamflow_dataflow::detectors::impossible_travel::ImpossibleTravel;
use streamflow_dataflow::detectors::unusual_hour::UnusualHour;
use streamflow_dataflow::detectors::velocity::Velocity;
use streamflow_dataflow::dimensions::Role;
use streamflow_dataflow::rules;
use streamflow_dataflow::rules::{Action, Combination, Kind};
use streamflow_dataflow::settings::Settings;
use streamflow_model::{Cents, Currency, Id, PartitionId, RuleId, Thousandths};
use streamflow_oracle::{
    Clock, Coordinates, Detector, Expected, LaterLimits, Oracle, OracleSettings, RawEvent, Rule, RuleSet,
    RulesVersion, Segment, TopicRole, WrittenRule,
};

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
/// How far back the rules of a case look, and may look, at single transactions.
pub(crate) const LONGEST_WINDOW: i64 = HOUR;
pub(crate) const DAY: i64 = 24 * HOUR;

/// What the topic at each index of the configuration holds.
pub(crate) const ROLES: [TopicRole; 6] = [
    TopicRole::Transactions,
    TopicRole::Customers,
    TopicRole::Stores,
    TopicRole::Products,
    TopicRole::Blacklist,
    TopicRole::Transactions,
];
pub(crate) const BLACKLIST: u16 = 4;

/// A partition time sent beside the records: an announcement, a clock or an end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SentTime {
    pub epoch: u64,
    pub topic: u16,
    pub partition: u16,
    pub time: i64,
    /// The partition's end, if it is known.
    pub end: Option<u64>,
}

impl SentTime {
    /// The time, if it is a clock or an end.
    fn clock(&self) -> Option<Clock> {
        let Self { epoch, topic, partition, time, end } = *self;
        (time > i64::MIN).then_some(Clock { topic, partition, epoch, time, end })
    }
}

/// Settings that a restart before `epoch` changes.
#[derive(Clone, Debug)]
pub(crate) struct Restart {
    pub epoch: u64,
    pub horizon: i64,
    pub retention: i64,
    /// They are also the version of the rules that is sent in this epoch.
    pub rules: Option<RuleSet>,
}

impl Restart {
    fn limits(&self) -> LaterLimits {
        let Self { epoch, horizon, retention, .. } = *self;
        LaterLimits { epoch, horizon, retention }
    }
}

/// One run. Epoch 1 is the first; partitions are announced in it.
#[derive(Clone)]
pub(crate) struct Case {
    pub seed: u64,
    pub horizon: i64,
    pub retention: i64,
    pub correction_retention: i64,
    pub zone: Tz,
    pub rules: RuleSet,
    pub events: Vec<RawEvent>,
    pub rules_versions: Vec<RulesVersion>,
    pub partition_times: Vec<SentTime>,
    /// Clocks may be past records that are still to come.
    pub clocks_may_be_wrong: bool,
    /// What a restart changes.
    pub restart: Option<Restart>,
    /// Entries in a block of a history.
    pub history_block: usize,
    /// Epochs that may be in flight before a worker steps until they are done.
    pub in_flight: u64,
}

impl Case {
    /// What every view holds before the epoch `frontier`, with nothing pending.
    pub(crate) fn recompute(&self, frontier: u64) -> Expected {
        self.recompute_without(frontier, &BTreeSet::new())
    }

    /// What every view holds before the epoch `frontier`, while the events in `pending` are not decided.
    pub(crate) fn recompute_without(&self, frontier: u64, pending: &BTreeSet<Coordinates>) -> Expected {
        let sent = self.partition_times.iter().filter(|sent| sent.epoch < frontier);
        let clocks: Vec<Clock> = sent.filter_map(SentTime::clock).collect();
        self.oracle().recompute(&self.before(frontier), &self.rules_before(frontier), &clocks, pending)
    }

    fn oracle(&self) -> Oracle {
        Oracle::new(OracleSettings {
            topics: ROLES.to_vec(),
            horizon: self.horizon,
            retention: self.retention,
            correction_retention: self.correction_retention,
            later: self.restart.as_ref().map(Restart::limits),
            future_allowance: 5 * MINUTE,
            file_now: i64::MAX - DAY,
            zone: self.zone,
            rules: self.rules.clone(),
        })
    }

    /// The settings after a restart.
    pub(crate) fn later_settings(&self) -> Settings {
        let mut settings = self.settings();
        if let Some(restart) = &self.restart {
            settings.correction_horizon = restart.horizon;
            settings.identity_retention = restart.retention;
            settings.rules = graph_rules(restart.rules.as_ref().unwrap_or(&self.rules));
        }
        settings
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            correction_horizon: self.horizon,
            identity_retention: self.retention,
            correction_retention: self.correction_retention,
            future_allowance: 5 * MINUTE,
            time_zone: self.zone,
            rules: graph_rules(&self.rules),
            longest_window: LONGEST_WINDOW,
            file_now: i64::MAX - DAY,
            history_block: self.history_block,
        }
    }

    pub(crate) fn roles() -> Vec<Role> {
        let role = |role: &TopicRole| match role {
            TopicRole::Transactions => Role::Transactions,
            TopicRole::Customers => Role::Customers,
            TopicRole::Stores => Role::Stores,
            TopicRole::Products => Role::Products,
            TopicRole::Blacklist => Role::Blacklist,
        };
        ROLES.iter().map(role).collect()
    }

    /// Which of `peers` workers reads a partition.
    pub(crate) fn reader(&self, topic: u16, partition: u16, peers: usize) -> usize {
        let number = u64::from(topic) * 7 + u64::from(partition) + self.seed;
        (number % peers as u64) as usize
    }

    /// The last epoch of any input.
    pub(crate) fn last_epoch(&self) -> u64 {
        let events = self.events.iter().map(|event| event.epoch);
        let rules = self.rules_versions.iter().map(|version| version.epoch);
        let partition_times = self.partition_times.iter().map(|sent| sent.epoch);
        events.chain(rules).chain(partition_times).max().unwrap_or(1)
    }

    /// The smallest partition time of all announced partitions, from what is known before `frontier`:
    /// `expected` is the recomputation there.
    pub(crate) fn watermark(&self, frontier: u64, expected: &Expected) -> i64 {
        let mut partitions: BTreeMap<(u16, u16), i64> = BTreeMap::new();
        let sent_times = self.partition_times.iter().filter(|sent| sent.epoch < frontier);
        let sent_times = sent_times.map(|sent| ((sent.topic, sent.partition), sent.time));
        let holds_back =
            |topic: u16| matches!(ROLES[usize::from(topic)], TopicRole::Transactions | TopicRole::Blacklist);
        let read = expected.progress.iter().filter(|(partition, _)| holds_back(partition.0));
        let read = read.filter_map(|(partition, progress)| Some((*partition, progress.partition_time?)));
        for (partition, at) in sent_times.chain(read) {
            let time = partitions.entry(partition).or_insert(i64::MIN);
            *time = (*time).max(at);
        }
        partitions.values().copied().min().unwrap_or(i64::MIN)
    }

    /// The events of the epochs before `frontier`.
    fn before(&self, frontier: u64) -> Vec<RawEvent> {
        self.events.iter().filter(|event| event.epoch < frontier).cloned().collect()
    }

    /// The changes of the rules of the epochs before `frontier`.
    pub(crate) fn rules_before(&self, frontier: u64) -> Vec<RulesVersion> {
        self.rules_versions.iter().filter(|version| version.epoch < frontier).cloned().collect()
    }
}

pub(crate) fn partition_id(topic: u16, partition: u16) -> PartitionId {
    PartitionId::new(topic, partition).expect("within the limits of topics and partitions")
}

pub(crate) fn graph_rules(rules: &RuleSet) -> rules::RuleSet {
    let combination = if rules.noisy_or { Combination::NoisyOr } else { Combination::WeightedMean };
    let rule = |rule: &Rule| rules::Rule {
        id: RuleId::new(&rule.id).expect("an id of a rule"),
        enabled: true,
        action: Action::default(),
        segment: segment(&rule.segment),
        kind: kind(&rule.detector, Thousandths(rule.weight)),
    };
    rules::RuleSet::new(Thousandths(rules.alert_threshold), combination, rules.rules.iter().map(rule))
}

fn segment(segment: &Segment) -> rules::Segment {
    let ids = |ids: &[String]| ids.iter().map(Id::from).collect();
    rules::Segment {
        payment_methods: ids(&segment.payment_methods),
        stores: ids(&segment.stores),
        currencies: segment.currencies.iter().filter_map(|code| Currency::parse(code)).collect(),
        amount_from: segment.amount_from.map(Cents),
        amount_below: segment.amount_below.map(Cents),
    }
}

fn expression(rule: &WrittenRule, weight: Thousandths) -> ExpressionRule {
    let WrittenRule { when, score, reason, .. } = rule.clone();
    Written { weight, when, score, reason }.try_into().expect("a rule of the language")
}

fn kind(detector: &Detector, weight: Thousandths) -> Kind {
    match *detector {
        Detector::HighValue { minimum_history, multiple } => {
            Kind::HighValue(HighValue { weight, minimum_history, multiple: Thousandths(multiple) })
        }
        Detector::Velocity { limit, window_seconds } => {
            Kind::Velocity(Velocity { weight, limit, window_seconds })
        }
        Detector::ImpossibleTravel { distance, within_seconds, full_score } => {
            Kind::ImpossibleTravel(ImpossibleTravel {
                weight,
                distance_km: Thousandths(distance),
                within_seconds,
                full_score_km: Thousandths(full_score),
            })
        }
        Detector::UnusualHour { minimum_history, deviations } => {
            Kind::UnusualHour(UnusualHour { weight, minimum_history, deviations: Thousandths(deviations) })
        }
        Detector::Blacklist => Kind::Blacklist(Blacklist { weight }),
        Detector::Written(ref rule) => Kind::Expression(expression(rule, weight)),
        Detector::CardTesting { small_amount, minimum_count, window_seconds, multiple } => {
            Kind::CardTesting(CardTesting {
                enabled: true,
                weight,
                small_amount: Thousandths(small_amount),
                minimum_count,
                window_seconds,
                multiple: Thousandths(multiple),
            })
        }
    }
}

/// As it is printed where it fails: a line for each input, in the order of epochs.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: horizon {} s, retention {} s, corrections {} s, zone {}, {} in flight\n{:?}",
            self.seed,
            self.horizon as f64 / 1e6,
            self.retention as f64 / 1e6,
            self.correction_retention as f64 / 1e6,
            self.zone,
            self.in_flight,
            self.rules
        )?;
        let mut events: Vec<&RawEvent> = self.events.iter().collect();
        events.sort_by_key(|event| (event.epoch, event.coordinates()));
        for event in events {
            let text = |bytes: &Option<Vec<u8>>| {
                bytes
                    .as_ref()
                    .map(|bytes| String::from_utf8_lossy(&bytes[..bytes.len().min(400)]).into_owned())
            };
            writeln!(
                f,
                "epoch {} {}/{}@{} at {:?} key {:?}: {}",
                event.epoch,
                event.topic,
                event.partition,
                event.offset,
                event.appended_at,
                text(&event.key),
                text(&event.payload).unwrap_or_else(|| "(none)".to_owned())
            )?;
        }
        for sent in &self.partition_times {
            writeln!(f, "{sent:?}")?;
        }
        for version in &self.rules_versions {
            writeln!(f, "{version:?}")?;
        }
        if let Some(restart) = &self.restart {
            writeln!(f, "{restart:?}")?;
        }
        Ok(())
    }
}
