//! Devices of the machine that plugins offer as resources: how many there are, who has which, and what a container needs
//! to use its own. Plugins register themselves ([`registry`]) and are followed for as long as they live ([`plugin`]).
//! k8s: the kubelet's device manager

mod grant;
mod plugin;
mod pool;
mod registry;

pub use grant::{DeviceNode, Grant, Mount};
pub use pool::Short;
pub(crate) use registry::register;
pub use registry::run;

use crate::pod::member::uid;
use crate::whole_file::Ledger;
use grant::Books;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use parking_lot::Mutex;
use plugin::Plugin;
use pool::{Healths, Want};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use tracing::warn;

/// k8s: the node has a plugin's devices, none of them healthy, for this long after the plugin is gone.
const MISSED: SignedDuration = SignedDuration::from_mins(5);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Short(#[from] Short),
    #[error("{call} of the device plugin of {resource} failed: {said}")]
    Plugin { resource: String, call: &'static str, said: String },
    #[error("the device plugin of {0} is not there")]
    Gone(String),
    #[error("cannot write down which devices the pod has: {0}")]
    Record(io::Error),
}

/// NUMA nodes that a device is near to, by its id; those of devices that are near to none are left out.
type Numa = BTreeMap<String, Vec<i64>>;

/// One device, as others are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) resource: String,
    pub(crate) id: String,
    pub(crate) numa: Vec<i64>,
}

#[derive(Debug, Default)]
struct Resource {
    healths: Healths,
    numa: Numa,
    plugin: Option<Plugin>,
    /// Since when there is no plugin.
    gone: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct State {
    resources: BTreeMap<String, Resource>,
    books: Books,
    /// Registrations so far: tells a plugin from its successor.
    registered: u64,
}

#[derive(Debug)]
pub struct Devices {
    folder: PathBuf,
    ledger: Ledger,
    state: Mutex<State>,
    /// Pods choose one after the other.
    turn: tokio::sync::Mutex<()>,
}

impl Devices {
    /// With what an earlier run of the agent has written down below `data_dir`.
    pub fn open(data_dir: &Path, now: Timestamp) -> Self {
        let ledger = Ledger::new(data_dir.join("device-grants.json"));
        let books: Books = ledger.read("which devices pods have is not known any more");
        let absent = |name: &String| (name.clone(), Resource { gone: Some(now - MISSED), ..Resource::default() });
        let resources = books.resources.iter().map(absent).collect();
        let state = Mutex::new(State { resources, books, registered: 0 });
        Self { folder: data_dir.join("device-plugins"), ledger, state, turn: tokio::sync::Mutex::default() }
    }

    /// Whether a plugin offers the resource, or has offered it.
    pub fn is_managed(&self, resource: &str) -> bool {
        self.state.lock().resources.contains_key(resource)
    }

    /// All devices and the healthy ones, by resource.
    pub fn amounts(&self, now: Timestamp) -> (BTreeMap<String, Quantity>, BTreeMap<String, Quantity>) {
        let (mut all, mut healthy) = (BTreeMap::new(), BTreeMap::new());
        for (name, resource) in &self.state.lock().resources {
            let forgotten = resource.gone.is_some_and(|at| now.duration_since(at) >= MISSED);
            let count = if forgotten { 0 } else { resource.healths.len() };
            all.insert(name.clone(), Quantity(count.to_string()));
            let count = resource.healths.values().filter(|healthy| **healthy).count();
            healthy.insert(name.clone(), Quantity(count.to_string()));
        }
        (all, healthy)
    }

    /// Gives the pod's containers the devices that they ask for, all or none. `is_live` tells by uid which pods still hold
    /// what they were given.
    pub async fn allocate(&self, pod: &Pod, is_live: impl Fn(&str) -> bool) -> Result<(), Error> {
        let wants = pool::wanted(pod, |name| self.is_managed(name));
        if wants.is_empty() {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        let books = {
            let mut state = self.state.lock();
            if state.books.pods.contains_key(uid(pod)) {
                return Ok(());
            }
            state.books.pods.retain(|holder, _| is_live(holder));
            state.books.clone()
        };
        let (mut grants, mut granted) = (BTreeMap::<String, Grant>::new(), Vec::new());
        for want in wants {
            let ids = self.choose(&want, &books, &granted).await?;
            let answer = self.plugin(&want.resource)?.allocate(&want.resource, &ids).await?;
            grants.entry(want.container.clone()).or_default().add(&want.resource, ids.clone(), answer);
            granted.push((want, ids));
        }
        self.state.lock().books.pods.insert(uid(pod).to_owned(), grants);
        let written = self.write().await;
        if written.is_err() {
            self.state.lock().books.pods.remove(uid(pod));
        }
        written.map_err(Error::Record)
    }

    async fn choose(
        &self,
        want: &Want,
        books: &Books,
        granted: &[(Want, BTreeSet<String>)],
    ) -> Result<BTreeSet<String>, Error> {
        let healths = self.state.lock().resources.get(&want.resource).map(|r| r.healths.clone()).unwrap_or_default();
        let offer = pool::offer(want, &healths, books, granted)?;
        let plugin = self.plugin(&want.resource)?;
        if !plugin.options.get_preferred_allocation_available || offer.available.len() == want.count {
            return Ok(offer.first(want.count));
        }
        match plugin.preferred(&want.resource, &offer, want.count).await {
            Ok(ids) if offer.accepts(&ids, want.count) => Ok(ids),
            Ok(ids) => {
                warn!(resource = want.resource, ?ids, "the device plugin prefers what it cannot have");
                Ok(offer.first(want.count))
            }
            Err(error) => Err(error),
        }
    }

    /// What the container was given.
    pub fn granted(&self, pod_uid: &str, container: &str) -> Option<Grant> {
        self.state.lock().books.pods.get(pod_uid)?.get(container).cloned()
    }

    /// The devices that the container was given, one by one.
    pub(crate) fn held(&self, pod_uid: &str, container: &str) -> Vec<Shown> {
        let state = self.state.lock();
        let grant = state.books.pods.get(pod_uid).and_then(|pod| pod.get(container));
        let all = grant.into_iter().flat_map(|grant| &grant.devices);
        let one = |(resource, id): (&String, &String)| Shown {
            resource: resource.clone(),
            id: id.clone(),
            numa: state.resources.get(resource).and_then(|r| r.numa.get(id)).cloned().unwrap_or_default(),
        };
        all.flat_map(|(resource, ids)| ids.iter().map(move |id| (resource, id))).map(one).collect()
    }

    /// The devices that can be given out, in use or not: the healthy ones.
    pub(crate) fn healthy(&self) -> Vec<Shown> {
        let state = self.state.lock();
        let of = |(name, resource): (&String, &Resource)| {
            let healthy = resource.healths.iter().filter(|(_, healthy)| **healthy);
            let one = |(id, _): (&String, &bool)| Shown {
                resource: name.clone(),
                id: id.clone(),
                numa: resource.numa.get(id).cloned().unwrap_or_default(),
            };
            healthy.map(one).collect::<Vec<_>>()
        };
        state.resources.iter().flat_map(of).collect()
    }

    /// Tells the plugins that want to know that the container is about to start.
    pub async fn before_start(&self, grant: &Grant) -> Result<(), Error> {
        for (resource, ids) in &grant.devices {
            let found = self.state.lock().resources.get(resource).and_then(|r| r.plugin.clone());
            if let Some(plugin) = found.filter(|p| p.options.pre_start_required) {
                plugin.before_start(resource, ids).await?;
            }
        }
        Ok(())
    }

    /// The pod is gone.
    pub async fn release(&self, pod_uid: &str) {
        if self.state.lock().books.pods.remove(pod_uid).is_none() {
            return;
        }
        if let Err(error) = self.write().await {
            warn!(%error, "cannot write down that devices are free; the next change will");
        }
    }

    async fn write(&self) -> io::Result<()> {
        self.ledger.write(|| self.state.lock().books.clone()).await
    }

    fn plugin(&self, resource: &str) -> Result<Plugin, Error> {
        let found = self.state.lock().resources.get(resource).and_then(|r| r.plugin.clone());
        found.ok_or_else(|| Error::Gone(resource.to_owned()))
    }

    /// A plugin takes the place of the one before it; says by which number it is known.
    async fn enter(&self, resource: &str, mut plugin: Plugin) -> u64 {
        let (number, is_new) = {
            let mut state = self.state.lock();
            state.registered += 1;
            plugin.number = state.registered;
            let number = plugin.number;
            state.resources.entry(resource.to_owned()).or_default().plugin = Some(plugin);
            (number, state.books.resources.insert(resource.to_owned()))
        };
        if is_new && let Err(error) = self.write().await {
            warn!(%error, resource, "cannot write down that the resource is known");
        }
        number
    }

    /// What the plugin says of its devices, unless another has taken its place.
    fn list(&self, resource: &str, number: u64, healths: Healths, numa: Numa) -> bool {
        self.of(resource, number, |entry| {
            entry.healths = healths;
            entry.numa = numa;
            entry.gone = None;
        })
    }

    /// The plugin is gone: nobody says any more that its devices are well.
    fn leave(&self, resource: &str, number: u64, now: Timestamp) -> bool {
        self.of(resource, number, |entry| {
            entry.healths.values_mut().for_each(|healthy| *healthy = false);
            entry.plugin = None;
            entry.gone = Some(now);
        })
    }

    fn of(&self, resource: &str, number: u64, change: impl FnOnce(&mut Resource)) -> bool {
        let mut state = self.state.lock();
        let entry = state.resources.get_mut(resource);
        let entry = entry.filter(|entry| entry.plugin.as_ref().is_some_and(|p| p.number == number));
        entry.map(change).is_some()
    }
}
