//! Estimates against figures that upstream's validator gives.

use super::super::{Environment, Program};
use super::*;
use crate::custom::structural::Structural;
use serde_json::{Value, json};

fn cost(schema: &Value, source: &str) -> u64 {
    let structural = Structural::compile(schema);
    let environment = Environment::new([("self", Ty::of(&structural)), ("oldSelf", Ty::of(&structural))]);
    let decl = Decl::of(schema, Root::No).expect("rules look into it");
    Program::compile(source, &environment).expect("it compiles").cost_max(&environment, &decl)
}

/// What an item costs more than its predecessor, by the longest text that it may be.
#[test]
fn a_loop_costs_its_body_for_each_item_that_there_may_be() {
    let list = |items: u64, length: u64| json!({"type": "array", "maxItems": items, "items": {"type": "string", "maxLength": length}});
    for (length, each) in [(16, 11), (63, 30), (253, 106), (1024, 414)] {
        let of = |items| cost(&list(items, length), "self.all(x, x.contains('gpu'))");
        assert_eq!(of(11) - of(10), each, "maxLength {length}");
        assert_eq!(of(10), 10 * each + 2);
    }
}

#[test]
fn what_has_no_bound_counts_as_what_fits_into_a_request() {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    assert!(cost(&texts, "self.all(x, x.contains('gpu'))") > 1_000_000_000);
    assert_eq!(cost(&texts, "self.size() > 3"), 3);
    let object = json!({"type": "object", "properties": {
        "min": {"type": "integer"}, "max": {"type": "integer"}, "short": {"type": "string", "maxLength": 10},
        "long": {"type": "string"}, "kind": {"type": "string", "enum": ["a", "four"]},
        "map": {"type": "object", "maxProperties": 5, "additionalProperties": {"type": "string", "maxLength": 10}}}});
    // A field is its object and itself; a comparison of numbers is one step.
    assert_eq!(cost(&object, "self.min <= self.max"), 5);
    assert_eq!(cost(&object, "self.short == 'abc'"), 3);
    assert_eq!(cost(&object, "self.long == 'abc'"), 3);
    assert_eq!(cost(&object, "has(self.min) ? self.min > 3 : true"), 1 + 3);
    assert_eq!(cost(&object, "self.long.startsWith('abc') && self.kind == self.long"), (2 + 1) + (2 + 2 + 1));
    assert_eq!(cost(&object, "self.map.all(k, self.map[k].startsWith('a'))"), 2 + 1 + 5 * (2 + (1 + 2 + 1 + 1 + 1)));
    // The text of a number has no known length.
    assert!(cost(&object, "'min is ' + string(self.min) == ''") > 1_000_000_000);
    assert!(cost(&object, "'min is %d'.format([self.min]) == ''") < 100);
}

#[test]
fn sums_of_numbers_are_numbers() {
    let list = json!({"type": "array", "maxItems": 1000, "items": {"type": "integer"}});
    assert_eq!(cost(&list, "self.sum() % 2 == 0"), 1 + 1000 + 1 + 1);
    assert_eq!(cost(&list, "(self.sum() + self.max()) % 2 == 0"), 2 * (1 + 1000) + 1 + 1 + 1);
}

#[test]
fn a_value_of_a_schema_has_a_shortest_form_and_fits_so_often_into_a_request() {
    let times = |schema: Value| Decl::of(&schema, Root::No).map(|decl| decl.times_max());
    assert_eq!(times(json!({"type": "boolean"})), Some((3 << 20) / 5));
    assert_eq!(times(json!({"type": "string", "format": "date-time"})), Some((3 << 20) / 22));
    let required = json!({"type": "object", "required": ["name", "port"], "properties": {
        "name": {"type": "string"}, "port": {"type": "integer", "default": 80}, "other": {"type": "string"}}});
    assert_eq!(times(required), Some((3 << 20) / (2 + 4 + 2 + 4 + 1)));
    assert_eq!(times(json!({"x-kubernetes-preserve-unknown-fields": true})), None);
}
