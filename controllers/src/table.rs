//! All controllers of Drover. `system:serviceaccount:kube-system:<name>-controller` is who each acts as.

use crate::{
    certificate_cleaner, cluster_role_aggregation, deployment, endpoint, endpoint_slice, garbage_collector, namespace,
    node_ipam, node_lifecycle, pod_gc, replica_set, root_ca, service_account, taint_eviction, token_cleaner,
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
    endpoint_slice::CONTROLLER,
    endpoint::CONTROLLER,
    garbage_collector::CONTROLLER,
    pod_gc::CONTROLLER,
    cluster_role_aggregation::CONTROLLER,
    certificate_cleaner::CONTROLLER,
    token_cleaner::CONTROLLER,
];
