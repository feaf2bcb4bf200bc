//! Reads the ConfigMaps, Secrets, tokens and trust bundles of pods, object by object, as a node may. [`follow`] says when they
//! change.

mod follow;

pub use follow::Topic;

use crate::material::{BundleNeed, Claim, Materials, Need, TokenNeed};
use crate::pod::member::{name, namespace, spec, uid};
use crate::worker::Input;
use follow::Follows;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::certificates::v1::ClusterTrustBundle;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolume, PersistentVolumeClaim, Pod, Secret};
use kinds::moment::later;
use kube::api::ListParams;
use kube::{Api, Client};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Requests in flight for one pod; its volumes are made when the last one answers.
const FETCHES_AT_ONCE: usize = 8;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {kind} {ns}/{name}")]
    Read {
        kind: &'static str,
        ns: String,
        name: String,
        #[source]
        source: Box<kube::Error>,
    },
    #[error("cannot read clustertrustbundles")]
    Bundles {
        #[source]
        source: Box<kube::Error>,
    },
    #[error("persistentvolumeclaim {ns}/{name} {what}")]
    Claim { ns: String, name: String, what: String },
    #[error("cannot get a token for service account {ns}/{name}")]
    Token {
        ns: String,
        name: String,
        #[source]
        source: Box<kube::Error>,
    },
}

#[derive(Clone, Debug)]
pub struct Token {
    pub jwt: String,
    pub expires: Timestamp,
    /// When to ask for the next one.
    pub refresh_at: Timestamp,
}

/// k8s: a token is renewed after 80 % of its life, at the latest after a day.
pub fn refresh_at(issued: Timestamp, expires: Timestamp) -> Timestamp {
    let life = expires.duration_since(issued);
    later(issued, (life * 4 / 5).min(jiff::SignedDuration::from_hours(24)))
}

pub struct Sources {
    client: Client,
    follows: Follows,
}

enum Fetched {
    ConfigMap(String, Option<Arc<ConfigMap>>),
    Secret(String, Option<Arc<Secret>>),
}

impl Sources {
    /// For the node of that name.
    pub fn new(client: Client, node: String, tracker: TaskTracker, drain: CancellationToken) -> Self {
        Self { client: client.clone(), follows: Follows::new(client, node, tracker, drain) }
    }

    /// Reads all needs at once; what does not exist is absent from the result.
    pub async fn fetch(&self, ns: &str, needs: BTreeSet<Need>) -> Result<Materials, Error> {
        let mut materials = Materials::default();
        let reads = needs.into_iter().map(|need| self.read(ns, need));
        let found: Vec<Fetched> = stream::iter(reads).buffer_unordered(FETCHES_AT_ONCE).try_collect().await?;
        for one in found {
            match one {
                Fetched::ConfigMap(name, Some(map)) => drop(materials.config_maps.insert(name, map)),
                Fetched::Secret(name, Some(secret)) => drop(materials.secrets.insert(name, secret)),
                Fetched::ConfigMap(_, None) | Fetched::Secret(_, None) => {}
            }
        }
        Ok(materials)
    }

    async fn read(&self, ns: &str, need: Need) -> Result<Fetched, Error> {
        let failed = |kind, name: &str, source| Error::Read {
            kind,
            ns: ns.to_owned(),
            name: name.to_owned(),
            source: Box::new(source),
        };
        match need {
            Need::ConfigMap(name) => {
                let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), ns);
                let found = api.get_opt(&name).await.map_err(|e| failed("configmap", &name, e))?;
                Ok(Fetched::ConfigMap(name, found.map(Arc::new)))
            }
            Need::Secret(name) => {
                let api: Api<Secret> = Api::namespaced(self.client.clone(), ns);
                let found = api.get_opt(&name).await.map_err(|e| failed("secret", &name, e))?;
                Ok(Fetched::Secret(name, found.map(Arc::new)))
            }
        }
    }

    /// The persistent volume behind a claim of the pod: bound both ways.
    pub async fn volume_of_claim(&self, pod: &Pod, claim: &Claim) -> Result<Arc<PersistentVolume>, Error> {
        let ns = namespace(pod);
        let wrong = |what: String| Error::Claim { ns: ns.to_owned(), name: claim.name.clone(), what };
        let failed = |kind, name: &str, source| Error::Read {
            kind,
            ns: ns.to_owned(),
            name: name.to_owned(),
            source: Box::new(source),
        };
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), ns);
        let found = claims.get_opt(&claim.name).await.map_err(|e| failed("persistentvolumeclaim", &claim.name, e))?;
        let found = found.ok_or_else(|| wrong("not found".to_owned()))?;
        let owned = found.metadata.owner_references.iter().flatten().any(|o| o.uid == uid(pod));
        if claim.made_for_pod && !owned {
            // k8s: somebody else's claim of that name must not be handed to the pod.
            return Err(wrong(format!("was not created for pod {}", name(pod))));
        }
        let bound = found.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Bound");
        let volume = found.spec.as_ref().and_then(|s| s.volume_name.clone()).filter(|v| !v.is_empty() && bound);
        let volume = volume.ok_or_else(|| wrong("is not bound to a volume yet".to_owned()))?;
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let got = volumes.get_opt(&volume).await.map_err(|e| failed("persistentvolume", &volume, e))?;
        let got = got.ok_or_else(|| wrong(format!("is bound to volume {volume}, which does not exist")))?;
        let back = got.spec.as_ref().and_then(|s| s.claim_ref.as_ref()).and_then(|r| r.uid.as_ref());
        if back != found.metadata.uid.as_ref() {
            return Err(wrong(format!("is bound to volume {volume}, which is bound to another claim")));
        }
        Ok(Arc::new(got))
    }

    /// A token of the pod's service account, bound to the pod: it dies with it.
    pub async fn token(&self, pod: &Pod, need: &TokenNeed, now: Timestamp) -> Result<Token, Error> {
        let account = spec(pod).service_account_name.clone().unwrap_or_else(|| "default".to_owned());
        let failed =
            |source| Error::Token { ns: namespace(pod).to_owned(), name: account.clone(), source: Box::new(source) };
        let body = TokenRequest {
            spec: Some(TokenRequestSpec {
                audiences: Some(need.audience.clone()).filter(|a| !a.is_empty()).map(|a| vec![a]),
                expiration_seconds: Some(need.seconds),
                bound_object_ref: Some(BoundObjectReference {
                    api_version: Some("v1".to_owned()),
                    kind: Some("Pod".to_owned()),
                    name: Some(name(pod).to_owned()),
                    uid: Some(uid(pod).to_owned()),
                }),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let uri = format!("/api/v1/namespaces/{}/serviceaccounts/{account}/token", namespace(pod));
        let body = serde_json::to_vec(&body).map_err(|e| failed(kube::Error::SerdeError(e)))?;
        let request = http::Request::post(uri)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|e| failed(kube::Error::HttpError(e)))?;
        let answer: TokenRequest = self.client.request(request).await.map_err(failed)?;
        let status = answer.status.unwrap_or_default();
        // An answer without an end is good for as long as was asked.
        let asked = later(now, jiff::SignedDuration::from_secs(need.seconds));
        let expires = status.expiration_timestamp.map_or(asked, |t| t.0);
        Ok(Token { jwt: status.token.unwrap_or_default(), expires, refresh_at: refresh_at(now, expires) })
    }

    /// Trust bundles, by what asks for them; of names that do not exist there are none.
    pub async fn bundles(
        &self,
        needs: BTreeSet<BundleNeed>,
    ) -> Result<BTreeMap<BundleNeed, Vec<Arc<ClusterTrustBundle>>>, Error> {
        let api: Api<ClusterTrustBundle> = Api::all(self.client.clone());
        let failed = |source| Error::Bundles { source: Box::new(source) };
        let mut found = BTreeMap::new();
        for need in needs {
            let all = match &need {
                BundleNeed::Named(name) => api.get_opt(name).await.map_err(failed)?.into_iter().collect(),
                BundleNeed::OfSigner(signer) => {
                    let of_signer = ListParams::default().fields(&format!("spec.signerName={signer}"));
                    api.list(&of_signer).await.map_err(failed)?.items
                }
            };
            found.insert(need, all.into_iter().map(Arc::new).collect());
        }
        Ok(found)
    }

    /// Tells `tell` when something changes that the pod's volumes are made from. Replaces what was followed before.
    pub fn follow(&self, pod: &Pod, topics: impl IntoIterator<Item = Topic>, tell: &UnboundedSender<Input>) {
        topics.into_iter().for_each(|topic| self.follows.add(topic, uid(pod), tell));
    }

    /// The pod is gone: watches that nobody else needs end.
    pub fn unfollow(&self, pod_uid: &str) {
        self.follows.remove(pod_uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::at;

    #[test]
    fn tokens_are_renewed_at_four_fifths_of_their_life_and_daily() {
        assert_eq!(refresh_at(at(0), at(1000)), at(800));
        assert_eq!(refresh_at(at(0), at(30 * 86_400)), at(86_400));
    }
}
