//! What becomes of claims, made and ended with their pods.

use super::*;
use crate::testing::{at, caches, lines};
use serde_json::Value;

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a, uid: p1}\nspec: {containers: [], resourceClaims: [{name: gpu, resourceClaimTemplateName: t}]}";
const TEMPLATE: &str = "apiVersion: resource.k8s.io/v1\nkind: ResourceClaimTemplate\nmetadata: {name: t, namespace: a, uid: t1}\nspec: {metadata: {labels: {team: x}}, spec: {devices: {requests: [{name: r, exactly: {deviceClassName: c}}]}}}";

fn making(yaml: &str) -> Vec<Action> {
    make(&Key::new("a", "p"), &caches(watches_of_pods, yaml))
}

fn own(more: &str) -> String {
    format!(
        "apiVersion: resource.k8s.io/v1\nkind: ResourceClaim\nmetadata: {{name: p-gpu-x, namespace: a, uid: c1, annotations: {{resource.kubernetes.io/pod-claim-name: gpu}}, ownerReferences: [{{apiVersion: v1, kind: Pod, name: p, uid: p1, controller: true}}]{more}}}"
    )
}

#[test]
fn a_pod_gets_a_claim_of_its_template_and_is_told_its_name() {
    let actions = making(&format!("{POD}\n---\n{TEMPLATE}"));
    let [Action::Create { object, .. }, Action::Patch { subresource: "status", body, .. }] = actions.as_slice() else {
        panic!("{}", lines(&actions));
    };
    let name = object["metadata"]["name"].as_str().expect("a name");
    assert!(name.starts_with("p-gpu-"), "{name}");
    assert_eq!(body["status"]["resourceClaimStatuses"], json!([{"name": "gpu", "resourceClaimName": name}]));
    assert_eq!(object["metadata"]["ownerReferences"][0]["uid"], "p1");
    assert_eq!(object["metadata"]["labels"]["team"], "x");
    assert_eq!(object["metadata"]["annotations"][CLAIM_OF_POD], "gpu");
    assert_eq!(object["spec"]["devices"]["requests"][0]["exactly"]["deviceClassName"], "c");
}

#[test]
fn a_claim_that_was_made_but_not_told_of_is_not_made_again() {
    let said = lines(&making(&format!("{POD}\n---\n{TEMPLATE}\n---\n{}", own(""))));
    assert_eq!(
        said,
        "patch Pod p status {\"metadata\":{\"uid\":\"p1\"},\"status\":{\"resourceClaimStatuses\":[{\"name\":\"gpu\",\"resourceClaimName\":\"p-gpu-x\"}]}}\n"
    );
    let told = "\nstatus: {resourceClaimStatuses: [{name: gpu, resourceClaimName: p-gpu-x}]}";
    assert_eq!(lines(&making(&format!("{POD}{told}\n---\n{TEMPLATE}\n---\n{}", own("")))), "");
}

#[test]
fn a_missing_template_is_said_and_a_pod_that_has_ended_gets_nothing() {
    let said = lines(&making(POD));
    assert_eq!(
        said,
        "event Warning FailedResourceClaimCreation: PodResourceClaim gpu: resource claim template \"t\": resourceclaimtemplate.resource.k8s.io \"t\" not found\n"
    );
    assert_eq!(lines(&making(&format!("{POD}\nstatus: {{phase: Failed}}\n---\n{TEMPLATE}"))), "");
}

#[test]
fn a_long_name_is_shortened_on_both_sides() {
    let pod =
        |name: &str| -> Pod { serde_json::from_value(json!({"metadata": {"name": name, "uid": "u"}})).expect("a pod") };
    let name = generated(&pod(&"p".repeat(100)), &"claim".repeat(10));
    assert!(name.len() <= 63 && name.starts_with("ppp") && name.contains("-claimclaim"), "{name}");
    assert!(generated(&pod("p"), "gpu").starts_with("p-gpu-"));
}

#[test]
fn a_pod_placed_by_others_reserves_what_it_uses() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a, uid: p1}\nspec: {nodeName: n, containers: [], resourceClaims: [{name: gpu, resourceClaimName: c}]}";
    let claim = |status: &str| {
        format!(
            "{pod}\n---\napiVersion: resource.k8s.io/v1\nkind: ResourceClaim\nmetadata: {{name: c, namespace: a, uid: c1}}\nstatus: {status}"
        )
    };
    assert_eq!(
        lines(&making(&claim("{allocation: {}}"))),
        "update ResourceClaim c status {\"allocation\":{},\"reservedFor\":[{\"name\":\"p\",\"resource\":\"pods\",\"uid\":\"p1\"}]}\n"
    );
    assert_eq!(lines(&making(&claim("{}"))), "");
}

/// A claim that is allocated, reserved for these pods.
fn reserved(pods: &[&str], more: &str) -> String {
    let consumers: Vec<String> =
        pods.iter().map(|name| format!("{{resource: pods, name: {name}, uid: {name}1}}")).collect();
    format!(
        "apiVersion: resource.k8s.io/v1\nkind: ResourceClaim\nmetadata: {{name: c, namespace: a, uid: c1, finalizers: [{PROTECTION}]{more}}}\nstatus: {{allocation: {{}}, reservedFor: [{}]}}",
        consumers.join(", ")
    )
}

fn pod(name: &str, phase: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: a, uid: {name}1}}\nstatus: {{phase: {phase}}}"
    )
}

fn tidying(yaml: &str, sights: &[Sight]) -> Vec<Action> {
    tidy(&Key::new("a", "c"), &caches(watches_of_claims, yaml), sights, at(0))
}

#[test]
fn a_claim_loses_its_devices_with_its_last_pod() {
    let both = reserved(&["p", "q"], "");
    let said = lines(&tidying(&format!("{both}\n---\n{}\n---\n{}", pod("p", "Succeeded"), pod("q", "Running")), &[]));
    let left = "update ResourceClaim c status {\"allocation\":{},\"reservedFor\":[{\"name\":\"q\",\"resource\":\"pods\",\"uid\":\"q1\"}]}\n";
    assert_eq!(said, left);
    let said = lines(&tidying(&format!("{}\n---\n{}", reserved(&["p"], ""), pod("p", "Failed")), &[]));
    assert_eq!(said, "update ResourceClaim c status null\n");
    assert_eq!(lines(&tidying(&format!("{}\n---\n{}", reserved(&["p"], ""), pod("p", "Running")), &[])), "");
}

#[test]
fn a_pod_that_no_cache_shows_is_asked_for_before_it_loses_its_devices() {
    let claim = reserved(&["p"], "");
    let caches = caches(watches_of_claims, &claim);
    let asked = look(&Key::new("a", "c"), &caches, at(0));
    assert_eq!(asked, [Look::Object { resource: Resource::of::<Pod>(), key: Key::new("a", "p") }]);
    let there = |uid: &str| Sight::Object(json!({"metadata": {"uid": uid}}));
    assert_eq!(lines(&tidying(&claim, &[there("p1")])), "");
    assert_eq!(lines(&tidying(&claim, &[Sight::Unknown(String::new())])), "again at 5\n");
    assert_eq!(lines(&tidying(&claim, &[there("p2")])), "update ResourceClaim c status null\n");
    assert_eq!(lines(&tidying(&claim, &[Sight::Absent])), "update ResourceClaim c status null\n");
}

fn finalizers(actions: &[Action]) -> Option<&Value> {
    match actions {
        [Action::Update { object, subresource: "", .. }] => Some(&object["metadata"]["finalizers"]),
        _ => None,
    }
}

#[test]
fn a_claim_that_goes_first_loses_its_devices_and_then_its_finalizer() {
    let going = ", deletionTimestamp: '1970-01-01T00:00:00Z'";
    assert_eq!(lines(&tidying(&reserved(&[], going), &[])), "update ResourceClaim c status null\n");
    let freed = reserved(&[], going).replace("allocation: {}, ", "");
    assert_eq!(finalizers(&tidying(&freed, &[])), Some(&json!([])));
    // While it lives, the scheduler may be about to allocate it.
    assert_eq!(lines(&tidying(&reserved(&[], "").replace("allocation: {}, ", ""), &[])), "");
}

#[test]
fn a_claim_that_has_just_lost_its_devices_loses_its_finalizer() {
    let run = |yaml: &str| tidy(&Key::new("a", "c/freed"), &caches(watches_of_claims, yaml), &[], at(0));
    assert_eq!(finalizers(&run(&reserved(&[], "").replace("allocation: {}, ", ""))), Some(&json!([])));
    assert_eq!(lines(&run(&reserved(&[], ""))), "");
}

#[test]
fn a_claim_made_for_a_pod_goes_when_that_has_ended() {
    let claim = own("").replace("name: p-gpu-x", "name: c");
    let run = |phase: &str| lines(&tidying(&format!("{claim}\n---\n{}", pod("p", phase)), &[]));
    assert_eq!(run("Succeeded"), "delete ResourceClaim c\n");
    assert_eq!(run("Pending"), "");
}
