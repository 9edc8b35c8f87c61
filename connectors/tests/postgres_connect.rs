//! Connecting: TLS that really verifies, and errors that say what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use streamflow_connectors::postgres::{
    Mender, PostgresError, PrivateOptions, PrivatePostgres, Settings, TlsMode, connect,
};

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    Authority { pem, issuer }
}

/// Turns TLS on with a certificate for `name`.
fn serve_tls(server: &PrivatePostgres, authority: &Authority, name: &str) {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority.issuer).unwrap();
    let owner = fs::metadata(server.directory()).unwrap();
    let write = |file: &str, text: &str| {
        let path = server.directory().join(file);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
        path.display().to_string()
    };
    let certificate_file = write("server.crt", &certificate.pem());
    let key_file = write("server.key", &key.serialize_pem());
    let mut client = connect(&server.settings()).unwrap();
    for statement in [
        format!("ALTER SYSTEM SET ssl_cert_file = '{certificate_file}'"),
        format!("ALTER SYSTEM SET ssl_key_file = '{key_file}'"),
        "ALTER SYSTEM SET ssl = on".to_owned(),
        "SELECT pg_reload_conf()".to_owned(),
    ] {
        client.batch_execute(&statement).unwrap();
    }
    // The reload takes effect a moment later.
    let settings = Settings { tls: TlsMode::Require, ..server.tcp_settings().unwrap() };
    for _ in 0..200 {
        if connect(&settings).is_ok() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("TLS does not come up: {:?}", connect(&settings).err());
}

fn encrypted(settings: &Settings) -> bool {
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let mut client = connect(settings).unwrap();
    client.query_one(sql, &[]).unwrap().get(0)
}

#[test]
fn tls_verifies_chain_and_host_name() {
    let options = PrivateOptions { tcp: true, ..PrivateOptions::default() };
    let server = PrivatePostgres::start(&options).unwrap();
    let plain = server.tcp_settings().unwrap();
    let require = Settings { tls: TlsMode::Require, ..plain.clone() };
    let error = connect(&require).err().unwrap();
    assert!(error.to_string().contains("does not support TLS"), "{error}");
    assert!(!error.is_retryable());

    let ours = authority();
    let foreign = authority();
    let ca_file = server.directory().join("ca.pem");
    let foreign_file = server.directory().join("foreign.pem");
    fs::write(&ca_file, &ours.pem).unwrap();
    fs::write(&foreign_file, &foreign.pem).unwrap();
    let verify = |ca_file: &PathBuf| Settings {
        tls: TlsMode::VerifyFull,
        tls_ca_file: Some(ca_file.clone()),
        ..plain.clone()
    };

    serve_tls(&server, &ours, "127.0.0.1");
    assert!(!encrypted(&plain));
    assert!(encrypted(&require));
    assert!(encrypted(&verify(&ca_file)));
    let error = connect(&verify(&foreign_file)).err().unwrap();
    println!("{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(!error.is_retryable());
    let by_name = Settings { hosts: vec!["localhost".to_owned()], ..verify(&ca_file) };
    let error = connect(&by_name).err().unwrap();
    println!("{error}");
    assert!(error.to_string().contains("not valid for name"), "{error}");
    assert!(!error.is_retryable());
    assert_eq!(error.mender(), Mender::User);
    let error = connect(&verify(&PathBuf::from("/nonexistent.pem"))).err().unwrap();
    assert!(matches!(error, PostgresError::Settings { key: "tls_ca_file", .. }));
}

#[test]
fn errors_say_whether_to_retry() {
    let mut server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
    let good = server.settings();
    let wrong_database = Settings { database: "nowhere".to_owned(), ..good.clone() };
    let error = connect(&wrong_database).err().unwrap();
    println!("{error}");
    assert_eq!((error.is_retryable(), error.mender()), (false, Mender::User));

    let mut client = connect(&good).unwrap();
    let error: PostgresError = client.batch_execute("SELEC 1").err().unwrap().into();
    println!("{error}");
    assert_eq!((error.is_retryable(), error.mender()), (false, Mender::Us));

    let mut other = connect(&good).unwrap();
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    other.batch_execute(sql).unwrap();
    let error: PostgresError = client.batch_execute("SELECT 1").err().unwrap().into();
    println!("{error}");
    assert!(error.is_retryable());

    server.kill().unwrap();
    let error = connect(&good).err().unwrap();
    println!("{error}");
    assert_eq!((error.is_retryable(), error.mender()), (true, Mender::Peer));
    let nobody_there = Settings { hosts: vec!["127.0.0.1".to_owned()], port: 1, ..good };
    let error = connect(&nobody_there).err().unwrap();
    println!("{error}");
    assert!(error.is_retryable());
}
