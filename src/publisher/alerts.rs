//! Alert changes as messages of `fraud.alerts`.

use streamflow_connectors::kafka::Message;
use streamflow_medallion::outbox::StoredAlertChange;

/// The message is keyed by customer, so that the changes of an alert stay in order. Its value is the
/// committed payload.
pub fn message(change: StoredAlertChange) -> Message {
    Message {
        key: change.customer_id.into_bytes(),
        value: Some(change.payload.into_bytes()),
        headers: Vec::new(),
    }
}

/// The transaction of an alert that was raised by its own event; `None` for any other change.
pub fn raised(change: &StoredAlertChange) -> Option<String> {
    let is_raised = change.change == "raised" && change.cause == "transaction";
    is_raised.then(|| change.transaction_id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(change: &str, cause: &str, payload: &str) -> StoredAlertChange {
        StoredAlertChange {
            number: 7,
            sequence: 1,
            change: change.to_owned(),
            cause: cause.to_owned(),
            transaction_id: "t6".to_owned(),
            customer_id: "c é".to_owned(),
            detected_at: 0,
            payload: payload.to_owned(),
            is_erased: false,
        }
    }

    #[test]
    fn the_outbox_row_is_the_message() {
        let payload = r#"{"alert_id": "alert-t6",  "frontier": 1770000000000}"#;
        let message = message(change("raised", "transaction", payload));
        assert_eq!(message.key, "c é".as_bytes());
        assert_eq!(message.value.unwrap(), payload.as_bytes());
        assert_eq!(message.headers, []);
    }

    #[test]
    fn only_an_alert_that_its_own_event_raised_is_awaited() {
        let of = |kind: &str, cause: &str| raised(&change(kind, cause, "{}"));
        assert_eq!(of("raised", "transaction").as_deref(), Some("t6"));
        assert_eq!([of("raised", "late_event"), of("withdrawn", "void")], [None, None]);
    }
}
