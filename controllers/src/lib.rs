//! Every controller: what it watches, and one pure function from what the caches show to what is to be done. The driver,
//! the caches and the clock are the client crate's; nothing here waits, loops or talks.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    expect(
        clippy::needless_raw_string_hashes,
        clippy::needless_pass_by_value,
        clippy::format_collect,
        reason = "expected texts are literals as expect-test writes them, handed over whole and compared as lines"
    )
)]

mod admission_policy;
mod attach_detach;
mod bootstrap_signer;
mod certificate_cleaner;
mod cluster_role_aggregation;
mod config_rollout;
mod cron_job;
mod daemon_set;
mod deployment;
mod device_taint_eviction;
mod disruption;
mod endpoint;
mod endpoint_slice;
mod endpoint_slice_mirroring;
mod ephemeral_volume;
mod garbage_collector;
mod history;
mod horizontal_pod_autoscaler;
mod job;
mod load_balancer;
mod local_path;
mod namespace;
mod node_ipam;
mod node_lifecycle;
mod ownership;
mod pod;
mod pod_certificate_cleaner;
mod pod_gc;
mod pod_template;
mod replica_set;
mod resource_claim;
mod resource_quota;
mod root_ca;
mod run;
mod service_account;
mod service_cidr;
mod service_pods;
mod share;
#[cfg(test)]
mod sim;
mod start_order;
mod stateful_set;
pub mod table;
mod taint_eviction;
#[cfg(test)]
mod testing;
mod token_cleaner;
mod ttl_after_finished;
mod victim;
mod volume_binder;
mod volume_expansion;
mod volume_protection;
mod volume_use;
mod write;

pub use client::rt::Deps;
pub use load_balancer::{Pool, PoolError};
pub use node_ipam::node_cidr_length;
pub use run::{Config, Error, LEASE, LeaderElect, run, users};
