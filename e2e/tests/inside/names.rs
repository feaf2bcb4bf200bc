//! names.yaml: environment, host name, hosts file and resolver.

use super::until;
use super::view::{self, Findings, Place, Row, run};
use anyhow::{Context, Result};
use e2e::Cluster;

const WEB: Place = Place { pod: "names", container: "web" };

const ENVIRONMENT: &[&str] = &[
    "NAME=names",
    "NODE=node-1",
    "ACCOUNT=default",
    "MEMORY_MIB=32",
    "SKY=blue",
    "DOOR=4711",
    "SIGN=names under a blue sky, not $(SKY)",
    "COLOUR_SKY=blue",
    "COLOUR_GRASS=green",
    "CODE_door=4711",
    "HOSTNAME=printer.office.default.svc.cluster.local",
    "KUBERNETES_SERVICE_HOST=10.43.0.1",
    "VERSION=1",
    "PATH=/",
];

const FILES: &[Row] = &[
    ("/proc/sys/kernel/hostname", &["printer.office.default.svc.cluster.local"]),
    ("/etc/hostname", &["printer.office.default.svc.cluster.local"]),
    ("/etc/hosts", &["0644 0:0", "127.0.0.1 localhost", "192.0.2.7 archive archive.example"]),
    (
        "/etc/resolv.conf",
        &[
            "nameserver 10.43.0.10",
            "~search default.svc.cluster.local svc.cluster.local cluster.local",
            "~ndots:2",
            "~edns0",
            "!ndots:5",
        ],
    ),
];

pub(crate) fn all(cluster: &Cluster, findings: &mut Findings) -> Result<()> {
    let environment = run(cluster, WEB, &["env"])?;
    for line in ENVIRONMENT {
        findings.unless(environment.lines().any(|seen| seen == *line), || format!("no {line} in {environment}"));
    }
    let pod = until(cluster, "names", "there", |_| true);
    let ip = pod["status"]["podIP"].as_str().context("an address")?;
    findings.unless(environment.contains(&format!("ADDRESS={ip}\n")), || format!("not {ip}: {environment}"));
    let view = view::check(cluster, WEB, FILES, findings)?;
    let own = format!("{ip} printer.office.default.svc.cluster.local printer");
    findings.unless(view["/etc/hosts"].contains(&own), || format!("no {own:?} in {:?}", view["/etc/hosts"]));
    let searches =
        view["/etc/resolv.conf"].iter().any(|line| line.starts_with("search ") && line.ends_with(" example"));
    findings.unless(searches, || format!("{:?}", view["/etc/resolv.conf"]));
    Ok(())
}
