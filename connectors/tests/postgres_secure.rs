//! PostgreSQL over TLS that really verifies, with passwords that are proven by SCRAM and shown nowhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use streamflow_connectors::postgres::{
    ErrorClass, PostgresError, PostgresSettings, PrivateOptions, PrivatePostgres, TlsMode, connect,
};
use streamflow_test_support::{Authority, Identity};

/// After this a change of the server's configuration is not going to take effect.
const PATIENCE: Duration = Duration::from_secs(60);

const PASSWORD: &str = "s3cret \u{e9}'\\ =&";

/// A server that listens on TCP, and files for its clients.
struct World {
    server: PrivatePostgres,
    authority: Authority,
}

impl World {
    fn start() -> Self {
        let options = PrivateOptions { tcp: true, ..PrivateOptions::default() };
        let (server, authority) = (PrivatePostgres::start(&options).unwrap(), Authority::new().unwrap());
        let world = Self { server, authority };
        world.write("ca.pem", world.authority.certificate());
        world.write("foreign.pem", Authority::new().unwrap().certificate());
        world
    }

    /// Writes a file as the server's own.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let (path, owner) =
            (self.server.directory().join(name), fs::metadata(self.server.directory()).unwrap());
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
        path
    }

    fn file(&self, name: &str) -> PathBuf {
        self.server.directory().join(name)
    }

    /// Settings with a certificate of this client, which stands under `name`.
    fn with_certificate(
        &self,
        authority: &Authority,
        name: &str,
        settings: &PostgresSettings,
    ) -> PostgresSettings {
        let Identity { certificate, key } = authority.issue("app").unwrap();
        PostgresSettings {
            user: "app".to_owned(),
            password_file: None,
            tls_cert_file: Some(self.write(&format!("{name}.crt"), &certificate)),
            tls_key_file: Some(self.write(&format!("{name}.key"), &key)),
            ..settings.clone()
        }
    }

    fn execute(&self, statements: &[String]) {
        let mut client = connect(&self.server.settings()).unwrap();
        statements.iter().for_each(|statement| client.batch_execute(statement).unwrap());
    }

    /// Turns TLS on with a certificate for 127.0.0.1. Clients whose certificate is of the authority in `ca.pem` may
    /// show it.
    fn serve_tls(&self) {
        let Identity { certificate, key } = self.authority.issue("127.0.0.1").unwrap();
        let (certificate, key) = (self.write("server.crt", &certificate), self.write("server.key", &key));
        self.execute(&[
            format!("ALTER SYSTEM SET ssl_cert_file = '{}'", certificate.display()),
            format!("ALTER SYSTEM SET ssl_key_file = '{}'", key.display()),
            format!("ALTER SYSTEM SET ssl_ca_file = '{}'", self.file("ca.pem").display()),
            "ALTER SYSTEM SET ssl = on".to_owned(),
            "SELECT pg_reload_conf()".to_owned(),
        ]);
        // The reload takes effect a moment later.
        let settings = PostgresSettings { tls: TlsMode::Require, ..self.plain() };
        while let Err(error) = connect(&settings) {
            assert!(error.to_string().contains("does not support TLS"), "{error}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn plain(&self) -> PostgresSettings {
        self.server.tcp_settings().unwrap()
    }

    fn verifying(&self, ca_file: &str) -> PostgresSettings {
        let tls_ca_file = Some(self.file(ca_file));
        PostgresSettings { tls: TlsMode::VerifyFull, tls_ca_file, ..self.plain() }
    }
}

fn refusal(settings: &PostgresSettings) -> PostgresError {
    let error = connect(settings).err().unwrap();
    println!("{error}");
    assert!(!error.is_retryable(), "{error}");
    assert_eq!(error.class(), ErrorClass::User);
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

fn is_encrypted(settings: &PostgresSettings) -> bool {
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    connect(settings).unwrap().query_one(sql, &[]).unwrap().get(0)
}

#[test]
fn a_server_without_tls_is_refused() {
    let world = World::start();
    let require = PostgresSettings { tls: TlsMode::Require, ..world.plain() };
    for settings in [require, world.verifying("ca.pem")] {
        let line = refusal(&settings).to_string();
        assert!(line.contains("does not support TLS"), "{line}");
    }
}

#[test]
fn chain_and_host_name_are_verified() {
    let world = World::start();
    world.serve_tls();
    assert!(!is_encrypted(&world.plain()));
    assert!(is_encrypted(&PostgresSettings { tls: TlsMode::Require, ..world.plain() }));
    assert!(is_encrypted(&world.verifying("ca.pem")));
    let line = refusal(&world.verifying("foreign.pem")).to_string();
    assert!(line.contains("certificate"), "{line}");
    let by_name = PostgresSettings { hosts: vec!["localhost".to_owned()], ..world.verifying("ca.pem") };
    let line = refusal(&by_name).to_string();
    assert!(line.contains("not valid for name"), "{line}");
    for file in ["absent.pem", "server.key"] {
        let error = refusal(&world.verifying(file));
        assert!(matches!(error, PostgresError::Settings { key: "tls_ca_file", .. }), "{error}");
    }
}

#[test]
fn the_chain_alone_is_verified_where_the_name_is_another() {
    let world = World::start();
    world.serve_tls();
    let by_name = PostgresSettings {
        hosts: vec!["localhost".to_owned()],
        tls: TlsMode::VerifyCa,
        ..world.verifying("ca.pem")
    };
    assert!(is_encrypted(&by_name));
    let foreign = PostgresSettings { tls: TlsMode::VerifyCa, ..world.verifying("foreign.pem") };
    let line = refusal(&foreign).to_string();
    assert!(line.contains("certificate"), "{line}");
}

#[test]
fn a_client_is_known_by_its_certificate() {
    let world = World::start();
    world.serve_tls();
    world.write("data/pg_hba.conf", "local all all trust\nhostssl all all 127.0.0.1/32 cert\n");
    world.execute(&["CREATE ROLE app LOGIN".to_owned(), "SELECT pg_reload_conf()".to_owned()]);
    let own = world.with_certificate(&world.authority, "own", &world.verifying("ca.pem"));
    let begun = Instant::now();
    while let Err(error) = connect(&own) {
        assert!(begun.elapsed() < PATIENCE, "{error}");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(is_encrypted(&own));
    let none = PostgresSettings { tls_cert_file: None, tls_key_file: None, ..own.clone() };
    let line = refusal(&none).to_string();
    assert!(line.contains("requires a valid client certificate"), "{line}");
    let other = PostgresSettings { user: "streamflow".to_owned(), ..own.clone() };
    assert!(refusal(&other).to_string().contains("28000"));
    let foreign = world.with_certificate(&Authority::new().unwrap(), "other", &own);
    refusal(&foreign);
    let mixed = PostgresSettings { tls_key_file: foreign.tls_key_file, ..own.clone() };
    let line = refusal(&mixed).to_string();
    assert!(line.contains("`tls_key_file`") && line.contains("other.key"), "{line}");
    for (key, settings) in [
        ("tls_cert_file", PostgresSettings { tls_cert_file: own.tls_key_file.clone(), ..own.clone() }),
        ("tls_cert_file", PostgresSettings { tls_cert_file: Some(world.file("absent")), ..own.clone() }),
        ("tls_key_file", PostgresSettings { tls_key_file: own.tls_cert_file.clone(), ..own }),
    ] {
        let error = refusal(&settings);
        assert!(matches!(error, PostgresError::Settings { key: named, .. } if named == key), "{error}");
    }
}

#[test]
fn a_password_is_proven_by_scram_and_shown_nowhere() {
    let world = World::start();
    world.serve_tls();
    let quoted = PASSWORD.replace('\'', "''");
    world.execute(&[format!(
        "SET password_encryption = 'scram-sha-256'; CREATE ROLE app LOGIN PASSWORD '{quoted}'"
    )]);
    let file = world.write("app", &format!("{PASSWORD}\n"));
    let settings =
        PostgresSettings { user: "app".to_owned(), password_file: Some(file), ..world.verifying("ca.pem") };
    assert!(is_encrypted(&settings));
    assert!(!format!("{settings:?}").contains("s3cret"));
    let wrong = PostgresSettings { password_file: Some(world.write("wrong", "wr0ng")), ..settings.clone() };
    let line = refusal(&wrong).to_string();
    assert!(line.contains("28P01") && line.contains("app@127.0.0.1"), "{line}");
    assert!(!line.contains("wr0ng"), "{line}");
    let none = PostgresSettings { password_file: None, ..settings };
    let line = refusal(&none).to_string();
    assert!(line.contains("password"), "{line}");
}
