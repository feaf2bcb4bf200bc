//! What the node has left, and whether that is too little. Pure.

use super::threshold::{Signal, Thresholds};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) capacity: u64,
    pub(super) available: u64,
    pub(super) inodes: u64,
    pub(super) inodes_free: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) total: u64,
    pub(super) available: u64,
}

/// What was measured; what could not be is not judged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Readings {
    pub(super) memory: Option<Memory>,
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
pub(super) fn shortages(read: &Readings, thresholds: &Thresholds) -> Vec<Shortage> {
    let below = |signal, available: u64, all: u64| {
        let threshold = thresholds.least(signal, all);
        (available < threshold).then_some(Shortage { signal, threshold, available })
    };
    [
        read.memory.and_then(|m| below(Signal::Memory, m.available, m.total)),
        read.node_fs.and_then(|d| below(Signal::NodeFs, d.available, d.capacity)),
        read.image_fs.and_then(|d| below(Signal::ImageFs, d.available, d.capacity)),
        read.node_fs.and_then(|d| below(Signal::NodeInodes, d.inodes_free, d.inodes)),
        read.pids.and_then(|(used, max)| below(Signal::Pids, max.saturating_sub(used), max)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// From `/proc/meminfo`: what there is, and what can be had without swapping, page cache included.
pub(super) fn memory(meminfo: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
    };
    Some(Memory { total: bytes("MemTotal")?, available: bytes("MemAvailable")? })
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
        let least = 100 << 20;
        let check = |available, node, image| {
            let read = Readings {
                memory: Some(Memory { total: 8 << 30, available }),
                node_fs: Some(node),
                image_fs: Some(image),
                pids: threads("0.1 0.2 0.3 2/300 77").zip(Some(1000)),
            };
            shortages(&read, &Thresholds::default()).iter().map(|s| s.signal).collect::<Vec<_>>()
        };
        assert_eq!(check(least, disk(100, 5), disk(150, 5)), []);
        assert_eq!(check(least - 1, disk(100, 5), disk(150, 5)), [Signal::Memory]);
        assert_eq!(check(1 << 30, disk(99, 4), disk(149, 5)), [Signal::NodeFs, Signal::ImageFs, Signal::NodeInodes]);
        let found = memory("MemTotal: 4096 kB\nMemFree: 1 kB\nMemAvailable:   2048 kB\n");
        assert_eq!(found, Some(Memory { total: 4 << 20, available: 2 << 20 }));
    }
}
