//! Connecting: errors that say what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use streamflow_connectors::postgres::{
    ErrorClass, PostgresError, PostgresSettings, PrivateOptions, PrivatePostgres, TlsMode, connect,
};

/// Far more than connecting may take here, and far less than for ever.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn errors_say_whether_to_retry() {
    let mut server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
    let good = server.settings();
    let wrong_database = PostgresSettings { database: "nowhere".to_owned(), ..good.clone() };
    let error = connect(&wrong_database).err().unwrap();
    println!("{error}");
    assert_eq!((error.is_retryable(), error.class()), (false, ErrorClass::User));

    let mut client = connect(&good).unwrap();
    let error: PostgresError = client.batch_execute("SELEC 1").err().unwrap().into();
    println!("{error}");
    assert_eq!((error.is_retryable(), error.class()), (false, ErrorClass::Defect));

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
    assert_eq!((error.is_retryable(), error.class()), (true, ErrorClass::Transient));
    let nobody_there = PostgresSettings { hosts: vec!["127.0.0.1".to_owned()], port: 1, ..good };
    let error = connect(&nobody_there).err().unwrap();
    println!("{error}");
    assert!(error.is_retryable());
}

/// The port of a server that reads what its clients send, and says these words, one at each thing it reads, and
/// then nothing more.
fn taciturn(words: &'static [&'static [u8]]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move |mut client: TcpStream| {
        let mut words = words.iter();
        let mut heard = [0; 4096];
        while client.read(&mut heard).unwrap_or(0) > 0 {
            if let Some(words) = words.next() {
                client.write_all(words).unwrap();
            }
        }
    };
    std::thread::spawn(move || {
        for client in listener.incoming() {
            std::thread::spawn(move || serve(client.unwrap()));
        }
    });
    port
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    const NOTHING: &[&[u8]] = &[];
    const AUTHENTICATED: &[&[u8]] = &[b"R\0\0\0\x08\0\0\0\0"];
    const TLS_IS_FINE: &[&[u8]] = &[b"S"];
    for (tls, words) in [
        (TlsMode::Disable, NOTHING),
        (TlsMode::Disable, AUTHENTICATED),
        (TlsMode::Require, NOTHING),
        (TlsMode::Require, TLS_IS_FINE),
    ] {
        let settings = PostgresSettings {
            hosts: vec!["127.0.0.1".to_owned()],
            port: taciturn(words),
            tls,
            connect_timeout_ms: 300,
            ..PostgresSettings::default()
        };
        let begun = Instant::now();
        let error = connect(&settings).err().unwrap();
        println!("{error}");
        assert!(error.is_retryable() && error.to_string().contains("says nothing within 300 ms"), "{error}");
        assert!(begun.elapsed() < PATIENCE);
    }
}

#[test]
fn a_session_outlives_the_limit_of_its_beginning() {
    let server = PrivatePostgres::start(&PrivateOptions { tcp: true, ..PrivateOptions::default() }).unwrap();
    let settings = PostgresSettings {
        connect_timeout_ms: 2_000,
        statement_timeout_ms: 40_000,
        idle_in_transaction_timeout_ms: 0,
        ..server.tcp_settings().unwrap()
    };
    let silent = PostgresSettings { port: taciturn(&[]), connect_timeout_ms: 100, ..settings.clone() };
    assert!(connect(&silent).err().unwrap().is_retryable());
    let mut client = connect(&settings).unwrap();
    client.batch_execute("SELECT pg_sleep(2.5)").unwrap();
    let mut show = |name: &str| client.query_one(&format!("SHOW {name}"), &[]).unwrap().get::<_, String>(0);
    assert_eq!(show("statement_timeout"), "40s");
    assert_eq!(show("idle_in_transaction_session_timeout"), "0");
    assert_eq!(show("application_name"), "streamflow");
}
