//! Storage drivers of the node: found by the sockets that they put into a folder, told to the API in the node's CSINode,
//! asked to mount and unmount volumes of pods.

mod register;
mod volume;

pub use register::run;
pub use volume::{publish, unpublish_all};

use crate::dial;
use parking_lot::Mutex;
use proto::csi::node_client::NodeClient;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
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
    #[error("{0} is not supported yet for CSI volumes")]
    Unsupported(&'static str),
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

/// By name.
#[derive(Debug, Default)]
pub struct Drivers(Mutex<BTreeMap<String, Driver>>);

impl Drivers {
    fn get(&self, name: &str) -> Result<Driver, Error> {
        self.0.lock().get(name).cloned().ok_or_else(|| Error::NoDriver(name.to_owned()))
    }

    fn insert(&self, name: &str, driver: Driver) {
        self.0.lock().insert(name.to_owned(), driver);
    }

    /// Forgets those that registered by other sockets than these.
    fn keep(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut drivers = self.0.lock();
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
