//! Why two processes do not trust each other's certificates, in words.

use rustls::{AlertDescription, Error as TlsError};
use std::io::{self, ErrorKind};

/// That all processes must be told alike.
const FOR_ALL: &str = "cluster.tls_ca_file and the keys beside it must be given to all processes, or to none";

/// The error in words, of the kind [`ErrorKind::InvalidData`] where one side refuses the other. Others are kept.
pub fn in_words(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(tls) => io::Error::new(ErrorKind::InvalidData, words(tls)),
        None if error.kind() == ErrorKind::UnexpectedEof => {
            io::Error::new(error.kind(), format!("it has closed the connection: {FOR_ALL}"))
        }
        None => error,
    }
}

fn words(error: &TlsError) -> String {
    match error {
        TlsError::AlertReceived(alert) if is_of_certificate(*alert) => {
            format!("it does not accept the certificate of this process ({alert:?}): its log has the reason")
        }
        TlsError::NoCertificatesPresented => format!("it has no certificate: {FOR_ALL}"),
        TlsError::InvalidCertificate(reason) => format!("its certificate is not accepted: {reason}"),
        TlsError::InvalidMessage(_) | TlsError::InappropriateMessage { .. } => {
            format!("it does not speak TLS: {FOR_ALL}")
        }
        other => format!("TLS: {other}"),
    }
}

fn is_of_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::CertificateRequired
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
    )
}
