//! What a Deployment does, by what it sees.

use super::{CONTROLLER, Reconcile, watches};
use crate::testing::{at, caches, lines};
use client::action::{Action, Key, Resource};
use client::controller::Refusal;
use expect_test::{Expect, expect};
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::core::Status;

/// ReplicaSet rows: name, revision, image, spec.replicas, status.replicas, available, sized for.
type Row = (&'static str, i64, &'static str, i32, i32, i32, (i32, i32));

fn deployment(spec: &str, status: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: a, uid: d1, generation: 2, resourceVersion: '9', annotations: {{deployment.kubernetes.io/revision: '2'}}}}
spec: {{{spec}, progressDeadlineSeconds: 600, selector: {{matchLabels: {{app: web}}}}, template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: [{{name: c, image: new}}]}}}}}}
status: {{{status}}}"
    )
}

fn replica_sets(rows: &[Row]) -> String {
    let row = |(index, (name, revision, image, replicas, actual, available, (desired, max))): (usize, &Row)| {
        format!(
            "\n---\napiVersion: apps/v1\nkind: ReplicaSet
metadata: {{name: web-{name}, namespace: a, uid: {name}, generation: 1, resourceVersion: '5', creationTimestamp: '1970-01-01T00:00:{index:02}Z',
  labels: {{app: web, pod-template-hash: {name}}}, ownerReferences: [{{apiVersion: apps/v1, kind: Deployment, name: web, uid: d1, controller: true}}],
  annotations: {{deployment.kubernetes.io/revision: '{revision}', deployment.kubernetes.io/desired-replicas: '{desired}', deployment.kubernetes.io/max-replicas: '{max}'}}}}
spec: {{replicas: {replicas}, selector: {{matchLabels: {{app: web, pod-template-hash: {name}}}}}, template: {{metadata: {{labels: {{app: web, pod-template-hash: {name}}}}}, spec: {{containers: [{{name: c, image: {image}}}]}}}}}}
status: {{replicas: {actual}, readyReplicas: {available}, availableReplicas: {available}, observedGeneration: 1}}"
        )
    };
    rows.iter().enumerate().map(row).collect()
}

const ROLLING: &str = "strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}";

/// Everything but the specs of ReplicaSets, whose template is long and known.
fn brief(text: &str) -> String {
    let shorten = |line: &str| match (line.find("update ReplicaSet"), line.find("\"replicas\":")) {
        (Some(_), Some(at)) => {
            let number: String = line[at + 11..].chars().take_while(char::is_ascii_digit).collect();
            format!("resize {} to {number}", line.split(' ').nth(2).unwrap_or_default())
        }
        _ => line.to_owned(),
    };
    text.lines().map(|line| format!("{}\n", shorten(line))).collect()
}

fn check(yaml: &str, expected: Expect) {
    let caches = caches(watches, yaml);
    let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
    expected.assert_eq(&brief(&lines(&reconcile(&Key::new("a", "web"), &caches, at(100)))));
}

#[test]
fn a_new_deployment_creates_its_replica_set_and_says_so() {
    check(
        &deployment("replicas: 3", ""),
        expect![[r#"
        create ReplicaSet web-5df59ddf5b
        update Deployment web status {"conditions":[{"lastTransitionTime":"1970-01-01T00:01:40Z","lastUpdateTime":"1970-01-01T00:01:40Z","message":"Deployment does not have minimum availability.","reason":"MinimumReplicasUnavailable","status":"False","type":"Available"},{"lastTransitionTime":"1970-01-01T00:01:40Z","lastUpdateTime":"1970-01-01T00:01:40Z","message":"Created new replica set \"web-5df59ddf5b\"","reason":"NewReplicaSetCreated","status":"True","type":"Progressing"}],"observedGeneration":2,"unavailableReplicas":3}
        event Normal ScalingReplicaSet: Scaled up replica set web-5df59ddf5b from 0 to 3
        again at 701
    "#]],
    );
}

#[test]
fn a_new_template_starts_within_max_surge() {
    let rows = [("old", 2, "old", 3, 3, 3, (3, 4))];
    check(
        &format!("{}{}", deployment(&format!("replicas: 3, {ROLLING}"), ""), replica_sets(&rows)),
        expect![[r#"
        create ReplicaSet web-5df59ddf5b
        update Deployment web status {"availableReplicas":3,"conditions":[{"lastTransitionTime":"1970-01-01T00:01:40Z","lastUpdateTime":"1970-01-01T00:01:40Z","message":"Deployment has minimum availability.","reason":"MinimumReplicasAvailable","status":"True","type":"Available"},{"lastTransitionTime":"1970-01-01T00:01:40Z","lastUpdateTime":"1970-01-01T00:01:40Z","message":"Created new replica set \"web-5df59ddf5b\"","reason":"NewReplicaSetCreated","status":"True","type":"Progressing"}],"observedGeneration":2,"readyReplicas":3,"replicas":3,"unavailableReplicas":1}
        event Normal ScalingReplicaSet: Scaled up replica set web-5df59ddf5b from 0 to 1
        again at 701
    "#]],
    );
}

#[test]
fn old_pods_go_as_far_as_max_unavailable_allows() {
    let rows = [("old", 2, "old", 3, 3, 3, (3, 4)), ("new", 3, "new", 1, 1, 0, (3, 4))];
    check(
        &format!("{}{}", deployment(&format!("replicas: 3, {ROLLING}"), ""), replica_sets(&rows)),
        expect![[r#"
        resize web-old to 2
        patch Deployment web  {"metadata":{"annotations":{"deployment.kubernetes.io/revision":"3"}}}
        event Normal ScalingReplicaSet: Scaled down replica set web-old from 3 to 2
        again at 701
    "#]],
    );
}

#[test]
fn broken_old_pods_go_first() {
    let rows = [("old", 2, "old", 4, 4, 2, (4, 5)), ("new", 3, "new", 1, 1, 1, (4, 5))];
    check(
        &format!("{}{}", deployment(&format!("replicas: 4, {ROLLING}"), ""), replica_sets(&rows)),
        expect![[r#"
        resize web-old to 2
        patch Deployment web  {"metadata":{"annotations":{"deployment.kubernetes.io/revision":"3"}}}
        event Normal ScalingReplicaSet: Scaled down replica set web-old from 4 to 2
        again at 701
    "#]],
    );
}

/// Its status lags: two are available yet, of which one was to go.
#[test]
fn what_a_replica_set_has_beyond_what_it_keeps_is_not_counted_on() {
    let rows = [
        ("older", 1, "older", 1, 2, 2, (2, 3)),
        ("old", 2, "old", 2, 2, 1, (2, 3)),
        ("5df59ddf5b", 3, "new", 0, 0, 0, (2, 3)),
    ];
    let strategy = "replicas: 2, strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}";
    let caches = caches(watches, &format!("{}{}", deployment(strategy, ""), replica_sets(&rows)));
    let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
    let done = brief(&lines(&reconcile(&Key::new("a", "web"), &caches, at(100))));
    let resized: Vec<&str> = done.lines().filter(|line| line.starts_with("resize")).collect();
    assert_eq!(resized, ["resize web-old to 1"]);
}

#[test]
fn recreate_stops_the_old_pods_before_it_starts_new_ones() {
    let rows = [("old", 2, "old", 3, 3, 3, (3, 3))];
    check(
        &format!("{}{}", deployment("replicas: 3, strategy: {type: Recreate}", ""), replica_sets(&rows)),
        expect![[r#"
            resize web-old to 0
            update Deployment web status {"availableReplicas":3,"conditions":[{"lastTransitionTime":"1970-01-01T00:01:40Z","lastUpdateTime":"1970-01-01T00:01:40Z","message":"Deployment has minimum availability.","reason":"MinimumReplicasAvailable","status":"True","type":"Available"},{"lastTransitionTime":"1970-01-01T00:01:40Z","lastUpdateTime":"1970-01-01T00:01:40Z","message":"Deployment \"web\" is progressing.","reason":"ReplicaSetUpdated","status":"True","type":"Progressing"}],"observedGeneration":2,"readyReplicas":3,"replicas":3}
            event Normal ScalingReplicaSet: Scaled down replica set web-old from 3 to 0
            again at 701
        "#]],
    );
}

#[test]
fn a_scaled_rollout_keeps_its_proportion() {
    let rows = [("old", 2, "old", 8, 8, 8, (10, 13)), ("new", 3, "new", 5, 5, 2, (10, 13))];
    let spec = "replicas: 15, strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 3, maxUnavailable: 2}}";
    check(
        &format!("{}{}", deployment(spec, ""), replica_sets(&rows)),
        expect![[r#"
        resize web-old to 11
        resize web-new to 7
        patch Deployment web  {"metadata":{"annotations":{"deployment.kubernetes.io/revision":"3"}}}
        event Normal ScalingReplicaSet: Scaled up replica set web-old from 8 to 11
        event Normal ScalingReplicaSet: Scaled up replica set web-new from 5 to 7
        again at 701
    "#]],
    );
}

#[test]
fn a_rollback_reuses_the_old_replica_set_and_makes_it_the_newest_revision() {
    let rows = [("good", 1, "new", 0, 0, 0, (3, 4)), ("bad", 2, "bad", 3, 3, 0, (3, 4))];
    check(
        &format!("{}{}", deployment(&format!("replicas: 3, {ROLLING}"), ""), replica_sets(&rows)),
        expect![[r#"
        resize web-good to 1
        patch Deployment web  {"metadata":{"annotations":{"deployment.kubernetes.io/revision":"3"}}}
        event Normal ScalingReplicaSet: Scaled up replica set web-good from 0 to 1
        again at 701
    "#]],
    );
}

#[test]
fn a_paused_deployment_scales_but_does_not_roll() {
    let rows = [("old", 2, "old", 3, 3, 3, (3, 4))];
    let spec = format!("replicas: 5, paused: true, {ROLLING}");
    check(
        &format!("{}{}", deployment(&spec, ""), replica_sets(&rows)),
        expect![[r#"
        resize web-old to 5
        update Deployment web status {"availableReplicas":3,"conditions":[{"lastTransitionTime":"1970-01-01T00:01:40Z","lastUpdateTime":"1970-01-01T00:01:40Z","message":"Deployment does not have minimum availability.","reason":"MinimumReplicasUnavailable","status":"False","type":"Available"},{"lastTransitionTime":"1970-01-01T00:01:40Z","lastUpdateTime":"1970-01-01T00:01:40Z","message":"Deployment is paused","reason":"DeploymentPaused","status":"Unknown","type":"Progressing"}],"observedGeneration":2,"readyReplicas":3,"replicas":3,"unavailableReplicas":2}
        event Normal ScalingReplicaSet: Scaled up replica set web-old from 3 to 5
    "#]],
    );
}

const COMPLETE: &str = "observedGeneration: 2, replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3, conditions: [
  {type: Available, status: 'True', reason: MinimumReplicasAvailable, message: m},
  {type: Progressing, status: 'True', reason: NewReplicaSetAvailable, message: m, lastUpdateTime: '1970-01-01T00:00:00Z'}]";

#[test]
fn nothing_is_written_when_nothing_changed() {
    let rows = [("new", 2, "new", 3, 3, 3, (3, 4))];
    let yaml = deployment(&format!("replicas: 3, {ROLLING}"), COMPLETE);
    check(&format!("{yaml}{}", replica_sets(&rows)), expect![[r#""#]]);
}

#[test]
fn old_replica_sets_beyond_the_history_limit_are_deleted() {
    let rows = [("r1", 1, "x", 0, 0, 0, (3, 4)), ("r2", 2, "y", 0, 0, 0, (3, 4)), ("new", 3, "new", 3, 3, 3, (3, 4))];
    let yaml = deployment(&format!("replicas: 3, revisionHistoryLimit: 1, {ROLLING}"), COMPLETE)
        .replace("revision: '2'", "revision: '3'");
    check(
        &format!("{yaml}{}", replica_sets(&rows)),
        expect![[r#"
        delete ReplicaSet web-r1
    "#]],
    );
}

#[test]
fn a_rollout_without_progress_is_told_after_its_deadline() {
    let rows = [("new", 2, "new", 3, 3, 0, (3, 4))];
    let status = "observedGeneration: 2, replicas: 3, updatedReplicas: 3, unavailableReplicas: 3, conditions: [
  {type: Available, status: 'False', reason: MinimumReplicasUnavailable, message: m},
  {type: Progressing, status: 'True', reason: ReplicaSetUpdated, message: m, lastUpdateTime: '1969-12-31T23:50:00Z'}]";
    let yaml = deployment(&format!("replicas: 3, {ROLLING}"), status);
    check(
        &format!("{yaml}{}", replica_sets(&rows)),
        expect![[r#"
        update Deployment web status {"conditions":[{"message":"m","reason":"MinimumReplicasUnavailable","status":"False","type":"Available"},{"lastTransitionTime":"1970-01-01T00:01:40Z","lastUpdateTime":"1970-01-01T00:01:40Z","message":"ReplicaSet \"web-new\" has timed out progressing.","reason":"ProgressDeadlineExceeded","status":"False","type":"Progressing"}],"observedGeneration":2,"replicas":3,"unavailableReplicas":3,"updatedReplicas":3}
    "#]],
    );
}

/// Its pods read the ConfigMap `site`, each revision by a name of its own.
fn configured(annotations: &str) -> String {
    deployment(&format!("replicas: 3, {ROLLING}"), "")
        .replace("annotations: {", &format!("annotations: {{drover.dev/roll-on-config-change: 'true'{annotations}, "))
        .replace("image: new}", "image: new, envFrom: [{configMapRef: {name: site}}]}")
}

#[test]
fn no_replica_set_is_made_before_it_is_known_by_which_name_its_pods_read_their_configuration() {
    check(&configured(""), expect![[""]]);
    let caches = caches(watches, &configured(", drover.dev/config-snapshots: configmap/site=site-1"));
    let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
    let actions = reconcile(&Key::new("a", "web"), &caches, at(100));
    let Some(Action::Create { object, .. }) = actions.first() else { panic!("{actions:?}") };
    let container = &object["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["envFrom"][0]["configMapRef"]["name"], "site-1");
}

const WISHED: &str = "drover.dev/auto-rollback: 'true'";
const TIMED_OUT: &str = "observedGeneration: 2, replicas: 4, updatedReplicas: 1, conditions: [
  {type: Progressing, status: 'False', reason: ProgressDeadlineExceeded, message: 'ReplicaSet \"web-new\" has timed out progressing.'}]";

/// A Deployment that goes back by itself, whose rollout of `web-new` has missed its deadline; these were complete once.
fn failed(rows: &[Row], complete: &[&str]) -> String {
    let wished = deployment(&format!("replicas: 3, {ROLLING}"), TIMED_OUT)
        .replace("annotations: {", &format!("annotations: {{{WISHED}, "));
    let mut sets = replica_sets(rows);
    for name in complete {
        let (before, after) = sets.split_once(&format!("metadata: {{name: web-{name},")).unwrap();
        let after = after.replacen("annotations: {", "annotations: {drover.dev/completed: 'true', ", 1);
        sets = format!("{before}metadata: {{name: web-{name},{after}");
    }
    format!("{wished}{sets}")
}

#[test]
fn a_rollout_that_missed_its_deadline_goes_back_to_the_last_complete_revision() {
    let rows = [
        ("r1", 1, "x", 0, 0, 0, (3, 4)),
        ("r2", 2, "y", 3, 3, 3, (3, 4)),
        ("r3", 3, "z", 0, 0, 0, (3, 4)),
        ("new", 4, "new", 1, 1, 0, (3, 4)),
    ];
    check(
        &failed(&rows, &["r1", "r2"]),
        expect![[r#"
        update Deployment web  {"progressDeadlineSeconds":600,"replicas":3,"selector":{"matchLabels":{"app":"web"}},"strategy":{"rollingUpdate":{"maxSurge":1,"maxUnavailable":1},"type":"RollingUpdate"},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"image":"y","name":"c"}]}}}
        event Warning RolledBack: Revision 4 (web-new) was not complete within its deadline; went back to revision 2 (web-r2)
    "#]],
    );
}

#[test]
fn a_revision_that_was_complete_once_is_not_left_and_none_is_gone_back_to_that_never_was() {
    let rows = [("r1", 1, "x", 3, 3, 3, (3, 4)), ("new", 2, "new", 1, 1, 0, (3, 4))];
    for complete in [&["r1", "new"][..], &[]] {
        let caches = caches(watches, &failed(&rows, complete));
        let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
        let text = lines(&reconcile(&Key::new("a", "web"), &caches, at(100)));
        assert!(!text.contains("RolledBack"), "{text}");
    }
}

#[test]
fn a_deadline_that_another_revision_missed_is_not_this_ones() {
    let rows = [("r1", 1, "x", 3, 3, 3, (3, 4)), ("new", 2, "new", 1, 1, 0, (3, 4))];
    let yaml = failed(&rows, &["r1"]).replace("ReplicaSet \"web-new\" has", "ReplicaSet \"web-other\" has");
    let caches = caches(watches, &yaml);
    let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
    let text = lines(&reconcile(&Key::new("a", "web"), &caches, at(100)));
    assert!(!text.contains("RolledBack"), "{text}");
}

#[test]
fn a_revision_that_becomes_complete_is_remembered_by_who_may_go_back_to_it() {
    let rows = [("new", 2, "new", 3, 3, 3, (3, 4))];
    let wished = deployment(&format!("replicas: 3, {ROLLING}"), COMPLETE)
        .replace("annotations: {", &format!("annotations: {{{WISHED}, "));
    let caches = caches(watches, &format!("{wished}{}", replica_sets(&rows)));
    let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
    let actions = reconcile(&Key::new("a", "web"), &caches, at(100));
    let Some(Action::Update { object, .. }) = actions.first() else { panic!("{actions:?}") };
    assert_eq!(object["metadata"]["annotations"]["drover.dev/completed"], "true");
}

#[test]
fn a_rollout_that_moved_at_the_last_moment_there_is_is_looked_at_then() {
    let rows = [("new", 2, "new", 3, 3, 0, (3, 4))];
    let status = "observedGeneration: 2, replicas: 3, updatedReplicas: 3, unavailableReplicas: 3, conditions: [
  {type: Available, status: 'False', reason: MinimumReplicasUnavailable, message: m},
  {type: Progressing, status: 'True', reason: ReplicaSetUpdated, message: m, lastUpdateTime: '9999-12-30T22:00:00Z'}]";
    let yaml = deployment(&format!("replicas: 3, {ROLLING}"), status);
    check(&format!("{yaml}{}", replica_sets(&rows)), expect![["again at 253402207200\n"]]);
}

#[test]
fn a_refused_replica_set_is_told_by_event_and_condition() {
    let caches = caches(watches, &deployment(ROLLING, "observedGeneration: 1"));
    let object = serde_json::json!({"metadata": {"name": "web-1"}});
    let action = Action::Create { resource: Resource::of::<ReplicaSet>(), ns: "a".into(), object };
    let status = Status { message: "exceeded quota".into(), ..Status::default() };
    let answer = (CONTROLLER.refused.unwrap())(&Key::new("a", "web"), &caches, &Refusal { action, status }, at(100));
    expect![[r#"
        event Warning ReplicaSetCreateError: Failed to create new replica set "web-1": exceeded quota
        update Deployment web status {"conditions":[{"lastTransitionTime":"1970-01-01T00:01:40Z","lastUpdateTime":"1970-01-01T00:01:40Z","message":"Failed to create new replica set \"web-1\": exceeded quota","reason":"ReplicaSetCreateError","status":"False","type":"Progressing"}],"observedGeneration":2}
    "#]]
    .assert_eq(&lines(&answer));
}
