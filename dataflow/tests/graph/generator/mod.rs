//! Random cases: few customers and stores, so that everything that can collide does.

mod dimensions;
mod rules;

use crate::case::{Case, DAY, HOUR, MINUTE, SECOND};
use crate::cut;
use crate::dice::Dice;
use crate::payload::{self, Draft, PLACES};
use std::collections::BTreeMap;
use streamflow_dataflow::settings::Settings;
use streamflow_oracle::{RawEvent, RuleSet};

pub(crate) use rules::random_rules;

/// What a case may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    /// Events that break the producers' rule: an id or a copy in another partition or under another customer.
    pub rule_breakers: bool,
    /// Changes of the blacklist and of the rules.
    pub controls: bool,
    /// Clocks past records that are still to come.
    pub wrong_clocks: bool,
}

/// A generated transaction that later events may refer to.
#[derive(Clone)]
struct Live {
    draft: Draft,
    partition: (u16, u16),
}

pub(crate) struct Generator {
    pub dice: Dice,
    scope: Scope,
    horizon: i64,
    /// All records are lines of files.
    files: bool,
    /// Event times are on a coarse grid, so that ties and round deviations are frequent.
    grid: i64,
    /// One of [`FOREIGN`].
    foreign: &'static [&'static str],
    /// Typical step of the clock.
    step: i64,
    customers: usize,
    now: i64,
    live: Vec<Live>,
    events: Vec<RawEvent>,
    partitions: BTreeMap<(u16, u16), Partition>,
}

#[derive(Clone, Copy, Default)]
struct Partition {
    next_offset: u64,
    skew: i64,
}

/// Starts of cases: an ordinary day, and hours in which a zone changes its offset.
const STARTS: [i64; 3] = [1_769_922_000 * SECOND, 1_793_512_800 * SECOND, 1_775_314_800 * SECOND];
const ZONES: [chrono_tz::Tz; 4] = [
    chrono_tz::America::Sao_Paulo,
    chrono_tz::America::New_York,
    chrono_tz::Australia::Lord_Howe,
    chrono_tz::Asia::Kolkata,
];

/// Currencies in which some pay, beside the default one.
const FOREIGN: [&[&str]; 3] = [&[], &["USD"], &["USD", "JPY", "AUD"]];

/// The case of a seed.
pub(crate) fn case(seed: u64, scope: Scope) -> Case {
    of_customers(seed, scope, 4)
}

/// The case of a seed with one customer, who has many transactions within the horizon.
pub(crate) fn hot_case(seed: u64, scope: Scope) -> Case {
    of_customers(seed, scope, 1)
}

fn of_customers(seed: u64, scope: Scope, customers: usize) -> Case {
    let hot = customers == 1;
    let mut dice = Dice::new(seed);
    let horizons = [5 * SECOND, MINUTE, 10 * MINUTE, HOUR, HOUR, 3 * HOUR];
    let horizon = *dice.pick(if hot { &horizons[3..] } else { &horizons });
    let retention = *dice.pick(&[horizon, horizon, 2 * horizon, horizon.max(HOUR)]);
    let zone = *dice.pick(&ZONES);
    let rules = if dice.chance(40) { RuleSet::default() } else { random_rules(&mut dice) };
    let partitions = transaction_partitions(&mut dice);
    let files = dice.chance(15);
    let mut generator = Generator {
        scope,
        horizon,
        files,
        grid: dice.weighted(&[(60, 1), (20, MINUTE), (20, 10 * MINUTE)]),
        step: if hot {
            horizon / 500
        } else {
            *dice.pick(&[SECOND, horizon / 100, horizon / 30, horizon / 8])
        },
        customers,
        foreign: FOREIGN[dice.below(FOREIGN.len())],
        now: *dice.pick(&STARTS) + dice.between(0, DAY),
        live: Vec::new(),
        events: Vec::new(),
        partitions,
        dice,
    };
    // Now and then enough for epochs of many containers.
    let size = if hot { 1200 } else { generator.dice.weighted(&[(98, 160), (2, 1200)]) };
    for _ in 0..generator.dice.between(if hot { 300 } else { 10 }, size) {
        generator.next();
    }
    let mut case = Case {
        seed,
        horizon,
        retention,
        correction_retention: *generator.dice.pick(&[horizon + retention, DAY, 120 * DAY]),
        zone,
        rules,
        events: generator.events,
        rules_versions: Vec::new(),
        partition_times: Vec::new(),
        clocks_may_be_wrong: scope.wrong_clocks && generator.dice.chance(30),
        restart: None,
        history_block: Settings::HISTORY_BLOCK,
        in_flight: 0,
    };
    // Blocks that split at few entries already, or never.
    case.history_block = *generator.dice.pick(&[2, 3, 5, Settings::HISTORY_BLOCK]);
    cut::cut(&mut case, &mut generator.dice);
    if scope.controls {
        cut::change_rules(&mut case, &mut generator.dice);
    }
    case
}

fn transaction_partitions(dice: &mut Dice) -> BTreeMap<(u16, u16), Partition> {
    let mut partitions = BTreeMap::new();
    let skewed = dice.chance(30);
    for (topic, count) in [(0, dice.between(1, 3)), (5, dice.between(0, 1))] {
        for number in 0..count {
            let skew = if skewed { dice.between(-3, 3) * SECOND } else { 0 };
            let next_offset = dice.between(0, 5) as u64;
            partitions.insert((topic, number as u16), Partition { next_offset, skew });
        }
    }
    partitions
}

impl Generator {
    fn next(&mut self) {
        self.pass_time();
        let controls = if self.scope.controls { 6 } else { 0 };
        let breakers = if self.scope.rule_breakers { 4 } else { 0 };
        match self.dice.weighted(&[
            (50, 0),
            (16, 1),
            (6, 2),
            (3, 3),
            (3, 4),
            (2, 5),
            (3, 6),
            (4, 7),
            (controls, 8),
            (2, 9),
            (breakers, 10),
        ]) {
            0 => self.fresh(false),
            1 => self.correction(),
            2 => self.copy(0),
            3 => self.copy(-1),
            4 => self.fresh(true),
            5 => self.reuse(),
            6 => self.flawed(true),
            7 => self.flawed(false),
            8 => self.list_change(),
            9 => self.entity(),
            _ => self.break_rule(),
        }
    }

    fn pass_time(&mut self) {
        let leaps = if self.customers == 1 { 0 } else { 1 };
        let steps = [(30, 0), (50, 1), (12 * leaps, 2), (4 * leaps, 3), (leaps, 4), (leaps, 5)];
        let step = match self.dice.weighted(&steps) {
            0 => 0,
            1 => self.dice.between(0, self.step),
            2 => self.dice.between(0, self.horizon / 8),
            3 => self.dice.between(self.horizon / 2, 3 * self.horizon),
            4 => self.dice.between(0, DAY),
            _ => self.dice.between(0, 5 * DAY),
        };
        self.now += step;
    }

    fn fresh(&mut self, voided: bool) {
        let customer = self.dice.below(self.customers);
        let partition = self.partition_of(customer);
        let length = *self.dice.pick(&[4, 4, 30]);
        let id = format!("t-{:0length$x}", self.dice.between(0, 0xffff));
        if self.live.iter().any(|live| live.draft.id == id) {
            return;
        }
        let draft = Draft {
            id,
            customer: format!("c-{customer}"),
            store: format!("s-{}", self.dice.below(3)),
            product: self.dice.chance(60).then(|| format!("p-{}", self.dice.below(3))),
            payment_method: self.dice.chance(60).then(|| (*self.dice.pick(&["pix", ""])).to_owned()),
            cents: self.cents(),
            currency: self.currency(),
            place: if self.dice.chance(60) { Some(*self.dice.pick(&PLACES)) } else { None },
            event_time: self.event_time(partition),
            schema_version: if self.dice.chance(3) { 2 } else { 1 },
            revision: if self.dice.chance(10) { 2 } else { 0 },
            voided,
        };
        self.live.push(Live { draft: draft.clone(), partition });
        self.send(&draft, partition);
    }

    fn partition_of(&self, customer: usize) -> (u16, u16) {
        let all = self.transaction_partitions();
        all[customer % all.len()]
    }

    fn transaction_partitions(&self) -> Vec<(u16, u16)> {
        self.partitions.keys().copied().filter(|(topic, _)| matches!(topic, 0 | 5)).collect()
    }

    fn cents(&mut self) -> i64 {
        let usual = [10_000, 10_000, 10_000, 5_000, 15_000, 30_000, 30_001, 35_000, 38_500, 50_000, 1, 3_333];
        match self.dice.weighted(&[(85, 0), (14, 1), (1, 2)]) {
            0 => *self.dice.pick(&usual),
            1 => self.dice.between(1, 100_000),
            _ => 99_999_999_999_900,
        }
    }

    /// Rarely written where all pay in one currency, which is the default or not.
    fn currency(&mut self) -> Option<&'static str> {
        let written = self.dice.chance(if self.foreign.is_empty() { 15 } else { 60 });
        let foreign = !self.foreign.is_empty() && self.dice.chance(50);
        written.then(|| if foreign { *self.dice.pick(self.foreign) } else { "BRL" })
    }

    /// The record time that the partition's next record would have.
    fn record_time(&self, partition: (u16, u16)) -> i64 {
        self.now + self.partitions.get(&partition).map_or(0, |partition| partition.skew)
    }

    fn event_time(&mut self, partition: (u16, u16)) -> i64 {
        let at = self.record_time(partition);
        let time =
            match self.dice.weighted(&[(45, 0), (15, 1), (15, 2), (3, 3), (3, 4), (3, 5), (12, 6), (4, 7)]) {
                0 => at,
                1 => at - self.dice.between(0, MINUTE.min(self.horizon)),
                2 => at - self.dice.between(0, self.horizon),
                3 => return at - self.horizon,
                4 => return at - self.horizon - self.dice.between(1, self.horizon),
                5 => return at + *self.dice.pick(&[SECOND, 5 * MINUTE, 5 * MINUTE + 1]),
                6 if !self.live.is_empty() => {
                    let recent = self.live.len() - 1 - self.dice.below(self.live.len().min(8));
                    return self.live[recent].draft.event_time;
                }
                _ => at - *self.dice.pick(&[MINUTE, MINUTE + 1, 10 * MINUTE, HOUR]),
            };
        time - time.rem_euclid(self.grid)
    }

    /// A transaction that was sent before, rather a recent one.
    fn pick_live(&mut self) -> Option<Live> {
        if self.live.is_empty() {
            return None;
        }
        let reach = if self.dice.chance(80) { self.live.len().min(10) } else { self.live.len() };
        let index = self.live.len() - 1 - self.dice.below(reach);
        Some(self.live[index].clone())
    }

    fn keep(&mut self, draft: &Draft, partition: (u16, u16)) {
        self.live.retain(|live| live.draft.id != draft.id);
        self.live.push(Live { draft: draft.clone(), partition });
    }

    fn correction(&mut self) {
        let Some(Live { mut draft, partition }) = self.pick_live() else { return self.fresh(false) };
        draft.revision += self.dice.between(1, 2) as u32;
        self.vary(&mut draft, partition);
        self.keep(&draft, partition);
        self.send(&draft, partition);
    }

    fn vary(&mut self, draft: &mut Draft, partition: (u16, u16)) {
        if self.dice.chance(40) {
            draft.cents = self.cents();
        }
        if self.dice.chance(35) {
            draft.event_time = self.event_time(partition);
        }
        if self.dice.chance(25) {
            draft.place = if self.dice.chance(60) { Some(*self.dice.pick(&PLACES)) } else { None };
        }
        if self.dice.chance(15) {
            draft.currency = self.currency();
        }
        if self.dice.chance(25) {
            draft.store = format!("s-{}", self.dice.below(3));
        }
        draft.voided = self.dice.chance(30);
    }

    /// The same revision again or, with a negative `step`, a lower one, perhaps with other content.
    fn copy(&mut self, step: i32) {
        let Some(Live { mut draft, partition }) = self.pick_live() else { return };
        draft.revision = draft.revision.saturating_add_signed(step);
        if self.dice.chance(30) {
            self.vary(&mut draft, partition);
        }
        self.send(&draft, partition);
    }

    /// An id that was used before names a new transaction, as far as it is forgotten.
    fn reuse(&mut self) {
        let Some(Live { mut draft, partition }) = self.pick_live() else { return };
        if self.dice.chance(50) {
            self.now += self.dice.between(self.horizon, 4 * self.horizon + HOUR);
        }
        draft.event_time = self.event_time(partition);
        draft.revision = self.dice.between(0, 1) as u32;
        self.keep(&draft, partition);
        self.send(&draft, partition);
    }

    fn break_rule(&mut self) {
        let Some(Live { mut draft, partition }) = self.pick_live() else { return };
        let all = self.transaction_partitions();
        let other = if self.dice.chance(70) { *self.dice.pick(&all) } else { partition };
        if self.dice.chance(50) {
            draft.customer = format!("c-{}", self.dice.below(self.customers));
        }
        draft.revision += self.dice.between(0, 1) as u32;
        if self.dice.chance(40) {
            self.vary(&mut draft, other);
        }
        self.send(&draft, other);
    }

    fn flawed(&mut self, malformed: bool) {
        let Some(Live { draft, partition }) = self.pick_live() else { return };
        let payload = if malformed {
            payload::write_malformed(&draft, &mut self.dice)
        } else {
            Some(payload::write_invalid(&draft, &mut self.dice))
        };
        self.push(partition, Some(draft.customer.into_bytes()), payload);
    }

    fn send(&mut self, draft: &Draft, partition: (u16, u16)) {
        let payload = payload::write(draft, &mut self.dice);
        self.push(partition, Some(draft.customer.clone().into_bytes()), Some(payload));
    }

    fn push(&mut self, (topic, partition): (u16, u16), key: Option<Vec<u8>>, payload: Option<Vec<u8>>) {
        let appended_at = (!self.files).then(|| self.record_time((topic, partition)));
        let gap = u64::from(self.dice.chance(3));
        let state = self.partitions.entry((topic, partition)).or_default();
        let offset = state.next_offset + gap;
        state.next_offset = offset + 1;
        let final_before = None;
        self.events.push(RawEvent {
            final_before,
            topic,
            partition,
            offset,
            epoch: 0,
            appended_at,
            key,
            payload,
        });
    }
}
