//! Which slices a Service gets.

use super::{CONTROLLER, Reconcile, watches};
use crate::testing::{at, caches, lines};
use client::action::{Action, Key};
use expect_test::{Expect, expect};
use serde_json::Value;
use std::fmt::Write as _;

const SERVICE: &str = "apiVersion: v1
kind: Service
metadata: {name: web, namespace: a, uid: s1, labels: {tier: front}}
spec: {selector: {app: web}, clusterIP: 10.43.0.7, ports: [{name: http, port: 80, targetPort: web, protocol: TCP}]}";

fn pod(name: &str, ip: &str, ready: bool, meta: &str) -> String {
    let ready = if ready { "True" } else { "False" };
    format!(
        "\n---\napiVersion: v1\nkind: Pod
metadata: {{name: {name}, namespace: a, uid: {name}, resourceVersion: '5', {meta} labels: {{app: web}}}}
spec: {{nodeName: n1, containers: [{{name: c, ports: [{{name: web, containerPort: 8080, protocol: TCP}}]}}]}}
status: {{phase: Running, podIPs: [{{ip: {ip}}}], conditions: [{{type: Ready, status: '{ready}'}}]}}"
    )
}

fn run(yaml: &str) -> Vec<Action> {
    let caches = caches(watches, yaml);
    let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
    reconcile(&Key::new("a", "web"), &caches, at(100))
}

/// The slices an action writes, as `ip ready/serving/terminating`.
fn shown(actions: &[Action]) -> String {
    let mut text = String::new();
    for action in actions {
        let (Action::Create { object, .. } | Action::Update { object, .. }) = action else {
            text.push_str(&lines(std::slice::from_ref(action)));
            continue;
        };
        let verb = if matches!(action, Action::Create { .. }) { "create" } else { "update" };
        let ports: Vec<String> =
            object["ports"].as_array().into_iter().flatten().map(|p| p["port"].to_string()).collect();
        write!(text, "{verb} {} ports {}:", object["addressType"].as_str().unwrap(), ports.join(",")).unwrap();
        for endpoint in object["endpoints"].as_array().into_iter().flatten() {
            let is =
                |field: &str| endpoint["conditions"][field].as_bool().map_or('-', |yes| if yes { 'y' } else { 'n' });
            let ip = endpoint["addresses"][0].as_str().unwrap();
            write!(text, " {ip} {}{}{}", is("ready"), is("serving"), is("terminating")).unwrap();
        }
        text.push('\n');
    }
    text
}

fn check(yaml: &str, expected: Expect) {
    expected.assert_eq(&shown(&run(yaml)));
}

/// The documents as they would be after the actions.
fn slices_of(actions: &[Action]) -> String {
    let objects = actions.iter().filter_map(|action| match action {
        Action::Create { object, .. } | Action::Update { object, .. } => Some(object.clone()),
        _ => None,
    });
    objects.map(|object: Value| format!("\n---\n{object}")).collect()
}

#[test]
fn a_service_without_pods_has_one_empty_slice() {
    check(
        SERVICE,
        expect![[r#"
        create IPv4 ports :
    "#]],
    );
}

#[test]
fn pods_are_listed_with_their_conditions_and_named_ports_resolved() {
    let pods = [
        pod("a", "10.42.0.2", true, ""),
        pod("b", "10.42.0.3", false, ""),
        pod("c", "10.42.0.4", true, "deletionTimestamp: '1970-01-01T00:00:00Z',"),
    ]
    .concat();
    check(
        &format!("{SERVICE}{pods}"),
        expect![[r#"
        create IPv4 ports 8080: 10.42.0.2 yyn 10.42.0.3 nnn 10.42.0.4 nyy
    "#]],
    );
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    let pods = [pod("a", "10.42.0.2", true, ""), pod("b", "10.42.0.3", false, "")].concat();
    let yaml = format!("{SERVICE}{pods}");
    let slices = slices_of(&run(&yaml));
    check(&format!("{yaml}{slices}"), expect![[r#""#]]);
}

#[test]
fn a_change_of_one_pod_updates_one_slice_in_place() {
    let before = format!("{SERVICE}{}{}", pod("a", "10.42.0.2", true, ""), pod("b", "10.42.0.3", false, ""));
    let slices = slices_of(&run(&before));
    let after =
        [pod("a", "10.42.0.2", true, ""), pod("b", "10.42.0.3", true, ""), pod("c", "10.42.0.4", true, "")].concat();
    check(
        &format!("{SERVICE}{after}{slices}"),
        expect![[r#"
        update IPv4 ports 8080: 10.42.0.2 yyn 10.42.0.3 yyn 10.42.0.4 yyn
    "#]],
    );
}

#[test]
fn a_hundred_endpoints_fill_a_slice() {
    let pods: String = (0..150).map(|i| pod(&format!("p{i:03}"), &format!("10.42.0.{i}"), true, "")).collect();
    let sizes: Vec<usize> = run(&format!("{SERVICE}{pods}"))
        .iter()
        .map(|action| match action {
            Action::Create { object, .. } => object["endpoints"].as_array().unwrap().len(),
            _ => 0,
        })
        .collect();
    assert_eq!(sizes, [100, 50]);
}

#[test]
fn a_service_without_selector_is_left_alone() {
    check(&SERVICE.replace("selector: {app: web}, ", ""), expect![[r#""#]]);
}

#[test]
fn a_service_that_publishes_unready_pods_shows_them_ready() {
    let service = SERVICE.replace("spec: {", "spec: {publishNotReadyAddresses: true, ");
    check(
        &format!("{service}{}", pod("a", "10.42.0.2", false, "")),
        expect![[r#"
        create IPv4 ports 8080: 10.42.0.2 ynn
    "#]],
    );
}

/// `ip nodes/zones` of each endpoint's hints.
fn hints(distribution: &str, zone: &str) -> String {
    let service = SERVICE.replace("clusterIP", &format!("trafficDistribution: {distribution}, clusterIP"));
    let node = format!("\n---\napiVersion: v1\nkind: Node\nmetadata: {{name: n1, labels: {{{zone}}}}}");
    let pods = pod("a", "10.42.0.2", true, "") + &pod("b", "10.42.0.3", false, "");
    let actions = run(&format!("{service}{node}{pods}"));
    let [Action::Create { object, .. }] = actions.as_slice() else { panic!("one slice") };
    let names = |endpoint: &Value, field: &str| -> String {
        endpoint["hints"][field].as_array().into_iter().flatten().filter_map(|hint| hint["name"].as_str()).collect()
    };
    let shown = |endpoint: &Value| {
        let ip = endpoint["addresses"][0].as_str().unwrap_or_default();
        format!("{ip} {}/{}", names(endpoint, "forNodes"), names(endpoint, "forZones"))
    };
    object["endpoints"].as_array().unwrap().iter().map(shown).collect::<Vec<_>>().join(", ")
}

#[test]
fn ready_endpoints_are_hinted_as_the_service_prefers() {
    const EAST: &str = "topology.kubernetes.io/zone: east";
    assert_eq!(hints("PreferClose", EAST), "10.42.0.2 /east, 10.42.0.3 /");
    assert_eq!(hints("PreferSameZone", EAST), "10.42.0.2 /east, 10.42.0.3 /");
    assert_eq!(hints("PreferSameNode", EAST), "10.42.0.2 n1/east, 10.42.0.3 /");
    assert_eq!(hints("PreferSameNode", ""), "10.42.0.2 n1/, 10.42.0.3 /");
    assert_eq!(hints("PreferClose", ""), "10.42.0.2 /, 10.42.0.3 /");
}
