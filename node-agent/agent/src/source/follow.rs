//! Watches of what live volumes are made from: one for each topic, however many pods are interested, and none while no pod is.

use crate::material::{BundleNeed, Need};
use crate::worker::Input;
use futures::StreamExt;
use k8s_openapi::api::certificates::v1::{ClusterTrustBundle, PodCertificateRequest};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

/// What a watch is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    Object {
        ns: String,
        need: Need,
    },
    Bundles(BundleNeed),
    /// Those of this node; each concerns one pod.
    CertificateRequests,
}

struct Followed {
    stop: CancellationToken,
    /// By pod uid.
    pods: HashMap<String, UnboundedSender<Input>>,
}

type Table = Arc<Mutex<HashMap<Topic, Followed>>>;

pub(super) struct Follows {
    client: Client,
    node: String,
    tracker: TaskTracker,
    drain: CancellationToken,
    table: Table,
}

impl Follows {
    pub(super) fn new(client: Client, node: String, tracker: TaskTracker, drain: CancellationToken) -> Self {
        Self { client, node, tracker, drain, table: Table::default() }
    }

    pub(super) fn add(&self, topic: Topic, pod_uid: &str, tell: &UnboundedSender<Input>) {
        let mut table = self.table.lock();
        let entry = table.entry(topic.clone()).or_insert_with(|| {
            let stop = self.drain.child_token();
            self.watch(topic, stop.clone());
            Followed { stop, pods: HashMap::new() }
        });
        entry.pods.insert(pod_uid.to_owned(), tell.clone());
    }

    pub(super) fn remove(&self, pod_uid: &str) {
        self.table.lock().retain(|_, entry| {
            entry.pods.remove(pod_uid);
            if entry.pods.is_empty() {
                entry.stop.cancel();
            }
            !entry.pods.is_empty()
        });
    }

    fn watch(&self, topic: Topic, stop: CancellationToken) {
        let client = self.client.clone();
        let named = |name: &str| format!("metadata.name={name}");
        match &topic {
            Topic::Object { ns, need: Need::ConfigMap(name) } => {
                self.spawn::<ConfigMap>(Api::namespaced(client, ns), named(name), everybody, topic, stop);
            }
            Topic::Object { ns, need: Need::Secret(name) } => {
                self.spawn::<Secret>(Api::namespaced(client, ns), named(name), everybody, topic, stop);
            }
            Topic::Bundles(need) => {
                let fields = match need {
                    BundleNeed::Named(name) => named(name),
                    BundleNeed::OfSigner(signer) => format!("spec.signerName={signer}"),
                };
                self.spawn::<ClusterTrustBundle>(Api::all(client), fields, everybody, topic, stop);
            }
            Topic::CertificateRequests => {
                let fields = format!("spec.nodeName={}", self.node);
                self.spawn::<PodCertificateRequest>(Api::all(client), fields, |it| Some(&it.spec.pod_uid), topic, stop);
            }
        }
    }

    fn spawn<K>(&self, api: Api<K>, fields: String, concerns: Concerns<K>, topic: Topic, stop: CancellationToken)
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let table = Arc::clone(&self.table);
        self.tracker.spawn(stop.run_until_cancelled_owned(run(api, fields, concerns, topic, table)));
    }
}

/// The uid of the pod that an object concerns; `None` is all of them.
type Concerns<K> = fn(&K) -> Option<&str>;

fn everybody<K>(_: &K) -> Option<&str> {
    None
}

/// As much of an object as is needed to see that it has changed, and whom to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    version: Option<String>,
    pod: Option<String>,
}

/// Tells the followers about each change, but not about what there was at first.
async fn run<K>(api: Api<K>, fields: String, concerns: Concerns<K>, topic: Topic, table: Table)
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default().fields(&fields)).default_backoff());
    let mut seen = Seen::default();
    while let Some(event) = events.next().await {
        let read = |object: &K| {
            let meta = object.meta();
            let pod = concerns(object).map(str::to_owned);
            (meta.uid.clone().unwrap_or_default(), Known { version: meta.resource_version.clone(), pod })
        };
        let changed = match event {
            Ok(watcher::Event::Init) => seen.list_begins(),
            Ok(watcher::Event::InitApply(object)) => seen.listed(read(&object)),
            Ok(watcher::Event::InitDone) => seen.list_ends(),
            Ok(watcher::Event::Apply(object)) => seen.is(read(&object)),
            Ok(watcher::Event::Delete(object)) => seen.is_gone(read(&object)),
            Err(error) => {
                debug!(?topic, %error, "watch of what volumes are made from failed");
                continue;
            }
        };
        tell(&table, &topic, &changed);
    }
}

fn tell(table: &Table, topic: &Topic, changed: &[Known]) {
    if changed.is_empty() {
        return;
    }
    let concerned = |pod_uid: &str| changed.iter().any(|known| known.pod.as_deref().is_none_or(|uid| uid == pod_uid));
    for (_, listener) in table.lock().get(topic).iter().flat_map(|f| &f.pods).filter(|(uid, _)| concerned(uid)) {
        if listener.send(Input::Sources).is_err() {
            debug!(?topic, "a pod ended while its source changed");
        }
    }
}

/// What a watch has shown. A list that replaces it tells also what went while the watch was broken.
#[derive(Default)]
struct Seen {
    /// By uid; `None` until the first list is complete.
    objects: Option<BTreeMap<String, Known>>,
    list: BTreeMap<String, Known>,
}

impl Seen {
    fn list_begins(&mut self) -> Vec<Known> {
        self.list.clear();
        Vec::new()
    }

    fn listed(&mut self, (uid, known): (String, Known)) -> Vec<Known> {
        self.list.insert(uid, known);
        Vec::new()
    }

    fn list_ends(&mut self) -> Vec<Known> {
        let now = std::mem::take(&mut self.list);
        let Some(before) = self.objects.replace(now.clone()) else { return Vec::new() };
        let gone = before.iter().filter(|(uid, _)| !now.contains_key(*uid));
        let changed = now.iter().filter(|(uid, known)| before.get(*uid) != Some(known));
        gone.chain(changed).map(|(_, known)| known.clone()).collect()
    }

    fn is(&mut self, (uid, known): (String, Known)) -> Vec<Known> {
        let before = self.objects.get_or_insert_default().insert(uid, known.clone());
        if before.as_ref() == Some(&known) { Vec::new() } else { vec![known] }
    }

    fn is_gone(&mut self, (uid, known): (String, Known)) -> Vec<Known> {
        self.objects.get_or_insert_default().remove(&uid);
        vec![known]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(uid: &str, version: &str) -> (String, Known) {
        (uid.to_owned(), Known { version: Some(version.to_owned()), pod: Some(format!("pod-of-{uid}")) })
    }

    fn list(seen: &mut Seen, objects: &[(&str, &str)]) -> Vec<String> {
        seen.list_begins();
        for (uid, version) in objects {
            assert!(seen.listed(object(uid, version)).is_empty());
        }
        told(&seen.list_ends())
    }

    fn told(changed: &[Known]) -> Vec<String> {
        changed.iter().filter_map(|known| known.pod.clone()).collect()
    }

    #[test]
    fn changes_are_told_once_and_the_first_list_not_at_all() {
        let mut seen = Seen::default();
        assert!(list(&mut seen, &[("a", "1"), ("b", "1")]).is_empty());
        assert_eq!(told(&seen.is(object("a", "2"))), ["pod-of-a"]);
        assert!(seen.is(object("a", "2")).is_empty());
        assert_eq!(told(&seen.is_gone(object("a", "3"))), ["pod-of-a"]);
    }

    #[test]
    fn a_list_after_a_break_tells_what_came_changed_and_went() {
        let mut seen = Seen::default();
        list(&mut seen, &[("a", "1"), ("b", "1"), ("c", "1")]);
        assert_eq!(list(&mut seen, &[("b", "1"), ("c", "2"), ("d", "1")]), ["pod-of-a", "pod-of-c", "pod-of-d"]);
    }
}
