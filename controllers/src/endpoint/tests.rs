//! Which Endpoints a Service gets.

use super::{CONTROLLER, Reconcile, watches};
use crate::testing::{at, caches, lines};
use client::action::{Action, Key};
use expect_test::{Expect, expect};

const SERVICE: &str = "apiVersion: v1
kind: Service
metadata: {name: web, namespace: a, uid: s1}
spec: {selector: {app: web}, clusterIP: 10.43.0.7, ports: [{port: 80, targetPort: 8080, protocol: TCP}]}";

fn pod(name: &str, ip: &str, ready: bool) -> String {
    let ready = if ready { "True" } else { "False" };
    format!(
        "\n---\napiVersion: v1\nkind: Pod
metadata: {{name: {name}, namespace: a, uid: {name}, resourceVersion: '5', labels: {{app: web}}}}
spec: {{nodeName: n1, containers: []}}
status: {{phase: Running, podIP: {ip}, conditions: [{{type: Ready, status: '{ready}'}}]}}"
    )
}

fn run(yaml: &str) -> Vec<Action> {
    let caches = caches(watches, yaml);
    let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
    reconcile(&Key::new("a", "web"), &caches, at(100))
}

fn check(yaml: &str, expected: Expect) {
    let actions = run(yaml);
    let text = actions.iter().map(|action| match action {
        Action::Create { object, .. } => format!("create {}\n", object["subsets"]),
        Action::Update { object, .. } => format!("update {}\n", object["subsets"]),
        other => lines(std::slice::from_ref(other)),
    });
    expected.assert_eq(&text.collect::<String>());
}

#[test]
fn ready_and_unready_pods_share_a_subset() {
    check(
        &format!("{SERVICE}{}{}", pod("a", "10.42.0.2", true), pod("b", "10.42.0.3", false)),
        expect![[r#"
        create [{"addresses":[{"ip":"10.42.0.2","nodeName":"n1","targetRef":{"kind":"Pod","name":"a","namespace":"a","uid":"a"}}],"notReadyAddresses":[{"ip":"10.42.0.3","nodeName":"n1","targetRef":{"kind":"Pod","name":"b","namespace":"a","uid":"b"}}],"ports":[{"port":8080,"protocol":"TCP"}]}]
    "#]],
    );
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    let yaml = format!("{SERVICE}{}", pod("a", "10.42.0.2", true));
    let Some(Action::Create { object, .. }) = run(&yaml).pop() else { panic!("created") };
    check(&format!("{yaml}\n---\n{object}"), expect![[r#""#]]);
}

#[test]
fn endpoints_of_a_deleted_service_go_unless_somebody_else_made_them() {
    let endpoints = "apiVersion: v1\nkind: Endpoints\nmetadata: {name: web, namespace: a, uid: e1, labels: {LABEL: endpoint-controller}}";
    check(
        &endpoints.replace("LABEL", "endpoints.kubernetes.io/managed-by"),
        expect![[r#"
        delete Endpoints web
    "#]],
    );
    check(&endpoints.replace("LABEL", "other"), expect![[r#""#]]);
}
