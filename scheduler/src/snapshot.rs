//! The cluster as the scheduler sees it. Nodes are `Arc`s that change by copy-on-write, so that an update costs what
//! changed, and a decision looks at a state that nobody changes under it.

use crate::pod_info::{HostPort, PodInfo};
use crate::resources::Resources;
use crate::terms::Namespaces;
use k8s_openapi::api::core::v1::{Node, Taint};
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
    /// Of the pods, those that have affinity terms.
    pub affine: Vec<Arc<PodInfo>>,
    /// Pods that preemption makes room for here: they count against pods that are no more important.
    pub nominated: Vec<Arc<PodInfo>>,
    pub host_ports: Vec<HostPort>,
    /// Image name -> bytes.
    pub images: BTreeMap<String, i64>,
}

impl NodeInfo {
    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    fn set_node(&mut self, node: Arc<Node>) {
        let status = node.status.as_ref();
        let allocatable = status.and_then(|status| status.allocatable.as_ref());
        self.allocatable = Resources::of(allocatable);
        self.pods_max = allocatable
            .and_then(|list| Quantity::parse(&list.get("pods")?.0).ok())
            .map_or(0, |pods| usize::try_from(pods.value()).unwrap_or(0));
        self.images = status
            .and_then(|status| status.images.as_ref())
            .into_iter()
            .flatten()
            .flat_map(|image| image.names.iter().flatten().map(|name| (name.clone(), image.size_bytes.unwrap_or(0))))
            .collect();
        self.node = Some(node);
    }

    pub(crate) fn add(&mut self, pod: Arc<PodInfo>) {
        self.remove(&pod.uid);
        if !pod.terms.is_empty() {
            self.affine.push(Arc::clone(&pod));
        }
        self.requested.add(&pod.requests);
        self.scored.add(&pod.scored);
        self.host_ports.extend(pod.host_ports.iter().cloned());
        self.pods.insert(pod.uid.clone(), pod);
    }

    pub(crate) fn remove(&mut self, uid: &str) {
        let Some(pod) = self.pods.remove(uid) else { return };
        self.affine.retain(|affine| affine.uid != uid);
        self.requested.subtract(&pod.requests);
        self.scored.subtract(&pod.scored);
        for port in &pod.host_ports {
            if let Some(at) = self.host_ports.iter().position(|held| held == port) {
                self.host_ports.swap_remove(at);
            }
        }
    }

    pub fn taints(&self) -> &[Taint] {
        self.node.as_ref().and_then(|node| node.spec.as_ref()?.taints.as_deref()).unwrap_or_default()
    }

    pub fn unschedulable(&self) -> bool {
        self.node.as_ref().is_some_and(|node| node.spec.as_ref().is_some_and(|spec| spec.unschedulable == Some(true)))
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.node.as_ref()?.metadata.labels.as_ref()?.get(key).map(String::as_str)
    }
}

/// All nodes that exist, in a stable order. Built by [`Cluster`].
#[derive(Debug, Default)]
pub struct Snapshot {
    pub nodes: Vec<Arc<NodeInfo>>,
    pub namespaces: Namespaces,
}

impl Snapshot {
    pub fn node(&self, name: &str) -> Option<&Arc<NodeInfo>> {
        self.nodes.iter().find(|node| node.name == name)
    }
}

/// Owns the nodes and knows where each pod is.
#[derive(Debug, Default)]
pub struct Cluster {
    snapshot: Snapshot,
    /// Name -> place in the snapshot.
    places: HashMap<String, usize>,
    /// Nodes that only pods speak of: not offered, but their pods are remembered for when the node comes.
    unknown: HashMap<String, Arc<NodeInfo>>,
    /// Pod uid -> node name, assumed pods included.
    homes: HashMap<String, String>,
    /// Pod uid -> the node where preemption makes room for it.
    nominations: HashMap<String, String>,
}

impl Cluster {
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub fn set_node(&mut self, node: Arc<Node>) {
        let name = node.metadata.name.clone().unwrap_or_default();
        if !self.places.contains_key(&name) {
            let info = self.unknown.remove(&name).unwrap_or_else(|| Arc::new(NodeInfo::named(&name)));
            self.places.insert(name.clone(), self.snapshot.nodes.len());
            self.snapshot.nodes.push(info);
        }
        Arc::make_mut(self.info(&name)).set_node(node);
    }

    pub fn remove_node(&mut self, name: &str) {
        let Some(place) = self.places.remove(name) else { return };
        let mut info = self.snapshot.nodes.swap_remove(place);
        if let Some(moved) = self.snapshot.nodes.get(place) {
            self.places.insert(moved.name.clone(), place);
        }
        info.nominated.iter().for_each(|pod| drop(self.nominations.remove(&pod.uid)));
        if !info.pods.is_empty() {
            let info = Arc::make_mut(&mut info);
            info.node = None;
            info.nominated.clear();
        }
        if !info.pods.is_empty() {
            self.unknown.insert(name.to_owned(), info);
        }
    }

    pub fn set_namespace(&mut self, name: &str, labels: BTreeMap<String, String>) {
        self.snapshot.namespaces.insert(name.to_owned(), labels);
    }

    pub fn remove_namespace(&mut self, name: &str) {
        self.snapshot.namespaces.remove(name);
    }

    /// Room is being made for the pod on `node`. Whoever was promised room there and is less important has to look again.
    pub fn nominate(&mut self, pod: Arc<PodInfo>, node: &str) {
        self.withdraw(&pod.uid);
        if !self.places.contains_key(node) {
            return;
        }
        let info = Arc::make_mut(self.info(node));
        let lesser: Vec<String> = info
            .nominated
            .iter()
            .filter(|other| other.priority < pod.priority)
            .map(|other| other.uid.clone())
            .collect();
        info.nominated.retain(|other| other.priority >= pod.priority);
        info.nominated.push(Arc::clone(&pod));
        lesser.iter().for_each(|uid| drop(self.nominations.remove(uid)));
        self.nominations.insert(pod.uid.clone(), node.to_owned());
    }

    /// The pod waits for no room any more.
    pub fn withdraw(&mut self, uid: &str) {
        let Some(node) = self.nominations.remove(uid) else { return };
        if self.places.contains_key(&node) {
            Arc::make_mut(self.info(&node)).nominated.retain(|pod| pod.uid != uid);
        }
    }

    pub fn nomination(&self, uid: &str) -> Option<&str> {
        self.nominations.get(uid).map(String::as_str)
    }

    /// The pod is on `node`: bound, or assumed to be while its binding is under way.
    pub fn place(&mut self, pod: Arc<PodInfo>, node: &str) {
        self.withdraw(&pod.uid);
        self.remove_pod(&pod.uid);
        self.homes.insert(pod.uid.clone(), node.to_owned());
        Arc::make_mut(self.info(node)).add(pod);
    }

    /// The pod is gone, over, or its binding failed. Says where it was.
    pub fn remove_pod(&mut self, uid: &str) -> Option<String> {
        let node = self.homes.remove(uid)?;
        Arc::make_mut(self.info(&node)).remove(uid);
        if self.unknown.get(&node).is_some_and(|info| info.pods.is_empty()) {
            self.unknown.remove(&node);
        }
        Some(node)
    }

    pub fn home(&self, uid: &str) -> Option<&str> {
        self.homes.get(uid).map(String::as_str)
    }

    fn info(&mut self, name: &str) -> &mut Arc<NodeInfo> {
        match self.places.get(name) {
            Some(place) => &mut self.snapshot.nodes[*place],
            None => self.unknown.entry(name.to_owned()).or_insert_with(|| Arc::new(NodeInfo::named(name))),
        }
    }
}
