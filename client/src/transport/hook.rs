//! A webhook that a kubeconfig describes: its server's URL is where everything is posted, path included.
//! k8s: `apiserver/pkg/util/webhook`, NewGenericWebhook

use super::https::{Error, https_from};
use http::{Request, Uri};
use kube::config::{KubeConfigOptions, Kubeconfig};
use std::path::Path;
use std::time::Duration;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum HookError {
    #[error("the webhook does not answer within {}s", .0.as_secs())]
    Late(Duration),
    #[error("the webhook cannot be asked")]
    Call(#[source] Box<kube::Error>),
    #[error("the question cannot be asked")]
    Request(#[from] http::Error),
}

#[derive(Clone)]
pub struct Hook {
    client: kube::Client,
    path: String,
}

impl Hook {
    /// With the current context of the kubeconfig file at `path`: authorities, client certificate, token.
    pub async fn from_kubeconfig(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Kubeconfig { path: path.to_owned(), source: Box::new(source) };
        let file = Kubeconfig::read_from(path).map_err(failed)?;
        let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.map_err(failed)?;
        let mut config = super::with_scheme(config)?;
        let no_address = || Error::Address { url: config.cluster_url.to_string() };
        // The client appends paths to a server's, which would put a slash behind this one.
        let asked = config.cluster_url.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let mut parts = config.cluster_url.clone().into_parts();
        parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
        config.cluster_url = Uri::from_parts(parts).map_err(|_| no_address())?;
        Ok(Self { client: https_from(config)?, path: asked })
    }

    /// Posts JSON; the answer is the body of a successful one.
    pub async fn post(&self, json: Vec<u8>, timeout: Duration) -> Result<String, HookError> {
        let request = Request::post(&self.path).header("content-type", "application/json").body(json)?;
        match tokio::time::timeout(timeout, self.client.request_text(request)).await {
            Ok(answered) => answered.map_err(|error| HookError::Call(Box::new(error))),
            Err(_) => Err(HookError::Late(timeout)),
        }
    }
}
