//! Storage drivers of the node: found by the sockets that they put into a folder, told to the API in the node's CSINode,
//! asked to mount and unmount volumes of pods.

mod record;
mod register;
mod volume;

pub use register::run;
pub use volume::{Planned, Published, plan, publish, unpublish_all};

use crate::dial;
use parking_lot::Mutex;
use proto::csi::node_client::NodeClient;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::Channel;

/// k8s: csiTimeout; a driver may have to format a disk.
const CALL_TIMEOUT: Duration = Duration::from_mins(2);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("driver name {0} not found in the list of registered CSI drivers")]
    NoDriver(String),
    #[error("volume {0} is not attached to this node yet")]
    NotAttached(String),
    #[error("volume mode {mode:?} not supported by driver {driver} ({why})")]
    Mode { mode: &'static str, driver: String, why: String },
    #[error("driver {driver}: {call}: {said}")]
    Driver { driver: String, call: &'static str, said: String },
    #[error("cannot read {what}")]
    Api {
        what: String,
        #[source]
        source: Box<kube::Error>,
    },
    #[error("cannot read what the volume is made with")]
    Source(#[from] crate::source::Error),
    #[error(transparent)]
    Volume(#[from] crate::volume::Error),
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// One that has registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Driver {
    pub endpoint: PathBuf,
    pub node_id: String,
}

type Turn = Arc<tokio::sync::Mutex<()>>;

/// The drivers, and what is under way with their volumes.
#[derive(Debug, Default)]
pub struct Drivers {
    /// By name.
    known: Mutex<BTreeMap<String, Driver>>,
    /// By pod and volume: what this agent has published.
    published: Mutex<BTreeSet<(String, String)>>,
    /// By driver and handle: see [`Drivers::turn`].
    turns: Mutex<BTreeMap<(String, String), Turn>>,
}

impl Drivers {
    fn get(&self, name: &str) -> Result<Driver, Error> {
        self.known.lock().get(name).cloned().ok_or_else(|| Error::NoDriver(name.to_owned()))
    }

    fn insert(&self, name: &str, driver: Driver) {
        self.known.lock().insert(name.to_owned(), driver);
    }

    /// One at a time for each volume: it must not be unstaged for one pod while it is published for another.
    async fn turn(&self, driver: &str, handle: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock();
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry((driver.to_owned(), handle.to_owned())).or_default())
        };
        turn.lock_owned().await
    }

    /// Forgets those that registered by other sockets than these.
    fn keep(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut drivers = self.known.lock();
        let gone: Vec<String> = drivers.keys().filter(|name| !wanted(name)).cloned().collect();
        drivers.retain(|name, _| wanted(name));
        gone
    }
}

fn channel(socket: &Path) -> Channel {
    dial::unix_within(socket, CALL_TIMEOUT)
}

fn client(driver: &Driver) -> NodeClient<Channel> {
    NodeClient::new(channel(&driver.endpoint))
}
