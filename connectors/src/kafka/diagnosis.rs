//! Why brokers that answer reject a client: the client library reports it in its log, not with the request
//! that fails.
//!
//! A user, a certificate or a protocol that does not fit will not fit in half a minute either, so whoever
//! starts a process learns at once what to fix. A failure that a starting broker may cause too counts only
//! when it is repeated.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError as ClientError;

use super::client::Logging;

/// Why a client is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Diagnosis {
    /// The settings to look at.
    pub(super) settings: &'static str,
    /// The client library's message.
    pub(super) problem: String,
    /// Whether it is certain: a well-configured broker never causes it, however busy.
    pub(super) is_certain: bool,
}

const CERTIFICATE: &str = "`tls_cert_file`: brokers ask for a certificate of an authority that they trust";

/// Parts of the client library's messages, of which the first match wins; the settings to fix; whether that
/// is certain.
const SYMPTOMS: [(&str, &str, bool); 10] = [
    // What brokers answer to a certificate that is missing, and to one of an authority that they do not know.
    ("alert bad certificate", CERTIFICATE, true),
    ("alert certificate", CERTIFICATE, true),
    ("alert unknown ca", CERTIFICATE, true),
    ("SASL authentication error", "`username`, its password and `mechanism`", true),
    ("mechanism handshake failed", "`mechanism` and `protocol`", true),
    // The client library has the same message for both.
    (
        "certificate verify failed",
        "`tls_ca_file` and `brokers`: another authority's certificate, or for another name",
        true,
    ),
    ("PLAINTEXT broker listener", "`protocol`: this port may be one without TLS", false),
    ("SSL handshake failed", "`protocol` and `tls_ca_file`", false),
    // Closed upon the first request, and upon the first that needs a user.
    ("in state APIVERSION_QUERY", "`protocol`: this port may be one with TLS", false),
    ("in state UP", "`protocol`: this port may be one with SASL", false),
];

impl Diagnosis {
    fn of(message: &str) -> Option<Self> {
        let (_, settings, is_certain) = SYMPTOMS.into_iter().find(|(words, ..)| message.contains(words))?;
        // Behind the name of a thread, which nobody knows.
        let problem = message.split_once("]: ").map_or(message, |(_, problem)| problem);
        Some(Self { settings, problem: problem.to_owned(), is_certain })
    }
}

/// As [`Logging`], and remembers why the last connection failed instead of logging it, where that keeps the
/// client out.
#[derive(Clone, Default)]
pub(super) struct Diagnosing {
    last: Arc<Mutex<Option<Diagnosis>>>,
    logging: Arc<Logging>,
}

impl Diagnosing {
    /// Why the last connection failed. The client library is silent about the same failure for half a minute.
    pub(super) fn last(&self) -> Option<Diagnosis> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Diagnosis>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Diagnosing {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let diagnosis = if facility == "FAIL" { Diagnosis::of(message) } else { None };
        if diagnosis.is_none() {
            self.logging.log(level, facility, message);
        }
        if facility == "FAIL" {
            *self.lock() = diagnosis;
        }
    }

    /// Whether it has been logged.
    fn error(&self, error: ClientError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka client");
    }
}

impl ConsumerContext for Diagnosing {}
