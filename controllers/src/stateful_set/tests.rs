//! What a StatefulSet does, by what it sees; and that identities stay unique whatever happens.

use super::{CONTROLLER, Reconcile};
use crate::history;
use crate::sim::{self, Ends, Scenario, World, all};
use crate::testing::{at, caches, lines};
use client::action::{Key, Resource};
use expect_test::{Expect, expect};
use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use proptest::prelude::*;
use serde_json::{Value, json};

const TEMPLATE: &str = "{metadata: {labels: {app: web}}, spec: {containers: []}}";

/// The set with its first revision at work.
fn set(spec: &str, status: &str) -> String {
    let template = serde_norway::from_str(TEMPLATE).unwrap();
    let data = history::data(&template);
    format!(
        "apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: web, namespace: a, uid: s1, generation: 1, resourceVersion: '9'}}
spec: {{selector: {{matchLabels: {{app: web}}}}, template: {TEMPLATE}, {spec}}}
status: {{currentRevision: web-one, updateRevision: web-one, collisionCount: 0, availableReplicas: 0, observedGeneration: 1, {status}}}
---
apiVersion: apps/v1
kind: ControllerRevision
metadata: {{name: web-one, namespace: a, uid: r1, labels: {{app: web}}, ownerReferences: [{{apiVersion: apps/v1, kind: StatefulSet, name: web, uid: s1, controller: true}}]}}
revision: 1
data: {data}"
    )
}

/// A pod of the set.
fn pod(ordinal: i32, phase: &str, ready: &str, revision: &str, extra: &str) -> String {
    format!(
        "
---
apiVersion: v1
kind: Pod
metadata: {{name: web-{ordinal}, namespace: a, uid: p{ordinal}, {extra} ownerReferences: [{{apiVersion: apps/v1, kind: StatefulSet, name: web, uid: s1, controller: true}}],
  labels: {{app: web, controller-revision-hash: {revision}, statefulset.kubernetes.io/pod-name: web-{ordinal}, apps.kubernetes.io/pod-index: '{ordinal}'}}}}
spec: {{containers: []}}
status: {{phase: {phase}, conditions: [{{type: Ready, status: '{ready}'}}]}}"
    )
}

fn run(yaml: &str) -> String {
    let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
    lines(&reconcile(&Key::new("a", "web"), &caches(CONTROLLER.watches, yaml), at(100)))
}

/// Without the lines about the status, which other tests read.
fn check(yaml: &str, expected: Expect) {
    let all = run(yaml);
    let kept: String = all.lines().filter(|line| !line.starts_with("update")).map(|line| format!("{line}\n")).collect();
    expected.assert_eq(&kept);
}

#[test]
fn a_new_set_records_its_template_and_makes_the_first_pod() {
    let yaml = "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web, namespace: a, uid: s1, generation: 1}
spec: {replicas: 3, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: []}}}";
    let text = run(yaml);
    let name = text.lines().next().unwrap().strip_prefix("create ControllerRevision ").unwrap();
    assert!(text.contains(&format!("\"currentRevision\":\"{name}\"")), "{text}");
    assert!(text.contains("create Pod web-0\n") && !text.contains("web-1"), "{text}");
    assert!(text.contains("event Normal SuccessfulCreate: create Pod web-0 in StatefulSet web successful"), "{text}");
}

#[test]
fn the_next_pod_waits_until_the_one_before_it_is_ready() {
    let first = |ready| set("replicas: 2", "replicas: 1") + &pod(0, "Running", ready, "web-one", "");
    check(&first("False"), expect![[""]]);
    check(
        &first("True"),
        expect![[r#"
            create Pod web-1
            event Normal SuccessfulCreate: create Pod web-1 in StatefulSet web successful
        "#]],
    );
}

#[test]
fn parallel_sets_make_all_pods_at_once() {
    check(
        &set("replicas: 2, podManagementPolicy: Parallel, ordinals: {start: 5}", "replicas: 0"),
        expect![[r#"
            create Pod web-5
            event Normal SuccessfulCreate: create Pod web-5 in StatefulSet web successful
            create Pod web-6
            event Normal SuccessfulCreate: create Pod web-6 in StatefulSet web successful
        "#]],
    );
}

#[test]
fn a_set_of_any_size_makes_its_pods_in_bounded_steps() {
    let spec = "replicas: 2147483647, podManagementPolicy: Parallel, ordinals: {start: 7}, \
                volumeClaimTemplates: [{metadata: {name: data}, spec: {}}]";
    let text = run(&(set(spec, "replicas: 1") + &pod(900, "Running", "True", "web-one", "")));
    let made: Vec<&str> = text.lines().filter(|line| line.starts_with("create Pod ")).collect();
    assert_eq!((made.len(), made[0], made[499]), (500, "create Pod web-7", "create Pod web-506"));
    let ordered = "replicas: 2147483647";
    check(
        &(set(ordered, "replicas: 1") + &pod(0, "Running", "True", "web-one", "")),
        expect![[r#"
            create Pod web-1
            event Normal SuccessfulCreate: create Pod web-1 in StatefulSet web successful
        "#]],
    );
}

#[test]
fn a_failed_pod_is_deleted_to_be_made_again() {
    check(
        &(set("replicas: 1", "replicas: 1") + &pod(0, "Failed", "False", "web-one", "")),
        expect![[r#"
            event Warning RecreatingFailedPod: StatefulSet a/web is recreating failed Pod web-0
            delete Pod web-0
            event Normal SuccessfulDelete: delete Pod web-0 in StatefulSet web successful
        "#]],
    );
}

#[test]
fn scaling_down_takes_the_last_pod_and_waits_for_it() {
    let two = pod(0, "Running", "True", "web-one", "") + &pod(1, "Running", "True", "web-one", "");
    let yaml = set("replicas: 1", "replicas: 3") + &two;
    check(
        &(yaml.clone() + &pod(2, "Running", "True", "web-one", "")),
        expect![[r#"
            delete Pod web-2
            event Normal SuccessfulDelete: delete Pod web-2 in StatefulSet web successful
        "#]],
    );
    let going = pod(2, "Running", "True", "web-one", "deletionTimestamp: '1970-01-01T00:00:00Z',");
    check(&(yaml + &going), expect![[""]]);
}

#[test]
fn scaling_down_halts_while_a_lower_pod_is_not_ready() {
    let pods = pod(0, "Running", "False", "web-one", "") + &pod(1, "Running", "True", "web-one", "");
    check(&(set("replicas: 1", "replicas: 2") + &pods), expect![[""]]);
}

#[test]
fn an_update_goes_from_the_last_pod_to_the_partition() {
    let pods: String = (0..3).map(|n| pod(n, "Running", "True", "web-old", "")).collect();
    let rolling = |partition| {
        format!("replicas: 3, updateStrategy: {{type: RollingUpdate, rollingUpdate: {{partition: {partition}}}}}")
    };
    check(
        &(set(&rolling(1), "replicas: 3") + &pods),
        expect![[r#"
            delete Pod web-2
            event Normal SuccessfulDelete: delete Pod web-2 in StatefulSet web successful
        "#]],
    );
    check(&(set(&rolling(3), "replicas: 3") + &pods), expect![[""]]);
    check(&(set("replicas: 3, updateStrategy: {type: OnDelete}", "replicas: 3") + &pods), expect![[""]]);
}

#[test]
fn an_update_takes_several_pods_where_that_many_may_miss() {
    let pods: String = (0..4).map(|n| pod(n, "Running", "True", "web-old", "")).collect();
    check(
        &(set("replicas: 4, updateStrategy: {rollingUpdate: {maxUnavailable: 50%}}", "replicas: 4") + &pods),
        expect![[r#"
            delete Pod web-3
            event Normal SuccessfulDelete: delete Pod web-3 in StatefulSet web successful
            delete Pod web-2
            event Normal SuccessfulDelete: delete Pod web-2 in StatefulSet web successful
        "#]],
    );
}

#[test]
fn a_pod_gets_its_claims_first_and_they_go_as_the_policy_says() {
    let claims = "replicas: 1, volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce]}}], persistentVolumeClaimRetentionPolicy: {whenScaled: Delete, whenDeleted: Retain}";
    check(
        &set(claims, "replicas: 0"),
        expect![[r#"
            create PersistentVolumeClaim data-web-0
            event Normal SuccessfulCreate: create Claim data-web-0 Pod web-0 in StatefulSet web success
            create Pod web-0
            event Normal SuccessfulCreate: create Pod web-0 in StatefulSet web successful
        "#]],
    );
    let claim = |n: i32| {
        format!(
            "\n---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: data-web-{n}, namespace: a, uid: c{n}, resourceVersion: '5'}}"
        )
    };
    let pods = pod(0, "Running", "True", "web-one", "") + &pod(1, "Running", "True", "web-one", "");
    check(
        &(set(claims, "replicas: 2") + &pods + &claim(0) + &claim(1)),
        expect![[r#"
            patch PersistentVolumeClaim data-web-1  {"metadata":{"ownerReferences":[{"apiVersion":"v1","controller":true,"kind":"Pod","name":"web-1","uid":"p1"}],"resourceVersion":"5"}}
            delete Pod web-1
            event Normal SuccessfulDelete: delete Pod web-1 in StatefulSet web successful
        "#]],
    );
}

#[test]
fn a_finished_update_makes_its_revision_the_current_one_and_is_written_once() {
    let pods = pod(0, "Running", "True", "web-one", "");
    let status = "replicas: 1, currentReplicas: 1, updatedReplicas: 1, readyReplicas: 1".to_owned();
    let quiet = set("replicas: 1", &status).replace("availableReplicas: 0", "availableReplicas: 1") + &pods;
    assert_eq!(run(&quiet), "");
    let before = quiet.replace("currentRevision: web-one", "currentRevision: web-zero");
    assert!(run(&before).contains("\"currentRevision\":\"web-one\""));
}

const WILD: &str = "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web, namespace: a}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  serviceName: web
  revisionHistoryLimit: 2
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: one}]}}
  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete, whenDeleted: Retain}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce]}}]
---
apiVersion: v1
kind: Node
metadata: {name: n0}
---
apiVersion: v1
kind: Node
metadata: {name: n1}";

fn edit_set(world: &mut World, change: impl FnOnce(&mut Value)) {
    world.edit(&Resource::of::<StatefulSet>(), &Key::new("a", "web"), change);
}

fn in_order(world: &World) -> Result<(), String> {
    let sets: Vec<StatefulSet> = all(world);
    let pods: Vec<Pod> = all(world);
    let uids: Vec<_> = pods.iter().map(|pod| &pod.metadata.uid).collect();
    let expected = |pod: &Pod| pod.metadata.name == pod.spec.as_ref().and_then(|spec| spec.hostname.clone());
    if !pods.iter().all(expected) {
        return Err(format!("a pod has lost its identity: {uids:?}"));
    }
    let revisions: Vec<ControllerRevision> = all(world);
    let mut numbers: Vec<_> = revisions.iter().map(|one| one.revision).collect();
    numbers.sort_unstable();
    numbers.dedup();
    // A number may be there twice only while one is given anew.
    if sets.len() == 1 && numbers.len() + 1 < revisions.len() {
        return Err("revisions share their numbers".to_owned());
    }
    Ok(())
}

fn complete(world: &World) -> Result<(), String> {
    let sets: Vec<StatefulSet> = all(world);
    let set = &sets[0];
    let status = set.status.clone().unwrap_or_default();
    let wanted = set.spec.replicas.unwrap_or(1);
    let names: Vec<String> = all::<Pod>(world).into_iter().filter_map(|pod| pod.metadata.name).collect();
    let expected: Vec<String> = (0..wanted).map(|n| format!("web-{n}")).collect();
    let claims: Vec<String> =
        all::<PersistentVolumeClaim>(world).into_iter().filter_map(|one| one.metadata.name).collect();
    let revisions = all::<ControllerRevision>(world).len();
    if world.nodes() == 0
        || (names == expected
            && status.replicas == wanted
            && status.current_revision == status.update_revision
            && names.iter().all(|name| claims.contains(&format!("data-{name}")))
            && revisions <= 3)
    {
        Ok(())
    } else {
        Err(format!("pods {names:?} claims {claims:?} revisions {revisions} status {status:?}"))
    }
}

fn wild(policy: &'static str) -> Scenario {
    Scenario {
        controllers: &[CONTROLLER],
        yaml: policy,
        ends: Ends::Failing,
        edits: &[
            |world| edit_set(world, |set| set["spec"]["replicas"] = json!(1)),
            |world| edit_set(world, |set| set["spec"]["replicas"] = json!(4)),
            |world| edit_set(world, |set| set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("two")),
            |world| edit_set(world, |set| set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("one")),
            |world| edit_set(world, |set| set["spec"]["podManagementPolicy"] = json!("Parallel")),
            |world| edit_set(world, |set| set["spec"]["minReadySeconds"] = json!(5)),
        ],
        always: in_order,
        settled: complete,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_happens_each_identity_is_there_once_in_the_end(steps in sim::steps(250)) {
        sim::play(&wild(WILD), &steps)?;
    }
}
