//! Quality of service and what follows from it: the cgroup a pod lives in, CPU shares and quota, memory limits and how
//! eager the kernel is to kill it when memory runs out.

use super::member::{Role, members, spec, uid};
use crate::quantity::{limit, milli, of, request, whole};
use k8s_openapi::api::core::v1::{Container, Pod, ResourceRequirements};
use proto::cri::{HugepageLimit, LinuxContainerResources};

/// Period of the CPU quota in microseconds, the kernel's own default.
const CPU_PERIOD_US: i64 = 100_000;
/// k8s: the smallest quota the kernel accepts.
const CPU_QUOTA_MIN_US: i64 = 1_000;
/// k8s: the kernel's smallest weight; what a container without a CPU request gets.
const CPU_SHARES_MIN: i64 = 2;
const CPU_SHARES_MAX: i64 = 262_144;
/// k8s: pods of this priority and above are critical to the system.
const CRITICAL_PRIORITY: i32 = 2_000_000_000;

/// Processes and threads of one container: far more than servers need, far less than a fork bomb needs to take the node.
const PIDS_MAX: u32 = 8192;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qos {
    Guaranteed,
    Burstable,
    BestEffort,
}

impl Qos {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guaranteed => "Guaranteed",
            Self::Burstable => "Burstable",
            Self::BestEffort => "BestEffort",
        }
    }
}

/// The class the API server wrote, or the one that follows from the resources.
pub fn qos(pod: &Pod) -> Qos {
    match pod.status.as_ref().and_then(|s| s.qos_class.as_deref()) {
        Some("Guaranteed") => return Qos::Guaranteed,
        Some("Burstable") => return Qos::Burstable,
        Some("BestEffort") => return Qos::BestEffort,
        Some(_) | None => {}
    }
    let positive =
        |q: Option<&k8s_openapi::apimachinery::pkg::api::resource::Quantity>| q.map(milli).filter(|v| *v > 0);
    let (mut any, mut all_limited) = (false, true);
    for member in members(pod).iter().filter(|m| m.role != Role::Ephemeral) {
        for resource in ["cpu", "memory"] {
            let resources = member.spec.resources.as_ref();
            let (wanted, capped) = (positive(request(resources, resource)), positive(limit(resources, resource)));
            any |= wanted.is_some() || capped.is_some();
            all_limited &= capped.is_some() && wanted == capped;
        }
    }
    match (any, all_limited) {
        (false, _) => Qos::BestEffort,
        (true, true) => Qos::Guaranteed,
        (true, false) => Qos::Burstable,
    }
}

/// `<root>/kubepods/burstable/pod<uid>`.
pub fn parent(pod: &Pod, root: &str) -> String {
    let root = root.trim_end_matches('/');
    let class = match qos(pod) {
        Qos::Guaranteed => "",
        Qos::Burstable => "/burstable",
        Qos::BestEffort => "/besteffort",
    };
    format!("{root}/kubepods{class}/pod{}", uid(pod))
}

/// The node as limits of its containers depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSize {
    pub memory_bytes: i64,
    /// Sizes of huge pages that the kernel has, as resources name them: `2Mi`.
    pub hugepages: Vec<String>,
    pub swap: Swap,
}

/// Whether the node can keep containers from swapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Swap {
    /// Version 2 with a swap controller.
    Limited,
    #[default]
    Unlimited,
}

/// Limits of one container.
pub fn container(pod: &Pod, container: &Container, node: &NodeSize) -> LinuxContainerResources {
    let resources = container.resources.as_ref();
    let mut unified = vec![("pids.max".to_owned(), PIDS_MAX.to_string())];
    if node.swap == Swap::Limited {
        // k8s: NoSwap is what a kubelet does unless it is configured otherwise.
        unified.push(("memory.swap.max".to_owned(), "0".to_owned()));
    }
    let hugepages = node.hugepages.iter().map(|size| HugepageLimit {
        page_size: size.replace("Ki", "KB").replace("Mi", "MB").replace("Gi", "GB"),
        limit: limit(resources, &format!("hugepages-{size}")).map_or(0, whole).try_into().unwrap_or(0),
    });
    LinuxContainerResources {
        oom_score_adj: oom_score_adj(pod, container, node.memory_bytes),
        unified: unified.into_iter().collect(),
        hugepage_limits: hugepages.collect(),
        ..linux(resources)
    }
}

/// The larger of two limits in each resource; what one of them does not limit is not limited.
// k8s: while containers grow or shrink, the pod around them must be large enough for both.
pub fn widest(a: &LinuxContainerResources, b: &LinuxContainerResources) -> LinuxContainerResources {
    let limit = |a: i64, b: i64| if a <= 0 || b <= 0 { -1 } else { a.max(b) };
    LinuxContainerResources {
        cpu_shares: a.cpu_shares.max(b.cpu_shares),
        cpu_period: CPU_PERIOD_US,
        cpu_quota: limit(a.cpu_quota, b.cpu_quota),
        memory_limit_in_bytes: limit(a.memory_limit_in_bytes, b.memory_limit_in_bytes),
        ..LinuxContainerResources::default()
    }
}

/// Limits of the pod as a whole: the sums over its containers, where every one of them is limited.
pub fn pod(pod: &Pod) -> LinuxContainerResources {
    if let Some(own) = &spec(pod).resources {
        return linux(Some(own));
    }
    let apps = &spec(pod).containers;
    let sidecars: Vec<_> = members(pod).into_iter().filter(|m| m.role == Role::Sidecar).collect();
    let long_running = || apps.iter().chain(sidecars.iter().map(|m| &*m.spec));
    let overhead = |resource: &str, read: fn(&_) -> i64| of(spec(pod).overhead.as_ref(), resource).map_or(0, read);
    let sum_of_requests: i64 =
        long_running().filter_map(|c| request(c.resources.as_ref(), "cpu")).map(milli).sum::<i64>()
            + overhead("cpu", milli);
    let limited = |resource: &str, read: fn(&_) -> i64| -> i64 {
        let limits: Option<Vec<i64>> =
            long_running().map(|c| limit(c.resources.as_ref(), resource).map(read).filter(|v| *v > 0)).collect();
        let init = members(pod).into_iter().filter(|m| m.role == Role::Init);
        let largest =
            init.map(|m| limit(m.spec.resources.as_ref(), resource).map_or(i64::MAX, read)).max().unwrap_or(0);
        match limits {
            // An unlimited init container needs an unlimited pod.
            Some(list) if largest < i64::MAX => list.iter().sum::<i64>().max(largest) + overhead(resource, read),
            Some(_) | None => 0,
        }
    };
    LinuxContainerResources {
        cpu_shares: shares(sum_of_requests),
        cpu_period: CPU_PERIOD_US,
        cpu_quota: quota(limited("cpu", milli)),
        memory_limit_in_bytes: limited("memory", whole),
        ..LinuxContainerResources::default()
    }
}

fn linux(resources: Option<&ResourceRequirements>) -> LinuxContainerResources {
    LinuxContainerResources {
        cpu_shares: shares(request(resources, "cpu").map_or(0, milli)),
        cpu_period: CPU_PERIOD_US,
        cpu_quota: quota(limit(resources, "cpu").map_or(0, milli)),
        memory_limit_in_bytes: limit(resources, "memory").map_or(0, whole),
        ..LinuxContainerResources::default()
    }
}

fn shares(milli_cpu: i64) -> i64 {
    (milli_cpu * 1024 / 1000).clamp(CPU_SHARES_MIN, CPU_SHARES_MAX)
}

/// Zero: no quota.
fn quota(milli_cpu: i64) -> i64 {
    if milli_cpu == 0 { 0 } else { (milli_cpu * CPU_PERIOD_US / 1000).max(CPU_QUOTA_MIN_US) }
}

// k8s: the larger the part of the node's memory a burstable container asked for, the later it is killed.
fn oom_score_adj(pod: &Pod, container: &Container, memory_capacity: i64) -> i64 {
    if spec(pod).priority.is_some_and(|p| p >= CRITICAL_PRIORITY) {
        return -997;
    }
    match qos(pod) {
        Qos::Guaranteed => -997,
        Qos::BestEffort => 1000,
        Qos::Burstable => {
            let asked = request(container.resources.as_ref(), "memory").map_or(0, whole);
            let part = 1000 * i128::from(asked) / i128::from(memory_capacity.max(1));
            (1000 - i64::try_from(part).unwrap_or(1000)).clamp(3, 999)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::pod_yaml;
    use super::*;

    fn pod_with(resources: &str) -> Pod {
        pod_yaml(&format!("spec:\n  containers:\n  - name: a\n    resources: {resources}\n"))
    }

    #[test]
    fn qos_follows_from_requests_and_limits() {
        let class = |resources| qos(&pod_with(resources));
        assert_eq!(class("{}"), Qos::BestEffort);
        assert_eq!(class("{requests: {cpu: 100m}}"), Qos::Burstable);
        assert_eq!(class("{limits: {cpu: 1, memory: 1Gi}}"), Qos::Guaranteed);
        assert_eq!(class("{limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 500m}}"), Qos::Burstable);
    }

    #[test]
    fn requests_become_shares_and_limits_become_quota_and_memory() {
        let pod = pod_with("{requests: {cpu: 500m, memory: 64Mi}, limits: {cpu: 250m, memory: 128Mi}}");
        let node = NodeSize { memory_bytes: 1 << 30, hugepages: vec!["2Mi".into()], swap: Swap::Limited };
        let limits = container(&pod, &spec(&pod).containers[0], &node);
        assert_eq!((limits.cpu_shares, limits.cpu_quota, limits.memory_limit_in_bytes), (512, 25_000, 128 << 20));
        assert_eq!(limits.oom_score_adj, 1000 - 62);
        assert_eq!((limits.hugepage_limits[0].page_size.as_str(), limits.hugepage_limits[0].limit), ("2MB", 0));
        assert_eq!(limits.unified["memory.swap.max"], "0");
        assert_eq!(container(&pod_with("{}"), &Container::default(), &node).cpu_shares, CPU_SHARES_MIN);
    }

    #[test]
    fn the_pod_cgroup_lies_below_its_class() {
        assert_eq!(parent(&pod_with("{}"), ""), "/kubepods/besteffort/poduid-1");
        assert_eq!(parent(&pod_with("{limits: {cpu: 1, memory: 1Gi}}"), "/a/"), "/a/kubepods/poduid-1");
    }
}
