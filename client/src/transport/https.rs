//! A [`kube::Client`] over TLS from a kubeconfig, with rustls on the `ring` provider.

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use std::path::{Path, PathBuf};
use std::sync::Once;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot use kubeconfig {}", path.display())]
    Kubeconfig {
        path: PathBuf,
        #[source]
        source: Box<KubeconfigError>,
    },
    #[error("the kubeconfig names no server")]
    NoServer,
    #[error("cannot set up the connection to the API server")]
    Client(#[source] Box<kube::Error>),
}

/// A client from the kubeconfig file at `path`, with its current context.
pub async fn https(path: &Path) -> Result<kube::Client, Error> {
    let failed = |source| Error::Kubeconfig { path: path.to_owned(), source: Box::new(source) };
    let file = Kubeconfig::read_from(path).map_err(failed)?;
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.map_err(failed)?;
    https_from(config)
}

/// A client from a finished configuration.
pub fn https_from(config: kube::Config) -> Result<kube::Client, Error> {
    install_ring();
    kube::Client::try_from(config).map_err(|source| Error::Client(Box::new(source)))
}

/// rustls wants one process-wide provider; whoever comes first installs it.
fn install_ring() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        if rustls::crypto::CryptoProvider::get_default().is_none()
            && rustls::crypto::ring::default_provider().install_default().is_err()
        {
            tracing::debug!("another thread installed a rustls provider first");
        }
    });
}
