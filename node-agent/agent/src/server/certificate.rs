//! The certificate that the node API shows: the one that was obtained last, for connections that begin from then on.

use crate::config::Serving;
use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;
use tokio::sync::watch;

#[derive(Debug)]
pub(super) struct Resolver {
    serving: watch::Receiver<Arc<Serving>>,
    /// The form in which rustls uses it, and what it was made from.
    shown: Mutex<(Arc<Serving>, Arc<CertifiedKey>)>,
}

impl Resolver {
    pub(super) fn new(serving: watch::Receiver<Arc<Serving>>) -> Result<Self, String> {
        let now = Arc::clone(&serving.borrow());
        let key = certified(&now)?;
        Ok(Self { serving, shown: Mutex::new((now, key)) })
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let now = Arc::clone(&self.serving.borrow());
        let mut shown = self.shown.lock();
        if !Arc::ptr_eq(&shown.0, &now) {
            match certified(&now) {
                Ok(key) => *shown = (now, key),
                Err(error) => tracing::warn!(error, "the new serving certificate cannot be used"),
            }
        }
        Some(Arc::clone(&shown.1))
    }
}

fn certified(serving: &Serving) -> Result<Arc<CertifiedKey>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&serving.cert_pem).collect();
    let key = PrivateKeyDer::from_pem_slice(&serving.key_pem).map_err(|error| error.to_string())?;
    let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(|error| error.to_string())?;
    let certified = CertifiedKey::new(chain.map_err(|error| error.to_string())?, key);
    certified.keys_match().map_err(|error| error.to_string())?;
    Ok(Arc::new(certified))
}
