//! What benchmarks share: [`server`] is the API server alone, [`process`] and [`etcd`] are what it is measured in and beside,
//! [`connection`] is a client that costs little, [`inside`] one in a cluster's namespaces, and
//! [`plan`] what is asked of it, [`report`] the table.
#![expect(clippy::print_stdout, reason = "a server says to its starter where it listens, and a benchmark its figures")]

pub mod connection;
pub mod etcd;
pub mod inside;
pub mod plan;
pub mod process;
pub mod report;
pub mod server;
