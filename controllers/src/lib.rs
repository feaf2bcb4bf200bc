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

mod certificate_cleaner;
mod cluster_role_aggregation;
mod deployment;
mod endpoint;
mod endpoint_slice;
mod garbage_collector;
mod namespace;
mod node_ipam;
mod node_lifecycle;
mod ownership;
mod pod;
mod pod_gc;
mod replica_set;
mod root_ca;
mod run;
mod service_account;
mod service_pods;
pub mod table;
mod taint_eviction;
#[cfg(test)]
mod testing;
mod token_cleaner;
mod write;

pub use run::{Config, Deps, Error, LeaderElect, run};
