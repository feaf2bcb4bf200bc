//! Which paths a value holds, and a value without some of them.
//!
//! k8s: structured-merge-diff's `ToFieldSet`, `EnsureNamedFieldsAreMembers` and `RemoveItems`

use super::element::Naming;
use super::set::Set;
use kinds::schema::{Context, Parts};
use serde_json::Value;
use std::collections::BTreeMap;

/// Every path that `value` states. A struct that states fields is none itself, an item of a list or map is.
pub fn stated(value: &Value, context: Context<'_>) -> Set {
    let mut set = Set::default();
    match (context.parts(value), value) {
        (Parts::Keys, Value::Object(fields)) => {
            for (name, value) in fields {
                let mut inner = stated(value, context.field(name));
                let hollow = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
                inner.is_member |= hollow || !context.declares(name);
                set.put(["f:", name].concat(), inner);
            }
        }
        (Parts::Keyed(_) | Parts::Values, Value::Array(items)) => {
            let Some(naming) = Naming::of(context) else { return set };
            let mut counted: BTreeMap<String, Option<&Value>> = BTreeMap::new();
            for (element, item) in naming.named(items) {
                counted.entry(element).and_modify(|twice| *twice = None).or_insert(Some(item));
            }
            for (element, item) in counted {
                // Of what is there twice only the name is stated.
                let mut inner = item.map(|item| stated(item, naming.item())).unwrap_or_default();
                inner.is_member = true;
                set.put(element, inner);
            }
        }
        _ => set.is_member = true,
    }
    set
}

/// The set with every struct that it has a field of: so that structs go when all of their fields do.
#[must_use]
pub fn with_structs(set: &Set, context: Context<'_>) -> Set {
    let mut all = Set { is_member: set.is_member, ..Set::default() };
    for (element, inner) in set.below.elements() {
        let name = element.strip_prefix("f:");
        let inside = name.map_or_else(|| context.item(), |name| context.field(name));
        let mut inner = with_structs(inner, inside);
        inner.is_member |= name.is_some_and(|name| context.declares(name)) && !inner.below.is_empty();
        all.below.insert(element.to_owned(), inner);
    }
    all
}

/// Takes the paths of `gone` out of `value`. A list or object that loses its last entry goes too.
pub fn remove(value: &mut Value, gone: &Set, context: Context<'_>) {
    match (context.parts(value), &mut *value) {
        (Parts::Keys, Value::Object(fields)) => {
            fields.retain(|name, value| {
                let Some(inner) = gone.below.get(&["f:", name].concat()) else { return true };
                if inner.is_member {
                    return false;
                }
                remove(value, inner, context.field(name));
                !is_hollow(value)
            });
        }
        (Parts::Keyed(_) | Parts::Values, Value::Array(items)) => {
            let Some(naming) = Naming::of(context) else { return };
            items.retain_mut(|item| {
                let Some(inner) = naming.element(item).ok().and_then(|element| gone.below.get(&element)) else {
                    return true;
                };
                if !inner.is_member {
                    remove(item, inner, naming.item());
                }
                !inner.is_member
            });
        }
        _ => {}
    }
}

fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod() -> Context<'static> {
        Context::of(kinds::schema::lookup("io.k8s.api.core.v1.Pod"))
    }

    #[test]
    fn a_configuration_states_leaves_items_and_entries() {
        let config = json!({
            "metadata": {"labels": {"x": "y"}, "finalizers": ["f"]},
            "spec": {"containers": [{"name": "a", "args": ["x"], "ports": [{"containerPort": 80}]}],
                     "volumes": [{"name": "v", "emptyDir": {}}]},
        });
        let expected = json!({
            "f:metadata": {"f:finalizers": {"v:\"f\"": {}}, "f:labels": {"f:x": {}}},
            "f:spec": {
                "f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}, "f:args": {},
                    "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}},
                "f:volumes": {"k:{\"name\":\"v\"}": {".": {}, "f:name": {}, "f:emptyDir": {}}},
            },
        });
        assert_eq!(stated(&config, pod()).into_json(), expected);
    }

    #[test]
    fn items_go_whole_and_leave_no_hollow_lists() {
        let mut value = json!({"spec": {"containers": [{"name": "a"}], "volumes": [{"name": "v", "emptyDir": {}}]}});
        let gone = Set::of_json(&json!({"f:spec": {"f:volumes": {"k:{\"name\":\"v\"}": {".": {}, "f:name": {}}}}}));
        remove(&mut value, &gone, pod());
        assert_eq!(value, json!({"spec": {"containers": [{"name": "a"}]}}));
    }
}
