//! Wires the Ingress controller: beside a cluster in this process, or alone.

use crate::args;
use crate::crew::Crew;
use crate::machine;
use anyhow::Result;
use client::clock::{Clock, SystemClock};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// As whom it reads Ingresses, and the Secrets of their certificates.
pub(crate) const USER: &str = "system:drover-ingress";

/// Where requests come in.
pub(crate) struct Doors {
    pub(crate) http_port: u16,
    pub(crate) https_port: u16,
    /// What Ingresses say of it.
    pub(crate) addresses: Vec<IpAddr>,
}

pub(crate) fn start(crew: &mut Crew, doors: Doors, client: kube::Client, clock: Arc<dyn Clock>) -> Result<()> {
    let at = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let config = ingress::Config {
        http: at(doors.http_port),
        https: at(doors.https_port),
        addresses: doors.addresses,
        instance: machine::hostname()?,
    };
    let deps = ingress::Deps { client, clock };
    crew.join("Ingress controller", |drain| async move { Ok(ingress::run(config, deps, drain).await?) });
    Ok(())
}

/// `drover ingress`
pub(crate) async fn run(args: args::Ingress) -> Result<()> {
    let kubeconfig = crate::brain::read_kubeconfig(&args.client)?;
    let servers = client::transport::Servers::open(&kubeconfig, &args.client.server).await?;
    let addresses = if args.address.is_empty() { vec![machine::address()] } else { args.address };
    let doors = Doors { http_port: args.http_port, https_port: args.https_port, addresses };
    let mut crew = Crew::default();
    start(&mut crew, doors, servers.client(), Arc::new(SystemClock))?;
    crate::brain::run_alone("Ingress controller", crew, vec![servers]).await
}
