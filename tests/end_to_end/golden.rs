//! The golden run: what two workers, then three processes, then one worker make of a stream, each going on
//! where the one before was stopped, is what one uninterrupted worker makes of it, row by row. The stream is many
//! horizons long, so most of it is final, folded and forgotten at each stop, and refunds come up to many horizons
//! after their payments.

use crate::command::Running;
use crate::parts::Parts;
use crate::traffic::{DISTURBED, Traffic};
use postgres::Client;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use streamflow_connectors::postgres::connect;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

const EVENTS: i64 = 48_000;
const HORIZON_SECONDS: i64 = 600;

const REFUNDS: [&str; 2] = ["refunded_rate=0.02", "refunded_within=6000"];

/// What depends on when a run was made, or in which order it met new names: surrogate keys are compared as
/// the names they stand for.
const INCIDENTAL: &str = "{ingested_at,detected_at,raised_at,revised_at,withdrawn_at,changed_at,updated_at,changed_frontier,\
     number,id,topic_key,customer_key,store_key,product_key,alert_changes}";

/// What became of a customer's alerts while an amendment waited depends on when it was decided; what stands at
/// the end does not.
const AMENDED: &str =
    "SELECT payload::json ->> 'customer_id' FROM bronze.raw_transactions WHERE final_before IS NOT NULL";

#[test]
fn an_interrupted_run_with_other_worker_counts_gives_the_same_rows() {
    // Small commits: it can be stopped in the middle.
    let more = json!({
        "correction_horizon_seconds": HORIZON_SECONDS, "pipeline": {"uncommitted_records": 200},
    });
    let parts = Parts::start("golden", 3, &more);
    // Two and a quarter hours.
    let rates = [&DISTURBED[..], &REFUNDS].concat();
    let traffic = Traffic::generate_past(EVENTS as usize, &rates, "6", "2000", 4);
    traffic.send_as_past(&parts);
    let begin = traffic.lines[0].time;
    let end = parts.consume("transactions").len() as i64;
    let mut stops = Vec::new();
    for (shape, events) in [(Shape::TwoWorkers, EVENTS / 3), (Shape::ThreeProcesses, EVENTS * 2 / 3)] {
        let mut processes = shape.start(&parts);
        let first = &mut processes[0];
        let mut client = parts.connect();
        wait_for(&mut client, first, events);
        let folded = begin + 3 * HORIZON_SECONDS * 1_000_000;
        let begun = Instant::now();
        while watermark(&mut client) < folded {
            first.keep_waiting(begun, PATIENCE, "three horizons are final");
        }
        for status in Running::terminate_all(&mut processes) {
            assert!(status.success(), "{:?}", processes.iter().map(Running::printed).collect::<Vec<_>>());
        }
        stops.push(read(&mut parts.connect()));
    }
    assert!(stops[0] < stops[1] && stops[1] < end, "{stops:?} of {end}");
    finish(&parts, &mut parts.connect(), &[], end);

    let mut verify = parts.command("verify", &["--from-bronze"]);
    assert!(verify.wait().success(), "{}", verify.printed());

    let mut client = parts.connect();
    client.batch_execute("CREATE DATABASE whole").unwrap();
    let outputs = ["alerts", "metrics", "dead_letters", "progress"];
    let outputs = outputs.map(|name| format!("topics.{name}={}", parts.topic(&format!("whole.{name}"))));
    let mut elsewhere = vec!["--set", "postgres.database=whole", "--set", "publisher.transactional_id=whole"];
    outputs.iter().for_each(|output| elsewhere.extend(["--set", output]));
    assert!(parts.command("migrate", &elsewhere[..2]).wait().success());
    let mut settings = parts.postgres.settings();
    settings.database = "whole".to_owned();
    let mut uninterrupted = connect(&settings).unwrap();
    finish(&parts, &mut uninterrupted, &elsewhere, end);
    let waited = [&mut client, &mut uninterrupted].map(|client| client.query(AMENDED, &[]).unwrap().len());
    assert!(waited[0] == waited[1] && waited[0] > 200, "{waited:?} events waited");
    let (stopped, whole) = (rows(&mut client), rows(&mut uninterrupted));
    assert_eq!(stopped.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
    for (table, rows) in &whole {
        let differing: Vec<_> = stopped[table].iter().zip(rows).filter(|(a, b)| a != b).take(3).collect();
        assert!(differing.is_empty() && stopped[table].len() == rows.len(), "{table}: {differing:#?}");
    }
    let filled = whole.values().filter(|rows| !rows.is_empty()).count();
    assert!(filled >= 20, "only {filled} tables have rows");
    println!(
        "stopped at {stops:?} of {end} events: {filled} tables, {} rows, 0 differences",
        whole.values().map(Vec::len).sum::<usize>()
    );
}

/// What runs a part of the way.
#[derive(Clone, Copy)]
enum Shape {
    TwoWorkers,
    ThreeProcesses,
}

impl Shape {
    fn start(self, parts: &Parts) -> Vec<Running> {
        // Small commits: it can be stopped in the middle.
        let small = ["--set", "kafka.source.batch_records=50"];
        match self {
            Self::TwoWorkers => vec![parts.command("run", &[&small[..], &["--set", "workers=2"]].concat())],
            Self::ThreeProcesses => parts.run_several(3, &small),
        }
    }
}

/// Has one worker read and decide all events.
fn finish(parts: &Parts, client: &mut Client, options: &[&str], events: i64) {
    let mut run = parts.command("run", options);
    wait_for(client, &mut run, events);
    let begun = Instant::now();
    while client.query_one("SELECT count(*) FROM streamflow.pending_events", &[]).unwrap().get::<_, i64>(0)
        > 0
    {
        run.keep_waiting(begun, PATIENCE, "all is decided");
    }
    assert!(run.terminate().success(), "{}", run.printed());
}

/// Waits until so many transaction events are committed.
fn wait_for(client: &mut Client, run: &mut Running, events: i64) {
    let begun = Instant::now();
    while read(client) < events {
        run.keep_waiting(begun, PATIENCE, "all is committed");
    }
}

/// Microseconds since 1970.
fn watermark(client: &mut Client) -> i64 {
    let sql = "SELECT (extract(epoch FROM watermark) * 1000000)::int8 FROM streamflow.progress";
    client.query_one(sql, &[]).unwrap().get::<_, Option<i64>>(0).unwrap_or(i64::MIN)
}

fn read(client: &mut Client) -> i64 {
    let sql = "SELECT coalesce(sum(events), 0)::int8 FROM streamflow.books \
         WHERE account = 'read' AND topic LIKE '%transactions'";
    client.query_one(sql, &[]).unwrap().get(0)
}

/// The rows of every table of the medallion, without what is incidental, in order.
fn rows(client: &mut Client) -> BTreeMap<String, Vec<String>> {
    let sql = "SELECT c.table_schema || '.' || c.table_name, array_agg(c.column_name::text) \
         FROM information_schema.columns AS c \
         WHERE c.table_schema IN ('bronze', 'silver', 'gold') AND c.table_name !~ '^raw_transactions_' \
         GROUP BY 1";
    let tables = client.query(sql, &[]).unwrap();
    let tables = tables.iter().map(|row| (row.get::<_, String>(0), row.get::<_, Vec<String>>(1)));
    tables
        .map(|(table, columns)| {
            let rows = client.query(&sorted_rows(&table, &columns), &[]).unwrap();
            let rows = rows.iter().map(|row| row.get(0)).collect();
            (table, rows)
        })
        .collect()
}

fn sorted_rows(table: &str, columns: &[String]) -> String {
    let mut names = String::new();
    for dimension in ["customer", "store", "product"] {
        if columns.contains(&format!("{dimension}_key")) {
            names += &format!(
                " || jsonb_build_object('{dimension}', (SELECT {dimension}_id FROM gold.dim_{dimension} AS d \
                 WHERE d.{dimension}_key = t.{dimension}_key))"
            );
        }
    }
    let payload = if table == "bronze.raw_fraud_alerts" {
        " || jsonb_build_object('payload', t.payload::jsonb - 'detected_at' - 'frontier')"
    } else {
        ""
    };
    let filter = match table {
        // How fresh the tables are depends on the clock.
        "silver.quality_check_results" => "check_name <> 'freshness'".to_owned(),
        "bronze.raw_fraud_alerts" => format!("customer_id NOT IN ({AMENDED})"),
        "gold.fraud_alert_history" => format!(
            "NOT EXISTS (SELECT FROM silver.clean_transactions AS c \
             WHERE c.transaction_id = t.transaction_id AND c.customer_id IN ({AMENDED}))"
        ),
        _ => "true".to_owned(),
    };
    format!(
        "SELECT (to_jsonb(t) - '{INCIDENTAL}'::text[]{names}{payload})::text FROM {table} AS t \
         WHERE {filter} ORDER BY 1"
    )
}
