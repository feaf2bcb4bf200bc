//! Who is collected, by what the graph shows and the server says.

use super::*;
use crate::testing::{at, documents, lines};
use client::action::Resource;
use client::cache::Served;
use expect_test::{Expect, expect};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use std::sync::Arc;

fn served(resource: Resource) -> Served {
    Served { resource, namespaced: true, verbs: vec!["delete".into()] }
}

/// The caches show `seen`; the server has `seen` and `also`. Judges the object with uid `uid`.
fn check(seen: &str, also: &str, uid: &str, expected: Expect) {
    let mut builder = Caches::offline();
    builder.watch::<Pod>().watch::<ReplicaSet>().metadata();
    let caches: Arc<Caches> = builder.offline_with(documents(seen)).unwrap();
    caches.metadata().serve(vec![served(Resource::of::<Pod>()), served(Resource::of::<ReplicaSet>())]);
    let existing: Vec<Value> = documents(seen).into_iter().chain(documents(also)).collect();
    expected.assert_eq(&judged(&caches, &existing, uid));
}

fn judged(caches: &Caches, existing: &[Value], uid: &str) -> String {
    let key = Key::new("", uid);
    let sights: Vec<Sight> = look(&key, caches, at(0))
        .iter()
        .map(|look| match look {
            Look::Object { resource, key } => existing
                .iter()
                .find(|o| o["kind"] == *resource.kind && o["metadata"]["name"] == key.name)
                .map_or(Sight::Absent, |object| Sight::Object(object.clone())),
            other => panic!("not asked by the collector: {other:?}"),
        })
        .collect();
    lines(&reconcile(&key, caches, &sights, at(100)))
}

fn pod(owners: &str) -> String {
    format!(
        "\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: a, uid: p, resourceVersion: '5', ownerReferences: [{owners}]}}"
    )
}

fn rs(meta: &str) -> String {
    format!(
        "\n---\napiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {{name: web, namespace: a, uid: rs1, resourceVersion: '4', {meta}}}"
    )
}

const BY_RS: &str =
    "{apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: rs1, controller: true, blockOwnerDeletion: true}";
const GOING: &str = "deletionTimestamp: '1970-01-01T00:00:00Z', finalizers: [FINALIZER]";

#[test]
fn a_dependent_of_an_existing_owner_stays() {
    check(&format!("{}{}", rs(""), pod(BY_RS)), "", "p", expect![[r#""#]]);
}

#[test]
fn a_dependent_of_an_absent_owner_goes_in_the_background() {
    check(
        &pod(BY_RS),
        "",
        "p",
        expect![[r#"
        delete Pod p Background
    "#]],
    );
}

#[test]
fn an_owner_that_only_the_server_knows_is_an_owner() {
    check(&pod(BY_RS), &rs(""), "p", expect![[r#""#]]);
}

#[test]
fn a_namesake_of_the_owner_is_no_owner() {
    check(
        &pod(BY_RS),
        &rs("").replace("uid: rs1", "uid: rs2"),
        "p",
        expect![[r#"
        delete Pod p Background
    "#]],
    );
}

#[test]
fn one_living_owner_is_enough_and_the_dead_one_is_forgotten() {
    let other = "{apiVersion: v1, kind: Pod, name: gone, uid: gone}";
    check(
        &format!("{}{}", rs(""), pod(&format!("{BY_RS}, {other}"))),
        "",
        "p",
        expect![[r#"
        patch Pod p  {"metadata":{"ownerReferences":[{"apiVersion":"apps/v1","blockOwnerDeletion":true,"controller":true,"kind":"ReplicaSet","name":"web","uid":"rs1"}],"resourceVersion":"5","uid":"p"}}
    "#]],
    );
}

#[test]
fn an_owner_of_a_kind_that_is_not_served_is_never_called_absent() {
    check(&pod("{apiVersion: example.com/v1, kind: Widget, name: w, uid: w}"), "", "p", expect![""]);
}

#[test]
fn an_owner_that_was_seen_to_go_is_absent_though_its_kind_went_with_it() {
    let mut builder = Caches::offline();
    builder.watch::<Pod>().watch::<ReplicaSet>().metadata();
    let caches: Arc<Caches> = builder.offline_with(documents(&format!("{}{}", rs(""), pod(BY_RS)))).unwrap();
    caches.metadata().serve(vec![served(Resource::of::<Pod>()), served(Resource::of::<ReplicaSet>())]);
    let mut last = documents(&rs("")).remove(0);
    last["metadata"]["resourceVersion"] = "9".into();
    caches.remove(last).unwrap();
    caches.metadata().serve(vec![served(Resource::of::<Pod>())]);
    let itself = Sight::Object(documents(&pod(BY_RS)).remove(0));
    let key = Key::new("", "p");
    assert_eq!(look(&key, &caches, at(0)).len(), 1, "where there is no kind, nobody can be asked");
    expect![[r#"
        delete Pod p Background
    "#]]
    .assert_eq(&lines(&reconcile(&key, &caches, &[itself], at(100))));
}

#[test]
fn a_foreground_deletion_takes_dependents_first_and_then_lets_the_owner_go() {
    let going = rs(&GOING.replace("FINALIZER", "foregroundDeletion"));
    check(
        &format!("{going}{}", pod(BY_RS)),
        "",
        "p",
        expect![[r#"
        delete Pod p Background
    "#]],
    );
    check(&format!("{going}{}", pod(BY_RS)), "", "rs1", expect![[r#""#]]);
    check(
        &going,
        "",
        "rs1",
        expect![[r#"
        patch ReplicaSet web  {"metadata":{"finalizers":null,"resourceVersion":"4","uid":"rs1"}}
    "#]],
    );
}

#[test]
fn an_orphaning_deletion_frees_the_dependents_and_lets_the_owner_go() {
    let going = rs(&GOING.replace("FINALIZER", "orphan"));
    check(
        &format!("{going}{}", pod(BY_RS)),
        "",
        "rs1",
        expect![[r#"
        patch Pod p  {"metadata":{"ownerReferences":null,"resourceVersion":"5","uid":"p"}}
        patch ReplicaSet web  {"metadata":{"finalizers":null,"resourceVersion":"4","uid":"rs1"}}
    "#]],
    );
}

/// Its watch lags behind that of the owner, who could not wait for what nobody knew.
#[test]
fn a_dependent_that_is_seen_when_its_owner_has_gone_and_orphaned_the_others_stays() {
    let mut builder = Caches::offline();
    builder.watch::<Pod>().watch::<ReplicaSet>().metadata();
    let caches: Arc<Caches> = builder.offline_with(documents(&rs(&GOING.replace("FINALIZER", "orphan")))).unwrap();
    caches.metadata().serve(vec![served(Resource::of::<Pod>()), served(Resource::of::<ReplicaSet>())]);
    caches.remove(documents(&rs(&GOING.replace("FINALIZER", "orphan"))).remove(0)).unwrap();
    let late = documents(&pod(BY_RS));
    caches.insert(late[0].clone()).unwrap();
    expect![[r#"
        patch Pod p  {"metadata":{"ownerReferences":null,"resourceVersion":"5","uid":"p"}}
    "#]]
    .assert_eq(&judged(&caches, &late, "p"));
}
