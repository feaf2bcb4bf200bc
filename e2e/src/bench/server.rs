//! The API server as `drover` runs it, alone in a process: no controllers and no scheduler that would work too.

use super::connection::Door;
use super::process::{Process, READY};
use anyhow::Result;
use apiserver::bootstrap::Membership;
use apiserver::pki::{Params, Pki};
use apiserver::server::Limits;
use apiserver::{ApiServer, Config, Deps};
use client::clock::{Clock, SystemClock};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Objects of the cluster name it; nobody connects to it.
const ADVERTISED: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// The process. `store` as `drover --store` takes it.
pub async fn run(folder: &Path, store: &str) -> Result<()> {
    let api = open(folder, store).await?;
    println!("{READY}{}", api.local_addr()?);
    Ok(api.run(CancellationToken::new()).await?)
}

/// The server itself, for a process that has more to do.
pub async fn open(folder: &Path, store: &str) -> Result<ApiServer> {
    let store = store::open(store, &folder.join("store")).await?;
    let config = Config {
        data_dir: folder.to_owned(),
        bind: SocketAddr::new(HERE, 0),
        advertise_address: ADVERTISED,
        hostname: "bench".into(),
        extra_sans: vec![HERE.to_string()],
        service_cidr: "10.43.0.0/16".into(),
        cluster_cidr: "10.42.0.0/16".into(),
        cluster_dns: ([10, 43, 0, 10]).into(),
        node_port_range: "30000-32767".into(),
        token_file: None,
        access: apiserver::access::Access::default(),
        local_storage: true,
        cluster_domain: "cluster.local".into(),
        history: Duration::from_mins(5),
        membership: Membership::Sole,
        limits: Limits::default(),
    };
    Ok(ApiServer::open(config, Deps { store, clock: Arc::new(SystemClock) }).await?)
}

/// The keys that the server on `folder` has made, or will find.
pub fn keys(folder: &Path) -> Result<Pki> {
    let params = Params {
        service_ip: IpAddr::V4(Ipv4Addr::new(10, 43, 0, 1)),
        advertise: ADVERTISED,
        hostname: "bench".into(),
        domain: "cluster.local".into(),
        extra_sans: vec![HERE.to_string()],
    };
    Ok(Pki::load_or_create(&folder.join("pki"), &params, SystemClock.now())?)
}

/// A server on `folder`, and the way in.
pub fn start(folder: &Path, store: &str) -> Result<(Process, Door)> {
    let process = Process::start(&["serve", &folder.to_string_lossy(), store])?;
    let door = Door::new(process.address, &keys(folder)?)?;
    Ok((process, door))
}
