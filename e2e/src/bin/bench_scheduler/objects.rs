//! Nodes and pods of the workloads. k8s: test/integration/scheduler_perf/templates

use serde_json::{Value, json};

const ZONE: &str = "topology.kubernetes.io/zone";
const HOSTNAME: &str = "kubernetes.io/hostname";
pub(crate) const CSI_DRIVER: &str = "ebs.csi.aws.com";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeForm {
    Plain,
    OneZone,
    ThreeZones,
    /// Each can attach 39 volumes.
    Csi,
}

pub(crate) fn node(name: &str, nth: usize, form: NodeForm) -> Value {
    let mut labels = json!({(HOSTNAME): name});
    match form {
        NodeForm::Plain | NodeForm::Csi => {}
        NodeForm::OneZone => labels[ZONE] = json!("zone1"),
        NodeForm::ThreeZones => labels[ZONE] = json!(format!("moon-{}", nth % 3 + 1)),
    }
    let amounts = json!({"cpu": "4", "memory": "32Gi", "pods": "110"});
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {
            "capacity": amounts, "allocatable": amounts,
            "conditions": [{"type": "Ready", "status": "True", "reason": "Bench"}],
        },
    })
}

pub(crate) fn csi_node(name: &str) -> Value {
    let driver = json!({"name": CSI_DRIVER, "nodeID": name, "topologyKeys": [], "allocatable": {"count": 39}});
    json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "CSINode", "metadata": {"name": name},
        "spec": {"drivers": [driver]},
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PodForm {
    Plain,
    NodeAffinity,
    Secret,
    /// Fits on no node.
    TooBig,
    LowPriority,
    /// Three quarters of a node.
    HighPriority,
    Spread,
    PreferredSpread,
    Affinity,
    AntiAffinity,
    PreferredAffinity,
    PreferredAntiAffinity,
    AffinityByNamespace,
    AntiAffinityByNamespace,
    PreferredAffinityByNamespace,
    PreferredAntiAffinityByNamespace,
    CsiVolume,
}

/// Where an affinity term looks for others.
#[derive(Clone, Copy)]
enum Scope {
    Named,
    Labelled,
}

fn term(colour: &str, key: &str, scope: Scope) -> Value {
    let mut term = json!({"labelSelector": {"matchLabels": {"color": colour}}, "topologyKey": key});
    match scope {
        Scope::Named => term["namespaces"] = json!(["sched-0", "sched-1"]),
        Scope::Labelled => term["namespaceSelector"] = json!({"matchLabels": {"team": "devops"}}),
    }
    term
}

fn required(kind: &str, term: &Value) -> Value {
    json!({kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}})
}

fn preferred(kind: &str, term: &Value) -> Value {
    json!({kind: {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term}]}})
}

fn spread(when: &str) -> Value {
    json!([{
        "maxSkew": 5, "topologyKey": ZONE, "whenUnsatisfiable": when,
        "labelSelector": {"matchLabels": {"color": "blue"}},
    }])
}

pub(crate) fn pod(name: &str, form: PodForm) -> Value {
    let mut spec = json!({"containers": [{
        "name": "pause", "image": "registry.k8s.io/pause:3.10.1", "ports": [{"containerPort": 80}],
        "resources": {
            "limits": {"cpu": "100m", "memory": "500Mi"}, "requests": {"cpu": "100m", "memory": "500Mi"},
        },
    }]});
    let mut colour = None;
    let (with, apart) = ("podAffinity", "podAntiAffinity");
    let mut coloured = |text: &'static str| {
        colour = Some(text);
        text
    };
    match form {
        PodForm::Plain => {}
        PodForm::NodeAffinity => {
            let term = json!({"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["zone1", "zone2"]}]});
            spec["affinity"] = json!({"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}});
        }
        PodForm::Secret => spec["volumes"] = json!([{"name": "secret", "secret": {"secretName": "secret"}}]),
        PodForm::TooBig => sized(&mut spec, "9", "high"),
        PodForm::HighPriority => sized(&mut spec, "3", "high"),
        PodForm::LowPriority => {
            sized(&mut spec, "900m", "low");
            spec["terminationGracePeriodSeconds"] = json!(0);
        }
        PodForm::Spread => {
            coloured("blue");
            spec["topologySpreadConstraints"] = spread("DoNotSchedule");
        }
        PodForm::PreferredSpread => {
            coloured("blue");
            spec["topologySpreadConstraints"] = spread("ScheduleAnyway");
        }
        PodForm::Affinity => spec["affinity"] = required(with, &term(coloured("blue"), ZONE, Scope::Named)),
        PodForm::AntiAffinity => {
            spec["affinity"] = required(apart, &term(coloured("green"), HOSTNAME, Scope::Named));
        }
        PodForm::PreferredAffinity => {
            spec["affinity"] = preferred(with, &term(coloured("red"), HOSTNAME, Scope::Named));
        }
        PodForm::PreferredAntiAffinity => {
            spec["affinity"] = preferred(apart, &term(coloured("yellow"), HOSTNAME, Scope::Named));
        }
        PodForm::AffinityByNamespace => {
            spec["affinity"] = required(with, &term(coloured("blue"), ZONE, Scope::Labelled));
        }
        PodForm::AntiAffinityByNamespace => {
            spec["affinity"] = required(apart, &term(coloured("green"), HOSTNAME, Scope::Labelled));
        }
        PodForm::PreferredAffinityByNamespace => {
            spec["affinity"] = preferred(with, &term(coloured("red"), HOSTNAME, Scope::Labelled));
        }
        PodForm::PreferredAntiAffinityByNamespace => {
            spec["affinity"] = preferred(apart, &term(coloured("yellow"), HOSTNAME, Scope::Labelled));
        }
        PodForm::CsiVolume => {
            spec["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": name}}]);
        }
    }
    let labels = colour.map_or_else(|| json!({}), |colour| json!({"color": colour}));
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec})
}

fn sized(spec: &mut Value, cpu: &str, class: &str) {
    let amounts = json!({"cpu": cpu, "memory": "500Mi"});
    spec["containers"][0]["resources"] = json!({"limits": amounts, "requests": amounts});
    spec["priorityClassName"] = json!(class);
}

/// A volume and its claim, which name each other already.
pub(crate) fn bound_volume(ns: &str, name: &str) -> (Value, Value) {
    let common = json!({
        "accessModes": ["ReadOnlyMany"], "storageClassName": "", "volumeMode": "Filesystem",
    });
    let volume_name = format!("{ns}-{name}");
    let mut volume = common.clone();
    volume["capacity"] = json!({"storage": "1Gi"});
    volume["csi"] = json!({"driver": CSI_DRIVER, "volumeHandle": volume_name});
    volume["persistentVolumeReclaimPolicy"] = json!("Retain");
    volume["claimRef"] = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": ns, "name": name});
    let mut claim = common;
    claim["resources"] = json!({"requests": {"storage": "1Gi"}});
    claim["volumeName"] = json!(volume_name);
    let annotations = json!({"pv.kubernetes.io/bind-completed": "true"});
    (
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume_name}, "spec": volume}),
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "annotations": annotations}, "spec": claim,
        }),
    )
}
