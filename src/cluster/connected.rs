//! The cluster once all processes are connected: they agree from where to continue, and give timely their
//! connections.

use super::door::Door;
use super::gathering::{Gathered, Gathering, Peer};
use super::greeting::Identity;
use super::link::{Link, Lost};
use super::members::Members;
use super::message;
use super::process_index::ProcessIndex;
use super::settings::ClusterSettings;
use crate::stop::Stop;
use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};
use timely::communication::Hooks;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};

/// How long the first process's decision may take to arrive.
const AGREEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// This process among the others, each of which is connected to each.
pub struct Cluster {
    gathered: Gathered,
    members: Members,
}

/// What timely runs its workers with.
pub struct Communication {
    /// One for each worker of this process.
    pub allocators: Vec<AllocatorBuilder>,
    /// The threads that send and receive.
    pub threads: Box<dyn Any + Send>,
}

impl Cluster {
    /// Waits for all others; `None` when asked to stop before they have come.
    ///
    /// # Errors
    /// Somebody has not come in time, or it cannot listen.
    pub fn join(
        settings: &ClusterSettings,
        members: Members,
        identity: &Identity,
        stop: &Stop,
    ) -> Result<Option<Self>> {
        let gathered = Gathering::begin(settings, &members, identity, stop)?.wait()?;
        Ok(gathered.map(|gathered| Self { gathered, members }))
    }

    /// Which of the processes this is.
    pub fn process(&self) -> ProcessIndex {
        ProcessIndex { index: self.members.process(), count: self.gathered.peers.len() }
    }

    /// What the first process decides; the others wait for it.
    ///
    /// # Errors
    /// Those of `decide`; a process is gone.
    pub fn agree<A: Serialize + DeserializeOwned>(
        &mut self,
        decide: impl FnOnce() -> Result<A>,
    ) -> Result<A> {
        if self.members.process() > 0 {
            let first =
                self.gathered.peers.iter_mut().flatten().next().context("there is no first process")?;
            return receive_decision(first).with_context(|| format!("process 0 ({}) is gone", first.address));
        }
        let agreed = decide()?;
        for (process, peer) in self.gathered.peers.iter_mut().enumerate() {
            let Some(Peer { connection, address }) = peer else { continue };
            // Its report that it has all connections, which has arrived already.
            let report = connection.read_exact(&mut [0]).map_err(anyhow::Error::from);
            report
                .and_then(|()| message::send(connection, &agreed))
                .with_context(|| format!("process {process} ({address}) is gone"))?;
        }
        Ok(agreed)
    }

    /// Hands the connections over to timely, and watches the door. The end of a connection is a failure.
    pub fn communicate(self, workers: usize, stop: &Arc<Stop>) -> Result<Communication> {
        let Self { gathered: Gathered { reception, party, peers }, members } = self;
        let process = members.process();
        let door = Door { reception, party, can_grow: members.can_change(), stop: Arc::clone(stop) };
        door.watch().context("cannot watch for processes that join")?;
        let links = peers.into_iter().enumerate().map(|(process, peer)| {
            let Peer { address, connection } = peer?;
            Some(Link::new(connection, lost(process, address, stop)))
        });
        let hooks = Hooks::default();
        let inner = ProcessBuilder::new_typed_vector(workers, hooks.refill.clone(), hooks.spill.clone());
        let (allocators, threads) =
            initialize_networking_from_sockets(inner, links.collect(), process, workers, hooks)
                .context("cannot start to communicate with the other processes")?;
        let allocators = allocators.into_iter().map(AllocatorBuilder::Tcp).collect();
        Ok(Communication { allocators, threads: Box::new(threads) })
    }
}

fn receive_decision<A: DeserializeOwned>(first: &mut Peer) -> Result<A> {
    first.connection.limit(Some(Instant::now() + AGREEMENT_TIMEOUT))?;
    let agreed = message::receive(&mut first.connection)?;
    first.connection.limit(None)?;
    Ok(agreed)
}

fn lost(process: usize, address: String, stop: &Arc<Stop>) -> Lost {
    let stop = Arc::clone(stop);
    Arc::new(move |how| stop.fail(format!("process {process} ({address}) is gone: {how}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;
    use std::net::{TcpListener, TcpStream};
    use std::thread::JoinHandle;

    fn hosts(processes: usize) -> Vec<String> {
        let listeners: Vec<_> = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect()
    }

    /// The settings of one of two or more processes that wait so long for each other that no slow machine
    /// makes them give up.
    fn settings(hosts: &[String], process: usize) -> ClusterSettings {
        ClusterSettings { hosts: hosts.to_vec(), process: Some(process), ..ClusterSettings::default() }
    }

    /// A process with `workers` workers, which says what all agreed on; the first one decides that.
    fn start(settings: ClusterSettings, workers: usize, stop: Arc<Stop>) -> JoinHandle<Result<String>> {
        std::thread::spawn(move || {
            let members = Members::new(&settings, None)?.context("alone")?;
            let identity = Identity::new(&"settings", workers)?;
            let Some(mut cluster) = Cluster::join(&settings, members, &identity, &stop)? else {
                bail!("stopped");
            };
            let ProcessIndex { index, count } = cluster.process();
            let agreed = cluster.agree(|| Ok(format!("decided by {index} of {count}")))?;
            // The decision may still be on its way to the others.
            std::thread::sleep(Duration::from_millis(200));
            Ok(agreed)
        })
    }

    #[test]
    fn all_go_on_from_what_the_first_decides_whoever_comes_first() {
        let hosts = hosts(3);
        let processes =
            [2, 0, 1].map(|process| start(settings(&hosts, process), 1, Arc::new(Stop::default())));
        for process in processes {
            assert_eq!(process.join().unwrap().unwrap(), "decided by 0 of 3");
        }
    }

    #[test]
    fn who_is_not_alike_is_told_why_and_waited_for() {
        let hosts = hosts(2);
        let stop = Arc::new(Stop::default());
        let first = start(settings(&hosts, 0), 1, Arc::clone(&stop));
        // It tries again until its time is over: what it says then is what it was told last.
        while TcpStream::connect(&hosts[0]).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let impatient = ClusterSettings { join_seconds: 2, ..settings(&hosts, 1) };
        let other = start(impatient, 2, Arc::new(Stop::default()));
        let told = other.join().unwrap().unwrap_err().to_string();
        assert!(told.contains("process 0") && told.contains("another number of workers"), "{told}");
        stop.ask();
        assert_eq!(first.join().unwrap().unwrap_err().to_string(), "stopped");
    }

    #[test]
    fn who_does_not_come_is_waited_for_no_longer_than_set() {
        let alone = ClusterSettings { join_seconds: 1, ..settings(&hosts(2), 0) };
        let told = start(alone, 1, Arc::new(Stop::default())).join().unwrap().unwrap_err().to_string();
        assert!(told.contains("waiting for peers: process 1") && told.contains("join_seconds = 1"), "{told}");
    }
}
