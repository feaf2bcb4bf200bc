//! Who may do what, through the router of a whole server.

mod audit;
mod certificates;
mod cluster;
mod credentials;
mod decisions;
mod exemptions;
mod issuer;
mod oidc;
mod pod_certificates;
