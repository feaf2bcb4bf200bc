//! What the node itself decides about pods: whom it takes on, what it gives them, what it tells about them.

use crate::server::{Who, get};
use crate::world::{World, condition, is_ready, pod_path};
use serde_json::{Value, json};

pub(crate) fn web() -> Value {
    json!({ "terminationGracePeriodSeconds": 1, "containers": [{ "name": "a", "image": "web:1", "imagePullPolicy": "IfNotPresent" }] })
}

/// The configuration of the newest container of that name.
pub(crate) fn created(world: &World, name: &str) -> proto::cri::ContainerConfig {
    let books = world.cri.books.lock();
    let of = |c: &&crate::fake_cri::Contained| c.config.metadata.as_ref().unwrap().name == name;
    books.containers.values().filter(of).max_by_key(|c| c.created).unwrap().config.clone()
}

fn condition_reason<'a>(pod: &'a Value, kind: &str) -> &'a str {
    let all = pod["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().find(|c| c["type"] == kind).and_then(|c| c["reason"].as_str()).unwrap_or_default()
}

#[tokio::test]
async fn a_pod_that_does_not_fit_beside_the_others_fails_with_a_reason() {
    let world = World::new();
    let mut spec = web();
    spec["containers"][0]["ports"] = json!([{ "containerPort": 80, "hostPort": 8080, "protocol": "TCP" }]);
    world.pod("first", spec.clone());
    world.until_ready("first").await;
    world.pod("second", spec);
    let failed = |p: Option<&Value>| p.is_some_and(|p| p["status"]["phase"] == "Failed");
    let pod = world.until("second", failed).await.unwrap();
    assert_eq!(pod["status"]["reason"], "NodePorts");
    let mut spec = web();
    spec["containers"][0]["resources"] = json!({ "requests": { "cpu": "100000" } });
    world.pod("third", spec);
    let pod = world.until("third", failed).await.unwrap();
    assert_eq!(pod["status"]["reason"], "OutOfcpu");
    let mut spec = web();
    spec["securityContext"] = json!({ "appArmorProfile": { "type": "RuntimeDefault" } });
    if !std::path::Path::new("/sys/module/apparmor").exists() {
        world.pod("fourth", spec);
        let pod = world.until("fourth", failed).await.unwrap();
        assert_eq!(pod["status"]["reason"], "AppArmor");
    }
    assert_eq!(world.cri.books.lock().pods.len(), 1);
    world.close().await;
}

#[tokio::test]
async fn a_resize_is_applied_in_place_or_held_where_there_is_no_room() {
    let world = World::new();
    let mut spec = web();
    spec["containers"][0]["resources"] = json!({ "requests": { "cpu": "100m" } });
    world.pod("p", spec);
    world.until_ready("p").await;
    let resize = |cpu: &str| {
        let mut pod = world.api.get(&pod_path("p")).unwrap();
        pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!(cpu);
        pod["metadata"]["generation"] = json!(pod["metadata"]["generation"].as_i64().unwrap() + 1);
        world.api.put(&pod_path("p"), pod);
    };
    let shows = |cpu: &'static str| {
        move |p: Option<&Value>| {
            p.is_some_and(|p| p["status"]["containerStatuses"][0]["resources"]["requests"]["cpu"] == cpu)
        }
    };
    resize("200m");
    let pod = world.until("p", shows("200m")).await.unwrap();
    assert_eq!(pod["status"]["containerStatuses"][0]["allocatedResources"]["cpu"], "200m");
    assert!(world.cri.calls().contains(&"resize a 204".to_owned()), "{:?}", world.cri.calls());
    resize("100000");
    let held = |p: Option<&Value>| p.is_some_and(|p| condition(p, "PodResizePending") == "True");
    let pod = world.until("p", held).await.unwrap();
    assert_eq!(condition_reason(&pod, "PodResizePending"), "Infeasible");
    assert_eq!(pod["status"]["containerStatuses"][0]["resources"]["requests"]["cpu"], "200m");
    assert_eq!(pod["status"]["containerStatuses"][0]["allocatedResources"]["cpu"], "200m");
    resize("300m");
    let pod = world.until("p", shows("300m")).await.unwrap();
    assert_eq!(condition(&pod, "PodResizePending"), "");
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
    world.close().await;
}

#[tokio::test]
async fn a_claim_is_mounted_once_it_is_bound() {
    let world = World::new();
    let data = world.dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mut spec = web();
    spec["volumes"] = json!([{ "name": "v", "persistentVolumeClaim": { "claimName": "c" } }]);
    spec["containers"][0]["volumeMounts"] = json!([{ "name": "v", "mountPath": "/v" }]);
    world.pod("p", spec);
    let claims = "/api/v1/namespaces/default/persistentvolumeclaims/c";
    let mut claim = world.api.put(
        claims,
        json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "c", "namespace": "default" }, "spec": {}, "status": { "phase": "Pending" } }),
    );
    let network = |p: Option<&Value>| p.is_some_and(|p| condition(p, "PodReadyToStartContainers") == "True");
    world.until("p", network).await;
    world.api.put(
        "/api/v1/persistentvolumes/pv",
        json!({ "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": "pv" }, "spec": {
            "local": { "path": data }, "claimRef": { "namespace": "default", "name": "c", "uid": claim["metadata"]["uid"] } } }),
    );
    claim["spec"]["volumeName"] = json!("pv");
    claim["status"]["phase"] = json!("Bound");
    world.api.put(claims, claim);
    world.until_ready("p").await;
    let mount = created(&world, "a").mounts.remove(0);
    assert_eq!((mount.container_path.as_str(), mount.host_path.as_str()), ("/v", data.to_str().unwrap()));
    world.delete("p", 1);
    world.until_gone("p").await;
    assert!(data.exists());
    world.close().await;
}

#[tokio::test]
async fn image_volumes_are_pulled_and_handed_to_the_runtime() {
    let world = World::new();
    world.api.put(
        "/apis/node.k8s.io/v1/runtimeclasses/fast",
        json!({ "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": { "name": "fast" }, "handler": "quick" }),
    );
    let mut spec = web();
    spec["runtimeClassName"] = json!("fast");
    spec["volumes"] = json!([{ "name": "v", "image": { "reference": "data:1", "pullPolicy": "Always" } }]);
    spec["containers"][0]["volumeMounts"] = json!([{ "name": "v", "mountPath": "/v", "subPath": "etc" }]);
    world.pod("p", spec);
    world.until_ready("p").await;
    let calls = world.cri.calls();
    assert!(calls.contains(&"pull data:1".to_owned()) && calls.contains(&"run quick".to_owned()), "{calls:?}");
    let mount = created(&world, "a").mounts.remove(0);
    assert_eq!(mount.image.unwrap().image, "sha256:data:1");
    assert_eq!((mount.image_sub_path.as_str(), mount.readonly), ("etc", true));
    world.close().await;
}

#[tokio::test]
async fn usage_is_told_in_the_words_of_the_metrics_api() {
    let world = World::new();
    world.pod("p", web());
    world.until("p", |p| p.is_some_and(is_ready)).await;
    let (code, text) = get(&world, Who::ApiServer, "/metrics/resource").await;
    assert_eq!(code, 200);
    for row in [
        "container_cpu_usage_seconds_total{container=\"a\",namespace=\"default\",pod=\"p\"} 2.5",
        "container_memory_working_set_bytes{container=\"a\",namespace=\"default\",pod=\"p\"} 4096",
        "pod_cpu_usage_seconds_total{namespace=\"default\",pod=\"p\"} 2.5",
        "resource_scrape_error 0",
    ] {
        assert!(text.lines().any(|l| l == row), "{row} in {text}");
    }
    assert!(text.contains("node_cpu_usage_seconds_total "), "{text}");
    let (code, text) = get(&world, Who::ApiServer, "/stats/summary").await;
    let summary: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &summary["pods"][0]["podRef"]["name"]), (200, &json!("p")));
    assert!(summary["node"]["memory"]["workingSetBytes"].as_u64().unwrap() > 0);
    for path in ["/metrics/cadvisor", "/metrics/probes", "/configz", "/healthz/ping", "/runningpods/"] {
        assert_eq!(get(&world, Who::ApiServer, path).await.0, 200, "{path}");
        assert_eq!(get(&world, Who::Nobody, path).await.0, 401, "{path}");
    }
    world.close().await;
}

#[tokio::test]
async fn a_pod_in_a_file_runs_and_is_shown_by_a_mirror() {
    let mut world = World::new();
    let file = world.dir.path().join("static/web.yaml");
    let text = |image: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec: {{terminationGracePeriodSeconds: 1, containers: [{{name: a, image: '{image}', imagePullPolicy: IfNotPresent}}]}}\n"
        )
    };
    let write = |image: &str| {
        let next = world.dir.path().join("next");
        std::fs::write(&next, text(image)).unwrap();
        std::fs::rename(next, &file).unwrap();
    };
    write("web:1");
    let mirror = world.until_ready("web-n1").await;
    assert!(mirror["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string());
    assert_eq!(mirror["spec"]["nodeName"], "n1");
    // Deleting the mirror does not touch the pod; it is shown again.
    let uid = mirror["metadata"]["uid"].clone();
    world.delete("web-n1", 30);
    world.until("web-n1", |p| p.is_some_and(|p| p["metadata"]["uid"] != uid && is_ready(p))).await;
    assert!(!world.cri.calls().iter().any(|c| c.starts_with("stop a")), "{:?}", world.cri.calls());
    // Another agent finds it running.
    world.stop_agent().await;
    world.start_agent();
    world.until_ready("web-n1").await;
    assert_eq!(world.cri.calls().iter().filter(|c| c.starts_with("create")).count(), 1);
    std::fs::remove_file(world.dir.path().join("static/web.yaml")).unwrap();
    world.until_gone("web-n1").await;
    world.cri.until_empty().await;
    world.close().await;
}
