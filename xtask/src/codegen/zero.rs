//! Which zeros say something. Go's JSON leaves a zero out where the field is held by value and marked `omitempty`; a field
//! held by pointer, or one that is always written, shows it. The protobuf wire cannot tell the two apart and neither of the
//! two crates says which is which, so the fields are named here, from upstream's `types.go`.

use super::table::{Leaf, Shape, Table};
use std::fmt::Write as _;

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
const POINTER_TEXTS: &[(&str, &[&str])] = &[
    ("AllocatedDeviceStatus", &["shareID"]),
    ("AppArmorProfile", &["localhostProfile"]),
    ("AzureDiskVolumeSource", &["cachingMode", "fsType", "kind"]),
    ("AzureFilePersistentVolumeSource", &["secretNamespace"]),
    ("CSIDriverSpec", &["fsGroupPolicy"]),
    ("CSIVolumeSource", &["fsType"]),
    ("ClusterTrustBundleProjection", &["name", "signerName"]),
    ("Container", &["restartPolicy"]),
    ("ContainerStatus", &["stopSignal"]),
    ("CronJobSpec", &["timeZone"]),
    ("CustomResourceDefinitionVersion", &["deprecationWarning"]),
    ("CustomResourceSubresourceScale", &["labelSelectorPath"]),
    ("DeleteOptions", &["propagationPolicy"]),
    ("Device", &["nodeName"]),
    ("DeviceAttribute", &["string", "version"]),
    ("DeviceClassSpec", &["extendedResourceName"]),
    ("DeviceConstraint", &["distinctAttribute", "matchAttribute"]),
    ("DeviceRequestAllocationResult", &["shareID"]),
    ("DeviceTaintSelector", &["device", "driver", "pool"]),
    ("Endpoint", &["hostname", "nodeName", "zone"]),
    ("EndpointAddress", &["nodeName"]),
    ("EphemeralContainer", &["restartPolicy"]),
    ("GRPCAction", &["mode", "service"]),
    ("GlusterfsPersistentVolumeSource", &["endpointsNamespace"]),
    ("HPAScalingRules", &["selectPolicy"]),
    ("HTTPGetAction", &["protocol"]),
    ("HostPathVolumeSource", &["type"]),
    ("ISCSIPersistentVolumeSource", &["initiatorName"]),
    ("ISCSIVolumeSource", &["initiatorName"]),
    ("IngressClassParametersReference", &["apiGroup", "namespace", "scope"]),
    ("IngressPortStatus", &["error"]),
    ("IngressSpec", &["ingressClassName"]),
    ("JSONSchemaProps", &["$ref", "x-kubernetes-list-type", "x-kubernetes-map-type"]),
    ("JobSpec", &["completionMode", "managedBy", "podReplacementPolicy"]),
    ("JobStatus", &["failedIndexes"]),
    ("LeaseSpec", &["holderIdentity", "preferredHolder", "strategy"]),
    ("Lifecycle", &["stopSignal"]),
    ("LoadBalancerIngress", &["ipMode"]),
    ("LocalVolumeSource", &["fsType"]),
    ("MatchResources", &["matchPolicy"]),
    ("MutatingAdmissionPolicySpec", &["failurePolicy"]),
    ("MutatingWebhook", &["failurePolicy", "matchPolicy", "reinvocationPolicy"]),
    ("NamedRuleWithOperations", &["scope"]),
    ("NetworkPolicyPort", &["protocol"]),
    ("NodeAllocatableMapping", &["capacityKey"]),
    ("ParamRef", &["parameterNotFoundAction"]),
    ("PersistentVolumeClaimSpec", &["storageClassName", "volumeAttributesClassName", "volumeMode"]),
    ("PersistentVolumeClaimStatus", &["currentVolumeAttributesClassName"]),
    ("PersistentVolumeSpec", &["volumeAttributesClassName", "volumeMode"]),
    ("PodDNSConfigOption", &["value"]),
    ("PodDisruptionBudgetSpec", &["unhealthyPodEvictionPolicy"]),
    ("PodFailurePolicyOnExitCodesRequirement", &["containerName"]),
    ("PodResourceClaim", &["resourceClaimName", "resourceClaimTemplateName"]),
    ("PodResourceClaimStatus", &["resourceClaimName"]),
    ("PodSchedulingGroup", &["podGroupName"]),
    ("PodSecurityContext", &["fsGroupChangePolicy", "seLinuxChangePolicy", "supplementalGroupsPolicy"]),
    ("PodSpec", &["hostnameOverride", "preemptionPolicy", "runtimeClassName"]),
    ("PortStatus", &["error"]),
    ("Preconditions", &["resourceVersion", "uid"]),
    ("PriorityClass", &["preemptionPolicy"]),
    ("ResourceHealth", &["message"]),
    ("ResourceSliceSpec", &["nodeName", "partitionTypeAttribute"]),
    ("RuleWithOperations", &["scope"]),
    ("SeccompProfile", &["localhostProfile"]),
    ("SecurityContext", &["procMount"]),
    ("ServicePort", &["appProtocol"]),
    ("ServiceSpec", &["internalTrafficPolicy", "ipFamilyPolicy", "loadBalancerClass", "trafficDistribution"]),
    ("StorageClass", &["reclaimPolicy", "volumeBindingMode"]),
    ("StorageHealthCondition", &["accessMode", "volumeMode"]),
    ("SuccessPolicyRule", &["succeededIndexes"]),
    ("TopologySpreadConstraint", &["nodeAffinityPolicy", "nodeTaintsPolicy"]),
    ("TypedLocalObjectReference", &["apiGroup"]),
    ("TypedObjectReference", &["apiGroup", "namespace"]),
    ("ValidatingAdmissionPolicySpec", &["failurePolicy"]),
    ("ValidatingWebhook", &["failurePolicy", "matchPolicy"]),
    ("Validation", &["reason"]),
    ("ValidationRule", &["reason"]),
    ("VolumeAttachmentSource", &["persistentVolumeName"]),
    ("VolumeMount", &["mountPropagation", "recursiveReadOnly"]),
    ("VolumeMountStatus", &["recursiveReadOnly"]),
    ("WindowsSecurityContextOptions", &["gmsaCredentialSpec", "gmsaCredentialSpecName", "runAsUserName"]),
    ("WorkloadPodGroupResourceClaim", &["resourceClaimName", "resourceClaimTemplateName"]),
    ("admissionregistration.v1.ServiceReference", &["path"]),
    ("admissionregistration.v1.WebhookClientConfig", &["url"]),
    ("apiextensions.v1.ServiceReference", &["path"]),
    ("apiextensions.v1.WebhookClientConfig", &["url"]),
    ("core.v1.EndpointPort", &["appProtocol"]),
    ("discovery.v1.EndpointPort", &["appProtocol", "name", "protocol"]),
];

/// Optional, and yet not `omitempty`: Go's JSON shows them whatever they hold.
const SHOWN: &[(&str, &[&str])] = &[
    ("ControllerRevision", &["revision"]),
    ("DaemonSetCondition", &["status", "type"]),
    ("DeploymentCondition", &["status", "type"]),
    ("FlowSchemaSpec", &["matchingPrecedence"]),
    ("NodeRuntimeHandler", &["name"]),
    ("PodDisruptionBudgetStatus", &["currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"]),
    ("PodFailurePolicyOnPodConditionsPattern", &["status"]),
    ("PriorityClass", &["value"]),
    ("QueuingConfiguration", &["handSize", "queueLengthLimit", "queues"]),
    ("ReplicaSetCondition", &["status", "type"]),
    ("RoleRef", &["apiGroup"]),
    ("StatefulSetCondition", &["status", "type"]),
    ("StatefulSetOrdinals", &["start"]),
    ("StatefulSetSpec", &["serviceName"]),
    ("StatefulSetStatus", &["availableReplicas"]),
    ("TokenRequestStatus", &["token"]),
    ("apiregistration.v1.ServiceReference", &["name", "namespace"]),
    ("core.v1.Event", &["reportingComponent", "reportingInstance"]),
];

/// `always` is a field that JSON shows whatever it holds.
pub(super) fn counts(definition: &str, field: &str, leaf: Leaf, always: bool) -> bool {
    let named = |list: &[(&str, &str)]| list.iter().any(|(owner, name)| *name == field && is_of(definition, owner));
    match leaf {
        _ if always || among(SHOWN, definition, field) => true,
        Leaf::Boolean => !PLAIN_BOOLEANS.contains(&field) || named(POINTERS),
        Leaf::Int32 | Leaf::Int64 | Leaf::Double => {
            named(POINTERS) || !(PLAIN_NUMBERS.contains(&field) || named(VALUES))
        }
        Leaf::String => among(POINTER_TEXTS, definition, field),
        _ => false,
    }
}

/// A definition a line: each boolean and number, with `+` where zero is a value of its own and `-` where it is left out, and
/// each text whose empty value is one. Whoever changes what is named above reads here what that came to.
pub(super) fn listing(table: &Table) -> String {
    let mut listing = String::new();
    for row in &table.definitions {
        let single = row.fields.iter().filter(|field| field.shape == Shape::One);
        let marked = single.filter_map(|field| match (field.leaf, field.zero_counts) {
            (Leaf::Boolean | Leaf::Int32 | Leaf::Int64 | Leaf::Double | Leaf::String, true) => Some(('+', &field.name)),
            (Leaf::Boolean | Leaf::Int32 | Leaf::Int64 | Leaf::Double, false) => Some(('-', &field.name)),
            _ => None,
        });
        let marked: String = marked.map(|(mark, name)| format!(" {mark}{name}")).collect();
        if !marked.is_empty() {
            writeln!(listing, "{}:{marked}", row.name).expect("a String takes all that is written");
        }
    }
    listing
}

fn among(list: &[(&str, &[&str])], definition: &str, field: &str) -> bool {
    list.iter().any(|(owner, names)| names.contains(&field) && is_of(definition, owner))
}

/// `owner` is a type's name, with its group and version where others are called the same.
fn is_of(definition: &str, owner: &str) -> bool {
    definition.strip_suffix(owner).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codegen::table_of;

    /// A name that is written wrongly, or that upstream has given up, would say nothing.
    #[test]
    fn every_field_that_is_named_exists() {
        let table = table_of(&crate::root()).expect("both crates' sources are read");
        let pairs = [POINTERS, VALUES].concat();
        let lists = [POINTER_TEXTS, SHOWN].concat();
        let spread = lists.iter().flat_map(|(owner, names)| names.iter().map(|name| (*owner, *name)));
        for (owner, name) in pairs.into_iter().chain(spread) {
            let owners: Vec<_> = table.definitions.iter().filter(|row| is_of(&row.name, owner)).collect();
            assert!(owners.iter().any(|row| row.fields.iter().any(|field| field.name == name)), "{owner}.{name}");
        }
    }
}
