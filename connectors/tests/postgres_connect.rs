//! Connecting: errors that say what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use streamflow_connectors::postgres::{
    ErrorClass, PostgresError, PostgresSettings, PrivateOptions, PrivatePostgres, connect,
};

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
