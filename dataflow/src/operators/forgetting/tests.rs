//! Random contributions and times: every reader of a forgetting arrangement agrees with plain sums.

use super::{Closes, Forgetting};
use crate::operators::state_size::{LOG, StateSize, StateSizeBuilder};
use crate::operators::sums::Key;
use crate::operators::watermark::PartitionTime;
use differential_dataflow::VecCollection;
use differential_dataflow::input::InputSession;
use differential_dataflow::trace::ExertionLogic;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use streamflow_model::PartitionId;
use timely::communication::Allocator;
use timely::communication::allocator::thread::Thread;
use timely::dataflow::operators::{Input, Inspect, Probe};
use timely::dataflow::{ProbeHandle, StreamVec};
use timely::worker::Worker;

const BUCKET: i64 = 10;
const HORIZON: i64 = 25;
const SHOPS: u8 = 3;

/// A shop's bucket of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Sold {
    start: i64,
    shop: u8,
}

impl Key for Sold {
    fn closes_at(&self) -> Option<i64> {
        Some(self.start + BUCKET)
    }
}

impl Closes for (u8, i64) {
    fn closes_at(&self) -> Option<i64> {
        Some(self.1 + BUCKET)
    }
}

/// A contribution at an epoch.
#[derive(Clone, Copy, Debug)]
struct Sale {
    key: Sold,
    amount: isize,
}

/// What happens in each epoch: sales, and then the partition's time.
type Epochs = Vec<(Vec<Sale>, i64)>;

/// Sales fall into any bucket that is still open.
fn epochs(seed: u64, length: std::ops::Range<usize>) -> Epochs {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut time = 0;
    let mut epochs = Vec::new();
    for _ in 0..random.random_range(length) {
        let open = (time - HORIZON).div_euclid(BUCKET);
        let sale = |random: &mut ChaCha8Rng| Sale {
            key: Sold {
                start: random.random_range(open..=open + 6) * BUCKET,
                shop: random.random_range(0..SHOPS),
            },
            // Often zero in sum, so that keys come and go.
            amount: random.random_range(0..3i64) as isize - 1,
        };
        let sales = (0..random.random_range(0..12)).map(|_| sale(&mut random)).collect();
        time += random.random_range(0..8);
        epochs.push((sales, time));
    }
    epochs
}

/// The plain sums at the end of each epoch, of all keys that ever were.
fn sums(epochs: &Epochs) -> Vec<BTreeMap<Sold, isize>> {
    let mut sums: BTreeMap<Sold, isize> = BTreeMap::new();
    let after = epochs.iter().map(|(sales, _)| {
        sales.iter().for_each(|sale| *sums.entry(sale.key).or_default() += sale.amount);
        sums.retain(|_, sum| *sum != 0);
        sums.clone()
    });
    after.collect()
}

type Seen<D> = Rc<RefCell<Vec<(u64, D, isize)>>>;

fn gather<D: Clone + Debug + 'static>(
    collection: VecCollection<'_, u64, D, isize>,
    probe: &ProbeHandle<u64>,
) -> Seen<D> {
    let seen = Seen::default();
    let into = seen.clone();
    let inspected =
        collection.inspect(move |(datum, time, diff)| into.borrow_mut().push((*time, datum.clone(), *diff)));
    inspected.inner.probe_with(probe);
    seen
}

/// The collection before the end of each epoch.
fn at_each_epoch<D: Ord + Clone>(seen: &Seen<D>, epochs: usize) -> Vec<BTreeMap<D, isize>> {
    let after = |epoch: u64| {
        let mut collection: BTreeMap<D, isize> = BTreeMap::new();
        for (_, datum, diff) in seen.borrow().iter().filter(|(time, _, _)| *time <= epoch) {
            *collection.entry(datum.clone()).or_default() += diff;
        }
        collection.retain(|_, count| *count != 0);
        collection
    };
    (0..epochs as u64).map(after).collect()
}

/// The new sum of a key in an epoch.
type Upserted = (u64, Sold, Option<isize>);

struct Outputs {
    upserts: Rc<RefCell<Vec<Upserted>>>,
    counted: Seen<(Sold, isize)>,
    distinct: Seen<Sold>,
    positive: Seen<(Sold, isize)>,
    named: Seen<(Sold, char)>,
    /// The number of records that `totals` reports, after each of its epochs.
    held: Rc<RefCell<Vec<u64>>>,
}

/// Runs the readers over the epochs, one step of the worker at a time, and merges at every chance.
fn run(worker: &mut Worker, epochs: &Epochs) -> Outputs {
    let held: Rc<RefCell<Vec<u64>>> = Rc::default();
    let log = held.clone();
    if let Some(mut register) = worker.log_register() {
        register.insert::<StateSizeBuilder, _>(LOG, move |_, events| {
            let records = events
                .iter()
                .flat_map(|events| events.iter())
                .map(|(_, event): &(_, StateSize)| event.records);
            log.borrow_mut().extend(records);
        });
    }
    let probe = ProbeHandle::new();
    let mut sales = InputSession::<u64, Sold, isize>::new();
    let mut names = InputSession::<u64, (u8, char), isize>::new();
    let (mut times, outputs) = worker.dataflow(|scope| {
        let (times, times_in): (_, StreamVec<'_, u64, PartitionTime>) = scope.new_input();
        let forgetting = Forgetting::new(0);
        let sold = sales.to_collection(scope);
        let by_key = || sold.clone().map(|key| (key, ()));
        let upserts = Rc::new(RefCell::new(Vec::new()));
        let into = upserts.clone();
        let totals = forgetting.arrange_by_self("sales", sold.clone()).totals("sales", |upsert| upsert);
        let totals = totals.inspect_core(move |event| {
            if let Ok((stamp, rows)) = event
                && let Some(time) = stamp.least()
            {
                into.borrow_mut().extend(rows.iter().map(|(key, sum)| (*time, *key, *sum)));
            }
        });
        totals.probe_with(&probe);
        let counted = gather(forgetting.arrange("counted", by_key()).count_total(), &probe);
        let distinct = gather(forgetting.arrange("distinct", by_key()).distinct_total(), &probe);
        let reduced = forgetting.arrange("reduced", by_key()).reduce("positive", |_, values, output| {
            let sum: isize = values.iter().map(|(_, diff)| *diff).sum();
            if sum > 0 {
                output.push(((), sum));
            }
        });
        let positive = gather(reduced.count_total(), &probe);
        let by_shop = sold.map(|key| (key.shop, key.start));
        let names = names.to_collection(scope).arrange_by_key();
        let joined = forgetting
            .arrange("by shop", by_shop)
            .join(names, |shop, start, name| [(Sold { start: *start, shop: *shop }, *name)]);
        let named = gather(joined, &probe);
        forgetting.settle(HORIZON, times_in);
        (times, Outputs { upserts, counted, distinct, positive, named, held })
    });
    (0..SHOPS).for_each(|shop| names.insert((shop, char::from(b'a' + shop))));
    for (epoch, (contributions, time)) in (0..).zip(epochs) {
        contributions.iter().for_each(|sale| sales.update(sale.key, sale.amount));
        times.send(PartitionTime { partition: PartitionId::FIRST, time: *time });
        sales.advance_to(epoch + 1);
        names.advance_to(epoch + 1);
        times.advance_to(epoch + 1);
        sales.flush();
        names.flush();
        if epoch % 3 == 0 {
            while probe.less_than(&(epoch + 1)) {
                worker.step();
            }
        }
    }
    sales.close();
    names.close();
    drop(times);
    while worker.step() {}
    outputs
}

/// Runs on a worker that merges at every chance.
fn run_alone(epochs: &Epochs) -> Outputs {
    let mut config = timely::WorkerConfig::default();
    let always: ExertionLogic = Arc::new(|_| Some(1_000_000));
    config.set("differential/default_exert_logic".to_owned(), always);
    let mut worker = Worker::new(config, Allocator::Thread(Thread::default()), Some(Instant::now()));
    run(&mut worker, epochs)
}

fn check(seed: u64) {
    let epochs = epochs(seed, 20..120);
    let outputs = run_alone(&epochs);
    let sums = sums(&epochs);
    let mut rows: BTreeMap<Sold, isize> = BTreeMap::new();
    for (epoch, sums) in (0..).zip(&sums) {
        let upserts = outputs.upserts.borrow();
        let of_epoch: Vec<_> = upserts.iter().filter(|(time, _, _)| *time == epoch).collect();
        let keys: BTreeSet<_> = of_epoch.iter().map(|(_, key, _)| key).collect();
        assert_eq!(keys.len(), of_epoch.len(), "seed {seed}, epoch {epoch}: one upsert a key");
        for (_, key, sum) in of_epoch {
            match sum {
                Some(sum) => rows.insert(*key, *sum),
                None => rows.remove(key),
            };
        }
        assert_eq!(rows, *sums, "seed {seed}, epoch {epoch}: totals");
    }
    let counted = at_each_epoch(&outputs.counted, epochs.len());
    let distinct = at_each_epoch(&outputs.distinct, epochs.len());
    let positive = at_each_epoch(&outputs.positive, epochs.len());
    let named = at_each_epoch(&outputs.named, epochs.len());
    let once = |sums: &BTreeMap<Sold, isize>| {
        sums.iter().map(|row| ((*row.0, *row.1), 1)).collect::<BTreeMap<_, _>>()
    };
    let name = |key: Sold| char::from(b'a' + key.shop);
    for (epoch, sums) in sums.iter().enumerate() {
        let case = format!("seed {seed}, epoch {epoch}");
        assert_eq!(counted[epoch], once(sums), "{case}: count_total");
        let present: BTreeMap<_, _> = sums.keys().map(|key| (*key, 1)).collect();
        assert_eq!(distinct[epoch], present, "{case}: distinct_total");
        let above_zero = sums.iter().filter(|(_, sum)| **sum > 0).map(|(key, sum)| (*key, *sum)).collect();
        assert_eq!(positive[epoch], once(&above_zero), "{case}: reduce");
        let with_names: BTreeMap<_, _> = sums.iter().map(|(key, sum)| ((*key, name(*key)), *sum)).collect();
        assert_eq!(named[epoch], with_names, "{case}: join");
    }
}

#[test]
fn every_reader_says_what_plain_sums_say() {
    (0..60).for_each(check);
}

#[test]
fn closed_keys_leave_the_trace() {
    let epochs = epochs(7, 2000..2001);
    let keys: BTreeSet<_> = epochs.iter().flat_map(|(sales, _)| sales).map(|sale| sale.key).collect();
    let outputs = run_alone(&epochs);
    let most = outputs.held.borrow().iter().copied().max().unwrap();
    assert!(keys.len() > 1000 && most < 200, "{} keys, at most {most} updates held", keys.len());
}

#[test]
fn what_is_restored_is_there_and_is_not_emitted() {
    let mut worker =
        Worker::new(Default::default(), Allocator::Thread(Thread::default()), Some(Instant::now()));
    let upserts = Rc::new(RefCell::new(Vec::new()));
    let into = upserts.clone();
    let mut sales = InputSession::<u64, Sold, isize>::new();
    worker.dataflow(|scope| {
        let sold = sales.to_collection(scope).map(|key| (key, ()));
        let totals = Forgetting::new(1).arrange("sales", sold).totals("sales", |upsert| upsert);
        totals.inspect(move |row| into.borrow_mut().push(*row));
    });
    let key = |shop| Sold { start: 0, shop };
    sales.update(key(1), 5);
    sales.update(key(2), 7);
    sales.advance_to(10);
    sales.update(key(1), 1);
    sales.close();
    while worker.step() {}
    assert_eq!(*upserts.borrow(), [(key(1), Some(6))]);
}
