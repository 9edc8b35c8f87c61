//! A proxy between client and server that breaks the connection at a COMMIT, before or after it took effect.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::thread;

use streamflow_connectors::postgres::PostgresSettings;
use tempfile::TempDir;

/// A simple query with the text `COMMIT`, on the wire.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// What happens at the next COMMIT; passed once.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    None,
    /// It reaches the server, whose answer does not reach the client.
    LoseAnswer,
    /// It does not reach the server.
    LoseCommit,
}

struct State {
    next: Fault,
    injected: u32,
}

pub(crate) struct Proxy {
    directory: TempDir,
    upstream: PostgresSettings,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// Listens until the test ends.
    pub(crate) fn start(upstream: &PostgresSettings) -> Self {
        let directory = tempfile::Builder::new().prefix("streamflow-proxy-").tempdir_in("/tmp").unwrap();
        let socket = format!(".s.PGSQL.{}", upstream.port);
        let listener = UnixListener::bind(directory.path().join(&socket)).unwrap();
        let target = format!("{}/{socket}", upstream.hosts[0]);
        let state = Arc::new(Mutex::new(State { next: Fault::None, injected: 0 }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                serve(client.unwrap(), UnixStream::connect(&target).unwrap(), &shared);
            }
        });
        Self { directory, upstream: upstream.clone(), state }
    }

    /// The upstream's settings, through the proxy.
    pub(crate) fn settings(&self) -> PostgresSettings {
        PostgresSettings { hosts: vec![self.directory.path().display().to_string()], ..self.upstream.clone() }
    }

    pub(crate) fn inject(&self, fault: Fault) {
        self.state.lock().unwrap().next = fault;
    }

    pub(crate) fn injected(&self) -> u32 {
        self.state.lock().unwrap().injected
    }
}

/// Copies both ways until one side ends.
fn serve(client: UnixStream, server: UnixStream, state: &Arc<Mutex<State>>) {
    let lose_answer = Arc::new(Mutex::new(false));
    let losing = Arc::clone(&lose_answer);
    let (client_in, server_out) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let state = Arc::clone(state);
    thread::spawn(move || {
        pump(client_in, server_out, |bytes| {
            if !bytes.windows(COMMIT.len()).any(|window| window == COMMIT) {
                return true;
            }
            let mut state = state.lock().unwrap();
            let fault = std::mem::replace(&mut state.next, Fault::None);
            state.injected += u32::from(fault != Fault::None);
            *losing.lock().unwrap() = fault == Fault::LoseAnswer;
            fault != Fault::LoseCommit
        });
    });
    thread::spawn(move || pump(server, client, |_| !*lose_answer.lock().unwrap()));
}

/// Forwards while `pass` says so, then breaks both connections.
fn pump(mut from: UnixStream, mut to: UnixStream, mut pass: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 8192];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if !pass(&buffer[..read]) || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    from.shutdown(Shutdown::Both).ok();
    to.shutdown(Shutdown::Both).ok();
}
