//! NetworkPolicy on one node: policies, pods and namespaces become a rule set (`compile`), the rule set a table of
//! nftables (`render`), and what changed is applied in one transaction (`program`).
//!
//! The table is the node's whatever mode the proxy is in: its chains stand beside those of iptables and drop what they
//! let pass. Sets, verdict maps and rules change together there, which ipset beside iptables cannot do.

pub mod compile;
pub mod parts;
mod pod;
pub(crate) mod program;
mod ranges;
pub mod render;
pub mod ruleset;

pub use pod::Subject;
pub(crate) use program::TABLE;
