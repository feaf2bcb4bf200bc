//! Local APIServices: what this server serves itself, among what others may serve.

use super::objects::{Policy, Wanted};
use serde_json::json;

/// Where the built-in groups and versions stand among those of others. k8s: `apiVersionPriorities`
const GROUP_PRIORITIES: &[(&str, i64)] = &[
    ("", 18_000),
    ("apps", 17_800),
    ("events.k8s.io", 17_750),
    ("authentication.k8s.io", 17_700),
    ("authorization.k8s.io", 17_600),
    ("autoscaling", 17_500),
    ("batch", 17_400),
    ("certificates.k8s.io", 17_300),
    ("networking.k8s.io", 17_200),
    ("policy", 17_100),
    ("rbac.authorization.k8s.io", 17_000),
    ("storage.k8s.io", 16_800),
    ("apiextensions.k8s.io", 16_700),
    ("admissionregistration.k8s.io", 16_700),
    ("scheduling.k8s.io", 16_600),
    ("coordination.k8s.io", 16_500),
    ("node.k8s.io", 16_300),
    ("discovery.k8s.io", 16_200),
    ("flowcontrol.apiserver.k8s.io", 16_100),
    ("resource.k8s.io", 15_900),
    ("storagemigration.k8s.io", 15_800),
    // Below the others: `pods` and `nodes` mean those of the core group. k8s: metrics-server's manifest
    (kinds::metrics::GROUP, 100),
];
/// Of a group that the table does not name.
const GROUP_PRIORITY: i64 = 15_000;

/// A local APIService for every group and version of the kinds tables, but for that of APIServices themselves.
pub(super) fn wanted() -> Vec<Wanted> {
    let mut versions: Vec<(&str, Vec<&str>)> = Vec::new();
    for row in kinds::table::builtin().iter().chain(kinds::table::measured()).map(|kind| kind.row()) {
        let at = versions.iter().position(|(group, _)| *group == row.group).unwrap_or_else(|| {
            versions.push((&row.group, Vec::new()));
            versions.len() - 1
        });
        if !versions[at].1.contains(&row.version.as_ref()) {
            versions[at].1.push(&row.version);
        }
    }
    versions.retain(|(group, _)| *group != "apiregistration.k8s.io");
    let service = |group: &str, version: &str, place: usize| {
        let known = GROUP_PRIORITIES.iter().find(|(name, _)| *name == group).map(|(_, priority)| *priority);
        let mut spec = json!({
            "version": version, "groupPriorityMinimum": known.unwrap_or(GROUP_PRIORITY),
            // The first in the table is the preferred one.
            "versionPriority": 15_i64.saturating_sub(i64::try_from(place).unwrap_or(14)).max(1),
        });
        if !group.is_empty() {
            spec["group"] = json!(group);
        }
        Wanted {
            collection: "/apis/apiregistration.k8s.io/v1/apiservices".to_owned(),
            object: json!({
                "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
                "metadata": {
                    "name": format!("{version}.{group}"),
                    "labels": {"kube-aggregator.kubernetes.io/automanaged": "onstart"},
                },
                "spec": spec,
            }),
            policy: policy(group),
        }
    };
    versions
        .iter()
        .flat_map(|(group, all)| all.iter().enumerate().map(move |(place, version)| service(group, version, place)))
        .collect()
}

/// Who installs another server for the metrics wants that one.
fn policy(group: &str) -> Policy {
    if group == kinds::metrics::GROUP { Policy::Keep } else { Policy::Own(&["spec"]) }
}
