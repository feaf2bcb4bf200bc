//! Patches, by the cases that kubectl and controllers send.

use expect_test::{Expect, expect};
use kinds::schema::merge::{json_merge, strategic, three_way};
use kinds::schema::{Schema, lookup};
use serde_json::{Value, json};

fn pod() -> Option<Schema> {
    lookup("io.k8s.api.core.v1.Pod")
}

fn deployment() -> Option<Schema> {
    lookup("io.k8s.api.apps.v1.Deployment")
}

#[expect(clippy::needless_pass_by_value, reason = "a table of values")]
fn check(schema: Option<Schema>, original: Value, patch: Value, expected: Expect) {
    let text = match strategic(&original, &patch, schema) {
        Ok(merged) => merged.to_string(),
        Err(error) => format!("error: {error}"),
    };
    expected.assert_eq(&text);
}

fn two_containers() -> Value {
    json!({"spec": {"containers": [
        {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}]},
        {"name": "b", "image": "b:1"}
    ]}})
}

#[test]
fn containers_merge_by_name_and_new_ones_come_first() {
    check(
        pod(),
        two_containers(),
        json!({"spec": {"containers": [
            {"name": "c", "image": "c:1"},
            {"name": "a", "image": "a:2", "env": [{"name": "Y", "value": "2"}]}
        ]}}),
        expect![[
            r#"{"spec":{"containers":[{"image":"c:1","name":"c"},{"env":[{"name":"Y","value":"2"},{"name":"X","value":"1"}],"image":"a:2","name":"a"},{"image":"b:1","name":"b"}]}}"#
        ]],
    );
}

#[test]
fn directives_delete_and_replace_items_lists_and_maps() {
    check(
        pod(),
        two_containers(),
        json!({"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}),
        expect![[r#"{"spec":{"containers":[{"image":"b:1","name":"b"}]}}"#]],
    );
    check(
        pod(),
        two_containers(),
        json!({"spec": {"containers": [{"name": "z", "image": "z"}, {"$patch": "replace"}]}}),
        expect![[r#"{"spec":{"containers":[{"image":"z","name":"z"}]}}"#]],
    );
    check(
        pod(),
        json!({"metadata": {"labels": {"a": "1", "b": "2"}}}),
        json!({"metadata": {"labels": {"$patch": "replace", "c": "3"}}}),
        expect![[r#"{"metadata":{"labels":{"c":"3"}}}"#]],
    );
    check(
        pod(),
        json!({"metadata": {"name": "x", "labels": {"a": "1"}}}),
        json!({"metadata": {"labels": {"$patch": "delete"}}}),
        expect![[r#"{"metadata":{"labels":{},"name":"x"}}"#]],
    );
    check(
        pod(),
        json!({"metadata": {"labels": {"a": "1", "b": "2"}}}),
        json!({"metadata": {"labels": {"a": null, "c": "3"}}}),
        expect![[r#"{"metadata":{"labels":{"b":"2","c":"3"}}}"#]],
    );
    check(
        pod(),
        two_containers(),
        json!({"spec": {"$patch": "sideways"}}),
        expect!["error: invalid patch: unknown patch type: sideways"],
    );
}

#[test]
fn items_without_their_merge_key_are_refused() {
    check(
        pod(),
        two_containers(),
        json!({"spec": {"containers": [{"image": "x"}]}}),
        expect![[r#"error: map: {"image":"x"} does not contain declared merge key: name"#]],
    );
}

#[test]
fn the_order_of_the_sender_holds_for_what_it_knows() {
    let items = |names: &[&str]| -> Value { names.iter().map(|name| json!({"name": name})).collect() };
    let original = json!({"spec": {"containers": items(&["server", "a", "b", "tail"])}});
    check(
        pod(),
        original,
        json!({"spec": {
            "$setElementOrder/containers": items(&["c", "b", "a"]),
            "containers": [{"name": "c", "image": "c"}]
        }}),
        expect![[
            r#"{"spec":{"containers":[{"image":"c","name":"c"},{"name":"server"},{"name":"b"},{"name":"a"},{"name":"tail"}]}}"#
        ]],
    );
    check(
        pod(),
        json!({}),
        json!({"spec": {"$setElementOrder/containers": items(&["a"]), "containers": [{"name": "b"}]}}),
        expect![[
            r#"error: invalid patch: the order in patch list "containers" doesn't match the $setElementOrder/containers list"#
        ]],
    );
}

#[test]
fn finalizers_are_a_set_that_items_can_be_taken_from() {
    check(
        pod(),
        json!({"metadata": {"finalizers": ["a", "b"]}}),
        json!({"metadata": {"finalizers": ["b", "c"]}}),
        expect![[r#"{"metadata":{"finalizers":["a","b","c"]}}"#]],
    );
    check(
        pod(),
        json!({"metadata": {"finalizers": ["a", "b"]}}),
        json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "$setElementOrder/finalizers": ["b"]}}),
        expect![[r#"{"metadata":{"finalizers":["b"]}}"#]],
    );
}

#[test]
fn retained_keys_drop_the_others() {
    check(
        deployment(),
        json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}),
        json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
        expect![[r#"{"spec":{"strategy":{"type":"Recreate"}}}"#]],
    );
    check(
        deployment(),
        json!({"spec": {"strategy": {"type": "RollingUpdate"}}}),
        json!({"spec": {"strategy": {"$retainKeys": ["rollingUpdate"], "type": "Recreate"}}}),
        expect![[r#"error: invalid patch: $retainKeys does not name the field "type" that the patch sets"#]],
    );
}

#[test]
fn lists_without_a_strategy_are_replaced_and_nulls_in_new_maps_vanish() {
    check(
        pod(),
        json!({"spec": {"containers": [{"name": "a", "args": ["1", "2"]}]}}),
        json!({"spec": {"containers": [{"name": "a", "args": ["3"]}], "securityContext": {"runAsUser": null}}}),
        expect![[r#"{"spec":{"containers":[{"args":["3"],"name":"a"}],"securityContext":{}}}"#]],
    );
}

#[test]
fn json_merge_patch_follows_its_rfc() {
    for (target, patch, expected) in [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
        (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
        (json!(["a", "b"]), json!({"a": "b"}), json!({"a": "b"})),
        (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
        (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
    ] {
        let mut merged = target;
        json_merge(&mut merged, &patch);
        assert_eq!(merged, expected);
    }
}

#[test]
fn three_way_changes_what_the_user_changed_and_nothing_else() {
    let original = json!({"metadata": {"labels": {"gone": "x", "app": "web"}}, "spec": {"replicas": 3, "template": {"spec": {
        "containers": [{"name": "old", "image": "o"}, {"name": "web", "image": "web:1", "env": [{"name": "GONE"}]}]}}}});
    let modified = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"template": {"spec": {
        "containers": [{"name": "web", "image": "web:2"}, {"name": "new", "image": "n"}]}}}});
    let current = json!({"metadata": {"labels": {"gone": "x", "app": "web", "live": "y"}, "uid": "u"}, "spec": {"replicas": 3,
        "template": {"spec": {"dnsPolicy": "ClusterFirst", "containers": [
            {"name": "old", "image": "o"},
            {"name": "web", "image": "web:1", "imagePullPolicy": "Always", "env": [{"name": "GONE"}]},
            {"name": "injected", "image": "i"}]}}}});
    let patch = three_way(&original, &modified, &current, deployment()).unwrap();
    let merged = strategic(&current, &patch, deployment()).unwrap();
    expect![[r#"{"metadata":{"labels":{"app":"web","live":"y"},"uid":"u"},"spec":{"template":{"spec":{"containers":[{"image":"web:2","imagePullPolicy":"Always","name":"web"},{"image":"n","name":"new"},{"image":"i","name":"injected"}],"dnsPolicy":"ClusterFirst"}}}}"#]]
    .assert_eq(&merged.to_string());
    let again = three_way(&modified, &modified, &merged, deployment()).unwrap();
    assert_eq!(again, json!({}), "a second apply finds nothing to do");
}

#[test]
fn three_way_switches_a_union_with_retained_keys() {
    let rolling = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
    let recreate = json!({"spec": {"strategy": {"type": "Recreate"}}});
    let patch = three_way(&rolling, &recreate, &rolling, deployment()).unwrap();
    assert_eq!(strategic(&rolling, &patch, deployment()).unwrap(), recreate);
}

#[test]
fn three_way_keeps_the_order_of_items_that_only_lose_something() {
    let both = |containers: Value| json!({"spec": {"containers": containers}});
    let before = both(json!([{"name": "b", "image": "i", "env": [{"name": "a", "value": "a"}]}]));
    let after = both(json!([{"name": "b", "image": "i", "env": []}, {"name": "c", "image": "i"}]));
    let patch = three_way(&before, &after, &before, pod()).unwrap();
    assert_eq!(strategic(&before, &patch, pod()).unwrap(), after);
}

#[test]
fn three_way_without_a_schema_is_a_json_merge_patch() {
    let original = json!({"spec": {"list": [1], "gone": 1}});
    let modified = json!({"spec": {"list": [1, 2]}});
    let current = json!({"spec": {"list": [1], "gone": 1, "live": true}});
    let patch = three_way(&original, &modified, &current, None).unwrap();
    assert_eq!(patch, json!({"spec": {"list": [1, 2], "gone": null}}));
}

mod arbitrary {
    use super::*;
    use proptest::prelude::*;

    fn pods() -> impl Strategy<Value = Value> {
        let text = || "[a-c]{1,2}";
        let env = prop::collection::btree_map(text(), text(), 0..3).prop_map(|pairs| -> Value {
            pairs.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
        });
        let containers = prop::collection::btree_map(text(), (text(), env), 0..4);
        let labels = prop::collection::btree_map(text(), text(), 0..3);
        let args = prop::collection::vec(text(), 0..3);
        (containers, labels, args, any::<bool>()).prop_map(|(containers, labels, args, reverse)| {
            let mut containers: Vec<Value> = containers
                .into_iter()
                .map(|(name, (image, env))| json!({"name": name, "image": image, "env": env, "args": args}))
                .collect();
            if reverse {
                containers.reverse();
            }
            json!({"metadata": {"labels": labels}, "spec": {"containers": containers}})
        })
    }

    proptest! {
        #[test]
        fn a_three_way_patch_of_an_untouched_object_brings_it_to_the_wanted_one(before in pods(), after in pods()) {
            let patch = three_way(&before, &after, &before, pod()).unwrap();
            let merged = strategic(&before, &patch, pod()).unwrap();
            prop_assert_eq!(merged, after);
        }

        #[test]
        fn applying_twice_is_applying_once(last in pods(), wanted in pods(), live in pods()) {
            let patch = three_way(&last, &wanted, &live, pod()).unwrap();
            let merged = strategic(&live, &patch, pod()).unwrap();
            let again = three_way(&wanted, &wanted, &merged, pod()).unwrap();
            prop_assert_eq!(strategic(&merged, &again, pod()).unwrap(), merged);
        }

        #[test]
        fn a_json_merge_patch_of_an_object_to_itself_changes_nothing(object in pods()) {
            let mut merged = object.clone();
            json_merge(&mut merged, &object);
            prop_assert_eq!(merged, object);
        }
    }
}
