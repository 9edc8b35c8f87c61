//! Connects all processes: each connects to those before it and accepts connections of those after it.
//!
//! Until then any process may leave and return. A process reports to the first one once it has all
//! connections, and the first one decides from where to continue once all have reported.

use super::greeting::{Answer, Greeting, Identity};
use super::members::Members;
use super::settings::ClusterSettings;
use super::{door, message};
use crate::stop::Stop;
use anyhow::{Context, Result, anyhow, bail};
use socket2::{SockRef, TcpKeepalive};
use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};
use streamflow_connectors::backoff::Backoff;

/// Between two checks whether a process has connected or left.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How often the names of pods are resolved.
const COUNT_EVERY: Duration = Duration::from_millis(500);

/// How long another process may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the log repeats for which processes this one waits.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// What a process sends to the first one when it has all connections.
const COMPLETE: u8 = b'C';

/// All processes, connected.
pub struct Gathered {
    pub listener: TcpListener,
    /// Of this process.
    pub greeting: Greeting,
    /// To each of the others, by number; `None` for this process.
    pub peers: Vec<Option<Peer>>,
}

/// A connection to another process.
pub struct Peer {
    pub address: String,
    pub stream: TcpStream,
}

pub struct Gathering<'a> {
    settings: &'a ClusterSettings,
    members: &'a Members,
    identity: &'a Identity,
    stop: &'a Stop,
    listener: TcpListener,
    addresses: Vec<String>,
    /// Since when the number of processes has been the same.
    settled_since: Instant,
    counted: Instant,
    peers: Vec<Option<Peer>>,
    dialing: Vec<Dialing>,
    logged: Option<(String, Instant)>,
}

/// Attempts to reach a process.
struct Dialing {
    backoff: Backoff,
    due: Instant,
    /// Why the last one failed.
    problem: Option<String>,
}

impl Dialing {
    fn new() -> Self {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        Self { backoff, due: Instant::now(), problem: None }
    }
}

impl<'a> Gathering<'a> {
    /// Listens for the others.
    ///
    /// # Errors
    /// It cannot listen at its own address: whoever configured that can fix it.
    pub fn begin(
        settings: &'a ClusterSettings,
        members: &'a Members,
        identity: &'a Identity,
        stop: &'a Stop,
    ) -> Result<Self> {
        let own = members.address(members.process());
        let listener = listen(&own, settings.join(), stop)?;
        listener.set_nonblocking(true)?;
        let now = Instant::now();
        Ok(Self {
            settings,
            members,
            identity,
            stop,
            listener,
            addresses: Vec::new(),
            settled_since: now,
            counted: now.checked_sub(COUNT_EVERY).unwrap_or(now),
            peers: Vec::new(),
            dialing: Vec::new(),
            logged: None,
        })
    }

    /// Waits until all processes are connected; `None` if a stop is requested before.
    ///
    /// # Errors
    /// Names the processes that did not connect in time, with the reason if it is known.
    pub fn wait(mut self) -> Result<Option<Gathered>> {
        let begun = Instant::now();
        while !self.stop.is_asked() {
            self.count();
            if self.is_settled() {
                self.accept()?;
                self.dial();
                self.peers.iter_mut().for_each(drop_if_closed);
                if self.has_all() && self.all_have_all()? {
                    return Ok(Some(self.gathered()));
                }
            }
            let missing = self.missing();
            if begun.elapsed() > self.settings.join() {
                bail!("{missing} (cluster.join_seconds = {})", self.settings.join_seconds);
            }
            self.log(missing);
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(None)
    }

    fn process(&self) -> usize {
        self.members.process()
    }

    fn greeting(&self) -> Greeting {
        Greeting::new(self.identity, self.addresses.len(), self.process())
    }

    fn gathered(self) -> Gathered {
        let greeting = self.greeting();
        Gathered { listener: self.listener, greeting, peers: self.peers }
    }

    /// Resolves the addresses again; where they have changed all connections are made anew.
    fn count(&mut self) {
        if self.counted.elapsed() < COUNT_EVERY {
            return;
        }
        self.counted = Instant::now();
        let addresses = self.members.addresses();
        if addresses != self.addresses {
            self.settled_since = Instant::now();
            self.addresses = addresses;
            self.begin_anew();
        }
    }

    fn begin_anew(&mut self) {
        let processes = self.addresses.len();
        self.peers = (0..processes).map(|_| None).collect();
        self.dialing = (0..self.process().min(processes)).map(|_| Dialing::new()).collect();
    }

    fn is_settled(&self) -> bool {
        let settled = !self.members.can_change() || self.settled_since.elapsed() >= self.settings.settle();
        settled && self.process() < self.addresses.len()
    }

    fn has_all(&self) -> bool {
        let present = self.peers.iter().flatten().count();
        present + 1 == self.peers.len()
    }

    /// Answers processes of higher numbers that have connected.
    fn accept(&mut self) -> Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.welcome(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // The connection was gone before it was accepted.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error).context("cannot be reached by the other processes"),
            }
        }
    }

    fn welcome(&mut self, mut stream: TcpStream) {
        let Ok(other) = door::receive(&mut stream) else { return };
        let mine = self.greeting();
        let reason = match mine.refuse(&other) {
            Some(reason) => Some(reason.to_owned()),
            None if other.processes != mine.processes => {
                Some(format!("it counts {} processes, this one {}", other.processes, mine.processes))
            }
            None if other.process <= mine.process || other.process >= mine.processes => {
                Some(format!("it says that it is process {}, which is another", other.process))
            }
            None => None,
        };
        let Greeting { process, .. } = other;
        match reason {
            Some(reason) => {
                tracing::warn!(process, reason, "a process is refused");
                // It comes again.
                let _ = message::send(&mut stream, &Answer::Refused(reason));
            }
            None if message::send(&mut stream, &Answer::Welcome).is_ok() => self.keep(process, stream),
            None => {}
        }
    }

    /// Connects to the processes of lower numbers whose next attempt is due.
    fn dial(&mut self) {
        for process in 0..self.process() {
            let is_due = Instant::now() >= self.dialing[process].due;
            if self.peers[process].is_some() || !is_due || self.stop.is_asked() {
                continue;
            }
            match self.connect(process) {
                Ok(stream) => {
                    self.dialing[process] = Dialing::new();
                    self.keep(process, stream);
                }
                Err(error) => {
                    let dialing = &mut self.dialing[process];
                    dialing.problem = Some(format!("{error:#}"));
                    dialing.due = Instant::now() + dialing.backoff.pause();
                }
            }
        }
    }

    fn connect(&self, process: usize) -> Result<TcpStream> {
        let address = self.addresses[process].to_socket_addrs()?.next().context("it has no address")?;
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        message::send(&mut stream, &self.greeting())?;
        match message::receive(&mut stream)? {
            Answer::Welcome => Ok(stream),
            Answer::Refused(reason) => Err(anyhow!("it refuses this process: {reason}")),
        }
    }

    fn keep(&mut self, process: usize, stream: TcpStream) {
        let Some(address) = self.addresses.get(process).cloned() else { return };
        if let Err(error) = prepare(&stream, self.settings.peer_timeout()) {
            tracing::warn!(process, %error, "a connection cannot be used");
            return;
        }
        tracing::info!(process, address, "connected");
        self.peers[process] = Some(Peer { address, stream });
    }

    /// Whether all processes have reported to the first one; the others learn it when the first one sends its
    /// decision.
    fn all_have_all(&mut self) -> Result<bool> {
        if self.process() == 0 {
            return Ok(self
                .peers
                .iter()
                .flatten()
                .all(|peer| peer_state(&peer.stream) == PeerState::Readable));
        }
        if let Some(Some(first)) = self.peers.first_mut()
            && first.stream.write_all(&[COMPLETE]).is_err()
        {
            self.begin_anew();
            return Ok(false);
        }
        let begun = Instant::now();
        while !self.stop.is_asked() && begun.elapsed() < self.settings.join() {
            if self.peers.iter().flatten().any(|peer| peer_state(&peer.stream) == PeerState::Closed) {
                // The report to the first process is no longer true: it must not start with this one.
                self.begin_anew();
                return Ok(false);
            }
            if let Some(Some(first)) = self.peers.first()
                && peer_state(&first.stream) == PeerState::Readable
            {
                return Ok(true);
            }
            self.accept()?;
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(false)
    }

    /// A line for the log: for which processes this one waits.
    fn missing(&self) -> String {
        let own = self.members.address(self.process());
        if self.process() >= self.addresses.len() {
            let missing = self.members.address(self.addresses.len());
            return format!("waiting for peers: {missing} has no address yet, this is {own}");
        }
        let absent = (0..self.peers.len()).filter(|process| *process != self.process());
        let absent: Vec<String> = absent
            .filter(|process| self.peers[*process].is_none())
            .map(|process| {
                let problem = self.dialing.get(process).and_then(|dialing| dialing.problem.as_deref());
                let problem = problem.map(|problem| format!(": {problem}")).unwrap_or_default();
                format!("process {process} ({}){problem}", self.addresses[process])
            })
            .collect();
        match absent.as_slice() {
            [] => "waiting for peers: they wait for others".to_owned(),
            absent => format!("waiting for peers: {}", absent.join("; ")),
        }
    }

    fn log(&mut self, line: String) {
        let is_due =
            self.logged.as_ref().is_none_or(|(logged, at)| *logged != line || at.elapsed() > LOG_EVERY);
        if is_due {
            tracing::info!("{line}");
            self.logged = Some((line, Instant::now()));
        }
    }
}

/// Its own name may take a moment to be known.
fn listen(own: &str, patience: Duration, stop: &Stop) -> Result<TcpListener> {
    let begun = Instant::now();
    loop {
        match TcpListener::bind(own) {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                let is_known = own.to_socket_addrs().is_ok();
                if is_known || stop.is_asked() || begun.elapsed() > patience {
                    return Err(error)
                        .with_context(|| format!("cannot listen for the other processes at {own}"));
                }
            }
        }
        std::thread::sleep(COUNT_EVERY);
    }
}

/// A peer that falls silent is noticed: by what is sent and not acknowledged, and by probes where nothing is
/// sent.
fn prepare(stream: &TcpStream, timeout: Duration) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)?;
    let socket = SockRef::from(stream);
    let between = (timeout / 4).max(Duration::from_secs(1));
    let keepalive = TcpKeepalive::new().with_time(between).with_interval(between).with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(timeout))
}

#[derive(PartialEq, Eq)]
enum PeerState {
    /// Nothing has arrived.
    Quiet,
    Readable,
    /// The peer has closed the connection, or it is broken.
    Closed,
}

/// Neither waits nor reads what has arrived.
fn peer_state(stream: &TcpStream) -> PeerState {
    let mut byte = [0];
    if stream.set_nonblocking(true).is_err() {
        return PeerState::Closed;
    }
    let state = match stream.peek(&mut byte) {
        Ok(0) => PeerState::Closed,
        Ok(_) => PeerState::Readable,
        Err(error) if error.kind() == ErrorKind::WouldBlock => PeerState::Quiet,
        Err(_) => PeerState::Closed,
    };
    if stream.set_nonblocking(false).is_err() { PeerState::Closed } else { state }
}

fn drop_if_closed(peer: &mut Option<Peer>) {
    if peer.as_ref().is_some_and(|peer| peer_state(&peer.stream) == PeerState::Closed) {
        *peer = None;
    }
}
