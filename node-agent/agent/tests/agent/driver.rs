//! A storage driver without storage: a volume is a folder, and every call is written down.

use crate::node::{created, web};
use crate::server::{Who, get};
use crate::world::{World, condition};
use parking_lot::Mutex;
use proto::csi::node_server::{Node, NodeServer};
use proto::csi::node_service_capability::{Rpc, Type, rpc};
use proto::csi::*;
use proto::registration::registration_server::{Registration, RegistrationServer};
use proto::registration::*;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;

#[derive(Clone, Default)]
struct Driver {
    calls: Arc<Mutex<Vec<String>>>,
    /// Told when it is asked what a volume holds; once it is silent, it does not answer that.
    asked: Arc<Notify>,
    silent: Arc<AtomicBool>,
}

impl Driver {
    fn note(&self, call: String) {
        self.calls.lock().push(call);
    }
}

#[tonic::async_trait]
impl Registration for Driver {
    async fn get_info(&self, _: Request<InfoRequest>) -> Answer<PluginInfo> {
        let name = "disk.example".to_owned();
        let supported_versions = vec!["1.0.0".to_owned()];
        Ok(Response::new(PluginInfo { r#type: "CSIPlugin".to_owned(), name, supported_versions, ..Default::default() }))
    }

    async fn notify_registration_status(&self, r: Request<RegistrationStatus>) -> Answer<RegistrationStatusResponse> {
        self.note(format!("registered {}", r.into_inner().plugin_registered));
        Ok(Response::new(RegistrationStatusResponse {}))
    }
}

#[tonic::async_trait]
impl Node for Driver {
    async fn node_stage_volume(&self, r: Request<NodeStageVolumeRequest>) -> Answer<NodeStageVolumeResponse> {
        let r = r.into_inner();
        self.note(format!("stage {} with {}", r.volume_id, r.secrets["key"]));
        Ok(Response::new(NodeStageVolumeResponse::default()))
    }

    async fn node_unstage_volume(&self, r: Request<NodeUnstageVolumeRequest>) -> Answer<NodeUnstageVolumeResponse> {
        self.note(format!("unstage {}", r.into_inner().volume_id));
        Ok(Response::new(NodeUnstageVolumeResponse::default()))
    }

    async fn node_publish_volume(&self, r: Request<NodePublishVolumeRequest>) -> Answer<NodePublishVolumeResponse> {
        let r = r.into_inner();
        let kind = r.volume_capability.and_then(|c| c.access_type);
        if let Some(volume_capability::AccessType::Block(_)) = kind {
            std::fs::write(&r.target_path, "a device")?;
            self.note(format!("publish device {}", r.volume_id));
        } else {
            std::fs::create_dir_all(&r.target_path)?;
            let tokens = r.volume_context.get("csi.storage.k8s.io/serviceAccount.tokens").map(|text| {
                let tokens: Value = serde_json::from_str(text).unwrap();
                format!(" with {}", tokens["vault"]["token"].as_str().unwrap())
            });
            let pod = &r.volume_context["csi.storage.k8s.io/pod.name"];
            self.note(format!("publish {} for {pod}{}", r.volume_id, tokens.unwrap_or_default()));
        }
        Ok(Response::new(NodePublishVolumeResponse::default()))
    }

    async fn node_unpublish_volume(
        &self,
        r: Request<NodeUnpublishVolumeRequest>,
    ) -> Answer<NodeUnpublishVolumeResponse> {
        let r = r.into_inner();
        std::fs::remove_file(&r.target_path).or_else(|_| std::fs::remove_dir(&r.target_path))?;
        self.note(format!("unpublish {}", r.volume_id));
        Ok(Response::new(NodeUnpublishVolumeResponse::default()))
    }

    async fn node_get_capabilities(
        &self,
        _: Request<NodeGetCapabilitiesRequest>,
    ) -> Answer<NodeGetCapabilitiesResponse> {
        let can = [rpc::Type::StageUnstageVolume, rpc::Type::GetVolumeStats];
        let capability = |can: rpc::Type| NodeServiceCapability { r#type: Some(Type::Rpc(Rpc { r#type: can.into() })) };
        let capabilities = can.map(capability).to_vec();
        Ok(Response::new(NodeGetCapabilitiesResponse { capabilities }))
    }

    async fn node_get_volume_stats(&self, r: Request<NodeGetVolumeStatsRequest>) -> Answer<NodeGetVolumeStatsResponse> {
        self.asked.notify_one();
        if self.silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let r = r.into_inner();
        assert!(r.volume_path.ends_with("/pv/mount") && r.staging_target_path.ends_with("/globalmount"), "{r:?}");
        let bytes = VolumeUsage { total: 100, available: 40, used: 60, unit: volume_usage::Unit::Bytes.into() };
        // It cannot tell how many there could be.
        let inodes = VolumeUsage { total: -1, available: -1, used: 7, unit: volume_usage::Unit::Inodes.into() };
        Ok(Response::new(NodeGetVolumeStatsResponse { usage: vec![bytes, inodes] }))
    }

    async fn node_get_info(&self, _: Request<NodeGetInfoRequest>) -> Answer<NodeGetInfoResponse> {
        let node_id = "disk-node-1".to_owned();
        Ok(Response::new(NodeGetInfoResponse { node_id, max_volumes_per_node: 8, ..Default::default() }))
    }
}

/// The driver of a world's node, and what serves it.
fn serve(world: &World) -> (Driver, JoinSet<Result<(), tonic::transport::Error>>) {
    let driver = Driver::default();
    let registry = world.dir.path().join("agent/plugins_registry");
    std::fs::create_dir_all(&registry).unwrap();
    let listener = UnixListener::bind(registry.join("disk.sock")).unwrap();
    let server = tonic::transport::Server::builder()
        .add_service(RegistrationServer::new(driver.clone()))
        .add_service(NodeServer::new(driver.clone()))
        .serve_with_incoming(UnixListenerStream::new(listener));
    let mut servers = JoinSet::new();
    servers.spawn(server);
    (driver, servers)
}

#[tokio::test]
async fn a_drivers_volumes_are_staged_published_and_taken_away() {
    let world = World::new();
    let (driver, mut servers) = serve(&world);
    for (path, object) in objects() {
        world.api.put(path, object);
    }
    let mut spec = web();
    spec["volumes"] = json!([{ "name": "v", "persistentVolumeClaim": { "claimName": "c" } }]);
    spec["containers"][0]["volumeMounts"] = json!([{ "name": "v", "mountPath": "/v" }]);
    world.pod("p", spec.clone());
    world.until_ready("p").await;
    let known = world.api.get("/apis/storage.k8s.io/v1/csinodes/n1").unwrap();
    let entry = &known["spec"]["drivers"][0];
    assert_eq!((&entry["name"], &entry["nodeID"]), (&json!("disk.example"), &json!("disk-node-1")));
    assert_eq!(entry["allocatable"]["count"], 8);
    let mount = created(&world, "a").mounts.remove(0);
    assert!(mount.host_path.ends_with("volumes/kubernetes.io~csi/pv/mount"), "{}", mount.host_path);
    let stats = until_counted(&world).await;
    let of = "{namespace=\"default\",persistentvolumeclaim=\"c\"}";
    let rows = [("capacity_bytes", 100), ("available_bytes", 40), ("used_bytes", 60), ("inodes_used", 7)];
    assert_eq!(stats, rows.map(|(name, value)| format!("{name}{of} {value}")));
    world.delete("p", 1);
    world.until_gone("p").await;
    let calls = driver.calls.lock().clone();
    assert_eq!(
        calls,
        ["registered true", "stage disk-1 with s3cret", "publish disk-1 for p", "unpublish disk-1", "unstage disk-1"]
    );

    // Without its driver a pod waits and says so.
    spec["volumes"][0] = json!({ "name": "v", "csi": { "driver": "other.example" } });
    world.pod("q", spec);
    let taken = |p: Option<&Value>| p.is_some_and(|p| condition(p, "Ready") == "False");
    world.until("q", taken).await;
    world.delete("q", 1);
    world.until_gone("q").await;
    servers.shutdown().await;
    world.close().await;
}

/// What the node's metrics say of volumes, as soon as they say something.
async fn until_counted(world: &World) -> Vec<String> {
    for _ in 0..200 {
        let (_, metrics) = get(world, Who::ApiServer, "/metrics").await;
        let rows = metrics.lines().filter_map(|line| line.strip_prefix("kubelet_volume_stats_"));
        let rows: Vec<String> = rows.map(str::to_owned).collect();
        if !rows.is_empty() {
            return rows;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no volume is counted");
}

#[tokio::test]
async fn a_driver_that_does_not_count_does_not_hold_up_the_nodes_metrics() {
    let world = World::new();
    let (driver, mut servers) = serve(&world);
    driver.silent.store(true, Ordering::Relaxed);
    for (path, object) in objects() {
        world.api.put(path, object);
    }
    let mut spec = web();
    spec["volumes"] = json!([{ "name": "v", "persistentVolumeClaim": { "claimName": "c" } }]);
    spec["containers"][0]["volumeMounts"] = json!([{ "name": "v", "mountPath": "/v" }]);
    world.pod("p", spec);
    world.until_ready("p").await;
    let patience = Duration::from_secs(5); // less than a driver is waited for
    tokio::time::timeout(patience, driver.asked.notified()).await.expect("the driver is asked soon");
    let answer = tokio::time::timeout(patience, get(&world, Who::ApiServer, "/metrics")).await;
    let (code, metrics) = answer.expect("metrics do not wait for the driver");
    assert!(code == 200 && !metrics.contains("kubelet_volume_stats_"), "{code} {metrics}");
    world.delete("p", 1);
    world.until_gone("p").await;
    servers.shutdown().await;
    world.close().await;
}

#[tokio::test]
async fn a_drivers_device_is_given_to_the_container() {
    let world = World::new();
    let (driver, mut servers) = serve(&world);
    for (path, mut object) in objects() {
        if object["kind"] == "PersistentVolume" {
            object["spec"]["volumeMode"] = json!("Block");
        }
        world.api.put(path, object);
    }
    let mut spec = web();
    spec["volumes"] = json!([{ "name": "v", "persistentVolumeClaim": { "claimName": "c" } }]);
    spec["containers"][0]["volumeDevices"] = json!([{ "name": "v", "devicePath": "/dev/xvda" }]);
    world.pod("p", spec);
    world.until_ready("p").await;
    let device = created(&world, "a").devices.remove(0);
    assert_eq!(device.container_path, "/dev/xvda");
    let published = std::path::PathBuf::from(&device.host_path);
    assert!(device.host_path.contains("plugins/kubernetes.io/csi/volumeDevices/publish/pv/"), "{}", device.host_path);
    world.delete("p", 1);
    world.until_gone("p").await;
    let calls = driver.calls.lock().clone();
    assert_eq!(
        calls,
        ["registered true", "stage disk-1 with s3cret", "publish device disk-1", "unpublish disk-1", "unstage disk-1"]
    );
    let devices = published.ancestors().nth(3).unwrap();
    let left = |folder: &str| std::fs::read_dir(devices.join(folder)).unwrap().count();
    assert_eq!((left("publish"), left("staging")), (0, 0));
    servers.shutdown().await;
    world.close().await;
}

#[tokio::test]
async fn a_driver_that_wants_it_publishes_again_and_gets_tokens() {
    let world = World::new();
    let (driver, mut servers) = serve(&world);
    let about = json!({ "apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": { "name": "disk.example" },
        "spec": { "attachRequired": false, "podInfoOnMount": true, "requiresRepublish": true,
            "volumeLifecycleModes": ["Ephemeral"], "tokenRequests": [{ "audience": "vault" }] } });
    world.api.put("/apis/storage.k8s.io/v1/csidrivers/disk.example", about);
    let map = |text: &str| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "m", "namespace": "default" }, "data": { "k": text } });
    let path = "/api/v1/namespaces/default/configmaps/m";
    world.api.put(path, map("one"));
    let mut spec = web();
    spec["volumes"] =
        json!([{ "name": "v", "csi": { "driver": "disk.example" } }, { "name": "m", "configMap": { "name": "m" } }]);
    world.pod("p", spec);
    world.until_ready("p").await;
    let published = || driver.calls.lock().iter().filter(|c| c.starts_with("publish ")).cloned().collect::<Vec<_>>();
    let first = published();
    assert!(first.len() == 1 && first[0].contains(" for p with "), "{first:?}");
    // Whatever brings the pod's volumes up to date has the driver do so too.
    for round in 0.. {
        world.api.put(path, map(&format!("round {round}")));
        if published().len() > 1 {
            break;
        }
        assert!(round < 200, "not published again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.delete("p", 1);
    world.until_gone("p").await;
    servers.shutdown().await;
    world.close().await;
}

fn objects() -> [(&'static str, Value); 4] {
    [
        (
            "/api/v1/namespaces/default/secrets/s",
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s", "namespace": "default" },
                "data": { "key": "czNjcmV0" } }),
        ),
        (
            "/apis/storage.k8s.io/v1/csidrivers/disk.example",
            json!({ "apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": { "name": "disk.example" },
                "spec": { "attachRequired": false, "podInfoOnMount": true } }),
        ),
        (
            "/api/v1/namespaces/default/persistentvolumeclaims/c",
            json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": { "name": "c", "namespace": "default", "uid": "claim-1" },
                "spec": { "volumeName": "pv" }, "status": { "phase": "Bound" } }),
        ),
        (
            "/api/v1/persistentvolumes/pv",
            json!({ "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": "pv" }, "spec": {
                "accessModes": ["ReadWriteOnce"],
                "csi": { "driver": "disk.example", "volumeHandle": "disk-1",
                    "nodeStageSecretRef": { "namespace": "default", "name": "s" } },
                "claimRef": { "namespace": "default", "name": "c", "uid": "claim-1" } } }),
        ),
    ]
}
