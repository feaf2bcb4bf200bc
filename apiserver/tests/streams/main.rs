//! Requests that the API server passes on, through its real HTTPS port: to nodes, pods, Services, other API servers, webhooks.

mod aggregate;
mod backend;
mod cluster;
mod conversion;
#[path = "../shared/https_server.rs"]
mod https_server;
mod metrics;
mod node;
mod proxy;
mod webhook;
