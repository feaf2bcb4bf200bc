//! Selectors read, match and write as upstream's do.

use expect_test::{Expect, expect};
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use kinds::selector::{FieldSelector, LabelSelector};
use std::collections::BTreeMap;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn requirements_match_as_upstream_says() {
    let labels = labels(&[("app", "web"), ("tier", "2"), ("empty", "")]);
    for (selector, expected) in [
        ("", true),
        ("app=web", true),
        ("app==web,tier!=3", true),
        ("app=db", false),
        ("app in (db, web)", true),
        ("app notin (web)", false),
        ("nope notin (web)", true),
        ("nope!=a", true),
        ("app", true),
        ("!app", false),
        ("!nope", true),
        ("nope", false),
        ("tier>1", true),
        ("tier<2", false),
        ("app>1", false),
        ("empty=", true),
        ("app=", false),
        ("app in (,web)", true),
        ("empty in ()", true),
        ("nope in ()", false),
    ] {
        assert_eq!(LabelSelector::parse(selector).unwrap().matches(&labels), expected, "{selector}");
    }
}

#[test]
fn selectors_are_written_in_canonical_order() {
    let written = |text| LabelSelector::parse(text).unwrap().to_string();
    assert_eq!(written("z=1, a in (c,b,b) ,!m"), "a in (b,c),!m,z=1");
    assert_eq!(written("in=notin,notin in (in)"), "in=notin,notin in (in)");
}

#[test]
fn bad_selectors_are_refused_in_upstreams_words() {
    #[expect(clippy::needless_pass_by_value, reason = "a table of values")]
    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&LabelSelector::parse(text).expect_err("a bad selector").to_string());
    }
    check("a=b,", expect!["found '', expected: identifier after ','"]);
    check(",", expect!["found ',', expected: !, identifier, or 'end of string'"]);
    check("a b", expect!["unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"]);
    check("a in b", expect!["unable to parse requirement: found 'b' expected: '('"]);
    check("a in (b", expect!["unable to parse requirement: found '', expected: ',' or ')'"]);
    check("a=b c", expect!["found 'c', expected: ',' or 'end of string'"]);
    check(
        "a>x",
        expect![[
            r#"unable to parse requirement: values[0]: Invalid value: "x": for 'Gt', 'Lt' operators, the value must be an integer"#
        ]],
    );
    check(
        "-a=b",
        expect![[
            r#"unable to parse requirement: <nil>: Invalid value: "-a": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"#
        ]],
    );
}

#[test]
fn selectors_of_specs_match_alike() {
    let selector = meta::LabelSelector {
        match_labels: Some(labels(&[("app", "web")])),
        match_expressions: Some(vec![meta::LabelSelectorRequirement {
            key: "tier".to_owned(),
            operator: "NotIn".to_owned(),
            values: Some(vec!["db".to_owned()]),
        }]),
    };
    let parsed = LabelSelector::from_meta(&selector).unwrap();
    assert_eq!(parsed.to_string(), "app=web,tier notin (db)");
    assert!(parsed.matches(&labels(&[("app", "web")])));
    assert!(LabelSelector::from_meta(&meta::LabelSelector::default()).unwrap().is_everything());
    assert!(!LabelSelector::from_optional_meta(None).unwrap().matches(&labels(&[])));
    assert!(!LabelSelector::nothing().matches(&labels(&[])));
}

#[test]
fn field_selectors_read_escapes_and_compare() {
    let selector = FieldSelector::parse("status.phase=Running,spec.nodeName!=a\\,b,,x==y").unwrap();
    let fields = |node: &'static str| {
        move |field: &str| match field {
            "status.phase" => Some("Running".to_owned()),
            "spec.nodeName" => Some(node.to_owned()),
            "x" => Some("y".to_owned()),
            _ => None,
        }
    };
    assert!(selector.matches(fields("c")));
    assert!(!selector.matches(fields("a,b")));
    assert_eq!(selector.exact("status.phase"), Some("Running"));
    assert_eq!(selector.exact("spec.nodeName"), None);
    assert_eq!(selector.to_string(), "status.phase=Running,spec.nodeName!=a\\,b,x=y");
    let error = FieldSelector::parse("a=b,nonsense").expect_err("no operator");
    assert_eq!(error.to_string(), "invalid selector: 'a=b,nonsense'; can't understand 'nonsense'");
}

mod arbitrary {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_makes_parsing_panic(text in ".{0,32}", odd in "[a-c=!,() in\\\\<>]{0,24}") {
            for text in [text, odd] {
                if let Ok(selector) = LabelSelector::parse(&text) {
                    prop_assert_eq!(LabelSelector::parse(&selector.to_string()).unwrap(), selector);
                }
                if let Ok(selector) = FieldSelector::parse(&text) {
                    prop_assert_eq!(FieldSelector::parse(&selector.to_string()).unwrap(), selector);
                }
            }
        }

        #[test]
        fn a_map_selects_exactly_its_supersets(
            wanted in prop::collection::btree_map("[a-c]", "[a-c]", 0..3),
            found in prop::collection::btree_map("[a-c]", "[a-c]", 0..4),
        ) {
            let expected = wanted.iter().all(|(key, value)| found.get(key) == Some(value));
            prop_assert_eq!(LabelSelector::from_map(&wanted).matches(&found), expected);
        }
    }
}
