//! The progress record: what is published, written in the same transactions as the messages that it covers.

use super::error::PublisherError;
use crate::config::Config;
use std::time::Duration;
use streamflow_connectors::kafka::{KafkaError, latest_record};
use streamflow_medallion::outbox::{Committed, ProgressRecord};

/// Reads the newest record of the publisher's name. Without one nothing is published.
///
/// # Errors
/// Errors of Kafka, no answer within `patience`, and [`PublisherError::Record`], because a guess would lose
/// messages or send them twice.
pub fn latest(config: &Config, patience: Duration) -> Result<ProgressRecord, PublisherError> {
    let name = config.publisher.transactional_id.as_bytes();
    let record = latest_record(&config.kafka, &config.topics.progress, name, patience)?;
    Ok(record.as_deref().map(serde_json::from_slice).transpose()?.unwrap_or_default())
}

/// As [`latest`]; where there is no topic yet nothing is published.
///
/// # Errors
/// As [`latest`].
pub fn published(config: &Config, patience: Duration) -> Result<ProgressRecord, PublisherError> {
    match latest(config, patience) {
        Err(PublisherError::Kafka(KafkaError::MissingTopic(_))) => Ok(ProgressRecord::default()),
        outcome => outcome,
    }
}

/// Checks that the database has everything that Kafka has.
///
/// # Errors
/// [`PublisherError::Ahead`].
pub fn check(progress: &ProgressRecord, committed: &Committed) -> Result<(), PublisherError> {
    for (what, published, committed) in [
        ("alert change", progress.alert_number, committed.alert_number),
        ("dead letter", progress.dead_letter_number, committed.dead_letter_number),
        ("frontier", progress.metrics.frontier, committed.frontier),
    ] {
        if published > committed {
            return Err(PublisherError::Ahead { what, published, committed });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamflow_medallion::outbox::{WindowKey, WindowPosition};

    fn progress() -> ProgressRecord {
        let window = Some(WindowKey { start: -60_000_000, store_key: Some(3), currency: "BRL".to_owned() });
        ProgressRecord {
            alert_number: 12,
            dead_letter_number: 3,
            metrics: WindowPosition { frontier: 1_770_000_000_000, window },
        }
    }

    fn decode(text: &str) -> serde_json::Result<ProgressRecord> {
        serde_json::from_str(text)
    }

    #[test]
    fn what_is_written_is_read() {
        for progress in [ProgressRecord::default(), progress()] {
            assert_eq!(decode(&serde_json::to_string(&progress).unwrap()).unwrap(), progress);
        }
        let text = r#"{"alert_number":12,"dead_letter_number":3,"metrics":{"frontier":1770000000000,"window":{"start":-60000000,"store_key":3,"currency":"BRL"}}}"#;
        assert_eq!(serde_json::to_string(&progress()).unwrap(), text);
    }

    #[test]
    fn a_later_versions_fields_are_passed_over() {
        let text = r#"{"more":[1],"alert_number":1,"dead_letter_number":2,"metrics":{"frontier":3,"window":null,"x":0}}"#;
        let metrics = WindowPosition { frontier: 3, window: None };
        let expected = ProgressRecord { alert_number: 1, dead_letter_number: 2, metrics };
        assert_eq!(decode(text).unwrap(), expected);
    }

    #[test]
    fn a_record_without_a_currency_is_before_all_currencies_of_its_window() {
        let text = r#"{"alert_number":1,"dead_letter_number":2,"metrics":{"frontier":3,"window":{"start":7,"store_key":4}}}"#;
        let window = decode(text).unwrap().metrics.window.unwrap();
        let currency = "AED".to_owned();
        assert!(window < WindowKey { start: 7, store_key: Some(4), currency });
    }

    #[test]
    fn a_record_that_says_too_little_is_an_error() {
        for text in ["", "{}", r#"{"alert_number":1,"dead_letter_number":2}"#, r#"{"alert_number":"1"}"#] {
            let error = decode(text).map_err(PublisherError::from);
            assert!(matches!(error, Err(PublisherError::Record(_))), "{text}");
        }
    }

    #[test]
    fn a_database_behind_kafka_is_an_error() {
        let committed = Committed {
            generation: 1,
            frontier: 1_770_000_000_000,
            alert_number: 12,
            dead_letter_number: 3,
            watermark: None,
        };
        check(&progress(), &committed).unwrap();
        for (older, what) in [
            (Committed { alert_number: 11, ..committed.clone() }, "alert change 12"),
            (Committed { dead_letter_number: 0, ..committed.clone() }, "dead letter 3"),
            (Committed { frontier: 0, ..committed }, "frontier 1770000000000"),
        ] {
            let text = check(&progress(), &older).unwrap_err().to_string();
            assert!(text.contains(what), "{text}");
        }
    }
}
