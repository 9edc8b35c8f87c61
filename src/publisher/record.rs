//! The progress record: what is published, written in the same transactions as the messages that it covers.

use super::error::PublisherError;
use crate::config::Config;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use streamflow_connectors::kafka::latest_record;
use streamflow_medallion::outbox::{Committed, WindowPosition};

/// Everything up to these numbers is in Kafka; the default is nothing. Fields of later versions are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressRecord {
    /// Number of the last alert change.
    pub alert_number: i64,
    /// The number of the last dead letter.
    pub dead_letter_number: i64,
    /// The position of the last window.
    pub metrics: WindowPosition,
}

impl ProgressRecord {
    /// The record's value, JSON.
    pub fn encode(&self) -> Result<Vec<u8>, PublisherError> {
        serde_json::to_vec(self).map_err(|error| PublisherError::Record(error.to_string()))
    }

    /// Decodes a record's value.
    ///
    /// # Errors
    /// [`PublisherError::Record`], because a guess would lose messages or send them twice.
    pub fn decode(value: &[u8]) -> Result<Self, PublisherError> {
        serde_json::from_slice(value).map_err(|error| PublisherError::Record(error.to_string()))
    }

    /// Reads the newest record of the publisher's name. Without one nothing is published.
    ///
    /// # Errors
    /// Errors of Kafka, no answer within `patience`, and [`PublisherError::Record`].
    pub fn latest(config: &Config, patience: Duration) -> Result<Self, PublisherError> {
        let name = config.publisher.transactional_id.as_bytes();
        let record = latest_record(&config.kafka, &config.topics.progress, name, patience)?;
        Ok(record.as_deref().map(Self::decode).transpose()?.unwrap_or_default())
    }

    /// Checks that the database has everything that Kafka has.
    ///
    /// # Errors
    /// [`PublisherError::Ahead`].
    pub fn check(&self, committed: &Committed) -> Result<(), PublisherError> {
        for (what, published, committed) in [
            ("alert change", self.alert_number, committed.alert_number),
            ("dead letter", self.dead_letter_number, committed.dead_letter_number),
            ("frontier", self.metrics.frontier, committed.frontier),
        ] {
            if published > committed {
                return Err(PublisherError::Ahead { what, published, committed });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamflow_medallion::outbox::WindowKey;

    fn progress() -> ProgressRecord {
        let window = Some(WindowKey { start: -60_000_000, store_key: Some(3) });
        ProgressRecord {
            alert_number: 12,
            dead_letter_number: 3,
            metrics: WindowPosition { frontier: 1_770_000_000_000, window },
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for progress in [ProgressRecord::default(), progress()] {
            assert_eq!(ProgressRecord::decode(&progress.encode().unwrap()).unwrap(), progress);
        }
        let text = r#"{"alert_number":12,"dead_letter_number":3,"metrics":{"frontier":1770000000000,"window":{"start":-60000000,"store_key":3}}}"#;
        assert_eq!(String::from_utf8(progress().encode().unwrap()).unwrap(), text);
    }

    #[test]
    fn a_later_versions_fields_are_passed_over() {
        let text = r#"{"more":[1],"alert_number":1,"dead_letter_number":2,"metrics":{"frontier":3,"window":null,"x":0}}"#;
        let metrics = WindowPosition { frontier: 3, window: None };
        let expected = ProgressRecord { alert_number: 1, dead_letter_number: 2, metrics };
        assert_eq!(ProgressRecord::decode(text.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn a_record_that_says_too_little_is_an_error() {
        for text in ["", "{}", r#"{"alert_number":1,"dead_letter_number":2}"#, r#"{"alert_number":"1"}"#] {
            assert!(
                matches!(ProgressRecord::decode(text.as_bytes()), Err(PublisherError::Record(_))),
                "{text}"
            );
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
        progress().check(&committed).unwrap();
        for (older, what) in [
            (Committed { alert_number: 11, ..committed.clone() }, "alert change 12"),
            (Committed { dead_letter_number: 0, ..committed.clone() }, "dead letter 3"),
            (Committed { frontier: 0, ..committed }, "frontier 1770000000000"),
        ] {
            let text = progress().check(&older).unwrap_err().to_string();
            assert!(text.contains(what), "{text}");
        }
    }
}
