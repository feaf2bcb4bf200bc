//! What holds for every schema and object, however strange.

use kinds::custom;
use kinds::kind::Kind;
use kinds::schema::decode::Strictness;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Keywords that mean something, so that random schemas are not only noise.
fn key() -> impl Strategy<Value = String> {
    let known = [
        "type",
        "properties",
        "items",
        "additionalProperties",
        "default",
        "nullable",
        "enum",
        "required",
        "pattern",
        "format",
        "anyOf",
        "oneOf",
        "not",
        "minimum",
        "maxLength",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-int-or-string",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-validations",
        "rule",
        "message",
        "metadata",
        "a",
        "b",
    ];
    prop::sample::select(known.map(str::to_owned).to_vec())
}

fn leaf() -> impl Strategy<Value = Value> {
    let texts = ["object", "array", "string", "integer", "map", "set", "self.a == 1", "date-time", "[", "a", ""];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|n| json!(n)),
        prop::sample::select(texts.to_vec()).prop_map(|text| json!(text)),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((key(), inner), 0..6)
                .prop_map(|all| Value::Object(all.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn kind_of(schema: &Value) -> Option<Arc<dyn Kind>> {
    let definition = json!({"metadata": {"uid": "u"}, "spec": {"group": "e.com", "scope": "Namespaced",
        "names": {"plural": "xs", "singular": "x", "kind": "X", "listKind": "XList"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}});
    custom::kinds_of(&definition).into_iter().next()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn pruning_and_defaulting_are_idempotent_and_no_schema_panics(schema in tree(), content in tree()) {
        let Some(kind) = kind_of(&schema) else { return Ok(()) };
        let mut object = json!({"apiVersion": "e.com/v1", "kind": "X", "metadata": {"name": "x", "namespace": "n"}});
        if let (Value::Object(object), Value::Object(content)) = (&mut object, content) {
            for (name, value) in content.into_iter().filter(|(name, _)| name != "metadata") {
                object.insert(name, value);
            }
        }
        let Ok(decoded) = kind.decode_tree(object, Strictness::Report) else { return Ok(()) };
        let again = kind.decode_tree(decoded.object.clone(), Strictness::Report).unwrap();
        prop_assert_eq!(&again.object, &decoded.object);
        prop_assert!(again.unknown.is_empty());
        let mut defaulted = decoded.object;
        kind.default(&mut defaulted);
        let mut twice = defaulted.clone();
        kind.default(&mut twice);
        prop_assert_eq!(&twice, &defaulted);
        kind.validate(&defaulted);
        kind.cells(&defaulted, 0);
    }

    #[test]
    fn a_definition_with_any_schema_is_judged_not_choked_on(schema in tree()) {
        let kind = kinds::table::find("apiextensions.k8s.io", "v1", "customresourcedefinitions").unwrap();
        let mut definition = json!({"metadata": {"name": "xs.e.com"}, "spec": {"group": "e.com", "scope": "Namespaced",
            "names": {"plural": "xs", "singular": "x", "kind": "X", "listKind": "XList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}});
        kind.default(&mut definition);
        kind.create(&mut definition);
    }
}
