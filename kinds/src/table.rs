//! Every built-in kind, in discovery's order. Nothing else in the project lists kinds.

use crate::kind::Kind;
use crate::row::Row;
use crate::typed::{Plain, Typed, TypedKind};
use crate::{
    admissionregistration, apiextensions, apiregistration, apps, authentication, authorization, autoscaling, batch,
    certificates, coordination, core, discovery, events, flowcontrol, networking, node, policy, rbac, resource,
    scheduling, storage, storagemigration,
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
        plain(apps::controller_revision::ROW, apps::controller_revision::cells),
        typed::<apps::daemon_set::DaemonSetKind>(),
        typed::<apps::deployment::DeploymentKind>(),
        typed::<apps::replica_set::ReplicaSetKind>(),
        typed::<apps::stateful_set::StatefulSetKind>(),
        typed::<batch::cron_job::CronJobKind>(),
        typed::<batch::job::JobKind>(),
        typed::<autoscaling::horizontal_pod_autoscaler::HorizontalPodAutoscalerKind>(),
        plain(autoscaling::horizontal_pod_autoscaler_v1::ROW, autoscaling::horizontal_pod_autoscaler_v1::cells),
        typed::<policy::pod_disruption_budget::PodDisruptionBudgetKind>(),
        typed::<networking::ingress::IngressKind>(),
        plain(networking::ingress_class::ROW, networking::ingress_class::cells),
        plain(networking::ip_address::ROW, networking::ip_address::cells),
        typed::<networking::network_policy::NetworkPolicyKind>(),
        plain(networking::service_cidr::ROW, networking::service_cidr::cells),
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
        plain(certificates::cluster_trust_bundle::ROW, certificates::cluster_trust_bundle::cells),
        plain(certificates::pod_certificate_request::ROW, certificates::pod_certificate_request::cells),
        typed::<scheduling::priority_class::PriorityClassKind>(),
        typed::<node::runtime_class::RuntimeClassKind>(),
        typed::<storage::csi_driver::CSIDriverKind>(),
        plain(storage::csi_node::ROW, storage::csi_node::cells),
        plain(storage::csi_storage_capacity::ROW, storage::csi_storage_capacity::cells),
        typed::<storage::storage_class::StorageClassKind>(),
        plain(storage::volume_attachment::ROW, storage::volume_attachment::cells),
        plain(storage::volume_attributes_class::ROW, storage::volume_attributes_class::cells),
        plain(storagemigration::storage_version_migration::ROW, storagemigration::storage_version_migration::cells),
        plain(resource::device_class::ROW, resource::device_class::cells),
        plain(resource::device_taint_rule::ROW, resource::device_taint_rule::cells),
        plain(resource::resource_claim::ROW, resource::resource_claim::cells),
        plain(resource::resource_claim_template::ROW, resource::resource_claim_template::cells),
        plain(resource::resource_slice::ROW, resource::resource_slice::cells),
        plain(
            admissionregistration::mutating_admission_policy::ROW,
            admissionregistration::mutating_admission_policy::cells,
        ),
        plain(
            admissionregistration::mutating_admission_policy_binding::ROW,
            admissionregistration::mutating_admission_policy_binding::cells,
        ),
        typed::<admissionregistration::mutating_webhook_configuration::MutatingWebhookConfigurationKind>(),
        plain(
            admissionregistration::validating_admission_policy::ROW,
            admissionregistration::validating_admission_policy::cells,
        ),
        plain(
            admissionregistration::validating_admission_policy_binding::ROW,
            admissionregistration::validating_admission_policy_binding::cells,
        ),
        typed::<admissionregistration::validating_webhook_configuration::ValidatingWebhookConfigurationKind>(),
        plain(apiextensions::custom_resource_definition::ROW, apiextensions::custom_resource_definition::cells),
        typed::<apiregistration::api_service::APIServiceKind>(),
        plain(flowcontrol::flow_schema::ROW, flowcontrol::flow_schema::cells),
        plain(flowcontrol::priority_level_configuration::ROW, flowcontrol::priority_level_configuration::cells),
    ]
});

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

fn plain(row: Row, cells: fn(&Value, i64) -> Vec<Value>) -> Arc<dyn Kind> {
    Arc::new(Plain::new(row, cells))
}
