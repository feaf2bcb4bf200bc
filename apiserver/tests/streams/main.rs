//! Requests that the API server passes on, through its real HTTPS port: to nodes, pods, Services, other API servers, webhooks.

mod aggregate;
mod backend;
mod cluster;
mod conversion;
mod metrics;
mod node;
mod proxy;
mod webhook;
