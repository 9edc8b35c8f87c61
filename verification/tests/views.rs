//! Every registered view is compared with both recomputations.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::convert::Infallible;
use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres, connect, migrate};
use streamflow_dataflow::rules::RuleSet;
use streamflow_dataflow::views::{View, Visit};
use streamflow_medallion::migrations;
use streamflow_medallion::tables::view::Aggregate;
use streamflow_medallion::tables::{Tables, tables};

/// A transaction of a listed customer, so that a rule hits, as an event in bronze and as a row in silver.
/// Gold has nothing of it.
const TRANSACTION: &str = r#"
    INSERT INTO streamflow.topics (topic) VALUES ('transactions.raw');
    INSERT INTO silver.blacklist (entity_kind, entity_id, applies_from, removed, ingested_at)
        VALUES ('customer', 'c', '-infinity', false, now());
    INSERT INTO bronze.raw_transactions VALUES ('2026-02-01T05:00Z', '2026-02-01T05:00Z', 0, 1, 0, 'transactions.raw',
        '{"transaction_id": "t", "customer_id": "c", "store_id": "s", "amount": "3.00", "timestamp": "2026-02-01T05:00:00Z"}');
    INSERT INTO silver.transactions (transaction_at, amount_cents, source_offset, revision, customer_key, store_key, date_key,
            topic_key, source_partition, score_thousandths, is_fraud, voided, currency, transaction_id, rule_scores)
        VALUES ('2026-02-01T05:00Z', 300, 0, 0, 1, 1, 20260201, 1, 0, 100, false, false, 'BRL', 't', '{"FR-005": 1000}');
"#;

/// The names of the comparisons that there must be.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Visit<Tables> for Names {
    type Error = Infallible;

    fn visit<V: View>(&mut self, aggregate: &&'static Aggregate<V::Key, V::Sum>) -> Result<(), Infallible> {
        let table = aggregate.table.shown;
        let rows = if table.ends_with(V::NAME) { "" } else { " (stores)" };
        self.0.extend([table.to_owned(), format!("{table}{rows}, from bronze")]);
        Ok(())
    }
}

#[test]
fn a_row_that_a_view_lacks_is_missed_from_silver_and_from_bronze() {
    let server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
    let mut client = connect(&server.settings()).unwrap();
    migrate(&mut client, migrations()).unwrap();
    client.batch_execute(TRANSACTION).unwrap();
    let comparisons = streamflow_verification::all(&mut client, &RuleSet::default()).unwrap();
    let differing = comparisons.into_iter().filter(|comparison| comparison.differing > 0);
    let differing: BTreeSet<String> = differing.map(|comparison| comparison.table).collect();
    let mut names = Names::default();
    let Ok(()) = tables().visit(&mut names);
    let missing: Vec<_> = names.0.difference(&differing).collect();
    assert!(!names.0.is_empty() && missing.is_empty(), "not compared: {missing:#?}");
}
