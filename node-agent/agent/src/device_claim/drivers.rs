//! Drivers that have registered, how they are reached, and what the API is told when one stays away: the node's
//! ResourceSlices go, so that no pod is sent here for devices that nobody can prepare. k8s: the DRA plugin manager

use super::Error;
use crate::dial;
use crate::node::Node;
use crate::worker::chain;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::resource::v1::ResourceSlice;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use parking_lot::Mutex;
use proto::dra::dra_plugin_client::DraPluginClient;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tracing::{debug, info};

/// What a driver has to speak, as it says itself when it registers.
const SERVICE: &str = "v1.DRAPlugin";
/// k8s: defaultClientCallTimeout
const CALL_TIMEOUT: Duration = Duration::from_secs(45);
/// k8s: defaultWipingDelay; long enough for the driver's pod to be replaced.
const AWAY_MAX: SignedDuration = SignedDuration::from_secs(30);
/// How often it is looked whether drivers are there. They accept a connection that is closed at once, as those of load
/// balancers that test them are.
const LOOK_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Drivers {
    /// Sockets by driver, the last that registered last: while a driver is replaced there are two. A driver without any is
    /// one that has gone and whose slices are still there.
    known: Mutex<BTreeMap<String, Vec<PathBuf>>>,
}

impl Drivers {
    pub(super) fn check(&self, driver: &str) -> Result<(), Error> {
        self.sockets(driver).map(drop)
    }

    fn sockets(&self, driver: &str) -> Result<Vec<PathBuf>, Error> {
        let known = self.known.lock().get(driver).cloned().filter(|sockets| !sockets.is_empty());
        known.ok_or_else(|| Error::NotRegistered(driver.to_owned()))
    }

    /// The newest that answers, or the newest.
    pub(super) async fn client(&self, driver: &str) -> Result<DraPluginClient<Channel>, Error> {
        let sockets = self.sockets(driver)?;
        let mut chosen = sockets.last();
        for socket in sockets.iter().rev() {
            if is_there(socket).await {
                chosen = Some(socket);
                break;
            }
        }
        let socket = chosen.ok_or_else(|| Error::NotRegistered(driver.to_owned()))?;
        Ok(DraPluginClient::new(dial::unix_within(socket, CALL_TIMEOUT)))
    }
}

async fn is_there(socket: &Path) -> bool {
    UnixStream::connect(socket).await.is_ok()
}

/// Takes a driver on.
///
/// # Errors
/// What the driver is told: it does not speak what is spoken here, or somebody else has its socket.
pub(crate) fn register(node: &Node, driver: &str, socket: &Path, services: &[String]) -> Result<(), String> {
    if !services.iter().any(|service| service == SERVICE) {
        return Err(format!(
            "invalid supported gRPC versions of DRA driver plugin {driver} at endpoint {}: none of services supported by the plugin ({services:?}) are supported by the kubelet ([{SERVICE:?}])",
            socket.display()
        ));
    }
    let mut known = node.claims.drivers.known.lock();
    let sockets = known.entry(driver.to_owned()).or_default();
    if sockets.iter().any(|there| there == socket) {
        return Err(format!("endpoint {} already registered for DRA driver plugin {driver}", socket.display()));
    }
    sockets.push(socket.to_owned());
    info!(driver, socket = %socket.display(), "driver of claimed devices registered");
    Ok(())
}

/// Its registration is gone.
pub(crate) fn deregister(node: &Node, driver: &str, socket: &Path) {
    if let Some(sockets) = node.claims.drivers.known.lock().get_mut(driver) {
        sockets.retain(|there| there != socket);
        info!(driver, socket = %socket.display(), "driver of claimed devices is gone");
    }
}

/// Keeps the node's slices to what its drivers can prepare.
pub(crate) async fn run(node: Arc<Node>, drain: CancellationToken) {
    // k8s: nobody has registered yet, and may never do; those who do publish their slices again.
    let mut all_wiped = false;
    let mut away: BTreeMap<String, Timestamp> = BTreeMap::new();
    loop {
        if !all_wiped {
            all_wiped = wipe(&node, None).await;
        }
        look(&node, &mut away).await;
        tokio::select! {
            () = drain.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Notes who is away since when, and removes the slices of those who have been so for too long.
async fn look(node: &Node, away: &mut BTreeMap<String, Timestamp>) {
    let known = node.claims.drivers.known.lock().clone();
    for (driver, sockets) in known {
        let mut is_usable = false;
        for socket in &sockets {
            is_usable |= is_there(socket).await;
        }
        if is_usable {
            away.remove(&driver);
            continue;
        }
        let now = node.clock.now();
        let since = *away.entry(driver.clone()).or_insert(now);
        if now.duration_since(since) < AWAY_MAX || !wipe(node, Some(&driver)).await {
            continue;
        }
        // One that is registered and does not answer may publish slices again when it does.
        away.remove(&driver);
        let mut known = node.claims.drivers.known.lock();
        if known.get(&driver).is_some_and(Vec::is_empty) {
            known.remove(&driver);
        }
    }
}

/// Removes the node's slices, or those of one driver; says whether that is done.
async fn wipe(node: &Node, driver: Option<&str>) -> bool {
    let of_driver = driver.map_or(String::new(), |driver| format!(",spec.driver={driver}"));
    let fields = format!("spec.nodeName={}{of_driver}", node.name);
    let api: Api<ResourceSlice> = Api::all(node.client.clone());
    match api.delete_collection(&DeleteParams::default(), &ListParams::default().fields(&fields)).await {
        Ok(_) => true,
        Err(kube::Error::Api(refused)) if refused.code == 404 => true,
        Err(error) => {
            debug!(fields, error = chain(&error), "ResourceSlices are not removed yet");
            false
        }
    }
}
