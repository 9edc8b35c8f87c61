//! For tests: processes with certificates, and encrypted connections between them.

use super::connection::Connection;
use super::encryption::Encryption;
use super::settings::ClusterSettings;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};
use streamflow_test_support::Authority;
use tempfile::TempDir;

/// Far more than a handshake takes.
const WITHIN: Duration = Duration::from_secs(60);

/// What one process has in files.
pub struct Certified {
    directory: TempDir,
}

impl Certified {
    /// A certificate for `name`, and trust in its authority.
    pub fn new(authority: &Authority, name: &str) -> Self {
        let certified = Self { directory: tempfile::tempdir().unwrap() };
        certified.renew(authority, name);
        certified
    }

    /// Replaces the files.
    pub fn renew(&self, authority: &Authority, name: &str) {
        let identity = authority.issue(name).unwrap();
        self.write("ca", authority.certificate());
        self.write("cert", &identity.certificate);
        self.write("key", &identity.key);
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.directory.path().join(file), text).unwrap();
    }

    pub fn settings(&self) -> ClusterSettings {
        let [tls_ca_file, tls_cert_file, tls_key_file] =
            ["ca", "cert", "key"].map(|file| Some(self.directory.path().join(file)));
        ClusterSettings { tls_ca_file, tls_cert_file, tls_key_file, ..ClusterSettings::default() }
    }

    pub fn encryption(&self) -> Encryption {
        Encryption::new(&self.settings()).unwrap().unwrap()
    }
}

/// Both ends of a connection.
pub fn sockets() -> [TcpStream; 2] {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dials = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    [dials, listener.accept().unwrap().0]
}

pub fn connection(socket: TcpStream) -> Connection {
    Connection::new(socket, Instant::now() + WITHIN).unwrap()
}

/// The connection of who dials `localhost` and of who listens, each where its side accepts the other; else why not. Who dials
/// learns by what it receives whether it was accepted.
pub fn connect(dials: &Encryption, listens: &Encryption) -> [Result<Connection, String>; 2] {
    let [dialled, accepted] = sockets().map(connection);
    let (dials, listens) = (dials.dials("localhost:1").unwrap(), listens.listens().unwrap());
    let encrypt = |mut connection: Connection, machine| {
        connection.encrypt(machine).map(|()| connection).map_err(|error| error.to_string())
    };
    let listening = thread::spawn(move || encrypt(accepted, listens));
    [encrypt(dialled, dials), listening.join().unwrap()]
}

/// An encrypted connection.
pub fn connected() -> [Connection; 2] {
    let authority = Authority::new().unwrap();
    let certified = Certified::new(&authority, "localhost");
    let encryption = certified.encryption();
    connect(&encryption, &encryption).map(Result::unwrap)
}
