//! Which slices mirror hand-written Endpoints.

use super::{CONTROLLER, reconcile};
use crate::testing::{caches, lines};
use client::action::{Action, Key};
use serde_json::json;

const SERVICE: &str =
    "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: a, uid: s}\nspec: {ports: [{port: 80}]}";
const ENDPOINTS: &str = "\n---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: s, namespace: a, uid: e, labels: {team: x}}
subsets: [{addresses: [{ip: 10.1.2.3}], notReadyAddresses: [{ip: 10.1.2.4}], ports: [{name: web, port: 8080, protocol: TCP}]}]";

fn run(yaml: &str) -> Vec<Action> {
    reconcile(&Key::new("a", "s"), &caches(CONTROLLER.watches, yaml))
}

fn slice(yaml: &str) -> serde_json::Value {
    let [Action::Create { object, .. }] = &run(yaml)[..] else { panic!("one slice is created") };
    let mut object = object.clone();
    object["apiVersion"] = json!("discovery.k8s.io/v1");
    object["kind"] = json!("EndpointSlice");
    object["metadata"]["uid"] = json!("u");
    object
}

#[test]
fn endpoints_of_a_service_without_selector_are_mirrored_once() {
    let yaml = format!("{SERVICE}{ENDPOINTS}");
    let made = slice(&yaml);
    assert_eq!(
        made["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"],
        "endpointslicemirroring-controller.k8s.io"
    );
    assert_eq!(
        (&made["metadata"]["labels"]["kubernetes.io/service-name"], &made["metadata"]["labels"]["team"]),
        (&json!("s"), &json!("x"))
    );
    let endpoints = &made["endpoints"];
    assert_eq!(
        (&endpoints[0]["conditions"]["ready"], &endpoints[1]["conditions"]["ready"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(lines(&run(&format!("{yaml}\n---\n{made}"))), "");
    let moved = yaml.replace("10.1.2.3", "10.1.2.9");
    assert!(lines(&run(&format!("{moved}\n---\n{made}"))).starts_with("update EndpointSlice s-"));
}

#[test]
fn slices_go_with_their_endpoints() {
    let made = slice(&format!("{SERVICE}{ENDPOINTS}"));
    assert!(lines(&run(&format!("{SERVICE}\n---\n{made}"))).starts_with("delete EndpointSlice s-"));
}

#[test]
fn selected_skipped_and_lock_endpoints_are_not_mirrored() {
    let selected = SERVICE.replace("spec: {", "spec: {selector: {app: x}, ");
    assert_eq!(lines(&run(&format!("{selected}{ENDPOINTS}"))), "");
    let skipped = ENDPOINTS.replace("team: x", "endpointslice.kubernetes.io/skip-mirror: 'true'");
    assert_eq!(lines(&run(&format!("{SERVICE}{skipped}"))), "");
}
