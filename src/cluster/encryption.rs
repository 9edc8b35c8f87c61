//! Encryption between processes: TLS 1.3, in which each side proves by a certificate that it is one of them.

use super::named::Named;
use super::settings::ClusterSettings;
use anyhow::{Context, Result, anyhow};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use std::path::PathBuf;
use std::sync::Arc;
use streamflow_connectors::certificates::{OTHER_KEY, Problem, chain, private_key, refused, roots};

/// Where the certificates of this process are, and whose it trusts.
pub struct Encryption {
    ca_file: PathBuf,
    cert_file: PathBuf,
    key_file: PathBuf,
    /// What every certificate must hold; without it, that of who listens must hold the host that is dialed.
    name: Option<ServerName<'static>>,
}

/// What the files hold now.
struct Files {
    roots: RootCertStore,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Encryption {
    /// `None` where they do not encrypt. The files are read once, for who starts this process to see what is wrong
    /// with them, and again for each connection: renewed ones need no restart.
    ///
    /// # Errors
    /// One line that names the key: a file cannot be used.
    pub fn new(settings: &ClusterSettings) -> Result<Option<Self>> {
        let files = (&settings.tls_ca_file, &settings.tls_cert_file, &settings.tls_key_file);
        let (Some(ca_file), Some(cert_file), Some(key_file)) = files else { return Ok(None) };
        let name = settings.tls_name.clone().map(ServerName::try_from).transpose();
        let encryption = Self {
            ca_file: ca_file.clone(),
            cert_file: cert_file.clone(),
            key_file: key_file.clone(),
            name: name.context("configuration: cluster.tls_name: must be a host name or an address")?,
        };
        encryption.listens()?;
        Ok(Some(encryption))
    }

    /// For one connection to the process at `address`, `host:port`.
    ///
    /// # Errors
    /// A file cannot be used.
    pub fn dials(&self, address: &str) -> Result<rustls::Connection> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host(address).to_owned()).with_context(|| {
                format!("{address}: no certificate can hold this host: set cluster.tls_name")
            })?,
        };
        let Files { roots, chain, key } = self.read()?;
        let config = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13])?;
        let config = config.with_root_certificates(roots).with_client_auth_cert(chain, key);
        let mut config = config.map_err(|_| self.other_key())?;
        // Each connection is for long, and each proves itself.
        config.resumption = Resumption::disabled();
        Ok(ClientConnection::new(Arc::new(config), name)?.into())
    }

    /// For one connection of whoever dials.
    ///
    /// # Errors
    /// A file cannot be used.
    pub fn listens(&self) -> Result<rustls::Connection> {
        let Files { roots, chain, key } = self.read()?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build()?;
        let verifier = match self.name.clone() {
            Some(name) => Arc::new(Named { chain: verifier, name }),
            None => verifier,
        };
        let config = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13])?;
        let config = config.with_client_cert_verifier(verifier).with_single_cert(chain, key);
        let mut config = config.map_err(|_| self.other_key())?;
        config.send_tls13_tickets = 0;
        Ok(ServerConnection::new(Arc::new(config))?.into())
    }

    fn read(&self) -> Result<Files> {
        let read = || -> Result<Files, Problem> {
            let (roots, chain) = (roots(&self.ca_file)?, chain(&self.cert_file)?);
            Ok(Files { roots, chain, key: private_key(&self.key_file)? })
        };
        read().map_err(in_settings)
    }

    fn other_key(&self) -> anyhow::Error {
        in_settings(refused("tls_key_file", &self.key_file, OTHER_KEY))
    }
}

fn in_settings((key, what): Problem) -> anyhow::Error {
    anyhow!("configuration: cluster.{key}: {what}")
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Of `host:port`; an IPv6 address without its brackets.
fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::super::certified::{Certified, connect, connection, sockets};
    use super::super::connection::Connection;
    use super::*;
    use std::io::{ErrorKind, Read, Write};
    use std::net::{Shutdown, TcpStream};
    use std::thread;
    use std::time::{Duration, Instant};
    use streamflow_test_support::Authority;

    /// Both accept each other.
    fn check_trust(dials: &Encryption, listens: &Encryption) {
        connect(dials, listens).into_iter().for_each(|outcome| assert!(outcome.is_ok()));
    }

    /// Says so where the result is another one than that.
    fn check_reason<T>(outcome: Result<T, String>, words: &str) {
        let reason = outcome.err().unwrap();
        assert!(reason.contains(words), "{reason} should contain {words}");
    }

    #[test]
    fn processes_of_one_authority_trust_each_other() {
        let authority = Authority::new().unwrap();
        let [dials, listens] = ["anybody", "localhost"].map(|name| Certified::new(&authority, name));
        let ends = connect(&dials.encryption(), &listens.encryption());
        let [mut dialled, mut accepted] = ends.map(Result::unwrap);
        let mut heard = [0; 5];
        dialled.write_all(b"hello").unwrap();
        accepted.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
        accepted.write_all(b"there").unwrap();
        dialled.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"there");
    }

    #[test]
    fn a_certificate_of_another_authority_is_refused_and_both_say_why() {
        let [ours, theirs] = [(); 2].map(|()| Authority::new().unwrap());
        let member = Certified::new(&ours, "localhost");
        let stranger = Certified::new(&theirs, "localhost");
        let [dialled, accepted] = connect(&member.encryption(), &stranger.encryption());
        check_reason(dialled, "its certificate is not accepted");
        check_reason(accepted, "does not accept the certificate of this process");
        // Now one that trusts the others, and is not trusted.
        stranger.write("ca", ours.certificate());
        let [dialled, accepted] = connect(&stranger.encryption(), &member.encryption());
        check_reason(accepted, "its certificate is not accepted");
        let error = dialled.unwrap().read(&mut [0]).unwrap_err();
        assert!(error.to_string().contains("does not accept the certificate of this process"), "{error}");
    }

    #[test]
    fn who_listens_must_have_the_name_that_is_dialled() {
        let authority = Authority::new().unwrap();
        let [member, other] = ["localhost", "elsewhere"].map(|name| Certified::new(&authority, name));
        let [dialled, _] = connect(&member.encryption(), &other.encryption());
        check_reason(dialled, "not valid for name \"localhost\"");
    }

    #[test]
    fn with_a_name_for_all_both_sides_must_have_it() {
        let authority = Authority::new().unwrap();
        let [member, other] = ["pipeline", "localhost"].map(|name| Certified::new(&authority, name));
        let named = |certified: &Certified| {
            let tls_name = Some("pipeline".to_owned());
            Encryption::new(&ClusterSettings { tls_name, ..certified.settings() }).unwrap().unwrap()
        };
        check_trust(&named(&member), &named(&member));
        let [dialled, _] = connect(&named(&member), &named(&other));
        check_reason(dialled, "not valid for name \"pipeline\"");
        let unnamed = Encryption { name: ServerName::try_from("pipeline").ok(), ..other.encryption() };
        let [_, accepted] = connect(&unnamed, &named(&member));
        check_reason(accepted, "not valid for name \"pipeline\"");
    }

    #[test]
    fn without_a_certificate_nobody_gets_in() {
        let authority = Authority::new().unwrap();
        let certified = Certified::new(&authority, "localhost");
        let encryption = certified.encryption();
        let Files { roots, .. } = encryption.read().unwrap();
        let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
        let stranger = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        let [dialled, accepted] = sockets().map(connection);
        let listening = thread::spawn(move || refusal(accepted, &encryption));
        let mut dialled = dialled;
        dialled.encrypt(stranger.into()).unwrap();
        assert!(listening.join().unwrap().contains("it has no certificate"));
        assert!(dialled.read(&mut [0]).is_err());
    }

    #[test]
    fn what_does_not_encrypt_is_refused() {
        let authority = Authority::new().unwrap();
        let certified = Certified::new(&authority, "localhost");
        let encryption = certified.encryption();
        for said in [&b"streamflow cluster 3 and more"[..], b"GET / HTTP/1.1\r\n\r\n", &[0; 100]] {
            let [mut stranger, accepted] = sockets();
            stranger.write_all(said).unwrap();
            let reason = refusal(connection(accepted), &encryption);
            assert!(reason.contains("it does not speak TLS"), "{reason}");
        }
    }

    /// Why whoever has connected is not let in.
    fn refusal(mut accepted: Connection, encryption: &Encryption) -> String {
        accepted.encrypt(encryption.listens().unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn who_is_silent_or_slow_has_no_more_time_than_any_other() {
        let authority = Authority::new().unwrap();
        let certified = Certified::new(&authority, "localhost");
        let encryption = certified.encryption();
        let [stranger, accepted] = sockets();
        let until = Instant::now() + Duration::from_secs(1);
        let mut accepted = Connection::new(accepted, until).unwrap();
        let trickling = thread::spawn(move || trickle(stranger));
        let error = accepted.encrypt(encryption.listens().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(Instant::now() >= until);
        accepted.socket().shutdown(Shutdown::Both).unwrap();
        trickling.join().unwrap();
    }

    /// Announces a message of TLS and sends it byte by byte, as long as anybody reads it.
    fn trickle(mut stranger: TcpStream) {
        let mut bytes = [22, 3, 1, 2, 0, 1, 0, 1, 252].into_iter().chain(std::iter::repeat(3));
        while bytes.next().is_some_and(|byte| stranger.write_all(&[byte]).is_ok()) {
            thread::sleep(Duration::from_millis(100));
        }
    }

    #[test]
    fn renewed_certificates_are_those_of_the_next_connection() {
        let [old, new] = [(); 2].map(|()| Authority::new().unwrap());
        let [ours, theirs] = [(); 2].map(|()| Certified::new(&old, "localhost"));
        let [dials, listens] = [&ours, &theirs].map(Certified::encryption);
        check_trust(&dials, &listens);
        ours.renew(&new, "localhost");
        assert!(connect(&dials, &listens).into_iter().any(|outcome| outcome.is_err()));
        theirs.renew(&new, "localhost");
        check_trust(&dials, &listens);
    }

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let authority = Authority::new().unwrap();
        for (file, text, words) in [
            ("ca", "", ["cluster.tls_ca_file", "holds no certificate"]),
            ("cert", "no certificate", ["cluster.tls_cert_file", "holds no certificate"]),
            ("key", "", ["cluster.tls_key_file", "holds no key"]),
            ("key", &authority.issue("localhost").unwrap().key, ["cluster.tls_key_file", "is not the key"]),
        ] {
            let certified = Certified::new(&authority, "localhost");
            certified.write(file, text);
            let told = Encryption::new(&certified.settings()).err().unwrap().to_string();
            assert!(words.iter().all(|word| told.contains(word)) && !told.contains("PRIVATE"), "{told}");
        }
    }

    #[test]
    fn the_host_of_an_address_is_without_its_port() {
        for (address, expected) in
            [("w0:2101", "w0"), ("127.0.0.1:2101", "127.0.0.1"), ("[::1]:2101", "::1"), ("w0", "w0")]
        {
            assert_eq!(host(address), expected);
        }
    }
}
