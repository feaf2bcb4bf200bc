//! Requests that the API server passes on, through its real HTTPS port: to nodes, pods, Services.

mod cluster;
mod node;
mod proxy;
