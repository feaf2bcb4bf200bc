//! CPU time: weight against others, and quota of each period.

use super::{Resources, Write, write};

/// Length of a period where only a quota is given, in microseconds.
const PERIOD_US: u64 = 100_000;
/// Range of shares that the kernel takes.
const SHARES_MIN: u64 = 2;
const SHARES_MAX: u64 = 262_144;

pub(super) fn legacy(resources: &Resources) -> Vec<Write> {
    let mut writes = Vec::new();
    if let Some(shares) = resources.cpu_shares {
        writes.push(write("cpu", "cpu.shares", shares.clamp(SHARES_MIN, SHARES_MAX)));
    }
    writes.extend(resources.cpu_burst.map(|_| write("cpu", "cpu.cfs_burst_us", 0)));
    // The period first: a quota is judged against it.
    if let Some(period) = resources.cpu_period {
        writes.push(write("cpu", "cpu.cfs_period_us", period));
    }
    if let Some(quota) = resources.cpu_quota {
        writes.push(write("cpu", "cpu.cfs_quota_us", quota.max(-1)));
    }
    writes.extend(resources.cpu_burst.map(|burst| write("cpu", "cpu.cfs_burst_us", burst)));
    writes
}

pub(super) fn unified(resources: &Resources) -> Vec<Write> {
    let mut writes = Vec::new();
    if let Some(shares) = resources.cpu_shares {
        writes.push(write("cpu", "cpu.weight", weight(shares)));
    }
    // No quota may be smaller than what is lent beyond it: nothing is, until the quota is there.
    writes.extend(resources.cpu_burst.map(|_| write("cpu", "cpu.max.burst", 0)));
    if resources.cpu_quota.is_some() || resources.cpu_period.is_some() {
        let period = resources.cpu_period.unwrap_or(PERIOD_US);
        let quota = match resources.cpu_quota {
            Some(quota) if quota > 0 => quota.to_string(),
            Some(_) | None => "max".into(),
        };
        writes.push(write("cpu", "cpu.max", format!("{quota} {period}")));
    }
    writes.extend(resources.cpu_burst.map(|burst| write("cpu", "cpu.max.burst", burst)));
    writes
}

/// Shares [2..262144] on the scale of weights [1..10000].
/// k8s: the linear mapping that kubelet and the runtimes agree on (KEP-2254).
fn weight(shares: u64) -> u64 {
    1 + ((shares.clamp(SHARES_MIN, SHARES_MAX) - SHARES_MIN) * 9_999) / (SHARES_MAX - SHARES_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(writes: &[Write]) -> Vec<String> {
        writes.iter().map(|w| format!("{}={}", w.file, w.value)).collect()
    }

    #[test]
    fn shares_and_quota_become_files_of_either_version() {
        let resources = Resources { cpu_shares: Some(1024), cpu_quota: Some(50_000), ..Resources::default() };
        assert_eq!(shown(&legacy(&resources)), ["cpu.shares=1024", "cpu.cfs_quota_us=50000"]);
        assert_eq!(shown(&unified(&resources)), ["cpu.weight=39", "cpu.max=50000 100000"]);
        let without = Resources { cpu_quota: Some(-1), cpu_period: Some(10_000), ..Resources::default() };
        assert_eq!(shown(&legacy(&without)), ["cpu.cfs_period_us=10000", "cpu.cfs_quota_us=-1"]);
        assert_eq!(shown(&unified(&without)), ["cpu.max=max 10000"]);
        let lent = Resources { cpu_quota: Some(50_000), cpu_burst: Some(20_000), ..Resources::default() };
        let quota = "cpu.cfs_quota_us=50000";
        assert_eq!(shown(&legacy(&lent)), ["cpu.cfs_burst_us=0", quota, "cpu.cfs_burst_us=20000"]);
        assert_eq!(shown(&unified(&lent)), ["cpu.max.burst=0", "cpu.max=50000 100000", "cpu.max.burst=20000"]);
        assert!(legacy(&Resources::default()).is_empty() && unified(&Resources::default()).is_empty());
    }

    #[test]
    fn weights_cover_the_whole_scale() {
        assert_eq!([0, 2, 1024, 262_144, u64::MAX].map(weight), [1, 1, 39, 10_000, 10_000]);
    }
}
