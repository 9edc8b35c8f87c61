//! Several processes, each on a host of its own, under load: killed, cut off from each other, made more and
//! fewer. At the end every table is what one process would have made of the events.

mod network;
mod pods;
mod strangers;

use crate::exactness::{check_bronze, check_published, is_caught_up, verify};
use crate::parts::Parts;
use crate::scrape::{self, Scrape, get};
use crate::traffic::DISTURBED;
use network::Network;
use pods::{Ended, Pods};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use streamflow_test_support::KafkaServer;

const PARTITIONS: i32 = 4;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Shorter than `cluster.peer_timeout_seconds`.
const SHORT_CUT: Duration = Duration::from_secs(3);

/// Much longer.
const LONG_CUT: Duration = Duration::from_secs(30);

#[test]
fn processes_die_and_are_cut_off_and_rescaled_and_nothing_shows() {
    if network::run_elsewhere("cluster::processes_die_and_are_cut_off_and_rescaled_and_nothing_shows") {
        return;
    }
    let network = Network::new(3);
    let more = json!({"correction_horizon_seconds": 60, "identity_retention_seconds": 60});
    let kafka = KafkaServer::start_at(&network.gateway()).unwrap();
    let parts = Parts::start_on(kafka, "cluster", PARTITIONS, &more);
    let rates = DISTURBED.iter().flat_map(|rate| ["--set", *rate]);
    let dense = ["--rate", "300", "--customers", "1000", "--seed", "12"];
    let options: Vec<&str> = dense.into_iter().chain(rates).collect();
    let mut generate = parts.command("generate", &options);
    let mut pods = Pods::new(&parts, &network, 3);
    pods.scale(1);
    pods.wait_for_progress(1);
    grow(&mut pods);
    die(&mut pods);
    cut_off(&mut pods, &network);
    shrink(&mut pods);
    assert!(generate.ended().is_none(), "{}", generate.printed());
    assert!(generate.terminate().success(), "{}", generate.printed());
    let mut client = parts.connect();
    pods.wait_until(|_| is_caught_up(&parts, &mut parts.connect()));
    let others = pods.stop(1);
    assert_eq!(others.iter().map(|status| status.code()).collect::<Vec<_>>(), [Some(1)]);
    let rows = verify(&parts);
    check_bronze(&parts);
    let published = check_published(&parts);
    assert!(published.is_all, "{published:?}");
    let generation: i64 = client.query_one("SELECT generation FROM streamflow.progress", &[]).unwrap().get(0);
    println!("{generation} leases, {rows} rows, {published:?}, 0 differences");
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
    // Four topics of reference data have one each.
    assert_eq!((partitions.len(), all), (PARTITIONS as usize + 4, PARTITIONS as usize + 4), "{partitions:?}");
    assert!(generate.terminate().success(), "{}", generate.printed());
}

/// From one process to three: the first one makes room when others come.
fn grow(pods: &mut Pods<'_>) {
    pods.scale(3);
    pods.wait_for_progress(3);
    let ended = pods.take_ended();
    assert!(ended.iter().any(|ended| ended.pod == 0 && ended.said.contains("joins")), "{ended:#?}");
}

/// kill -9 of each in turn: the others end at once and say why, and all come back.
fn die(pods: &mut Pods<'_>) {
    for dead in 0..3 {
        pods.kill(dead);
        pods.wait_for_progress(3);
        let ended = pods.take_ended();
        let tell = |ended: &&Ended| is_loss_of(ended, dead);
        let telling: Vec<usize> = ended.iter().filter(tell).map(|ended| ended.pod).collect();
        let others: Vec<usize> = (0..3).filter(|pod| *pod != dead).collect();
        // Of two that end, one may see the other's end first.
        assert!(!telling.is_empty() && telling.iter().all(|pod| others.contains(pod)), "{ended:#?}");
        assert!(others.iter().all(|pod| ended.iter().any(|ended| ended.pod == *pod)), "{ended:#?}");
        assert!(ended.iter().all(|ended| ended.status.code() == Some(1)), "{ended:#?}");
    }
}

fn is_loss_of(ended: &Ended, process: usize) -> bool {
    let gone = ended.said.contains(&format!("process {process} (")) && ended.said.contains("is gone");
    gone || ended.said.contains(&format!("process {process} has started anew"))
}

/// A short cut between two of them is waited out, a long one ends all; they come back when it is over.
fn cut_off(pods: &mut Pods<'_>, network: &Network) {
    network.cut([1, 2]);
    pods.supervise_for(SHORT_CUT);
    network.reconnect([1, 2]);
    pods.wait_for_progress(3);
    assert!(pods.take_ended().is_empty());
    network.cut([1, 2]);
    pods.supervise_for(LONG_CUT);
    let ended = pods.take_ended();
    assert!(ended.iter().any(|ended| is_loss_of(ended, 1) || is_loss_of(ended, 2)), "{ended:#?}");
    network.reconnect([1, 2]);
    pods.wait_for_progress(3);
    pods.take_ended();
}

/// From three to two: one is asked to stop, and all commit what is in flight first.
fn shrink(pods: &mut Pods<'_>) {
    pods.scale(2);
    pods.wait_for_progress(2);
    let ended = pods.take_ended();
    let left = |ended: &&Ended| ended.said.contains("process 2 was asked to stop");
    assert_eq!(ended.iter().filter(left).count(), 2, "{ended:#?}");
}
