//! What Drover knows of each resource kind, as data and pure functions. No I/O, no clock, no tokio.
//!
//! One file a kind (`core/pod.rs`, `apps/deployment.rs`, ..): a const [`row::Row`] and hooks on the typed object.
//! Everything that treats kinds alike (registry, discovery, OpenAPI, tables, garbage collection, quota, kctl) iterates
//! [`table::builtin`] or holds an `Arc<dyn Kind>`; a CustomResourceDefinition becomes the same thing at run time.
#![forbid(unsafe_code)]

pub mod admission;
mod admissionregistration;
pub mod age;
mod apiextensions;
mod apiregistration;
mod apps;
mod authentication;
mod authorization;
mod autoscaling;
mod batch;
mod cel;
mod cells;
mod certificates;
mod coordination;
mod core;
pub mod cron;
pub mod custom;
pub mod device;
mod discovery;
pub mod duration;
pub mod errors;
mod events;
pub mod expression;
pub mod flowcontrol;
pub mod ip;
pub mod kind;
pub mod metrics;
pub mod moment;
pub mod name;
mod networking;
mod node;
pub mod node_label;
pub mod opt_in;
pub mod placement;
pub mod pod_resources;
mod policy;
pub mod quantity;
pub mod quota;
mod rbac;
mod resource;
pub mod row;
mod scheduling;
pub mod schema;
pub mod selector;
mod storage;
mod storagemigration;
pub mod table;
pub mod tree;
pub mod typed;
pub mod validate;
pub mod view;
pub mod viewed;
pub mod volume;
pub mod yaml;
