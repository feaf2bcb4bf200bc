//! A webhook that a kubeconfig describes: its server's URL is where everything is posted, path included.
//! k8s: `apiserver/pkg/util/webhook`, NewGenericWebhook

use super::https::{Error, https_from};
use http::header::RETRY_AFTER;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use std::error::Error as StdError;
use std::io;
use std::path::Path;
use std::time::Duration;
use thiserror::Error;

/// Webhooks that are told or asked something answer with little; a longer answer is no answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Of an answer that refuses, so much is told.
const TOLD_CHARS_MAX: usize = 512;

#[derive(Debug, Error)]
pub enum HookError {
    #[error("the webhook does not answer within {0:?}")]
    Late(Duration),
    #[error("the webhook cannot be asked")]
    Call(#[source] Box<kube::Error>),
    #[error("the webhook answers with {code}: {told}")]
    Refused { code: StatusCode, told: String, retry_after: bool },
    #[error("the webhook's answer cannot be read: {0}")]
    Answer(String),
    #[error("the question cannot be asked")]
    Request(#[from] http::Error),
}

impl HookError {
    /// Whether a second try may go better. k8s: DefaultShouldRetry
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { code, retry_after, .. } => {
                *retry_after
                    || matches!(
                        *code,
                        StatusCode::INTERNAL_SERVER_ERROR | StatusCode::GATEWAY_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
                    )
            }
            Self::Call(error) => was_reset(error.as_ref()),
            Self::Late(_) | Self::Answer(_) | Self::Request(_) => false,
        }
    }

    /// Whether it was too late, be it that the webhook itself says so.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Late(_) | Self::Refused { code: StatusCode::GATEWAY_TIMEOUT, .. })
    }
}

fn was_reset(error: &(dyn StdError + 'static)) -> bool {
    let chain = std::iter::successors(Some(error), |error| (*error).source());
    chain.filter_map(|error| error.downcast_ref::<io::Error>()).any(|it| it.kind() == io::ErrorKind::ConnectionReset)
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
        let request = Request::post(&self.path).header("content-type", "application/json");
        let request = request.header("accept", "application/json").body(Body::from(json))?;
        tokio::time::timeout(timeout, self.send(request)).await.unwrap_or(Err(HookError::Late(timeout)))
    }

    async fn send(&self, request: Request<Body>) -> Result<String, HookError> {
        let answer = self.client.send(request).await.map_err(|error| HookError::Call(Box::new(error)))?;
        let (code, retry_after) = (answer.status(), answer.headers().contains_key(RETRY_AFTER));
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| HookError::Answer(error.to_string()))?.to_bytes();
        if !code.is_success() {
            let told = String::from_utf8_lossy(&body).trim().chars().take(TOLD_CHARS_MAX).collect();
            return Err(HookError::Refused { code, told, retry_after });
        }
        String::from_utf8(body.to_vec()).map_err(|error| HookError::Answer(error.to_string()))
    }
}
