//! Rollouts against a world that fails: never more pods asked for than maxSurge allows, and in the end only the newest template.

use super::CONTROLLER;
use crate::replica_set;
use crate::sim::{self, Ends, Scenario, World, all};
use client::action::{Key, Resource};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use proptest::prelude::*;
use serde_json::{Value, json};

const WILD: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: a}
spec:
  replicas: 3
  revisionHistoryLimit: 1
  progressDeadlineSeconds: 600
  selector: {matchLabels: {app: web}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: one}]}}
---
apiVersion: v1
kind: Node
metadata: {name: n0}
---
apiVersion: v1
kind: Node
metadata: {name: n1}";

fn edit(world: &mut World, change: impl FnOnce(&mut Value)) {
    world.edit(&Resource::of::<Deployment>(), &Key::new("a", "web"), change);
}

fn live(world: &World) -> Vec<Pod> {
    let mut pods: Vec<Pod> = all(world);
    pods.retain(crate::pod::is_active);
    pods
}

/// What is asked for, over all ReplicaSets: pods that are to go may still be there (k8s counts the same).
fn within_surge(world: &World) -> Result<(), String> {
    let asked: Vec<i32> = all::<ReplicaSet>(world).iter().filter_map(|set| set.spec.replicas).collect();
    let sum: i32 = asked.iter().sum();
    if sum <= 4 { Ok(()) } else { Err(format!("{asked:?} pods for 3 replicas and maxSurge 1")) }
}

fn rolled_out(world: &World) -> Result<(), String> {
    let deployments: Vec<Deployment> = all(world);
    let wanted = deployments[0].spec.template.spec.as_ref().and_then(|spec| spec.containers[0].image.clone());
    let images: Vec<Option<String>> =
        live(world).into_iter().filter_map(|pod| pod.spec).map(|spec| spec.containers[0].image.clone()).collect();
    let sets = all::<ReplicaSet>(world).len();
    let status = deployments[0].status.clone().unwrap_or_default();
    if world.nodes() == 0 || (images == vec![wanted; 3] && sets <= 2 && status.available_replicas == Some(3)) {
        Ok(())
    } else {
        Err(format!("{images:?} in {sets} ReplicaSets, {status:?}"))
    }
}

const SCENARIO: Scenario = Scenario {
    controllers: &[CONTROLLER, replica_set::CONTROLLER],
    yaml: WILD,
    ends: Ends::Failing,
    edits: &[
        |world| edit(world, |web| web["spec"]["template"]["spec"]["containers"][0]["image"] = json!("two")),
        |world| edit(world, |web| web["spec"]["template"]["spec"]["containers"][0]["image"] = json!("three")),
        |world| edit(world, |web| web["spec"]["template"]["spec"]["containers"][0]["image"] = json!("one")),
    ],
    always: within_surge,
    settled: rolled_out,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_rollout_never_exceeds_its_surge_and_ends_whatever_happens(steps in sim::steps(250)) {
        sim::play(&SCENARIO, &steps)?;
    }
}
