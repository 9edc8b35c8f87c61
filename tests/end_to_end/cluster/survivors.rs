//! Hosts that are gone while their names stay: the others go on without them, in the same processes, and only one
//! part of a network that is cut runs.

use super::network::{self, Network};
use super::pods::Pods;
use super::{generate, stop_and_check};
use crate::command::Running;
use crate::exactness::{self, is_caught_up, verify};
use crate::parts::Parts;
use crate::scrape::{self, Scrape, get};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};
use streamflow_connectors::postgres::{PrivateOptions, PrivatePostgres};
use streamflow_test_support::KafkaServer;

const PARTITIONS: i32 = 4;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

const LEFT_TO_OTHERS: &str = "others of the processes hold the lease";

#[test]
fn survivors_go_on_without_a_host_that_is_gone() {
    if network::run_elsewhere("cluster::survivors::survivors_go_on_without_a_host_that_is_gone") {
        return;
    }
    let network = Network::new(3);
    let parts = start(&network, "survivors");
    let generate = generate(&parts, "21");
    let mut pods = Pods::new(&parts, &network, 3);
    pods.scale(3);
    pods.wait_for_progress(3);
    let threads = [0, 1, 2].map(|pod| pods.threads(pod));
    for lost in [2, 0] {
        lose(&mut pods, &network, lost);
    }
    drain_the_first(&mut pods);
    scatter(&mut pods, &network);
    // What was torn down is gone: there is one set of threads.
    for (pod, before) in threads.into_iter().enumerate().skip(1) {
        pods.wait_until(|pods| pods.threads(pod) <= before);
    }
    pods.check_that_all_stayed();
    println!("{}", stop_and_check(&parts, &mut pods, generate));
}

/// A network that all hosts and this machine are on, with servers that only it reaches.
fn start(network: &Network, name: &str) -> Parts {
    let address = network.gateway();
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    // Without passwords: nobody else is on this network.
    let rules = directory.path().join("hba.conf");
    fs::write(&rules, "local all all trust\nhost all all 0.0.0.0/0 trust\n").unwrap();
    let parameters = [("listen_addresses", address.clone()), ("hba_file", rules.display().to_string())];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value)).into();
    let options = PrivateOptions { durable: true, parameters, ..PrivateOptions::default() };
    let postgres = PrivatePostgres::start(&options).unwrap();
    let settings = postgres.settings();
    let more = json!({
        "correction_horizon_seconds": 60, "identity_retention_seconds": 60,
        "postgres": {"hosts": [address], "port": settings.port, "database": settings.database,
                     "user": settings.user},
    });
    let kafka = KafkaServer::start_at(&network.gateway()).unwrap();
    Parts::start_with(kafka, postgres, name, PARTITIONS, &more)
}

/// A host is gone, and comes back.
fn lose(pods: &mut Pods<'_>, network: &Network, lost: usize) {
    network.take_away(lost);
    wait_for_the_others(pods, lost);
    network.bring_back(lost);
    pods.wait_for_progress(3);
}

fn wait_for_the_others(pods: &mut Pods<'_>, lost: usize) {
    let others = move |pod: &usize| *pod != lost;
    pods.wait_until(|pods| (0..3).filter(others).all(|pod| pods.together(pod) == Some(2)));
    pods.wait_for_commits();
}

/// The first one is asked to stop, and does not come back for a while.
fn drain_the_first(pods: &mut Pods<'_>) {
    pods.hear();
    pods.drain(0);
    wait_for_the_others(pods, 0);
    assert!((1..3).all(|pod| pods.has_said(pod, "process 0 was asked to stop")));
    pods.start(0);
    pods.wait_for_progress(3);
}

/// No host reaches another, and all reach the servers: one runs, the others wait and say so.
fn scatter(pods: &mut Pods<'_>, network: &Network) {
    pods.hear();
    network.scatter();
    let waiting = |pods: &Pods<'_>| (0..3).filter(|pod| pods.has_said(*pod, LEFT_TO_OTHERS)).count();
    pods.wait_until(|pods| waiting(pods) == 2);
    pods.wait_for_commits();
    // It stays so, although those that wait try again.
    pods.supervise_for(Duration::from_secs(30));
    assert_eq!(waiting(pods), 2);
    pods.wait_for_commits();
    network.reunite();
    pods.wait_for_progress(3);
}

/// What the processes that stay tell of themselves when one is killed: that it is gone, nothing twice, and who commits.
#[test]
fn those_that_stay_tell_of_themselves() {
    let parts = Parts::start("stay", PARTITIONS, &json!({}));
    let mut generate = parts.command("generate", &["--rate", "300", "--customers", "1000"]);
    let mut processes = parts.run_several(3, &[]);
    let addresses: Vec<String> = processes.iter_mut().map(scrape::address).collect();
    wait_until_together(&mut processes, &addresses);
    let before = read_records(&addresses);
    processes.remove(0).kill();
    // Now the second is the first.
    wait_until_together(&mut processes, &addresses[1..]);
    let after = read_records(&addresses[1..]);
    assert!(after.iter().zip(&before[1..]).all(|(after, before)| after >= before), "{before:?} {after:?}");
    for number in [1, 2] {
        let scrape = Scrape::of(&addresses[number]);
        assert!(scrape.value("streamflow_processes_formed_anew_total", "") >= 1.0);
        let commits = number == 1;
        for first_only in
            ["streamflow_events_read_total", "streamflow_postgres_up", "streamflow_publisher_up"]
        {
            assert_eq!(!scrape.of_name(first_only).is_empty(), commits, "{first_only} of {number}");
        }
        let status: Value = serde_json::from_str(&get(&addresses[number], "/status.json").body).unwrap();
        let process = &status["process"];
        assert_eq!((&process["process"], &process["processes"]), (&json!(number), &json!(2)));
        assert_eq!(status["verdict"], json!({"healthy": true, "ready": true, "reason": null}));
    }
    assert!(generate.terminate().success(), "{}", generate.printed());
    let begun = Instant::now();
    while !is_caught_up(&parts, &mut parts.connect()) {
        processes[0].keep_waiting(begun, PATIENCE, "all is committed");
    }
    // The books of the process and of the database.
    let scrape = Scrape::of(&addresses[1]);
    let read = scrape.of_name("streamflow_events_read_total").values().sum::<f64>();
    assert_eq!(read as i64, exactness::read(&mut parts.connect()));
    verify(&parts);
}

/// As many as there are.
pub fn wait_until_together(processes: &mut [Running], addresses: &[String]) {
    let (begun, count) = (Instant::now(), processes.len() as f64);
    for (process, address) in processes.iter_mut().zip(addresses) {
        let is_with_them = || {
            let known = Scrape::of(address).of_name("streamflow_processes").values().next().copied();
            known == Some(count) && get(address, "/readyz").code == 200
        };
        while !is_with_them() {
            process.keep_waiting(begun, PATIENCE, "they are together");
        }
    }
}

fn read_records(addresses: &[String]) -> Vec<f64> {
    let read = |address| Scrape::of(address).value("streamflow_kafka_read_records_total", "");
    addresses.iter().map(|address: &String| read(address)).collect()
}
