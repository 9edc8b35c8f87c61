//! What clients of the HTTP server do to it: nothing that ends it, and nothing that they may not read.

use crate::foreign;
use crate::parts::Parts;
use crate::scrape::{Answer, Served, get, get_as};
use serde_json::{Value, json};
use std::io::Read;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

fn start(name: &str, metrics: &Value) -> Served {
    Served::start(Parts::start(name, 1, &json!({"metrics": metrics})))
}

impl Served {
    /// Sets how many descriptors it may have.
    fn limit_descriptors(&self, limit: usize) {
        let arguments = ["--pid", &self.run.id().to_string(), &format!("--nofile={limit}:")];
        assert!(Command::new("prlimit").args(arguments).status().unwrap().success());
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.run.id())).unwrap().count()
    }
}

fn silent(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The peer closes it without a word, or after an error.
fn wait_until_closed(mut stream: TcpStream) {
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.is_empty() || answer.contains("408"), "{answer}");
}

#[test]
fn clients_that_stay_silent_are_disconnected() {
    let world = start("silent", &json!({"listen": "127.0.0.1:0"}));
    // More than are accepted at once: those behind wait, and then it is their turn.
    let silent: Vec<TcpStream> = (0..100).map(|_| silent(&world.address)).collect();
    assert_eq!(get(&world.address, "/healthz").code, 200);
    silent.into_iter().for_each(wait_until_closed);
}

#[test]
fn running_out_of_descriptors_does_not_end_the_server() {
    let mut world = start("descriptors", &json!({"listen": "127.0.0.1:0"}));
    let begun = Instant::now();
    while get(&world.address, "/readyz").code != 200 {
        world.run.keep_waiting(begun, PATIENCE, "it is ready");
    }
    world.limit_descriptors(world.descriptors() + 4);
    let taken: Vec<TcpStream> = (0..20).map(|_| silent(&world.address)).collect();
    while !world.run.printed().contains("cannot be accepted") {
        world.run.keep_waiting(begun, PATIENCE, "it has no descriptor left");
    }
    drop(taken);
    world.limit_descriptors(1024);
    assert_eq!(get(&world.address, "/healthz").code, 200);
}

#[test]
fn the_page_is_served_under_its_own_names_alone_and_may_leave_out_ids() {
    let metrics = json!({"listen": "127.0.0.1:0", "hosts": ["fraud.example.org"], "show_ids": false});
    let mut world = start("hosts", &metrics);
    for (host, path, code) in [
        ("evil.example.com", "/", 421),
        ("evil.example.com:9464", "/status.json", 421),
        ("evil.example.com", "/metrics", 200),
        ("fraud.example.org", "/", 200),
        ("localhost:9464", "/status.json", 200),
    ] {
        assert_eq!(get_as(&world.address, host, path).code, code, "{host} {path}");
    }
    let ordinary = foreign::ordinary();
    world.parts.kafka.write(&world.parts.topic("transactions"), None, &ordinary.bytes).unwrap();
    let begun = Instant::now();
    let alerts = loop {
        let Answer { body, .. } = get(&world.address, "/status.json");
        let mut status: Value = serde_json::from_str(&body).unwrap();
        let alerts = status["alerts"].take();
        if alerts.as_array().is_some_and(|alerts| !alerts.is_empty()) {
            assert!(!body.contains("foreign-burst"), "{body}");
            break alerts;
        }
        world.run.keep_waiting(begun, PATIENCE, "there is an alert");
    };
    let alert = &alerts[0];
    for hidden in [&alert["alert_id"], &alert["customer_id"], &alert["transaction_id"]] {
        assert!(hidden.is_null(), "{alert}");
    }
    assert!(alert["rules"][0]["rule"].is_string() && alert["rules"][0]["explanation"].is_null(), "{alert}");
}
