//! Server-side apply on one object, and what holds whatever is applied.

use super::*;
use crate::request::Request;
use client::identity::Identity;
use proptest::prelude::*;

fn request(manager: &str, force: bool) -> Request {
    let kind = kinds::table::find("apps", "v1", "deployments").unwrap();
    let mut request = Request::internal(Verb::Patch, kind, "default", "x", Identity::new("u", []), manager);
    manager.clone_into(&mut request.options.field_manager);
    request.options.force = force;
    request
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// Applies as `manager`, to nothing where `live` is null.
fn apply_at(live: &Value, manager: &str, config: &Value, second: i64) -> Result<Value, ApiError> {
    let request = request(manager, false);
    let call = Call::of(&request).unwrap();
    let live = if live.is_null() { json!({}) } else { live.clone() };
    let mut new = applied(&call, &live, &checked(&call, &full(config))?, at(second), &Versions::default())?;
    new["metadata"]["uid"] = "u".into();
    Ok(new)
}

fn apply(live: &Value, manager: &str, config: &Value) -> Value {
    apply_at(live, manager, config, 1).unwrap()
}

fn full(config: &Value) -> Value {
    let mut all = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}});
    json_patch::merge(&mut all, config);
    all
}

fn labels(object: &Value) -> String {
    object.pointer("/metadata/labels").map(Value::to_string).unwrap_or_default()
}

fn owned_by(object: &Value, manager: &str) -> Vec<String> {
    let entries = metadata::get(object, "managedFields").and_then(managed::read).unwrap_or_default();
    entries.iter().filter(|entry| entry.manager == manager).flat_map(|entry| entry.set.paths()).collect()
}

#[test]
fn fields_that_are_not_applied_any_more_go_unless_another_applier_has_them() {
    let one =
        apply(&Value::Null, "one", &json!({"metadata": {"labels": {"a": "1", "b": "1"}}, "spec": {"replicas": 1}}));
    let both = apply(&one, "two", &json!({"metadata": {"labels": {"b": "1", "c": "1"}}}));
    assert_eq!(labels(&both), r#"{"a":"1","b":"1","c":"1"}"#);
    let less = apply(&both, "one", &json!({"metadata": {"labels": {}}}));
    assert_eq!(labels(&less), r#"{"b":"1","c":"1"}"#);
    assert!(less["spec"].get("replicas").is_none(), "{less}");
    assert!(owned_by(&less, "one").is_empty(), "{less}");
    let none = apply(&less, "two", &json!({}));
    assert_eq!(none.pointer("/metadata/labels"), None, "{none}");
    assert_eq!(metadata::get(&none, "managedFields"), None, "{none}");
}

#[test]
fn fields_of_others_are_conflicts_with_upstream_s_words() {
    let one = apply(&Value::Null, "one", &json!({"spec": {"replicas": 1}}));
    let refused = apply_at(&one, "two", &json!({"spec": {"replicas": 2}}), 2).unwrap_err();
    assert_eq!(refused.to_string(), r#"Apply failed with 1 conflict: conflict with "one": .spec.replicas"#);
    // The same value is owned together.
    let same = apply(&one, "two", &json!({"spec": {"replicas": 1}}));
    assert_eq!(
        (owned_by(&same, "one"), owned_by(&same, "two")),
        (vec![".spec.replicas".into()], vec![".spec.replicas".into()])
    );

    let mut updated = one.clone();
    updated["spec"]["replicas"] = 5.into();
    updated["spec"]["paused"] = true.into();
    let editor = request("editor", false);
    managed::on_update(&mut updated, &one, &Call::of(&editor).unwrap(), at(2), &Versions::default()).unwrap();
    assert!(owned_by(&updated, "one").is_empty(), "{updated}");
    let config = json!({"spec": {"replicas": 1, "paused": false}});
    let refused = apply_at(&updated, "one", &config, 3).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Apply failed with 2 conflicts: conflicts with \"editor\" using apps/v1:\n- .spec.paused\n- .spec.replicas"
    );
    let request = request("one", true);
    let call = Call::of(&request).unwrap();
    let forced =
        applied(&call, &updated, &checked(&call, &full(&config)).unwrap(), at(3), &Versions::default()).unwrap();
    assert!(owned_by(&forced, "editor").is_empty(), "{forced}");
    assert_eq!(forced["spec"]["replicas"], 1);
}

#[test]
fn what_nobody_tracked_belongs_to_before_first_apply() {
    let mut live = full(&json!({"spec": {"replicas": 3}}));
    live["metadata"]["uid"] = "u".into();
    let new = apply(&live, "one", &json!({"metadata": {"labels": {"a": "b"}}}));
    assert_eq!(owned_by(&new, "before-first-apply"), [".spec.replicas"]);
    assert_eq!(owned_by(&new, "one"), [".metadata.labels.a"]);
}

#[test]
fn kubectl_takes_over_what_it_applied_from_the_client_s_side() {
    let mut live = full(&json!({"spec": {"replicas": 3}}));
    let last = live.to_string();
    live["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": last});
    let csa = request("kubectl-client-side-apply", false);
    managed::on_create(&mut live, &Call::of(&csa).unwrap(), at(1));
    live["metadata"]["uid"] = "u".into();
    let config = json!({"spec": {"replicas": 4}});
    assert!(apply_at(&live, "someone", &config, 2).is_err());
    let new = apply_at(&live, "kubectl", &config, 2).unwrap();
    assert_eq!(new["spec"]["replicas"], 4);
    let kept = new.pointer("/metadata/annotations").unwrap().to_string();
    assert!(kept.contains(r#"\"replicas\":4"#), "{kept}");
}

#[test]
fn what_the_schema_does_not_know_is_refused() {
    let error = |config: Value| apply_at(&Value::Null, "one", &config, 1).unwrap_err().to_string();
    assert_eq!(
        error(json!({"spec": {"foo": 1}})),
        "failed to create typed patch object (default/x; apps/v1, Kind=Deployment): .spec.foo: field not declared in schema"
    );
    assert_eq!(error(json!({"metadata": {"managedFields": [{}]}})), "metadata.managedFields must be nil");
    let containers = json!({"spec": {"template": {"spec": {"containers": [{"image": "i"}]}}}});
    assert!(error(containers).contains(r#"omits all key fields ["name"] (and doesn't have default values"#));
}

/// Some labels, finalizers and containers of a small world, so that appliers meet.
fn config(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let some = || prop::collection::btree_set(prop::sample::select(names), 0..3);
    (some(), some(), some(), some()).prop_map(|(labels, finalizers, containers, env)| {
        let env: Vec<Value> = env.iter().map(|name| json!({"name": name, "value": "v"})).collect();
        let containers: Vec<Value> =
            containers.iter().map(|name| json!({"name": name, "image": "i", "env": env})).collect();
        let finalizers: Vec<String> = finalizers.iter().map(|name| format!("f/{name}")).collect();
        let labels: serde_json::Map<String, Value> = labels.iter().map(|name| ((*name).into(), "v".into())).collect();
        json!({
            "metadata": {"labels": labels, "finalizers": finalizers},
            "spec": {"template": {"spec": {"containers": containers}}},
        })
    })
}

const MINE: &[&str] = &["a", "b", "c"];
const YOURS: &[&str] = &["x", "y", "z"];
const ANY: &[&str] = &["a", "b", "x", "y"];

/// The content without its owners, lists in order of their items, without objects and lists that hold nothing.
fn content(object: &Value) -> Value {
    fn settle(value: &mut Value) {
        match value {
            Value::Array(items) => {
                items.iter_mut().for_each(settle);
                items.sort_by_key(Value::to_string);
            }
            Value::Object(fields) => {
                fields.values_mut().for_each(settle);
                fields.retain(|_, value| !matches!(value.to_string().as_str(), "{}" | "[]"));
            }
            _ => {}
        }
    }
    let mut bare = object.clone();
    metadata::unset(&mut bare, "managedFields");
    settle(&mut bare);
    bare
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn applying_twice_is_applying_once(before in config(ANY), other in config(ANY), mine in config(ANY)) {
        let live = apply(&apply(&Value::Null, "one", &before), "two", &other);
        let once = apply_at(&live, "one", &mine, 2).unwrap();
        let twice = apply_at(&once, "one", &mine, 3).unwrap();
        prop_assert_eq!(content(&twice), content(&once));
        prop_assert!(!managed::differs(&twice, &once));
    }

    #[test]
    fn appliers_of_different_fields_commute(mine in config(MINE), yours in config(YOURS)) {
        let mine_first = apply(&apply(&Value::Null, "one", &mine), "two", &yours);
        let yours_first = apply(&apply(&Value::Null, "two", &yours), "one", &mine);
        prop_assert_eq!(content(&mine_first), content(&yours_first));
    }

    #[test]
    fn an_applier_that_leaves_takes_along_what_only_it_had(mine in config(ANY), yours in config(ANY)) {
        let alone = apply(&Value::Null, "two", &yours);
        let both = apply(&alone, "one", &mine);
        let left = apply(&both, "one", &json!({}));
        prop_assert_eq!(content(&left), content(&alone));
        prop_assert!(owned_by(&left, "one").is_empty());
    }
}
