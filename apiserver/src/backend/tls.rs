//! TLS towards backends: whose certificates are believed, and which one is shown.

use crate::pki::{Credential, PkiError};
use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::collections::HashMap;
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// Whose serving certificate is believed.
pub enum Trust<'a> {
    /// Anybody's: what is behind the address was looked up, not what it calls itself.
    Anybody,
    /// Those signed by one of these authorities, PEM.
    Roots(&'a [u8]),
    /// Those that this machine trusts.
    System,
}

/// Where Debian and most others keep them.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("unable to load root certificates: {0}")]
    Roots(String),
    #[error("cannot use the client certificate")]
    Identity(#[from] PkiError),
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// Configurations that are kept; a cluster has a few dozen webhooks and API servers.
const CONNECTORS_MAX: usize = 256;

/// Configurations that were made: each takes parsing certificates, and where the machine's authorities are believed, reading
/// their file.
#[derive(Default)]
pub struct Connectors(Mutex<HashMap<Asked, TlsConnector>>);

#[derive(PartialEq, Eq, Hash)]
enum Believed {
    Anybody,
    Roots(Vec<u8>),
    System,
}

#[derive(PartialEq, Eq, Hash)]
struct Asked {
    believed: Believed,
    /// PEM of the certificate; no two have the same.
    shown: Option<String>,
}

impl Connectors {
    pub fn get(&self, trust: &Trust<'_>, shown: Option<&Credential>) -> Result<TlsConnector, TlsError> {
        let believed = match trust {
            Trust::Anybody => Believed::Anybody,
            Trust::Roots(pem) => Believed::Roots(pem.to_vec()),
            Trust::System => Believed::System,
        };
        let asked = Asked { believed, shown: shown.map(|credential| credential.certificate_pem.clone()) };
        if let Some(known) = self.0.lock().get(&asked) {
            return Ok(known.clone());
        }
        let made = connector(trust, shown)?;
        let mut connectors = self.0.lock();
        if connectors.len() >= CONNECTORS_MAX {
            connectors.clear();
        }
        connectors.insert(asked, made.clone());
        Ok(made)
    }
}

fn connector(trust: &Trust<'_>, shown: Option<&Credential>) -> Result<TlsConnector, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match trust {
        Trust::Anybody => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
        Trust::Roots(pem) => builder.with_root_certificates(roots(pem)?),
        Trust::System => builder.with_root_certificates(system_roots()),
    };
    let config = match shown {
        Some(credential) => {
            let (chain, key) = credential.der()?;
            builder.with_client_auth_cert(chain, key)?
        }
        None => builder.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The authorities of a PEM; none is an error.
pub(crate) fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let bad = |why: String| TlsError::Roots(why);
    let blocks = pem::parse_many(pem).map_err(|error| bad(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for block in blocks.into_iter().filter(|block| block.tag() == "CERTIFICATE") {
        roots.add(CertificateDer::from(block.into_contents())).map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() { Err(bad("no certificates in caBundle".to_owned())) } else { Ok(roots) }
}

/// None where the machine has no such file: then nobody is believed.
fn system_roots() -> RootCertStore {
    let pem = std::fs::read(SYSTEM_ROOTS).unwrap_or_default();
    let blocks = pem::parse_many(&pem).unwrap_or_default();
    let mut roots = RootCertStore::empty();
    // Some of what distributions ship is too old to parse; the rest still counts.
    roots.add_parsable_certificates(blocks.into_iter().map(|block| CertificateDer::from(block.into_contents())));
    roots
}

/// Go's words for what people meet most.
pub(super) fn text(error: &std::io::Error) -> String {
    let rustls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let why = match rustls {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "x509: certificate signed by unknown authority".to_owned()
        }
        Some(rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => "x509: certificate has expired or is not yet valid".to_owned(),
        Some(rustls::Error::InvalidCertificate(other)) => format!("x509: {other}"),
        Some(other) => return format!("tls: {other}"),
        None => return error.to_string(),
    };
    format!("tls: failed to verify certificate: {why}")
}

/// Believes every certificate, but still checks that the peer holds its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
