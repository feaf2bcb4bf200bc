//! Which zeros say something. Go's JSON leaves a zero out where the field is held by value and marked `omitempty`; a field
//! held by pointer, or one that is always written, shows it. The protobuf wire cannot tell the two apart and neither of the
//! two crates says which is which, so the fields are named here, from upstream's `types.go`.

use super::table::Leaf;

/// Booleans held by value; all others are pointers.
const PLAIN_BOOLEANS: &[&str] = &[
    "authenticated",
    "chapAuthDiscovery",
    "chapAuthSession",
    "clusterScope",
    "denied",
    "deprecated",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "globalDefault",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "insecureSkipTLSVerify",
    "nullable",
    "paused",
    "preserveUnknownFields",
    "publishNotReadyAddresses",
    "readOnly",
    "sslEnabled",
    "stdin",
    "stdinOnce",
    "tty",
    "uniqueItems",
    "unschedulable",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
];

/// Numbers held by value; all others are pointers.
const PLAIN_NUMBERS: &[&str] = &[
    "active",
    "availableReplicas",
    "code",
    "count",
    "currentHealthy",
    "currentReplicas",
    "deprecatedCount",
    "desiredHealthy",
    "disruptionsAllowed",
    "expectedPods",
    "failed",
    "failureThreshold",
    "fullyLabeledReplicas",
    "generation",
    "handSize",
    "healthCheckNodePort",
    "hostPort",
    "initialDelaySeconds",
    "matchingPrecedence",
    "minCount",
    "minReadySeconds",
    "nodePort",
    "number",
    "numberAvailable",
    "numberUnavailable",
    "observedGeneration",
    "periodSeconds",
    "queueLengthLimit",
    "queues",
    "readyReplicas",
    "retryAfterSeconds",
    "revision",
    "signal",
    "sizeBytes",
    "start",
    "succeeded",
    "successThreshold",
    "unavailableReplicas",
    "updatedNumberScheduled",
    "updatedReplicas",
    "value",
];

/// Held by pointer though others of that name are not; type and field.
const POINTERS: &[(&str, &str)] = &[
    ("AzureDiskVolumeSource", "readOnly"),
    ("CSIVolumeSource", "readOnly"),
    ("HorizontalPodAutoscalerStatus", "observedGeneration"),
    ("VolumeNodeResources", "count"),
];

/// Held by value though others of that name are pointers.
const VALUES: &[(&str, &str)] = &[
    ("AWSElasticBlockStoreVolumeSource", "partition"),
    ("CustomResourceColumnDefinition", "priority"),
    ("DeploymentStatus", "replicas"),
    ("GCEPersistentDiskVolumeSource", "partition"),
    ("Probe", "timeoutSeconds"),
    ("ReplicaSetStatus", "replicas"),
    ("ScaleSpec", "replicas"),
];

/// Texts held by pointer whose empty value is not the same as none.
const POINTER_TEXTS: &[(&str, &str)] = &[
    ("CSIPersistentVolumeSource", "fsType"),
    ("CSIVolumeSource", "fsType"),
    ("EndpointPort", "name"),
    ("HPAScalingPolicy", "selectPolicy"),
    ("LeaseSpec", "holderIdentity"),
    ("PersistentVolumeClaimSpec", "storageClassName"),
    ("PersistentVolumeClaimSpec", "volumeAttributesClassName"),
    ("PersistentVolumeClaimSpec", "volumeMode"),
    ("PersistentVolumeSpec", "volumeAttributesClassName"),
    ("PodDNSConfigOption", "value"),
    ("PodSpec", "hostnameOverride"),
];

/// `always` is a field that JSON shows whatever it holds.
pub(super) fn counts(definition: &str, field: &str, leaf: Leaf, always: bool) -> bool {
    let kind = definition.rsplit('.').next().unwrap_or_default();
    let named = |list: &[(&str, &str)]| list.contains(&(kind, field));
    match leaf {
        _ if always => true,
        Leaf::Boolean => !PLAIN_BOOLEANS.contains(&field) || named(POINTERS),
        Leaf::Int32 | Leaf::Int64 | Leaf::Double => {
            named(POINTERS) || !(PLAIN_NUMBERS.contains(&field) || named(VALUES))
        }
        Leaf::String => named(POINTER_TEXTS),
        _ => false,
    }
}
