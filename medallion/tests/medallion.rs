//! The tables hold what was pushed, whatever is in it, and only the holder of the lease writes them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod world;

use chrono_tz::America::Sao_Paulo;
use chrono_tz::Tz;
use postgres::Client;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use streamflow_connectors::postgres::{
    Batch, Committer, CommitterOptions, PostgresError, PrivateOptions, PrivatePostgres, Writer, connect,
    migrate,
};
use streamflow_dataflow::alerts::AlertEvidence;
use streamflow_dataflow::changes::ViewChange;
use streamflow_dataflow::detectors::velocity::VelocityEvidence;
use streamflow_dataflow::detectors::{Evidence, Hit};
use streamflow_dataflow::rules::{RuleSet, Rules, RulesChange, SetName, Version};
use streamflow_dataflow::score::Scored;
use streamflow_dataflow::views::realtime_metrics::Minute;
use streamflow_dataflow::views::{CustomerSales, Sales, ViewRow};
use streamflow_medallion::{Changes, Medallion, Progress, Topics, migrations};
use streamflow_model::{Currency, Score};
use streamflow_verification::against_silver;
use world::closing::Closing;
use world::{START, World};

/// An ingest time of the partitions' test: 2026-02-01T02:40Z.
const EPOCH: u64 = 1_769_913_600_000;

/// Now, as maintenance and the recomputation of what it removes look at the clock.
fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64
}

struct Bench {
    server: PrivatePostgres,
    client: Client,
    topics: Arc<Topics>,
}

impl Bench {
    fn start() -> Self {
        let server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
        let mut client = connect(&server.settings()).unwrap();
        migrate(&mut client, migrations()).unwrap();
        assert!(migrate(&mut client, migrations()).unwrap().is_empty());
        Self { server, client, topics: Arc::new(Topics::new(["transactions.raw", "fraud.blacklist"])) }
    }

    fn medallion(&mut self) -> Medallion {
        let progress = Progress::take_lease(&mut self.client, Sao_Paulo).unwrap();
        let mut medallion = Medallion::new(progress, Arc::clone(&self.topics), Sao_Paulo);
        medallion.on_connect(&mut self.client).unwrap();
        medallion
    }

    fn changes(&self, time: u64, changes: Vec<ViewChange>) -> Changes {
        let mut batch = Changes::new(Arc::clone(&self.topics));
        changes.into_iter().for_each(|change| batch.push(time, change));
        batch
    }

    /// Writes and rolls back or commits.
    fn write(
        &mut self,
        medallion: &mut Medallion,
        frontier: u64,
        changes: &Changes,
        commit: bool,
    ) -> Result<(), PostgresError> {
        let mut transaction = self.client.transaction().unwrap();
        let written = medallion.write(&mut transaction, frontier, changes);
        if commit && written.is_ok() {
            transaction.commit().unwrap();
            medallion.committed();
        } else {
            transaction.rollback().unwrap();
            medallion.rolled_back();
        }
        written.map(|_| ())
    }

    fn count(&mut self, sql: &str) -> i64 {
        self.client.query_one(sql, &[]).unwrap().get(0)
    }

    fn check_recomputation(&mut self) {
        for comparison in against_silver(&mut self.client).unwrap() {
            assert_eq!(comparison.differing, 0, "{comparison:#?}");
        }
    }

    fn check_transactions(&mut self, world: &World) {
        let sql = "SELECT transaction_id, customer_id, store_id, product_id, amount::text, payment_method, \
             latitude, longitude, (extract(epoch FROM transaction_at) * 1000000)::int8, fraud_score::text, \
             rules_triggered, is_fraud, voided, revision, source_topic, source_partition, source_offset \
             FROM silver.clean_transactions";
        let rows = self.client.query(sql, &[]).unwrap();
        assert_eq!(rows.len(), world.transactions.len());
        for row in rows {
            let id: &str = row.get(0);
            let Scored { transaction, verdict, .. } = &world.transactions[id];
            let text = |column: usize| row.get::<_, Option<&str>>(column);
            assert_eq!(text(1), Some(transaction.customer.as_str()));
            assert_eq!(text(2), Some(transaction.store.as_str()));
            assert_eq!(text(3), transaction.product.as_deref());
            assert_eq!(text(4), Some(transaction.amount.to_string().as_str()));
            assert_eq!(text(5), transaction.payment_method.as_deref());
            assert_eq!(row.get::<_, Option<f64>>(6), transaction.place.map(|place| place.latitude_degrees()));
            assert_eq!(
                row.get::<_, Option<f64>>(7),
                transaction.place.map(|place| place.longitude_degrees())
            );
            assert_eq!(row.get::<_, i64>(8), transaction.event_time);
            assert_eq!(text(9), Some(verdict.score.to_string().as_str()));
            let rules: Vec<_> = verdict.hits.iter().map(|hit| hit.rule.as_str()).collect();
            assert_eq!(row.get::<_, Vec<&str>>(10), rules);
            assert_eq!((row.get(11), row.get(12)), (verdict.alert, transaction.voided));
            assert_eq!(row.get::<_, i64>(13), i64::from(transaction.revision));
            assert_eq!(text(14), Some("transactions.raw"));
            assert_eq!(row.get::<_, i16>(15), transaction.source.partition().partition() as i16);
            assert_eq!(row.get::<_, i64>(16), transaction.source.offset() as i64);
        }
    }

    /// The view over what is stored with the transactions.
    fn check_shadow_alerts(&mut self, world: &World) {
        let sql = "SELECT transaction_id, rule_set, fraud_score::text, rules_triggered, rule_scores::text, is_alerted \
             FROM gold.shadow_alerts ORDER BY transaction_id, rule_set";
        let rows = self.client.query(sql, &[]).unwrap();
        let stored = rows.iter().map(|row| {
            let rules: Vec<String> = row.get(3);
            let texts: [String; 4] = [0, 1, 2, 4].map(|column| row.get(column));
            (texts, rules, row.get::<_, bool>(5))
        });
        let alerts = world.transactions.iter().flat_map(|(id, scored)| {
            scored.verdict.shadows.iter().map(move |shadow| {
                let [hit] = shadow.hits.as_slice() else { panic!("{shadow:?}") };
                let scores = format!("{{\"{}\": {}}}", hit.rule, hit.score.thousandths());
                let texts =
                    [id.to_string(), shadow.set.as_str().to_owned(), shadow.score.to_string(), scores];
                (texts, vec![hit.rule.to_string()], scored.verdict.alert)
            })
        });
        assert_eq!(stored.collect::<Vec<_>>(), alerts.collect::<Vec<_>>());
    }

    fn check_dimensions(&mut self, world: &World) {
        let rows = self.client.query("SELECT customer_id, name FROM silver.customers", &[]).unwrap();
        assert_eq!(rows.len(), world.customers.len());
        for row in rows {
            let customer = &world.customers[row.get::<_, &str>(0)];
            assert_eq!(row.get::<_, Option<String>>(1), customer.name);
        }
        let rows =
            self.client.query("SELECT store_id, city FROM gold.dim_store WHERE NOT inferred", &[]).unwrap();
        assert_eq!(rows.len(), world.stores.len());
        for row in rows {
            assert_eq!(row.get::<_, Option<String>>(1), world.stores[row.get::<_, &str>(0)].city);
        }
    }

    fn check_outbox(&mut self, world: &World) {
        let changes = self.count("SELECT count(*) FROM bronze.raw_fraud_alerts");
        assert_eq!(changes, world.alert_changes as i64);
        assert_eq!(self.count("SELECT coalesce(max(number), 0) FROM bronze.raw_fraud_alerts"), changes);
        assert_eq!(
            self.count(
                "SELECT count(*) FROM bronze.raw_fraud_alerts r WHERE payload ->> 'alert_id' <> alert_id \
                OR (payload ->> 'fraud_score')::numeric <> fraud_score OR (payload ->> 'frontier')::int8 <= \
                extract(epoch FROM detected_at) * 1000"
            ),
            0
        );
        let alerted = world.transactions.values().filter(|scored| scored.verdict.alert).count();
        assert_eq!(self.count("SELECT count(*) FROM gold.fact_fraud_alerts"), alerted as i64);
        let rows = self.client.query("SELECT * FROM bronze.dead_letters ORDER BY id", &[]).unwrap();
        assert_eq!(rows.len(), world.dead_letters.len());
        for (row, letter) in rows.iter().zip(&world.dead_letters) {
            let (payload, is_base64): (&str, bool) = (row.get("payload"), row.get("payload_is_base64"));
            let sql = if is_base64 { "SELECT decode($1, 'base64')" } else { "SELECT convert_to($1, 'UTF8')" };
            let bytes: Vec<u8> = self.client.query_one(sql, &[&payload]).unwrap().get(0);
            assert_eq!(Some(bytes.as_slice()), letter.payload.as_deref());
            assert_eq!(row.get::<_, String>("message"), letter.message.replace('\0', "\u{fffd}"));
            assert_eq!(row.get::<_, bool>("truncated"), letter.full_length > bytes.len() as u64);
        }
    }
}

#[test]
fn tables_hold_what_was_pushed() {
    let mut bench = Bench::start();
    for seed in 0..3 {
        bench.client.batch_execute("DROP SCHEMA bronze, silver, gold, streamflow CASCADE").unwrap();
        migrate(&mut bench.client, migrations()).unwrap();
        let mut world = World::new(seed);
        let mut medallion = bench.medallion();
        let mut frontier = now();
        for round in 0..40u64 {
            // Several frontiers in one transaction, as the committer merges them.
            let mut changes = bench.changes(frontier, world.step());
            for _ in 0..round % 4 {
                frontier += 7;
                let later = bench.changes(frontier, world.step());
                changes.merge(later);
            }
            frontier += 1;
            if round % 5 == 2 {
                bench.write(&mut medallion, frontier, &changes, false).unwrap();
            }
            bench.write(&mut medallion, frontier, &changes, true).unwrap();
            assert_eq!(bench.count("SELECT streamflow.frontier()"), frontier as i64);
            if round % 10 == 9 {
                bench.check_transactions(&world);
                bench.check_shadow_alerts(&world);
                bench.check_dimensions(&world);
                bench.check_outbox(&world);
                bench.check_recomputation();
                // A new writer resumes where the old one stopped.
                medallion = bench.medallion();
            }
        }
        let progress = Progress::read(&mut bench.client).unwrap();
        assert_eq!(progress.generation, 5);
        assert_eq!(progress.alert_changes, world.alert_changes as i64);
        assert!(progress.offsets["transactions.raw"][&1] > 100, "{progress:?}");
        assert!(bench.count("SELECT count(*) FROM gold.dim_customer WHERE inferred") > 0);
        assert!(
            bench.count("SELECT count(*) FROM gold.fraud_alert_history WHERE withdrawn_at IS NOT NULL") > 3
        );
        assert_eq!(
            bench.count(
                "SELECT count(*) FROM silver.quality_check_results WHERE check_name = 'duplicate_rate' \
                AND status = 'pass' AND numerator = 1 AND value = round(1.0 / denominator, 4)"
            ),
            1
        );
    }
}

#[test]
fn rows_of_closed_keys_grow_by_differences() {
    let mut bench = Bench::start();
    let (mut world, mut closing) = (World::new(11), Closing::new(11));
    let mut medallion = bench.medallion();
    let mut frontier = now();
    for round in 0..40u64 {
        // Merged with what comes before and after them.
        let mut changes = bench.changes(frontier, closing.apply(world.step()));
        for _ in 0..round % 4 {
            frontier += 7;
            changes.merge(bench.changes(frontier, closing.apply(world.step())));
        }
        frontier += 1;
        if round % 5 == 2 {
            bench.write(&mut medallion, frontier, &changes, false).unwrap();
        }
        bench.write(&mut medallion, frontier, &changes, true).unwrap();
        if round % 10 == 9 {
            bench.check_recomputation();
            medallion = bench.medallion();
        }
    }
}

#[test]
fn the_recomputation_finds_a_wrong_row_in_each_table() {
    let mut bench = Bench::start();
    let mut medallion = bench.medallion();
    let mut world = World::new(3);
    let start = now();
    for step in 0..30 {
        let changes = bench.changes(start + 2 * step, world.step());
        bench.write(&mut medallion, start + 2 * step + 1, &changes, true).unwrap();
    }
    bench.check_recomputation();
    for (sql, table) in [
        ("UPDATE silver.transactions SET store_key = 99", "gold.fact_transactions"),
        ("UPDATE gold.customer_totals SET total_amount = total_amount + 0.01", "gold.customer_profile"),
        ("DELETE FROM gold.agg_hourly_sales WHERE store_key = 1", "gold.agg_hourly_sales"),
        ("UPDATE gold.store_performance SET alert_count = alert_count + 1", "gold.store_performance"),
        ("UPDATE gold.daily_fraud_totals SET total_alerts = 1000", "gold.agg_daily_fraud"),
        ("UPDATE gold.payment_performance SET total_amount = 0", "gold.payment_performance"),
        ("UPDATE gold.rule_performance SET alerts_alone = 1000", "gold.rule_performance"),
        ("UPDATE gold.realtime_metrics SET distinct_customers = 99", "gold.realtime_metrics"),
        ("DELETE FROM gold.fact_fraud_alerts", "gold.fact_fraud_alerts"),
        ("UPDATE gold.fraud_alert_history SET causes = '{}'", "gold.fraud_alert_history"),
        ("UPDATE gold.dim_customer SET inferred = NOT inferred", "gold.dim_customer"),
        ("UPDATE gold.dim_store SET city = 'x'", "gold.dim_store"),
        ("UPDATE gold.dim_product SET price = 1", "gold.dim_product"),
        (
            "UPDATE streamflow.progress SET books = jsonb_set(books, '{transactions.raw,read}', '1')",
            "streamflow.books",
        ),
        ("DELETE FROM bronze.raw_transactions WHERE source_partition = 1", "bronze.raw_transactions"),
        ("DELETE FROM bronze.dead_letters WHERE id = 1", "bronze.dead_letters"),
    ] {
        bench.client.batch_execute(sql).unwrap();
        let comparisons = against_silver(&mut bench.client).unwrap();
        let found = comparisons.iter().find(|comparison| comparison.table == table).unwrap();
        assert!(found.differing > 0 && !found.sample.is_empty(), "{sql}: {found:?}");
    }
}

#[test]
fn an_older_generation_is_fenced() {
    let mut bench = Bench::start();
    let mut old = bench.medallion();
    let mut world = World::new(9);
    let first = bench.changes(EPOCH, world.step());
    bench.write(&mut old, EPOCH + 1, &first, true).unwrap();
    let mut new = bench.medallion();
    let second = bench.changes(EPOCH + 2, world.step());
    let error = bench.write(&mut old, EPOCH + 3, &second, true).unwrap_err();
    assert!(matches!(error, PostgresError::Fenced(_)) && !error.is_retryable(), "{error}");
    assert!(error.to_string().contains("fenced by a newer worker"), "{error}");
    assert!(matches!(old.committed_frontier(&mut bench.client), Err(PostgresError::Fenced(_))));
    assert_eq!(new.committed_frontier(&mut bench.client).unwrap(), EPOCH + 1);
    bench.write(&mut new, EPOCH + 3, &second, true).unwrap();
    bench.check_recomputation();
}

#[test]
fn a_lease_is_free_once_no_session_of_its_holder_lives() {
    let mut bench = Bench::start();
    let mut holder = bench.medallion();
    let mut sessions = [0, 1].map(|_| connect(&bench.server.settings()).unwrap());
    sessions.iter_mut().for_each(|session| holder.on_connect(session).unwrap());
    let [first, second] = sessions;
    drop(first);
    assert_eq!(Progress::take_free_lease(&mut bench.client, Sao_Paulo).unwrap(), None);
    // The lease is not touched by that.
    holder.committed_frontier(&mut bench.client).unwrap();
    drop(second);
    let begun = Instant::now();
    let progress = loop {
        if let Some(progress) = Progress::take_free_lease(&mut bench.client, Sao_Paulo).unwrap() {
            break progress;
        }
        // The server takes a moment to end a session.
        assert!(begun.elapsed() < Duration::from_secs(60), "the lease is never free");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(matches!(holder.committed_frontier(&mut bench.client), Err(PostgresError::Fenced(_))));
    progress.hold_lease(&mut bench.client).unwrap();
    let mut other = connect(&bench.server.settings()).unwrap();
    assert_eq!(Progress::take_free_lease(&mut other, Sao_Paulo).unwrap(), None);
    // Whoever may take it from its holder does.
    Progress::take_lease(&mut other, Sao_Paulo).unwrap();
}

#[test]
fn nothing_is_lost_or_doubled_when_the_server_is_killed() {
    let mut bench = Bench::start();
    let mut world = World::new(8);
    let progress = Progress::take_lease(&mut bench.client, Sao_Paulo).unwrap();
    let medallion = Medallion::new(progress, Arc::clone(&bench.topics), Sao_Paulo);
    let options = CommitterOptions { max_weight: 500, ..CommitterOptions::default() };
    let committer = Committer::start(bench.server.settings(), options, 0, medallion, |_| ()).unwrap();
    let start = now();
    for step in 0..300 {
        let changes = bench.changes(start + 2 * step, world.step());
        committer.submit(start + 2 * step + 1, changes).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        if step % 100 == 50 {
            bench.server.kill().unwrap();
            bench.server.restart().unwrap();
        }
    }
    let statistics = committer.statistics();
    assert_eq!(committer.close().unwrap(), start + 599);
    assert!(statistics.connects >= 4, "{statistics:?}");
    bench.client = connect(&bench.server.settings()).unwrap();
    bench.check_transactions(&world);
    bench.check_shadow_alerts(&world);
    bench.check_outbox(&world);
    bench.check_recomputation();
}

#[test]
fn the_zone_of_local_days_is_fixed() {
    let mut bench = Bench::start();
    bench.medallion();
    let error = Progress::take_lease(&mut bench.client, Tz::UTC).unwrap_err();
    assert!(error.to_string().contains("`America/Sao_Paulo`"), "{error}");
    assert_eq!(Progress::read(&mut bench.client).unwrap().generation, 1);
}

/// Evidence that moved after the last change of an alert is stored, also together with that change.
#[test]
fn evidence_follows_without_a_change_of_the_alert() {
    let mut bench = Bench::start();
    let mut medallion = bench.medallion();
    let mut world = World::new(5);
    let mut changes = Vec::new();
    while !world.transactions.values().any(|scored| scored.verdict.alert) {
        changes.extend(world.step());
    }
    let of_change = |change: &ViewChange| match change {
        ViewChange::AlertChange(change) => Some(change.clone()),
        _ => None,
    };
    let raised = changes.iter().rev().find_map(of_change).unwrap();
    let evidence = |count| {
        let seen = VelocityEvidence { count, window: 600_000_000 };
        ViewChange::AlertEvidence(AlertEvidence {
            transaction: raised.alert.transaction.clone(),
            sequence: raised.sequence,
            hits: vec![Hit { rule: Rules::IDS[1], score: Score::ONE, evidence: Evidence::Velocity(seen) }],
        })
    };
    changes.push(evidence(8));
    for (time, changes, count) in [(EPOCH, changes, "8"), (EPOCH + 2, vec![evidence(9)], "9")] {
        let batch = bench.changes(time, changes);
        bench.write(&mut medallion, time + 1, &batch, true).unwrap();
        let sql = "SELECT rule_details -> 'FR-002' ->> 'count' FROM gold.fact_fraud_alerts \
            WHERE transaction_id = $1";
        let stored = bench.client.query_one(sql, &[&raised.alert.transaction.as_str()]).unwrap();
        assert_eq!(stored.get::<_, &str>(0), count);
    }
}

#[test]
fn a_reused_id_replaces_the_transaction_long_past() {
    let mut bench = Bench::start();
    let mut medallion = bench.medallion();
    let mut world = World::new(4);
    let changes = loop {
        let changes = world.step();
        if changes.iter().any(|change| matches!(change, ViewChange::Scored(..))) {
            break changes;
        }
    };
    let first = bench.changes(EPOCH, changes.clone());
    bench.write(&mut medallion, EPOCH + 1, &first, true).unwrap();
    let again: Vec<_> =
        changes.into_iter().filter(|change| matches!(change, ViewChange::Scored(_, 1))).collect();
    let again = bench.changes(EPOCH + 2, again);
    let error = bench.write(&mut medallion, EPOCH + 3, &again, true).unwrap_err();
    assert!(error.is_retryable(), "{error}");
    bench.write(&mut medallion, EPOCH + 3, &again, true).unwrap();
    bench.check_transactions(&world);
    bench.check_shadow_alerts(&world);
}

#[test]
fn a_writer_needs_only_its_role() {
    let mut bench = Bench::start();
    bench.client.batch_execute("SET ROLE streamflow_writer").unwrap();
    let mut medallion = bench.medallion();
    let mut world = World::new(5);
    for step in 0..10 {
        let mut changes = world.step();
        let rules = RulesChange {
            set: SetName::Live,
            applies_from: i64::MIN,
            version: Version::configured(RuleSet::default()),
        };
        changes.push(ViewChange::RulesChange(rules));
        let changes = bench.changes(EPOCH + 2 * step, changes);
        bench.write(&mut medallion, EPOCH + 2 * step + 1, &changes, true).unwrap();
    }
    bench.check_recomputation();
    assert_eq!(bench.count("SELECT count(*) FROM gold.rule_versions WHERE applies_from = '-infinity'"), 10);
}

#[test]
fn a_row_needs_no_partition_and_a_busy_default_partition_no_wait() {
    let mut bench = Bench::start();
    let mut medallion = bench.medallion();
    let mut world = World::new(6);
    let mut reader = connect(&bench.server.settings()).unwrap();
    let mut reading = reader.transaction().unwrap();
    reading.query("SELECT count(*) FROM bronze.raw_transactions", &[]).unwrap();
    for step in 0..20 {
        let changes = bench.changes(EPOCH + 2 * step, world.step());
        bench.write(&mut medallion, EPOCH + 2 * step + 1, &changes, true).unwrap();
    }
    drop(reading);
    assert!(bench.count("SELECT count(*) FROM bronze.raw_transactions_default") > 0);
    let partitions = bench.count("SELECT bronze.create_partitions('2026-01-31', '2026-02-03')::int8");
    assert_eq!(partitions, 3, "the day that began in the default partition stays there");
    bench.check_recomputation();
}

#[test]
fn windows_leave_24_hours_behind_the_watermark() {
    let mut bench = Bench::start();
    let mut medallion = bench.medallion();
    let hour = 3_600_000_000;
    let window = |hours: i64| {
        let minute = CustomerSales { sales: Sales { transactions: 3, cents: 5, alerts: 0 }, customers: 2 };
        ViewChange::Row(ViewRow::RealtimeMetrics((minute_key(hours), Some(minute))))
    };
    let changes = vec![window(0), window(1), ViewChange::Watermark(START + hour)];
    let changes = bench.changes(EPOCH, changes);
    bench.write(&mut medallion, EPOCH + 1, &changes, true).unwrap();
    assert_eq!(bench.count("SELECT count(*) FROM gold.realtime_metrics WHERE avg_amount = 0.02"), 2);
    let changes = bench.changes(EPOCH + 2, vec![window(0), ViewChange::Watermark(START + 25 * hour)]);
    bench.write(&mut medallion, EPOCH + 3, &changes, true).unwrap();
    assert_eq!(bench.count("SELECT count(*) FROM gold.realtime_metrics"), 1);
}

/// The first minute so many hours after the start.
fn minute_key(hours: i64) -> Minute {
    Minute { start: START + hours * 3_600_000_000, currency: Currency::BRL }
}

fn minute(hours: i64, transactions: i64) -> ViewRow {
    let sales = Sales { transactions, cents: 5 * i128::from(transactions), alerts: transactions };
    let row = CustomerSales { sales, customers: 2 * transactions };
    ViewRow::RealtimeMetrics((minute_key(hours), Some(row)))
}

/// What is added to a minute's row, hours after the start.
fn minute_difference(hours: i64, transactions: i64) -> ViewChange {
    ViewChange::RowDifference(minute(hours, transactions))
}

#[test]
fn a_difference_makes_changes_and_empties_a_row() {
    let mut bench = Bench::start();
    let mut medallion = bench.medallion();
    let add = |transactions| minute_difference(0, transactions);
    let none = ViewRow::RealtimeMetrics((minute_key(0), None));
    for (frontier, batches, expected) in [
        (11, vec![add(4)], "4 0.20 0.05 4 8 11"),
        (12, vec![add(-2)], "2 0.10 0.05 2 4 12"),
        (13, vec![add(5), add(-5)], "2 0.10 0.05 2 4 12"),
        (14, vec![add(3), add(1)], "6 0.30 0.05 6 12 14"),
        (15, vec![add(-6)], ""),
        (16, vec![ViewChange::Row(minute(0, 2)), add(-1)], "1 0.05 0.05 1 2 16"),
        (17, vec![ViewChange::Row(none), add(3)], "3 0.15 0.05 3 6 17"),
    ] {
        let mut changes = bench.changes(1, Vec::new());
        batches.into_iter().for_each(|batch| changes.merge(bench.changes(1, vec![batch])));
        bench.write(&mut medallion, frontier, &changes, true).unwrap();
        let rows = "SELECT coalesce(string_agg(concat_ws(' ', transaction_count, total_amount, avg_amount, \
             alert_count, distinct_customers, changed_frontier), ', '), '') FROM gold.realtime_metrics";
        let rows: String = bench.client.query_one(rows, &[]).unwrap().get(0);
        assert_eq!(rows, expected, "{frontier}");
    }
    assert_eq!(bench.count("SELECT changed_frontier FROM streamflow.emptied_windows"), 15);
}

#[test]
fn a_difference_of_a_dropped_window_is_dropped() {
    let mut bench = Bench::start();
    let mut medallion = bench.medallion();
    let watermark = ViewChange::Watermark(START + 25 * 3_600_000_000);
    let changes = bench.changes(EPOCH, vec![watermark, minute_difference(0, 1), minute_difference(1, 2)]);
    bench.write(&mut medallion, EPOCH + 1, &changes, true).unwrap();
    assert_eq!(bench.count("SELECT sum(transaction_count)::int8 FROM gold.realtime_metrics"), 2);
    assert_eq!(bench.count("SELECT count(*) FROM streamflow.emptied_windows"), 0);
}
