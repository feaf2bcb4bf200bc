//! What rules say, when they are written and when they are held against an object.

use super::*;
use serde_json::json;

fn said(schema: Value, object: Value, old: Option<Value>) -> Vec<String> {
    let structural = Structural::of_object(&schema);
    let rules = Rules::compile(&schema, &structural);
    validate(&object, old.as_ref(), &rules, &structural).iter().map(ToString::to_string).collect()
}

fn spec(rule: Value) -> Value {
    json!({"type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-validations": [rule], "properties": {
        "min": {"type": "integer"}, "max": {"type": "integer"}, "name": {"type": "string"}}}}})
}

#[test]
fn a_rule_that_fails_speaks_by_message_expression_message_or_itself() {
    let object = json!({"spec": {"min": 3, "max": 2}});
    let table = [
        (
            json!({"rule": "self.min <= self.max"}),
            r#"spec: Invalid value: "object": failed rule: self.min <= self.max"#,
        ),
        (
            json!({"rule": "self.min <= self.max", "message": "min above max"}),
            r#"spec: Invalid value: "object": min above max"#,
        ),
        (
            json!({"rule": "self.min <= self.max", "messageExpression": "'min is ' + string(self.min)"}),
            r#"spec: Invalid value: "object": min is 3"#,
        ),
        (
            json!({"rule": "self.min <= self.max", "reason": "FieldValueForbidden", "fieldPath": ".max"}),
            "spec.max: Forbidden: failed rule: self.min <= self.max",
        ),
        (
            json!({"rule": "self.name == 'x'"}),
            r#"spec: Invalid value: "object": no such key: name evaluating rule: self.name == 'x'"#,
        ),
    ];
    for (rule, text) in table {
        assert_eq!(said(spec(rule), object.clone(), None), [text]);
    }
    assert!(
        said(spec(json!({"rule": "self.min <= self.max"})), json!({"spec": {"min": 1, "max": 2}}), None).is_empty()
    );
}

#[test]
fn transition_rules_hold_for_updates_only() {
    let rule = json!({"rule": "self.name == oldSelf.name", "message": "immutable"});
    let (a, b) = (json!({"spec": {"name": "a"}}), json!({"spec": {"name": "b"}}));
    assert!(said(spec(rule.clone()), a.clone(), None).is_empty());
    assert!(said(spec(rule.clone()), a.clone(), Some(a.clone())).is_empty());
    assert_eq!(said(spec(rule), b.clone(), Some(a.clone())), [r#"spec: Invalid value: "object": immutable"#]);
    let optional = json!({"rule": "oldSelf.hasValue() || self.name == 'a'", "optionalOldSelf": true});
    assert!(said(spec(optional.clone()), a.clone(), None).is_empty());
    assert_eq!(said(spec(optional.clone()), b.clone(), None).len(), 1);
    assert!(said(spec(optional), b, Some(a)).is_empty());
}

#[test]
fn entries_of_maps_are_named_in_brackets() {
    let rule = json!([{"rule": "self.v < 3"}]);
    let entry = json!({"type": "object", "x-kubernetes-validations": rule, "properties": {"v": {"type": "integer"}}});
    let schema = json!({"type": "object", "properties": {"map": {"type": "object", "additionalProperties": entry}}});
    assert_eq!(
        said(schema, json!({"map": {"a.b": {"v": 9}}}), None),
        [r#"map[a.b]: Invalid value: "object": failed rule: self.v < 3"#]
    );
}

#[test]
fn what_an_update_leaves_alone_is_not_judged_again() {
    let schema = json!({"type": "object", "properties": {"list": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
        "items": {"type": "object", "x-kubernetes-validations": [{"rule": "self.v < 3"}], "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}}}}});
    let old = json!({"list": [{"k": "a", "v": 9}]});
    assert!(
        said(schema.clone(), json!({"list": [{"k": "b", "v": 1}, {"k": "a", "v": 9}]}), Some(old.clone())).is_empty()
    );
    assert_eq!(
        said(schema, json!({"list": [{"k": "a", "v": 8}]}), Some(old)),
        [r#"list[0]: Invalid value: "object": failed rule: self.v < 3"#]
    );
}

#[test]
fn what_is_written_has_to_compile() {
    let told = |rule: Value| {
        let schema = spec(rule);
        let errors = check_schema(&schema, &Structural::of_object(&schema), "s");
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(
        told(
            json!({"rule": "self.min <= self.max", "message": "m", "reason": "FieldValueInvalid", "fieldPath": ".min"})
        ),
        ""
    );
    for (rule, part) in [
        (
            json!({"rule": " "}),
            "s.properties[spec].x-kubernetes-validations[0].rule: Required value: rule is not specified",
        ),
        (json!({"rule": "self.nothing"}), "undefined field 'nothing'"),
        (json!({"rule": "self.min"}), "cel expression must evaluate to a bool"),
        (json!({"rule": "true", "message": " "}), "message must be non-empty if specified"),
        (json!({"rule": "true", "reason": "Because"}), "Unsupported value: \"Because\""),
        (json!({"rule": "true", "fieldPath": ".none"}), "fieldPath must be a valid path"),
        (json!({"rule": "true", "messageExpression": "1"}), "messageExpression must evaluate to a string"),
        (json!({"rule": "true", "optionalOldSelf": true}), "may not be set if oldSelf is not used in rule"),
    ] {
        let text = told(rule);
        assert!(text.contains(part), "{part}\n{text}");
    }
}

fn refused(schema: &Value) -> Vec<String> {
    check_schema(schema, &Structural::of_object(schema), "s").iter().map(ToString::to_string).collect()
}

const HINT: &str = "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)";
const TOTAL: &str =
    "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of";
const CONTRIBUTED: &str =
    "Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";

/// The three messages, and the figures, are those of upstream's validator.
#[test]
fn a_rule_that_may_cost_too_much_is_refused_and_told_what_would_help() {
    let with = |items: Option<u64>, length: Option<u64>| {
        let mut tags = json!({"type": "array", "items": {"type": "string"},
            "x-kubernetes-validations": [{"rule": "self.all(x, x.contains('gpu'))"}]});
        for (schema, keyword, limit) in [("", "maxItems", items), ("/items", "maxLength", length)] {
            if let Some(limit) = limit {
                tags.pointer_mut(schema).unwrap()[keyword] = json!(limit);
            }
        }
        refused(&json!({"type": "object", "properties": {"tags": tags}}))
    };
    let place = "s.properties[tags].x-kubernetes-validations[0].rule";
    let expected = [
        format!("{place}: Forbidden: estimated rule cost exceeds budget by factor of more than 100x {HINT}"),
        format!("{place}: {CONTRIBUTED}"),
        format!("s: Forbidden: {TOTAL} more than 100x {HINT}"),
    ];
    assert_eq!(with(None, None), expected);
    for (length, items) in [(16, 909_090), (63, 333_333), (253, 94_339), (1024, 24_154)] {
        assert_eq!(with(Some(items), Some(length)), [""; 0], "maxLength {length}");
        let over = with(Some(items + 1), Some(length));
        let expected = format!("{place}: Forbidden: estimated rule cost exceeds budget by factor of 1.0000");
        assert!(over.len() == 1 && over[0].starts_with(&expected), "{over:?}");
    }
}

#[test]
fn rules_of_items_count_as_often_as_there_may_be_items() {
    let item = json!({"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}},
        "x-kubernetes-validations": [{"rule": "self.k != 'x'", "messageExpression": "'is ' + string(1)"}]});
    let list = |limit: &[(&str, u64)]| {
        let mut list = json!({"type": "array", "items": item});
        list["items"]["x-kubernetes-validations"][0]["messageExpression"] = json!("'no'");
        for (keyword, limit) in limit {
            list[*keyword] = json!(limit);
        }
        refused(&json!({"type": "object", "properties": {"list": list}}))
    };
    assert_eq!(list(&[]), [""; 0]);
    assert_eq!(list(&[("maxItems", 3_000_000)]), [""; 0]);
    assert!(list(&[("maxItems", 4_000_000)])[0].contains("exceeds budget by factor of 1.200000x"));
    let told = refused(&json!({"type": "object", "properties": {"one": item}}));
    let place = "s.properties[one].x-kubernetes-validations[0].messageExpression";
    let start = "Forbidden: estimated messageExpression cost exceeds budget by factor of more than 100x";
    assert!(told[0].starts_with(&format!("{place}: {start}")), "{told:?}");
}
