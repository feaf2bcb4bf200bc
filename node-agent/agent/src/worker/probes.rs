//! Keeps the prober's list in step with what runs: a startup probe until it passes, then liveness and readiness.

use super::Worker;
use crate::pod::ending::must_end;
use crate::pod::member::{Role, host_network, members};
use crate::pod::observed::Subject;
use crate::probe::ask::Whom;
use crate::probe::prober::{Command, Key, Watch};
use crate::probe::state::Kind;
use k8s_openapi::api::core::v1::Probe;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Worker {
    pub(super) fn sync_probes(&mut self) {
        let wanted = self.wanted_probes();
        let gone: Vec<Key> = self.probed.iter().filter(|k| !wanted.contains_key(*k)).cloned().collect();
        for key in gone {
            self.probed.remove(&key);
            self.command(Command::Forget(key));
        }
        for (key, watch) in wanted {
            if self.probed.insert(key) {
                self.command(Command::Watch(Box::new(watch)));
            }
        }
    }

    pub(super) fn forget_probes(&mut self) {
        for key in std::mem::take(&mut self.probed) {
            self.command(Command::Forget(key));
        }
    }

    fn command(&self, command: Command) {
        if self.node.probes.send(command).is_err() {
            tracing::debug!("the prober has ended");
        }
    }

    fn wanted_probes(&self) -> BTreeMap<Key, Watch> {
        let ending = must_end(&self.pod, &self.seen);
        let sandbox_ip = self.seen.sandbox().and_then(|s| s.ips.first().cloned());
        let host_ip = self.node.facts.host_ips.first().cloned();
        let ip = if host_network(&self.pod) { host_ip } else { sandbox_ip }.unwrap_or_default();
        let mut wanted = BTreeMap::new();
        for member in members(&self.pod).iter().filter(|m| matches!(m.role, Role::App | Role::Sidecar)) {
            let Some(record) = self.seen.current(member.name()).filter(|r| r.is_running()) else { continue };
            let Some(health) = self.seen.health.get(&record.id) else { continue };
            let mut watch = |kind: Kind, probe: Option<&Probe>| {
                let Some(probe) = probe else { return };
                let key = Key { container_id: record.id.clone(), kind };
                let watch = Watch {
                    key: key.clone(),
                    probe: probe.clone(),
                    whom: Whom::new(&member.spec, &record.id, &ip),
                    pod: Arc::clone(&self.pod),
                    container: member.name().to_owned(),
                    started: record.started.or(record.created).unwrap_or_default(),
                    tell: self.tell.clone(),
                };
                wanted.insert(key, watch);
            };
            let killed = self.seen.is_busy(&Subject::Kill(record.id.clone())) || health.failed.is_some();
            if !health.started {
                if !ending && !killed {
                    watch(Kind::Startup, member.spec.startup_probe.as_ref());
                }
                continue;
            }
            // k8s: a pod that ends is still asked whether it is ready, but no longer restarted.
            watch(Kind::Readiness, member.spec.readiness_probe.as_ref());
            if !ending && !killed {
                watch(Kind::Liveness, member.spec.liveness_probe.as_ref());
            }
        }
        wanted
    }
}
