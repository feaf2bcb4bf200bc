//! A backup of a running cluster, and the same cluster from it on an empty disk.

use anyhow::{Context, Result};
use e2e::{Fleet, cluster};
use std::time::Duration;

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
