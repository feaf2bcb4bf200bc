//! Storage drivers of the node: found by the sockets that they put into a folder, told to the API in the node's CSINode,
//! asked to mount and unmount volumes of pods.

mod record;
mod register;
mod usage;
mod volume;

pub(crate) use register::{deregister, register};
pub use usage::{Counted, usage};
pub use volume::{Planned, Published, plan, publish, unpublish_all};

use crate::dial;
use crate::turn::Turns;
use parking_lot::Mutex;
use proto::csi::node_client::NodeClient;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
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

/// The drivers, and what is under way with their volumes.
#[derive(Debug, Default)]
pub struct Drivers {
    /// By name.
    known: Mutex<BTreeMap<String, Driver>>,
    /// By pod and volume: what this agent has published.
    published: Mutex<BTreeSet<(String, String)>>,
    /// By driver and handle: a volume must not be unstaged for one pod while it is published for another.
    turns: Turns<(String, String)>,
}

impl Drivers {
    fn get(&self, name: &str) -> Result<Driver, Error> {
        self.known.lock().get(name).cloned().ok_or_else(|| Error::NoDriver(name.to_owned()))
    }

    fn insert(&self, name: &str, driver: Driver) {
        self.known.lock().insert(name.to_owned(), driver);
    }

    fn remove(&self, name: &str) {
        self.known.lock().remove(name);
    }
}

fn client(driver: &Driver) -> NodeClient<Channel> {
    NodeClient::new(dial::unix_within(&driver.endpoint, CALL_TIMEOUT))
}
