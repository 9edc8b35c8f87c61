//! The migrations in `sql/`, embedded.

use streamflow_connectors::postgres::Migration;

/// All migrations, in order.
#[must_use]
pub fn migrations() -> &'static [Migration] {
    &MIGRATIONS
}

const MIGRATIONS: [Migration; 14] = [
    Migration {
        number: 1,
        name: "schemas_and_roles",
        sql: include_str!("../../sql/001_schemas_and_roles.sql"),
    },
    Migration { number: 2, name: "progress", sql: include_str!("../../sql/002_progress.sql") },
    Migration { number: 3, name: "bronze", sql: include_str!("../../sql/003_bronze.sql") },
    Migration { number: 4, name: "reference", sql: include_str!("../../sql/004_reference.sql") },
    Migration { number: 5, name: "transactions", sql: include_str!("../../sql/005_transactions.sql") },
    Migration { number: 6, name: "aggregates", sql: include_str!("../../sql/006_aggregates.sql") },
    Migration { number: 7, name: "alerts", sql: include_str!("../../sql/007_alerts.sql") },
    Migration { number: 8, name: "quality", sql: include_str!("../../sql/008_quality.sql") },
    Migration { number: 9, name: "grants", sql: include_str!("../../sql/009_grants.sql") },
    Migration { number: 10, name: "publisher", sql: include_str!("../../sql/010_publisher.sql") },
    Migration { number: 11, name: "hydration", sql: include_str!("../../sql/011_hydration.sql") },
    Migration { number: 12, name: "reader", sql: include_str!("../../sql/012_reader.sql") },
    Migration { number: 13, name: "maintenance", sql: include_str!("../../sql/013_maintenance.sql") },
    Migration { number: 14, name: "rule_scores", sql: include_str!("../../sql/014_rule_scores.sql") },
];
