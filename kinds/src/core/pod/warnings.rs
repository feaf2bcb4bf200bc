//! What a user should hear about a pod that is valid but probably not meant so.

use crate::quantity::Quantity;
use crate::validate::path::Path;
use crate::validate::{each, format, selector};
use k8s_openapi::api::core::v1::{Container, PodAffinityTerm, PodSpec, PodTemplateSpec, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use std::collections::BTreeMap;

/// Labels of nodes that were renamed: old name, release, new name.
const RENAMED_LABELS: [(&str, &str, &str); 5] = [
    ("beta.kubernetes.io/arch", "v1.14", "kubernetes.io/arch"),
    ("beta.kubernetes.io/instance-type", "v1.17", "node.kubernetes.io/instance-type"),
    ("beta.kubernetes.io/os", "v1.14", "kubernetes.io/os"),
    ("failure-domain.beta.kubernetes.io/region", "v1.17", "topology.kubernetes.io/region"),
    ("failure-domain.beta.kubernetes.io/zone", "v1.17", "topology.kubernetes.io/zone"),
];

pub(crate) fn pod_name(name: &str) -> Option<String> {
    let details = format::dns_label(name);
    let text = "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended";
    (!name.is_empty() && !details.is_empty()).then(|| format!("{text}: [{}]", details.join(" ")))
}

pub(crate) fn template(template: &PodTemplateSpec, path: &Path<'_>) -> Vec<String> {
    template.spec.as_ref().map(|spec| pod_spec(spec, &path.child("spec"))).unwrap_or_default()
}

pub(crate) fn pod_spec(spec: &PodSpec, path: &Path<'_>) -> Vec<String> {
    let mut texts = Vec::new();
    let selectors = path.child("nodeSelector");
    for (old, since, new) in RENAMED_LABELS {
        if spec.node_selector.as_ref().is_some_and(|labels| labels.contains_key(old)) {
            texts.push(format!("{}: deprecated since {since}; use \"{new}\" instead", selectors.key(old)));
        }
    }
    for (i, constraint) in each(&spec.topology_spread_constraints).enumerate() {
        let list = path.child("topologySpreadConstraints");
        null_selector(constraint.label_selector.as_ref(), &list.index(i), &mut texts);
    }
    let pulls = path.child("imagePullSecrets");
    for (i, secret) in each(&spec.image_pull_secrets).enumerate() {
        if secret.name.is_empty() {
            texts.push(format!("{}: invalid empty name \"\"", pulls.index(i).child("name")));
        }
    }
    if let Some(secs) = spec.termination_grace_period_seconds
        && secs < 0
    {
        let at = path.child("terminationGracePeriodSeconds");
        texts.push(format!("{at}: must be >= 0; negative values are invalid and will be treated as 1"));
    }
    for (i, volume) in each(&spec.volumes).enumerate() {
        self::volume(volume, &path.child("volumes").index(i), &mut texts);
    }
    affinity(spec, path, &mut texts);
    let lists = [("initContainers", each(&spec.init_containers).as_slice()), ("containers", &spec.containers)];
    for (field, containers) in lists {
        let list = path.child(field);
        for (i, container) in containers.iter().enumerate() {
            self::container(container, &list.index(i), &mut texts);
        }
    }
    texts
}

fn null_selector(selector: Option<&LabelSelector>, path: &Path<'_>, texts: &mut Vec<String>) {
    if selector.is_none() {
        texts.push(format!("{}: a null labelSelector results in matching no pod", path.child("labelSelector")));
    }
}

fn affinity(spec: &PodSpec, path: &Path<'_>, texts: &mut Vec<String>) {
    let Some(affinity) = &spec.affinity else { return };
    let mut terms: Vec<(&str, &[PodAffinityTerm])> = Vec::new();
    if let Some(pod) = &affinity.pod_affinity {
        terms.push(("podAffinity", each(&pod.required_during_scheduling_ignored_during_execution).as_slice()));
    }
    if let Some(pod) = &affinity.pod_anti_affinity {
        terms.push(("podAntiAffinity", each(&pod.required_during_scheduling_ignored_during_execution).as_slice()));
    }
    let at = path.child("affinity");
    for (field, list) in terms {
        let at = at.child(field);
        let at = at.child("requiredDuringSchedulingIgnoredDuringExecution");
        for (i, term) in list.iter().enumerate() {
            null_selector(term.label_selector.as_ref(), &at.index(i), texts);
            if let Some(selector) = &term.namespace_selector
                && selector::is_empty(selector)
                && term.namespaces.as_ref().is_some_and(|names| !names.is_empty())
            {
                let text = "an empty namespaceSelector selects all namespaces, whatever namespaces says";
                texts.push(format!("{}: {text}", at.index(i).child("namespaceSelector")));
            }
        }
    }
}

fn volume(volume: &Volume, path: &Path<'_>, texts: &mut Vec<String>) {
    let deprecated = [
        ("gitRepo", volume.git_repo.is_some(), "deprecated in v1.11, and disabled by default in v1.33+"),
        ("glusterfs", volume.glusterfs.is_some(), "deprecated in v1.25, this feature will be removed soon"),
        ("scaleIO", volume.scale_io.is_some(), "deprecated in v1.16, non-functional in v1.22+"),
        ("flocker", volume.flocker.is_some(), "deprecated in v1.22, non-functional in v1.25+"),
        ("storageOS", volume.storageos.is_some(), "deprecated in v1.22, non-functional in v1.25+"),
        ("quobyte", volume.quobyte.is_some(), "deprecated in v1.22, non-functional in v1.25+"),
        ("cephfs", volume.cephfs.is_some(), "deprecated in v1.28, non-functional in v1.31+"),
        ("rbd", volume.rbd.is_some(), "deprecated in v1.28, non-functional in v1.31+"),
    ];
    for (field, _, text) in deprecated.into_iter().filter(|(_, set, _)| *set) {
        texts.push(format!("{}: {text}", path.child(field)));
    }
}

fn container(container: &Container, path: &Path<'_>, texts: &mut Vec<String>) {
    let env = path.child("env");
    let mut seen = BTreeMap::new();
    for (i, var) in each(&container.env).enumerate() {
        // A later definition that uses the earlier one ($(NAME)) is meant to replace it.
        let builds_on_it = var.value.as_ref().is_some_and(|value| value.contains(&format!("$({})", var.name)));
        if seen.insert(var.name.as_str(), i).is_some() && !builds_on_it {
            let text = "which may be dropped when using apply";
            texts.push(format!("{}: hides previous definition of \"{}\", {text}", env.index(i), var.name));
        }
    }
    let ports = path.child("ports");
    let mut numbers = BTreeMap::new();
    for (i, port) in each(&container.ports).enumerate() {
        let key = (port.container_port, port.protocol.as_deref(), port.host_port, port.host_ip.as_deref());
        match numbers.get(&key) {
            Some(first) => {
                texts.push(format!("{}: duplicate port definition with {}", ports.index(i), ports.index(*first)));
            }
            None => {
                numbers.insert(key, i);
            }
        }
    }
    let resources = path.child("resources");
    let Some(all) = &container.resources else { return };
    for (field, list) in [("limits", &all.limits), ("requests", &all.requests)] {
        let at = resources.child(field);
        for (name, text) in list.iter().flatten() {
            let whole = text.0.parse::<Quantity>().is_ok_and(|value| value == Quantity::from_int(value.value()));
            if matches!(name.as_str(), "memory" | "ephemeral-storage") && !whole {
                let text = format!("fractional byte value \"{}\" is invalid, must be an integer", text.0);
                texts.push(format!("{}: {text}", at.key(name)));
            }
        }
    }
}
