//! What the machine has: CPUs, memory, disk, and who it is.

use crate::config::{Config, Reserved};
use crate::evict::threshold::{Signal, Thresholds};
use crate::pod::cgroup::Swap;
use k8s_openapi::api::core::v1::NodeSystemInfo;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The version that the node reports as its kubelet's.
pub const VERSION: &str = "v1.37.0+drover";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    pub cpus: i64,
    pub memory_bytes: i64,
    pub disk_bytes: i64,
    /// Bytes in huge pages, by page size as resources name it: `2Mi`.
    pub hugepages: BTreeMap<String, i64>,
}

pub fn machine(data_dir: &Path) -> Machine {
    let memory = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_memory(&text)).unwrap_or(0);
    let disk = rustix::fs::statvfs(data_dir).map_or(0, |s| (s.f_blocks * s.f_frsize) as i64);
    let cpus = std::thread::available_parallelism().map_or(1, |n| n.get() as i64);
    Machine { cpus, memory_bytes: memory, disk_bytes: disk, hugepages: hugepages(Path::new(HUGEPAGES)) }
}

const HUGEPAGES: &str = "/sys/kernel/mm/hugepages";

fn hugepages(folder: &Path) -> BTreeMap<String, i64> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let one = |entry: fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let kib: i64 = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
        let count: i64 = fs::read_to_string(entry.path().join("nr_hugepages")).ok()?.trim().parse().ok()?;
        let size = match kib {
            kib if kib % (1 << 20) == 0 => format!("{}Gi", kib >> 20),
            kib if kib % (1 << 10) == 0 => format!("{}Mi", kib >> 10),
            kib => format!("{kib}Ki"),
        };
        Some((size, count * kib * 1024))
    };
    entries.filter_map(one).collect()
}

/// Whether containers can be kept from swapping: version 2 of cgroups, with swap counted.
pub fn swap() -> Swap {
    let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    let counted = Path::new("/proc/swaps").exists() && controllers.split_whitespace().any(|c| c == "memory");
    if counted { Swap::Limited } else { Swap::Unlimited }
}

pub fn apparmor() -> bool {
    fs::read_to_string("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.trim() == "Y")
}

fn total_memory(meminfo: &str) -> Option<i64> {
    let line = meminfo.lines().find(|l| l.starts_with("MemTotal:"))?;
    line.split_whitespace().nth(1)?.parse::<i64>().ok().map(|kib| kib * 1024)
}

pub fn capacity(machine: &Machine, max_pods: u32) -> BTreeMap<String, Quantity> {
    let mut list = BTreeMap::from([
        ("cpu".to_owned(), Quantity(machine.cpus.to_string())),
        ("memory".to_owned(), Quantity(format!("{}Ki", machine.memory_bytes / 1024))),
        ("ephemeral-storage".to_owned(), Quantity(format!("{}Ki", machine.disk_bytes / 1024))),
        ("pods".to_owned(), Quantity(max_pods.to_string())),
        ("hugepages-1Gi".to_owned(), Quantity("0".to_owned())),
        ("hugepages-2Mi".to_owned(), Quantity("0".to_owned())),
    ]);
    list.extend(
        machine.hugepages.iter().map(|(size, bytes)| (format!("hugepages-{size}"), Quantity(bytes.to_string()))),
    );
    list
}

/// What is left for pods. k8s: what the node keeps free before it evicts, pods cannot count on.
pub fn allocatable(
    machine: &Machine,
    max_pods: u32,
    reserved: Reserved,
    thresholds: &Thresholds,
) -> BTreeMap<String, Quantity> {
    let least = |watched, all: i64| {
        let kept = thresholds.least(watched, u64::try_from(all).unwrap_or(0));
        i64::try_from(kept).unwrap_or(i64::MAX)
    };
    let mut list = capacity(machine, max_pods);
    let milli = (machine.cpus * 1000).saturating_sub(reserved.cpu_milli).max(0);
    let cpu = if milli % 1000 == 0 { (milli / 1000).to_string() } else { format!("{milli}m") };
    list.insert("cpu".to_owned(), Quantity(cpu));
    // Memory in huge pages is not there for anything else.
    let set_aside = reserved.memory_bytes.saturating_add(least(Signal::Memory, machine.memory_bytes));
    let set_aside = set_aside.saturating_add(machine.hugepages.values().sum::<i64>());
    let memory = machine.memory_bytes.saturating_sub(set_aside).max(0);
    list.insert("memory".to_owned(), Quantity(format!("{}Ki", memory / 1024)));
    let disk = machine.disk_bytes.saturating_sub(least(Signal::NodeFs, machine.disk_bytes)).max(0);
    // k8s: printed in bytes.
    list.insert("ephemeral-storage".to_owned(), Quantity(disk.to_string()));
    list
}

pub fn system_info(runtime_version: String) -> NodeSystemInfo {
    let read = |path: &str| fs::read_to_string(path).map(|s| s.trim().to_owned()).unwrap_or_default();
    let machine_id = read("/etc/machine-id");
    let system_uuid = read("/sys/class/dmi/id/product_uuid");
    NodeSystemInfo {
        architecture: architecture().to_owned(),
        boot_id: read("/proc/sys/kernel/random/boot_id"),
        container_runtime_version: runtime_version,
        kernel_version: read("/proc/sys/kernel/osrelease"),
        kube_proxy_version: String::new(),
        kubelet_version: VERSION.to_owned(),
        system_uuid: if system_uuid.is_empty() { machine_id.clone() } else { system_uuid },
        machine_id,
        operating_system: "linux".to_owned(),
        os_image: os_image(&read("/etc/os-release")),
        ..NodeSystemInfo::default()
    }
}

/// Go's name for the processor, which image platforms and node labels use.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

fn os_image(os_release: &str) -> String {
    let line = os_release.lines().find_map(|l| l.strip_prefix("PRETTY_NAME="));
    line.map_or("Linux".to_owned(), |name| name.trim_matches('"').to_owned())
}

/// The labels every node has, and those it was started with.
pub fn labels(config: &Config) -> BTreeMap<String, String> {
    let mut labels = config.labels.clone();
    for (key, value) in [
        ("kubernetes.io/hostname", config.node_name.as_str()),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", architecture()),
        ("beta.kubernetes.io/os", "linux"),
        ("beta.kubernetes.io/arch", architecture()),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_not_for_pods() {
        let machine = Machine { cpus: 2, memory_bytes: 1 << 30, disk_bytes: 1 << 30, ..Machine::default() };
        let list = allocatable(&machine, 110, Reserved { cpu_milli: 250, memory_bytes: 0 }, &Thresholds::default());
        assert_eq!((list["cpu"].0.as_str(), list["memory"].0.as_str()), ("1750m", "946176Ki"));
        let all = Reserved { cpu_milli: 4000, memory_bytes: i64::MAX };
        let none = allocatable(&machine, 110, all, &Thresholds::default());
        assert_eq!((none["cpu"].0.as_str(), none["memory"].0.as_str()), ("0", "0Ki"));
        assert_eq!(capacity(&machine, 110)["memory"].0, "1048576Ki");
    }

    #[test]
    fn the_machine_is_read() {
        assert_eq!(total_memory("MemFree: 1 kB\nMemTotal:       2048 kB\n"), Some(2 << 20));
        assert_eq!(os_image("NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 13\"\n"), "Debian GNU/Linux 13");
        assert!(machine(Path::new("/")).memory_bytes > 0);
    }
}
