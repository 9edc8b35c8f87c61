//! Rows of aggregates that can still change, and the books.

use super::Hydration;
use super::copy::{self, CENTS, Fields, impossible, literal};
use crate::tables::quality::measure;
use postgres::Transaction as Snapshot;
use postgres::types::Type;
use streamflow_connectors::postgres::PostgresError;
use streamflow_dataflow::changes::ViewChange;
use streamflow_dataflow::detectors::Rule;
use streamflow_dataflow::tally::WINDOW;
use streamflow_dataflow::views::rows::{
    DailyFraud, Minute, QualityKey, RuleDay, RulePerformance, Sales, StoreDay, StoreHour, StoreMinute,
};
use streamflow_model::calendar::{date_key, day_of_key};
use streamflow_model::timestamp::{DAY, HOUR, MINUTE};
use streamflow_model::{Account, BooksEntry};

/// Local days differ from UTC's by less than one, and a day is open as long as the dataflow may think so.
const OPEN_DAYS: i64 = 4;

/// An instant, a store, and the columns of [`sales`].
const STORE_SALES: &[Type] = &[Type::INT8, Type::TEXT, Type::INT8, Type::TEXT, Type::INT8];

/// A table, and how its rows are read.
struct Source {
    query: String,
    types: &'static [Type],
    read: fn(&mut Fields<'_>) -> Result<ViewChange, PostgresError>,
}

impl Hydration<'_> {
    /// All of them.
    pub(super) fn views(
        &self,
        snapshot: &mut Snapshot<'_>,
        give: &mut dyn FnMut(ViewChange),
    ) -> Result<(), PostgresError> {
        for Source { query, types, read } in self.sources() {
            copy::rows(snapshot, &query, types, read, give)?;
        }
        self.books(give);
        Ok(())
    }

    fn sources(&self) -> [Source; 7] {
        let since = |length: i64| literal(self.settled.saturating_sub(length));
        let day = self.settled.max(0) / DAY - OPEN_DAYS;
        let first_day = date_key(i32::try_from(day).unwrap_or_default());
        [
            Source {
                query: format!(
                    "SELECT hour_timestamp, store_id, transaction_count, {CENTS}, \
                         fraud_count FROM gold.agg_hourly_sales JOIN gold.dim_store USING (store_key) \
                     WHERE hour_timestamp >= {}",
                    since(HOUR)
                ),
                types: STORE_SALES,
                read: hourly_sales,
            },
            Source {
                query: format!(
                    "SELECT date_key, store_id, transaction_count, {CENTS}, \
                         alert_count FROM gold.store_performance JOIN gold.dim_store USING (store_key) \
                     WHERE date_key >= {first_day}"
                ),
                types: &[Type::INT4, Type::TEXT, Type::INT8, Type::TEXT, Type::INT8],
                read: store_performance,
            },
            Source {
                query: format!(
                    "SELECT date_key, total_txns, total_alerts, score_thousandths, fr_001_alerts, fr_002_alerts, \
                         fr_003_alerts, fr_004_alerts, fr_005_alerts FROM gold.agg_daily_fraud \
                     WHERE date_key >= {first_day}"
                ),
                types: &[
                    Type::INT4,
                    Type::INT8,
                    Type::INT8,
                    Type::INT8,
                    Type::INT8,
                    Type::INT8,
                    Type::INT8,
                    Type::INT8,
                    Type::INT8,
                ],
                read: daily_fraud,
            },
            Source {
                query: format!(
                    "SELECT date_key, rule_id, hits, alerts, alerts_alone, score_thousandths \
                     FROM gold.rule_performance WHERE date_key >= {first_day}"
                ),
                types: &[Type::INT4, Type::TEXT, Type::INT8, Type::INT8, Type::INT8, Type::INT8],
                read: rule_performance,
            },
            Source {
                query: format!(
                    "SELECT window_start, transaction_count, {CENTS}, alert_count, \
                         distinct_customers FROM gold.realtime_metrics WHERE store_key IS NULL AND window_start >= {}",
                    since(MINUTE)
                ),
                types: &[Type::INT8, Type::INT8, Type::TEXT, Type::INT8, Type::INT8],
                read: minute,
            },
            Source {
                query: format!(
                    "SELECT window_start, store_id, transaction_count, {CENTS}, \
                         alert_count FROM gold.realtime_metrics JOIN gold.dim_store USING (store_key) \
                     WHERE window_start >= {}",
                    since(MINUTE)
                ),
                types: STORE_SALES,
                read: store_minute,
            },
            Source {
                query: format!(
                    "SELECT window_start, measure, events FROM silver.quality_counts WHERE window_start >= {}",
                    since(WINDOW)
                ),
                types: &[Type::INT8, Type::TEXT, Type::INT8],
                read: quality,
            },
        ]
    }

    /// Of topics that are no longer configured they stay as they are.
    fn books(&self, give: &mut dyn FnMut(ViewChange)) {
        for (topic, accounts) in &self.progress.books {
            let Some(topic) = self.topics.number(topic) else { continue };
            for (account, events) in accounts {
                let entry = match Account::named(account) {
                    Some(account) => BooksEntry::Ended { topic, account },
                    None => BooksEntry::Read { topic },
                };
                give(ViewChange::Books((entry, Some(*events))));
            }
        }
    }
}

fn hourly_sales(row: &mut Fields<'_>) -> Result<ViewChange, PostgresError> {
    let key = StoreHour { hour_start: row.instant()?, store: row.id()? };
    Ok(ViewChange::HourlySales((key, Some(sales(row)?))))
}

fn store_performance(row: &mut Fields<'_>) -> Result<ViewChange, PostgresError> {
    let key = StoreDay { day: day_of_key(row.get()?), store: row.id()? };
    Ok(ViewChange::StorePerformance((key, Some(sales(row)?))))
}

fn store_minute(row: &mut Fields<'_>) -> Result<ViewChange, PostgresError> {
    let key = StoreMinute { minute_start: row.instant()?, store: row.id()? };
    Ok(ViewChange::StoreMinute((key, Some(sales(row)?))))
}

fn minute(row: &mut Fields<'_>) -> Result<ViewChange, PostgresError> {
    let start = row.instant()?;
    let (sales, customers) = (sales(row)?, row.get()?);
    Ok(ViewChange::Minute((start, Some(Minute { sales, customers }))))
}

fn sales(row: &mut Fields<'_>) -> Result<Sales, PostgresError> {
    Ok(Sales { transactions: row.get()?, cents: row.wide()?, alerts: row.get()? })
}

fn daily_fraud(row: &mut Fields<'_>) -> Result<ViewChange, PostgresError> {
    let day = day_of_key(row.get()?);
    let (transactions, alerts, score_thousandths) = (row.get()?, row.get()?, row.get()?);
    let alerts_by_rule = [row.get()?, row.get()?, row.get()?, row.get()?, row.get()?];
    let daily = DailyFraud { transactions, alerts, score_thousandths, alerts_by_rule };
    Ok(ViewChange::DailyFraud((day, Some(daily))))
}

fn rule_performance(row: &mut Fields<'_>) -> Result<ViewChange, PostgresError> {
    let (day, id): (i32, &str) = (day_of_key(row.get()?), row.get()?);
    let rule = Rule::ALL.into_iter().find(|rule| rule.id() == id);
    let rule = rule.ok_or_else(|| impossible(format!("rule `{id}`")))?;
    let (hits, alerts, alone, score_thousandths) = (row.get()?, row.get()?, row.get()?, row.get()?);
    let performance = RulePerformance { hits, alerts, alone, score_thousandths };
    Ok(ViewChange::RulePerformance((RuleDay { day, rule }, Some(performance))))
}

fn quality(row: &mut Fields<'_>) -> Result<ViewChange, PostgresError> {
    let (window_start, name): (i64, &str) = (row.instant()?, row.get()?);
    let measure = measure(name).ok_or_else(|| impossible(format!("measure `{name}`")))?;
    Ok(ViewChange::Quality((QualityKey { window_start, measure }, Some(row.get()?))))
}
