//! Where Kafka is, how to talk to it, and how eagerly.

use std::fs;
use std::path::{Path, PathBuf};

use rdkafka::ClientConfig;
use serde::Deserialize;

use super::error::KafkaError;
use crate::password::read_password;

/// Encryption and authentication of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Neither. For trusted networks.
    #[default]
    Plaintext,
    /// Encrypted; the user, if brokers ask for one, is that of the client's certificate.
    Ssl,
    /// User and password, not encrypted: SCRAM never sends the password, but anybody can read the records.
    SaslPlaintext,
    /// User and password, encrypted.
    SaslSsl,
}

/// How a password is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Mechanism {
    /// By sending it, so encrypted only.
    #[serde(rename = "PLAIN")]
    Plain,
    /// SCRAM with SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// SCRAM with SHA-512.
    #[default]
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

/// How records are packed by a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip: small, slow.
    Gzip,
    /// Snappy: quick.
    Snappy,
    /// LZ4: quick.
    Lz4,
    /// Zstandard: small, and quicker than gzip.
    Zstd,
}

impl Compression {
    /// As the client calls it.
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// Connection settings. They name where the password is and never hold it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaSettings {
    /// Addresses to begin with, `host:port` each; the other brokers are learned from them.
    pub brokers: Vec<String>,
    /// Encryption and authentication.
    pub protocol: Protocol,
    /// How the password is proven; with a `sasl_*` protocol only.
    pub mechanism: Mechanism,
    /// User name; with a `sasl_*` protocol only.
    pub username: Option<String>,
    /// Environment variable that holds the password.
    pub password_env: Option<String>,
    /// File that holds the password; one newline at its end is ignored.
    pub password_file: Option<PathBuf>,
    /// PEM file with the certificates to trust; without it the system's.
    pub tls_ca_file: Option<PathBuf>,
    /// PEM file with this client's certificate and those between it and an authority that the brokers trust.
    pub tls_cert_file: Option<PathBuf>,
    /// PEM file with the key to it, not encrypted.
    pub tls_key_file: Option<PathBuf>,
    /// Shown in the brokers' logs and quotas.
    pub client_id: String,
    /// How records are read.
    pub source: SourceSettings,
    /// How records are written.
    pub producer: ProducerSettings,
}

/// How records are read. A batch goes out when the first of its limits is reached.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceSettings {
    /// Records in one batch at most.
    pub batch_records: usize,
    /// Bytes of keys and payloads in one batch at most (the last record may exceed it).
    pub batch_bytes: usize,
    /// How long a batch's first record waits for others, ms.
    pub linger_ms: u64,
    /// Batches of a topic that wait for the worker at most; then reading it pauses.
    pub queued_batches: usize,
    /// Memory for records fetched ahead, KiB for each topic and worker.
    pub prefetch_kib: u32,
    /// How long a broker without news holds a fetch, ms.
    pub fetch_wait_ms: u32,
}

/// How records are written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProducerSettings {
    /// Whether retries are kept from duplicating or reordering records.
    pub idempotent: bool,
    /// How records are packed.
    pub compression: Compression,
    /// How long a record waits for others before it is sent, ms.
    pub linger_ms: u32,
    /// Memory for records not yet acknowledged, KiB; when it is full, sending waits.
    pub buffer_kib: u32,
    /// How long a record is tried before it counts as undelivered, ms.
    pub delivery_timeout_ms: u32,
}

impl Default for KafkaSettings {
    fn default() -> Self {
        Self {
            brokers: vec!["localhost:9092".to_owned()],
            protocol: Protocol::default(),
            mechanism: Mechanism::default(),
            username: None,
            password_env: None,
            password_file: None,
            tls_ca_file: None,
            tls_cert_file: None,
            tls_key_file: None,
            client_id: "streamflow".to_owned(),
            source: SourceSettings::default(),
            producer: ProducerSettings::default(),
        }
    }
}

impl Default for SourceSettings {
    fn default() -> Self {
        Self {
            batch_records: 1_024,
            batch_bytes: 1 << 20,
            linger_ms: 1,
            queued_batches: 8,
            prefetch_kib: 16 * 1024,
            fetch_wait_ms: 100,
        }
    }
}

impl Default for ProducerSettings {
    fn default() -> Self {
        Self {
            idempotent: true,
            compression: Compression::default(),
            linger_ms: 2,
            buffer_kib: 64 * 1024,
            delivery_timeout_ms: 120_000,
        }
    }
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }

    fn has_user(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    fn is_encrypted(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }
}

impl Mechanism {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl KafkaSettings {
    /// Settings for brokers at `address` (`host:port`) without encryption, the rest as by default.
    pub fn plaintext(address: impl Into<String>) -> Self {
        Self { brokers: vec![address.into()], ..Self::default() }
    }

    /// Checks what can be checked without a broker and without reading the password.
    ///
    /// # Errors
    /// [`KafkaError::Settings`] naming the key and what is allowed.
    pub fn check(&self) -> Result<(), KafkaError> {
        let protocol = self.protocol.name();
        if self.brokers.is_empty() || self.brokers.iter().any(|broker| !is_address(broker)) {
            return Err(problem("brokers", "at least one is needed, each as host:port"));
        }
        if self.protocol.has_user() != self.username.is_some() {
            let text = format!("needed with a sasl_* protocol only; the protocol is `{protocol}`");
            return Err(problem("username", text));
        }
        let passwords = usize::from(self.password_env.is_some()) + usize::from(self.password_file.is_some());
        if passwords != usize::from(self.protocol.has_user()) {
            let text = "with a sasl_* protocol give either password_env or password_file, else neither";
            return Err(problem("password_file", text));
        }
        if self.mechanism == Mechanism::Plain && self.protocol == Protocol::SaslPlaintext {
            let text =
                "PLAIN would send the password readable for anybody; use `protocol: sasl_ssl` or SCRAM";
            return Err(problem("mechanism", text));
        }
        for (key, file) in [("tls_ca_file", &self.tls_ca_file), ("tls_cert_file", &self.tls_cert_file)] {
            if file.is_some() && !self.protocol.is_encrypted() {
                return Err(problem(key, format!("has no effect with `protocol: {protocol}`")));
            }
        }
        if self.tls_cert_file.is_some() != self.tls_key_file.is_some() {
            return Err(problem("tls_key_file", "give both tls_cert_file and tls_key_file, or neither"));
        }
        self.source.check()?;
        self.producer.check()
    }

    /// What all clients have in common. Producers, consumers and admin clients add their own options.
    ///
    /// # Errors
    /// [`KafkaError::Settings`] where a setting is wrong or the password cannot be read.
    pub fn client_config(&self) -> Result<ClientConfig, KafkaError> {
        self.check()?;
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.brokers.join(","))
            .set("client.id", &self.client_id)
            .set("security.protocol", self.protocol.name())
            // A misspelt topic is to be an error, not a new topic with one partition and a week's retention.
            .set("allow.auto.create.topics", "false")
            // Middleboxes drop connections that are silent for long, as those to dimension topics are.
            .set("socket.keepalive.enable", "true")
            // A broker closes idle connections as a matter of course; that is nothing to log.
            .set("log.connection.close", "false")
            // A restarted broker is found again within this, not within ten seconds.
            .set("reconnect.backoff.max.ms", "2000");
        if self.protocol.has_user() {
            config
                .set("sasl.mechanism", self.mechanism.name())
                .set("sasl.username", self.username.as_deref().unwrap_or_default())
                // Read anew for each client, so that a rotated one is picked up.
                .set("sasl.password", self.password()?);
        }
        // A private authority, as an operator in Kubernetes issues them, is not in the system's store.
        for (key, file, option) in [
            ("tls_ca_file", &self.tls_ca_file, "ssl.ca.location"),
            ("tls_cert_file", &self.tls_cert_file, "ssl.certificate.location"),
        ] {
            if let Some(path) = file {
                check_pem(key, path, "CERTIFICATE", "holds no certificate")?;
                config.set(option, path.to_string_lossy());
            }
        }
        if let Some(path) = &self.tls_key_file {
            check_pem("tls_key_file", path, "PRIVATE KEY", "holds no key")?;
            config.set("ssl.key.location", path.to_string_lossy());
        }
        Ok(config)
    }

    /// The client library's configuration of a producer whose records all replicas in sync hold, and which
    /// shares records out as every other producer does.
    ///
    /// # Errors
    /// As [`KafkaSettings::client_config`].
    pub fn producer_config(&self) -> Result<ClientConfig, KafkaError> {
        let mut config = self.client_config()?;
        let producer = &self.producer;
        config
            // Only what all replicas in sync hold survives the loss of a broker.
            .set("acks", "all")
            .set("linger.ms", producer.linger_ms.to_string())
            .set("queue.buffering.max.kbytes", producer.buffer_kib.to_string())
            // The bound is bytes: the default of 100,000 messages would stall small records at a tenth of it.
            .set("queue.buffering.max.messages", "0")
            // As Java clients partition: all events of a customer share a partition, whoever sends them.
            .set("partitioner", "murmur2_random")
            .set("compression.type", producer.compression.name());
        Ok(config)
    }

    /// As [`KafkaSettings::producer_config`], for one without transactions.
    ///
    /// # Errors
    /// As [`KafkaSettings::client_config`].
    pub fn plain_producer_config(&self) -> Result<ClientConfig, KafkaError> {
        let mut config = self.producer_config()?;
        config
            // The broker sorts out repeated attempts; without it they duplicate and reorder records.
            .set("enable.idempotence", self.producer.idempotent.to_string())
            .set("delivery.timeout.ms", self.producer.delivery_timeout_ms.to_string());
        Ok(config)
    }

    fn password(&self) -> Result<String, KafkaError> {
        read_password(self.password_env.as_deref(), self.password_file.as_deref())
            .map_err(|(key, what)| problem(key, what))?
            .ok_or_else(|| problem("password_file", "is missing"))
    }
}

/// The client library's message for a file without what it should hold names neither the file nor the key.
fn check_pem(key: &'static str, path: &Path, label: &str, otherwise: &str) -> Result<(), KafkaError> {
    let problem = |what: String| problem(key, format!("`{}`: {what}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
    let holds = text.lines().any(|line| line.starts_with("-----BEGIN ") && line.contains(label));
    if text.contains("-----BEGIN ENCRYPTED") {
        return Err(problem(
            "is encrypted; give the key as it is, in a file that only this user can read".to_owned(),
        ));
    }
    if holds { Ok(()) } else { Err(problem(otherwise.to_owned())) }
}

impl SourceSettings {
    fn check(&self) -> Result<(), KafkaError> {
        for (key, number) in [
            ("source.batch_records", self.batch_records),
            ("source.batch_bytes", self.batch_bytes),
            ("source.queued_batches", self.queued_batches),
            ("source.prefetch_kib", self.prefetch_kib as usize),
        ] {
            if number == 0 {
                return Err(problem(key, "0 is not allowed"));
            }
        }
        // The client library's own limits, but for the wait: a broker that answers nothing for 5 s counts as away.
        for (key, number, limit) in [
            ("source.prefetch_kib", u64::from(self.prefetch_kib), 2_097_151),
            ("source.fetch_wait_ms", u64::from(self.fetch_wait_ms), 4_000),
            ("source.linger_ms", self.linger_ms, 10_000),
        ] {
            if number > limit {
                return Err(problem(key, format!("{number} exceeds {limit}")));
            }
        }
        Ok(())
    }
}

impl ProducerSettings {
    fn check(&self) -> Result<(), KafkaError> {
        if self.linger_ms >= self.delivery_timeout_ms {
            return Err(problem("producer.delivery_timeout_ms", "must be more than producer.linger_ms"));
        }
        if self.buffer_kib == 0 || self.buffer_kib > 2_097_151 {
            return Err(problem("producer.buffer_kib", "1 to 2097151 are allowed"));
        }
        Ok(())
    }
}

fn is_address(broker: &str) -> bool {
    broker
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && !host.contains(',') && port.parse::<u16>().is_ok())
}

fn problem(key: &'static str, problem: impl Into<String>) -> KafkaError {
    KafkaError::Settings { key, problem: problem.into() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn wrong_key(settings: &KafkaSettings) -> &'static str {
        match settings.check() {
            Err(KafkaError::Settings { key, .. }) => key,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn defaults_are_allowed() {
        KafkaSettings::default().check().unwrap();
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let good = KafkaSettings::plaintext("kafka:9092");
        for brokers in [vec![], vec!["kafka".to_owned()], vec!["a:1,b:2".to_owned()], vec!["a:x".to_owned()]]
        {
            assert_eq!(wrong_key(&KafkaSettings { brokers, ..good.clone() }), "brokers");
        }
        let username = Some("streamflow".to_owned());
        assert_eq!(wrong_key(&KafkaSettings { username, ..good.clone() }), "username");
        let password_env = Some("PASSWORD".to_owned());
        assert_eq!(wrong_key(&KafkaSettings { password_env, ..good.clone() }), "password_file");
        let tls_ca_file = Some(PathBuf::from("ca.pem"));
        assert_eq!(wrong_key(&KafkaSettings { tls_ca_file, ..good.clone() }), "tls_ca_file");
        let file = || Some(PathBuf::from("client.pem"));
        let certificate = KafkaSettings { tls_cert_file: file(), tls_key_file: file(), ..good.clone() };
        assert_eq!(wrong_key(&certificate), "tls_cert_file");
        let encrypted = KafkaSettings { protocol: Protocol::Ssl, ..certificate };
        encrypted.check().unwrap();
        assert_eq!(wrong_key(&KafkaSettings { tls_key_file: None, ..encrypted }), "tls_key_file");
        let readable = KafkaSettings {
            protocol: Protocol::SaslPlaintext,
            mechanism: Mechanism::Plain,
            username: Some("streamflow".to_owned()),
            password_file: file(),
            ..good.clone()
        };
        assert_eq!(wrong_key(&readable), "mechanism");
        let source = SourceSettings { queued_batches: 0, ..SourceSettings::default() };
        assert_eq!(wrong_key(&KafkaSettings { source, ..good.clone() }), "source.queued_batches");
        let producer = ProducerSettings { delivery_timeout_ms: 1, ..ProducerSettings::default() };
        assert_eq!(wrong_key(&KafkaSettings { producer, ..good }), "producer.delivery_timeout_ms");
    }

    fn with_password(password: &str) -> (tempfile::NamedTempFile, KafkaSettings) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, password).unwrap();
        let settings = KafkaSettings {
            protocol: Protocol::SaslSsl,
            username: Some("streamflow".to_owned()),
            password_file: Some(file.path().to_owned()),
            ..KafkaSettings::default()
        };
        (file, settings)
    }

    #[test]
    fn a_password_is_used_and_never_shown() {
        let (file, settings) = with_password("s3cret word\n");
        let config = settings.client_config().unwrap();
        assert_eq!(config.get("sasl.password"), Some("s3cret word"));
        assert_eq!(config.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert!(!format!("{settings:?} {config:?}").contains("s3cret"));
        // Cargo sets it for tests.
        let variable = Some("CARGO_PKG_NAME".to_owned());
        let by_variable =
            KafkaSettings { password_file: None, password_env: variable, ..settings.clone() }.client_config();
        assert_eq!(by_variable.unwrap().get("sasl.password"), Some("streamflow-connectors"));
        drop(file);
        let error = settings.client_config().unwrap_err();
        assert!(error.to_string().starts_with("kafka setting `password_file`"));
    }
}
