//! Upstream's exceptions by resource, as tables: where a kind's storage behaves unlike the rest for historical reasons.

use crate::request::Propagation;
use kinds::row::Row;

fn is_in(row: &Row, table: &[(&str, &str)]) -> bool {
    table.iter().any(|&(group, plural)| row.group == group && row.plural == plural)
}

/// k8s: `ReturnDeletedObject` of the resource's REST storage; all others answer a Status.
const DELETE_RETURNS_OBJECT: &[(&str, &str)] = &[
    ("", "pods"),
    ("", "podtemplates"),
    ("", "persistentvolumes"),
    ("", "persistentvolumeclaims"),
    ("", "resourcequotas"),
    ("", "serviceaccounts"),
    ("", "services"),
];

pub fn delete_returns_object(row: &Row) -> bool {
    is_in(row, DELETE_RETURNS_OBJECT)
}

/// k8s: `DefaultGarbageCollectionPolicy` of these two is kept for old clients.
const ORPHAN_BY_DEFAULT: &[(&str, &str)] = &[("", "replicationcontrollers"), ("batch", "jobs")];

pub fn default_propagation(row: &Row) -> Propagation {
    if is_in(row, ORPHAN_BY_DEFAULT) { Propagation::Orphan } else { Propagation::Background }
}

/// k8s: `DefaultGarbageCollectionPolicy` is `Unsupported`: nothing depends on an event.
pub fn ignores_propagation(row: &Row) -> bool {
    is_in(row, &[("", "events"), ("events.k8s.io", "events")])
}

/// k8s: `AllowUnconditionalUpdate` is false: a PUT must carry a resourceVersion.
const REVISION_REQUIRED: &[(&str, &str)] = &[
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("apiregistration.k8s.io", "apiservices"),
    ("coordination.k8s.io", "leases"),
    ("node.k8s.io", "runtimeclasses"),
    ("policy", "poddisruptionbudgets"),
    ("networking.k8s.io", "ipaddresses"),
    ("storage.k8s.io", "csidrivers"),
    ("storage.k8s.io", "csinodes"),
    ("storage.k8s.io", "csistoragecapacities"),
    ("storage.k8s.io", "volumeattachments"),
];

pub fn revision_required(row: &Row) -> bool {
    is_in(row, REVISION_REQUIRED)
}

/// Kinds whose deletion lets a node stop them first.
pub fn deletes_gracefully(row: &Row) -> bool {
    is_in(row, &[("", "pods")])
}

/// Namespaces keep a second list of finalizers in `spec`, which the namespace controller empties through `finalize`.
pub fn has_spec_finalizers(row: &Row) -> bool {
    is_in(row, &[("", "namespaces")])
}
