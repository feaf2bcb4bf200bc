//! How every component talks to the API: a [`kube::Client`] over the in-process router or HTTPS, informer caches,
//! the sans-io work queue and driver that all controllers share, leader election, and events.
//!
//! Nothing here knows of the store: a component is a client with an identity, through authentication, authorization
//! and admission like any other.
#![forbid(unsafe_code)]

pub mod action;
pub mod cache;
pub mod clock;
pub mod controller;
pub mod driver;
pub mod events;
mod execute;
pub mod identity;
pub mod join_token;
pub mod kubeconfig;
pub mod lease;
pub mod queue;
pub mod rt;
pub mod transport;
mod wire;
