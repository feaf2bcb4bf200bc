//! etcd for the tests, inside a host, so that its ports are nobody else's.

use crate::Host;
use crate::wait::eventually;
use anyhow::{Context, Result};
use std::process::{Child, Stdio};
use std::time::Duration;

pub struct Etcd {
    child: Child,
    endpoint: String,
    _folder: tempfile::TempDir,
}

impl Etcd {
    /// On an address of the host.
    pub fn start(host: &Host, address: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let endpoint = format!("http://{address}:2379");
        let args = [
            format!("--data-dir={}", folder.path().display()),
            format!("--listen-client-urls={endpoint}"),
            format!("--advertise-client-urls={endpoint}"),
            "--log-level=error".to_owned(),
        ];
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let child = host
            .command("etcd", &args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start etcd (package etcd-server)")?;
        let etcd = Self { child, endpoint, _folder: folder };
        eventually("a healthy etcd", Duration::from_secs(30), || {
            etcd.ctl(host, &["endpoint", "health"]).map(drop).map_err(|error| format!("{error:#}"))
        });
        Ok(etcd)
    }

    /// `etcdctl`, on the host.
    pub fn ctl(&self, host: &Host, args: &[&str]) -> Result<String> {
        let endpoints = format!("--endpoints={}", self.endpoint);
        let args: Vec<&str> = ["ETCDCTL_API=3", "etcdctl", &endpoints].iter().chain(args).copied().collect();
        host.read("env", &args)
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.child.kill().and_then(|()| self.child.wait().map(drop)).expect("our own child");
    }
}
