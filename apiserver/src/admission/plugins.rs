//! The plugins of both stages, in upstream's order. `applies` is asked first, so that a write pays only for the plugins that
//! concern it.
//!
//! k8s: `kubeapiserver/options/plugins.go`, AllOrderedPlugins

use super::{
    Call, Context, Warnings, certificate, device, escalation, external_ips, ingress_class, limit_ranger, namespace,
    node, node_restriction, opt_in, pod, pod_certificate, pod_resize, pod_security, priority, replaced, runtime_class,
    service_account, storage, tolerations, topology, trust_bundle,
};
use crate::error::ApiError;
use futures::future::{BoxFuture, ready};
use serde_json::Value;

pub(super) type Changed<'a> = BoxFuture<'a, Result<(), ApiError>>;
pub(super) type Judged<'a> = BoxFuture<'a, Result<Warnings, ApiError>>;

pub(super) struct Mutating {
    pub name: &'static str,
    pub applies: fn(&Call<'_>) -> bool,
    pub run: for<'a> fn(&'a Context, &'a Call<'a>, &'a mut Value) -> Changed<'a>,
}

pub(super) struct Validating {
    pub name: &'static str,
    pub applies: fn(&Call<'_>) -> bool,
    pub run: for<'a> fn(&'a Context, &'a Call<'a>, &'a Value) -> Judged<'a>,
}

const fn mutating(
    name: &'static str,
    applies: fn(&Call<'_>) -> bool,
    run: for<'a> fn(&'a Context, &'a Call<'a>, &'a mut Value) -> Changed<'a>,
) -> Mutating {
    Mutating { name, applies, run }
}

const fn validating(
    name: &'static str,
    applies: fn(&Call<'_>) -> bool,
    run: for<'a> fn(&'a Context, &'a Call<'a>, &'a Value) -> Judged<'a>,
) -> Validating {
    Validating { name, applies, run }
}

/// A plugin that waits for nothing and cannot fail.
fn settled<'a>(does: impl FnOnce()) -> Changed<'a> {
    does();
    Box::pin(ready(Ok(())))
}

/// A plugin that reads nothing, or caches only, and warns of nothing.
fn judged<'a>(outcome: Result<(), ApiError>) -> Judged<'a> {
    Box::pin(ready(outcome.map(|()| Warnings::new())))
}

/// One that reads, and warns of nothing.
fn without_warnings<'a>(verdict: impl Future<Output = Result<(), ApiError>> + Send + 'a) -> Judged<'a> {
    Box::pin(async move { verdict.await.map(|()| Warnings::new()) })
}

pub(super) const MUTATING: &[Mutating] = &[
    mutating("NamespaceLifecycle", namespace::applies, |context, call, object| {
        Box::pin(namespace::admit(context, call, object))
    }),
    mutating("Replaced", replaced::applies, |_, call, object| settled(|| replaced::mutate(call, object))),
    mutating("LimitRanger", limit_ranger::applies, |context, call, object| {
        settled(|| limit_ranger::mutate(context, call, object))
    }),
    mutating("ServiceAccount", pod::is_create, |context, call, object| {
        Box::pin(service_account::mutate(context, call, object))
    }),
    mutating("TaintNodesByCondition", node::is_create, |_, _, object| settled(|| node::taint_not_ready(object))),
    mutating("Priority", pod::is_written, |context, call, object| Box::pin(priority::mutate(context, call, object))),
    mutating("DefaultTolerationSeconds", pod::is_written, |_, _, object| settled(|| tolerations::mutate(object))),
    mutating("DefaultStorageClass", storage::creates_claim, |context, _, object| {
        settled(|| storage::default_class(context, object))
    }),
    mutating("StorageObjectInUseProtection", storage::creates_protected, |_, call, object| {
        settled(|| storage::protect(call, object))
    }),
    mutating("RuntimeClass", pod::is_create, |context, call, object| {
        Box::pin(runtime_class::mutate(context, call, object))
    }),
    mutating("CertificateRequester", certificate::applies, |context, call, object| {
        settled(|| certificate::mutate(context, call, object))
    }),
    mutating("DefaultIngressClass", ingress_class::applies, |context, _, object| {
        settled(|| ingress_class::mutate(context, object))
    }),
    mutating("DeviceTaintTime", device::has_taints, |context, _, object| {
        settled(|| device::date_taints(context, object))
    }),
    mutating("OptIn", pod::is_create, |_, _, object| settled(|| opt_in::gate(object))),
    mutating("PodTopologyLabels", topology::applies, |context, _, object| Box::pin(topology::mutate(context, object))),
];

pub(super) const VALIDATING: &[Validating] = &[
    validating("LimitRanger", limit_ranger::applies, |context, call, object| {
        judged(limit_ranger::validate(context, call, object))
    }),
    validating("NodeRestriction", node_restriction::applies, |context, call, object| {
        without_warnings(node_restriction::validate(context, call, object))
    }),
    validating("PodSecurity", pod_security::applies, |context, call, object| {
        Box::pin(pod_security::validate(context, call, object))
    }),
    validating("Priority", priority::of_class, |context, call, object| {
        judged(priority::validate(context, call, object))
    }),
    validating("PersistentVolumeClaimResize", storage::updates_claim, |context, call, object| {
        without_warnings(storage::resize(context, call, object))
    }),
    validating("DeviceAdminAccess", device::applies, |context, call, object| {
        without_warnings(device::validate(context, call, object))
    }),
    // k8s: CertificateApproval, CertificateSigning and CertificateSubjectRestriction
    validating("Certificates", certificate::applies, |context, call, object| {
        without_warnings(certificate::validate(context, call, object))
    }),
    validating("PodCertificates", pod_certificate::applies, |context, call, object| {
        without_warnings(pod_certificate::validate(context, call, object))
    }),
    validating("ClusterTrustBundleAttest", trust_bundle::applies, |context, call, object| {
        without_warnings(trust_bundle::validate(context, call, object))
    }),
    validating("DenyServiceExternalIPs", external_ips::applies, |_, call, object| {
        judged(external_ips::validate(call, object))
    }),
    validating("RoleEscalation", escalation::applies, |context, call, object| {
        without_warnings(escalation::validate(context, call, object))
    }),
    validating("PodResizeValidator", pod_resize::applies, |context, call, object| {
        without_warnings(pod_resize::validate(context, call, object))
    }),
    validating("OptIn", opt_in::applies, |_, _, object| Box::pin(ready(Ok(opt_in::warnings(object))))),
];
