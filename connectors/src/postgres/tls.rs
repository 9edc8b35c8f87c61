//! TLS by rustls with the ring provider; nothing global is installed.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::PostgresError;
use super::settings::{PostgresSettings, TlsMode};
use crate::certificates::{OTHER_KEY, Problem, chain, private_key, refused, roots};

/// Encrypts and verifies as the settings say, with the certificates and the key as they are now; `None` where
/// they say not to.
pub(super) fn connector(settings: &PostgresSettings) -> Result<Option<MakeRustlsConnect>, PostgresError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| problem("tls", error.to_string()))?;
    let ca_file = settings.tls_ca_file.as_deref().unwrap_or(Path::new(""));
    let builder = match settings.tls {
        TlsMode::Disable => return Ok(None),
        TlsMode::Require => {
            let verifier = Lenient { provider, roots: None };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
        TlsMode::VerifyCa => {
            let verifier = Lenient { provider, roots: Some(roots(ca_file).map_err(in_settings)?) };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
        TlsMode::VerifyFull => builder.with_root_certificates(roots(ca_file).map_err(in_settings)?),
    };
    let config = match (&settings.tls_cert_file, &settings.tls_key_file) {
        (Some(cert_file), Some(key_file)) => {
            let chain = chain(cert_file).map_err(in_settings)?;
            let key = private_key(key_file).map_err(in_settings)?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|_| in_settings(refused("tls_key_file", key_file, OTHER_KEY)))?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(Some(MakeRustlsConnect::new(config)))
}

fn problem(key: &'static str, problem: String) -> PostgresError {
    PostgresError::Settings { key, problem }
}

fn in_settings((key, what): Problem) -> PostgresError {
    problem(key, what)
}

/// Asks for no name in the certificate, and only where there are roots for a chain to one of them; but insists
/// that the peer holds the certificate's key.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    roots: Option<RootCertStore>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(certificate)?;
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
