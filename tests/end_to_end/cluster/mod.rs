//! Several processes, each on a host of its own, under load: killed, cut off from each other, made more and
//! fewer. They stay together in the same processes, and at the end every table is what one process would have made of the events.

mod encrypted;
mod network;
mod pods;
mod strangers;
mod survivors;

use crate::command::Running;
use crate::exactness::{check_bronze, check_published, is_caught_up, pending, verify};
use crate::parts::Parts;
use crate::scrape::{self, Scrape, get};
use crate::traffic::DISTURBED;
use network::Network;
use pods::Pods;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use streamflow_test_support::KafkaServer;

const PARTITIONS: i32 = 4;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Shorter than `cluster.peer_timeout_seconds`.
const SHORT_CUT: Duration = Duration::from_secs(3);

#[test]
fn processes_die_and_are_cut_off_and_rescaled_and_nothing_shows() {
    if network::run_elsewhere("cluster::processes_die_and_are_cut_off_and_rescaled_and_nothing_shows") {
        return;
    }
    let network = Network::new(3);
    let more = json!({"correction_horizon_seconds": 60, "identity_retention_seconds": 60});
    let kafka = KafkaServer::start_at(&network.gateway()).unwrap();
    let parts = Parts::start_on(kafka, "cluster", PARTITIONS, &more);
    let generate = generate(&parts, "12");
    let mut pods = Pods::new(&parts, &network, 3);
    pods.scale(1);
    pods.wait_for_progress(1);
    grow(&mut pods);
    die(&mut pods);
    cut_off(&mut pods, &network);
    shrink(&mut pods);
    let exact = stop_and_check(&parts, &mut pods, generate);
    let mut client = parts.connect();
    let generation: i64 = client.query_one("SELECT generation FROM streamflow.progress", &[]).unwrap().get(0);
    println!("{generation} leases, {exact}");
}

/// Starts disturbed traffic of a thousand customers.
fn generate(parts: &Parts, seed: &str) -> Running {
    let rates = DISTURBED.iter().flat_map(|rate| ["--set", *rate]);
    let dense = ["--rate", "300", "--customers", "1000", "--seed", seed];
    let options: Vec<&str> = dense.into_iter().chain(rates).collect();
    parts.command("generate", &options)
}

/// Ends the traffic, stops the processes once they have worked it off, and compares everything. Returns what was
/// compared.
fn stop_and_check(parts: &Parts, pods: &mut Pods<'_>, mut generate: Running) -> String {
    assert!(generate.ended().is_none(), "{}", generate.printed());
    assert!(generate.terminate().success(), "{}", generate.printed());
    let mut client = parts.connect();
    pods.wait_until(|_| pending(&mut client) == 0 && is_caught_up(parts, &mut client));
    pods.stop();
    let rows = verify(parts);
    check_bronze(parts);
    let published = check_published(parts);
    assert!(published.is_all, "{published:?}");
    format!("{rows} rows, {published:?}, 0 differences")
}

/// Each tells of what it does itself; together they are the pipeline.
#[test]
fn each_process_tells_of_itself() {
    let parts = Parts::start("told", PARTITIONS, &json!({}));
    let mut generate = parts.command("generate", &["--rate", "300", "--customers", "1000"]);
    let mut processes = parts.run_several(3, &[]);
    let mut partitions = Vec::new();
    for (number, process) in processes.iter_mut().enumerate() {
        let address = scrape::address(process);
        let begun = Instant::now();
        while get(&address, "/readyz").code != 200 {
            process.keep_waiting(begun, PATIENCE, "it is ready");
        }
        let scrape = Scrape::of(&address);
        assert_eq!(scrape.value("streamflow_processes", ""), 3.0);
        assert!(scrape.value("streamflow_frontier_lag_seconds", "stage=\"committed\"") >= 0.0);
        for first_only in
            ["streamflow_events_read_total", "streamflow_postgres_up", "streamflow_publisher_up"]
        {
            assert_eq!(scrape.of_name(first_only).is_empty(), number > 0, "{first_only} of {number}");
        }
        let read = scrape.of_name("streamflow_kafka_committed_offset");
        partitions.extend(read.keys().map(|labels| (*labels).to_owned()));
        let status: Value = serde_json::from_str(&get(&address, "/status.json").body).unwrap();
        assert_eq!(
            (&status["process"]["process"], &status["process"]["processes"]),
            (&json!(number), &json!(3))
        );
        assert_eq!(status["verdict"], json!({"healthy": true, "ready": true, "reason": null}));
        assert_eq!((status["publisher"].is_null(), status["books"] == json!([])), (number > 0, number > 0));
    }
    let all = partitions.len();
    partitions.sort();
    partitions.dedup();
    // Four topics of reference data and that of the rules have one each.
    assert_eq!((partitions.len(), all), (PARTITIONS as usize + 5, PARTITIONS as usize + 5), "{partitions:?}");
    assert!(generate.terminate().success(), "{}", generate.printed());
}

/// From one process to three: the first one makes room when others come.
fn grow(pods: &mut Pods<'_>) {
    pods.scale(3);
    pods.wait_for_progress(3);
    assert!(pods.has_said(0, "joins: all form anew"));
    pods.check_that_all_stayed();
}

/// kill -9 of each in turn: the others say why and form anew, without ending, and all are together again.
fn die(pods: &mut Pods<'_>) {
    for dead in 0..3 {
        pods.hear();
        pods.kill(dead);
        pods.wait_for_progress(3);
        let telling = (0..3).filter(|pod| tells_of_loss(pods, *pod, dead)).count();
        // Of two, one may see that the other forms anew first.
        assert!(telling > 0, "nobody tells of the loss of {dead}");
        pods.check_that_all_stayed();
    }
}

fn tells_of_loss(pods: &Pods<'_>, pod: usize, lost: usize) -> bool {
    let gone = pods.has_said(pod, &format!("process {lost} (")) && pods.has_said(pod, "is gone");
    gone || pods.has_said(pod, &format!("process {lost} has started anew"))
}

/// A short cut between two of them is waited out. After a long one, one of both is left out, until it is over.
fn cut_off(pods: &mut Pods<'_>, network: &Network) {
    pods.hear();
    network.cut([1, 2]);
    pods.supervise_for(SHORT_CUT);
    network.reconnect([1, 2]);
    pods.wait_for_progress(3);
    assert!((0..3).all(|pod| !pods.has_said(pod, "form anew")));
    network.cut([1, 2]);
    pods.wait_until(|pods| [pods.together(0), pods.together(1)] == [Some(2); 2]);
    pods.wait_for_commits();
    assert!(tells_of_loss(pods, 1, 2) || tells_of_loss(pods, 2, 1));
    network.reconnect([1, 2]);
    pods.wait_for_progress(3);
    pods.check_that_all_stayed();
}

/// From three to two: one is asked to stop, and all commit what is in flight first.
fn shrink(pods: &mut Pods<'_>) {
    pods.hear();
    pods.scale(2);
    pods.wait_for_progress(2);
    assert!((0..2).all(|pod| pods.has_said(pod, "process 2 was asked to stop")));
    pods.check_that_all_stayed();
}
