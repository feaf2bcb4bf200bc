//! The same cluster on a real etcd: the manifests work, and etcdctl sees the objects.

use anyhow::{Context, Result};
use e2e::wait::eventually;
use e2e::{Cluster, Host, Options, cluster};
use std::process::{Child, Stdio};
use std::time::Duration;

/// etcd inside the cluster's host, so that its ports are nobody else's.
struct Etcd {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Etcd {
    fn start(host: &Host) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = format!("--data-dir={}", folder.path().display());
        let args = [
            data.as_str(),
            "--listen-client-urls=http://127.0.0.1:2379",
            "--advertise-client-urls=http://127.0.0.1:2379",
            "--log-level=error",
        ];
        let child = host
            .command("etcd", &args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start etcd (package etcd-server)")?;
        eventually("a healthy etcd", Duration::from_secs(30), || {
            let output = etcdctl(host, &["endpoint", "health"]);
            output.map(drop).map_err(|error| format!("{error:#}"))
        });
        Ok(Self { child, _folder: folder })
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.child.kill().and_then(|()| self.child.wait().map(drop)).expect("our own child");
    }
}

fn etcdctl(host: &Host, args: &[&str]) -> Result<String> {
    let args: Vec<&str> = ["ETCDCTL_API=3", "etcdctl"].iter().chain(args).copied().collect();
    host.read("env", &args)
}

#[test]
fn the_example_runs_on_etcd_and_etcdctl_sees_its_objects() -> Result<()> {
    let host = Host::new()?;
    let etcd = Etcd::start(&host)?;
    let options = Options { store: Some("etcd://127.0.0.1:2379".into()), ..Options::default() };
    let mut cluster = Cluster::on(host, options)?;
    let manifest = cluster::root().join("manifests/examples/web.yaml");
    cluster.kctl(&["apply", "-f", &manifest.to_string_lossy()])?;
    cluster.kctl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;

    let keys = etcdctl(&cluster.host, &["get", "--prefix", "/registry/", "--keys-only"])?;
    for key in ["/registry/configmaps/default/web", "/registry/deployments/default/web"] {
        let found = keys.lines().any(|line| line == key || line == key.replace("/deployments/", "/apps/deployments/"));
        assert!(found, "{key} is not among\n{keys}");
    }
    assert_eq!(keys.lines().filter(|key| key.contains("/pods/default/web-")).count(), 3, "{keys}");

    // The objects live in etcd: a new process finds them.
    cluster.stop()?;
    cluster.up()?;
    cluster.kctl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;
    drop(cluster);
    drop(etcd);
    Ok(())
}
