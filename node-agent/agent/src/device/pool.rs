//! Which devices a resource has, who holds which, and which ones a pod gets. Pure.

use super::grant::{Books, Grant};
use crate::pod::member::{Role, members};
use crate::quantity::{request, whole};
use k8s_openapi::api::core::v1::Pod;
use std::collections::{BTreeMap, BTreeSet};

/// Devices of one resource by id, and whether each is healthy.
pub(super) type Healths = BTreeMap<String, bool>;

/// Devices of one resource that a container of the pod asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Want {
    pub(super) container: String,
    pub(super) role: Role,
    pub(super) resource: String,
    pub(super) count: usize,
}

/// Why a pod cannot have its devices. k8s: the words of the device manager
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Short {
    #[error("no healthy devices present; cannot allocate unhealthy devices {0}")]
    NoneHealthy(String),
    #[error("requested number of devices unavailable for {resource}. Requested: {requested}, Available: {available}")]
    TooFew { resource: String, requested: usize, available: usize },
}

/// What `pod` asks for of the resources that `is_managed`, container by container in the order in which they start.
pub(super) fn wanted(pod: &Pod, is_managed: impl Fn(&str) -> bool) -> Vec<Want> {
    let mut all = Vec::new();
    for member in members(pod).iter().filter(|m| m.role != Role::Ephemeral) {
        let Some(resources) = member.spec.resources.as_ref() else { continue };
        let names = resources.limits.iter().chain(&resources.requests).flat_map(BTreeMap::keys);
        for resource in names.filter(|name| is_managed(name)).collect::<BTreeSet<_>>() {
            let count = request(Some(resources), resource).map_or(0, whole);
            if let Some(count) = usize::try_from(count).ok().filter(|count| *count > 0) {
                let (container, role) = (member.name().to_owned(), member.role);
                all.push(Want { container, role, resource: resource.clone(), count });
            }
        }
    }
    all
}

/// Devices to choose from for one wish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offer {
    /// Held by an init container of the same pod that has ended by then: these come first.
    pub(super) reused: BTreeSet<String>,
    /// All that may be taken, the reused ones included.
    pub(super) available: BTreeSet<String>,
}

impl Offer {
    /// The devices to take where the plugin has no preference.
    pub(super) fn first(&self, count: usize) -> BTreeSet<String> {
        self.reused.iter().chain(self.available.difference(&self.reused)).take(count).cloned().collect()
    }

    /// What the plugin prefers, if that is an answer to the question.
    pub(super) fn accepts(&self, preferred: &BTreeSet<String>, count: usize) -> bool {
        let must = self.first(count.min(self.reused.len()));
        preferred.len() == count && preferred.is_subset(&self.available) && must.is_subset(preferred)
    }
}

/// `granted` is what the pod's own containers were given so far, in the order of their starts.
pub(super) fn offer(
    want: &Want,
    healths: &Healths,
    books: &Books,
    granted: &[(Want, BTreeSet<String>)],
) -> Result<Offer, Short> {
    let healthy: BTreeSet<&String> = healths.iter().filter(|(_, healthy)| **healthy).map(|(id, _)| id).collect();
    if healthy.is_empty() {
        return Err(Short::NoneHealthy(want.resource.clone()));
    }
    let held: BTreeSet<&String> = books.pods.values().flatten().flat_map(|(_, g)| g.of(&want.resource)).collect();
    let own = |is: fn(Role) -> bool| -> BTreeSet<&String> {
        let of = granted.iter().filter(move |(w, _)| w.resource == want.resource && is(w.role));
        of.flat_map(|(_, ids)| ids).collect()
    };
    // k8s: what runs beside the app containers keeps what it has; what has ended before them gives it on.
    let (passed_on, kept) = (own(|role| role == Role::Init), own(|role| role != Role::Init));
    let reused: BTreeSet<String> =
        passed_on.iter().filter(|id| healthy.contains(**id) && !kept.contains(**id)).map(|id| (*id).clone()).collect();
    let free = healthy.iter().filter(|id| !held.contains(**id) && !kept.contains(**id)).map(|id| (*id).clone());
    let available: BTreeSet<String> = free.collect();
    if available.len() < want.count {
        let (requested, available) = (want.count, available.len());
        return Err(Short::TooFew { resource: want.resource.clone(), requested, available });
    }
    Ok(Offer { reused, available })
}

impl Grant {
    fn of(&self, resource: &str) -> impl Iterator<Item = &String> {
        self.devices.get(resource).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::pod_yaml;

    const PODS: &str = r#"{ spec: {
        initContainers: [
            { name: early, resources: { limits: { "v.io/gpu": "2" } } },
            { name: side, restartPolicy: Always, resources: { limits: { "v.io/gpu": "1" } } }],
        containers: [{ name: app, resources: { requests: { cpu: "1", "v.io/gpu": "2" }, limits: { "v.io/gpu": "2" } } },
            { name: none, resources: { limits: { "v.io/other": "1", "v.io/gpu": "0" } } }] } }"#;

    fn ids(text: &str) -> BTreeSet<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// `a b !c`: c is not healthy.
    fn healths(text: &str) -> Healths {
        text.split_whitespace().map(|id| (id.trim_start_matches('!').to_owned(), !id.starts_with('!'))).collect()
    }

    fn held(text: &str) -> Books {
        let grant = Grant { devices: BTreeMap::from([("v.io/gpu".to_owned(), ids(text))]), ..Grant::default() };
        Books { pods: [("other".to_owned(), [("c".to_owned(), grant)].into())].into(), ..Books::default() }
    }

    #[test]
    fn every_container_is_asked_for_what_plugins_have() {
        let pod = pod_yaml(PODS);
        let found: Vec<_> =
            wanted(&pod, |name| name == "v.io/gpu").into_iter().map(|w| (w.container, w.role, w.count)).collect();
        let row = |name: &str, role, count| (name.to_owned(), role, count);
        assert_eq!(found, [row("early", Role::Init, 2), row("side", Role::Sidecar, 1), row("app", Role::App, 2)]);
        assert_eq!(wanted(&pod, |_| false), []);
    }

    #[test]
    fn devices_of_ended_init_containers_are_used_again_those_of_sidecars_are_not() {
        let wants = wanted(&pod_yaml(PODS), |name| name == "v.io/gpu");
        let mut granted = Vec::new();
        for want in &wants {
            let offer = offer(want, &healths("a b c d !e"), &held("d"), &granted).unwrap();
            granted.push((want.clone(), offer.first(want.count)));
        }
        let given: Vec<_> = granted.iter().map(|(w, ids)| (w.container.as_str(), ids.clone())).collect();
        assert_eq!(given, [("early", ids("a b")), ("side", ids("a")), ("app", ids("b c"))]);
    }

    #[test]
    fn a_pod_that_asks_for_too_many_is_told_how_many_there_are() {
        let want = Want { container: "c".into(), role: Role::App, resource: "v.io/gpu".into(), count: 2 };
        let cases = [
            ("a b !c", "b", "requested number of devices unavailable for v.io/gpu. Requested: 2, Available: 1"),
            ("!a !b", "", "no healthy devices present; cannot allocate unhealthy devices v.io/gpu"),
            ("", "", "no healthy devices present; cannot allocate unhealthy devices v.io/gpu"),
        ];
        for (all, taken, said) in cases {
            let short = offer(&want, &healths(all), &held(taken), &[]).unwrap_err();
            assert_eq!(short.to_string(), said, "{all} without {taken}");
        }
    }

    #[test]
    fn a_preference_counts_only_where_it_answers_the_question() {
        let offer = Offer { reused: ids("a"), available: ids("a b c") };
        let cases = [("a c", true), ("b c", false), ("a x", false), ("a", false), ("a b c", false)];
        for (preferred, accepted) in cases {
            assert_eq!(offer.accepts(&ids(preferred), 2), accepted, "{preferred}");
        }
        assert_eq!(offer.first(2), ids("a b"));
    }
}
