//! How claims and volumes find each other.

use super::{CONTROLLER, claims_concerned, reconcile};
use crate::testing::{at, caches, lines};
use client::action::Key;
use expect_test::{Expect, expect};
use k8s_openapi::api::core::v1::PersistentVolume;

const CLAIM: &str = "apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: c, namespace: a, uid: c1, resourceVersion: '3'}
spec: {storageClassName: fast, accessModes: [ReadWriteOnce], resources: {requests: {storage: 5Gi}}}
status: {phase: Pending}";

fn volume(name: &str, size: &str, extra: &str) -> String {
    format!(
        "\n---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {{name: {name}, uid: {name}, resourceVersion: '7'}}\nspec: {{storageClassName: fast, accessModes: [ReadWriteOnce], capacity: {{storage: {size}}}, {extra}}}\nstatus: {{phase: Available}}"
    )
}

fn class(mode: &str) -> String {
    format!(
        "\n---\napiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {{name: fast}}\nprovisioner: example.com/disk\nvolumeBindingMode: {mode}"
    )
}

fn claim(yaml: &str) -> String {
    lines(&reconcile(&Key::new("a", "c"), &caches(CONTROLLER.watches, yaml), at(100)))
}

fn check_volume(yaml: &str, expected: Expect) {
    expected.assert_eq(&lines(&reconcile(&Key::new("", "v"), &caches(CONTROLLER.watches, yaml), at(100))));
}

#[test]
fn the_smallest_volume_that_fits_is_bound_volume_first() {
    let yaml = CLAIM.to_owned() + &volume("big", "50Gi", "") + &volume("v", "5Gi", "") + &volume("small", "1Gi", "");
    expect![[r#"
        patch PersistentVolume v  {"metadata":{"annotations":{"pv.kubernetes.io/bound-by-controller":"yes"},"resourceVersion":"7"},"spec":{"claimRef":{"apiVersion":"v1","kind":"PersistentVolumeClaim","name":"c","namespace":"a","resourceVersion":"3","uid":"c1"}}}
        patch PersistentVolumeClaim c  {"metadata":{"annotations":{"pv.kubernetes.io/bind-completed":"yes","pv.kubernetes.io/bound-by-controller":"yes"},"uid":"c1"},"spec":{"volumeName":"v"}}
        patch PersistentVolumeClaim c status {"status":{"accessModes":["ReadWriteOnce"],"capacity":{"storage":"5Gi"},"phase":"Bound"}}
    "#]]
    .assert_eq(&claim(&yaml));
}

#[test]
fn a_volume_of_another_class_mode_or_claim_does_not_fit() {
    let taken = volume("v", "5Gi", "claimRef: {namespace: a, name: other, uid: o}");
    let block = volume("w", "5Gi", "volumeMode: Block");
    let text = claim(&(CLAIM.to_owned() + &taken + &block + &class("Immediate")));
    assert!(text.contains("\"volume.kubernetes.io/storage-provisioner\":\"example.com/disk\""), "{text}");
    assert!(text.contains("event Normal ExternalProvisioning: Waiting for a volume to be created"), "{text}");
}

#[test]
fn late_binding_waits_for_the_first_pod_and_then_goes_by_its_node() {
    let late = CLAIM.to_owned()
        + &class("WaitForFirstConsumer")
        + &volume(
            "v",
            "5Gi",
            "nodeAffinity: {required: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [n1]}]}]}}",
        );
    assert_eq!(
        claim(&late),
        "event Normal WaitForFirstConsumer: waiting for first consumer to be created before binding\n"
    );
    let on = |node: &str| {
        format!(
            "{late}\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: a, uid: p}}\nspec: {{nodeName: {node}, containers: [], volumes: [{{name: d, persistentVolumeClaim: {{claimName: c}}}}]}}\n---\napiVersion: v1\nkind: Node\nmetadata: {{name: {node}}}"
        )
    };
    assert!(claim(&on("n1")).starts_with("patch PersistentVolume v"));
    assert!(claim(&on("n2")).contains("storage-provisioner"));
}

#[test]
fn a_claim_without_class_and_volume_is_told_so() {
    let text = claim(&CLAIM.replace("storageClassName: fast, ", ""));
    assert_eq!(
        text,
        "event Normal FailedBinding: no persistent volumes available for this claim and no storage class is set\n"
    );
    assert_eq!(claim(CLAIM), "event Warning ProvisioningFailed: storageclass.storage.k8s.io \"fast\" not found\n");
}

#[test]
fn a_claim_that_names_no_class_gets_the_default_one() {
    let default = class("Immediate")
        .replace("name: fast", "name: fast, annotations: {storageclass.kubernetes.io/is-default-class: 'true'}");
    let text = claim(&(CLAIM.replace("storageClassName: fast, ", "") + &default));
    assert_eq!(
        text,
        "patch PersistentVolumeClaim c  {\"metadata\":{\"uid\":\"c1\"},\"spec\":{\"storageClassName\":\"fast\"}}\n"
    );
    // An empty name asks for no class.
    let none = claim(&(CLAIM.replace("storageClassName: fast", "storageClassName: ''") + &default));
    assert!(none.starts_with("event Normal FailedBinding"), "{none}");
}

#[test]
fn a_bound_claim_whose_volume_is_gone_is_lost() {
    let bound = CLAIM
        .replace("resourceVersion: '3'", "annotations: {pv.kubernetes.io/bind-completed: 'yes'}")
        .replace("spec: {", "spec: {volumeName: v, ");
    let text = claim(&bound);
    assert!(text.contains(r#"{"status":{"phase":"Lost"}}"#) && text.contains("event Warning ClaimLost"), "{text}");
}

/// Nothing else may happen any more that would make somebody look at the claim.
#[test]
fn a_volume_that_appears_wakes_the_claims_that_name_it() {
    let naming = CLAIM.replace("spec: {", "spec: {volumeName: v, ");
    let other = naming.replace("name: c,", "name: other,").replace("volumeName: v", "volumeName: w");
    let caches = caches(CONTROLLER.watches, &format!("{naming}\n---\n{other}{}", volume("v", "5Gi", "")));
    let free = caches.of::<PersistentVolume>().get("", "v").unwrap();
    assert_eq!(claims_concerned(&free, &caches), [Key::new("a", "c")]);
}

#[test]
fn a_volume_is_released_with_its_claim_and_kept() {
    let tied = volume("v", "5Gi", "persistentVolumeReclaimPolicy: Retain, claimRef: {namespace: a, name: c, uid: c1}")
        .replacen("\n---\n", "", 1);
    check_volume(
        &tied,
        expect![[r#"
            patch PersistentVolume v status {"status":{"lastPhaseTransitionTime":"1970-01-01T00:01:40Z","message":null,"phase":"Released"}}
        "#]],
    );
    let bound = format!("{tied}\n---\n{}", CLAIM.replace("spec: {", "spec: {volumeName: v, "));
    check_volume(
        &bound,
        expect![[r#"
            patch PersistentVolume v status {"status":{"lastPhaseTransitionTime":"1970-01-01T00:01:40Z","message":null,"phase":"Bound"}}
        "#]],
    );
}
