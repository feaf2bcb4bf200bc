//! The devices of a pool: those of its newest generation, once all slices of that are there.

use k8s_openapi::api::core::v1::NodeSelector;
use k8s_openapi::api::resource::v1::{Device, DeviceTaint, DeviceTaintRule, ResourceSlice};
use kinds::device::{is_ruled, repels};
use kinds::placement::{self, NodeFacts};
use kinds::quantity::Quantity;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// `driver/pool/device`. A pool's name may have slashes in it, a driver's and a device's have none.
pub(super) fn id(driver: &str, pool: &str, device: &str) -> String {
    format!("{driver}/{pool}/{device}")
}

/// Which nodes reach something.
#[derive(Clone, Copy, Debug)]
pub(super) enum Where<'a> {
    Node(&'a str),
    Everywhere,
    Selected(&'a NodeSelector),
    /// k8s: said in a way that this version does not know
    Nowhere,
}

impl<'a> Where<'a> {
    fn new(node: Option<&'a String>, all: Option<bool>, selector: Option<&'a NodeSelector>) -> Self {
        match (node.filter(|name| !name.is_empty()), all, selector) {
            (Some(name), ..) => Self::Node(name),
            (None, Some(true), _) => Self::Everywhere,
            (None, _, Some(selector)) => Self::Selected(selector),
            (None, _, None) => Self::Nowhere,
        }
    }

    pub(super) fn reaches(self, node: NodeFacts<'_>) -> bool {
        match self {
            Self::Node(name) => name == node.name,
            Self::Everywhere => true,
            Self::Selected(selector) => placement::selects(selector, node),
            Self::Nowhere => false,
        }
    }
}

#[derive(Debug)]
pub(super) struct PoolDevice {
    pub(super) id: String,
    slice: Arc<ResourceSlice>,
    place: usize,
    /// Its own, and those that rules give it.
    pub(super) taints: Vec<DeviceTaint>,
}

impl PoolDevice {
    pub(super) fn device(&self) -> &Device {
        &self.slice.spec.devices.as_deref().unwrap_or_default()[self.place]
    }

    pub(super) fn driver(&self) -> &str {
        &self.slice.spec.driver
    }

    pub(super) fn pool(&self) -> &str {
        &self.slice.spec.pool.name
    }

    pub(super) fn place(&self) -> Where<'_> {
        let spec = &self.slice.spec;
        if spec.per_device_node_selection == Some(true) {
            let device = self.device();
            Where::new(device.node_name.as_ref(), device.all_nodes, device.node_selector.as_ref())
        } else {
            Where::new(spec.node_name.as_ref(), spec.all_nodes, spec.node_selector.as_ref())
        }
    }

    /// What it uses up: (counter set, counter) -> how much.
    pub(super) fn consumes(&self) -> impl Iterator<Item = ((&str, &str), Quantity)> {
        self.device().consumes_counters.iter().flatten().flat_map(|of| {
            let counters = of.counters.iter();
            counters.map(|(name, counter)| ((of.counter_set.as_str(), name.as_str()), amount(&counter.value.0)))
        })
    }
}

/// What cannot be read was refused when it was written.
fn amount(text: &str) -> Quantity {
    Quantity::parse(text).unwrap_or_default()
}

#[derive(Debug)]
pub(super) struct Pool {
    pub(super) name: String,
    pub(super) devices: Vec<PoolDevice>,
    /// Why nothing of it can be had.
    pub(super) trouble: Option<String>,
    /// (counter set, counter) -> how much there is.
    counters: BTreeMap<(String, String), Quantity>,
}

impl Pool {
    /// `None` where there are no slices.
    pub(super) fn new<'r>(
        mut slices: Vec<Arc<ResourceSlice>>,
        rules: impl Iterator<Item = &'r Arc<DeviceTaintRule>> + Clone,
    ) -> Option<Self> {
        let newest = slices.iter().map(|slice| slice.spec.pool.generation).max()?;
        slices.retain(|slice| slice.spec.pool.generation == newest);
        slices.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        let spec = &slices.first()?.spec;
        let name = format!("{}/{}", spec.driver, spec.pool.name);
        let expected = spec.pool.resource_slice_count;
        let is_complete = usize::try_from(expected).is_ok_and(|expected| expected == slices.len());
        let mut devices = Vec::new();
        let mut counters = BTreeMap::new();
        for slice in &slices {
            for set in slice.spec.shared_counters.iter().flatten() {
                let named = set.counters.iter();
                counters
                    .extend(named.map(|(counter, held)| ((set.name.clone(), counter.clone()), amount(&held.value.0))));
            }
            for (place, device) in slice.spec.devices.iter().flatten().enumerate() {
                let id = id(&slice.spec.driver, &slice.spec.pool.name, &device.name);
                let taints = taints(slice, device, rules.clone());
                devices.push(PoolDevice { id, slice: Arc::clone(slice), place, taints });
            }
        }
        let mut seen = HashSet::new();
        let twice = devices.iter().find(|device| !seen.insert(&device.id)).map(|device| device.device().name.clone());
        let trouble = match twice {
            _ if !is_complete => Some("is currently being updated".to_owned()),
            Some(device) => Some(format!("is currently invalid: duplicate device name {device}")),
            None => None,
        };
        Some(Self { name, devices, trouble, counters })
    }

    /// Nodes that have devices of their own in it.
    pub(super) fn nodes(&self) -> BTreeSet<&str> {
        let named = self.devices.iter().filter_map(|device| match device.place() {
            Where::Node(name) => Some(name),
            Where::Everywhere | Where::Selected(_) | Where::Nowhere => None,
        });
        named.collect()
    }

    pub(super) fn is_wide(&self) -> bool {
        self.devices.iter().any(|device| matches!(device.place(), Where::Everywhere | Where::Selected(_)))
    }

    /// What is left of a counter; `None` where there is no such counter.
    pub(super) fn left(&self, counter: (&str, &str), is_used: impl Fn(&PoolDevice) -> bool) -> Option<Quantity> {
        let total = *self.counters.get(&(counter.0.to_owned(), counter.1.to_owned()))?;
        let used = self.devices.iter().filter(|device| is_used(device)).flat_map(PoolDevice::consumes);
        let used: Quantity = used.filter(|(named, _)| *named == counter).map(|(_, amount)| amount).sum();
        Some(total - used)
    }
}

fn taints<'r>(
    slice: &ResourceSlice,
    device: &Device,
    rules: impl Iterator<Item = &'r Arc<DeviceTaintRule>>,
) -> Vec<DeviceTaint> {
    let ruled = rules.filter(|rule| is_ruled(rule, &slice.spec.driver, &slice.spec.pool.name, &device.name));
    let own = device.taints.iter().flatten().cloned();
    own.chain(ruled.map(|rule| rule.spec.taint.clone())).filter(repels).collect()
}
