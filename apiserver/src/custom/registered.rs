//! A local APIService for every group and version that definitions serve, so that `kubectl get apiservices` lists them and
//! discovery has a place for their groups. k8s: `controlplane/controller/crdregistration`

use super::{definitions, request};
use crate::aggregate::API_SERVICES;
use crate::auth::objects;
use crate::error::ApiError;
use crate::follow::{Change, Follow, Seen};
use crate::registry::delete::DeleteOptions;
use crate::registry::{Call, Registry};
use crate::request::{Selection, Verb};
use crate::server::Server;
use kinds::tree::{self, text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause before what could not be read or written is taken up again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
const MANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";
/// k8s: custom resources come after all built-in groups.
const GROUP_PRIORITY: i64 = 1000;
const VERSION_PRIORITY: i64 = 100;

/// A group and one of its versions.
type Place = (String, String);

#[derive(Debug, PartialEq)]
enum Step {
    Create(Value),
    Delete(String),
}

/// Until `drain`. Every API server does this; whoever comes second finds nothing to change.
pub(crate) async fn keep(server: Arc<Server>, drain: CancellationToken) {
    drain.run_until_cancelled(Box::pin(run(&server.registry))).await;
}

async fn run(registry: &Registry) {
    let mut follow = loop {
        match Follow::open(registry.caches(), definitions()).await {
            Ok(follow) => break follow,
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "cannot follow definitions yet");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    };
    let mut served: BTreeMap<String, BTreeSet<Place>> = BTreeMap::new();
    while let Some(seen) = follow.initial() {
        take(&mut served, &seen);
    }
    loop {
        while let Err(error) = settle(registry, &served).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "cannot register custom resources yet");
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        // Most changes of a definition are of its status.
        while !take(&mut served, &follow.next().await) {}
    }
}

/// Whether it changes what is served.
fn take(served: &mut BTreeMap<String, BTreeSet<Place>>, seen: &Seen) -> bool {
    let name = seen.object.name().to_owned();
    match seen.change {
        Change::Gone => served.remove(&name).is_some(),
        Change::Is => {
            let places = places(&seen.object.value());
            served.insert(name, places.clone()).is_none_or(|before| before != places)
        }
    }
}

/// What one definition serves.
fn places(crd: &Value) -> BTreeSet<Place> {
    let group = text(crd, "spec.group");
    let served = tree::list(crd, "spec.versions").iter().filter(|version| version["served"] == true);
    served.map(|version| (group.to_owned(), text(version, "name").to_owned())).collect()
}

async fn settle(registry: &Registry, served: &BTreeMap<String, BTreeSet<Place>>) -> Result<(), ApiError> {
    let kind = objects::kind(API_SERVICES);
    let cache = registry.caches().fresh(&kind).await?;
    let held: Vec<Value> = cache.list("", &Selection::default()).objects.iter().map(|object| object.value()).collect();
    let wanted = served.values().flatten().cloned().collect();
    for step in plan(&wanted, &held) {
        let done = match step {
            Step::Create(object) => {
                let request = request(Verb::Create, &kind, "", "");
                registry.create(&Call::of(&request)?, object).await.map(drop)
            }
            Step::Delete(name) => {
                let request = request(Verb::Delete, &kind, &name, "");
                registry.delete(&Call::of(&request)?, &DeleteOptions::default()).await.map(drop)
            }
        };
        match done {
            // Another server was faster.
            Ok(()) | Err(ApiError::NotFound { .. } | ApiError::AlreadyExists { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// From the APIServices that are there to those that are wanted; what others registered is theirs.
fn plan(wanted: &BTreeSet<Place>, held: &[Value]) -> Vec<Step> {
    let place = |object: &Value| (text(object, "spec.group").to_owned(), text(object, "spec.version").to_owned());
    let taken: BTreeSet<Place> = held.iter().map(place).collect();
    let missing = wanted.difference(&taken).map(|place| Step::Create(api_service(place)));
    let is_ours = |object: &&Value| object["metadata"]["labels"][MANAGED] == "true";
    let stale = held.iter().filter(is_ours).filter(|object| !wanted.contains(&place(object)));
    missing.chain(stale.map(|object| Step::Delete(text(object, "metadata.name").to_owned()))).collect()
}

fn api_service((group, version): &Place) -> Value {
    json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": format!("{version}.{group}"), "labels": {MANAGED: "true"}},
        "spec": {
            "group": group, "version": version,
            "groupPriorityMinimum": GROUP_PRIORITY, "versionPriority": VERSION_PRIORITY,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(group: &str, versions: &[(&str, bool)]) -> BTreeSet<Place> {
        let versions: Vec<Value> =
            versions.iter().map(|(name, served)| json!({"name": name, "served": served})).collect();
        places(&json!({"spec": {"group": group, "versions": versions}}))
    }

    #[test]
    fn served_versions_are_registered_once_and_go_with_the_last_definition() {
        let mut wanted = definition("a.com", &[("v1", true), ("v2", false)]);
        wanted.extend(definition("a.com", &[("v1", true)]));
        let v1 = api_service(&("a.com".into(), "v1".into()));
        assert_eq!(v1["metadata"]["name"], "v1.a.com");
        assert_eq!(plan(&wanted, &[]), [Step::Create(v1.clone())]);
        assert_eq!(plan(&wanted, std::slice::from_ref(&v1)), []);
        assert_eq!(plan(&BTreeSet::new(), &[v1]), [Step::Delete("v1.a.com".into())]);
    }

    #[test]
    fn what_others_registered_is_left_alone() {
        let remote =
            json!({"metadata": {"name": "v1.a.com"}, "spec": {"group": "a.com", "version": "v1", "service": {}}});
        let builtin = json!({"metadata": {"name": "v1.apps", "labels": {MANAGED: "onstart"}}, "spec": {"group": "apps", "version": "v1"}});
        assert_eq!(plan(&definition("a.com", &[("v1", true)]), &[remote.clone(), builtin.clone()]), []);
        assert_eq!(plan(&BTreeSet::new(), &[remote, builtin]), []);
    }
}
