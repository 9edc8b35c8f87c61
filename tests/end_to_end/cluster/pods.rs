//! The pods of a StatefulSet as K3s would treat them: each on a host of its own, with a name while it is
//! wanted, started again when it ends.

use super::network::Network;
use crate::command::Running;
use crate::exactness::read;
use crate::parts::Parts;
use postgres::Client;
use std::time::{Duration, Instant};

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a process says when it knows with how many it begins; their number follows.
const TOGETHER: &str = "the processes are connected";

/// The pods, and what they run on.
pub struct Pods<'a> {
    parts: &'a Parts,
    network: &'a Network,
    client: Client,
    pods: Vec<Option<Pod>>,
    starts: usize,
    /// What those said that ended by themselves.
    ended: Vec<String>,
}

struct Pod {
    running: Running,
    /// How much it had printed when its words were heard last.
    heard: usize,
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
            self.drain(pod);
        }
        let names: Vec<String> = (0..replicas).map(|pod| format!("worker-{pod}.pods")).collect();
        self.network.name_all(&names);
        for pod in 0..replicas {
            if self.pods[pod].is_none() {
                self.start(pod);
            }
        }
    }

    /// Starts one.
    pub fn start(&mut self, pod: usize) {
        self.starts += 1;
        let log = self.parts.path(&format!("worker-{pod}.{}.log", self.starts));
        let config = self.parts.config();
        let arguments = ["run", "--config", config.to_str().unwrap(), "--set", "cluster.service=pods"];
        let arguments = [&arguments[..], &["--set", "cluster.settle_seconds=1"]].concat();
        let name = ("POD_NAME", format!("worker-{pod}"));
        let running = Running::start_on(&self.network.on(pod), &arguments, &log, name);
        self.pods[pod] = Some(Pod { running, heard: 0 });
    }

    /// Asks one to stop, if it runs; it is not started again. Its name stays.
    pub fn drain(&mut self, pod: usize) {
        if let Some(Pod { mut running, .. }) = self.pods[pod].take() {
            let status = running.terminate();
            assert!(status.success(), "{}", running.printed());
        }
    }

    /// kill -9.
    pub fn kill(&mut self, pod: usize) {
        self.pods[pod].take().unwrap().running.kill();
        self.start(pod);
    }

    /// Starts those again that have ended.
    pub fn supervise(&mut self) {
        for pod in 0..self.pods.len() {
            let Some(Pod { running, .. }) = &mut self.pods[pod] else { continue };
            if let Some(status) = running.ended() {
                let printed = running.printed();
                let said: Vec<&str> =
                    printed.lines().filter(|line| line.starts_with("streamflow: ")).collect();
                assert_eq!(said.len(), 1, "pod {pod} should end with one line:\n{printed}");
                assert!(!printed.contains("panicked"), "pod {pod}:\n{printed}");
                self.ended.push(format!("pod {pod}, {status}: {}", said[0]));
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
        self.wait_for_commits();
    }

    /// Waits until more is committed than now.
    pub fn wait_for_commits(&mut self) {
        let before = read(&mut self.client);
        self.wait_until(|pods| read(&mut pods.client) > before);
    }

    /// Waits, and has those started again that end meanwhile.
    pub fn wait_until(&mut self, mut come: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !come(self) {
            self.supervise();
            assert!(begun.elapsed() < PATIENCE, "stuck:\n{}\n{:#?}", self.printed(), self.ended);
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Whether so many began together last, as far as each of these knows.
    fn are_together(&self, processes: usize) -> bool {
        let with_them = (0..self.pods.len()).filter(|pod| self.together(*pod) == Some(processes));
        with_them.count() == processes
    }

    /// With how many, itself included, a pod began last.
    pub fn together(&self, pod: usize) -> Option<usize> {
        let printed = self.pods[pod].as_ref()?.running.printed();
        let line = printed.lines().rfind(|line| line.contains(TOGETHER))?;
        line.rsplit_once("processes=")?.1.parse().ok()
    }

    /// Whether a pod has said that since its words were heard last.
    pub fn has_said(&self, pod: usize, words: &str) -> bool {
        let pod = self.pods[pod].as_ref();
        pod.is_some_and(|pod| pod.running.printed()[pod.heard..].contains(words))
    }

    /// What all have said up to now is heard.
    pub fn hear(&mut self) {
        self.pods.iter_mut().flatten().for_each(|pod| pod.heard = pod.running.printed().len());
    }

    /// How many threads a pod has.
    pub fn threads(&self, pod: usize) -> usize {
        let id = self.pods[pod].as_ref().unwrap().running.id();
        std::fs::read_dir(format!("/proc/{id}/task")).unwrap().count()
    }

    fn printed(&self) -> String {
        self.pods.iter().flatten().map(|pod| pod.running.printed()).collect()
    }

    /// None has ended by itself.
    pub fn check_that_all_stayed(&self) {
        assert!(self.ended.is_empty(), "{:#?}", self.ended);
    }

    /// Asks all to stop, which they must do in order, without ever having panicked.
    pub fn stop(&mut self) {
        let mut all: Vec<Running> =
            self.pods.iter_mut().filter_map(Option::take).map(|pod| pod.running).collect();
        let statuses = Running::terminate_all(&mut all);
        for (running, status) in all.iter().zip(statuses) {
            assert!(status.success() && !running.printed().contains("panicked"), "{}", running.printed());
        }
    }
}
