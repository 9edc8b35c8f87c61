//! Processes that encrypt what they send each other and know each other by certificates: they form, run, and form anew
//! with renewed ones. Whoever has none of theirs changes nothing.

use super::strangers::{Recorder, wait_until_ready};
use super::survivors::wait_until_together;
use crate::command::Running;
use crate::exactness::{is_caught_up, verify};
use crate::parts::Parts;
use crate::scrape;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use streamflow_test_support::{Authority, Identity, Port};

/// After this the pipeline is stuck, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Longer than processes take to form anew where a stranger makes them.
const MOMENT: Duration = Duration::from_secs(3);

/// The first byte of a connection by TLS: a record of its handshake.
const HANDSHAKE: u8 = 22;

/// What a process says first that does not encrypt.
const OPENING: &[u8; 20] = b"streamflow cluster 3";

const PASSWORD: &str = "correct horse battery staple";

/// Writes what a process of that name needs, and returns the options that name the files.
fn certify(parts: &Parts, name: &str, authority: &Authority) -> Vec<String> {
    let Identity { certificate, key } = authority.issue("127.0.0.1").unwrap();
    let files = [("ca", authority.certificate()), ("cert", &certificate), ("key", &key)];
    let options = files.map(|(kind, text)| {
        let file = parts.path(&format!("{name}-{kind}.pem"));
        fs::write(&file, text).unwrap();
        ["--set".to_owned(), format!("cluster.tls_{kind}_file={}", file.display())]
    });
    options.into_iter().flatten().collect()
}

/// Where three processes listen.
struct Trio {
    ports: [Port; 3],
}

impl Trio {
    fn new() -> Self {
        Self { ports: [(); 3].map(|()| Port::reserve().unwrap()) }
    }

    fn addresses(&self) -> [String; 3] {
        self.ports.each_ref().map(|port| format!("127.0.0.1:{}", port.number))
    }

    /// Starts one of them.
    fn start(&self, parts: &Parts, process: usize, options: &[String]) -> Running {
        start(parts, &self.addresses(), process, options)
    }
}

fn start(parts: &Parts, addresses: &[String], process: usize, options: &[String]) -> Running {
    let place = ["--hosts", &addresses.join(","), "--process", &process.to_string()].map(str::to_owned);
    let options: Vec<&str> = options.iter().chain(&place).map(String::as_str).collect();
    parts.command("run", &options)
}

fn wait_until_all_are_together(processes: &mut [Running]) {
    let addresses: Vec<String> = processes.iter_mut().map(scrape::address).collect();
    wait_until_together(processes, &addresses);
}

#[test]
fn encrypted_processes_form_and_form_anew_with_renewed_certificates() {
    let parts = Parts::start("encrypted", 4, &json!({}));
    let mut generate = parts.command("generate", &["--rate", "300", "--customers", "1000"]);
    let trio = Trio::new();
    let password = parts.path("password");
    fs::write(&password, PASSWORD).unwrap();
    let authority = Authority::new().unwrap();
    let options = [0, 1, 2].map(|process| {
        let password = format!("cluster.password_file={}", password.display());
        let files = certify(&parts, &process.to_string(), &authority);
        [files, vec!["--set".to_owned(), password]].concat()
    });
    let mut processes: Vec<Running> =
        (0..3).map(|process| trio.start(&parts, process, &options[process])).collect();
    wait_until_all_are_together(&mut processes);
    // Nothing that has to do with the authority before is accepted from here on.
    let renewed = Authority::new().unwrap();
    (0..3).for_each(|process| drop(certify(&parts, &process.to_string(), &renewed)));
    processes[1].kill();
    processes[1] = trio.start(&parts, 1, &options[1]);
    wait_until_all_are_together(&mut processes);
    assert!(processes[0].printed().contains("form anew"), "{}", processes[0].printed());
    assert!(generate.terminate().success(), "{}", generate.printed());
    let begun = Instant::now();
    while !is_caught_up(&parts, &mut parts.connect()) {
        processes[0].keep_waiting(begun, PATIENCE, "all is committed");
    }
    for (process, status) in Running::terminate_all(&mut processes).into_iter().enumerate() {
        let printed = processes[process].printed();
        assert!(status.success() && !printed.contains("panicked"), "{printed}");
        assert!(!printed.contains("PRIVATE KEY") && !printed.contains(PASSWORD), "{printed}");
    }
    verify(&parts);
}

#[test]
fn whoever_has_no_certificate_of_theirs_is_refused_and_changes_nothing() {
    let parts = Parts::start("uncertified", 1, &json!({}));
    let (ours, theirs) = (Authority::new().unwrap(), Authority::new().unwrap());
    let trio = Trio::new();
    let [first_address, second_address, third_address] = trio.addresses();
    let proxy = Recorder::start(first_address.clone());
    let mut first = trio.start(&parts, 0, &certify(&parts, "first", &ours));
    let through_proxy = [proxy.address.clone(), second_address, third_address];
    let mut second = start(&parts, &through_proxy, 1, &certify(&parts, "second", &ours));
    wait_until_ready(&mut first);
    wait_until_ready(&mut second);
    for said in proxy.said() {
        assert_eq!(said.first(), Some(&HANDSHAKE));
        check_refused(&first_address, &said);
    }
    check_refused(&first_address, &[&OPENING[..], &[7; 32]].concat());
    check_refused(&first_address, b"GET / HTTP/1.1\r\n\r\n");
    check_refused_without_certificate(&first_address, &ours);
    // Processes that are like them otherwise: one of another authority, one that does not encrypt.
    for (options, why, heard) in [
        (
            certify(&parts, "other", &theirs),
            "its certificate is not accepted",
            "it does not accept the certificate of this process",
        ),
        (Vec::new(), "waiting for peers: process 0", "it does not speak TLS"),
    ] {
        let mut other = trio.start(&parts, 2, &options);
        let begun = Instant::now();
        let waits = |other: &Running| other.printed().contains("others of the processes hold the lease");
        while !waits(&other) || !first.printed().contains(heard) {
            other.keep_waiting(begun, PATIENCE, "it waits");
        }
        assert!(other.printed().contains(why), "{}", other.printed());
    }
    std::thread::sleep(MOMENT);
    for process in [&mut first, &mut second] {
        assert_eq!(process.ended(), None, "{}", process.printed());
        assert!(!process.printed().contains("form anew"), "{}", process.printed());
        wait_until_ready(process);
    }
}

/// Whoever says that gets no more than an alert of TLS, if that.
fn check_refused(address: &str, said: &[u8]) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(said).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = Vec::new();
    // However it ends.
    let _ = stream.read_to_end(&mut answer);
    assert!(
        answer.len() < 4096 && !answer.windows(OPENING.len()).any(|bytes| bytes == OPENING),
        "{answer:?}"
    );
}

/// A stranger that trusts them and speaks TLS is not let in by that.
fn check_refused_without_certificate(address: &str, authority: &Authority) {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = ClientConnection::new(Arc::new(config), "127.0.0.1".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(client, stream);
    // This side is satisfied, and has proved nothing.
    let _ = stream.write_all(&[&OPENING[..], &[7; 32]].concat());
    let error = stream.read(&mut [0]).unwrap_err();
    assert!(error.to_string().contains("CertificateRequired"), "{error}");
}
