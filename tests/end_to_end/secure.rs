//! The whole pipeline over TLS with passwords that SCRAM proves, and what a start says where something does
//! not fit.

use crate::command::{self, Running};
use crate::foreign;
use postgres::Client;
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres, connect};
use streamflow_test_support::{Authority, Identity, KafkaServer, Security};
use tempfile::TempDir;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Neither may show anywhere.
const KAFKA_PASSWORD: &str = "kafka-s3cret";
const POSTGRES_PASSWORD: &str = "postgres-s3cret";

/// Servers that take nothing but TLS from this pipeline.
struct World {
    kafka: KafkaServer,
    postgres: PrivatePostgres,
    directory: TempDir,
}

impl World {
    fn start() -> Self {
        let authority = Authority::new().unwrap();
        let security = Security::at_localhost(&authority, "streamflow", KAFKA_PASSWORD).unwrap();
        let kafka = KafkaServer::start_secure(&security).unwrap();
        let options = PrivateOptions { tcp: true, ..PrivateOptions::default() };
        let postgres = PrivatePostgres::start(&options).unwrap();
        let world = Self { kafka, postgres, directory: tempfile::tempdir().unwrap() };
        for (name, text) in [
            ("ca.pem", authority.certificate()),
            ("foreign.pem", Authority::new().unwrap().certificate()),
            ("kafka-password", KAFKA_PASSWORD),
            ("postgres-password", POSTGRES_PASSWORD),
            ("config.yaml", &world.configuration().to_string()),
        ] {
            fs::write(world.file(name), text).unwrap();
        }
        for topic in ["customers", "stores", "products", "blacklist", "rules", "transactions"] {
            world.kafka.create_topic(topic, 1, &[("message.timestamp.type", "LogAppendTime")]).unwrap();
        }
        world.serve_tls(&authority.issue("127.0.0.1").unwrap());
        world
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The owner's connection, over the socket.
    fn connect(&self) -> Client {
        connect(&self.postgres.settings()).unwrap()
    }

    /// Turns TLS on, and plain connections off.
    fn serve_tls(&self, identity: &Identity) {
        let owner = fs::metadata(self.postgres.directory()).unwrap();
        let write = |name: &str, text: &str| {
            let path = self.postgres.directory().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
            path
        };
        let (certificate, key) =
            (write("server.crt", &identity.certificate), write("server.key", &identity.key));
        write("data/pg_hba.conf", "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n");
        let mut client = self.connect();
        for statement in [
            format!("CREATE ROLE pipeline LOGIN SUPERUSER PASSWORD '{POSTGRES_PASSWORD}'"),
            format!("ALTER SYSTEM SET ssl_cert_file = '{}'", certificate.display()),
            format!("ALTER SYSTEM SET ssl_key_file = '{}'", key.display()),
            "ALTER SYSTEM SET ssl = on".to_owned(),
            "SELECT pg_reload_conf()".to_owned(),
        ] {
            client.batch_execute(&statement).unwrap();
        }
        // The reload takes effect a moment later, for new connections.
        while self.connect().query_one("SHOW ssl", &[]).unwrap().get::<_, &str>(0) != "on" {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn configuration(&self) -> Value {
        let settings = self.postgres.tcp_settings().unwrap();
        json!({
            "kafka": {
                "brokers": [format!("localhost:{}", self.kafka.secure_port().unwrap())],
                "protocol": "sasl_ssl",
                "mechanism": "SCRAM-SHA-512",
                "username": "streamflow",
                "password_file": self.file("kafka-password"),
                "tls_ca_file": self.file("ca.pem"),
            },
            "postgres": {
                "hosts": settings.hosts,
                "port": settings.port,
                "user": "pipeline",
                "password_file": self.file("postgres-password"),
                "tls": "verify-full",
                "tls_ca_file": self.file("ca.pem"),
            },
            "metrics": {"listen": "127.0.0.1:0"},
            "topics": {
                "transactions": ["transactions"], "customers": "customers", "stores": "stores",
                "products": "products", "blacklist": "blacklist", "rules": "rules",
            },
        })
    }

    /// A command with further settings that logs all there is to log.
    fn command(&self, name: &str, settings: &[String]) -> Running {
        let config = self.file("config.yaml");
        let mut arguments = vec![name, "--config", config.to_str().unwrap()];
        arguments.extend(settings.iter().flat_map(|setting| ["--set", setting.as_str()]));
        let mut all = vec!["--log-format", "json"];
        all.extend(arguments);
        Running::start_with(&all, &self.file(&format!("{name}.log")), Some(("RUST_LOG", "trace".to_owned())))
    }

    /// The line with which a start ends.
    fn refusal(&self, name: &str, settings: &[String]) -> String {
        let mut command = self.command(name, settings);
        let status = command.wait();
        let printed = command.printed();
        assert_eq!(status.code(), Some(1), "{settings:?}: {printed}");
        assert_no_secret(&printed);
        assert_eq!(said(&command), "", "{settings:?}");
        let messages = printed.lines().filter_map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["fields"]["message"].as_str().map(str::to_owned)
        });
        let fatal: Vec<String> = messages.filter(|message| message.starts_with("streamflow: ")).collect();
        let [line] = fatal.as_slice() else { panic!("{settings:?}: {fatal:?}") };
        line.clone()
    }
}

/// What a command printed beside its log.
fn said(command: &Running) -> String {
    let printed = command.printed();
    let lines: Vec<&str> = printed.lines().filter(|line| !line.starts_with('{')).collect();
    lines.join("\n")
}

fn assert_no_secret(printed: &str) {
    for secret in [KAFKA_PASSWORD, POSTGRES_PASSWORD, "wr0ng"] {
        assert!(!printed.contains(secret), "{secret} is shown");
    }
}

#[test]
fn the_pipeline_runs_over_tls_and_shows_no_password() {
    let world = World::start();
    let config = world.file("config.yaml");
    let by_variable = ["--set", "postgres.password_file=null", "--set", "postgres.password_env=SECRET"];
    let arguments = [&["migrate", "--config", config.to_str().unwrap()], &by_variable[..]].concat();
    let variable = Some(("SECRET", POSTGRES_PASSWORD.to_owned()));
    let mut migrate = Running::start_with(&arguments, &world.file("migrate.log"), variable);
    assert!(migrate.wait().success(), "{}", migrate.printed());
    let mut run = world.command("run", &[]);
    let batches = [foreign::ordinary(), foreign::refused()];
    let events: i64 = batches.iter().map(|batch| batch.events).sum();
    batches.iter().for_each(|batch| world.kafka.write("transactions", None, &batch.bytes).unwrap());
    let mut client = world.connect();
    let begun = Instant::now();
    let read = "SELECT coalesce(sum(events), 0)::int8 FROM streamflow.books WHERE account = 'read'";
    let published =
        || world.kafka.read("streamflow.dlq", "%o\n").map_or(0, |offsets| offsets.lines().count() as i64);
    let letters: i64 = foreign::REFUSED.iter().map(|(_, events)| events).sum();
    while client.query_one(read, &[]).unwrap().get::<_, i64>(0) < events || published() < letters {
        assert!(run.ended().is_none() && begun.elapsed() < PATIENCE, "{}", said(&run));
        std::thread::sleep(Duration::from_millis(100));
    }
    let encrypted = "SELECT bool_and(ssl), count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
         WHERE application_name = 'streamflow' AND usename = 'pipeline'";
    let row = client.query_one(encrypted, &[]).unwrap();
    assert!(row.get::<_, bool>(0) && row.get::<_, i64>(1) > 0);
    assert!(run.terminate().success(), "{}", said(&run));
    assert_no_secret(&run.printed());
}

#[test]
fn a_start_that_does_not_fit_says_what_to_correct() {
    let world = World::start();
    let config = world.file("config.yaml");
    command::succeed(&["migrate", "--config", config.to_str().unwrap()]);
    fs::write(world.file("wrong"), "wr0ng").unwrap();
    let set = |key: &str, value: &str| format!("{key}={value}");
    let file = |key: &str, name: &str| set(key, world.file(name).to_str().unwrap());
    let plain = world.kafka.brokers();
    for (setting, words) in [
        (file("kafka.password_file", "wrong"), "`username`, its password"),
        (file("kafka.password_file", "absent"), "kafka setting `password_file`"),
        (file("kafka.tls_ca_file", "foreign.pem"), "`tls_ca_file`"),
        (set("kafka.brokers", &format!("[{plain}]")), "`protocol`"),
        (file("postgres.password_file", "wrong"), "28P01"),
        (file("postgres.password_file", "absent"), "postgres setting `password_file`"),
        (file("postgres.tls_ca_file", "foreign.pem"), "certificate"),
        (set("postgres.hosts", "[localhost]"), "not valid for name"),
    ] {
        let line = world.refusal("run", &[setting]);
        assert!(line.starts_with("streamflow: ") && line.contains(words), "{words} is not in: {line}");
    }
    let unencrypted = [set("postgres.tls", "disable"), set("postgres.tls_ca_file", "null")];
    let line = world.refusal("run", &unencrypted);
    assert!(line.contains("pg_hba.conf") && line.contains("28000"), "{line}");
}
