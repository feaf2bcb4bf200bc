//! Who gets an image that is on the node already.

use crate::world::{World, pod_path};
use serde_json::{Value, json};
use std::time::Duration;

const IMAGE: &str = "r.example/private:1";

fn pod(policy: &str, secret: Option<&str>) -> Value {
    let secrets: Vec<Value> = secret.into_iter().map(|name| json!({ "name": name })).collect();
    json!({
        "terminationGracePeriodSeconds": 0, "imagePullSecrets": secrets,
        "containers": [{ "name": "a", "image": IMAGE, "imagePullPolicy": policy }],
    })
}

fn secret(world: &World, name: &str, user: &str) {
    let config = json!({ "auths": { "r.example": { "username": user, "password": "x" } } }).to_string();
    let data = json!({ ".dockerconfigjson": base64::Engine::encode(&base64::prelude::BASE64_STANDARD, config) });
    let object = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name, "namespace": "default" }, "data": data });
    world.api.put(&format!("/api/v1/namespaces/default/secrets/{name}"), object);
}

/// Waits until the pod's container says why it waits.
async fn refused(world: &World, name: &str, reason: &str) -> Value {
    let waits = |pod: &Value| pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == reason;
    world.until(name, |pod| pod.is_some_and(waits)).await.unwrap()
}

#[tokio::test]
async fn an_image_that_credentials_fetched_is_for_pods_that_have_them() {
    let mut world = World::new();
    secret(&world, "one", "user");
    secret(&world, "same", "user");
    secret(&world, "other", "stranger");
    world.pod("first", pod("IfNotPresent", Some("one")));
    world.until_ready("first").await;
    world.pod("same", pod("Never", Some("same")));
    world.until_ready("same").await;
    // The registry is asked again, and refuses.
    world.pod("none", pod("IfNotPresent", None));
    refused(&world, "none", "ErrImagePull").await;
    world.pod("stranger", pod("IfNotPresent", Some("other")));
    refused(&world, "stranger", "ErrImagePull").await;

    world.stop_agent().await;
    world.start_agent();
    world.pod("never", pod("Never", None));
    let pod = refused(&world, "never", "ErrImageNeverPull").await;
    let said = &pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"];
    let expected = format!(
        "Container image \"{IMAGE}\" is present with pull policy of Never but does not have the proper credentials to access the image"
    );
    assert_eq!(said, &json!(expected));
    world.close().await;
}

/// Waits until no pull is left whose end the agent does not know.
async fn settled(world: &World) {
    let file = world.dir.path().join("agent/pulled-images.json");
    let settled = || {
        let written: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        written["unfinished"] == json!([])
    };
    assert!(!settled(), "the pull was written down before it began");
    while !settled() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_pull_that_was_cut_off_and_brought_nothing_shuts_nobody_out() {
    let mut world = World::new();
    let gate = world.cri.hold_pulls();
    world.pod("deleted", pod("IfNotPresent", None));
    world.cri.until_called(&format!("pull {IMAGE}"), 1).await;
    world.delete("deleted", 0);
    world.until_gone("deleted").await;
    settled(&world).await;

    world.pod("of-dead-agent", pod("IfNotPresent", None));
    world.cri.until_called(&format!("pull {IMAGE}"), 2).await;
    world.stop_agent().await;
    world.api.remove(&pod_path("of-dead-agent"));
    world.start_agent();
    settled(&world).await;

    world.cri.books.lock().images.push(IMAGE.to_owned());
    world.pod("never", pod("Never", None));
    world.until_ready("never").await;
    drop(gate);
    world.close().await;
}

#[tokio::test]
async fn what_a_pull_brought_that_was_cut_off_is_for_those_who_can_fetch_it() {
    let mut world = World::new();
    secret(&world, "one", "user");
    let gate = world.cri.hold_pulls();
    world.pod("cut-off", pod("IfNotPresent", Some("one")));
    world.cri.until_called(&format!("pull {IMAGE}"), 1).await;
    world.stop_agent().await;
    world.api.remove(&pod_path("cut-off"));
    world.cri.books.lock().images.push(IMAGE.to_owned());
    drop(gate);
    world.start_agent();
    world.pod("stranger", pod("IfNotPresent", None));
    refused(&world, "stranger", "ErrImagePull").await;
    // That its pull failed changes nothing.
    world.pod("never", pod("Never", None));
    refused(&world, "never", "ErrImageNeverPull").await;
    world.pod("again", pod("IfNotPresent", Some("one")));
    world.until_ready("again").await;
    world.close().await;
}

#[tokio::test]
async fn an_image_that_nobody_pulled_is_for_everybody() {
    let world = World::new();
    world.cri.books.lock().images.push(IMAGE.to_owned());
    world.pod("p", pod("Never", None));
    world.until_ready("p").await;
    world.close().await;
}
