//! Alert changes as messages of `fraud.alerts`.

use streamflow_connectors::kafka::Message;
use streamflow_medallion::outbox::AlertChange;

/// Keyed by customer, so that the changes of an alert stay in order; the value is as it was committed.
pub fn message(change: AlertChange) -> Message {
    Message {
        key: change.customer_id.into_bytes(),
        value: Some(change.payload.into_bytes()),
        headers: Vec::new(),
    }
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
}
