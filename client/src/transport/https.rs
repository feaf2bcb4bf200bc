//! A [`kube::Client`] over TLS from a kubeconfig, with rustls on the `ring` provider.

use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{ClientBuilder, ConfigExt as _};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;
use thiserror::Error;
use tower::{BoxError, ServiceBuilder};
use tower_http::decompression::DecompressionLayer;

/// A server that does not take a connection for so long is lost; the kernel alone would try for minutes.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// The kernel asks the other end of a connection that is silent for so long, and again so often, before it gives it up. It
/// answers for a process that is slow or stopped, not for a machine that lost its power; one that is back says that it knows
/// nothing. What is sent into a cut comes after it as late as the cut was long: a watch that was given up meanwhile is open
/// again sooner. Less would be felt: thousands of nodes have ten watches each.
const ASK_AFTER_SECS: u64 = 5;
const ASK_AGAIN_AFTER_SECS: u64 = 2;
const ASKS_MAX: u64 = 2;
/// What was sent and is not acknowledged for so long is lost; the kernel alone waits twice as long each time. It bounds the
/// questions, too, in place of their number: tcp(7), TCP_USER_TIMEOUT
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(ASK_AFTER_SECS + ASK_AGAIN_AFTER_SECS * ASKS_MAX);

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
    #[error("the way to an API server leads through no proxy: take proxy-url {url:?} out of the kubeconfig")]
    Proxy { url: String },
    #[error("{url:?} is no address of an API server (try one such as https://10.0.0.1:6443)")]
    Address { url: String },
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

/// A client from a finished configuration. Nothing is asked twice: a write without an answer may have happened, and who wrote
/// it must look.
pub fn https_from(config: kube::Config) -> Result<kube::Client, Error> {
    let mut config = with_scheme(config)?;
    config.default_retry = false;
    install_ring();
    kube::Client::try_from(config).map_err(|source| Error::Client(Box::new(source)))
}

/// The same for as long as this process runs: it gives up connections whose other end is gone, which a watch would wait for
/// without an end.
pub(super) fn https_kept_alive(config: kube::Config) -> Result<kube::Client, Error> {
    let config = with_scheme(config)?;
    install_ring();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_MAX));
    tcp.set_keepalive(Some(Duration::from_secs(ASK_AFTER_SECS)));
    tcp.set_keepalive_interval(Some(Duration::from_secs(ASK_AGAIN_AFTER_SECS)));
    tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
    let failed = |source| Error::Client(Box::new(source));
    let https = config.rustls_https_connector_with_connector(tcp).map_err(failed)?;
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(DecompressionLayer::new())
        .option_layer(config.auth_layer().map_err(failed)?)
        .layer(config.extra_headers_layer().map_err(failed)?)
        .map_err(BoxError::from)
        .service(legacy::Client::builder(TokioExecutor::new()).build(https));
    Ok(ClientBuilder::new(service, config.default_namespace).build())
}

/// The configuration with a server that says how it is spoken to: `HOST:PORT` is HTTPS where the configuration has anything
/// to do with TLS, else HTTP. k8s: client-go's defaultServerUrlFor
pub fn with_scheme(mut config: kube::Config) -> Result<kube::Config, Error> {
    let url = &config.cluster_url;
    let no_address = || Error::Address { url: url.to_string() };
    match url.scheme_str() {
        Some("http" | "https") => return Ok(config),
        Some(_) => return Err(no_address()),
        None => {}
    }
    let authority = url.authority().ok_or_else(no_address)?;
    let user = &config.auth_info;
    let speaks_tls = config.root_cert.is_some()
        || config.accept_invalid_certs
        || user.client_certificate.is_some()
        || user.client_certificate_data.is_some();
    let scheme = if speaks_tls { Scheme::HTTPS } else { Scheme::HTTP };
    let built = Uri::builder().scheme(scheme).authority(authority.clone()).path_and_query("/").build();
    config.cluster_url = built.map_err(|_| no_address())?;
    Ok(config)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken_to(url: &str, tls: bool) -> Result<String, String> {
        let mut config = kube::Config::new(url.parse().unwrap());
        config.accept_invalid_certs = tls;
        with_scheme(config).map(|config| config.cluster_url.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_server_without_a_scheme_is_spoken_to_by_https_where_there_is_tls() {
        assert_eq!(spoken_to("192.168.77.2:6443", true).unwrap(), "https://192.168.77.2:6443/");
        assert_eq!(spoken_to("foo", true).unwrap(), "https://foo/");
        assert_eq!(spoken_to("localhost:8080", false).unwrap(), "http://localhost:8080/");
        assert_eq!(spoken_to("https://a:1/base", false).unwrap(), "https://a:1/base");
    }

    #[test]
    fn what_is_no_address_is_an_error_and_not_a_crash() {
        for url in ["/path", "ftp://a"] {
            assert!(spoken_to(url, true).unwrap_err().contains("no address of an API server"), "{url}");
            assert!(https_from(kube::Config::new(url.parse().unwrap())).is_err());
        }
    }
}
