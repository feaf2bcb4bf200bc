//! Who may do what, through the router of a whole server.

mod audit;
mod authorization;
mod certificates;
mod cluster;
mod credentials;
mod decisions;
mod exemptions;
#[path = "../shared/https_server.rs"]
mod https_server;
mod issuer;
mod oidc;
mod pod_certificates;
