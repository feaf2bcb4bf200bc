//! What a new object brings, path by path: what [`compare`](super::compare()) of nothing with it finds, in one set. Most objects
//! are made far more often than they are changed by hand.

use super::compare::{is_hollow, is_zero};
use super::element::Naming;
use super::set::Set;
use kinds::schema::{Context, Implied};
use serde_json::{Map, Value};

/// What was there before a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// Upstream's structs hold some of their fields at all times, empty ones too.
    Empty,
}

/// Every path that a new object sets.
pub(super) fn brought(object: &Value, context: Context<'_>) -> Set {
    if is_hollow(Some(object)) {
        return Set::default();
    }
    added(object, Before::Empty, context)
}

fn added(value: &Value, before: Before, context: Context<'_>) -> Set {
    let mut set = Set::default();
    if is_hollow(Some(value)) || context.is_leaf(value) {
        set.is_member = true;
        return set;
    }
    match value {
        Value::Object(fields) => self::fields(&mut set, fields, before, context),
        Value::Array(items) => self::items(&mut set, items, context),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    set.is_member |= before == Before::Nothing;
    set
}

fn fields(set: &mut Set, fields: &Map<String, Value>, before: Before, context: Context<'_>) {
    for (name, value) in fields {
        let inside = context.field(name);
        let before = match (inside.implied(), value) {
            // A struct that was not there held nothing.
            _ if before == Before::Nothing => Before::Nothing,
            (Implied::Object, Value::Object(fields)) if fields.is_empty() => continue,
            (Implied::List, Value::Array(items)) if items.is_empty() => continue,
            (Implied::Zero, value) if is_zero(value) => continue,
            (Implied::Object, Value::Object(_)) | (Implied::List, Value::Array(_)) => Before::Empty,
            _ => Before::Nothing,
        };
        set.put(["f:", name].concat(), added(value, before, inside));
    }
}

fn items(set: &mut Set, items: &[Value], context: Context<'_>) {
    let Some(naming) = Naming::of(context) else { return };
    for (element, item) in naming.named(items) {
        // Of what is there twice only the name counts.
        let inner = match set.below.get(&element) {
            Some(_) => Set { is_member: true, ..Set::default() },
            None => added(item, Before::Nothing, naming.item()),
        };
        set.put(element, inner);
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare;
    use super::*;
    use kinds::schema::lookup;
    use proptest::prelude::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn pod() -> Context<'static> {
        Context::of(lookup("io.k8s.api.core.v1.Pod"))
    }

    fn check(object: &Value, context: Context<'_>) {
        let (touched, removed) = compare(&json!({}), object, context).into_touched_and_removed();
        assert!(removed.is_empty());
        assert_eq!(brought(object, context), touched, "{object}");
    }

    #[test]
    fn a_new_object_is_compared_with_nothing() {
        let full = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"x": "y"}, "finalizers": ["a/b", "a/b"]},
            "spec": {
                "nodeName": "", "hostNetwork": false, "securityContext": {}, "volumes": [{"name": "v", "emptyDir": {}}],
                "containers": [
                    {"name": "c", "args": ["x"], "env": [{"name": "A", "value": ""}, {"name": "A"}, {"name": "A"}, {"name": "B"}],
                     "ports": [{"containerPort": 0}, {"containerPort": 80, "protocol": "UDP"}], "resources": {}},
                    {"args": []},
                ],
                "tolerations": [{"key": "k"}], "topologySpreadConstraints": [], "nodeSelector": null,
            },
            "status": {"conditions": [{"type": "Ready", "status": ""}], "phase": "Pending"}, "unheard": {"of": [{}]},
        });
        for context in [pod(), Context::Unknown] {
            check(&full, context);
            check(&json!({}), context);
            check(&json!({"metadata": {}, "spec": {}}), context);
            check(&json!({"metadata": [], "spec": null, "status": 1}), context);
        }
        let set = Context::of(lookup("io.k8s.api.apps.v1.Deployment"));
        check(
            &json!({"spec": {"replicas": 0, "selector": {}, "strategy": {}, "template": {"metadata": {}, "spec": full}}}),
            set,
        );
    }

    fn any_part() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![Just(Value::Null), Just(json!(0)), Just(json!(false)), "[ab]{0,1}".prop_map(Value::from)];
        let names = "metadata|spec|status|containers|name|ports|containerPort|env|labels|volumes|template|other";
        leaf.prop_recursive(5, 48, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map(names, inner, 0..5)
                    .prop_map(|map: BTreeMap<String, Value>| map.into_iter().collect::<Value>()),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_object_is_compared_with_nothing(part in any_part()) {
            check(&json!({"metadata": part, "spec": {"containers": [part]}}), pod());
        }
    }
}
