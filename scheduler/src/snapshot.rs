//! The cluster as the scheduler sees it. Nodes are `Arc`s that change by copy-on-write, so that an update costs what
//! changed, and a decision looks at a state that nobody changes under it.

use crate::cycle::{Decision, Refusal, Rotation, Survey, decide, filter, survey};
use crate::devices::{self, Devices, Wanted};
use crate::order::Orders;
use crate::pod_info::{HostPort, PodInfo};
use crate::profile::Profile;
use crate::question::{self, Case, Places, Question};
use crate::resources::Resources;
use crate::tally::Tally;
use crate::terms::Namespaces;
use crate::volumes::{Claims, Preparation, Volumes};
use k8s_openapi::api::core::v1::{Node, Taint};
use k8s_openapi::api::resource::v1::AllocationResult;
use kinds::quantity::Quantity;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A node with what its pods take of it.
#[derive(Clone, Debug, Default)]
pub struct NodeInfo {
    pub name: String,
    /// `None` while only pods name it.
    pub node: Option<Arc<Node>>,
    pub allocatable: Resources,
    pub pods_max: usize,
    pub requested: Resources,
    /// As [`PodInfo::scored`], summed.
    pub scored: Resources,
    pub pods: HashMap<String, Arc<PodInfo>>,
    /// Pods that preemption makes room for here: they count against pods that are no more important.
    pub nominated: Vec<Arc<PodInfo>>,
    pub host_ports: Vec<HostPort>,
    /// Image name -> bytes.
    pub images: Arc<BTreeMap<String, i64>>,
}

impl NodeInfo {
    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Without any pods.
    pub(crate) fn of(node: &Arc<Node>) -> Self {
        let mut info = Self::named(node.metadata.name.as_deref().unwrap_or_default());
        info.set_node(Arc::clone(node));
        info
    }

    fn set_node(&mut self, node: Arc<Node>) {
        let status = node.status.as_ref();
        let allocatable = status.and_then(|status| status.allocatable.as_ref());
        self.allocatable = Resources::of(allocatable);
        self.pods_max = allocatable
            .and_then(|list| Quantity::parse(&list.get("pods")?.0).ok())
            .map_or(0, |pods| usize::try_from(pods.value()).unwrap_or(0));
        let images =
            status.and_then(|status| status.images.as_ref()).into_iter().flatten().flat_map(|image| {
                image.names.iter().flatten().map(|name| (name.clone(), image.size_bytes.unwrap_or(0)))
            });
        self.images = Arc::new(images.collect());
        self.node = Some(node);
    }

    pub(crate) fn add(&mut self, pod: Arc<PodInfo>) {
        self.remove(&pod.uid);
        self.requested.add(&pod.requests);
        self.scored.add(&pod.scored);
        self.host_ports.extend(pod.host_ports.iter().cloned());
        self.pods.insert(pod.uid.clone(), pod);
    }

    pub(crate) fn remove(&mut self, uid: &str) -> Option<Arc<PodInfo>> {
        let pod = self.pods.remove(uid)?;
        self.requested.subtract(&pod.requests);
        self.scored.subtract(&pod.scored);
        for port in &pod.host_ports {
            if let Some(at) = self.host_ports.iter().position(|held| held == port) {
                self.host_ports.swap_remove(at);
            }
        }
        Some(pod)
    }

    pub fn taints(&self) -> &[Taint] {
        self.node.as_ref().and_then(|node| node.spec.as_ref()?.taints.as_deref()).unwrap_or_default()
    }

    pub fn unschedulable(&self) -> bool {
        self.node.as_ref().is_some_and(|node| node.spec.as_ref().is_some_and(|spec| spec.unschedulable == Some(true)))
    }

    pub fn labels(&self) -> Option<&BTreeMap<String, String>> {
        self.node.as_ref()?.metadata.labels.as_ref()
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels()?.get(key).map(String::as_str)
    }
}

/// All nodes that exist, in a stable order, and what is counted over them. Built by [`Cluster`].
#[derive(Debug, Default)]
pub struct Snapshot {
    pub nodes: Vec<Arc<NodeInfo>>,
    pub namespaces: Namespaces,
    /// Namespace -> Service -> its selector.
    pub(crate) services: HashMap<String, BTreeMap<String, BTreeMap<String, String>>>,
    pub(crate) tally: Tally,
    pub(crate) volumes: Volumes,
    pub(crate) devices: Devices,
    /// Image name -> on how many nodes.
    pub(crate) images: HashMap<String, usize>,
    /// Name -> place in `nodes`.
    places: HashMap<String, usize>,
}

impl Snapshot {
    pub fn node(&self, name: &str) -> Option<&Arc<NodeInfo>> {
        self.places.get(name).map(|place| &self.nodes[*place])
    }

    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    fn count_images(&mut self, place: usize, by: isize) {
        for name in self.nodes[place].images.keys() {
            match self.images.get_mut(name) {
                Some(holders) => *holders = holders.saturating_add_signed(by),
                None => drop(self.images.insert(name.clone(), usize::from(by > 0))),
            }
        }
        if by < 0 {
            self.images.retain(|_, holders| *holders > 0);
        }
    }

    fn count_node(&mut self, place: usize, sign: i8) {
        self.tally.node(&self.nodes[place], &self.namespaces, sign);
    }

    fn count_pod(&mut self, place: usize, pod: &PodInfo, sign: i8) {
        self.tally.pod(&self.nodes[place], pod, &self.namespaces, sign);
    }
}

/// Owns the nodes and knows where each pod is.
#[derive(Debug, Default)]
pub struct Cluster {
    snapshot: Snapshot,
    /// Nodes that only pods speak of: not offered, but their pods are remembered for when the node comes.
    unknown: HashMap<String, Arc<NodeInfo>>,
    /// Pod uid -> node name, assumed pods included.
    homes: HashMap<String, String>,
    /// Pod uid -> the node where preemption makes room for it.
    nominations: HashMap<String, String>,
    orders: Orders,
}

impl Cluster {
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// What is known of volumes; orders do not depend on it: they are asked about them for each pod.
    pub fn volumes(&mut self) -> &mut Volumes {
        &mut self.snapshot.volumes
    }

    /// What is known of devices; as of volumes.
    pub fn devices(&mut self) -> &mut Devices {
        &mut self.snapshot.devices
    }

    /// Whether claims are still to be made for the pod: then it is not worth while to decide.
    pub(crate) fn awaits_claims(&self, pod: &PodInfo) -> bool {
        devices::awaits_claims(pod, &self.snapshot.devices)
    }

    /// Where the pod should go: from the order that pods like it have found, or by looking at nodes anew.
    pub fn decide(
        &mut self,
        pod: &Arc<PodInfo>,
        profile: &Profile,
        rotation: &mut Rotation,
        chance: &mut dyn FnMut(usize) -> usize,
    ) -> Decision {
        let places = self.learn(pod, profile);
        let case = Case { pod, snapshot: &self.snapshot, profile };
        let nominated = self.nominations.get(&pod.uid).map(String::as_str);
        let ranks = nominated.is_none();
        if ranks && let Some(decision) = self.orders.decide(pod, case, &places, chance) {
            return decision;
        }
        let decision = decide(case, nominated, rotation, chance);
        if ranks {
            self.orders.looked(pod, &places, &decision, self.snapshot.nodes.len());
        }
        decision
    }

    /// Begins to count what the pod asks about other pods.
    fn learn(&mut self, pod: &PodInfo, profile: &Profile) -> Places {
        let case = Case { pod, snapshot: &self.snapshot, profile };
        let places = Places::of(case);
        if !places.is_empty() {
            let mut counts = question::counts(pod);
            counts.extend(question::default_counts(case));
            let Snapshot { nodes, namespaces, tally, .. } = &mut self.snapshot;
            tally.learn(counts, nodes, namespaces);
        }
        places
    }

    /// Where the pod could be, for others to choose.
    pub fn survey(&mut self, pod: &PodInfo, profile: &Profile, rotation: &mut Rotation) -> Result<Survey, Refusal> {
        self.learn(pod, profile);
        survey(Case { pod, snapshot: &self.snapshot, profile }, rotation)
    }

    /// Whether the pod could be on the node now.
    pub(crate) fn fits(&self, pod: &PodInfo, profile: &Profile, node: &str) -> bool {
        let ask = Question::new(Case { pod, snapshot: &self.snapshot, profile });
        self.snapshot.node(node).is_some_and(|node| filter(&ask, node).is_ok())
    }

    /// The allocations that the pod's claims would get on the node; `None` where they cannot be had.
    pub fn allocations(&self, pod: &PodInfo, node: &str) -> Option<Vec<Arc<AllocationResult>>> {
        let writes = Wanted::new(pod, &self.snapshot.devices).prepare(self.snapshot.node(node)?)?;
        Some(writes.into_iter().filter_map(|write| write.allocation).collect())
    }

    /// From now on as if what the pod needs on the node were written; `false` where it cannot be had.
    pub fn promise(&mut self, pod: &PodInfo, node: &str) -> bool {
        self.prepare(pod, node).is_some()
    }

    /// What has to be written about volumes and devices before the pod can be bound to the node; it counts from now on.
    pub(crate) fn prepare(&mut self, pod: &PodInfo, node: &str) -> Option<Preparation> {
        if pod.claims.is_empty() && pod.device_claims.is_empty() {
            return Some(Preparation::default());
        }
        let info = self.snapshot.node(node)?;
        let mut preparation = Claims::new(pod, &self.snapshot.volumes).prepare(info)?;
        preparation.devices = Wanted::new(pod, &self.snapshot.devices).prepare(info)?;
        self.snapshot.volumes.promise(&preparation, node);
        self.snapshot.devices.promise(&preparation.devices);
        Some(preparation)
    }

    pub fn set_node(&mut self, node: Arc<Node>) {
        let name = node.metadata.name.clone().unwrap_or_default();
        let place = if let Some(place) = self.snapshot.place(&name) {
            let held = &mut self.snapshot.nodes[place];
            if held.node.as_ref().is_some_and(|before| says_the_same(before, &node)) {
                Arc::make_mut(held).node = Some(node);
                return;
            }
            self.snapshot.count_node(place, -1);
            self.snapshot.count_images(place, -1);
            place
        } else {
            let info = self.unknown.remove(&name).unwrap_or_else(|| Arc::new(NodeInfo::named(&name)));
            self.snapshot.places.insert(name, self.snapshot.nodes.len());
            self.snapshot.nodes.push(info);
            self.snapshot.nodes.len() - 1
        };
        Arc::make_mut(&mut self.snapshot.nodes[place]).set_node(node);
        self.snapshot.count_node(place, 1);
        self.snapshot.count_images(place, 1);
        self.orders.forget();
    }

    pub fn remove_node(&mut self, name: &str) {
        let Some(place) = self.snapshot.places.remove(name) else { return };
        self.snapshot.count_node(place, -1);
        self.snapshot.count_images(place, -1);
        self.orders.forget();
        let mut info = self.snapshot.nodes.swap_remove(place);
        if let Some(moved) = self.snapshot.nodes.get(place) {
            self.snapshot.places.insert(moved.name.clone(), place);
        }
        info.nominated.iter().for_each(|pod| drop(self.nominations.remove(&pod.uid)));
        if !info.pods.is_empty() {
            let held = Arc::make_mut(&mut info);
            held.node = None;
            held.nominated.clear();
            self.unknown.insert(name.to_owned(), info);
        }
    }

    pub fn set_namespace(&mut self, name: &str, labels: BTreeMap<String, String>) {
        if self.snapshot.namespaces.get(name) != Some(&labels) {
            self.snapshot.namespaces.insert(name.to_owned(), labels);
            self.namespaces_changed();
        }
    }

    pub fn remove_namespace(&mut self, name: &str) {
        if self.snapshot.namespaces.remove(name).is_some() {
            self.namespaces_changed();
        }
    }

    fn namespaces_changed(&mut self) {
        self.snapshot.tally.namespaces_changed();
        self.orders.crowds_changed();
    }

    /// A Service without a selector groups no pods.
    pub fn set_service(&mut self, ns: &str, name: &str, selector: Option<BTreeMap<String, String>>) {
        let selector = selector.filter(|selector| !selector.is_empty());
        if self.snapshot.services.get(ns).and_then(|services| services.get(name)) == selector.as_ref() {
            return;
        }
        self.orders.crowds_changed();
        match selector {
            Some(selector) => {
                self.snapshot.services.entry(ns.to_owned()).or_default().insert(name.to_owned(), selector);
            }
            None => {
                if let Some(services) = self.snapshot.services.get_mut(ns) {
                    services.remove(name);
                    if services.is_empty() {
                        self.snapshot.services.remove(ns);
                    }
                }
            }
        }
    }

    /// Room is being made for the pod on `node`, of which only pods may speak so far. Gives those who were promised room there
    /// and are less important: they have to look again.
    pub fn nominate(&mut self, pod: Arc<PodInfo>, node: &str) -> Vec<Arc<PodInfo>> {
        self.withdraw(&pod.uid);
        let info = Arc::make_mut(self.info(node));
        let (kept, lesser) = info.nominated.drain(..).partition(|other| other.priority >= pod.priority);
        info.nominated = kept;
        info.nominated.push(Arc::clone(&pod));
        let lesser: Vec<Arc<PodInfo>> = lesser;
        lesser.iter().for_each(|other| drop(self.nominations.remove(&other.uid)));
        self.nominations.insert(pod.uid.clone(), node.to_owned());
        self.promises_changed(node);
        lesser
    }

    /// The pod waits for no room any more. Gives it if it was promised some, which others may have now.
    pub fn withdraw(&mut self, uid: &str) -> Option<Arc<PodInfo>> {
        let node = self.nominations.remove(uid)?;
        let promised = &mut Arc::make_mut(self.info(&node)).nominated;
        let at = promised.iter().position(|pod| pod.uid == uid)?;
        let pod = promised.swap_remove(at);
        self.promises_changed(&node);
        self.forget_unknown(&node);
        Some(pod)
    }

    fn promises_changed(&mut self, node: &str) {
        if let Some(place) = self.snapshot.places.get(node).copied() {
            self.orders.touched(place);
        }
    }

    /// Where no pod speaks of a node any more that does not exist, it is not remembered.
    fn forget_unknown(&mut self, node: &str) {
        if self.unknown.get(node).is_some_and(|info| info.pods.is_empty() && info.nominated.is_empty()) {
            self.unknown.remove(node);
        }
    }

    pub fn nomination(&self, uid: &str) -> Option<&str> {
        self.nominations.get(uid).map(String::as_str)
    }

    /// The pod is on `node`: bound, or assumed to be while its binding is under way.
    pub fn place(&mut self, pod: Arc<PodInfo>, node: &str) {
        self.withdraw(&pod.uid);
        if self.homes.get(&pod.uid).is_some_and(|home| home == node) {
            let held = Arc::make_mut(self.info(node)).pods.get_mut(&pod.uid);
            if let Some(held) = held.filter(|held| held.weighs_as(&pod)) {
                *held = pod;
                return;
            }
        }
        self.remove_pod(&pod.uid);
        self.homes.insert(pod.uid.clone(), node.to_owned());
        Arc::make_mut(self.info(node)).add(Arc::clone(&pod));
        self.snapshot.volumes.used(&pod, node);
        if let Some(place) = self.snapshot.places.get(node).copied() {
            self.snapshot.count_pod(place, &pod, 1);
            self.orders.touched(place);
        }
    }

    /// The pod is gone, over, or its binding failed. Gives it as it was.
    pub fn remove_pod(&mut self, uid: &str) -> Option<Arc<PodInfo>> {
        let node = self.homes.remove(uid)?;
        let pod = Arc::make_mut(self.info(&node)).remove(uid)?;
        self.snapshot.volumes.unused(&pod);
        if let Some(place) = self.snapshot.places.get(&node).copied() {
            self.snapshot.count_pod(place, &pod, -1);
            self.orders.touched(place);
        }
        self.forget_unknown(&node);
        Some(pod)
    }

    pub fn home(&self, uid: &str) -> Option<&str> {
        self.homes.get(uid).map(String::as_str)
    }

    fn info(&mut self, name: &str) -> &mut Arc<NodeInfo> {
        match self.snapshot.places.get(name) {
            Some(place) => &mut self.snapshot.nodes[*place],
            None => self.unknown.entry(name.to_owned()).or_insert_with(|| Arc::new(NodeInfo::named(name))),
        }
    }
}

/// Whether a node changed in nothing that a decision looks at: most changes are heartbeats.
fn says_the_same(before: &Node, after: &Node) -> bool {
    let taints = |node: &Node| node.spec.as_ref().map(|spec| (spec.taints.clone(), spec.unschedulable));
    let (old, new) = (before.status.as_ref(), after.status.as_ref());
    before.metadata.labels == after.metadata.labels
        && taints(before) == taints(after)
        && old.map(|status| &status.allocatable) == new.map(|status| &status.allocatable)
        && old.map(|status| &status.images) == new.map(|status| &status.images)
}
