//! Protobuf tags of fields that are newer than the published source of tags, from upstream's `generated.proto` and the
//! enhancement proposals that fix them. A field that is neither there nor here has no tag, and a test counts those.

/// Type, field, tag.
const NEWER: &[(&str, &str, u16)] = &[
    ("io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerCondition", "observedGeneration", 6),
    ("io.k8s.api.certificates.v1.PodCertificateRequestSpec", "stubPKCS10Request", 12),
    ("io.k8s.api.core.v1.PodSchedulingGroup", "podGroupName", 1),
    ("io.k8s.api.core.v1.PodSpec", "evictionResponders", 44),
    ("io.k8s.api.core.v1.PodSpec", "schedulingGroup", 43),
    ("io.k8s.api.core.v1.ResourceHealth", "message", 6),
    ("io.k8s.api.storage.v1.CSIDriverSpec", "preventPodSchedulingIfMissing", 11),
    ("io.k8s.api.storage.v1.CSINode", "status", 3),
    ("io.k8s.api.storage.v1.CSINodeStatus", "storageHealth", 1),
    ("io.k8s.api.storage.v1.StorageHealth", "healthConditions", 2),
    ("io.k8s.api.storage.v1.StorageHealth", "name", 1),
    ("io.k8s.api.storage.v1.StorageHealthCondition", "accessMode", 4),
    ("io.k8s.api.storage.v1.StorageHealthCondition", "lastTransitionTime", 6),
    ("io.k8s.api.storage.v1.StorageHealthCondition", "message", 3),
    ("io.k8s.api.storage.v1.StorageHealthCondition", "reason", 2),
    ("io.k8s.api.storage.v1.StorageHealthCondition", "status", 1),
    ("io.k8s.api.storage.v1.StorageHealthCondition", "volumeMode", 5),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta", "shardInfo", 5),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.ShardInfo", "selector", 1),
];

/// 0 where it is not known.
pub(super) fn of(definition: &str, field: &str) -> u16 {
    NEWER.iter().find(|(owner, name, _)| (*owner, *name) == (definition, field)).map_or(0, |(_, _, tag)| *tag)
}
