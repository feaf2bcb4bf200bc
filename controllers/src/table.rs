//! All controllers of Drover. `system:serviceaccount:kube-system:<name>-controller` is who each acts as.

use crate::{
    certificate_cleaner, cluster_role_aggregation, cron_job, daemon_set, deployment, disruption, endpoint,
    endpoint_slice, endpoint_slice_mirroring, ephemeral_volume, garbage_collector, horizontal_pod_autoscaler, job,
    local_path, namespace, node_ipam, node_lifecycle, pod_gc, replica_set, resource_quota, root_ca, service_account,
    service_cidr, stateful_set, taint_eviction, token_cleaner, ttl_after_finished, volume_binder, volume_protection,
};
use client::controller::Controller;

pub static CONTROLLERS: &[Controller] = &[
    namespace::CONTROLLER,
    service_account::CONTROLLER,
    root_ca::CONTROLLER,
    node_ipam::CONTROLLER,
    node_lifecycle::CONTROLLER,
    taint_eviction::CONTROLLER,
    deployment::CONTROLLER,
    replica_set::CONTROLLER,
    replica_set::REPLICATION_CONTROLLER,
    stateful_set::CONTROLLER,
    daemon_set::CONTROLLER,
    job::CONTROLLER,
    ttl_after_finished::CONTROLLER,
    cron_job::CONTROLLER,
    disruption::CONTROLLER,
    horizontal_pod_autoscaler::CONTROLLER,
    volume_binder::CONTROLLER,
    volume_protection::CLAIMS,
    volume_protection::VOLUMES,
    local_path::CONTROLLER,
    ephemeral_volume::CONTROLLER,
    service_cidr::CONTROLLER,
    endpoint_slice::CONTROLLER,
    endpoint::CONTROLLER,
    endpoint_slice_mirroring::CONTROLLER,
    garbage_collector::CONTROLLER,
    pod_gc::CONTROLLER,
    cluster_role_aggregation::CONTROLLER,
    certificate_cleaner::CONTROLLER,
    token_cleaner::CONTROLLER,
    resource_quota::CONTROLLER,
];
