//! Who owns what after a write, in words.

use super::*;
use crate::request::{Options, Request, Verb};
use client::identity::Identity;
use std::sync::Arc;

fn request(group: &str, plural: &str, subresource: &str, manager: &str) -> Request {
    let kind = kinds::table::find(group, "v1", plural).unwrap();
    let mut request = Request::internal(Verb::Update, kind, "default", "x", Identity::new("u", []), manager);
    subresource.clone_into(&mut request.subresource);
    request.options = Options::default();
    request
}

/// `manager[/subresource]: paths`, one a line.
fn owners(object: &Value) -> String {
    let entries = metadata::get(object, "managedFields").and_then(read).unwrap_or_default();
    let line = |entry: &Entry| {
        let door = if entry.subresource.is_empty() { String::new() } else { format!("/{}", entry.subresource) };
        format!("{}{door}: {}", entry.manager, entry.set.paths().join(" "))
    };
    entries.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn changed(new: &mut Value, old: &Value, by: &Request, now: Timestamp) {
    on_update(new, old, &Call::of(by).unwrap(), now, &Versions::default()).unwrap();
}

fn deployment(replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x", "labels": {"a": "b"}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i", "resources": {}}], "volumes": [{"name": "v"}]}}},
        "status": {"replicas": 1},
    })
}

fn created(replicas: i64) -> Value {
    let request = request("apps", "deployments", "", "one");
    let mut object = deployment(replicas);
    on_create(&mut object, &Call::of(&request).unwrap(), at(1));
    object["metadata"]["uid"] = "u".into();
    object
}

#[test]
fn who_creates_owns_what_was_sent_and_not_what_is_there_anyway() {
    let expected = [
        ".metadata.labels",
        ".metadata.labels.a",
        ".spec.replicas",
        ".spec.selector",
        ".spec.template.metadata.labels",
        ".spec.template.metadata.labels.a",
        r#".spec.template.spec.containers[name="c"]"#,
        r#".spec.template.spec.containers[name="c"].image"#,
        r#".spec.template.spec.containers[name="c"].name"#,
        r#".spec.template.spec.containers[name="c"].resources"#,
        ".spec.template.spec.volumes",
        r#".spec.template.spec.volumes[name="v"]"#,
        r#".spec.template.spec.volumes[name="v"].name"#,
    ];
    assert_eq!(owners(&created(2)), format!("one: {}", expected.join(" ")));
}

#[test]
fn an_update_takes_over_what_it_changes() {
    let old = created(2);
    let two = request("apps", "deployments", "", "two");
    let mut new = old.clone();
    new["spec"]["replicas"] = 3.into();
    new["metadata"]["labels"] = json!({"c": "d"});
    changed(&mut new, &old, &two, at(2));
    let all = owners(&new);
    assert!(all.contains("two: .metadata.labels.c .spec.replicas"), "{all}");
    assert!(!all.contains("labels.a .spec.replicas"), "{all}");

    let status = request("apps", "deployments", "status", "controller");
    let mut seen = new.clone();
    seen["status"] = json!({"replicas": 1, "readyReplicas": 1});
    seen["spec"]["replicas"] = 9.into();
    changed(&mut seen, &new, &status, at(3));
    let all = owners(&seen);
    assert!(all.contains("controller/status: .status.readyReplicas"), "{all}");
    assert!(all.contains("two: .metadata.labels.c .spec.replicas"), "{all}");
}

#[test]
fn who_changes_nothing_owns_nothing() {
    let old = created(2);
    let two = request("apps", "deployments", "", "two");
    let mut new = old.clone();
    changed(&mut new, &old, &two, at(9));
    assert_eq!(new, old);
    // Clients that do not know the list leave it out.
    metadata::unset(&mut new, "managedFields");
    changed(&mut new, &old, &two, at(9));
    assert_eq!(new, old);
}

#[test]
fn ownership_is_reset_by_an_empty_list_and_stays_so() {
    let old = created(2);
    let two = request("apps", "deployments", "", "two");
    for empty in [json!([]), json!([{}])] {
        let mut new = old.clone();
        new["metadata"]["managedFields"] = empty;
        new["spec"]["replicas"] = 3.into();
        changed(&mut new, &old, &two, at(2));
        assert_eq!(metadata::get(&new, "managedFields"), None);
        let mut later = new.clone();
        later["spec"]["replicas"] = 4.into();
        changed(&mut later, &new, &two, at(3));
        assert_eq!(metadata::get(&later, "managedFields"), None);
    }
}

#[test]
fn of_two_entries_of_one_owner_the_last_counts() {
    let entry = |operation: &str, version: &str, field: &str| {
        json!({"manager": "m", "operation": operation, "apiVersion": version, "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {field: {}}}})
    };
    let list = json!([entry("Apply", "v1", "f:a"), entry("Update", "v1", "f:b"), entry("Apply", "v2", "f:c")]);
    let kept: Vec<String> = read(&list).unwrap().into_iter().flat_map(|entry| entry.set.paths()).collect();
    assert_eq!(kept, [".data.b", ".data.c"]);
}

#[test]
fn clients_may_edit_the_list_but_not_through_a_subresource() {
    let old = created(2);
    let mut edited = old.clone();
    edited["metadata"]["managedFields"][0]["manager"] = "moved".into();
    let two = request("apps", "deployments", "", "two");
    let mut new = edited.clone();
    changed(&mut new, &old, &two, at(2));
    assert!(owners(&new).starts_with("moved: "), "{}", owners(&new));
    assert!(differs(&new, &old));
    let status = request("apps", "deployments", "status", "two");
    let mut new = edited;
    changed(&mut new, &old, &status, at(2));
    assert_eq!(owners(&new), owners(&old));
}

#[test]
fn old_updaters_become_one() {
    let mut object = created(0);
    for n in 1..=12_i64 {
        let manager = request("apps", "deployments", "", &format!("m{n}"));
        let old = object.clone();
        object["metadata"]["annotations"][format!("k{n:02}")] = "v".into();
        changed(&mut object, &old, &manager, at(n + 1));
    }
    let all = owners(&object);
    assert_eq!(all.lines().count(), UPDATERS_MAX, "{all}");
    assert!(all.starts_with("ancient-changes: .metadata.annotations .metadata.annotations.k01 "), "{all}");
    assert!(all.contains("m12: .metadata.annotations.k12"), "{all}");
}

#[test]
fn items_that_are_there_twice_are_one_thing() {
    let context = kinds::table::find("", "v1", "pods").unwrap();
    let pod = |env: Value| json!({"spec": {"containers": [{"name": "c", "env": env}]}});
    let twice = pod(json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]));
    let once = pod(json!([{"name": "A", "value": "1"}]));
    let found = compare(&once, &twice, Arc::clone(context).context());
    let item = r#".spec.containers[name="c"].env[name="A"]"#;
    assert_eq!(found.added.paths(), [item]);
    assert!(found.removed.paths().contains(&format!("{item}.value")), "{found:?}");
}
