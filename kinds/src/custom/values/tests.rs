//! The texts of broken value rules, as clients know them.

use super::*;
use serde_json::json;

fn said(schema: Value, value: Value) -> Vec<String> {
    validate(&value, None, &Values::of_object(&schema), "").iter().map(ToString::to_string).collect()
}

/// A property `x` of that schema, with that value.
fn said_of(schema: Value, value: Value) -> Vec<String> {
    said(json!({"type": "object", "properties": {"x": schema}}), json!({"x": value}))
}

#[test]
fn types_and_numbers_speak_as_upstream_speaks() {
    let table = [
        (
            json!({"type": "integer"}),
            json!("a"),
            r#"x: Invalid value: "string": x in body must be of type integer: "string""#,
        ),
        (
            json!({"type": "string"}),
            json!(null),
            r#"x: Invalid value: "null": x in body must be of type string: "null""#,
        ),
        (
            json!({"type": "integer"}),
            json!(1.5),
            r#"x: Invalid value: "number": x in body must be of type integer: "number""#,
        ),
        (
            json!({"type": "string", "enum": ["a", "b"]}),
            json!("c"),
            r#"x: Unsupported value: "c": supported values: "a", "b""#,
        ),
        (
            json!({"type": "integer", "minimum": 1}),
            json!(0),
            "x: Invalid value: 0: x in body should be greater than or equal to 1",
        ),
        (
            json!({"type": "integer", "maximum": 5, "exclusiveMaximum": true}),
            json!(5),
            "x: Invalid value: 5: x in body should be less than 5",
        ),
        (
            json!({"type": "number", "multipleOf": 0.5}),
            json!(0.7),
            "x: Invalid value: 0.7: x in body should be a multiple of 0.5",
        ),
    ];
    for (schema, value, text) in table {
        assert_eq!(said_of(schema, value), [text]);
    }
}

#[test]
fn rules_of_texts_and_containers_speak_as_upstream_speaks() {
    let table = [
        (json!({"type": "string", "maxLength": 2}), json!("abc"), "x: Too long: may not be more than 2 bytes"),
        (
            json!({"type": "string", "minLength": 2}),
            json!("a"),
            r#"x: Invalid value: "a": x in body should be at least 2 chars long"#,
        ),
        (
            json!({"type": "string", "pattern": "^a$"}),
            json!("b"),
            r#"x: Invalid value: "b": x in body should match '^a$'"#,
        ),
        (
            json!({"type": "string", "format": "date-time"}),
            json!("b"),
            r#"x: Invalid value: "b": x in body must be of type date-time: "b""#,
        ),
        (
            json!({"type": "array", "maxItems": 1, "items": {"type": "integer"}}),
            json!([1, 2]),
            "x: Too many: 2: must have at most 1 items",
        ),
        (
            json!({"type": "array", "minItems": 1, "items": {"type": "integer"}}),
            json!([]),
            "x: Invalid value: []: x in body should have at least 1 items",
        ),
        (
            json!({"type": "object", "minProperties": 1}),
            json!({}),
            "x: Invalid value: {}: x in body should have at least 1 properties",
        ),
        (json!({"type": "object", "required": ["y"]}), json!({}), "x.y: Required value"),
        (
            json!({"x-kubernetes-int-or-string": true}),
            json!(true),
            r#"x: Invalid value: "boolean": x in body must be of type integer,string: "boolean""#,
        ),
        (
            json!({"type": "array", "items": {"type": "object", "properties": {"y": {"type": "string"}}}}),
            json!([{"y": 1}]),
            r#"x[0].y: Invalid value: "integer": x[0].y in body must be of type string: "integer""#,
        ),
        (
            json!({"type": "integer", "format": "int32"}),
            json!(3_000_000_000_u64),
            r#"x: Invalid value: "integer": x in body must be of type int32: "integer""#,
        ),
        (
            json!({"type": "string", "not": {"enum": ["a"]}}),
            json!("a"),
            r#"<nil>: Invalid value: "": "x" must not validate the schema (not)"#,
        ),
    ];
    for (schema, value, text) in table {
        assert_eq!(said_of(schema, value), [text]);
    }
}

#[test]
fn compositions_tell_what_came_nearest() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}]});
    assert_eq!(
        said_of(schema.clone(), json!({})),
        [
            r#"<nil>: Invalid value: "": "x" must validate one and only one schema (oneOf). Found none valid"#,
            "x.a: Required value"
        ]
    );
    assert_eq!(
        said_of(schema.clone(), json!({"a": "", "b": ""})),
        [r#"<nil>: Invalid value: "": "x" must validate one and only one schema (oneOf). Found 2 valid alternatives"#]
    );
    assert!(said_of(schema, json!({"a": ""})).is_empty());
    let any = json!({"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true});
    assert!(said_of(any.clone(), json!("50%")).is_empty() && said_of(any, json!(5)).is_empty());
}

#[test]
fn what_an_update_leaves_alone_passes() {
    let schema = Values::of_object(&json!({"type": "object", "properties": {
        "a": {"type": "string", "maxLength": 1}, "b": {"type": "string"}}}));
    let old = json!({"a": "too long", "b": "x"});
    let errors = |new: Value| validate(&new, Some(&old), &schema, "").len();
    assert_eq!(errors(json!({"a": "too long", "b": "y"})), 0);
    assert_eq!(errors(json!({"a": "also too long", "b": "x"})), 1);
}

#[test]
fn formats_hold_what_they_name() {
    let table = [
        ("ipv4", "10.0.0.1", "10.0.0"),
        ("ipv6", "::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("uuid", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "x"),
        ("uuid4", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("byte", "YQ==", "Y"),
        ("date", "2026-01-31", "2026-02-31"),
        ("duration", "1h30m", "1 fortnight"),
        ("hostname", "a.b", "a..b"),
        ("email", "a@b.c", "a"),
        ("mac", "00:11:22:33:44:55", "00"),
        ("uri", "https://a", "a b"),
        ("isbn10", "0-306-40615-2", "0-306-40615-3"),
        ("date-time", "2026-01-01T00:00:00Z", "2026-01-01"),
        ("hexcolor", "#fff", "red"),
        ("k8s-short-name", "a-b", "A"),
    ];
    for (format, good, bad) in table {
        let schema = json!({"type": "string", "format": format});
        assert!(said_of(schema.clone(), json!(good)).is_empty(), "{format} {good}");
        assert_eq!(said_of(schema, json!(bad)).len(), 1, "{format} {bad}");
    }
    assert!(said_of(json!({"type": "string", "format": "unheard-of"}), json!("x")).is_empty());
}

#[test]
fn items_of_a_changed_list_are_judged_anew_but_for_those_that_keys_tell_again() {
    let wrong = json!({"type": "string", "enum": ["b"]});
    let keyed = json!({"type": "object", "properties": {"k": {"type": "string"}, "v": wrong}});
    let list = |kind: &str, items: &Value| json!({"type": "array", "x-kubernetes-list-type": kind, "items": items});
    let mut map = list("map", &keyed);
    map["x-kubernetes-list-map-keys"] = json!(["k"]);
    let paths = |schema: &Value, new: Value, old: Value| -> Vec<String> {
        validate(&new, Some(&old), &Values::compile(schema), "x").into_iter().map(|error| error.path).collect()
    };
    for kind in ["atomic", "set"] {
        let schema = list(kind, &wrong);
        assert_eq!(paths(&schema, json!(["a", "b"]), json!(["a"])), ["x[0]"], "{kind}");
        assert!(paths(&schema, json!(["a"]), json!(["a"])).is_empty(), "{kind}");
    }
    let (old, moved) = (json!([{"k": "1", "v": "a"}]), json!([{"k": "2", "v": "b"}, {"k": "1", "v": "a"}]));
    assert!(paths(&map, moved, old.clone()).is_empty());
    assert_eq!(paths(&map, json!([{"k": "1", "v": "c"}]), old), ["x[0].v"]);
}
