//! Errors of Kafka outside of reading, and who can fix them.

use rdkafka::error::KafkaError as ClientError;
use thiserror::Error;

/// An error of the Kafka connector.
#[derive(Debug, Error)]
pub enum KafkaError {
    /// A setting is missing, contradictory or out of range. The user fixes it; no retry.
    #[error("kafka setting `{key}`: {problem}")]
    Settings {
        /// The key as written in the configuration, below `kafka`.
        key: &'static str,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// The client library does not accept the settings. The user fixes it; no retry.
    #[error("the Kafka client refuses its settings: {0}")]
    Client(ClientError),
    /// No broker answers. The operator fixes it; retry later.
    #[error(
        "no answer from Kafka while {doing}: {cause}; check `brokers` and that one of them can be reached"
    )]
    Unavailable {
        /// What was being done.
        doing: String,
        /// The client's message.
        cause: ClientError,
    },
    /// Brokers answer and do not let this client in: password, certificate or protocol do not fit. The user
    /// fixes it; no retry.
    #[error("Kafka does not let this client in; check {settings} ({problem})")]
    Unfit {
        /// The settings to look at, below `kafka`.
        settings: &'static str,
        /// The client's message.
        problem: String,
    },
    /// A broker understood and refused. The operator fixes it; no retry.
    #[error("Kafka refused {doing}: {cause}")]
    Refused {
        /// What was being done.
        doing: String,
        /// The broker's message.
        cause: String,
    },
    /// A topic does not exist. The operator creates it; no retry.
    #[error("topic {0} does not exist: create it or correct the configured name")]
    MissingTopic(String),
    /// A topic that is read as one sequence has several partitions. The operator creates it anew; no retry.
    #[error(
        "topic {topic} has {partitions} partitions and must have one: else the last record of a key is not found; \
         see the runbook, \"The progress topic has several partitions\""
    )]
    SeveralPartitions {
        /// The topic's name.
        topic: String,
        /// How many it has.
        partitions: usize,
    },
    /// Records may carry the producer's clock where the broker's is needed. The operator fixes it; no retry.
    #[error("topic {0} has message.timestamp.type=CreateTime: set it to LogAppendTime")]
    NotLogAppendTime(String),
    /// A record cannot be sent: it is too large or its topic unknown. Whoever makes the record fixes it; no
    /// retry.
    #[error("record for topic {topic} cannot be sent: {cause}")]
    Record {
        /// The record's topic.
        topic: String,
        /// The client's message.
        cause: ClientError,
    },
    /// Records were not acknowledged in time. The operator fixes it; what was lost must be sent again.
    #[error("{failed} records were not delivered to Kafka, first: {cause}")]
    Undelivered {
        /// How many, since the producer was opened.
        failed: u64,
        /// Why the first of them was not.
        cause: String,
    },
    /// The system has no thread left. The operator fixes it; retry.
    #[error("cannot start a thread for Kafka: {0}")]
    Thread(std::io::Error),
    /// The embedded broker cannot be started or used. No retry.
    #[error("embedded broker: {0}")]
    Mock(ClientError),
}

impl KafkaError {
    /// Why a client cannot be created. For a key to another certificate the client library has words of its own.
    pub(super) fn creating(error: ClientError) -> Self {
        match &error {
            ClientError::ClientCreation(words) if words.contains("key values mismatch") => Self::Settings {
                key: "tls_key_file",
                problem: "is not the key to the certificate in `tls_cert_file`".to_owned(),
            },
            _ => Self::Client(error),
        }
    }

    /// Whether the same may succeed later without anybody changing anything here.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Undelivered { .. } | Self::Thread(_))
    }
}
