//! One-minute windows as messages of `metrics.realtime`.

use super::error::PublisherError;
use serde::Serialize;
use streamflow_connectors::kafka::Message;
use streamflow_medallion::outbox::Window;
use streamflow_model::timestamp::Rfc3339;

/// The value: a row of `gold.realtime_metrics` with the store's id. A later message of the same window,
/// store and currency replaces an earlier one. A window without transactions has been deleted from the table.
#[derive(Serialize)]
struct Value<'a> {
    window_start: &'a str,
    /// Null for the row of all stores.
    store_key: Option<i32>,
    store_id: Option<&'a str>,
    currency: &'a str,
    transaction_count: i64,
    total_amount: &'a str,
    avg_amount: Option<&'a str>,
    alert_count: i64,
    distinct_customers: Option<i64>,
    /// The committed frontier at which PostgreSQL has this row, ms since 1970.
    frontier: i64,
}

/// The message is keyed by the start of the window and the currency.
pub fn message(window: &Window) -> Result<Message, PublisherError> {
    let start = Rfc3339(window.start).to_string();
    let value = Value {
        window_start: &start,
        store_key: window.store.as_ref().map(|store| store.key),
        store_id: window.store.as_ref().map(|store| store.id.as_str()),
        currency: &window.currency,
        transaction_count: window.transaction_count,
        total_amount: &window.total_amount,
        avg_amount: window.avg_amount.as_deref(),
        alert_count: window.alert_count,
        distinct_customers: window.distinct_customers,
        frontier: window.changed_frontier,
    };
    let value = serde_json::to_vec(&value)?;
    let key = format!("{start}/{}", window.currency);
    Ok(Message { key: key.into_bytes(), value: Some(value), headers: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use streamflow_medallion::outbox::Store;

    fn overall() -> Window {
        Window {
            start: 1_769_922_000_000_000,
            store: None,
            currency: "BRL".to_owned(),
            transaction_count: 3,
            total_amount: "454.66".to_owned(),
            avg_amount: Some("151.55".to_owned()),
            alert_count: 1,
            distinct_customers: Some(2),
            changed_frontier: 1_769_922_060_123,
        }
    }

    fn value(window: &Window) -> serde_json::Value {
        let message = message(window).unwrap();
        assert_eq!(message.key, b"2026-02-01T05:00:00.000000Z/BRL");
        serde_json::from_slice(&message.value.unwrap()).unwrap()
    }

    #[test]
    fn a_minute_of_all_stores() {
        let expected = json!({
            "window_start": "2026-02-01T05:00:00.000000Z", "store_key": null, "store_id": null, "currency": "BRL",
            "transaction_count": 3, "total_amount": "454.66", "avg_amount": "151.55", "alert_count": 1,
            "distinct_customers": 2, "frontier": 1_769_922_060_123_i64,
        });
        assert_eq!(value(&overall()), expected);
    }

    #[test]
    fn a_minute_of_a_store_that_was_emptied() {
        let window = Window {
            store: Some(Store { key: 4, id: "store-b559f40b".to_owned() }),
            transaction_count: 0,
            total_amount: "0.00".to_owned(),
            avg_amount: None,
            alert_count: 0,
            distinct_customers: None,
            ..overall()
        };
        let expected = json!({
            "window_start": "2026-02-01T05:00:00.000000Z", "store_key": 4, "store_id": "store-b559f40b",
            "currency": "BRL", "transaction_count": 0, "total_amount": "0.00", "avg_amount": null, "alert_count": 0,
            "distinct_customers": null, "frontier": 1_769_922_060_123_i64,
        });
        assert_eq!(value(&window), expected);
    }
}
