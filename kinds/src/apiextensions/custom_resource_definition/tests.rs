//! What a definition is completed with, and what is said of wrong ones.

use super::*;
use crate::errors::aggregate;

fn crd(schema: Value) -> Value {
    let mut object = json!({"metadata": {"name": "foos.e.com"}, "spec": {"group": "e.com", "scope": "Namespaced",
        "names": {"plural": "foos", "kind": "Foo"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}});
    CustomResourceDefinitionKind.default(&mut object);
    object
}

fn said(mut object: Value) -> String {
    aggregate(&CustomResourceDefinitionKind.create(&mut object))
}

fn said_of(schema: Value) -> String {
    said(crd(json!({"type": "object", "properties": {"x": schema}})))
}

#[test]
fn names_and_versions_are_completed_on_create() {
    let mut object = crd(json!({"type": "object"}));
    assert_eq!(aggregate(&CustomResourceDefinitionKind.create(&mut object)), "");
    assert_eq!(
        object["spec"]["names"],
        json!({"plural": "foos", "singular": "foo", "kind": "Foo", "listKind": "FooList"})
    );
    assert_eq!(object["spec"]["conversion"], json!({"strategy": "None"}));
    assert_eq!(object["status"]["storedVersions"], json!(["v1"]));
}

#[test]
fn schemas_that_are_not_structural_are_refused_as_upstream_refuses_them() {
    let at = "spec.validation.openAPIV3Schema.properties[x]";
    let table = [
        (json!({}), ".type: Required value: must not be empty for specified object fields"),
        (
            json!({"type": "array", "items": {}}),
            ".items.type: Required value: must not be empty for specified array items",
        ),
        (
            json!({"type": "strin"}),
            r#".type: Unsupported value: "strin": supported values: "array", "boolean", "integer", "number", "object", "string""#,
        ),
        (
            json!({"type": "string", "uniqueItems": true}),
            ".uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        ),
        (json!({"type": "string", "$ref": "#/x"}), ".$ref: Forbidden: $ref is not supported"),
        (
            json!({"type": "string", "anyOf": [{"type": "string"}]}),
            ".anyOf[0].type: Forbidden: must be empty to be structural",
        ),
        (
            json!({"type": "object", "properties": {}, "oneOf": [{"properties": {"y": {}}}]}),
            ".properties[y]: Required value: because it is defined in spec.validation.openAPIV3Schema.properties[x].oneOf[0].properties[y]",
        ),
        (
            json!({"type": "object", "properties": {"y": {"type": "string"}}, "additionalProperties": {"type": "string"}}),
            ".additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
        ),
        (
            json!({"type": "array", "items": {"type": "object", "properties": {"k": {"type": "string"}}}, "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k"]}),
            ".items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
        ),
        (
            json!({"type": "integer", "default": "a"}),
            r#".default: Invalid value: "string": spec.validation.openAPIV3Schema.properties[x].default in body must be of type integer: "string""#,
        ),
        (
            json!({"type": "object", "properties": {}, "default": {"z": 1}}),
            r#".default: Invalid value: {"z":1}: must not have unknown fields"#,
        ),
        (
            json!({"type": "string", "x-kubernetes-preserve-unknown-fields": false}),
            ".x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined",
        ),
    ];
    for (schema, text) in table {
        assert_eq!(said_of(schema), format!("{at}{text}"));
    }
    let fine = [
        json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
        json!({"x-kubernetes-int-or-string": true, "allOf": [{"anyOf": [{"type": "integer"}, {"type": "string"}]}, {"pattern": "^a"}]}),
        json!({"x-kubernetes-preserve-unknown-fields": true}),
        json!({"type": "object", "additionalProperties": {"type": "string"}}),
        json!({"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}),
    ];
    for schema in fine {
        assert_eq!(said_of(schema), "");
    }
}

#[test]
fn what_versions_do_not_share_is_told_of_each() {
    let mut object = crd(json!({"type": "object"}));
    object["spec"]["versions"] = json!([
        {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}},
        {"name": "v2", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "string"}},
            "additionalPrinterColumns": [{"name": "A", "type": "text", "jsonPath": "spec"}]},
        {"name": "v3", "served": true, "storage": false}]);
    let text = said(object);
    for part in [
        "spec.versions: Invalid value: [\"v1\",\"v2\",\"v3\"]: must have exactly one version marked as storage version",
        "spec.versions[1].schema.openAPIV3Schema.type: Invalid value: \"string\": must be object at the root",
        "spec.versions[1].additionalPrinterColumns[0].type: Invalid value: \"text\": must be one of boolean,date,integer,number,string",
        "spec.versions[1].additionalPrinterColumns[0].JSONPath: Invalid value: \"spec\": must be a simple json path starting with .",
        "spec.versions[2].schema.openAPIV3Schema: Required value: schemas are required",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn a_webhook_needs_an_address_and_a_version() {
    let mut object = crd(json!({"type": "object"}));
    object["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": {"clientConfig": {"url": "http://a"}, "conversionReviewVersions": ["v7"]}});
    let text = said(object);
    assert!(text.contains(r#"spec.conversion.webhookClientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]"#), "{text}");
    assert!(text.contains(r#"spec.conversion.conversionReviewVersions: Invalid value: ["v7"]: must include at least one of v1, v1beta1"#), "{text}");
}

#[test]
fn scope_kind_and_names_stay_once_established() {
    let mut old = crd(json!({"type": "object"}));
    assert_eq!(aggregate(&CustomResourceDefinitionKind.create(&mut old)), "");
    old["metadata"]["resourceVersion"] = json!("1");
    condition::set(&mut old, "2026-01-01T00:00:00Z", ("Established", "True"), "R", "m");
    let mut new = old.clone();
    new["spec"]["scope"] = json!("Cluster");
    new["spec"]["names"]["kind"] = json!("Bar");
    let text = aggregate(&CustomResourceDefinitionKind.update(&mut new, &old));
    assert_eq!(
        text,
        r#"[spec.scope: Invalid value: "Cluster": field is immutable, spec.names.kind: Invalid value: "Bar": field is immutable]"#
    );
}

#[test]
fn a_deletion_says_what_it_waits_for() {
    let mut object = crd(json!({"type": "object"}));
    CustomResourceDefinitionKind.prepare_delete(&mut object, "2026-01-01T00:00:00Z");
    assert_eq!(object["metadata"]["finalizers"], json!([CLEANUP_FINALIZER]));
    assert!(condition::holds(&object, "Terminating"));
}
