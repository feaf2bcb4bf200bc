//! Every built-in kind, in discovery's order. Nothing else in the project lists kinds.

use crate::kind::Kind;
use crate::row::Row;
use crate::typed::{Plain, Typed, TypedKind};
use crate::view::{self, View};
use crate::viewed::Viewed;
use crate::{
    admissionregistration, apiextensions, apiregistration, apps, authentication, authorization, autoscaling, batch,
    certificates, coordination, core, discovery, events, flowcontrol, metrics, networking, node, policy, rbac,
    resource, scheduling, storage, storagemigration,
};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

static BUILTIN: LazyLock<Vec<Arc<dyn Kind>>> = LazyLock::new(|| {
    vec![
        plain(core::binding::ROW, core::binding::cells),
        plain(core::component_status::ROW, core::component_status::cells),
        typed::<core::config_map::ConfigMapKind>(),
        typed::<core::endpoints::EndpointsKind>(),
        typed::<core::event::EventKind>(),
        typed::<core::limit_range::LimitRangeKind>(),
        typed::<core::namespace::NamespaceKind>(),
        typed::<core::node::NodeKind>(),
        typed::<core::persistent_volume_claim::PersistentVolumeClaimKind>(),
        typed::<core::persistent_volume::PersistentVolumeKind>(),
        typed::<core::pod::PodKind>(),
        typed::<core::pod_template::PodTemplateKind>(),
        typed::<core::replication_controller::ReplicationControllerKind>(),
        typed::<core::resource_quota::ResourceQuotaKind>(),
        typed::<core::secret::SecretKind>(),
        typed::<core::service_account::ServiceAccountKind>(),
        typed::<core::service::ServiceKind>(),
        typed::<apps::controller_revision::ControllerRevisionKind>(),
        typed::<apps::daemon_set::DaemonSetKind>(),
        typed::<apps::deployment::DeploymentKind>(),
        typed::<apps::replica_set::ReplicaSetKind>(),
        typed::<apps::stateful_set::StatefulSetKind>(),
        typed::<batch::cron_job::CronJobKind>(),
        typed::<batch::job::JobKind>(),
        typed::<autoscaling::horizontal_pod_autoscaler::HorizontalPodAutoscalerKind>(),
        viewed::<autoscaling::horizontal_pod_autoscaler::HorizontalPodAutoscalerKind>(
            autoscaling::horizontal_pod_autoscaler_v1::ROW,
            &view::AUTOSCALER,
        ),
        typed::<policy::pod_disruption_budget::PodDisruptionBudgetKind>(),
        typed::<networking::ingress::IngressKind>(),
        typed::<networking::ingress_class::IngressClassKind>(),
        typed::<networking::ip_address::IPAddressKind>(),
        typed::<networking::network_policy::NetworkPolicyKind>(),
        typed::<networking::service_cidr::ServiceCIDRKind>(),
        typed::<discovery::endpoint_slice::EndpointSliceKind>(),
        typed::<events::event::EventKind>(),
        typed::<coordination::lease::LeaseKind>(),
        typed::<rbac::cluster_role::ClusterRoleKind>(),
        typed::<rbac::cluster_role_binding::ClusterRoleBindingKind>(),
        typed::<rbac::role::RoleKind>(),
        typed::<rbac::role_binding::RoleBindingKind>(),
        plain(authentication::self_subject_review::ROW, authentication::self_subject_review::cells),
        plain(authentication::token_review::ROW, authentication::token_review::cells),
        plain(authorization::local_subject_access_review::ROW, authorization::local_subject_access_review::cells),
        plain(authorization::self_subject_access_review::ROW, authorization::self_subject_access_review::cells),
        plain(authorization::self_subject_rules_review::ROW, authorization::self_subject_rules_review::cells),
        plain(authorization::subject_access_review::ROW, authorization::subject_access_review::cells),
        typed::<certificates::certificate_signing_request::CertificateSigningRequestKind>(),
        typed::<certificates::cluster_trust_bundle::ClusterTrustBundleKind>(),
        typed::<certificates::pod_certificate_request::PodCertificateRequestKind>(),
        typed::<scheduling::priority_class::PriorityClassKind>(),
        typed::<node::runtime_class::RuntimeClassKind>(),
        typed::<storage::csi_driver::CSIDriverKind>(),
        typed::<storage::csi_node::CSINodeKind>(),
        typed::<storage::csi_storage_capacity::CSIStorageCapacityKind>(),
        typed::<storage::storage_class::StorageClassKind>(),
        typed::<storage::volume_attachment::VolumeAttachmentKind>(),
        typed::<storage::volume_attributes_class::VolumeAttributesClassKind>(),
        typed::<storagemigration::storage_version_migration::StorageVersionMigrationKind>(),
        typed::<resource::device_class::DeviceClassKind>(),
        typed::<resource::device_taint_rule::DeviceTaintRuleKind>(),
        typed::<resource::resource_claim::ResourceClaimKind>(),
        typed::<resource::resource_claim_template::ResourceClaimTemplateKind>(),
        typed::<resource::resource_slice::ResourceSliceKind>(),
        typed::<admissionregistration::mutating_admission_policy::MutatingAdmissionPolicyKind>(),
        typed::<admissionregistration::mutating_admission_policy_binding::MutatingAdmissionPolicyBindingKind>(),
        typed::<admissionregistration::mutating_webhook_configuration::MutatingWebhookConfigurationKind>(),
        typed::<admissionregistration::validating_admission_policy::ValidatingAdmissionPolicyKind>(),
        typed::<admissionregistration::validating_admission_policy_binding::ValidatingAdmissionPolicyBindingKind>(),
        typed::<admissionregistration::validating_webhook_configuration::ValidatingWebhookConfigurationKind>(),
        Arc::new(apiextensions::custom_resource_definition::CustomResourceDefinitionKind),
        typed::<apiregistration::api_service::APIServiceKind>(),
        typed::<flowcontrol::flow_schema::FlowSchemaKind>(),
        typed::<flowcontrol::priority_level_configuration::PriorityLevelConfigurationKind>(),
    ]
});

static MEASURED: LazyLock<Vec<Arc<dyn Kind>>> = LazyLock::new(|| {
    vec![
        measurement(metrics::node_metrics::ROW, metrics::node_metrics::cells, metrics::node_metrics::openapi),
        measurement(metrics::pod_metrics::ROW, metrics::pod_metrics::cells, metrics::pod_metrics::openapi),
    ]
});

static SCALE: LazyLock<Arc<dyn Kind>> = LazyLock::new(|| plain(autoscaling::scale::ROW, autoscaling::scale::cells));

/// What the `scale` of every workload is: no resource of its own.
pub fn scale() -> &'static Arc<dyn Kind> {
    &SCALE
}

/// The kinds of `metrics.k8s.io`: served beside the built-in ones, but made on request, and no part of the schema table.
pub fn measured() -> &'static [Arc<dyn Kind>] {
    &MEASURED
}

/// The built-in kinds.
pub fn builtin() -> &'static [Arc<dyn Kind>] {
    &BUILTIN
}

/// The built-in kind served at `/apis/{group}/{version}/{plural}`.
pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Arc<dyn Kind>> {
    // Every request asks; a plural has two or three kinds at most.
    static BY_PLURAL: LazyLock<HashMap<&str, Vec<&Arc<dyn Kind>>>> = LazyLock::new(|| {
        let mut by_plural: HashMap<&str, Vec<&Arc<dyn Kind>>> = HashMap::new();
        for kind in builtin() {
            by_plural.entry(&kind.row().plural).or_default().push(kind);
        }
        by_plural
    });
    BY_PLURAL.get(plural)?.iter().copied().find(|kind| {
        let row = kind.row();
        row.group == group && row.version == version
    })
}

/// The measured kind served at `/apis/{group}/{version}/{plural}`.
pub fn find_measured(group: &str, version: &str, plural: &str) -> Option<&'static Arc<dyn Kind>> {
    if group != metrics::GROUP {
        return None;
    }
    measured().iter().find(|kind| kind.row().version == version && kind.row().plural == plural)
}

/// The built-in kind of objects with this `apiVersion` and `kind`.
pub fn find_kind(group: &str, version: &str, name: &str) -> Option<&'static Arc<dyn Kind>> {
    builtin().iter().find(|kind| {
        let row = kind.row();
        row.kind == name && row.group == group && row.version == version
    })
}

fn typed<K: TypedKind>() -> Arc<dyn Kind> {
    Arc::new(Typed::<K>::new())
}

/// Another kind's objects in an older form.
fn viewed<K: TypedKind>(row: Row, view: &'static View) -> Arc<dyn Kind> {
    Arc::new(Viewed::<K>::new(row, view))
}

fn plain(row: Row, cells: fn(&Value, i64) -> Vec<Value>) -> Arc<dyn Kind> {
    Arc::new(Plain::new(row, cells))
}

fn measurement(row: Row, cells: fn(&Value, i64) -> Vec<Value>, openapi: fn() -> Value) -> Arc<dyn Kind> {
    Arc::new(Plain::new(row, cells).with_openapi(openapi))
}
