//! Quality of service and what follows from it: the cgroup a pod lives in, CPU shares and quota, memory limits and how
//! eager the kernel is to kill it when memory runs out.

use super::demand;
use super::member::{Role, members, spec, uid};
use crate::quantity::{limit, milli, of, request, whole};
use k8s_openapi::api::core::v1::{Container, Pod, ResourceRequirements};
use kinds::opt_in::{self, CPU_BURST};
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
/// Version 2's name of what the kernel lends beyond a quota; a runtime on version 1 knows what is meant.
const CPU_BURST_FILE: &str = "cpu.max.burst";

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
    let class = match qos(pod) {
        Qos::Guaranteed => "",
        Qos::Burstable => "/burstable",
        Qos::BestEffort => "/besteffort",
    };
    format!("{}{class}/pod{}", classes(root), uid(pod))
}

/// The cgroup in which those of pods are, by class.
pub fn classes(root: &str) -> String {
    format!("{}/kubepods", root.trim_end_matches('/'))
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
    let limits = linux(Some(&with_pod_limits(pod, container)));
    unified.extend(burst(pod, limits.cpu_quota));
    let hugepages = node.hugepages.iter().map(|size| HugepageLimit {
        page_size: size.replace("Ki", "KB").replace("Mi", "MB").replace("Gi", "GB"),
        limit: limit(resources, &format!("hugepages-{size}")).map_or(0, whole).try_into().unwrap_or(0),
    });
    LinuxContainerResources {
        oom_score_adj: oom_score_adj(pod, container, node.memory_bytes),
        unified: unified.into_iter().collect(),
        hugepage_limits: hugepages.collect(),
        ..limits
    }
}

/// The file and value by which the kernel lends unused time of earlier periods, where the pod asks for it and is limited.
fn burst(pod: &Pod, quota_us: i64) -> Option<(String, String)> {
    let asked = pod.metadata.annotations.as_ref()?.get(CPU_BURST)?;
    let percent = opt_in::cpu_burst(asked).ok()?;
    (quota_us > 0).then(|| (CPU_BURST_FILE.to_owned(), (quota_us * percent / 100).to_string()))
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
        // Of the limits afterwards, which the larger quota has room for.
        unified: a.unified.iter().chain(&b.unified).map(|(file, value)| (file.clone(), value.clone())).collect(),
        ..LinuxContainerResources::default()
    }
}

/// Limits of the pod as a whole.
pub fn pod(pod: &Pod) -> LinuxContainerResources {
    let cpu_quota = quota(demand::limit_of_pod(pod, "cpu").unwrap_or(0));
    LinuxContainerResources {
        cpu_shares: shares(demand::of_pod(pod).get("cpu").copied().unwrap_or(0)),
        cpu_period: CPU_PERIOD_US,
        cpu_quota,
        unified: burst(pod, cpu_quota).into_iter().collect(),
        memory_limit_in_bytes: demand::limit_of_pod(pod, "memory").unwrap_or(0),
        ..LinuxContainerResources::default()
    }
}

/// k8s: a container without a limit of its own is limited to what the whole pod may have.
fn with_pod_limits(pod: &Pod, container: &Container) -> ResourceRequirements {
    let mut resources = container.resources.clone().unwrap_or_default();
    for resource in ["cpu", "memory"] {
        let own = limit(Some(&resources), resource).filter(|q| milli(q) > 0);
        if let (None, Some(of_pod)) = (own, limit(spec(pod).resources.as_ref(), resource)) {
            resources.limits.get_or_insert_default().insert(resource.to_owned(), of_pod.clone());
        }
    }
    resources
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
            let asked = |c: &Container| request(c.resources.as_ref(), "memory").map_or(0, whole);
            // k8s: a sidecar is killed no earlier than the app container that asked for the least.
            let is_sidecar = members(pod).iter().any(|m| m.role == Role::Sidecar && m.name() == container.name);
            let least = spec(pod).containers.iter().map(asked).min().filter(|_| is_sidecar).unwrap_or(0);
            let asked = asked(container).max(least) + shared_request(pod);
            let part = 1000 * i128::from(asked) / i128::from(memory_capacity.max(1));
            (1000 - i64::try_from(part).unwrap_or(1000)).clamp(3, 999)
        }
    }
}

/// k8s: memory that the pod asks for beyond its containers counts for each of them in equal parts.
fn shared_request(pod: &Pod) -> i64 {
    let requests = spec(pod).resources.as_ref().and_then(|r| r.requests.as_ref());
    let Some(of_pod) = of(requests, "memory").map(whole) else { return 0 };
    let containers = spec(pod).containers.len() + spec(pod).init_containers.as_ref().map_or(0, Vec::len);
    let theirs = demand::of_containers(pod).get("memory").copied().unwrap_or(0);
    (of_pod - theirs).max(0) / i64::try_from(containers.max(1)).unwrap_or(i64::MAX)
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
    fn a_pod_that_asks_for_it_may_use_unused_time_beyond_its_limit_and_without_a_limit_needs_none() {
        let lent = |annotation: &str, resources: &str| {
            let pod = pod_yaml(&format!(
                "metadata: {{annotations: {{drover.dev/cpu-burst: '{annotation}'}}}}\nspec:\n  containers:\n  - name: a\n    resources: {resources}\n"
            ));
            let of_container = container(&pod, &spec(&pod).containers[0], &NodeSize::default());
            [of_container, super::pod(&pod)]
                .map(|limits| limits.unified.get(CPU_BURST_FILE).cloned().unwrap_or_default())
        };
        assert_eq!(lent("50%", "{limits: {cpu: 200m}}"), ["10000", "10000"]);
        assert_eq!(lent("50%", "{}"), ["", ""]);
        assert_eq!(lent("half", "{limits: {cpu: 200m}}"), ["", ""]);
    }

    /// CPU shares, CPU quota and memory limit.
    fn limits(of: &LinuxContainerResources) -> (i64, i64, i64) {
        (of.cpu_shares, of.cpu_quota, of.memory_limit_in_bytes)
    }

    #[test]
    fn a_pod_is_limited_as_far_as_it_or_each_of_its_containers_is() {
        const MIB: i64 = 1 << 20;
        let cases = [
            (
                "all containers",
                "{ containers: [{ name: a, resources: { limits: { cpu: 1, memory: 64Mi } } },
                    { name: b, resources: { limits: { cpu: 500m, memory: 32Mi }, requests: { cpu: 250m } } }] }",
                (1280, 150_000, 96 * MIB),
            ),
            (
                "one without a memory limit",
                "{ containers: [{ name: a, resources: { limits: { cpu: 1, memory: 64Mi } } },
                    { name: b, resources: { limits: { cpu: 1 } } }] }",
                (2048, 200_000, 0),
            ),
            (
                "an init container that asks for more, beside a sidecar",
                "{ containers: [{ name: a, resources: { limits: { cpu: 100m, memory: 8Mi } } }],
                    initContainers: [{ name: s, restartPolicy: Always, resources: { limits: { cpu: 100m, memory: 8Mi } } },
                        { name: i, resources: { limits: { cpu: 400m, memory: 32Mi } } }] }",
                (512, 50_000, 40 * MIB),
            ),
            (
                "an init container without limits",
                "{ containers: [{ name: a, resources: { limits: { cpu: 100m, memory: 8Mi } } }],
                    initContainers: [{ name: i }] }",
                (102, 0, 0),
            ),
            (
                "overhead",
                "{ overhead: { cpu: 100m, memory: 1Mi },
                    containers: [{ name: a, resources: { limits: { cpu: 900m, memory: 7Mi } } }] }",
                (1024, 100_000, 8 * MIB),
            ),
            (
                "the pod's memory, and the CPU of its containers",
                "{ resources: { requests: { cpu: 1 }, limits: { memory: 64Mi } },
                    containers: [{ name: a, resources: { limits: { cpu: 500m } } }] }",
                (1024, 50_000, 64 * MIB),
            ),
            ("nothing", "{ containers: [{ name: a }] }", (2, 0, 0)),
        ];
        for (name, text, wanted) in cases {
            assert_eq!(limits(&pod(&pod_yaml(&format!("spec: {text}")))), wanted, "{name}");
        }
    }

    #[test]
    fn a_container_without_limits_has_those_of_its_pod() {
        let pod = pod_yaml(
            "spec: { resources: { limits: { cpu: 1, memory: 64Mi } },
                containers: [{ name: a }, { name: b, resources: { requests: { cpu: 500m }, limits: { memory: 1Mi } } }] }",
        );
        let of = |index: usize| limits(&container(&pod, &spec(&pod).containers[index], &NodeSize::default()));
        assert_eq!(of(0), (1024, 100_000, 64 << 20));
        assert_eq!(of(1), (512, 100_000, 1 << 20));
    }

    #[test]
    fn the_kernel_kills_sidecars_last_and_counts_what_the_pod_asks_for() {
        let node = NodeSize { memory_bytes: 1 << 30, ..NodeSize::default() };
        let part = |mib: i64| (1000 - 1000 * mib / 1024).min(999);
        let cases = [
            ("{ name: s, restartPolicy: Always, resources: { requests: { memory: 1Mi } } }", "{}", part(64), part(64)),
            ("{ name: s, resources: { requests: { memory: 1Mi } } }", "{}", part(1), part(64)),
            (
                "{ name: s, resources: { requests: { memory: 1Mi } } }",
                "{ requests: { memory: 84Mi } }",
                part(11),
                part(74),
            ),
        ];
        for (init, of_pod, of_init, of_app) in cases {
            let pod = pod_yaml(&format!(
                "spec: {{ resources: {of_pod}, initContainers: [{init}],
                    containers: [{{ name: a, resources: {{ requests: {{ memory: 64Mi }} }} }}] }}"
            ));
            let score = |c: &Container| container(&pod, c, &node).oom_score_adj;
            let init_container = &spec(&pod).init_containers.as_ref().unwrap()[0];
            assert_eq!((score(init_container), score(&spec(&pod).containers[0])), (of_init, of_app), "{init} {of_pod}");
        }
    }

    #[test]
    fn the_pod_cgroup_lies_below_its_class() {
        assert_eq!(parent(&pod_with("{}"), ""), "/kubepods/besteffort/poduid-1");
        assert_eq!(parent(&pod_with("{limits: {cpu: 1, memory: 1Gi}}"), "/a/"), "/a/kubepods/poduid-1");
    }
}
