//! Certificates from Secrets of type `kubernetes.io/tls`: read once a revision, checked to fit their keys.

use client::action::Key;
use client::cache::Tracked as _;
use k8s_openapi::api::core::v1::Secret;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::collections::BTreeMap;
use std::sync::Arc;

pub const SECRET_TYPE: &str = "kubernetes.io/tls";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

#[derive(Clone, Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("it has no {0}")]
    Missing(&'static str),
    #[error("its {0} is no PEM text: {1}")]
    Pem(&'static str, String),
    #[error("its tls.crt holds no certificate")]
    Empty,
    #[error("its key and certificate cannot be used: {0}")]
    Unusable(rustls::Error),
}

pub type Read = Result<Arc<CertifiedKey>, CertificateError>;

/// The Secrets' certificates, kept from one compilation to the next: reading a key costs more than a route does.
pub struct Shelf {
    provider: Arc<CryptoProvider>,
    held: BTreeMap<Key, Held>,
}

struct Held {
    uid: String,
    rev: u64,
    read: Read,
}

impl Default for Shelf {
    fn default() -> Self {
        Self { provider: Arc::new(rustls::crypto::ring::default_provider()), held: BTreeMap::new() }
    }
}

impl Shelf {
    /// Takes what the Secrets say now.
    pub fn refresh(&mut self, secrets: &[Arc<Secret>]) {
        let mut before = std::mem::take(&mut self.held);
        for secret in secrets {
            let key = secret.key();
            let same = before.remove(&key).filter(|held| held.uid == secret.uid() && held.rev == secret.rev());
            let held = same.unwrap_or_else(|| Held {
                uid: secret.uid().to_owned(),
                rev: secret.rev(),
                read: read(secret, &self.provider),
            });
            self.held.insert(key, held);
        }
    }

    /// `None` where there is no such Secret.
    pub fn get(&self, key: &Key) -> Option<&Read> {
        self.held.get(key).map(|held| &held.read)
    }
}

fn read(secret: &Secret, provider: &CryptoProvider) -> Read {
    let data = |name: &'static str| {
        let bytes = secret.data.as_ref().and_then(|data| data.get(name)).filter(|bytes| !bytes.0.is_empty());
        bytes.map(|bytes| bytes.0.as_slice()).ok_or(CertificateError::Missing(name))
    };
    let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(data(CERTIFICATE)?).collect();
    let chain = chain.map_err(|error| CertificateError::Pem(CERTIFICATE, error.to_string()))?;
    if chain.is_empty() {
        return Err(CertificateError::Empty);
    }
    let key = PrivateKeyDer::from_pem_slice(data(KEY)?);
    let key = key.map_err(|error| CertificateError::Pem(KEY, error.to_string()))?;
    CertifiedKey::from_der(chain, key, provider).map(Arc::new).map_err(CertificateError::Unusable)
}
