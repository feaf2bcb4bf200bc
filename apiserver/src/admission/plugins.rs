//! The plugins of both stages, in upstream's order. `applies` is asked first, so that a write pays only for the plugins that
//! concern it.
//!
//! k8s: `kubeapiserver/options/plugins.go`, AllOrderedPlugins

use super::{
    Call, Context, Warnings, certificate, escalation, external_ips, ingress_class, limit_ranger, namespace, node,
    node_restriction, pod, pod_security, priority, runtime_class, service_account, storage, tolerations, topology,
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

/// The end of a plugin that waits for nothing and cannot fail.
fn settled<'a>() -> Changed<'a> {
    Box::pin(ready(Ok(())))
}

/// A plugin that reads nothing, or caches only, and warns of nothing.
fn judged<'a>(outcome: Result<(), ApiError>) -> Judged<'a> {
    Box::pin(ready(outcome.map(|()| Warnings::new())))
}

pub(super) const MUTATING: &[Mutating] = &[
    Mutating {
        name: "NamespaceLifecycle",
        applies: namespace::applies,
        run: |context, call, object| Box::pin(namespace::admit(context, call, object)),
    },
    Mutating {
        name: "LimitRanger",
        applies: limit_ranger::applies,
        run: |context, call, object| {
            limit_ranger::mutate(context, call, object);
            settled()
        },
    },
    Mutating {
        name: "ServiceAccount",
        applies: pod::is_create,
        run: |context, call, object| Box::pin(service_account::mutate(context, call, object)),
    },
    Mutating {
        name: "TaintNodesByCondition",
        applies: node::is_create,
        run: |_, _, object| {
            node::taint_not_ready(object);
            settled()
        },
    },
    Mutating {
        name: "Priority",
        applies: pod::is_written,
        run: |context, call, object| Box::pin(priority::mutate(context, call, object)),
    },
    Mutating {
        name: "DefaultTolerationSeconds",
        applies: pod::is_written,
        run: |_, _, object| {
            tolerations::mutate(object);
            settled()
        },
    },
    Mutating {
        name: "DefaultStorageClass",
        applies: storage::creates_claim,
        run: |context, _, object| {
            storage::default_class(context, object);
            settled()
        },
    },
    Mutating {
        name: "StorageObjectInUseProtection",
        applies: storage::creates_protected,
        run: |_, call, object| {
            storage::protect(call, object);
            settled()
        },
    },
    Mutating {
        name: "RuntimeClass",
        applies: pod::is_create,
        run: |context, call, object| Box::pin(runtime_class::mutate(context, call, object)),
    },
    Mutating {
        name: "CertificateRequester",
        applies: certificate::applies,
        run: |context, call, object| {
            certificate::mutate(context, call, object);
            settled()
        },
    },
    Mutating {
        name: "DefaultIngressClass",
        applies: ingress_class::applies,
        run: |context, _, object| {
            ingress_class::mutate(context, object);
            settled()
        },
    },
    Mutating {
        name: "PodTopologyLabels",
        applies: topology::applies,
        run: |context, _, object| Box::pin(topology::mutate(context, object)),
    },
];

pub(super) const VALIDATING: &[Validating] = &[
    Validating {
        name: "LimitRanger",
        applies: limit_ranger::applies,
        run: |context, call, object| judged(limit_ranger::validate(context, call, object)),
    },
    Validating {
        name: "NodeRestriction",
        applies: node_restriction::applies,
        run: |context, call, object| {
            Box::pin(async move { node_restriction::validate(context, call, object).await.map(|()| Warnings::new()) })
        },
    },
    Validating {
        name: "PodSecurity",
        applies: pod_security::applies,
        run: |context, call, object| Box::pin(pod_security::validate(context, call, object)),
    },
    Validating {
        name: "Priority",
        applies: priority::of_class,
        run: |context, call, object| judged(priority::validate(context, call, object)),
    },
    Validating {
        name: "PersistentVolumeClaimResize",
        applies: storage::updates_claim,
        run: |context, call, object| {
            Box::pin(async move { storage::resize(context, call, object).await.map(|()| Warnings::new()) })
        },
    },
    // k8s: CertificateApproval, CertificateSigning and CertificateSubjectRestriction
    Validating {
        name: "Certificates",
        applies: certificate::applies,
        run: |context, call, object| judged(certificate::validate(context, call, object)),
    },
    Validating {
        name: "DenyServiceExternalIPs",
        applies: external_ips::applies,
        run: |_, call, object| judged(external_ips::validate(call, object)),
    },
    Validating {
        name: "RoleEscalation",
        applies: escalation::applies,
        run: |context, call, object| judged(escalation::validate(context, call, object)),
    },
];
