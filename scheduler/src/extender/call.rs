//! Asks extenders, by HTTP: who may be where, what that is worth, who has to go, and to bind. The cycle goes on meanwhile.

use super::{Offer, Opinion, Settings, wire};
use crate::pod_info::PodInfo;
use crate::preempt::Candidate;
use client::transport::{self, https_from};
use futures::future::join_all;
use http::Request;
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use kube::config::{
    AuthInfo, Cluster, Context, KubeConfigOptions, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use tracing::warn;

/// An extender that can be asked.
#[derive(Clone)]
pub(crate) struct Extender {
    pub(crate) settings: Arc<Settings>,
    client: kube::Client,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot use the TLS settings of extender {url}")]
    Tls { url: String, source: Box<kube::config::KubeconfigError> },
    #[error("cannot speak to extender {url}")]
    Client { url: String, source: transport::Error },
}

impl Extender {
    pub(crate) async fn connect(settings: &Settings) -> Result<Self, Error> {
        let url = settings.url.trim_end_matches('/').to_owned();
        let tls = settings.tls.clone();
        let cluster = Cluster {
            server: Some(url.clone()),
            insecure_skip_tls_verify: Some(tls.is_insecure),
            certificate_authority: tls.ca_file,
            certificate_authority_data: tls.ca_data,
            tls_server_name: tls.server_name,
            ..Cluster::default()
        };
        let user = AuthInfo {
            client_certificate: tls.cert_file,
            client_certificate_data: tls.cert_data,
            client_key: tls.key_file,
            client_key_data: tls.key_data.map(Into::into),
            ..AuthInfo::default()
        };
        let context = Context { cluster: NAME.to_owned(), user: Some(NAME.to_owned()), ..Context::default() };
        let file = Kubeconfig {
            current_context: Some(NAME.to_owned()),
            clusters: vec![NamedCluster { name: NAME.to_owned(), cluster: Some(cluster), other: BTreeMap::new() }],
            auth_infos: vec![NamedAuthInfo { name: NAME.to_owned(), auth_info: Some(user), other: BTreeMap::new() }],
            contexts: vec![NamedContext { name: NAME.to_owned(), context: Some(context), other: BTreeMap::new() }],
            ..Kubeconfig::default()
        };
        let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
        let config = config.map_err(|source| Error::Tls { url: url.clone(), source: Box::new(source) })?;
        let client = https_from(config).map_err(|source| Error::Client { url, source })?;
        Ok(Self { settings: Arc::new(settings.clone()), client })
    }

    async fn send(&self, verb: &str, body: &Value) -> Result<Value, String> {
        let url = self.settings.url.trim_end_matches('/');
        let request = Request::post(format!("/{verb}")).header("Content-Type", "application/json");
        let request = request.body(body.to_string().into_bytes()).map_err(|error| error.to_string())?;
        let failed = |why: String| format!("failed {verb} with extender at URL {url}/{verb}{why}");
        let exchange = async {
            let response =
                self.client.send(request.map(Body::from)).await.map_err(|error| failed(format!(": {error}")))?;
            let code = response.status().as_u16();
            if code != 200 {
                return Err(failed(format!(", code {code}")));
            }
            let answer = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let answer = answer.map_err(|error| failed(format!(": {error}")))?;
            serde_json::from_slice(&answer.to_bytes()).map_err(|error| failed(format!(": {error}")))
        };
        let in_time = tokio::time::timeout(self.settings.timeout, exchange).await;
        in_time.unwrap_or_else(|_| Err(failed(format!(": no answer in {:?}", self.settings.timeout))))
    }

    /// Binds the pod in the scheduler's place.
    pub(crate) async fn bind(&self, pod: &PodInfo, node: &str) -> Result<(), String> {
        let verb = self.settings.bind_verb.as_deref().unwrap_or_default();
        let answer = self.send(verb, &wire::binding(pod, node)).await?;
        wire::error(&answer).map_or(Ok(()), Err)
    }

    async fn scores(&self, pod: &PodInfo, offers: &[Offer]) -> Option<Vec<(String, i64)>> {
        let verb = self.settings.prioritize_verb.as_deref()?;
        let answer = self.send(verb, &wire::args(pod, offers, self.settings.knows_nodes)).await;
        match answer.and_then(|answer| wire::scores(&answer)) {
            Ok(scores) => Some(scores),
            Err(error) => {
                // k8s: what is not said about preferences is no reason to stop
                warn!(error, "an extender gives no scores");
                None
            }
        }
    }
}

/// An answer may hold every node of a large cluster.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Of the one entry in the configuration that connections are made of.
const NAME: &str = "extender";

/// What those whom the pod concerns say of the nodes. The error is what made it impossible to go on.
pub(crate) async fn ask(extenders: &[Extender], pod: &PodInfo, offers: Vec<Offer>) -> Result<Opinion, String> {
    let mut opinion = Opinion { offers, rejected: Vec::new() };
    for extender in extenders {
        let Settings { url, filter_verb, knows_nodes, is_ignorable, .. } = extender.settings.as_ref();
        let Some(verb) = filter_verb else { continue };
        if opinion.offers.is_empty() {
            break;
        }
        let answer = extender.send(verb, &wire::args(pod, &opinion.offers, *knows_nodes)).await;
        let outcome = answer.and_then(|answer| opinion.filter(url, wire::filter_result(&answer, *knows_nodes)));
        match outcome {
            Ok(()) => {}
            Err(error) if *is_ignorable => warn!(error, "an extender that may be ignored is ignored"),
            Err(error) => return Err(error),
        }
    }
    if opinion.offers.len() > 1 {
        let asked = extenders.iter().map(|extender| extender.scores(pod, &opinion.offers));
        let all = join_all(asked).await;
        for (extender, scores) in extenders.iter().zip(all) {
            opinion.prioritize(&scores.unwrap_or_default(), extender.settings.weight);
        }
    }
    Ok(opinion)
}

/// Which of the candidates for preemption are left, with whose leaving.
pub(crate) async fn ask_for_victims(
    extenders: &[Extender],
    pod: &PodInfo,
    mut candidates: Vec<Candidate>,
) -> Result<Vec<Candidate>, String> {
    for extender in extenders {
        let Settings { url, preempt_verb, knows_nodes, is_ignorable, .. } = extender.settings.as_ref();
        let Some(verb) = preempt_verb else { continue };
        if candidates.is_empty() {
            break;
        }
        let answer = extender.send(verb, &wire::preemption(pod, &candidates, *knows_nodes)).await;
        match answer.and_then(|answer| super::victims(url, &candidates, wire::victims(&answer))) {
            Ok(left) => candidates = left,
            Err(error) if *is_ignorable => warn!(error, "an extender that may be ignored is ignored"),
            Err(error) => return Err(error),
        }
    }
    Ok(candidates)
}
