//! The same cluster on a real etcd: the manifests work, and etcdctl sees the objects.

use anyhow::Result;
use e2e::etcd::Etcd;
use e2e::{Cluster, Host, Options, cluster};

#[test]
fn the_example_runs_on_etcd_and_etcdctl_sees_its_objects() -> Result<()> {
    let host = Host::new()?;
    let etcd = Etcd::start(&host, "127.0.0.1")?;
    let options = Options { store: Some("etcd://127.0.0.1:2379".into()), ..Options::default() };
    let mut cluster = Cluster::on(host, options)?;
    let manifest = cluster::root().join("manifests/examples/web.yaml");
    cluster.kctl(&["apply", "-f", &manifest.to_string_lossy()])?;
    cluster.kctl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;

    let keys = etcd.ctl(&cluster.host, &["get", "--prefix", "/registry/", "--keys-only"])?;
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
