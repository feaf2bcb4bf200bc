//! A benchmark's own program as a client inside a cluster's namespaces, where its addresses are.

use anyhow::{Result, bail};
use std::path::Path;

/// Runs `work` with a client that has the kubeconfig's identity.
pub fn run<F: Future<Output = Result<()>>>(kubeconfig: &Path, work: impl FnOnce(kube::Client) -> F) -> Result<()> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        bail!("a TLS provider is installed already");
    }
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    tokio.block_on(async { work(client::transport::https(kubeconfig).await?).await })
}
