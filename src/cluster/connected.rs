//! The cluster once those that begin are connected: they agree from where to continue, and give timely their
//! connections.

use super::door::Door;
use super::gathering::{Gathered, Gathering};
use super::link::{Link, Lost};
use super::message;
use super::peer::Peer;
use super::process_index::ProcessIndex;
use super::site::Site;
use super::ties::Ties;
use crate::stop::Stop;
use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use timely::communication::Hooks;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};

/// How long the first process's decision may take to arrive.
const AGREEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// What the first process decides, once all are connected.
#[derive(Serialize, Deserialize)]
pub enum Decision<A> {
    /// They begin so.
    Begin(A),
    /// They may not begin now, for this reason.
    Wait(String),
}

/// This process among those that begin, each of which is connected to each.
pub struct Cluster {
    site: Arc<Site>,
    gathered: Gathered,
}

/// What timely runs its workers with.
pub struct Communication {
    /// One for each worker of this process.
    pub allocators: Vec<AllocatorBuilder>,
    /// The threads that send and receive, and the door's.
    pub threads: Box<dyn Any + Send>,
    pub ties: Arc<Ties>,
}

/// Threads that are joined when dropped, after the workers have ended.
struct Threads {
    ties: Arc<Ties>,
    door: Option<JoinHandle<()>>,
    /// Joins its own when it is dropped, which is after this is.
    _communication: Box<dyn Any + Send>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.ties.release();
        if let Some(door) = self.door.take() {
            // It has nothing to say that matters now.
            let _ = door.join();
        }
    }
}

impl Cluster {
    /// Waits until those that are there have agreed that they begin; `None` when asked to stop before.
    ///
    /// # Errors
    /// Nobody can connect any more.
    pub fn join(site: &Arc<Site>, stop: &Stop) -> Result<Option<Self>> {
        let gathered = Gathering::new(site, stop).wait()?;
        Ok(gathered.map(|gathered| Self { site: Arc::clone(site), gathered }))
    }

    /// Which of the processes this is.
    pub fn process(&self) -> ProcessIndex {
        let (list, number) = (&self.gathered.list, self.site.process());
        let index = list.iter().position(|process| *process == number).unwrap_or_default();
        ProcessIndex { index, count: list.len(), number }
    }

    /// Whether these are all processes that there are.
    pub fn is_complete(&self) -> bool {
        self.gathered.is_complete
    }

    /// What the first process decides; the others wait for it. `None` where they are not to begin, for a reason that
    /// `stop` knows then.
    ///
    /// # Errors
    /// Those of `decide`.
    pub fn agree<A: Serialize + DeserializeOwned>(
        &mut self,
        stop: &Stop,
        decide: impl FnOnce() -> Result<Decision<A>>,
    ) -> Result<Option<A>> {
        let peers = &mut self.gathered.peers;
        let decision = match peers.first_entry().filter(|first| *first.key() < self.site.process()) {
            Some(mut first) => receive(first.get_mut()),
            None => {
                let decision = decide()?;
                pass_on(peers, &decision).map(|()| decision)
            }
        };
        match decision {
            Ok(Decision::Begin(agreed)) => return Ok(Some(agreed)),
            Ok(Decision::Wait(reason)) => stop.lose(reason),
            Err(gone) => stop.lose(format!("{gone:#}")),
        }
        Ok(None)
    }

    /// Hands the connections over to timely, and watches the door. The end of a connection is told to `stop`.
    ///
    /// # Errors
    /// There are too many open files or threads.
    pub fn communicate(self, workers: usize, stop: &Arc<Stop>) -> Result<Communication> {
        let process = self.process().index;
        let Self { site, gathered: Gathered { list, left_out, mut peers, .. } } = self;
        let sockets =
            peers.values().map(|peer| peer.connection.socket().try_clone()).collect::<Result<_, _>>();
        let ties = Arc::new(Ties::new(sockets.context("cannot keep the connections")?));
        let links = list.iter().map(|process| {
            let Peer { address, connection, .. } = peers.remove(process)?;
            Some(Link::new(connection, lost(*process, address, stop), Arc::clone(&ties)))
        });
        let links = links.collect();
        let door = Door::new(&site, stop, list, left_out).watch();
        let door = door.context("cannot watch for processes that join")?;
        let hooks = Hooks::default();
        let inner = ProcessBuilder::new_typed_vector(workers, hooks.refill.clone(), hooks.spill.clone());
        let (allocators, communication) =
            initialize_networking_from_sockets(inner, links, process, workers, hooks)
                .context("cannot start to communicate with the other processes")?;
        let allocators = allocators.into_iter().map(AllocatorBuilder::Tcp).collect();
        let threads =
            Threads { ties: Arc::clone(&ties), door: Some(door), _communication: Box::new(communication) };
        Ok(Communication { allocators, threads: Box::new(threads), ties })
    }
}

fn receive<A: DeserializeOwned>(first: &mut Peer) -> Result<Decision<A>> {
    let mut receive = || -> Result<Decision<A>> {
        first.connection.limit(Some(Instant::now() + AGREEMENT_TIMEOUT))?;
        let decision = message::receive(&mut first.connection)?;
        first.connection.limit(None)?;
        Ok(decision)
    };
    receive().with_context(|| format!("the first process ({}) is gone", first.address))
}

fn pass_on<A: Serialize>(peers: &mut BTreeMap<usize, Peer>, decision: &Decision<A>) -> Result<()> {
    for (process, peer) in peers {
        message::send(&mut peer.connection, decision)
            .with_context(|| format!("process {process} ({}) is gone", peer.address))?;
    }
    Ok(())
}

fn lost(process: usize, address: String, stop: &Arc<Stop>) -> Lost {
    let stop = Arc::clone(stop);
    Arc::new(move |how| stop.lose(format!("process {process} ({address}) is gone: {how}")))
}

#[cfg(test)]
mod tests {
    use super::super::greeting::Identity;
    use super::super::members::Members;
    use super::super::settings::ClusterSettings;
    use super::*;
    use std::net::TcpListener;

    fn hosts(processes: usize) -> Vec<String> {
        let listeners: Vec<_> = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect()
    }

    /// The settings of one of two or more processes that wait so long for each other that no slow machine makes
    /// them begin without.
    fn settings(hosts: &[String], process: usize) -> ClusterSettings {
        ClusterSettings {
            hosts: hosts.to_vec(),
            process: Some(process),
            join_seconds: 300,
            ..ClusterSettings::default()
        }
    }

    fn impatient(hosts: &[String], process: usize) -> ClusterSettings {
        ClusterSettings { join_seconds: 3, ..settings(hosts, process) }
    }

    /// A process that listens, with so many workers.
    fn open(settings: &ClusterSettings, workers: usize) -> Arc<Site> {
        let members = Members::new(settings, None).unwrap().unwrap();
        let identity = Identity::new(&"settings", workers).unwrap();
        Arc::new(Site::open(settings, members, identity, &Stop::default()).unwrap())
    }

    /// Has each process say what all agreed on; the first one decides that.
    fn agree(sites: &[Arc<Site>]) -> Vec<Option<String>> {
        let start = |site: &Arc<Site>| {
            let (site, stop) = (Arc::clone(site), Stop::default());
            std::thread::spawn(move || {
                let mut cluster = Cluster::join(&site, &stop).unwrap().unwrap();
                let (ProcessIndex { count, number, .. }, whole) = (cluster.process(), cluster.is_complete());
                let said = format!("decided by {number} of {count}, all of them: {whole}");
                let agreed = cluster.agree(&stop, || Ok(Decision::Begin(said))).unwrap();
                // The decision may still be on its way to the others.
                std::thread::sleep(Duration::from_millis(200));
                agreed
            })
        };
        let processes: Vec<_> = sites.iter().map(start).collect();
        processes.into_iter().map(|process| process.join().unwrap()).collect()
    }

    #[test]
    fn all_go_on_from_what_the_first_decides_whoever_comes_first() {
        let hosts = hosts(3);
        let sites = [2, 0, 1].map(|process| open(&settings(&hosts, process), 1));
        assert_eq!(agree(&sites), vec![Some("decided by 0 of 3, all of them: true".to_owned()); 3]);
    }

    #[test]
    fn those_that_are_there_begin_without_one_that_does_not_come() {
        for absent in 0..3 {
            let hosts = hosts(3);
            let present = (0..3).filter(|process| *process != absent);
            let sites: Vec<_> = present.map(|process| open(&impatient(&hosts, process), 1)).collect();
            let first = usize::from(absent == 0);
            let expected = format!("decided by {first} of 2, all of them: false");
            assert_eq!(agree(&sites), vec![Some(expected); 2]);
        }
    }

    #[test]
    fn who_is_not_alike_is_none_of_them() {
        let hosts = hosts(2);
        let sites = [(0, 1), (1, 2)].map(|(process, workers)| open(&impatient(&hosts, process), workers));
        // Each may begin by itself; the lease lets only one of them do it.
        let expected = ["decided by 0 of 1, all of them: false", "decided by 1 of 1, all of them: false"];
        assert_eq!(agree(&sites), expected.map(|said| Some(said.to_owned())));
    }

    #[test]
    fn nobody_begins_where_the_first_decides_to_wait() {
        let hosts = hosts(2);
        let sites = [0, 1].map(|process| open(&settings(&hosts, process), 1));
        let processes = sites.map(|site| {
            std::thread::spawn(move || {
                let stop = Stop::default();
                let mut cluster = Cluster::join(&site, &stop).unwrap().unwrap();
                let decide = || Ok(Decision::<()>::Wait("not now".to_owned()));
                assert!(cluster.agree(&stop, decide).unwrap().is_none());
                std::thread::sleep(Duration::from_millis(200));
                stop.begin_anew()
            })
        });
        for process in processes {
            assert_eq!(process.join().unwrap().as_deref(), Some("not now"));
        }
    }

    #[test]
    fn who_is_asked_to_stop_waits_no_longer() {
        let (site, stop) = (open(&settings(&hosts(2), 1), 1), Arc::new(Stop::default()));
        let asked = Arc::clone(&stop);
        let waiting = std::thread::spawn(move || Cluster::join(&site, &asked).unwrap().is_none());
        stop.ask();
        assert!(waiting.join().unwrap());
    }
}
