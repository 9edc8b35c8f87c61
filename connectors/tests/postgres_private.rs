//! The private server: up in a moment, obedient, and gone with its owner.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres, connect};

const ROLE: &str = "STREAMFLOW_TEST_OWNER";

fn gone_within(directory: &Path, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    while directory.exists() && Instant::now() < deadline {
        sleep(Duration::from_millis(20));
    }
    !directory.exists()
}

#[test]
fn starts_stops_and_leaves_nothing() {
    let started = Instant::now();
    let options = PrivateOptions {
        tcp: true,
        parameters: vec![("work_mem".to_owned(), "7MB".to_owned())],
        ..PrivateOptions::default()
    };
    let mut server = PrivatePostgres::start(&options).unwrap();
    println!("started in {:?}", started.elapsed());
    let mut client = connect(&server.settings()).unwrap();
    let work_mem: String = client.query_one("SHOW work_mem", &[]).unwrap().get(0);
    assert_eq!(work_mem, "7MB");
    client.batch_execute("CREATE TABLE kept (x int)").unwrap();

    // Over TCP the password counts.
    let mut tcp = server.tcp_settings().unwrap();
    connect(&tcp).unwrap();
    tcp.password_file = None;
    let error = connect(&tcp).err().unwrap();
    assert!(!error.is_retryable(), "{error}");

    let psql = server.psql_command();
    let output = Command::new("sh").args(["-c", &format!("{psql} -Atc 'SELECT 6 * 7'")]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "42\n");

    server.stop().unwrap();
    assert!(!server.is_running());
    let error = connect(&server.settings()).err().unwrap();
    assert!(error.is_retryable(), "{error}");
    server.restart().unwrap();
    server.kill().unwrap();
    assert!(!server.is_running());
    let restarted = Instant::now();
    server.restart().unwrap();
    println!("restarted after a kill in {:?}", restarted.elapsed());
    let mut client = connect(&server.settings()).unwrap();
    client.query("SELECT x FROM kept", &[]).unwrap();

    let directory = server.directory().to_owned();
    let dropped = Instant::now();
    drop(server);
    println!("removed in {:?}", dropped.elapsed());
    assert!(!directory.exists());
}

#[test]
fn goes_when_its_owner_is_killed() {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "owner", "--nocapture"])
        .env(ROLE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let directory = lines
        .map_while(Result::ok)
        .find_map(|line| line.split_once("directory=").map(|(_, path)| path.to_owned()))
        .unwrap();
    let directory = Path::new(&directory);
    let pid = std::fs::read_to_string(directory.join("data/postmaster.pid")).unwrap();
    let process = format!("/proc/{}", pid.lines().next().unwrap());
    assert!(Path::new(&process).exists());
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(gone_within(directory, Duration::from_secs(10)));
    assert!(!Path::new(&process).exists());
}

/// Not a test by itself: the process that the test above kills.
#[test]
fn owner() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let server = PrivatePostgres::start(&PrivateOptions::default()).unwrap();
    println!("\ndirectory={}", server.directory().display());
    sleep(Duration::from_secs(60));
}
