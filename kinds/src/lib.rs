//! What Drover knows of each resource kind, as data and pure functions. No I/O, no clock, no tokio.
//!
//! One file a kind (`core/pod.rs`, `apps/deployment.rs`, ..): a const [`Row`] and hooks on the typed object.
//! Everything that treats kinds alike (registry, discovery, OpenAPI, tables, garbage collection, quota, kctl) iterates
//! [`table::BUILTIN`] or holds an `Arc<dyn Kind>`; a CustomResourceDefinition becomes the same thing at run time.
#![forbid(unsafe_code)]

pub mod age;
mod apps;
mod cells;
mod coordination;
mod core;
mod discovery;
pub mod errors;
pub mod kind;
pub mod name;
pub mod quantity;
mod rbac;
pub mod row;
mod scheduling;
pub mod selector;
pub mod tree;
pub mod typed;
pub mod validate;
