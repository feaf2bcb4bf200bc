//! From two statuses to the strategic merge patch that turns one into the other, touching only what the node owns, so that
//! conditions written by others at the same moment survive.

use super::condition::OWNED;
use k8s_openapi::api::core::v1::{PodCondition, PodStatus};
use serde_json::{Map, Value, json};

/// Fields of the status that other components write.
const FOREIGN: &[&str] = &["nominatedNodeName", "resourceClaimStatuses", "extendedResourceClaimStatus", "resize"];

/// Lists that the API server merges by key, where a new list is to replace the old one.
const MERGED_LISTS: &[&str] = &["podIPs", "hostIPs"];

/// The patch from `old` to `new`, or nothing when the API already says what is to be said.
pub fn status_patch(uid: &str, old: &PodStatus, new: &PodStatus) -> Option<Value> {
    let (before, after) = (fields(old), fields(new));
    let mut patch = Map::new();
    for (key, value) in &after {
        if key == "conditions" || FOREIGN.contains(&key.as_str()) || before.get(key) == Some(value) {
            continue;
        }
        patch.insert(key.clone(), replacement(key, before.get(key), value));
    }
    for key in before.keys().filter(|k| !after.contains_key(*k) && !FOREIGN.contains(&k.as_str())) {
        patch.insert(key.clone(), Value::Null);
    }
    let conditions = changed_conditions(old, new);
    if !conditions.is_empty() {
        patch.insert("conditions".to_owned(), Value::Array(conditions));
    }
    (!patch.is_empty()).then(|| json!({ "metadata": { "uid": uid }, "status": patch }))
}

fn fields(status: &PodStatus) -> Map<String, Value> {
    match serde_json::to_value(status) {
        Ok(Value::Object(map)) => map,
        Ok(_) | Err(_) => Map::new(),
    }
}

fn replacement(key: &str, before: Option<&Value>, value: &Value) -> Value {
    match (before, value) {
        (Some(_), Value::Array(items)) if MERGED_LISTS.contains(&key) => {
            let directive = json!({ "$patch": "replace" });
            Value::Array(items.iter().cloned().chain([directive]).collect())
        }
        _ => value.clone(),
    }
}

fn changed_conditions(old: &PodStatus, new: &PodStatus) -> Vec<Value> {
    let before: Vec<&PodCondition> = old.conditions.iter().flatten().collect();
    let ours = |c: &&PodCondition| OWNED.contains(&c.type_.as_str()) || !before.iter().any(|b| b.type_ == c.type_);
    let now: Vec<&PodCondition> = new.conditions.iter().flatten().collect();
    let gone = before.iter().filter(|b| OWNED.contains(&b.type_.as_str()) && !now.iter().any(|c| c.type_ == b.type_));
    let removed = gone.map(|b| json!({ "$patch": "delete", "type": b.type_ }));
    let changed = new.conditions.iter().flatten().filter(ours).filter(|c| !before.contains(c));
    changed
        .map(|condition| {
            let was = before.iter().find(|b| b.type_ == condition.type_);
            let mut value = json!(condition);
            if let (Some(map), Some(was)) = (value.as_object_mut(), was) {
                if was.reason.is_some() && condition.reason.is_none() {
                    map.insert("reason".to_owned(), Value::Null);
                }
                if was.message.is_some() && condition.message.is_none() {
                    map.insert("message".to_owned(), Value::Null);
                }
            }
            value
        })
        .chain(removed)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::PodIP;

    fn condition(kind: &str, status: &str, reason: Option<&str>) -> PodCondition {
        PodCondition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.map(str::to_owned),
            ..PodCondition::default()
        }
    }

    #[test]
    fn an_unchanged_status_is_not_written() {
        let status = PodStatus { phase: Some("Running".to_owned()), ..PodStatus::default() };
        assert_eq!(status_patch("u", &status, &status.clone()), None);
    }

    #[test]
    fn foreign_conditions_are_left_alone_and_cleared_fields_become_null() {
        let old = PodStatus {
            message: Some("gone".to_owned()),
            conditions: Some(vec![
                condition("Ready", "False", Some("ContainersNotReady")),
                condition("My", "True", None),
            ]),
            ..PodStatus::default()
        };
        let new = PodStatus {
            conditions: Some(vec![condition("Ready", "True", None), condition("My", "False", None)]),
            ..PodStatus::default()
        };
        let want = json!({
            "metadata": { "uid": "u" },
            "status": { "message": null, "conditions": [{ "type": "Ready", "status": "True", "reason": null }] },
        });
        assert_eq!(status_patch("u", &old, &new), Some(want));
    }

    #[test]
    fn a_new_address_replaces_the_old_one_instead_of_joining_it() {
        let ip = |ip: &str| PodStatus { pod_ips: Some(vec![PodIP { ip: ip.to_owned() }]), ..PodStatus::default() };
        let patch = status_patch("u", &ip("10.42.0.2"), &ip("10.42.0.3")).unwrap();
        assert_eq!(patch["status"]["podIPs"], json!([{ "ip": "10.42.0.3" }, { "$patch": "replace" }]));
    }
}
