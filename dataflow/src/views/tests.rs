use super::agg_daily_fraud::{DailyFraud, Day};
use super::agg_hourly_sales::StoreHour;
use super::payment_performance::{MethodDay, UNKNOWN};
use super::realtime_metrics::Minute;
use super::realtime_store_metrics::StoreMinute;
use super::rule_performance::{Hits, RuleDay};
use super::store_performance::StoreDay;
use super::*;
use crate::operators::watermark::PartitionTime;
use crate::roster::OfMember;
use crate::rules::{Rules, SetName};
use crate::score::{Amended, Scored, ShownHit, ShownVerdict};
use crate::settings::Settings;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use streamflow_model::timestamp::{DAY, HOUR, MINUTE};
use streamflow_model::{Calendar, Cents, Currency, Id, PartitionId, Score, Source, Transaction};
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::generic::operator::empty;
use timely::dataflow::operators::{Input, Inspect, Probe};

/// A local midnight in Sao Paulo: 2026-02-02T03:00Z.
const START: i64 = 1_770_001_200_000_000;

/// A current transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sale {
    id: u32,
    customer: u32,
    store: u8,
    time: i64,
    cents: i64,
    alert: bool,
}

impl Sale {
    fn store(&self) -> Id {
        format!("s-{}", self.store).into()
    }

    fn minute_start(&self) -> i64 {
        self.time - self.time.rem_euclid(MINUTE)
    }

    fn scored(&self, first_in_minute: bool) -> OfMember<Scored> {
        let score = if self.alert { Score::ratio(8, 10) } else { Score::ZERO };
        let hit = ShownHit { rule: Rules::IDS[1], score };
        let hits = if self.alert { vec![hit] } else { Vec::new() };
        let transaction = Transaction {
            id: format!("t-{}", self.id).into(),
            customer: format!("c-{}", self.customer).into(),
            store: self.store(),
            product: None,
            payment_method: None,
            amount: Cents(self.cents),
            currency: Currency::BRL,
            place: None,
            event_time: self.time,
            revision: 0,
            voided: false,
            source: Source::new(PartitionId::FIRST, 0),
        };
        let verdict = ShownVerdict { score, alert: self.alert, hits, shadows: Vec::new() };
        let transaction = Arc::new(transaction);
        OfMember {
            slot: self.customer,
            value: Scored { transaction, verdict, first_in_minute, alert_changes: 0 },
        }
    }
}

type Differences<T> = Vec<(OfMember<T>, isize)>;

/// What comes in an epoch, and what must be there at its end.
#[derive(Clone, Default)]
struct Epoch {
    scored: Differences<Scored>,
    amended: Differences<Amended>,
    /// The partition time.
    time: i64,
    current: Vec<Sale>,
    /// The instant before which everything was final in earlier epochs.
    settled: i64,
}

/// Current transactions, as history keeps them.
struct World {
    horizon: i64,
    calendar: Calendar,
    /// What the graph was told of those that are not final.
    told: BTreeMap<Sale, bool>,
    current: BTreeSet<Sale>,
    epoch: Epoch,
    epochs: Vec<Epoch>,
}

impl World {
    fn new(settings: &Settings) -> Self {
        Self {
            horizon: settings.correction_horizon,
            calendar: Calendar::new(settings.time_zone),
            told: BTreeMap::new(),
            current: BTreeSet::new(),
            epoch: Epoch { settled: i64::MIN, ..Epoch::default() },
            epochs: Vec::new(),
        }
    }

    fn is_final(&self, sale: &Sale) -> bool {
        sale.time < self.epoch.settled
    }

    /// The final transactions of a customer other than this one.
    fn other_final<'a>(&'a self, sale: &'a Sale) -> impl Iterator<Item = &'a Sale> {
        let is_other = |other: &&Sale| other.customer == sale.customer && other.id != sale.id;
        self.current.iter().filter(is_other).filter(|other| self.is_final(other))
    }

    fn amended(&mut self, sale: &Sale, diff: isize) {
        let hour = |sale: &Sale| (self.calendar.hour_start(sale.time), sale.store);
        let only_in_minute = self.other_final(sale).all(|other| other.minute_start() != sale.minute_start());
        let sole_in_hour = self.other_final(sale).all(|other| hour(other) != hour(sale));
        let OfMember { slot, value: scored } = sale.scored(only_in_minute);
        self.epoch
            .amended
            .push((OfMember { slot, value: Amended { scored, hits: Vec::new(), sole_in_hour } }, diff));
    }

    /// Replaces a final transaction.
    fn amend(&mut self, old: &Sale, new: Option<Sale>) {
        assert!(self.is_final(old));
        self.amended(old, -1);
        self.current.remove(old);
        if let Some(new) = new {
            assert!(self.is_final(&new));
            self.amended(&new, 1);
            self.current.insert(new);
        }
    }

    /// Ends an epoch, at a partition time.
    fn end(&mut self, time: i64) {
        let is_first = |sale: &Sale| {
            let earlier = |other: &&Sale| (other.time, other.id) < (sale.time, sale.id);
            let mut before = self.current.iter().filter(earlier);
            before.all(|other| (other.customer, other.minute_start()) != (sale.customer, sale.minute_start()))
        };
        let open = self.current.iter().filter(|sale| !self.is_final(sale));
        let open: BTreeMap<Sale, bool> = open.map(|sale| (sale.clone(), is_first(sale))).collect();
        let settled = self.epoch.settled;
        let told = std::mem::replace(&mut self.told, open.clone()).into_iter();
        let told: BTreeMap<Sale, bool> = told.filter(|(sale, _)| sale.time >= settled).collect();
        let lost = told.iter().filter(|(sale, first)| open.get(*sale) != Some(*first));
        let gained = open.iter().filter(|(sale, first)| told.get(*sale) != Some(*first));
        let scored = |diff| move |(sale, first): (&Sale, &bool)| (sale.scored(*first), diff);
        self.epoch.scored = lost.map(scored(-1)).chain(gained.map(scored(1))).collect();
        self.epoch.time = time;
        self.epoch.current = self.current.iter().cloned().collect();
        let settled = settled.max(time - self.horizon);
        self.epochs.push(std::mem::replace(&mut self.epoch, Epoch { settled, ..Epoch::default() }));
    }
}

/// Random transactions of a week, corrected and voided in any order, in buckets open and closed.
fn random_epochs(settings: &Settings, seed: u64) -> Vec<Epoch> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut world = World::new(settings);
    let (mut time, mut id) = (START + settings.correction_horizon, 0);
    let sale = |random: &mut ChaCha8Rng, id, times: std::ops::Range<i64>| Sale {
        id,
        customer: random.random_range(0..3),
        store: random.random_range(0..2),
        // Few minutes, so that customers meet again in them.
        time: (times.start
            + random.random_range(0..=(times.end - times.start) / (10 * MINUTE)) * 10 * MINUTE
            + random.random_range(0..20_000_000))
        .min(times.end - 1),
        cents: random.random_range(1..1000),
        alert: random.random_range(0..3) == 0,
    };
    for _ in 0..random.random_range(20..60) {
        let settled = world.epoch.settled.max(START);
        for _ in 0..random.random_range(0..5) {
            id += 1;
            let new = sale(&mut random, id, settled..time.max(settled + MINUTE));
            world.current.insert(new);
        }
        for _ in 0..random.random_range(0..4) {
            let known = world.current.iter().filter(|sale| world.is_final(sale));
            let known: Vec<Sale> = known.cloned().collect();
            let Some(old) = known.get(random.random_range(0..=known.len())) else { continue };
            let new = sale(&mut random, old.id, START..settled);
            let new = Sale { customer: old.customer, ..new };
            let near = Sale { cents: new.cents, alert: new.alert, ..old.clone() };
            let new = [None, Some(near), Some(new)][random.random_range(0..3)].clone();
            world.amend(old, new);
        }
        time += random.random_range(0..5) * random.random_range(0..4 * HOUR);
        world.end(time);
    }
    world.end(time + 30 * DAY);
    world.epochs
}

/// The rows of current transactions, each view by itself.
fn recompute(settings: &Settings, current: &[Sale]) -> Views<Rows> {
    let calendar = Calendar::new(settings.time_zone);
    let mut rows = Views::<Rows>::default();
    let mut customers = BTreeSet::new();
    for sale in current {
        let (day, minute_start, alerts) =
            (calendar.day(sale.time), sale.minute_start(), i64::from(sale.alert));
        let (store, currency) = (sale.store(), Currency::BRL);
        let hour = StoreHour { hour_start: calendar.hour_start(sale.time), store: store.clone(), currency };
        let add = |sum: &mut Sales| {
            sum.transactions += 1;
            sum.cents += i128::from(sale.cents);
            sum.alerts += alerts;
        };
        let in_hour = customers.insert((Some(hour.clone()), 0, sale.customer));
        let in_minute = customers.insert((None, minute_start, sale.customer));
        let hourly = rows.agg_hourly_sales.entry(hour).or_default();
        add(&mut hourly.sales);
        hourly.customers += i64::from(in_hour);
        let minute = rows.realtime_metrics.entry(Minute { start: minute_start, currency }).or_default();
        add(&mut minute.sales);
        minute.customers += i64::from(in_minute);
        let store_minute = StoreMinute { minute_start, store: store.clone(), currency };
        add(rows.realtime_store_metrics.entry(store_minute).or_default());
        add(rows.store_performance.entry(StoreDay { day, store, currency }).or_default());
        let method = MethodDay { day, method: UNKNOWN.into(), currency };
        add(rows.payment_performance.entry(method).or_default());
        let daily = rows.agg_daily_fraud.entry(Day(day)).or_default();
        let before = *daily;
        *daily = DailyFraud {
            transactions: before.transactions + 1,
            alerts: before.alerts + alerts,
            score_thousandths: before.score_thousandths + 800 * alerts,
        };
        if sale.alert {
            let rule = rows
                .rule_performance
                .entry(RuleDay { day, set: SetName::Live, rule: Rules::IDS[1] })
                .or_default();
            let Hits { hits, score_thousandths, .. } = *rule;
            let hits = hits + 1;
            *rule = Hits { hits, alerts: hits, alone: hits, score_thousandths: score_thousandths + 800 };
        }
    }
    rows
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Row(ViewRow),
    Difference(ViewRow),
}

type Collected = Arc<Mutex<Vec<(u64, Change)>>>;

fn collect<'s>(
    rows: StreamVec<'s, u64, ViewRow>,
    change: fn(ViewRow) -> Change,
    into: Collected,
) -> StreamVec<'s, u64, ViewRow> {
    rows.inspect_core(move |event| {
        if let Ok((stamp, rows)) = event
            && let Some(epoch) = stamp.least()
        {
            into.lock().unwrap().extend(rows.iter().map(|row| (*epoch, change(row.clone()))));
        }
    })
}

/// All changes of all views, by epoch. A worker has some of the customers.
fn run(settings: &Settings, epochs: &[Epoch], workers: usize) -> Vec<(u64, Change)> {
    let changes = Collected::default();
    let (into, settings, epochs) = (changes.clone(), settings.clone(), epochs.to_vec());
    let guards = timely::execute(timely::Config::process(workers), move |worker| {
        let (index, peers) = (worker.index(), worker.peers());
        let probe = ProbeHandle::new();
        let into = into.clone();
        let (mut scored, mut amended, mut times) = worker.dataflow(|scope| {
            let (scored, scored_in) = scope.new_input();
            let (amended, amended_in) = scope.new_input();
            let (times, times_in) = scope.new_input();
            let forgetting = Forgetting::new(0);
            let facts = Facts::new(
                &settings,
                i64::MIN,
                &forgetting,
                empty(scope),
                scored_in.as_collection(),
                amended_in.as_collection(),
                times_in.clone(),
            );
            let views = maintain_all(&facts, &empty(scope));
            collect(views.rows, Change::Row, into.clone()).probe_with(&probe);
            collect(views.differences, Change::Difference, into).probe_with(&probe);
            forgetting.settle(settings.correction_horizon, times_in);
            (scored, amended, times)
        });
        for (number, epoch) in (0..).zip(&epochs) {
            let own = |slot: u32| slot as usize % peers == index;
            for (one, diff) in epoch.scored.iter().filter(|(one, _)| own(one.slot)) {
                scored.send((one.clone(), number, *diff));
            }
            for (one, diff) in epoch.amended.iter().filter(|(one, _)| own(one.slot)) {
                amended.send((one.clone(), number, *diff));
            }
            times.send(PartitionTime { partition: PartitionId::FIRST, time: epoch.time });
            scored.advance_to(number + 1);
            amended.advance_to(number + 1);
            times.advance_to(number + 1);
            // Nothing is forgotten before it has been read, however far the input is ahead.
            while number % 3 == 0 && probe.less_than(&number) {
                worker.step();
            }
        }
    });
    drop(guards.unwrap());
    let mut changes = Arc::into_inner(changes).unwrap().into_inner().unwrap();
    changes.sort_by_key(|(epoch, _)| *epoch);
    changes
}

/// Whether the bucket of a row's key ends before an instant.
struct EndsBefore {
    instant: i64,
    answer: bool,
}

impl Take<Rows> for EndsBefore {
    fn take<V: View>(&mut self, _: &mut BTreeMap<V::Key, V::Sum>, (key, _): RowOf<V>) {
        self.answer = key.closes_at().is_some_and(|end| end <= self.instant);
    }
}

fn ends_before(instant: i64, row: &ViewRow) -> bool {
    let mut ends = EndsBefore { instant, answer: false };
    row.clone().take_into(&mut Views::<Rows>::default(), &mut ends);
    ends.answer
}

struct AssertEqual(String);

impl VisitBoth<Rows, Rows> for AssertEqual {
    type Error = Infallible;

    fn visit<V: View>(
        &mut self,
        rows: &BTreeMap<V::Key, V::Sum>,
        expected: &BTreeMap<V::Key, V::Sum>,
    ) -> Result<(), Infallible> {
        assert_eq!(rows, expected, "{}: {}", self.0, V::NAME);
        Ok(())
    }
}

/// Compares the rows at the end of each epoch with those of its current transactions.
fn check(settings: &Settings, epochs: &[Epoch], changes: Vec<(u64, Change)>, case: &str) {
    let mut rows = Views::<Rows>::default();
    let mut changes = changes.into_iter().peekable();
    for (number, epoch) in (0..).zip(epochs) {
        let case = format!("{case}, epoch {number}");
        let mut seen = BTreeSet::new();
        while let Some((_, change)) = changes.next_if(|(of, _)| *of == number) {
            match change {
                Change::Row(row) => {
                    assert!(!ends_before(epoch.settled, &row), "{case}: closed, {row:?}");
                    rows.put(row);
                }
                Change::Difference(row) => {
                    assert!(ends_before(epoch.settled, &row), "{case}: open, {row:?}");
                    assert!(seen.insert(format!("{} {:?}", row.view(), row.key())), "{case}: twice, {row:?}");
                    rows.add(row);
                }
            }
        }
        let expected = recompute(settings, &epoch.current);
        let Ok(()) = rows.visit_both(&expected, &mut AssertEqual(case));
    }
    assert_eq!(changes.next(), None, "{case}");
}

#[test]
fn rows_and_differences_are_what_current_transactions_add_up_to() {
    let settings = Settings::default();
    let mut amended = 0;
    for seed in 0..40 {
        let epochs = random_epochs(&settings, seed);
        amended += epochs.iter().map(|epoch| epoch.amended.len()).sum::<usize>();
        for workers in [1, 2] {
            let changes = run(&settings, &epochs, workers);
            check(&settings, &epochs, changes, &format!("seed {seed}, {workers} workers"));
        }
    }
    assert!(amended > 2000, "{amended}");
}

#[test]
fn a_bucket_is_amended_by_differences_once_it_is_closed() {
    let settings = Settings::default();
    let mut world = World::new(&settings);
    let sale = |cents| Sale { id: 1, customer: 1, store: 1, time: START + MINUTE, cents, alert: true };
    let end = |world: &mut World, settled| world.end(settled + settings.correction_horizon);
    world.current.insert(sale(1));
    end(&mut world, START + MINUTE + 1);
    // Final, in a minute that is open; then the minute, the hour and the day are closed as well.
    for (cents, settled) in
        [(2, START + 2 * MINUTE), (3, START + HOUR), (4, START + 4 * DAY), (5, i64::MAX / 2)]
    {
        world.amend(&sale(cents - 1), Some(sale(cents)));
        end(&mut world, settled);
    }
    world.amend(&sale(5), None);
    end(&mut world, i64::MAX / 2);
    let changes = run(&settings, &world.epochs, 1);
    let mut differing = vec![BTreeSet::new(); world.epochs.len()];
    for (epoch, change) in &changes {
        if let Change::Difference(row) = change {
            differing[*epoch as usize].insert(row.view());
        }
    }
    let minutes = ["realtime_metrics", "realtime_store_metrics"];
    let hours = [&minutes[..], &["agg_hourly_sales"]].concat();
    let but_sales = ["agg_daily_fraud", "rule_performance"];
    let days = [&hours[..], &["payment_performance", "store_performance"]].concat();
    let all = [&days[..], &but_sales].concat();
    // Scores and counts do not change with the amount.
    let expected = [&[][..], &[], &minutes, &hours, &days, &all];
    assert_eq!(differing, expected.map(|views| views.iter().copied().collect::<BTreeSet<_>>()));
    check(&settings, &world.epochs, changes, "example");
}
