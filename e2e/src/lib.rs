//! The harness of the end-to-end tests: a [`Host`] is a network and mount namespace with an uplink address of its own, a
//! [`Cluster`] is `drover up` inside it, with its own data folder and cgroup subtree. The machine's own tables, mounts and
//! cgroups stay untouched; [`census`] counts what a cluster leaves behind;
//! a [`Fleet`] is a server and nodes on several of them. A [`vm::Machine`] has a kernel of its own, for what namespaces
//! cannot show, and a [`vm::lab::Lab`] is a cluster of three.
//!
//! The tests drive the binaries that `make test` builds; they know nothing of the crates inside them.
//! [`bench`] does.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test shows how far it is, and what drover said where it fails"
)]

pub mod bench;
pub mod books;
pub mod census;
pub mod cluster;
pub mod etcd;
pub mod fleet;
pub mod follow;
pub mod host;
pub mod inside;
pub mod process;
pub mod script;
pub mod vm;
pub mod wait;

pub use cluster::{Cluster, Options};
pub use fleet::Fleet;
pub use follow::Follow;
pub use host::Host;
