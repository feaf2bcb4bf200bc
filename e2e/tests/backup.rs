//! A backup of a running cluster, and the same cluster from it on an empty disk, or in an empty etcd.

use anyhow::{Context, Result};
use e2e::etcd::Etcd;
use e2e::host::Network;
use e2e::{Fleet, cluster};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Objects that nobody writes again once the cluster stands.
const STILL: &str = "namespaces,configmaps,secrets,serviceaccounts,clusterroles,clusterrolebindings,roles,rolebindings,\
                     priorityclasses,storageclasses,customresourcedefinitions,services";

/// All of them by kind and name, without their revisions.
fn still(fleet: &Fleet) -> Result<BTreeMap<String, Value>> {
    let mut found = BTreeMap::new();
    for kind in STILL.split(',') {
        let mut list = fleet.json(&["get", kind, "-A"])?;
        for mut object in list["items"].as_array_mut().map(std::mem::take).context("a list")? {
            let metadata = object["metadata"].as_object_mut().context("metadata")?;
            metadata.remove("resourceVersion").context("a revision")?;
            // A server that starts makes a token for those who join, and tells it in public.
            let is_token = object["type"] == "bootstrap.kubernetes.io/token";
            if is_token || object["metadata"]["namespace"] == "kube-public" {
                continue;
            }
            let (namespace, name) = (object["metadata"]["namespace"].clone(), object["metadata"]["name"].clone());
            found.insert(format!("{kind} {namespace} {name}"), object);
        }
    }
    Ok(found)
}

#[test]
fn a_cluster_comes_back_from_its_backup_with_its_keys_and_nodes() -> Result<()> {
    let mut fleet = Fleet::start(&[0], &[])?;
    fleet.kctl(&["create", "configmap", "kept", "--from-literal=a=b"])?;
    let drover = cluster::binary("drover").to_string_lossy().into_owned();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("backup.tar").to_string_lossy().into_owned();
    let data_dir = fleet.server.data_dir();
    let at = format!("--data-dir={}", data_dir.display());
    fleet.server.host.read(&drover, &["backup", &file, &at])?;
    fleet.kctl(&["create", "configmap", "later", "--from-literal=a=b"])?;

    fleet.server.process.kill()?;
    let refused = fleet.server.host.run(&drover, &["restore", &file, &at])?;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("restore into an empty --data-dir"), "{refused:?}");
    std::fs::remove_dir_all(&data_dir)?;
    fleet.server.host.read(&drover, &["restore", &file, &at])?;
    fleet.restart_server()?;

    let kept = fleet.json(&["get", "configmap", "kept"])?;
    assert_eq!(kept["data"]["a"], "b");
    let revision: u64 = kept["metadata"]["resourceVersion"].as_str().context("a revision")?.parse()?;
    assert!(revision > 1_000_000_000, "{revision}");
    assert!(!fleet.try_kctl(&["get", "configmap", "later"])?.status.success());
    // The node still trusts the server, and works for it.
    e2e::wait::eventually("node-1 is Ready", Duration::from_mins(1), || match fleet.ready("node-1") {
        Ok(status) if status == "True" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    Ok(())
}

#[test]
fn a_cluster_moves_into_an_etcd_with_everything_but_its_revisions() -> Result<()> {
    let network = Network::new()?;
    let etcd = Etcd::start(&network.router, "192.168.77.1")?;
    let mut fleet = Fleet::on(network, &[0], &[])?;
    fleet.kctl(&["create", "configmap", "kept", "--from-literal=a=b"])?;
    let large = "x".repeat(200_000);
    for at in 0..8 {
        let manifest =
            format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: large-{at}}}, data: {{x: {large}}}}}");
        fleet.apply(&manifest)?;
    }
    let before = still(&fleet)?;
    let drover = cluster::binary("drover").to_string_lossy().into_owned();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("backup.tar").to_string_lossy().into_owned();
    let data_dir = fleet.server.data_dir();
    let at = format!("--data-dir={}", data_dir.display());
    fleet.server.host.read(&drover, &["backup", &file, &at])?;

    fleet.server.process.kill()?;
    std::fs::remove_dir_all(&data_dir)?;
    let store = "--store=etcd://192.168.77.1:2379";
    etcd.ctl(&fleet.network.router, &["put", "/registry/configmaps/default/other", "{}"])?;
    let refused = fleet.server.host.run(&drover, &["restore", &file, &at, store])?;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("etcdctl del --prefix /registry/"), "{told}");
    etcd.ctl(&fleet.network.router, &["del", "--prefix", "/registry/"])?;
    fleet.server.host.read(&drover, &["restore", &file, &at, store])?;
    fleet.restart_server_with(&[store])?;

    let after = still(&fleet)?;
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (name, object) in &before {
        assert_eq!(object, &after[name], "{name}");
    }
    e2e::wait::eventually("node-1 is Ready", Duration::from_mins(1), || match fleet.ready("node-1") {
        Ok(status) if status == "True" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    Ok(())
}
