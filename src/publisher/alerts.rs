//! Alert changes as messages of `fraud.alerts`.

use serde::Deserialize;
use streamflow_connectors::kafka::Message;
use streamflow_medallion::outbox::AlertChange;

/// The message is keyed by customer, so that the changes of an alert stay in order. Its value is the committed payload.
pub fn message(change: AlertChange) -> Message {
    Message {
        key: change.customer_id.into_bytes(),
        value: Some(change.payload.into_bytes()),
        headers: Vec::new(),
    }
}

/// The transaction of an alert that was raised by its own event; `None` for any other change.
pub fn raised(change: &AlertChange) -> Option<String> {
    #[derive(Deserialize)]
    struct Payload {
        change: String,
        cause: String,
        transaction_id: String,
    }
    let payload: Payload = serde_json::from_str(&change.payload).ok()?;
    (payload.change == "raised" && payload.cause == "transaction").then_some(payload.transaction_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outbox_row_is_the_message() {
        let payload = r#"{"alert_id": "alert-t6",  "frontier": 1770000000000}"#;
        let change = AlertChange { number: 7, customer_id: "c é".to_owned(), payload: payload.to_owned() };
        let message = message(change);
        assert_eq!(message.key, "c é".as_bytes());
        assert_eq!(message.value.unwrap(), payload.as_bytes());
        assert_eq!(message.headers, []);
    }

    #[test]
    fn only_an_alert_that_its_own_event_raised_is_awaited() {
        let of = |change: &str, cause: &str| {
            let payload = format!(r#"{{"change": "{change}", "cause": "{cause}", "transaction_id": "t6"}}"#);
            raised(&AlertChange { number: 1, customer_id: "c".to_owned(), payload })
        };
        assert_eq!(of("raised", "transaction").as_deref(), Some("t6"));
        assert_eq!([of("raised", "late_event"), of("withdrawn", "void")], [None, None]);
    }
}
