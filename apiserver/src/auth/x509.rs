//! A user from a client certificate: CN is the user, each O a group. The handshake has verified the chain already.

use client::identity::Identity;
use jiff::Timestamp;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Request extension that the HTTPS server inserts for connections with a verified client certificate.
#[derive(Clone, Debug)]
pub struct PeerIdentity {
    pub identity: Arc<Identity>,
    /// When the certificate was made, as far as it says.
    pub issued: Timestamp,
    /// When it ends: a connection may last longer.
    pub ends: Timestamp,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CertificateError {
    #[error("client certificate cannot be parsed")]
    Malformed,
    #[error("client certificate has no common name")]
    NoCommonName,
    #[error("client certificate is not for client authentication")]
    NotForClients,
}

/// Key of the `extra` that names the certificate (k8s: `x509.go`, credential id).
pub const EXTRA_CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// Once per connection: the leaf of the verified chain.
pub fn identity(leaf_der: &[u8]) -> Result<PeerIdentity, CertificateError> {
    let (_, leaf) = X509Certificate::from_der(leaf_der).map_err(|_| CertificateError::Malformed)?;
    match leaf.extended_key_usage() {
        Ok(Some(usage)) if usage.value.client_auth || usage.value.any => {}
        Ok(Some(_)) => return Err(CertificateError::NotForClients),
        Ok(None) => {}
        Err(_) => return Err(CertificateError::Malformed),
    }
    let user = leaf.subject().iter_common_name().next().and_then(|value| value.as_str().ok()).unwrap_or("");
    if user.is_empty() {
        return Err(CertificateError::NoCommonName);
    }
    let groups = leaf.subject().iter_organization().filter_map(|value| value.as_str().ok());
    let mut identity = Identity::new(user, groups);
    let digest = ring::digest::digest(&ring::digest::SHA256, leaf_der);
    let digits = crate::publish::hex(digest.as_ref()).to_lowercase();
    identity.extra.insert(EXTRA_CREDENTIAL_ID.to_owned(), vec![format!("X509SHA256={digits}")]);
    let issued = Timestamp::from_second(leaf.validity().not_before.timestamp());
    let issued = issued.map_err(|_| CertificateError::Malformed)?;
    // RFC 5280 writes "no end" as a moment after the last that is known here.
    let ends = Timestamp::from_second(leaf.validity().not_after.timestamp()).unwrap_or(Timestamp::MAX);
    Ok(PeerIdentity { identity: Arc::new(identity), issued, ends })
}
