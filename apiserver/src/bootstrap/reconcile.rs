//! What is wanted against what is there: a pure plan of writes.

use super::api::name;
use super::objects::{Membership, Policy, Wanted};
use super::rbac::ANNOTATION_AUTOUPDATE;
use crate::auth::rbac::Rule;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

pub(super) type Observed = HashMap<String, BTreeMap<String, Value>>;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Create {
        collection: String,
        object: Value,
    },
    /// Carries the resourceVersion that was seen.
    Update {
        collection: String,
        object: Value,
    },
    /// A binding's role cannot be changed.
    Recreate {
        collection: String,
        object: Value,
    },
}

pub(super) fn plan(wanted: &[Wanted], observed: &Observed) -> Vec<Step> {
    wanted.iter().filter_map(|wanted| step(wanted, observed)).collect()
}

fn step(wanted: &Wanted, observed: &Observed) -> Option<Step> {
    let collection = wanted.collection.clone();
    let found = observed.get(&collection).and_then(|objects| objects.get(name(&wanted.object)?));
    let Some(found) = found else {
        return Some(Step::Create { collection, object: wanted.object.clone() });
    };
    let mut object = found.clone();
    match wanted.policy {
        Policy::Keep => return None,
        Policy::Rbac => {
            if is_detached(found) {
                return None;
            }
            if wanted.object.get("roleRef").is_some_and(|role| !same_role(role, found.get("roleRef"))) {
                return Some(Step::Recreate { collection, object: wanted.object.clone() });
            }
            add_missing(&mut object, &wanted.object);
        }
        Policy::Own(fields) => {
            for field in fields {
                object[*field] = wanted.object[*field].clone();
            }
        }
        Policy::Endpoints(membership) => merge_endpoints(&mut object, &wanted.object, membership),
        Policy::Slice(membership) => merge_slice(&mut object, &wanted.object, membership),
    }
    (object != *found).then_some(Step::Update { collection, object })
}

/// Somebody asked us to leave this role alone.
fn is_detached(found: &Value) -> bool {
    let annotations = found.pointer("/metadata/annotations");
    annotations.and_then(|all| all.get(ANNOTATION_AUTOUPDATE)).and_then(Value::as_str) == Some("false")
}

fn same_role(wanted: &Value, found: Option<&Value>) -> bool {
    found.is_some_and(|found| wanted["kind"] == found["kind"] && wanted["name"] == found["name"])
}

fn add_missing(object: &mut Value, wanted: &Value) {
    for map in ["labels", "annotations"] {
        for (key, value) in wanted["metadata"][map].as_object().into_iter().flatten() {
            object["metadata"][map][key] = value.clone();
        }
    }
    // Rules of an aggregating role are computed from its parts, by a controller.
    if let Some(aggregation) = wanted.get("aggregationRule") {
        object["aggregationRule"] = aggregation.clone();
    } else if let Some(rules) = wanted.get("rules") {
        object["rules"] = with_missing_rules(object.get("rules"), rules);
    }
    for subject in wanted.get("subjects").and_then(Value::as_array).into_iter().flatten() {
        let same =
            |other: &Value| ["kind", "name", "namespace"].iter().all(|field| other.get(field) == subject.get(field));
        match object.get_mut("subjects").and_then(Value::as_array_mut) {
            Some(subjects) if subjects.iter().any(same) => {}
            Some(subjects) => subjects.push(subject.clone()),
            None => object["subjects"] = json!([subject]),
        }
    }
}

fn with_missing_rules(found: Option<&Value>, wanted: &Value) -> Value {
    let decode = |rules: &Value| Vec::<Rule>::deserialize(rules).unwrap_or_default();
    let held = found.map(decode).unwrap_or_default();
    let mut rules = found.and_then(Value::as_array).cloned().unwrap_or_default();
    for rule in decode(wanted) {
        if !rule.breakdown().iter().all(|part| held.iter().any(|own| own.covers(part))) {
            rules.push(json!(rule));
        }
    }
    Value::Array(rules)
}

fn merge_endpoints(object: &mut Value, wanted: &Value, membership: Membership) {
    let others = match membership {
        Membership::Sole => Vec::new(),
        Membership::Shared => object["subsets"][0]["addresses"].as_array().cloned().unwrap_or_default(),
    };
    object["subsets"] = wanted["subsets"].clone();
    object["subsets"][0]["addresses"] = union(others, &wanted["subsets"][0]["addresses"], "ip");
    object["metadata"]["labels"] = wanted["metadata"]["labels"].clone();
}

fn merge_slice(object: &mut Value, wanted: &Value, membership: Membership) {
    let others = match membership {
        Membership::Sole => Vec::new(),
        Membership::Shared => object["endpoints"].as_array().cloned().unwrap_or_default(),
    };
    object["ports"] = wanted["ports"].clone();
    object["endpoints"] = union(others, &wanted["endpoints"], "addresses");
    object["metadata"]["labels"] = wanted["metadata"]["labels"].clone();
}

fn union(mut known: Vec<Value>, more: &Value, key: &str) -> Value {
    for item in more.as_array().into_iter().flatten() {
        if !known.iter().any(|other| other.get(key) == item.get(key)) {
            known.push(item.clone());
        }
    }
    known.sort_by_key(|item| item[key].to_string());
    Value::Array(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(collection: &str, object: Value) -> Observed {
        let objects = BTreeMap::from([(name(&object).unwrap().to_owned(), object)]);
        Observed::from([(collection.to_owned(), objects)])
    }

    fn role(rules: &Value) -> Value {
        json!({"metadata": {"name": "r", "labels": {}, "annotations": {}}, "rules": rules})
    }

    #[test]
    fn rules_are_added_but_never_taken_away() {
        let pods = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]});
        let nodes = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["nodes"]});
        let wanted = [Wanted { collection: "c".into(), object: role(&json!([pods])), policy: Policy::Rbac }];
        let Some(Step::Update { object, .. }) = plan(&wanted, &observed("c", role(&json!([nodes])))).pop() else {
            panic!("no update");
        };
        assert_eq!(object["rules"], json!([nodes, pods]));
        assert_eq!(plan(&wanted, &observed("c", object)), []);
    }

    #[test]
    fn a_role_that_opted_out_is_left_alone() {
        let wanted =
            [Wanted { collection: "c".into(), object: role(&json!([{"verbs": ["get"]}])), policy: Policy::Rbac }];
        let mut found = role(&json!([]));
        found["metadata"]["annotations"][ANNOTATION_AUTOUPDATE] = json!("false");
        assert_eq!(plan(&wanted, &observed("c", found)), []);
    }

    #[test]
    fn servers_that_share_a_store_keep_each_other_s_address() {
        let endpoints = |ip: &str| {
            json!({"metadata": {"name": "kubernetes", "labels": {}},
            "subsets": [{"addresses": [{"ip": ip}], "ports": [{"port": 6443}]}]})
        };
        let addresses = |membership| {
            let wanted = [Wanted {
                collection: "c".into(),
                object: endpoints("192.0.2.2"),
                policy: Policy::Endpoints(membership),
            }];
            match plan(&wanted, &observed("c", endpoints("192.0.2.1"))).pop() {
                Some(Step::Update { object, .. }) => object["subsets"][0]["addresses"].to_string(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(addresses(Membership::Shared), r#"[{"ip":"192.0.2.1"},{"ip":"192.0.2.2"}]"#);
        assert_eq!(addresses(Membership::Sole), r#"[{"ip":"192.0.2.2"}]"#);
    }
}
