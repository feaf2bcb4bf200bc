//! The workloads, as scheduler_perf defines them: nodes, pods that are there first, pods that are measured, and what goes
//! on beside them. k8s: test/integration/scheduler_perf/*/performance-config.yaml

use crate::objects::{NodeForm, PodForm};

/// Pods of one form in one namespace, or spread over several.
pub(crate) struct Crowd {
    pub(crate) form: PodForm,
    pub(crate) pods: usize,
    pub(crate) ns: &'static str,
    /// More than one: `ns-0`, `ns-1`, ..
    pub(crate) namespaces: usize,
}

/// What goes on while pods are measured.
#[derive(Clone, Copy)]
pub(crate) enum Disturbance {
    Nothing,
    /// A node, a pod that never fits and a Service are made anew each second.
    Mixed,
    /// Five pods a second that never fit, more important than the others.
    Unschedulable,
    /// Five pods a second that three others have to make room for.
    Preemptors,
}

pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// Pods per second to reach.
    pub(crate) bar: usize,
    pub(crate) nodes: usize,
    pub(crate) node: NodeForm,
    pub(crate) init: &'static [Crowd],
    pub(crate) measured: Crowd,
    pub(crate) disturbance: Disturbance,
}

const fn crowd(form: PodForm, pods: usize, ns: &'static str) -> Crowd {
    Crowd { form, pods, ns, namespaces: 1 }
}

const fn crowds(form: PodForm, pods: usize) -> Crowd {
    Crowd { form, pods, ns: "init-ns", namespaces: 100 }
}

const fn workload(name: &'static str, bar: usize, init: &'static [Crowd], measured: Crowd) -> Workload {
    let (node, disturbance) = (NodeForm::Plain, Disturbance::Nothing);
    Workload { name, bar, nodes: 5000, node, init, measured, disturbance }
}

const fn zoned(name: &'static str, bar: usize, init: &'static [Crowd], measured: Crowd) -> Workload {
    Workload { node: NodeForm::OneZone, ..workload(name, bar, init, measured) }
}

pub(crate) static WORKLOADS: &[Workload] = &[
    workload(
        "SchedulingBasic",
        3300,
        &[crowd(PodForm::Plain, 1000, "sched-setup")],
        crowd(PodForm::Plain, 10_000, "sched-test"),
    ),
    zoned(
        "SchedulingNodeAffinity",
        2500,
        &[crowd(PodForm::NodeAffinity, 5000, "sched-setup")],
        crowd(PodForm::NodeAffinity, 10_000, "sched-test"),
    ),
    workload(
        "SchedulingSecrets",
        2500,
        &[crowd(PodForm::Secret, 1000, "sched-setup")],
        crowd(PodForm::Secret, 10_000, "sched-test"),
    ),
    Workload {
        disturbance: Disturbance::Mixed,
        ..workload("SchedulingWithMixedChurn", 2500, &[], crowd(PodForm::Plain, 10_000, "sched-test"))
    },
    Workload {
        disturbance: Disturbance::Unschedulable,
        ..workload(
            "Unschedulable",
            2500,
            &[crowd(PodForm::TooBig, 100, "sched-setup")],
            crowd(PodForm::Plain, 10_000, "sched-test"),
        )
    },
    Workload {
        node: NodeForm::ThreeZones,
        ..workload(
            "TopologySpreading",
            2000,
            &[crowd(PodForm::Plain, 5000, "sched-setup")],
            crowd(PodForm::Spread, 5000, "sched-test"),
        )
    },
    Workload {
        node: NodeForm::ThreeZones,
        ..workload(
            "PreferredTopologySpreading",
            2000,
            &[crowd(PodForm::Plain, 5000, "sched-setup")],
            crowd(PodForm::PreferredSpread, 5000, "sched-test"),
        )
    },
    zoned(
        "SchedulingPodAffinity",
        1500,
        &[crowd(PodForm::Affinity, 5000, "sched-0")],
        crowd(PodForm::Affinity, 5000, "sched-1"),
    ),
    workload(
        "SchedulingPodAntiAffinity",
        1500,
        &[crowd(PodForm::AntiAffinity, 1000, "sched-0")],
        crowd(PodForm::AntiAffinity, 2000, "sched-1"),
    ),
    workload(
        "SchedulingPreferredPodAffinity",
        1500,
        &[crowd(PodForm::PreferredAffinity, 5000, "sched-0")],
        crowd(PodForm::PreferredAffinity, 5000, "sched-1"),
    ),
    workload(
        "SchedulingPreferredPodAntiAffinity",
        1500,
        &[crowd(PodForm::PreferredAntiAffinity, 5000, "sched-0")],
        crowd(PodForm::PreferredAntiAffinity, 5000, "sched-1"),
    ),
    Workload {
        nodes: 6000,
        ..workload(
            "RequiredPodAntiAffinityWithNSSelector",
            1500,
            &[crowds(PodForm::AntiAffinityByNamespace, 4000)],
            crowd(PodForm::AntiAffinityByNamespace, 2000, "measure-ns"),
        )
    },
    workload(
        "PreferredAntiAffinityWithNSSelector",
        1500,
        &[crowds(PodForm::PreferredAntiAffinityByNamespace, 4000)],
        crowd(PodForm::PreferredAntiAffinityByNamespace, 2000, "measure-ns"),
    ),
    zoned(
        "RequiredPodAffinityWithNSSelector",
        1500,
        &[crowds(PodForm::AffinityByNamespace, 5000)],
        crowd(PodForm::AffinityByNamespace, 2000, "measure-ns"),
    ),
    workload(
        "PreferredAffinityWithNSSelector",
        1500,
        &[crowds(PodForm::PreferredAffinityByNamespace, 5000)],
        crowd(PodForm::PreferredAffinityByNamespace, 5000, "measure-ns"),
    ),
    Workload {
        disturbance: Disturbance::Preemptors,
        ..workload(
            "PreemptionAsync",
            1500,
            &[crowd(PodForm::LowPriority, 20_000, "sched-setup")],
            crowd(PodForm::Plain, 5000, "sched-test"),
        )
    },
    Workload {
        node: NodeForm::Csi,
        ..workload(
            "SchedulingCSIPVs",
            1000,
            &[crowd(PodForm::CsiVolume, 5000, "sched-setup")],
            crowd(PodForm::CsiVolume, 5000, "sched-test"),
        )
    },
];
