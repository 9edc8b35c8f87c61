//! The pods of a StatefulSet as K3s would treat them: each on a host of its own, with a name while it is
//! wanted, started again when it ends.

use super::network::Network;
use crate::command::Running;
use crate::exactness::read;
use crate::parts::Parts;
use postgres::Client;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The pods, and what they run on.
pub struct Pods<'a> {
    parts: &'a Parts,
    network: &'a Network,
    client: Client,
    pods: Vec<Option<Running>>,
    starts: usize,
    /// Those that ended by themselves, since the last time they were taken.
    ended: Vec<Ended>,
}

/// A pod that ended by itself.
#[derive(Debug)]
pub struct Ended {
    /// Which one.
    pub pod: usize,
    /// How.
    pub status: ExitStatus,
    /// What it said of that.
    pub said: String,
}

impl<'a> Pods<'a> {
    /// None yet, of at most so many.
    pub fn new(parts: &'a Parts, network: &'a Network, most: usize) -> Self {
        let pods = (0..most).map(|_| None).collect();
        Self { parts, network, client: parts.connect(), pods, starts: 0, ended: Vec::new() }
    }

    /// As `kubectl scale` does: more are made, or the last ones are asked to stop, and then have no names any
    /// more.
    pub fn scale(&mut self, replicas: usize) {
        for pod in replicas..self.pods.len() {
            if let Some(mut running) = self.pods[pod].take() {
                let status = running.terminate();
                assert!(status.success(), "{}", running.printed());
            }
        }
        let names: Vec<String> = (0..replicas).map(|pod| format!("worker-{pod}.pods")).collect();
        self.network.name_all(&names);
        for pod in 0..replicas {
            if self.pods[pod].is_none() {
                self.start(pod);
            }
        }
    }

    fn start(&mut self, pod: usize) {
        self.starts += 1;
        let log = self.parts.path(&format!("worker-{pod}.{}.log", self.starts));
        let config = self.parts.config();
        let arguments = ["run", "--config", config.to_str().unwrap(), "--set", "cluster.service=pods"];
        let arguments = [&arguments[..], &["--set", "cluster.settle_seconds=1"]].concat();
        let name = ("POD_NAME", format!("worker-{pod}"));
        self.pods[pod] = Some(Running::start_on(&self.network.on(pod), &arguments, &log, name));
    }

    /// kill -9.
    pub fn kill(&mut self, pod: usize) {
        let mut running = self.pods[pod].take().unwrap();
        running.kill();
        self.start(pod);
    }

    /// Starts those again that have ended.
    pub fn supervise(&mut self) {
        for pod in 0..self.pods.len() {
            let Some(running) = &mut self.pods[pod] else { continue };
            if let Some(status) = running.ended() {
                let printed = running.printed();
                let said: Vec<&str> =
                    printed.lines().filter(|line| line.starts_with("streamflow: ")).collect();
                assert_eq!(said.len(), 1, "pod {pod} should end with one line:\n{printed}");
                assert!(!printed.contains("panicked"), "pod {pod}:\n{printed}");
                self.ended.push(Ended { pod, status, said: said[0].to_owned() });
                self.start(pod);
            }
        }
    }

    /// Goes on for so long.
    pub fn supervise_for(&mut self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.supervise();
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until so many processes, together, have committed something.
    pub fn wait_for_progress(&mut self, processes: usize) {
        self.wait_until(|pods| pods.are_together(processes));
        let before = read(&mut self.client);
        self.wait_until(|pods| read(&mut pods.client) > before);
    }

    /// Waits, and has those started again that end meanwhile.
    pub fn wait_until(&mut self, come: impl Fn(&mut Self) -> bool) {
        let begun = Instant::now();
        while !come(self) {
            self.supervise();
            assert!(begun.elapsed() < PATIENCE, "stuck:\n{}\n{:#?}", self.printed(), self.ended);
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn are_together(&self, processes: usize) -> bool {
        let word = format!("processes={processes}\n");
        let is_with_them = |pod: &Running| pod.printed().contains(&word);
        self.pods.iter().flatten().filter(|pod| is_with_them(pod)).count() == processes
    }

    fn printed(&self) -> String {
        self.pods.iter().flatten().map(Running::printed).collect()
    }

    /// Those that ended by themselves since the last call.
    pub fn take_ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.ended)
    }

    /// Asks one of them to stop, and waits for the end of all; returns how the others ended.
    pub fn stop(&mut self, pod: usize) -> Vec<ExitStatus> {
        let mut asked = self.pods[pod].take().unwrap();
        assert!(asked.terminate().success(), "{}", asked.printed());
        self.pods.iter_mut().flatten().map(Running::wait).collect()
    }
}
