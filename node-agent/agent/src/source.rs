//! Reads the ConfigMaps, Secrets and tokens of pods: object by object, as a node may, and follows the objects that live
//! volumes are made from, one watch for each however many pods use it.

use crate::material::{Claim, Materials, Need, TokenNeed};
use crate::pod::member::{name, namespace, spec, uid};
use crate::worker::Input;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolume, PersistentVolumeClaim, Pod, Secret};
use kinds::moment::later;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

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

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    ns: String,
    need: Need,
}

struct Followed {
    stop: CancellationToken,
    /// By pod uid.
    pods: HashMap<String, UnboundedSender<Input>>,
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
    tracker: TaskTracker,
    drain: CancellationToken,
    followed: Arc<Mutex<HashMap<Key, Followed>>>,
}

enum Fetched {
    ConfigMap(String, Option<Arc<ConfigMap>>),
    Secret(String, Option<Arc<Secret>>),
}

impl Sources {
    pub fn new(client: Client, tracker: TaskTracker, drain: CancellationToken) -> Self {
        Self { client, tracker, drain, followed: Arc::default() }
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

    /// Tells `tell` when an object that the pod's volumes are made from changes. Replaces what was followed before.
    pub fn follow(&self, pod: &Pod, needs: &BTreeSet<Need>, tell: &UnboundedSender<Input>) {
        let mut followed = self.followed.lock();
        for need in needs {
            let key = Key { ns: namespace(pod).to_owned(), need: need.clone() };
            let entry = followed.entry(key.clone()).or_insert_with(|| {
                let stop = self.drain.child_token();
                self.watch(key, stop.clone());
                Followed { stop, pods: HashMap::new() }
            });
            entry.pods.insert(uid(pod).to_owned(), tell.clone());
        }
    }

    /// The pod is gone: watches that nobody else needs end.
    pub fn unfollow(&self, pod_uid: &str) {
        self.followed.lock().retain(|_, entry| {
            entry.pods.remove(pod_uid);
            if entry.pods.is_empty() {
                entry.stop.cancel();
            }
            !entry.pods.is_empty()
        });
    }

    fn watch(&self, key: Key, stop: CancellationToken) {
        let followed = Arc::clone(&self.followed);
        let client = self.client.clone();
        match key.need.clone() {
            Need::ConfigMap(name) => {
                let api: Api<ConfigMap> = Api::namespaced(client, &key.ns);
                self.tracker.spawn(stop.run_until_cancelled_owned(watch_one(api, name, key, followed)));
            }
            Need::Secret(name) => {
                let api: Api<Secret> = Api::namespaced(client, &key.ns);
                self.tracker.spawn(stop.run_until_cancelled_owned(watch_one(api, name, key, followed)));
            }
        }
    }
}

/// Tells the followers of one object about each of its changes, but not about what it was at first.
async fn watch_one<K>(api: Api<K>, name: String, key: Key, followed: Arc<Mutex<HashMap<Key, Followed>>>)
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut events = std::pin::pin!(watcher(api, config).default_backoff());
    let mut last: Option<Option<String>> = None;
    while let Some(event) = events.next().await {
        let version = match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                object.meta().resource_version.clone()
            }
            Ok(watcher::Event::Delete(_)) => None,
            Ok(watcher::Event::InitDone) if last.is_none() => None,
            Ok(watcher::Event::Init | watcher::Event::InitDone) => continue,
            Err(error) => {
                debug!(ns = key.ns, name, %error, "watch of a volume's source failed");
                continue;
            }
        };
        let changed = last.as_ref().is_some_and(|before| *before != version);
        last = Some(version);
        if changed {
            let listeners: Vec<_> =
                followed.lock().get(&key).map(|f| f.pods.values().cloned().collect()).unwrap_or_default();
            for listener in listeners {
                if listener.send(Input::Sources).is_err() {
                    debug!(ns = key.ns, name, "a pod ended while its source changed");
                }
            }
        }
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
