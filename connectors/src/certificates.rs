//! Certificates and keys in PEM files, which settings name. They are read when they are used, so that renewed ones
//! are picked up.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The key of the setting that names a file, and what is wrong with that file.
pub type Problem = (&'static str, String);

/// What is wrong where the key in `tls_key_file` is another one than that of the certificate.
pub const OTHER_KEY: &str = "is not the key to the certificate in `tls_cert_file`";

/// The authorities in `tls_ca_file`, at least one.
///
/// # Errors
/// The file cannot be read, or holds no certificate or a damaged one.
pub fn roots(file: &Path) -> Result<RootCertStore, Problem> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("tls_ca_file", file)? {
        roots
            .add(certificate)
            .map_err(|_| refused("tls_ca_file", file, "holds a certificate that is damaged"))?;
    }
    Ok(roots)
}

/// The certificate in `tls_cert_file`, and those between it and an authority.
///
/// # Errors
/// The file cannot be read, or holds no certificate.
pub fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    certificates("tls_cert_file", file)
}

/// The key in `tls_key_file`.
///
/// # Errors
/// The file cannot be read, or holds no key that is not encrypted.
pub fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, Problem> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| match error {
        pem::Error::NoItemsFound => refused("tls_key_file", file, "holds no key, or only an encrypted one"),
        error => refused("tls_key_file", file, &unreadable(&error)),
    })
}

/// That this is wrong with a file.
pub fn refused(key: &'static str, file: &Path, what: &str) -> Problem {
    (key, format!("`{}`: {what}", file.display()))
}

fn certificates(key: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    match read {
        Ok(certificates) if certificates.is_empty() => Err(refused(key, file, "holds no certificate")),
        read => read.map_err(|error| refused(key, file, &unreadable(&error))),
    }
}

fn unreadable(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        _ => "is not in PEM".to_owned(),
    }
}
