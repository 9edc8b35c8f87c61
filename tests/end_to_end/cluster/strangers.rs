//! Who else connects to the port of a process: somebody slow, somebody that repeats what a process once said, a
//! process with another password.

use crate::command::Running;
use crate::parts::Parts;
use crate::scrape::{self, get};
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};
use streamflow_test_support::Port;

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Far less than a stranger's message takes.
const PROMPT: Duration = Duration::from_secs(30);

/// Longer than a process takes to notice whoever connects.
const MOMENT: Duration = Duration::from_secs(3);

/// Nobody begins without the other.
const PATIENT: [&str; 2] = ["--set", "cluster.join_seconds=300"];

const OURS: &str = "correct horse battery staple";
const THEIRS: &str = "incorrect horse battery staple";

/// The addresses of two processes.
struct Pair {
    ports: [Port; 2],
}

impl Pair {
    fn new() -> Self {
        Self { ports: [Port::reserve().unwrap(), Port::reserve().unwrap()] }
    }

    fn address(&self, process: usize) -> String {
        format!("127.0.0.1:{}", self.ports[process].number)
    }

    /// Starts one of them.
    fn start(&self, parts: &Parts, process: usize, options: &[&str]) -> Running {
        self.start_through(parts, process, &self.address(0), options)
    }

    /// Starts one of them, which finds the first one at `first`.
    fn start_through(&self, parts: &Parts, process: usize, first: &str, options: &[&str]) -> Running {
        let (hosts, process) = (format!("{first},{}", self.address(1)), process.to_string());
        parts.command("run", &[options, &["--hosts", &hosts, "--process", &process]].concat())
    }

    /// A connection to the first one, once it listens.
    fn connect(&self, first: &mut Running) -> TcpStream {
        let begun = Instant::now();
        loop {
            match TcpStream::connect(self.address(0)) {
                Ok(stream) => return stream,
                Err(_) => first.keep_waiting(begun, PATIENCE, "it listens"),
            }
        }
    }
}

pub fn wait_until_ready(process: &mut Running) {
    let (address, begun) = (scrape::address(process), Instant::now());
    while get(&address, "/readyz").code != 200 {
        process.keep_waiting(begun, PATIENCE, "it is ready");
    }
}

/// Announces a message and sends a byte of it every 1.5 seconds, as long as anybody reads them.
fn trickle(mut stream: TcpStream) {
    std::thread::spawn(move || {
        let mut bytes = [0, 0, 4, 0].into_iter().chain(std::iter::repeat(b' '));
        while bytes.next().is_some_and(|byte| stream.write_all(&[byte]).is_ok()) {
            sleep(Duration::from_millis(1500));
        }
    });
}

#[test]
fn a_slow_stranger_delays_nobody() {
    let parts = Parts::start("slow", 1, &json!({}));
    let pair = Pair::new();

    let mut alone = pair.start(&parts, 0, &["--set", "cluster.join_seconds=6"]);
    let stranger = pair.connect(&mut alone);
    trickle(stranger);
    wait_until_ready(&mut alone);
    assert!(alone.printed().contains("waiting for peers: process 1"), "{}", alone.printed());
    drop(alone);

    let mut first = pair.start(&parts, 0, &PATIENT);
    trickle(pair.connect(&mut first));
    sleep(MOMENT);
    let asked = Instant::now();
    assert!(first.terminate().success(), "{}", first.printed());
    assert!(asked.elapsed() < PROMPT);

    let mut first = pair.start(&parts, 0, &PATIENT);
    // Silent ones as well, more than are heard out at once.
    let silent: Vec<TcpStream> = (0..50).map(|_| pair.connect(&mut first)).collect();
    trickle(pair.connect(&mut first));
    let mut second = pair.start(&parts, 1, &[]);
    wait_until_ready(&mut first);
    wait_until_ready(&mut second);
    drop(silent);
}

#[test]
fn a_greeting_that_is_repeated_changes_nothing() {
    let parts = Parts::start("repeated", 1, &json!({}));
    let pair = Pair::new();
    let proxy = Recorder::start(pair.address(0));
    let mut first = pair.start(&parts, 0, &PATIENT);
    let mut second = pair.start_through(&parts, 1, &proxy.address, &PATIENT);
    wait_until_ready(&mut first);
    wait_until_ready(&mut second);
    let said = proxy.said();
    assert!(!said.is_empty());
    for said in said {
        let mut stream = pair.connect(&mut first);
        stream.write_all(&said).unwrap();
        stream.set_read_timeout(Some(PROMPT)).unwrap();
        // However it ends.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    sleep(MOMENT);
    for process in [&mut first, &mut second] {
        assert_eq!(process.ended(), None, "{}", process.printed());
        assert!(!process.printed().contains("form anew"), "{}", process.printed());
        wait_until_ready(process);
    }
    // One that greets itself does: the first one is not deaf.
    second.kill();
    let begun = Instant::now();
    while !first.printed().contains("form anew") {
        first.keep_waiting(begun, PATIENCE, "it forms anew");
    }
}

#[test]
fn a_process_with_another_password_is_refused() {
    let parts = Parts::start("password", 1, &json!({}));
    let pair = Pair::new();
    let set = |name: &str, password: &str| {
        let file = parts.path(name);
        fs::write(&file, password).unwrap();
        format!("cluster.password_file={}", file.display())
    };
    let (ours, theirs) = (set("ours", OURS), set("theirs", THEIRS));
    let mut first = pair.start(&parts, 0, &["--set", &ours]);
    wait_until_ready(&mut first);
    for other in [&["--set", &theirs][..], &[]] {
        let mut second = pair.start(&parts, 1, other);
        let begun = Instant::now();
        // It is none of them, and does not take their place.
        while !second.printed().contains("others of the processes hold the lease") {
            second.keep_waiting(begun, PATIENCE, "it waits");
        }
        let printed = second.printed();
        let why =
            printed.lines().find(|line| line.contains("process 0") && line.contains("cluster.password_file"));
        assert!(why.is_some(), "{printed}");
    }
    assert!(!first.printed().contains("form anew"), "{}", first.printed());
    assert!(first.printed().contains("cluster.password_file"), "{}", first.printed());
    let mut second = pair.start(&parts, 1, &["--set", &ours]);
    wait_until_ready(&mut first);
    wait_until_ready(&mut second);
    let printed = first.printed() + &second.printed();
    assert!(!printed.contains(OURS) && !printed.contains(THEIRS), "{printed}");
}

/// Passes connections on, and keeps what those that connect say at first.
pub struct Recorder {
    pub address: String,
    said: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Recorder {
    pub fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let recorder = Self { address: listener.local_addr().unwrap().to_string(), said: Arc::default() };
        let said = Arc::clone(&recorder.said);
        std::thread::spawn(move || {
            for from in listener.incoming().map_while(Result::ok) {
                // Where the target does not listen yet, the connection ends.
                let Ok(to) = TcpStream::connect(&target) else { continue };
                let place = begin(&said);
                let (back, forth) = (to.try_clone().unwrap(), from.try_clone().unwrap());
                std::thread::spawn(move || pass(back, forth, |_| ()));
                let said = Arc::clone(&said);
                std::thread::spawn(move || pass(from, to, |bytes| said.lock().unwrap()[place].extend(bytes)));
            }
        });
        recorder
    }

    /// What each of those that have connected has said at first.
    pub fn said(&self) -> Vec<Vec<u8>> {
        self.said.lock().unwrap().clone()
    }
}

/// The place of what one more connection says.
fn begin(said: &Mutex<Vec<Vec<u8>>>) -> usize {
    let mut said = said.lock().unwrap();
    said.push(Vec::new());
    said.len() - 1
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut record: impl FnMut(&[u8])) {
    let (mut buffer, mut passed) = (vec![0; 1 << 16], 0);
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        // The greeting is in what comes first.
        if passed < 1 << 14 {
            record(&buffer[..read]);
        }
        passed += read;
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
}
