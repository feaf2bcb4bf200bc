//! What becomes of a Deployment's configuration, by what there is of it.

use super::{look, reconcile, watches};
use crate::testing::{at, caches, documents, lines};
use client::action::{Action, Key};
use client::controller::{Look, Sight};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

/// With these annotations; its pods read the ConfigMap `site`, and the Secret `key` if it is there.
fn deployment(annotations: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: a, uid: d1, generation: 2, resourceVersion: '9', annotations: {{{annotations}}}}}
spec: {{selector: {{matchLabels: {{app: web}}}}, template: {{metadata: {{labels: {{app: web}}}}, spec: {{
  containers: [{{name: c, envFrom: [{{configMapRef: {{name: site}}}}, {{secretRef: {{name: key, optional: true}}}}]}}]}}}}}}"
    )
}

/// A revision that reads the ConfigMap by this name.
fn revision(name: &str, site: &str) -> String {
    format!(
        "\n---\napiVersion: apps/v1\nkind: ReplicaSet
metadata: {{name: web-{name}, namespace: a, uid: r{name}, ownerReferences: [{{apiVersion: apps/v1, kind: Deployment, name: web, uid: d1, controller: true}}]}}
spec: {{selector: {{}}, template: {{spec: {{containers: [{{name: c, envFrom: [{{configMapRef: {{name: {site}}}}}]}}]}}}}}}"
    )
}

const WISH: &str = "drover.dev/roll-on-config-change: 'true'";

fn map(name: &str, more: &str) -> String {
    format!(
        "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, uid: u-{name}{more}}}\ndata: {{color: blue}}"
    )
}

fn copy(name: &str) -> String {
    map(name, ", labels: {drover.dev/snapshot-of: d1}")
}

/// The caches show `seen`, the server has `there`.
fn run(seen: &str, there: &str) -> Vec<Action> {
    let (caches, key) = (caches(watches, seen), Key::new("a", "web"));
    let there = documents(there);
    let answer = |look: &Look| {
        let Look::Document { path } = look else { panic!("only documents are looked at: {look:?}") };
        let last = path.rsplit('/').next().unwrap();
        let kind = if path.contains("configmaps") { "ConfigMap" } else { "Secret" };
        let mut of_kind = there.iter().filter(|object| object["kind"] == kind);
        if last.contains("labelSelector=drover.dev%2Fsnapshot-of%3Dd1") || path.contains("?labelSelector") {
            let copies: Vec<&Value> = of_kind.filter(|object| !object["metadata"]["labels"].is_null()).collect();
            return Sight::Object(json!({"items": copies}));
        }
        of_kind
            .find(|object| object["metadata"]["name"] == last)
            .map_or(Sight::Absent, |found| Sight::Object(found.clone()))
    };
    let sights: Vec<Sight> = look(&key, &caches, at(0)).iter().map(answer).collect();
    reconcile(&key, &caches, &sights, at(100))
}

fn check(seen: &str, there: &str, expected: Expect) {
    expected.assert_eq(&lines(&run(seen, there)));
}

/// The name that the copy of the blue ConfigMap has.
fn blue() -> String {
    let actions = run(&deployment(WISH), &map("site", ""));
    let Some(Action::Create { object, .. }) = actions.first() else { panic!("{actions:?}") };
    assert_eq!((&object["immutable"], &object["data"]["color"]), (&json!(true), &json!("blue")));
    assert_eq!(object["metadata"]["ownerReferences"][0]["uid"], "d1");
    object["metadata"]["name"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_read_is_copied_and_what_may_be_missing_is_read_as_it_is() {
    check(
        &deployment(WISH),
        &map("site", ""),
        expect![[r#"
        create ConfigMap site-47ef793c75
        patch Deployment web  {"metadata":{"annotations":{"drover.dev/config-snapshots":"configmap/site=site-47ef793c75, secret/key=key"},"uid":"d1"}}
    "#]],
    );
}

#[test]
fn nothing_is_done_when_nothing_changed_or_nobody_wishes_it() {
    let named = format!("{WISH}, drover.dev/config-snapshots: 'configmap/site={}, secret/key=key'", blue());
    check(&deployment(&named), &format!("{}{}", map("site", ""), copy(&blue())), expect![[""]]);
    check(&deployment(""), &map("site", ""), expect![[""]]);
}

#[test]
fn other_content_is_another_copy_and_the_old_one_stays_while_a_revision_reads_it() {
    let named = format!("{WISH}, drover.dev/config-snapshots: 'configmap/site=site-old, secret/key=key'");
    let there = format!("{}{}{}", map("site", ""), copy("site-old"), copy("site-older"));
    check(
        &format!("{}{}", deployment(&named), revision("1", "site-old")),
        &there,
        expect![[r#"
        create ConfigMap site-47ef793c75
        delete ConfigMap site-older
        patch Deployment web  {"metadata":{"annotations":{"drover.dev/config-snapshots":"configmap/site=site-47ef793c75, secret/key=key"},"uid":"d1"}}
        event Normal ConfigChanged: configmap/site has changed; new pods read it as site-47ef793c75
    "#]],
    );
}

#[test]
fn a_revision_that_came_back_reads_its_copy_as_it_is() {
    let back = deployment(WISH).replace("name: site}", "name: site-old}");
    check(
        &back,
        &copy("site-old"),
        expect![[r#"
        patch Deployment web  {"metadata":{"annotations":{"drover.dev/config-snapshots":"configmap/site-old=site-old, secret/key=key"},"uid":"d1"}}
    "#]],
    );
}

#[test]
fn what_is_missing_and_needed_is_waited_for() {
    check(
        &deployment(WISH),
        "",
        expect![[r#"
        patch Deployment web  {"metadata":{"annotations":{"drover.dev/config-snapshots":"secret/key=key"},"uid":"d1"}}
        event Warning ConfigMissing: configmap/site does not exist, and the rollout waits for it
    "#]],
    );
}

#[test]
fn without_the_wish_copies_go_when_no_revision_reads_them_and_then_the_names() {
    let named = "drover.dev/config-snapshots: 'configmap/site=site-old'";
    check(&format!("{}{}", deployment(named), revision("1", "site-old")), &copy("site-old"), expect![[""]]);
    check(
        &deployment(named),
        &copy("site-old"),
        expect![[r#"
        delete ConfigMap site-old
    "#]],
    );
    check(
        &deployment(named),
        "",
        expect![[r#"
        patch Deployment web  {"metadata":{"annotations":{"drover.dev/config-snapshots":null},"uid":"d1"}}
    "#]],
    );
}
