//! Members of the three roles, logged in: what each can do, and that it is all.

use crate::parts::Parts;
use crate::{command, foreign};
use postgres::Client;
use serde_json::json;
use std::time::{Duration, Instant};
use streamflow_connectors::postgres::{PostgresSettings, connect};
use streamflow_dataflow::rules::RuleSet;
use streamflow_verification as verification;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

const DENIED: &str = "42501";

/// Servers, schema, and members of the roles: `pipeline`, `analyst` and `keeper`.
fn start() -> Parts {
    let parts = Parts::start("roles", 2, &json!({}));
    let members = "CREATE ROLE pipeline LOGIN IN ROLE streamflow_writer; \
         CREATE ROLE analyst LOGIN IN ROLE streamflow_reader; CREATE ROLE keeper LOGIN IN ROLE streamflow_maintainer";
    parts.connect().batch_execute(members).unwrap();
    parts
}

fn login(parts: &Parts, user: &str) -> Client {
    connect(&PostgresSettings { user: user.to_owned(), ..parts.postgres.settings() }).unwrap()
}

/// What the user of the connection may do with tables and views, one line each: `schema.table: PRIVILEGE
/// ...`.
fn rights(client: &mut Client) -> Vec<String> {
    let sql = "SELECT n.nspname || '.' || c.relname || ': ' || string_agg(privilege, ' ' ORDER BY place) \
         FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
         CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) \
             WITH ORDINALITY AS p (privilege, place) \
         WHERE n.nspname IN ('bronze', 'silver', 'gold', 'streamflow') AND c.relkind IN ('r', 'p', 'v') \
             AND has_table_privilege(c.oid, privilege) \
         GROUP BY n.nspname, c.relname ORDER BY 1";
    client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

/// The SQLSTATE with which a statement is refused; `None` where it is not. Nothing it does stays.
fn refusal(client: &mut Client, sql: &str) -> Option<String> {
    let mut transaction = client.transaction().unwrap();
    let outcome = transaction.batch_execute(sql);
    outcome.err().map(|error| error.code().unwrap_or_else(|| panic!("{sql}: {error}")).code().to_owned())
}

/// Nobody but the owner changes the schema, reads the server's files or becomes somebody else.
fn assert_no_more_than_rows(client: &mut Client) {
    for sql in [
        "CREATE TABLE gold.mine (x int)",
        "CREATE TABLE public.mine (x int)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "CREATE OR REPLACE VIEW gold.fact_transactions AS SELECT 1 AS x",
        "ALTER TABLE silver.transactions ADD COLUMN mine int",
        "DROP TABLE gold.dim_store",
        "TRUNCATE silver.transactions",
        "DELETE FROM streamflow.schema_migrations",
        "UPDATE silver.quality_checks SET fail_above = 1",
        "CREATE OR REPLACE FUNCTION streamflow.frontier() RETURNS bigint LANGUAGE sql RETURN 0",
        "ALTER TABLE gold.realtime_metrics DISABLE TRIGGER ALL",
        "SET ROLE streamflow",
        "SET SESSION AUTHORIZATION streamflow",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/mine'",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT rolpassword FROM pg_authid",
        "ALTER SYSTEM SET fsync = off",
    ] {
        let state = refusal(client, sql);
        // ALTER SYSTEM does not run in a transaction, which is said first.
        assert!(matches!(state.as_deref(), Some(DENIED | "25001")), "{sql}: {state:?}");
    }
}

#[test]
fn a_reader_reads_gold_and_how_good_it_is() {
    let parts = start();
    let mut client = login(&parts, "analyst");
    let rights = rights(&mut client);
    let (gold, others): (Vec<String>, Vec<String>) =
        rights.into_iter().partition(|right| right.starts_with("gold."));
    assert_eq!(
        others,
        ["silver.quality_check_results: SELECT", "streamflow.books: SELECT", "streamflow.progress: SELECT"]
    );
    assert!(gold.iter().all(|right| right.ends_with(": SELECT")), "{gold:?}");
    let tables =
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'gold'::regnamespace AND relkind IN ('r', 'v')";
    assert_eq!(client.query_one(tables, &[]).unwrap().get::<_, i64>(0), gold.len() as i64);
    for sql in [
        "SELECT * FROM gold.fact_transactions JOIN gold.dim_customer USING (customer_key)",
        "SELECT * FROM gold.fact_fraud_alerts, gold.agg_daily_fraud, gold.customer_profile, gold.rule_performance",
        "SELECT check_name, value, status FROM silver.quality_check_results",
        "SELECT streamflow.frontier(), streamflow.time_zone(), * FROM streamflow.books",
    ] {
        assert_eq!(refusal(&mut client, sql), None, "{sql}");
    }
    for sql in [
        "SELECT payload FROM bronze.raw_transactions",
        "SELECT payload FROM bronze.dead_letters",
        "SELECT * FROM silver.customers",
        "SELECT * FROM silver.clean_transactions",
        "SELECT * FROM silver.quality_counts",
        "SELECT * FROM streamflow.skipped_offsets",
        "INSERT INTO gold.dim_store VALUES (1, 'x')",
        "SELECT gold.add_dates('{2050-01-01}')",
        "SELECT streamflow.drop_partition('raw_transactions_20300101', '2050-01-01')",
        "SELECT streamflow.analyze_tables()",
    ] {
        assert_eq!(refusal(&mut client, sql).as_deref(), Some(DENIED), "{sql}");
    }
    assert_no_more_than_rows(&mut client);
}

#[test]
fn a_writer_runs_the_pipeline_and_changes_no_schema() {
    let parts = start();
    let mut client = login(&parts, "pipeline");
    for right in rights(&mut client) {
        let is_given = [
            "streamflow.schema_migrations",
            "streamflow.retention",
            "streamflow.removed_dead_letters",
            "streamflow.removed_transactions",
            "silver.quality_checks",
            "gold.exchange_rates",
        ]
        .iter()
        .any(|table| right.starts_with(&format!("{table}:")));
        let expected = if is_given {
            ": SELECT"
        } else if right.starts_with("streamflow.erasures:") {
            ": SELECT INSERT"
        } else {
            ": SELECT INSERT UPDATE DELETE"
        };
        assert!(right.ends_with(expected), "{right}");
    }
    assert_no_more_than_rows(&mut client);
    for sql in [
        "SELECT streamflow.detach_partition('raw_transactions_20300101', '2050-01-01')",
        "SELECT streamflow.analyze_tables()",
    ] {
        assert_eq!(refusal(&mut client, sql).as_deref(), Some(DENIED), "{sql}");
    }

    let as_member = ["--set", "postgres.user=pipeline"];
    let mut run = parts.command("run", &as_member);
    let mut events = 0;
    for batch in [foreign::ordinary(), foreign::changes(), foreign::refused()] {
        parts.kafka.write(&parts.topic("transactions"), None, &batch.bytes).unwrap();
        events += batch.events;
        let read = "SELECT coalesce(sum(events), 0)::int8 FROM streamflow.books WHERE account = 'read'";
        let begun = Instant::now();
        while client.query_one(read, &[]).unwrap().get::<_, i64>(0) < events {
            run.keep_waiting(begun, PATIENCE, "all is committed");
        }
    }
    assert!(run.terminate().success(), "{}", run.printed());
    let comparisons = verification::all(&mut client, &RuleSet::default()).unwrap();
    let differing: Vec<_> = comparisons.iter().filter(|comparison| comparison.differing > 0).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    let mut again = parts.command("run", &as_member);
    let begun = Instant::now();
    while !again.printed().contains("the first commit since the start") {
        assert!(again.ended().is_none() && begun.elapsed() < PATIENCE, "{}", again.printed());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(again.terminate().success(), "{}", again.printed());
    let config = parts.config();
    let printed =
        command::succeed(&["migrate", "--config", config.to_str().unwrap(), as_member[0], as_member[1]]);
    assert!(printed.contains("nothing to apply"), "{printed}");
}

#[test]
fn a_maintainer_removes_what_is_old_and_nothing_else() {
    let parts = start();
    let mut client = login(&parts, "keeper");
    assert_eq!(
        rights(&mut client),
        [
            "streamflow.progress: SELECT",
            "streamflow.retention: SELECT",
            "streamflow.schema_migrations: SELECT",
        ]
    );
    for sql in [
        "SELECT bronze.create_partitions('2030-01-01', '2030-01-02')",
        "SELECT * FROM streamflow.old_partitions(now() - interval '30 days')",
        "SELECT streamflow.count_old_rows('gold.fraud_alert_history', now() - interval '90 days', 0)",
        "SELECT streamflow.count_old_rows('bronze.dead_letters', now() - interval '90 days', 0)",
        "SELECT streamflow.count_old_rows('silver.transactions', now() - interval '200 days', 0)",
        "SELECT streamflow.analyze_table('gold.fraud_alert_history')",
        "SELECT streamflow.analyze_tables()",
    ] {
        assert_eq!(refusal(&mut client, sql), None, "{sql}");
    }
    for sql in [
        "DELETE FROM silver.transactions",
        "DELETE FROM bronze.raw_fraud_alerts",
        "SELECT payload FROM bronze.raw_transactions",
        "SELECT * FROM silver.customers",
        "SELECT * FROM gold.dim_customer",
        "UPDATE streamflow.progress SET generation = 7",
        "SELECT gold.add_dates('{2050-01-01}')",
    ] {
        assert_eq!(refusal(&mut client, sql).as_deref(), Some(DENIED), "{sql}");
    }
    assert_no_more_than_rows(&mut client);
}
