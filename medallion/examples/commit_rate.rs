//! Events per second of single commits, on a private PostgreSQL: `commit_rate [events per commit] [commits]`.
#![allow(clippy::unwrap_used)]

use chrono_tz::America::Sao_Paulo;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres, Writer, connect, migrate};
use streamflow_dataflow::alerts::{Alert, AlertChange, Cause, ChangeKind};
use streamflow_dataflow::changes::ViewChange;
use streamflow_dataflow::detectors::high_value::HighValueEvidence;
use streamflow_dataflow::detectors::{Evidence, Hit};
use streamflow_dataflow::rules::{Rules, SetName};
use streamflow_dataflow::score::{Scored, Verdict};
use streamflow_dataflow::views::agg_daily_fraud::{DailyFraud, Day};
use streamflow_dataflow::views::agg_hourly_sales::StoreHour;
use streamflow_dataflow::views::customer_profile::{Profile, ProfileKey};
use streamflow_dataflow::views::realtime_metrics::Minute;
use streamflow_dataflow::views::realtime_store_metrics::StoreMinute;
use streamflow_dataflow::views::rule_performance::{Hits, RuleDay};
use streamflow_dataflow::views::store_performance::StoreDay;
use streamflow_dataflow::views::{CustomerSales, Sales, ViewRow};
use streamflow_medallion::{Changes, Medallion, Progress, Topics, migrations};
use streamflow_model::timestamp::{DAY, HOUR, MINUTE};
use streamflow_model::{Cents, Currency, Id, PartitionId, Place, Received, Score, Source, Transaction};

const CUSTOMERS: u32 = 300_000;
const STORES: u32 = 200;
const START: i64 = 1_790_000_000_000_000;
const ALERTS_PER_THOUSAND: u32 = 10;

struct Load {
    rng: ChaCha8Rng,
    events: u64,
    profiles: HashMap<Id, Profile>,
    totals: HashMap<Id, Sales>,
}

impl Load {
    /// The changes of `events` new transactions, 10,000 a second of event time.
    fn batch(&mut self, events: usize) -> Vec<ViewChange> {
        let mut changes = Vec::new();
        let mut customers = HashSet::new();
        let mut stores = HashSet::new();
        let mut minutes = HashSet::new();
        for _ in 0..events {
            self.events += 1;
            let (scored, verdict) = self.transaction();
            let transaction = &scored.transaction;
            let minute_start = transaction.event_time - transaction.event_time.rem_euclid(MINUTE);
            let profile = self.profiles.entry(transaction.customer.clone()).or_default();
            profile.sums.add(transaction.amount.0, 600);
            profile.last_seen = transaction.event_time;
            let total = self.totals.entry(transaction.store.clone()).or_default();
            total.transactions += 1;
            total.cents += i128::from(transaction.amount.0);
            customers.insert(transaction.customer.clone());
            stores.insert(transaction.store.clone());
            minutes.insert((minute_start, transaction.store.clone()));
            let payload = format!("{{\"transaction_id\":\"{:0>320}\"}}", transaction.id);
            changes.push(ViewChange::Received(Received {
                final_before: None,
                source: transaction.source,
                record_time: Some(transaction.event_time),
                event_time: transaction.event_time,
                schema_version: 1,
                payload: payload.into(),
            }));
            if let Some(alert) = Alert::from_verdict(&scored.transaction, &verdict) {
                let (kind, cause) = (ChangeKind::Raised, Cause::Transaction);
                changes.push(ViewChange::AlertChange(AlertChange { sequence: 1, kind, cause, alert }));
            }
            changes.push(ViewChange::Scored(scored, 1));
        }
        self.views(&mut changes, customers, stores, minutes);
        changes
    }

    fn views(
        &self,
        changes: &mut Vec<ViewChange>,
        customers: HashSet<Id>,
        stores: HashSet<Id>,
        minutes: HashSet<(i64, Id)>,
    ) {
        let day = (START / DAY) as i32;
        for customer in customers {
            let profile = self.profiles.get(&customer).copied();
            let key = ProfileKey { customer, currency: Currency::BRL };
            changes.push(ViewChange::Profile((key, profile)));
        }
        let currency = Currency::BRL;
        for store in stores {
            let total = self.totals.get(&store).copied();
            let hour_start = START - START.rem_euclid(HOUR);
            let hour = StoreHour { hour_start, store: store.clone(), currency };
            let customers = total.map(|sales| CustomerSales { sales, customers: sales.transactions });
            changes.push(ViewChange::Row(ViewRow::AggHourlySales((hour, customers))));
            let day = StoreDay { day, store, currency };
            changes.push(ViewChange::Row(ViewRow::StorePerformance((day, total))));
        }
        let starts: HashSet<i64> = minutes.iter().map(|(start, _)| *start).collect();
        for start in starts {
            let sales = Sales { transactions: 1, cents: 1, alerts: 0 };
            changes.push(ViewChange::Row(ViewRow::RealtimeMetrics((
                Minute { start, currency },
                Some(CustomerSales { sales, customers: 1 }),
            ))));
        }
        for (minute_start, store) in minutes {
            let total = self.totals.get(&store).copied();
            changes.push(ViewChange::Row(ViewRow::RealtimeStoreMetrics((
                StoreMinute { minute_start, store, currency },
                total,
            ))));
        }
        let daily = DailyFraud { transactions: 1, ..DailyFraud::default() };
        changes.push(ViewChange::Row(ViewRow::AggDailyFraud((Day(day), Some(daily)))));
        for rule in Rules::IDS {
            let row = Hits { hits: 1, ..Hits::default() };
            changes.push(ViewChange::Row(ViewRow::RulePerformance((
                RuleDay { day, set: SetName::Live, rule },
                Some(row),
            ))));
        }
    }

    fn transaction(&mut self) -> (Scored, Verdict) {
        let alert = self.rng.random_range(0..1000) < ALERTS_PER_THOUSAND;
        let seen = HighValueEvidence { amount: Cents(50_000), mean: Cents(10_000), count: 9 };
        let evidence = Evidence::HighValue(seen);
        let hits =
            if alert { vec![Hit { rule: Rules::IDS[0], score: Score::ONE, evidence }] } else { Vec::new() };
        let score = if alert { Score::ONE } else { Score::ZERO };
        let transaction = Transaction {
            id: Id::from(format!("txn-{:016x}", self.rng.random::<u64>())),
            customer: Id::from(format!("cust-{:012x}", self.rng.random_range(0..CUSTOMERS))),
            store: Id::from(format!("store-{:08x}", self.rng.random_range(0..STORES))),
            product: Some(Id::from(format!("prod-{:04}", self.rng.random_range(0..1000)))),
            payment_method: Some("credit_card".into()),
            amount: Cents(self.rng.random_range(100..100_000)),
            currency: Currency::BRL,
            place: Place::from_degrees(-23.55052, -46.63331),
            event_time: START + self.events as i64 * 100,
            revision: 0,
            voided: false,
            source: Source::new(PartitionId::new(0, (self.events % 3) as u16).unwrap(), self.events / 3),
        };
        let verdict = Verdict { score, alert, hits, ..Verdict::default() };
        let scored = Scored {
            transaction: Arc::new(transaction),
            verdict: verdict.shown(),
            first_in_minute: true,
            alert_changes: 0,
        };
        (scored, verdict)
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>().unwrap());
    let events = arguments.next().unwrap_or(10_000);
    let commits = arguments.next().unwrap_or(30);
    let server =
        PrivatePostgres::start(&PrivateOptions { durable: true, ..PrivateOptions::default() }).unwrap();
    let mut client = connect(&server.settings()).unwrap();
    migrate(&mut client, migrations()).unwrap();
    let topics = Arc::new(Topics::new(["transactions.raw"]));
    let progress = Progress::take_lease(&mut client, Sao_Paulo).unwrap();
    let mut medallion = Medallion::new(progress, Arc::clone(&topics), Sao_Paulo);
    medallion.on_connect(&mut client).unwrap();
    let rng = ChaCha8Rng::seed_from_u64(1);
    let mut load = Load { rng, events: 0, profiles: HashMap::new(), totals: HashMap::new() };
    let mut frontier = 1_790_000_000_000;
    let warm_up = 500_000 / events;
    let (mut encoding, mut writing) = (Duration::ZERO, Duration::ZERO);
    let mut commit_times = Vec::new();
    for round in 0..warm_up + commits {
        let batch = load.batch(events);
        let started = Instant::now();
        let mut changes = Changes::new(Arc::clone(&topics));
        batch.into_iter().for_each(|change| changes.push(frontier, change));
        frontier += 1;
        let pushed = Instant::now();
        let mut transaction = client.transaction().unwrap();
        medallion.write(&mut transaction, frontier, &changes).unwrap();
        transaction.commit().unwrap();
        medallion.committed();
        if round >= warm_up {
            encoding += pushed - started;
            writing += pushed.elapsed();
            commit_times.push(pushed.elapsed());
        }
    }
    commit_times.sort();
    let total = (events * commits) as f64;
    println!(
        "{events} events a commit: {:.1} k/s written ({:.1} us an event), {:.2} us an event to push; commit p50 {:?}, max {:?}",
        total / writing.as_secs_f64() / 1e3,
        writing.as_secs_f64() * 1e6 / total,
        encoding.as_secs_f64() * 1e6 / total,
        commit_times[commits / 2],
        commit_times[commits - 1],
    );
}
