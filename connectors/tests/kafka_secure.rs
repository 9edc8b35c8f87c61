//! Kafka over TLS with passwords and certificates: everything works, and what does not fit is named soon, with what to correct.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use streamflow_connectors::kafka::{
    Assignment, KafkaSettings, KafkaSource, Mechanism, Message, Producer, Protocol, TopicAdmin,
    TopicSettings, TransactionalProducer, latest_record,
};
use streamflow_connectors::source::{SourceEvent, Wake, host_clock};
use streamflow_model::PartitionId;
use streamflow_test_support::{Authority, KafkaServer, Security};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// A broker with TLS, and files for its clients.
struct World {
    kafka: KafkaServer,
    authority: Authority,
    directory: TempDir,
}

impl World {
    fn start() -> Self {
        let authority = Authority::new().unwrap();
        let security = Security::at_localhost(&authority, "streamflow", "s3cret").unwrap();
        let kafka = KafkaServer::start_secure(&security).unwrap();
        let world = Self { kafka, authority, directory: tempfile::tempdir().unwrap() };
        let foreign = Authority::new().unwrap();
        world.write("ca.pem", world.authority.certificate());
        world.write("foreign.pem", foreign.certificate());
        for (name, authority) in [("client", &world.authority), ("stranger", &foreign)] {
            let identity = authority.issue(name).unwrap();
            world.write(&format!("{name}.pem"), &identity.certificate);
            world.write(&format!("{name}.key"), &identity.key);
        }
        world.write("password", "s3cret\n");
        world.write("wrong", "wr0ng");
        world
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join(name), text).unwrap();
    }

    fn settings(&self) -> KafkaSettings {
        KafkaSettings {
            brokers: vec![format!("localhost:{}", self.kafka.secure_port().unwrap())],
            protocol: Protocol::SaslSsl,
            username: Some("streamflow".to_owned()),
            password_file: Some(self.directory.path().join("password")),
            tls_ca_file: Some(self.directory.path().join("ca.pem")),
            ..KafkaSettings::default()
        }
    }

    /// A client with a certificate, and without a password.
    fn with_certificate(&self, name: &str) -> KafkaSettings {
        KafkaSettings {
            brokers: vec![format!("localhost:{}", self.kafka.certificate_port().unwrap())],
            protocol: Protocol::Ssl,
            tls_ca_file: self.file("ca.pem"),
            tls_cert_file: self.file(&format!("{name}.pem")),
            tls_key_file: self.file(&format!("{name}.key")),
            ..KafkaSettings::default()
        }
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.directory.path().join(name))
    }

    /// The line that whoever starts a process with these settings reads.
    fn refusal(&self, settings: &KafkaSettings) -> String {
        let error = TopicAdmin::connect(settings).and_then(|topics| topics.partitions("any")).unwrap_err();
        assert!(!error.is_retryable(), "{error}");
        let line = error.to_string();
        assert!(!line.contains('\n') && !line.contains("wr0ng") && !line.contains("s3cret"), "{line}");
        line
    }
}

fn message(value: &str) -> Message {
    Message { key: b"key".to_vec(), value: Some(value.as_bytes().to_vec()), headers: Vec::new() }
}

/// The first record that a source delivers.
fn read(settings: &KafkaSettings, topic: &str) -> Vec<u8> {
    let assignment =
        Assignment { topic: topic.to_owned(), partition: PartitionId::FIRST, start: 0, ahead: None };
    let wake: Wake = Arc::new(|| {});
    let source = KafkaSource::start(settings, &[assignment], &host_clock(), &wake).unwrap();
    loop {
        match source.topics()[0].events.recv_timeout(PATIENCE).unwrap() {
            SourceEvent::Batch(records) => return records[0].payload.as_deref().unwrap().to_vec(),
            SourceEvent::EndOfPartition { .. } | SourceEvent::NextRecord { .. } => {}
            SourceEvent::Failed(error) => panic!("{error}"),
        }
    }
}

#[test]
fn everything_works_with_each_mechanism_and_with_a_certificate() {
    let world = World::start();
    let by = |mechanism| KafkaSettings { mechanism, ..world.settings() };
    for (topic, settings) in [
        ("plain", by(Mechanism::Plain)),
        ("sha-256", by(Mechanism::ScramSha256)),
        ("sha-512", by(Mechanism::ScramSha512)),
        ("certificate", world.with_certificate("client")),
    ] {
        let wanted = TopicSettings {
            name: topic.to_owned(),
            partitions: 1,
            replication: -1,
            configs: [("message.timestamp.type".to_owned(), "LogAppendTime".to_owned())].into(),
        };
        let topics = TopicAdmin::connect(&settings).unwrap();
        assert_eq!(topics.create_missing(&[wanted]).unwrap(), [topic]);
        topics.require_log_append_time(topic).unwrap();
        let producer = TransactionalProducer::open(&settings, "secure", PATIENCE).unwrap();
        producer.fence(PATIENCE).unwrap();
        producer.begin().unwrap();
        producer.send(topic, &message(topic), PATIENCE).unwrap();
        producer.commit(PATIENCE).unwrap();
        let plain = Producer::open(&settings).unwrap();
        plain.send(topic, b"other", Some(b"plain"), None).unwrap();
        plain.flush(PATIENCE).unwrap();
        assert_eq!(read(&settings, topic), topic.as_bytes());
        assert_eq!(latest_record(&settings, topic, b"key", PATIENCE).unwrap().unwrap(), topic.as_bytes());
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let world = World::start();
    let good = world.settings();
    let secure = format!(":{}", world.kafka.secure_port().unwrap());
    let plain = KafkaSettings::plaintext(format!("localhost{secure}"));
    let no_tls = vec![world.kafka.brokers().to_owned()];
    let wrong = KafkaSettings { password_file: world.file("wrong"), ..good.clone() };
    let (client, stranger) = (world.with_certificate("client"), world.with_certificate("stranger"));
    let cases = [
        ("`username`", KafkaSettings { mechanism: Mechanism::Plain, ..wrong.clone() }),
        ("`username`", wrong),
        ("`tls_cert_file`", stranger),
        ("`tls_cert_file`", KafkaSettings { tls_cert_file: None, tls_key_file: None, ..client.clone() }),
        ("`tls_cert_file`", KafkaSettings { tls_cert_file: world.file("client.key"), ..client.clone() }),
        ("`tls_key_file`", KafkaSettings { tls_key_file: world.file("client.pem"), ..client.clone() }),
        ("`tls_key_file`", KafkaSettings { tls_key_file: world.file("stranger.key"), ..client }),
        ("`username`", KafkaSettings { username: Some("nobody".to_owned()), ..good.clone() }),
        ("`tls_ca_file`", KafkaSettings { tls_ca_file: world.file("foreign.pem"), ..good.clone() }),
        ("`tls_ca_file`", KafkaSettings { tls_ca_file: None, ..good.clone() }),
        ("`tls_ca_file`", KafkaSettings { tls_ca_file: world.file("absent.pem"), ..good.clone() }),
        ("`tls_ca_file`", KafkaSettings { tls_ca_file: world.file("password"), ..good.clone() }),
        ("another name", KafkaSettings { brokers: vec![format!("127.0.0.1{secure}")], ..good.clone() }),
        ("`protocol`", plain),
        (
            "`protocol`",
            KafkaSettings { protocol: Protocol::SaslPlaintext, tls_ca_file: None, ..good.clone() },
        ),
        (
            "`protocol`",
            KafkaSettings { protocol: Protocol::Ssl, username: None, password_file: None, ..good.clone() },
        ),
        ("`protocol`", KafkaSettings { brokers: no_tls.clone(), ..good.clone() }),
        (
            "`protocol`",
            KafkaSettings { brokers: no_tls, protocol: Protocol::SaslPlaintext, tls_ca_file: None, ..good },
        ),
    ];
    // Each takes some seconds, most of them waiting.
    let lines: Vec<(&str, String)> = std::thread::scope(|scope| {
        let asking = cases.iter().map(|(key, settings)| (*key, scope.spawn(|| world.refusal(settings))));
        let asking: Vec<_> = asking.collect();
        asking.into_iter().map(|(key, asked)| (key, asked.join().unwrap_or_default())).collect()
    });
    for (key, line) in &lines {
        println!("{line}");
        assert!(line.contains(key), "{key} is not in: {line}");
    }
}
