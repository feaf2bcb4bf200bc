//! A pod on this node, as pure functions: what to do next ([`plan`]), what to report ([`status`]), and what to hand to
//! the runtime ([`sandbox`], [`container`]). Nothing here reads a clock, a file or the network; the worker does.

pub mod admit;
pub mod back_off;
pub mod cgroup;
pub mod condition;
pub mod container;
pub mod demand;
pub mod dns;
pub mod downward;
pub mod ending;
pub mod env;
pub mod env_file;
pub mod expand;
pub mod fit;
pub mod label;
pub mod member;
pub mod observed;
pub mod op;
pub mod patch;
pub mod plan;
pub mod resize;
pub mod restart_all;
pub mod sandbox;
pub mod security;
pub mod status;

#[cfg(test)]
pub(crate) mod fixture;
