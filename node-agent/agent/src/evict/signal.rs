//! What the node has left, and whether that is too little. Pure.

/// k8s: evictionHard: memory.available<100Mi, nodefs.available<10%, nodefs.inodesFree<5%, imagefs.available<15%.
const MEMORY_MIN_BYTES: u64 = 100 << 20;
const NODE_FS_MIN_PERCENT: u64 = 10;
const INODES_MIN_PERCENT: u64 = 5;
const IMAGE_FS_MIN_PERCENT: u64 = 15;
/// Processes and threads left for the node itself; upstream has no default, but a node without any cannot even log in.
const PIDS_MIN_PERCENT: u64 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Memory,
    NodeFs,
    NodeInodes,
    ImageFs,
    Pids,
}

impl Signal {
    /// As messages name it.
    pub(super) fn resource(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::NodeFs | Self::ImageFs => "ephemeral-storage",
            Self::NodeInodes => "inodes",
            Self::Pids => "pids",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) capacity: u64,
    pub(super) available: u64,
    pub(super) inodes: u64,
    pub(super) inodes_free: u64,
}

/// What was measured; what could not be is not judged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Readings {
    pub(super) memory_available: Option<u64>,
    pub(super) node_fs: Option<Disk>,
    pub(super) image_fs: Option<Disk>,
    /// In use, and the most there can be.
    pub(super) pids: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shortage {
    pub(super) signal: Signal,
    pub(super) threshold: u64,
    pub(super) available: u64,
}

/// The most urgent first: what memory is short of cannot wait for a disk.
pub(super) fn shortages(read: &Readings) -> Vec<Shortage> {
    let below = |signal, available: u64, threshold: u64| {
        (available < threshold).then_some(Shortage { signal, threshold, available })
    };
    let percent = |of: u64, percent: u64| (u128::from(of) * u128::from(percent) / 100) as u64;
    [
        read.memory_available.and_then(|a| below(Signal::Memory, a, MEMORY_MIN_BYTES)),
        read.node_fs.and_then(|d| below(Signal::NodeFs, d.available, percent(d.capacity, NODE_FS_MIN_PERCENT))),
        read.image_fs.and_then(|d| below(Signal::ImageFs, d.available, percent(d.capacity, IMAGE_FS_MIN_PERCENT))),
        read.node_fs.and_then(|d| below(Signal::NodeInodes, d.inodes_free, percent(d.inodes, INODES_MIN_PERCENT))),
        read.pids.and_then(|(used, max)| below(Signal::Pids, max.saturating_sub(used), percent(max, PIDS_MIN_PERCENT))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// From `/proc/meminfo`: what can be had without swapping, page cache included.
pub(super) fn mem_available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find(|l| l.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// From `/proc/loadavg`: all processes and threads, the fourth field `running/all`.
pub(super) fn threads(loadavg: &str) -> Option<u64> {
    loadavg.split_whitespace().nth(3)?.split_once('/')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_upstreams() {
        let disk = |available, inodes_free| Disk { capacity: 1000, available, inodes: 100, inodes_free };
        let check = |memory, node, image| {
            let read = Readings {
                memory_available: Some(memory),
                node_fs: Some(node),
                image_fs: Some(image),
                pids: threads("0.1 0.2 0.3 2/300 77").zip(Some(1000)),
            };
            shortages(&read).iter().map(|s| s.signal).collect::<Vec<_>>()
        };
        assert_eq!(check(MEMORY_MIN_BYTES, disk(100, 5), disk(150, 5)), []);
        assert_eq!(check(MEMORY_MIN_BYTES - 1, disk(100, 5), disk(150, 5)), [Signal::Memory]);
        assert_eq!(check(1 << 30, disk(99, 4), disk(149, 5)), [Signal::NodeFs, Signal::ImageFs, Signal::NodeInodes]);
        assert_eq!(mem_available("MemFree: 1 kB\nMemAvailable:   2048 kB\n"), Some(2 << 20));
    }
}
