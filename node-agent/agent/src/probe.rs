//! Probes: when to ask and what an answer means ([`state`], pure), how to ask ([`ask`]), and the one task that does it for
//! all pods ([`prober`]).

pub mod ask;
pub mod grpc;
pub mod http;
pub mod prober;
pub mod state;
