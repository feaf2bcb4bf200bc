//! Empties a namespace that is being deleted, pods first, tells in conditions what is left, and lets it go when nothing
//! is. What is left is asked of the server, never of a cache: a namespace that goes too early leaves orphans for ever.

mod conditions;

use crate::write;
use client::action::{Action, Key, Resource};
use client::cache::{Caches, Node, Served, Tracked as _};
use client::controller::{Controller, Look, Reconcile, Remaining, Sight, Watches};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Namespace, Pod};

pub(crate) const CONTROLLER: Controller =
    Controller { name: "namespace", watches, reconcile: Reconcile::Looking { look, reconcile }, refused: None };

/// The finalizer of `spec` that this controller answers for.
const KUBERNETES: &str = "kubernetes";
/// While content goes, look again this often even if no event says so: not every kind has a watch.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(2);

fn watches(watches: &mut Watches) {
    watches.primary::<Namespace>();
    // The last object to go lets the namespace go at once.
    watches.metadata(|node, caches| emptied(node, caches).into_iter().collect());
}

fn emptied(node: &Node, caches: &Caches) -> Option<Key> {
    let ns = node.meta.key.ns.as_str();
    let leaving = node.gone && !ns.is_empty();
    (leaving && caches.of::<Namespace>().get("", ns)?.deleting()).then(|| Key::new("", ns))
}

/// Kinds that live in namespaces and can be deleted. Events too: they go with their namespace.
fn content(caches: &Caches) -> Vec<Served> {
    let served = caches.metadata().served();
    // Kinds served under two groups are one store; either view empties it.
    let twice = |one: &Served| one.resource.plural == "events" && one.resource.api_version != "v1";
    served.iter().filter(|one| one.namespaced && one.can("deletecollection") && !twice(one)).cloned().collect()
}

fn terminating(key: &Key, caches: &Caches) -> Option<std::sync::Arc<Namespace>> {
    let namespace = caches.of::<Namespace>().get("", &key.name)?;
    let finalizers = namespace.spec.as_ref().and_then(|spec| spec.finalizers.as_ref());
    let held = finalizers.is_some_and(|finalizers| finalizers.iter().any(|name| name == KUBERNETES));
    (namespace.deleting() && held).then_some(namespace)
}

fn look(key: &Key, caches: &Caches, _: Timestamp) -> Vec<Look> {
    if terminating(key, caches).is_none() {
        return Vec::new();
    }
    let remaining = |served: Served| Look::Remaining { resource: served.resource, ns: key.name.clone() };
    content(caches).into_iter().map(remaining).collect()
}

/// What is left of each kind.
struct Left {
    found: Vec<(Resource, Remaining)>,
    /// Kinds whose rest is not known.
    failed: Vec<String>,
}

fn reconcile(key: &Key, caches: &Caches, sights: &[Sight], now: Timestamp) -> Vec<Action> {
    let Some(namespace) = terminating(key, caches) else { return Vec::new() };
    let looks = look(key, caches, now);
    if looks.is_empty() || looks.len() != sights.len() {
        return vec![Action::RequeueAt(now + LOOK_AGAIN)]; // the served kinds changed meanwhile
    }
    decide(&namespace, &left(&looks, sights), now)
}

fn left(looks: &[Look], sights: &[Sight]) -> Left {
    let mut left = Left { found: Vec::new(), failed: Vec::new() };
    for (look, sight) in looks.iter().zip(sights) {
        let Look::Remaining { resource, .. } = look else { continue };
        match sight {
            Sight::Remaining(remaining) if remaining.objects > 0 => {
                left.found.push((resource.clone(), remaining.clone()));
            }
            Sight::Unknown(why) => left.failed.push(format!("{}: {why}", resource.plural)),
            Sight::Remaining(_) | Sight::Object(_) | Sight::Absent => {}
        }
    }
    left
}

fn decide(namespace: &Namespace, left: &Left, now: Timestamp) -> Vec<Action> {
    if left.found.is_empty() && left.failed.is_empty() {
        return vec![finalize(namespace)];
    }
    let pods = Resource::of::<Pod>();
    // k8s: OrderedNamespaceDeletion; policies and secrets must outlive the pods that rely on them
    let pods_left = left.found.iter().any(|(resource, _)| *resource == pods);
    let due = left.found.iter().filter(|(resource, _)| !pods_left || *resource == pods);
    let ns = namespace.name().to_owned();
    let mut actions: Vec<Action> =
        due.map(|(resource, _)| Action::DeleteCollection { resource: resource.clone(), ns: ns.clone() }).collect();
    if let Some(changed) = conditions::changed(namespace, left, now) {
        actions.insert(0, write::update(&changed, "status"));
    }
    actions.push(Action::RequeueAt(now + LOOK_AGAIN));
    actions
}

fn finalize(namespace: &Namespace) -> Action {
    let mut changed = namespace.clone();
    if let Some(finalizers) = changed.spec.as_mut().and_then(|spec| spec.finalizers.as_mut()) {
        finalizers.retain(|name| name != KUBERNETES);
    }
    write::update(&changed, "finalize")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, lines};
    use expect_test::{Expect, expect};
    use k8s_openapi::api::core::v1::{Secret, Service};

    fn namespace() -> Namespace {
        serde_json::from_value(serde_json::json!({"metadata": {"name": "a", "uid": "u", "resourceVersion": "7",
            "deletionTimestamp": "1970-01-01T00:00:00Z"}, "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Terminating"}}))
        .unwrap()
    }

    fn check(found: Vec<(Resource, Remaining)>, failed: &[&str], expected: Expect) {
        let left = Left { found, failed: failed.iter().map(|&text| text.to_owned()).collect() };
        let actions = decide(&namespace(), &left, at(100));
        let brief =
            lines(&actions).lines().map(|line| format!("{}\n", line.split(" {").next().unwrap())).collect::<String>();
        expected.assert_eq(&brief);
    }

    fn some(objects: u64) -> Remaining {
        Remaining { objects, ..Remaining::default() }
    }

    #[test]
    fn pods_go_before_everything_else() {
        let found = vec![(Resource::of::<Pod>(), some(2)), (Resource::of::<Secret>(), some(1))];
        check(
            found,
            &[],
            expect![[r#"
            update Namespace a status
            delete all pods in a
            again at 102
        "#]],
        );
    }

    #[test]
    fn then_every_kind_that_is_left_goes() {
        let found = vec![(Resource::of::<Secret>(), some(1)), (Resource::of::<Service>(), some(1))];
        check(
            found,
            &[],
            expect![[r#"
            update Namespace a status
            delete all secrets in a
            delete all services in a
            again at 102
        "#]],
        );
    }

    #[test]
    fn an_empty_namespace_is_let_go() {
        check(
            Vec::new(),
            &[],
            expect![[r#"
            update Namespace a finalize
        "#]],
        );
    }

    #[test]
    fn a_kind_that_cannot_be_listed_holds_the_namespace() {
        check(
            Vec::new(),
            &["widgets: no answer"],
            expect![[r#"
            update Namespace a status
            again at 102
        "#]],
        );
    }

    #[test]
    fn conditions_say_what_is_left_and_are_written_once() {
        let pods =
            Remaining { objects: 2, finalizers: vec![("example.com/hold".to_owned(), 1)], ..Remaining::default() };
        let left = Left { found: vec![(Resource::of::<Pod>(), pods)], failed: Vec::new() };
        let changed = conditions::changed(&namespace(), &left, at(100)).unwrap();
        let texts: Vec<String> = changed
            .status
            .iter()
            .flat_map(|status| status.conditions.iter().flatten())
            .map(|c| {
                format!(
                    "{}={} {}: {}\n",
                    c.type_,
                    c.status,
                    c.reason.as_deref().unwrap(),
                    c.message.as_deref().unwrap()
                )
            })
            .collect();
        expect![[r#"
            NamespaceDeletionDiscoveryFailure=False ResourcesDiscovered: All resources successfully discovered
            NamespaceDeletionGroupVersionParsingFailure=False ParsedGroupVersions: All legacy kube types successfully parsed
            NamespaceDeletionContentFailure=False ContentDeleted: All content successfully deleted, may be waiting on finalization
            NamespaceContentRemaining=True SomeResourcesRemain: Some resources are remaining: pods. has 2 resource instances
            NamespaceFinalizersRemaining=True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances
        "#]].assert_eq(&texts.concat());
        assert!(conditions::changed(&changed, &left, at(200)).is_none());
    }
}
