//! Connects the processes, and has those that are there agree who begins.
//!
//! Each connects to those before it and accepts connections of those after it, and tells the first of all that it
//! is connected to whom it reaches. Whoever is connected to none before it chooses who begins: all, once all are
//! there and reach each other; or without those that have not come within their time. All of these confirm the
//! same list to each other. Until then any process may leave and return.

use super::accord::all_connected;
use super::connection::Connection;
use super::dialing::{Call, Dialing};
use super::greeting::{Answer, Greeting};
use super::peer::{Peer, Word};
use super::reception::Guest;
use super::site::Site;
use crate::lock::lock;
use crate::stop::Stop;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Between two checks whether a process has connected or left.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How often the names of pods are resolved.
const COUNT_EVERY: Duration = Duration::from_millis(500);

/// How often the log repeats for which processes this one waits.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// How long all may take to confirm who begins.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(5);

/// Those that begin, connected.
pub struct Gathered {
    /// Their numbers, in order.
    pub list: Vec<usize>,
    /// Whether these are all that there are.
    pub is_complete: bool,
    /// Those that do not reach all others, as far as this process knows.
    pub left_out: Vec<usize>,
    /// The others, by number.
    pub peers: BTreeMap<usize, Peer>,
}

pub struct Gathering<'a> {
    site: &'a Site,
    stop: &'a Stop,
    /// How many there are, whether they come or not.
    count: usize,
    counted: Option<Instant>,
    /// Since when their number has been the same.
    settled_since: Instant,
    peers: BTreeMap<usize, Peer>,
    /// Of those before this one.
    dialing: Vec<Dialing>,
    /// The process that was told whom this one reaches, and what.
    told: Option<(usize, Vec<usize>)>,
    logged: Option<(String, Instant)>,
}

impl<'a> Gathering<'a> {
    pub fn new(site: &'a Site, stop: &'a Stop) -> Self {
        Self {
            site,
            stop,
            count: 0,
            counted: None,
            settled_since: Instant::now(),
            peers: BTreeMap::new(),
            dialing: (0..site.process()).map(|_| Dialing::new()).collect(),
            told: None,
            logged: None,
        }
    }

    /// Waits until those that are there have agreed who begins; `None` if a stop is requested before.
    ///
    /// # Errors
    /// Nobody can connect any more.
    pub fn wait(mut self) -> Result<Option<Gathered>> {
        while !self.stop.is_asked() {
            self.count();
            self.accept()?;
            self.dial();
            if let Some(gathered) = self.agree() {
                return Ok(Some(gathered));
            }
            self.log();
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(None)
    }

    /// Resolves the names again.
    fn count(&mut self) {
        if self.counted.is_some_and(|counted| counted.elapsed() < COUNT_EVERY) {
            return;
        }
        self.counted = Some(Instant::now());
        let count = self.site.members.count();
        if count != self.count {
            self.settled_since = Instant::now();
            self.count = count;
        }
    }

    fn is_settled(&self) -> bool {
        !self.site.members.can_change() || self.settled_since.elapsed() >= self.site.settings.settle()
    }

    /// Answers processes of higher numbers that have connected and proved themselves.
    fn accept(&mut self) -> Result<()> {
        loop {
            let guest = lock(&self.site.reception).next();
            match guest.context("cannot be reached by the other processes")? {
                Some(guest) => self.welcome(guest),
                None => return Ok(()),
            }
        }
    }

    fn welcome(&mut self, guest: Guest) {
        let process = guest.greeting.from.process;
        match self.refuse(&guest.greeting) {
            Some(reason) => {
                tracing::warn!(process, reason, "a process is refused");
                // It comes again.
                let _ = guest.answer(&Answer::Refused(reason));
            }
            None => {
                if let Ok(connection) = guest.answer(&Answer::Welcome) {
                    self.keep(process, connection);
                }
            }
        }
    }

    /// Why whoever greets so cannot be one of the processes now.
    fn refuse(&self, greeting: &Greeting) -> Option<String> {
        let (own, other) = (self.site.process(), greeting.from.process);
        match self.site.party.refuse(greeting) {
            Some(reason) => Some(reason.to_owned()),
            None if other <= own || !self.site.members.may_have(other) => {
                Some(format!("it says that it is process {other}, which is another"))
            }
            None => None,
        }
    }

    /// Connects to the processes of lower numbers that are not connected.
    fn dial(&mut self) {
        for process in 0..self.site.process() {
            if self.peers.contains_key(&process) || self.stop.is_asked() {
                continue;
            }
            if let Some(connection) = self.dialing[process].connection(|| Call::new(self.site, process)) {
                self.keep(process, connection);
            }
        }
    }

    fn keep(&mut self, process: usize, connection: Connection) {
        let address = self.site.members.address(process);
        match Peer::new(address, connection, self.site.settings.peer_timeout()) {
            Ok(peer) => {
                tracing::info!(process, address = peer.address, "connected");
                self.forget(process);
                self.peers.insert(process, peer);
            }
            Err(error) => tracing::warn!(process, %error, "a connection cannot be used"),
        }
    }

    fn forget(&mut self, process: usize) {
        self.peers.remove(&process);
        self.told.take_if(|(told, _)| *told == process);
    }

    /// Those that begin, once they have agreed on it.
    fn agree(&mut self) -> Option<Gathered> {
        if let Some((proposer, list)) = self.hear() {
            return self.begin(list, Some(proposer));
        }
        let first = self.peers.keys().next().copied().filter(|first| *first < self.site.process());
        match first {
            Some(first) => {
                self.tell(first);
                None
            }
            None => self.choose().and_then(|list| self.begin(list, None)),
        }
    }

    /// Takes in what the others say. The list that one of them proposes, if one does.
    fn hear(&mut self) -> Option<(usize, Vec<usize>)> {
        let (mut proposal, mut gone) = (None, Vec::new());
        for (process, peer) in &mut self.peers {
            match peer.hear() {
                Ok(None) => {}
                Ok(Some(Word::Reaches(list))) => peer.reaches = Some(list),
                Ok(Some(Word::Begin(list))) => {
                    proposal = Some((*process, list));
                    break;
                }
                Err(_) => gone.push(*process),
            }
        }
        gone.into_iter().for_each(|process| self.forget(process));
        proposal
    }

    /// Tells the first process whom this one reaches, where that is new.
    fn tell(&mut self, first: usize) {
        let told = Some((first, self.reaches()));
        if told == self.told {
            return;
        }
        let word = Word::Reaches(self.reaches());
        if self.peers.get_mut(&first).is_some_and(|peer| peer.say(&word).is_ok()) {
            self.told = told;
        } else {
            self.forget(first);
        }
    }

    /// This process and those that it is connected to, in order.
    fn reaches(&self) -> Vec<usize> {
        let mut reaches: Vec<usize> = self.peers.keys().copied().chain([self.site.process()]).collect();
        reaches.sort_unstable();
        reaches
    }

    /// Who begins, where it is time for that: each that is missing is waited for in turn, so that of a cluster that
    /// is cut in two the larger part goes on.
    fn choose(&self) -> Option<Vec<usize>> {
        if !self.is_settled() || self.peers.values().any(|peer| peer.reaches.is_none()) {
            return None;
        }
        let missing = self.missing().count();
        let all = self.reaches();
        let is_whole = missing == 0 && self.peers.values().all(|peer| peer.reaches.as_ref() == Some(&all));
        let patience = self.site.settings.join().saturating_mul(u32::try_from(missing).unwrap_or(1).max(1));
        if !is_whole && self.settled_since.elapsed() < patience {
            return None;
        }
        let reaches = self.peers.iter().map(|(process, peer)| (*process, peer.reaches.as_deref()));
        Some(all_connected(self.site.process(), reaches))
    }

    /// Has all of `list` confirm that they begin. The connections to all others are closed.
    fn begin(&mut self, list: Vec<usize>, proposer: Option<usize>) -> Option<Gathered> {
        let left_out = self.peers.keys().copied().filter(|process| !list.contains(process)).collect();
        match self.confirm(&list, proposer) {
            Ok(()) => {
                let is_complete = (0..self.count).all(|process| list.contains(&process));
                let peers = std::mem::take(&mut self.peers);
                Some(Gathered { list, is_complete, left_out, peers })
            }
            Err(error) => {
                tracing::warn!("not agreed who begins, all connect anew: {error:#}");
                self.peers.clear();
                self.told = None;
                None
            }
        }
    }

    fn confirm(&mut self, list: &[usize], proposer: Option<usize>) -> Result<()> {
        let is_known = |process: &usize| *process == self.site.process() || self.peers.contains_key(process);
        if !list.iter().all(is_known) || !list.contains(&self.site.process()) {
            bail!("{list:?} are to begin, and this process is connected to {:?}", self.reaches());
        }
        self.peers.retain(|process, _| list.contains(process));
        let until = Instant::now() + CONFIRMED_WITHIN;
        for peer in self.peers.values_mut() {
            peer.say(&Word::Begin(list.to_vec()))?;
        }
        for (process, peer) in &mut self.peers {
            if Some(*process) != proposer {
                peer.confirms(list, until)
                    .with_context(|| format!("process {process} ({})", peer.address))?;
            }
        }
        Ok(())
    }

    fn missing(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.count).filter(|process| *process != self.site.process() && !self.peers.contains_key(process))
    }

    /// A line for the log: for which processes this one waits.
    fn waiting(&self) -> String {
        let absent = self.missing().map(|process| {
            let problem = self.dialing.get(process).and_then(Dialing::problem);
            let problem = problem.map(|problem| format!(": {problem}")).unwrap_or_default();
            format!("process {process} ({}){problem}", self.site.members.address(process))
        });
        match absent.collect::<Vec<_>>().as_slice() {
            [] => "waiting for peers: they wait for others".to_owned(),
            absent => format!("waiting for peers: {}", absent.join("; ")),
        }
    }

    fn log(&mut self) {
        let line = self.waiting();
        let is_due =
            self.logged.as_ref().is_none_or(|(logged, at)| *logged != line || at.elapsed() > LOG_EVERY);
        if is_due {
            tracing::info!("{line}");
            self.logged = Some((line, Instant::now()));
        }
    }
}
