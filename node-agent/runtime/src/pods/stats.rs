//! What containers and pods use, read from their cgroups when asked.

use super::{Container, Pods, Sandbox};
use crate::plan::UPPER;
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
                process: Some(cri::ProcessUsage { timestamp: now_ns(), process_count: value(usage.processes) }),
                containers: containers.iter().filter(|c| c.is_running()).map(|c| self.container_stats(c)).collect(),
                ..Default::default()
            }),
        }
    }
}
