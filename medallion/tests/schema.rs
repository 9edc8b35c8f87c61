//! What the migrations promise: every column is described, and every role can do what it must and no more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod server;

use server::start;

#[test]
fn every_table_and_column_is_described() {
    let (_server, mut client) = start();
    let sql = "SELECT n.nspname || '.' || c.relname || coalesce('.' || a.attname, '') FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE n.nspname IN ('bronze', 'silver', 'gold', 'streamflow') AND c.relkind IN ('r', 'p', 'v') \
           AND NOT c.relispartition AND c.relname <> 'schema_migrations' \
           AND (obj_description(c.oid) IS NULL OR col_description(c.oid, a.attnum) IS NULL)";
    let undescribed: Vec<String> = client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert!(undescribed.is_empty(), "{undescribed:?}");
}

#[test]
fn roles_can_do_no_more_than_they_must() {
    let (_server, mut client) = start();
    let mut attempt = |role: &str, sql: &str| {
        client.batch_execute(&format!("SET ROLE {role}")).unwrap();
        let result = client.batch_execute(sql);
        client.batch_execute("RESET ROLE").unwrap();
        result.map_err(|error| error.code().unwrap().code().to_owned())
    };
    let forbidden = Err("42501".to_owned());
    for view in ["customer_profile", "fact_transactions", "dim_date", "agg_hourly_sales"] {
        attempt("streamflow_reader", &format!("SELECT * FROM gold.{view}")).unwrap();
    }
    attempt("streamflow_reader", "SELECT gold.explain('t'), gold.explain('t', now())").unwrap();
    attempt("streamflow_reader", "SELECT streamflow.frontier(), * FROM streamflow.progress").unwrap();
    for sql in [
        "SELECT * FROM bronze.raw_transactions",
        "SELECT * FROM silver.customers",
        "SELECT * FROM silver.clean_transactions",
        "SELECT * FROM streamflow.skipped_offsets",
        "UPDATE streamflow.progress SET generation = 7",
        "DELETE FROM gold.dim_store",
        "INSERT INTO gold.dim_store VALUES (1, 'x')",
        "CREATE TABLE gold.mine (x int)",
        "SELECT gold.add_dates('{2050-01-01}')",
        "SELECT streamflow.versions_of('t', now())",
        "SELECT streamflow.causing_events('void', 't', 'c', now())",
    ] {
        assert_eq!(attempt("streamflow_reader", sql), forbidden, "{sql}");
    }
    attempt("streamflow_writer", "SELECT bronze.create_partitions('2030-01-01', '2030-01-02')").unwrap();
    attempt("streamflow_writer", "SELECT gold.add_dates('{2050-01-01}')").unwrap();
    attempt(
        "streamflow_writer",
        "INSERT INTO silver.blacklist (entity_kind, entity_id, applies_from, removed, \
        ingested_at) VALUES ('store', 'x', now(), false, now())",
    )
    .unwrap();
    for sql in [
        "DROP TABLE gold.dim_store",
        "SELECT streamflow.detach_partition('raw_transactions_20300101', '2031-01-01')",
        "CREATE SCHEMA x",
    ] {
        assert_eq!(attempt("streamflow_writer", sql), forbidden, "{sql}");
    }
    for sql in [
        "SELECT bronze.create_partitions('2030-01-01', '2030-01-02')",
        "SELECT streamflow.old_partitions('2030-01-02')",
        "SELECT streamflow.count_old_rows('silver.quality_counts', now() - interval '7 days', 0)",
        "SELECT streamflow.analyze_tables()",
    ] {
        attempt("streamflow_maintainer", sql).unwrap();
    }
    assert_eq!(attempt("streamflow_maintainer", "DELETE FROM silver.transactions"), forbidden);
}
