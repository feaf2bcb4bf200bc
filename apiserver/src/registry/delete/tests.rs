//! What a delete makes of an object: gone at once, or marked with a grace.

use super::*;
use kinds::table::find;

fn pod(nodes: &str, more: &Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "uid": "u", "generation": 1},
        "spec": {"nodeName": nodes, "terminationGracePeriodSeconds": 30}, "status": {"phase": "Running"},
    });
    json_patch::merge(&mut pod, more);
    pod
}

/// The plan in words: `remove`, `wait`, or the grace and the finalizers that are stored.
fn planned(plural: &str, old: &Value, options: &DeleteOptions) -> String {
    let group = if plural == "jobs" { "batch" } else { "" };
    let row = find(group, "v1", plural).unwrap().as_ref();
    match plan(row, old, options, Timestamp::UNIX_EPOCH) {
        Plan::Remove(_) => "remove".into(),
        Plan::Wait => "wait".into(),
        Plan::Mark(marked) => format!(
            "mark at {} grace {} finalizers {:?} generation {}",
            metadata::text(&marked, "deletionTimestamp"),
            metadata::get(&marked, "deletionGracePeriodSeconds").unwrap_or(&Value::Null),
            metadata::finalizers(&marked),
            metadata::get(&marked, "generation").unwrap_or(&Value::Null),
        ),
    }
}

fn grace(seconds: i64) -> DeleteOptions {
    DeleteOptions { grace_seconds: Some(seconds), ..DeleteOptions::default() }
}

fn policy(propagation: Propagation) -> DeleteOptions {
    DeleteOptions { propagation: Some(propagation), ..DeleteOptions::default() }
}

#[test]
fn pods_that_a_node_runs_get_their_grace_and_all_others_vanish() {
    let none = DeleteOptions::default();
    let deleting = json!({"metadata": {"deletionTimestamp": "1970-01-01T00:00:30Z", "deletionGracePeriodSeconds": 30}});
    let table = [
        (pod("", &json!({})), none.clone(), "remove"),
        (pod("n", &json!({"status": {"phase": "Succeeded"}})), none.clone(), "remove"),
        (pod("n", &json!({})), none.clone(), "mark at 1970-01-01T00:00:30Z grace 30 finalizers [] generation 2"),
        (pod("n", &json!({})), grace(5), "mark at 1970-01-01T00:00:05Z grace 5 finalizers [] generation 2"),
        (pod("n", &json!({})), grace(-1), "mark at 1970-01-01T00:00:01Z grace 1 finalizers [] generation 2"),
        (pod("n", &json!({})), grace(0), "remove"),
        (
            pod("n", &json!({})),
            grace(i64::MAX),
            "mark at 9999-12-30T22:00:00Z grace 9223372036854775807 finalizers [] generation 2",
        ),
        (
            pod("n", &json!({"spec": {"terminationGracePeriodSeconds": i64::MAX}})),
            none.clone(),
            "mark at 9999-12-30T22:00:00Z grace 9223372036854775807 finalizers [] generation 2",
        ),
        (pod("n", &deleting), none, "wait"),
        (pod("n", &deleting), grace(60), "wait"),
        (pod("n", &deleting), grace(3), "mark at 1970-01-01T00:00:03Z grace 3 finalizers [] generation 1"),
        (pod("n", &deleting), grace(-1), "mark at 1970-01-01T00:00:01Z grace 1 finalizers [] generation 1"),
        (pod("n", &deleting), grace(0), "remove"),
    ];
    for (old, options, expected) in table {
        assert_eq!(planned("pods", &old, &options), expected, "{options:?} on {old}");
    }
}

#[test]
fn propagation_becomes_a_finalizer() {
    let map = |more: Value| {
        let mut map = json!({"metadata": {"name": "m"}});
        json_patch::merge(&mut map, &more);
        map
    };
    let now = "mark at 1970-01-01T00:00:00Z grace 0";
    let table = [
        ("configmaps", map(json!({})), DeleteOptions::default(), "remove".to_owned()),
        (
            "configmaps",
            map(json!({})),
            policy(Propagation::Foreground),
            format!("{now} finalizers [\"foregroundDeletion\"] generation null"),
        ),
        (
            "configmaps",
            map(json!({})),
            policy(Propagation::Orphan),
            format!("{now} finalizers [\"orphan\"] generation null"),
        ),
        (
            "configmaps",
            map(json!({"metadata": {"finalizers": ["a/b"]}})),
            policy(Propagation::Background),
            format!("{now} finalizers [\"a/b\"] generation null"),
        ),
        (
            "configmaps",
            map(json!({"metadata": {"finalizers": ["orphan"]}})),
            policy(Propagation::Background),
            "remove".to_owned(),
        ),
        ("jobs", map(json!({})), DeleteOptions::default(), format!("{now} finalizers [\"orphan\"] generation null")),
    ];
    for (plural, old, options, expected) in table {
        assert_eq!(planned(plural, &old, &options), expected, "{options:?} on {old}");
    }
}

#[test]
fn a_namespace_terminates_until_its_controller_has_emptied_it() {
    let row = find("", "v1", "namespaces").unwrap().as_ref();
    let old = json!({"metadata": {"name": "a"}, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}});
    let Plan::Mark(marked) = plan(row, &old, &DeleteOptions::default(), Timestamp::UNIX_EPOCH) else { panic!() };
    assert_eq!(marked["status"]["phase"], "Terminating");
    assert!(metadata::is_deleting(&marked));
}
