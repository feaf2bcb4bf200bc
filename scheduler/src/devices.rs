//! Devices, their classes and the claims on them as the scheduler sees them, with what it has promised itself; and what of
//! them concerns one pod. Pure. `pool` makes lists of devices of slices, `request` reads what claims ask for, `search` finds
//! devices for them.

mod pool;
mod request;
mod search;

use crate::plugins::Rejection;
use crate::pod_info::PodInfo;
use crate::snapshot::NodeInfo;
use client::cache::Tracked as _;
use k8s_openapi::api::resource::v1::{
    AllocationResult, DeviceClass, DeviceTaintRule, ResourceClaim, ResourceClaimConsumerReference, ResourceSlice,
};
use kinds::device::{ClaimOfPod, Selector};
use kinds::placement::{self, NodeFacts};
use pool::Pool;
use request::Request;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// k8s: ResourceClaimReservedForMaxSize
const CONSUMERS_MAX: usize = 256;

/// A claim, and what it asks for where that is still to be found.
#[derive(Debug)]
struct Held {
    claim: Arc<ResourceClaim>,
    requests: Vec<Request>,
}

#[derive(Debug)]
struct Class {
    class: Arc<DeviceClass>,
    selectors: Vec<Result<Selector, String>>,
}

/// Claims are named `ns/name`, devices `driver/pool/device`.
#[derive(Debug, Default)]
pub struct Devices {
    claims: HashMap<String, Held>,
    classes: HashMap<String, Class>,
    slices: HashMap<String, Arc<ResourceSlice>>,
    rules: BTreeMap<String, Arc<DeviceTaintRule>>,
    /// (driver, pool)
    pools: BTreeMap<(String, String), Pool>,
    /// Node -> pools that have devices for this node alone.
    local: HashMap<String, BTreeSet<(String, String)>>,
    /// Pools that have devices for more than one node.
    wide: BTreeSet<(String, String)>,
    /// Device -> how many claims have it.
    taken: HashMap<String, usize>,
    /// Uid of a claim -> its devices, given or promised.
    given: HashMap<String, Vec<String>>,
    /// Uid of a claim -> what is being written into it.
    promised: HashMap<String, Arc<AllocationResult>>,
}

/// What a change of a claim means to those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimNews {
    /// Devices of it may be others' now.
    Freed,
    Changed,
}

impl Devices {
    pub fn set_claim(&mut self, key: &str, claim: Option<Arc<ResourceClaim>>) -> ClaimNews {
        let before = self.claims.get(key).map(|held| Arc::clone(&held.claim));
        let had_some = before.as_ref().is_some_and(|before| allocation(before).is_some());
        let Some(claim) = claim else {
            if let Some(gone) = self.claims.remove(key) {
                self.promised.remove(gone.claim.uid());
                self.give(gone.claim.uid(), Vec::new());
            }
            return if had_some { ClaimNews::Freed } else { ClaimNews::Changed };
        };
        if let Some(before) = before {
            // The scheduler has written something newer than what the watch tells.
            if before.uid() == claim.uid() && before.rev() > claim.rev() {
                return ClaimNews::Changed;
            }
            if before.uid() != claim.uid() {
                self.set_claim(key, None);
            }
        }
        let uid = claim.uid().to_owned();
        let freed = had_some && allocation(&claim).is_none();
        match allocation(&claim) {
            Some(found) => {
                self.promised.remove(&uid);
                self.give(&uid, ids(found));
            }
            None if self.promised.contains_key(&uid) => {}
            None => self.give(&uid, Vec::new()),
        }
        let requests = if allocation(&claim).is_some() { Vec::new() } else { request::of(&claim) };
        self.claims.insert(key.to_owned(), Held { claim, requests });
        if freed { ClaimNews::Freed } else { ClaimNews::Changed }
    }

    pub fn set_class(&mut self, name: &str, class: Option<Arc<DeviceClass>>) {
        let Some(class) = class else {
            self.classes.remove(name);
            return;
        };
        let selectors = class.spec.iter().flat_map(|spec| spec.selectors.iter().flatten());
        let selectors = selectors.map(request::compile).collect();
        self.classes.insert(name.to_owned(), Class { class, selectors });
    }

    pub fn set_slice(&mut self, name: &str, slice: Option<Arc<ResourceSlice>>) {
        let pool = |slice: &ResourceSlice| (slice.spec.driver.clone(), slice.spec.pool.name.clone());
        let mut touched: Vec<(String, String)> = self.slices.remove(name).iter().map(|slice| pool(slice)).collect();
        if let Some(slice) = slice {
            touched.push(pool(&slice));
            self.slices.insert(name.to_owned(), slice);
        }
        touched.iter().for_each(|id| self.gather(id));
    }

    pub fn set_taint_rule(&mut self, name: &str, rule: Option<Arc<DeviceTaintRule>>) {
        match rule {
            Some(rule) => drop(self.rules.insert(name.to_owned(), rule)),
            None => drop(self.rules.remove(name)),
        }
        let all: Vec<_> = self.pools.keys().cloned().collect();
        all.iter().for_each(|id| self.gather(id));
    }

    /// Puts a pool together anew.
    fn gather(&mut self, id: &(String, String)) {
        if let Some(before) = self.pools.remove(id) {
            self.wide.remove(id);
            for node in before.nodes() {
                if let Some(pools) = self.local.get_mut(node) {
                    pools.remove(id);
                    if pools.is_empty() {
                        self.local.remove(node);
                    }
                }
            }
        }
        let mine = self.slices.values().filter(|slice| (&slice.spec.driver, &slice.spec.pool.name) == (&id.0, &id.1));
        let Some(pool) = Pool::new(mine.cloned().collect(), self.rules.values()) else { return };
        for node in pool.nodes() {
            self.local.entry(node.to_owned()).or_default().insert(id.clone());
        }
        if pool.is_wide() {
            self.wide.insert(id.clone());
        }
        self.pools.insert(id.clone(), pool);
    }

    /// Pools that may have devices for the node, in the order of their names.
    fn pools_of(&self, node: &str) -> impl Iterator<Item = &Pool> {
        let ids: BTreeSet<_> = self.local.get(node).into_iter().flatten().chain(&self.wide).collect();
        ids.into_iter().filter_map(|id| self.pools.get(id))
    }

    fn is_taken(&self, device: &str) -> bool {
        self.taken.contains_key(device)
    }

    /// From now on these are the claim's devices.
    fn give(&mut self, uid: &str, devices: Vec<String>) {
        let before =
            if devices.is_empty() { self.given.remove(uid) } else { self.given.insert(uid.to_owned(), devices) };
        for device in self.given.get(uid).into_iter().flatten() {
            *self.taken.entry(device.clone()).or_default() += 1;
        }
        for device in before.into_iter().flatten() {
            if let Some(holders) = self.taken.get_mut(&device) {
                *holders -= 1;
                if *holders == 0 {
                    self.taken.remove(&device);
                }
            }
        }
    }

    /// From now on as if this were written.
    pub(crate) fn promise(&mut self, writes: &[ClaimWrite]) {
        for ClaimWrite { claim, allocation } in writes {
            if let Some(allocation) = allocation {
                self.give(claim.uid(), ids(allocation));
                self.promised.insert(claim.uid().to_owned(), Arc::clone(allocation));
            }
        }
    }

    /// These claims have been written, as they are given here; what was promised beside them will not be.
    pub(crate) fn kept(&mut self, writes: &[ClaimWrite], written: Vec<ResourceClaim>) {
        for claim in written {
            let key = key_of(&claim);
            // What the watch has taken away is not brought back.
            if self.claims.get(&key).is_some_and(|held| held.claim.uid() == claim.uid()) {
                self.set_claim(&key, Some(Arc::new(claim)));
            }
        }
        for ClaimWrite { claim, allocation } in writes {
            if allocation.is_some() && self.promised.remove(claim.uid()).is_some() {
                self.give(claim.uid(), Vec::new());
            }
        }
    }
}

fn allocation(claim: &ResourceClaim) -> Option<&AllocationResult> {
    claim.status.as_ref()?.allocation.as_ref()
}

fn consumers(claim: &ResourceClaim) -> &[ResourceClaimConsumerReference] {
    claim.status.as_ref().and_then(|status| status.reserved_for.as_deref()).unwrap_or_default()
}

fn key_of(claim: &ResourceClaim) -> String {
    format!("{}/{}", claim.ns(), claim.name())
}

/// The devices that nobody else may have. k8s: who looks after a device does not use it up
pub(crate) fn ids(allocation: &AllocationResult) -> Vec<String> {
    let results = allocation.devices.iter().flat_map(|devices| devices.results.iter().flatten());
    let owned = results.filter(|result| result.admin_access != Some(true));
    owned.map(|result| pool::id(&result.driver, &result.pool, &result.device)).collect()
}

/// A claim to write before a pod that uses it is bound.
#[derive(Clone, Debug)]
pub(crate) struct ClaimWrite {
    pub(crate) claim: Arc<ResourceClaim>,
    /// What is to be its allocation; `None` where it has one.
    pub(crate) allocation: Option<Arc<AllocationResult>>,
}

/// The device claims of the pod in question.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    uid: &'a str,
    devices: Option<&'a Devices>,
    claims: Vec<&'a Held>,
    pub(crate) hopeless: Option<String>,
}

/// Whether claims that are to be made of templates are there. k8s: PreEnqueue
pub(crate) fn awaits_claims(pod: &PodInfo, devices: &Devices) -> bool {
    pod.device_claims.iter().any(|entry| match entry {
        ClaimOfPod::Awaited => true,
        ClaimOfPod::Generated(name) => !devices.claims.contains_key(&format!("{}/{name}", pod.key.ns)),
        ClaimOfPod::Named(_) | ClaimOfPod::Needless => false,
    })
}

impl<'a> Wanted<'a> {
    pub(crate) fn new(pod: &'a PodInfo, devices: &'a Devices) -> Self {
        let mut wanted = Self::default();
        if pod.device_claims.is_empty() {
            return wanted;
        }
        wanted.uid = &pod.uid;
        wanted.devices = Some(devices);
        for entry in &pod.device_claims {
            match devices.claim_of(pod, entry) {
                Ok(found) => wanted.claims.extend(found),
                Err(why) => {
                    wanted.hopeless = Some(why);
                    return wanted;
                }
            }
        }
        wanted.hopeless = wanted.claims.iter().find_map(|held| devices.stands_in_the_way(held, &pod.uid));
        wanted
    }

    fn is_mine(&self, held: &Held) -> bool {
        consumers(&held.claim).iter().any(|consumer| consumer.uid == self.uid)
    }

    /// Claims that are allocated where the node is not.
    fn out_of_reach(&self, node: &NodeInfo) -> impl Iterator<Item = &'a Held> {
        let facts = NodeFacts { name: &node.name, labels: node.labels() };
        self.claims.iter().copied().filter(move |held| {
            let selector = allocation(&held.claim).and_then(|allocation| allocation.node_selector.as_ref());
            selector.is_some_and(|selector| !placement::selects(selector, facts))
        })
    }

    /// Whether the devices are, or can be found, where the node is.
    pub(crate) fn reach(&self, node: &NodeInfo) -> Result<(), Rejection> {
        if self.claims.is_empty() {
            return Ok(());
        }
        if self.out_of_reach(node).next().is_some() {
            return Err(Rejection::lasting("resourceclaim not available on the node"));
        }
        self.allocate(node).map(drop).map_err(Rejection::lasting)
    }

    /// What is to be written so that the pod can use its claims on the node; `None` where it cannot.
    pub(crate) fn prepare(&self, node: &NodeInfo) -> Option<Vec<ClaimWrite>> {
        let mut found = self.allocate(node).ok()?.into_iter();
        let mut writes = Vec::new();
        for held in &self.claims {
            let claim = Arc::clone(&held.claim);
            if allocation(&claim).is_none() {
                writes.push(ClaimWrite { claim, allocation: Some(Arc::new(found.next()?)) });
            } else if !self.is_mine(held) {
                writes.push(ClaimWrite { claim, allocation: None });
            }
        }
        Some(writes)
    }

    /// One allocation for each claim that has none.
    fn allocate(&self, node: &NodeInfo) -> Result<Vec<AllocationResult>, String> {
        let missing: Vec<&Held> =
            self.claims.iter().copied().filter(|held| allocation(&held.claim).is_none()).collect();
        match self.devices {
            Some(devices) if !missing.is_empty() => search::allocate(&missing, devices, node),
            _ => Ok(Vec::new()),
        }
    }

    /// Claims that nobody uses, and whose devices are where some node is not: without their allocations they can be had
    /// elsewhere. k8s: PostFilter
    pub(crate) fn idle<'n>(&self, nodes: impl Iterator<Item = &'n NodeInfo>) -> Vec<Arc<ResourceClaim>> {
        let mut idle: BTreeMap<&str, &Held> = BTreeMap::new();
        for node in nodes {
            let unused = |held: &&Held| consumers(&held.claim).iter().all(|consumer| consumer.uid == self.uid);
            idle.extend(self.out_of_reach(node).filter(unused).map(|held| (held.claim.uid(), held)));
        }
        idle.into_values().map(|held| Arc::clone(&held.claim)).collect()
    }
}

impl Devices {
    fn claim_of(&self, pod: &PodInfo, entry: &ClaimOfPod) -> Result<Option<&Held>, String> {
        let (name, is_generated) = match entry {
            ClaimOfPod::Named(name) => (name, false),
            ClaimOfPod::Generated(name) => (name, true),
            ClaimOfPod::Needless => return Ok(None),
            ClaimOfPod::Awaited => {
                return Err(format!("pod \"{}/{}\": ResourceClaim not created yet", pod.key.ns, pod.key.name));
            }
        };
        let key = format!("{}/{name}", pod.key.ns);
        let held = self.claims.get(&key).ok_or_else(|| format!("resourceclaim {name:?} not found"))?;
        if held.claim.deleting() {
            return Err(format!("resourceclaim {name:?} is being deleted"));
        }
        if is_generated && !kinds::device::is_owned_by(&held.claim, &pod.uid) {
            let pod = format!("{}/{}", pod.key.ns, pod.key.name);
            return Err(format!("ResourceClaim {key} was not created for pod {pod} (pod is not owner)"));
        }
        Ok(Some(held))
    }

    /// What keeps the claim from every node.
    fn stands_in_the_way(&self, held: &Held, pod_uid: &str) -> Option<String> {
        let claim = &held.claim;
        let consumers = consumers(claim);
        if allocation(claim).is_some() {
            let full = consumers.len() >= CONSUMERS_MAX && consumers.iter().all(|consumer| consumer.uid != pod_uid);
            return full.then(|| "resourceclaim in use".to_owned());
        }
        if self.promised.contains_key(claim.uid()) {
            return Some(format!("resource claim {} is in the process of being allocated", key_of(claim)));
        }
        held.requests.iter().flat_map(|request| &request.choices).find_map(|choice| {
            if let Some(what) = choice.cannot {
                return Some(format!("claim {}, request {}: {what}", key_of(claim), choice.name));
            }
            let is_known = self.classes.contains_key(&choice.class);
            (!is_known).then(|| format!("request {}: device class {} does not exist", choice.name, choice.class))
        })
    }
}
