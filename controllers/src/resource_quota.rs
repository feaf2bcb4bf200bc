//! Says in each quota's `status` what is limited and what is used, and recounts whenever something in the namespace comes,
//! changes or goes. Admission has already added what was created; this takes away what is gone.
//! k8s: `pkg/controller/resourcequota`

use crate::write;
use client::action::{Action, Key, Resource};
use client::cache::{Caches, Change, Node, Tracked as _};
use client::controller::{Controller, Look, Reconcile, Sight, Watches};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, ResourceQuota, ResourceQuotaStatus, Service};
use k8s_openapi::api::resource::v1::ResourceClaim;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;
use kinds::pod_resources::{Amounts, add, amounts};
use kinds::quantity::Quantity;
use kinds::quota::{Counted, counted_resource};
use std::collections::BTreeMap;

pub(crate) const CONTROLLER: Controller =
    Controller { name: "resourcequota", watches, reconcile: Reconcile::Looking { look, reconcile }, refused: None };

/// Time alone changes what counts: a pod whose grace has run out is not charged for.
const RECOUNT_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// After a kind could not be counted.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// Before a kind that is limited and not served is looked for again: its definition may come after the quota.
const LATER: SignedDuration = SignedDuration::from_secs(10);
/// After something was charged while the server was asked.
const SOON: SignedDuration = SignedDuration::from_millis(100);

const QUOTAS: &str = "resourcequotas";

fn watches(watches: &mut Watches) {
    watches.mapped_change::<ResourceQuota>(quota_changed);
    watches.reads::<Pod>();
    watches.reads::<Service>();
    watches.reads::<PersistentVolumeClaim>();
    watches.reads::<ResourceClaim>();
    watches.metadata(content_changed);
}

/// Usage that admission or this controller wrote is no reason to count again; limits that somebody else wrote are.
fn quota_changed(change: &Change<ResourceQuota>, caches: &Caches) -> Vec<Key> {
    let tells_limits = |quota: &ResourceQuota| {
        let told = quota.status.as_ref().and_then(|status| status.hard.as_ref());
        told.is_some_and(|told| *told == hard(quota))
    };
    match (&change.old, &change.new) {
        (Some(old), Some(new)) if old.spec == new.spec && tells_limits(new) => Vec::new(),
        _ => quotas_in(&change.key.ns, caches),
    }
}

fn content_changed(node: &Node, caches: &Caches) -> Vec<Key> {
    if node.resource.plural == QUOTAS { Vec::new() } else { quotas_in(&node.meta.key.ns, caches) }
}

fn quotas_in(ns: &str, caches: &Caches) -> Vec<Key> {
    if ns.is_empty() {
        return Vec::new();
    }
    caches.of::<ResourceQuota>().list_in(ns).iter().map(|quota| quota.key()).collect()
}

fn hard(quota: &ResourceQuota) -> BTreeMap<String, Text> {
    quota.spec.as_ref().and_then(|spec| spec.hard.clone()).unwrap_or_default()
}

/// Quotas on the number of objects of kinds that have no typed cache here, by quota name. The server counts those.
fn counted_by_server(quota: &ResourceQuota, caches: &Caches) -> Vec<(String, Resource)> {
    let served = caches.metadata().served();
    let find = |name: String| {
        let (group, plural) = counted_resource(&name)?;
        let is = |resource: &Resource| resource.plural == plural && group_of(resource) == group;
        let found =
            served.iter().find(|one| one.namespaced && is(&one.resource)).filter(|_| !is_typed(group, plural))?;
        Some((name.clone(), found.resource.clone()))
    };
    hard(quota).into_keys().filter_map(find).collect()
}

/// Whether there is a typed cache of the kind here.
fn is_typed(group: &str, plural: &str) -> bool {
    COSTLY.iter().any(|kind| (kind.group, kind.plural) == (group, plural))
}

/// Whether the quota limits the number of objects of a kind that is not served, or not yet.
fn awaits_kind(quota: &ResourceQuota, counted: &[(String, Resource)]) -> bool {
    hard(quota).keys().any(|name| {
        let is_counted = counted_resource(name).is_some_and(|(group, plural)| !is_typed(group, plural));
        is_counted && !counted.iter().any(|(known, _)| known == name)
    })
}

fn group_of(resource: &Resource) -> &str {
    resource.api_version.split_once('/').map_or("", |(group, _)| group)
}

/// A kind that costs by what is in it.
struct Costly {
    /// `api/v1`, `apis/resource.k8s.io/v1`
    served: &'static str,
    group: &'static str,
    plural: &'static str,
    empty: fn() -> Counted<'static>,
}

const COSTLY: [Costly; 4] = [
    Costly { served: "api/v1", group: "", plural: "pods", empty: || Counted::Pod(Box::default()) },
    Costly { served: "api/v1", group: "", plural: "services", empty: || Counted::Service(Box::default()) },
    Costly { served: "api/v1", group: "", plural: "persistentvolumeclaims", empty: || Counted::Claim(Box::default()) },
    Costly {
        served: "apis/resource.k8s.io/v1",
        group: "resource.k8s.io",
        plural: "resourceclaims",
        empty: || Counted::Devices(Box::default()),
    },
];

/// Where the caches show less than is charged, something is gone, or was charged and has not reached them yet: a quota and
/// what it pays for come by different watches. Where nothing is charged yet, they may not show all that there is either, and
/// what the first count misses is given away twice. Only the server can tell, so it is asked for the kinds that cost.
fn to_verify(quota: &ResourceQuota, cached: &Amounts) -> Vec<&'static Costly> {
    let told = amounts(quota.status.as_ref().and_then(|status| status.used.as_ref()));
    if !cached.iter().any(|(name, amount)| told.get(name).is_none_or(|told| amount < told)) {
        return Vec::new();
    }
    let limited = hard(quota);
    COSTLY.iter().filter(|kind| !(kind.empty)().concerned(limited.keys()).is_empty()).collect()
}

fn look(key: &Key, caches: &Caches, now: Timestamp) -> Vec<Look> {
    let Some(quota) = caches.of::<ResourceQuota>().get(&key.ns, &key.name) else { return Vec::new() };
    let counted = counted_by_server(&quota, caches).into_iter();
    let counted = counted.map(|(_, resource)| Look::Remaining { resource, ns: key.ns.clone() });
    let verified = to_verify(&quota, &typed_usage(&quota, &objects(caches, &key.ns), now)).into_iter();
    let path = |kind: &Costly| format!("/{}/namespaces/{}/{}", kind.served, key.ns, kind.plural);
    let verified = verified.map(|kind| Look::Document { path: path(kind) });
    counted.chain(verified).collect()
}

fn reconcile(key: &Key, caches: &Caches, sights: &[Sight], now: Timestamp) -> Vec<Action> {
    let Some(quota) = caches.of::<ResourceQuota>().get(&key.ns, &key.name) else { return Vec::new() };
    if quota.deleting() {
        return Vec::new();
    }
    let counted = counted_by_server(&quota, caches);
    let cached = typed_usage(&quota, &objects(caches, &key.ns), now);
    let verified = to_verify(&quota, &cached);
    let charged = quota.metadata.resource_version.as_ref().and_then(|revision| revision.parse().ok()).unwrap_or(0);
    // Of what is charged after the server counted, it has counted nothing.
    if counted.len() + verified.len() != sights.len() || sights.iter().any(|sight| is_older(sight, charged)) {
        return vec![Action::RequeueAt(now + SOON)];
    }
    let (counts, lists) = sights.split_at(counted.len());
    let hard = hard(&quota);
    let before = amounts(quota.status.as_ref().and_then(|status| status.used.as_ref()));
    let mut again = if awaits_kind(&quota, &counted) { LATER } else { RECOUNT_EVERY };
    let mut used = match listed(&verified, lists) {
        Some(_) if verified.is_empty() => cached,
        Some(objects) => typed_usage(&quota, &objects, now),
        None => return vec![Action::RequeueAt(now + AGAIN)],
    };
    for ((name, _), sight) in counted.into_iter().zip(counts) {
        let objects = match sight {
            Sight::Remaining(remaining) => Quantity::from_int(i64::try_from(remaining.objects).unwrap_or(i64::MAX)),
            Sight::Absent | Sight::Object(_) => Quantity::ZERO,
            Sight::Unknown(_) => {
                again = AGAIN;
                let Some(known) = before.get(&name) else { continue };
                *known
            }
        };
        used.insert(name, objects);
    }
    used.retain(|name, _| hard.contains_key(name));
    let told = quota.status.as_ref().is_some_and(|status| status.hard.as_ref() == Some(&hard)) && before == used;
    let mut actions = Vec::new();
    if !told {
        let used = used.into_iter().map(|(name, amount)| (name, amount.into())).collect();
        let status = ResourceQuotaStatus { hard: Some(hard), used: Some(used) };
        actions.push(write::update(&ResourceQuota { status: Some(status), ..quota.as_ref().clone() }, "status"));
    }
    actions.push(Action::RequeueAt(now + again));
    actions
}

/// Whether the answer shows less than the revision `charged`. One about a kind that is gone never does.
fn is_older(sight: &Sight, charged: u64) -> bool {
    let revision = match sight {
        Sight::Remaining(remaining) => remaining.revision,
        Sight::Object(list) => {
            list["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
        }
        Sight::Absent | Sight::Unknown(_) => 0,
    };
    revision != 0 && revision < charged
}

/// What the server's lists hold; `None` where one is not known.
fn listed(verified: &[&Costly], lists: &[Sight]) -> Option<Vec<Counted<'static>>> {
    let mut found = Vec::new();
    for (kind, sight) in verified.iter().zip(lists) {
        let Sight::Object(list) = sight else { return None };
        let items = list["items"].as_array().into_iter().flatten();
        found.extend(items.map(|item| Counted::of(kind.group, kind.plural, item)));
    }
    Some(found)
}

/// Objects of the costly kinds, as the caches show them.
fn objects(caches: &Caches, ns: &str) -> Vec<Counted<'static>> {
    let pods = caches.of::<Pod>().list_in(ns).into_iter().map(|pod| Counted::Pod(Box::new(pod.as_ref().clone())));
    let services = caches.of::<Service>().list_in(ns).into_iter();
    let services = services.map(|service| Counted::Service(Box::new(service.as_ref().clone())));
    let claims = caches.of::<PersistentVolumeClaim>().list_in(ns).into_iter();
    let claims = claims.map(|claim| Counted::Claim(Box::new(claim.as_ref().clone())));
    let devices = caches.of::<ResourceClaim>().list_in(ns).into_iter();
    let devices = devices.map(|claim| Counted::Devices(Box::new(claim.as_ref().clone())));
    pods.chain(services).chain(claims).chain(devices).collect()
}

/// What the objects add up to, with a zero for each of the quota's names that their kinds concern.
fn typed_usage(quota: &ResourceQuota, objects: &[Counted<'_>], now: Timestamp) -> Amounts {
    let empty = k8s_openapi::api::core::v1::ResourceQuotaSpec::default();
    let spec = quota.spec.as_ref().unwrap_or(&empty);
    let limited = spec.hard.clone().unwrap_or_default();
    let mut used = Amounts::new();
    for kind in &COSTLY {
        used.extend((kind.empty)().concerned(limited.keys()).into_iter().map(|name| (name.to_owned(), Quantity::ZERO)));
    }
    for object in objects.iter().filter(|object| object.is_in_scope(spec)) {
        add(&mut used, &object.usage(now.as_second()));
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, caches, documents, lines};
    use client::cache::Served;
    use client::controller::Remaining;
    use expect_test::expect;
    use serde_json::{Value, json};

    const QUOTA: &str = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q, namespace: a}\nspec: {hard: {pods: '2', requests.cpu: '1', services: '1', configmaps: '3', count/widgets.example.com: '1', bogus: '1'}}";
    const POD: &str = "\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a}\nspec: {containers: [{name: c, resources: {requests: {cpu: 300m}}}]}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: done, namespace: a}\nspec: {containers: [{name: c, resources: {requests: {cpu: 300m}}}]}\nstatus: {phase: Succeeded}";

    fn run(yaml: &str) -> String {
        let caches = caches(watches, yaml);
        let serve = |api_version: &'static str, kind: &'static str, plural: &'static str| Served {
            resource: Resource { api_version: api_version.into(), kind: kind.into(), plural: plural.into() },
            namespaced: true,
            verbs: vec!["list".to_owned()],
        };
        caches
            .metadata()
            .serve(vec![serve("v1", "ConfigMap", "configmaps"), serve("example.com/v1", "Widget", "widgets")]);
        let key = Key::new("a", "q");
        let mut counts = 0;
        let looks = look(&key, &caches, at(0));
        let sights = looks.iter().map(|look| {
            if let Look::Document { path } = look {
                let is_listed = |object: &Value| path.ends_with("/pods") && object["kind"] == "Pod";
                let items: Vec<Value> = documents(yaml).into_iter().filter(is_listed).collect();
                return Sight::Object(json!({"items": items}));
            }
            counts += 1;
            Sight::Remaining(Remaining { objects: counts, ..Remaining::default() })
        });
        let sights: Vec<Sight> = sights.collect();
        lines(&reconcile(&key, &caches, &sights, at(0)))
    }

    #[test]
    fn limits_that_somebody_else_wrote_into_the_status_are_put_right() {
        let told = |hard: &str| format!("{QUOTA}\nstatus: {{hard: {hard}}}");
        let right = "{pods: '2', requests.cpu: '1', services: '1', configmaps: '3', count/widgets.example.com: '1', bogus: '1'}";
        let seen = |status: &str| {
            let caches = caches(watches, &told(status));
            let new = caches.of::<ResourceQuota>().get("a", "q");
            let change = Change { key: Key::new("a", "q"), old: new.clone(), new };
            quota_changed(&change, &caches).len()
        };
        assert_eq!((seen(right), seen("{pods: '9'}")), (0, 1));
    }

    #[test]
    fn less_than_is_charged_is_written_only_when_the_server_says_so() {
        let told = "\nstatus: {hard: {pods: '2'}, used: {pods: '2'}}";
        let quota = format!(
            "apiVersion: v1\nkind: ResourceQuota\nmetadata: {{name: q, namespace: a, resourceVersion: '7'}}\nspec: {{hard: {{pods: '2'}}}}{told}{POD}"
        );
        let caches = caches(watches, &quota);
        let key = Key::new("a", "q");
        let looks = look(&key, &caches, at(0));
        assert_eq!(looks, [Look::Document { path: "/api/v1/namespaces/a/pods".to_owned() }]);
        let pod = serde_json::json!({"spec": {"containers": [{"name": "c"}]}});
        let shown = |revision: &str, pods: usize| {
            let list = serde_json::json!({"metadata": {"resourceVersion": revision}, "items": vec![pod.clone(); pods]});
            lines(&reconcile(&key, &caches, &[Sight::Object(list)], at(0)))
        };
        assert_eq!(shown("6", 1), "again at 0\n");
        assert_eq!(shown("7", 2), "again at 300\n");
        expect![[r#"
            update ResourceQuota q status {"hard":{"pods":"2"},"used":{"pods":"1"}}
            again at 300
        "#]]
        .assert_eq(&shown("8", 1));
        assert_eq!(lines(&reconcile(&key, &caches, &[Sight::Unknown("no".to_owned())], at(0))), "again at 5\n");
    }

    #[test]
    fn what_nobody_has_counted_yet_is_counted_by_the_server() {
        let quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q, namespace: a, resourceVersion: '7'}\nspec: {hard: {pods: '2'}}";
        let caches = caches(watches, quota);
        let key = Key::new("a", "q");
        assert_eq!(look(&key, &caches, at(0)), [Look::Document { path: "/api/v1/namespaces/a/pods".to_owned() }]);
        let pod = json!({"spec": {"containers": [{"name": "c"}]}});
        let list = json!({"metadata": {"resourceVersion": "8"}, "items": [pod]});
        expect![[r#"
            update ResourceQuota q status {"hard":{"pods":"2"},"used":{"pods":"1"}}
            again at 300
        "#]]
        .assert_eq(&lines(&reconcile(&key, &caches, &[Sight::Object(list)], at(0))));
    }

    #[test]
    fn a_kind_that_is_not_served_yet_is_looked_for_soon() {
        let quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q, namespace: a}\nspec: {hard: {count/gadgets.example.com: '1'}}";
        expect![[r#"
            update ResourceQuota q status {"hard":{"count/gadgets.example.com":"1"},"used":{}}
            again at 10
        "#]]
        .assert_eq(&run(quota));
    }

    #[test]
    fn a_quota_says_what_is_used_of_what_it_knows() {
        expect![[r#"
            update ResourceQuota q status {"hard":{"bogus":"1","configmaps":"3","count/widgets.example.com":"1","pods":"2","requests.cpu":"1","services":"1"},"used":{"configmaps":"1","count/widgets.example.com":"2","pods":"1","requests.cpu":"300m","services":"0"}}
            again at 300
        "#]]
        .assert_eq(&run(&format!("{QUOTA}{POD}")));
        let told = "\nstatus: {hard: {pods: '2', requests.cpu: '1', services: '1', configmaps: '3', count/widgets.example.com: '1', bogus: '1'}, used: {pods: '1', requests.cpu: '0.3', services: '0', configmaps: '1', count/widgets.example.com: '2'}}";
        expect![[r#"
            again at 300
        "#]]
        .assert_eq(&run(&format!("{QUOTA}{told}{POD}")));
    }
}
