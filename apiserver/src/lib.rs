//! The API server: request -> authentication -> authorization -> admission -> registry -> store -> watch cache -> watchers.
//!
//! [`chain`] holds the whole filter chain in one function; [`registry`] serves every kind through `kinds::kind::Kind`;
//! [`respond`] is the only place where errors become `Status`. Nothing outside this crate (and the wiring) sees the store.
#![forbid(unsafe_code)]

pub mod backend;
pub mod cache;
pub mod chain;
mod config_file;
pub mod custom;
pub mod dispatch;
pub mod error;
mod flow;
mod follow;
pub mod fuzzing;
mod guarded;
pub mod negotiate;
pub mod protobuf;
pub mod registry;
pub mod request;
pub mod respond;
mod seat;
pub mod serve;
pub mod server;
pub mod stored;
pub mod subresource;
pub mod webhook;

// Identity, policy and publication (who may do what, and what is announced).
pub mod access;
pub mod admission;
pub mod aggregate;
pub mod alloc;
pub mod audit;
pub mod auth;
pub mod bootstrap;
mod certificates;
pub mod components;
mod members;
pub mod pki;
pub mod publish;
mod usage;

pub use error::ApiError;
pub use server::{ApiServer, Config, Deps, OpenError};
