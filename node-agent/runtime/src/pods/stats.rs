//! What containers and pods use, read from their cgroups when asked.

use super::{Container, Pods, Sandbox};
use crate::plan::{Scope, UPPER};
use crate::sys::clock::now_ns;
use proto::cri;
use std::fs;
use std::path::Path;

#[expect(clippy::unnecessary_wraps, reason = "fields of messages are options")]
fn value(n: u64) -> Option<cri::UInt64Value> {
    Some(cri::UInt64Value { value: n })
}

fn cpu_and_memory(usage: crate::cgroup::Usage, limit: u64) -> (cri::CpuUsage, cri::MemoryUsage) {
    let timestamp = now_ns();
    let cpu = cri::CpuUsage { timestamp, usage_core_nano_seconds: value(usage.cpu_ns), ..Default::default() };
    let memory = cri::MemoryUsage {
        timestamp,
        working_set_bytes: value(usage.working_set_bytes),
        available_bytes: if limit > 0 { value(limit.saturating_sub(usage.working_set_bytes)) } else { None },
        usage_bytes: value(usage.memory_bytes),
        rss_bytes: value(usage.rss_bytes),
        page_faults: value(usage.page_faults),
        major_page_faults: value(usage.major_page_faults),
        ..Default::default()
    };
    (cpu, memory)
}

/// Bytes and inodes of a tree, as far as it can be read.
pub(crate) fn disk_usage(folder: &Path) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = fs::read_dir(folder) else { return (0, 0) };
    entries.flatten().fold((0, 1), |(bytes, inodes), entry| {
        let Ok(metadata) = entry.metadata() else { return (bytes, inodes) };
        let below = if metadata.is_dir() { disk_usage(&entry.path()) } else { (0, 1) };
        (bytes + metadata.blocks() * 512 + below.0, inodes + below.1)
    })
}

/// What went through a pod's interfaces but its loopback, from the text of its /proc/net/dev; the first is the default.
fn network_usage(text: &str, timestamp: i64) -> cri::NetworkUsage {
    let interface = |line: &str| {
        let (name, counters) = line.split_once(':')?;
        let counters: Vec<u64> = counters.split_whitespace().filter_map(|n| n.parse().ok()).collect();
        // Eight that were received, bytes and errors among them, then as many that were sent.
        let [rx_bytes, _, rx_errors, _, _, _, _, _, tx_bytes, _, tx_errors, ..] = *counters.as_slice() else {
            return None;
        };
        Some(cri::NetworkInterfaceUsage {
            name: name.trim().to_owned(),
            rx_bytes: value(rx_bytes),
            rx_errors: value(rx_errors),
            tx_bytes: value(tx_bytes),
            tx_errors: value(tx_errors),
        })
    };
    let mut interfaces = text.lines().filter_map(interface).filter(|i| i.name != "lo");
    cri::NetworkUsage { timestamp, default_interface: interfaces.next(), interfaces: interfaces.collect() }
}

impl Pods {
    pub(crate) fn container_stats(&self, container: &Container) -> cri::ContainerStats {
        let config = container.config.lock();
        let limit = config.linux.as_ref().and_then(|l| l.resources.as_ref()).map_or(0, |r| r.memory_limit_in_bytes);
        let (cpu, memory) =
            cpu_and_memory(self.hierarchy.usage(&container.record.cgroup), u64::try_from(limit).unwrap_or(0));
        let (bytes, inodes) = disk_usage(&container.dir.join(UPPER));
        cri::ContainerStats {
            attributes: Some(cri::ContainerAttributes {
                id: container.record.id.clone(),
                metadata: config.metadata.clone(),
                labels: config.labels.clone(),
                annotations: config.annotations.clone(),
            }),
            cpu: Some(cpu),
            memory: Some(memory),
            writable_layer: Some(cri::FilesystemUsage {
                timestamp: now_ns(),
                fs_id: Some(cri::FilesystemIdentifier { mountpoint: self.folder.display().to_string() }),
                used_bytes: value(bytes),
                inodes_used: value(inodes),
            }),
            ..Default::default()
        }
    }

    pub(crate) fn sandbox_stats(&self, sandbox: &Sandbox) -> cri::PodSandboxStats {
        let usage = self.hierarchy.usage(&sandbox.record.cgroup_parent);
        let (cpu, memory) = cpu_and_memory(usage, 0);
        let containers = self.containers_of(&sandbox.record.id);
        // Who is on the node's network has no traffic of its own to count.
        let own = sandbox.pid.filter(|_| sandbox.is_ready() && sandbox.record.network == Scope::Pod);
        let traffic = own.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/net/dev")).ok());
        cri::PodSandboxStats {
            attributes: Some(cri::PodSandboxAttributes {
                id: sandbox.record.id.clone(),
                metadata: sandbox.config.metadata.clone(),
                labels: sandbox.config.labels.clone(),
                annotations: sandbox.config.annotations.clone(),
            }),
            linux: Some(cri::LinuxPodSandboxStats {
                cpu: Some(cpu),
                memory: Some(memory),
                network: traffic.map(|text| network_usage(&text, now_ns())),
                process: Some(cri::ProcessUsage { timestamp: now_ns(), process_count: value(usage.processes) }),
                containers: containers.iter().filter(|c| c.is_running()).map(|c| self.container_stats(c)).collect(),
                ..Default::default()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_is_read_by_interface() {
        let text = "Inter-|   Receive                                                |  Transmit\n \
            face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    \
            lo:      99       1    0    0    0     0          0         0       99       1    0    0    0     0       0          0\n  \
            eth0: 1234567890      5    2    0    0     0          0         0      786       9    3    0    0     0       0          0\n";
        let found = network_usage(text, 7);
        let eth0 = found.default_interface.unwrap();
        let numbers = [eth0.rx_bytes, eth0.rx_errors, eth0.tx_bytes, eth0.tx_errors].map(|n| n.unwrap().value);
        assert_eq!((eth0.name.as_str(), numbers), ("eth0", [1_234_567_890, 2, 786, 3]));
        assert_eq!((found.timestamp, found.interfaces), (7, Vec::new()));
    }
}
