//! Fits desired endpoints into the slices there are: what is in a slice stays in it, free places are filled, and only
//! then slices are added or removed.

use super::desired::Group;
use super::{MANAGED_BY, MANAGER, SERVICE_NAME};
use crate::service_pods::{HEADLESS, is_headless};
use crate::write;
use client::action::Action;
use client::cache::Tracked as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// k8s: max-endpoints-per-slice
const ENDPOINTS_MAX: usize = 100;

pub(super) fn fit(service: &Service, groups: Vec<Group>, slices: &[Arc<EndpointSlice>], now: Timestamp) -> Vec<Action> {
    let labels = labels(service);
    let mut unused: Vec<&Arc<EndpointSlice>> = slices.iter().filter(|slice| !slice.deleting()).collect();
    let (mut creates, mut updates) = (Vec::new(), Vec::new());
    for group in groups {
        let (mine, others): (Vec<_>, Vec<_>) = unused.into_iter().partition(|slice| fits(slice, &group));
        unused = others;
        let mut filled = keep_places(&mine, group.endpoints);
        let spare = filled.rest.len();
        fill_free_places(&mut filled);
        // k8s: an emptied slice is deleted, but for one where nothing at all is left
        let all_empty = filled.slices.iter().all(|(_, endpoints)| endpoints.is_empty());
        for (at, (slice, endpoints)) in filled.slices.into_iter().enumerate() {
            if endpoints.is_empty() && !(all_empty && spare == 0 && at == 0) {
                unused.push(slice);
            } else if let Some(changed) = changed(slice, endpoints, &labels) {
                updates.push(write::update(&changed, ""));
            }
        }
        let mut new: Vec<Vec<Endpoint>> = Vec::new();
        let mut rest = filled.rest;
        while !rest.is_empty() {
            new.push(rest.drain(..rest.len().min(ENDPOINTS_MAX)).collect());
        }
        if mine.is_empty() && spare == 0 {
            new.push(Vec::new()); // shows that there is a Service, and that it has nothing behind it
        }
        for endpoints in new {
            let ordinal = creates.len();
            let slice = new_slice(service, (&group.family, &group.ports), endpoints, &labels, (now, ordinal));
            creates.push(write::create(&slice));
        }
    }
    let deletes = unused.into_iter().map(|slice| write::delete(slice.as_ref()));
    creates.into_iter().chain(updates).chain(deletes).collect()
}

/// Whether a slice can hold endpoints of this group: family and ports of a slice never change. An empty slice without
/// ports is a placeholder, which any group of its family would replace.
fn fits(slice: &EndpointSlice, group: &Group) -> bool {
    slice.address_type == group.family && slice.ports.as_deref().unwrap_or_default() == group.ports.as_slice()
}

struct Filled<'a> {
    slices: Vec<(&'a Arc<EndpointSlice>, Vec<Endpoint>)>,
    /// Endpoints without a place.
    rest: VecDeque<Endpoint>,
}

/// Endpoints that are in a slice stay there, with what changed about them.
fn keep_places<'a>(slices: &[&'a Arc<EndpointSlice>], endpoints: Vec<Endpoint>) -> Filled<'a> {
    let mut wanted: BTreeMap<(String, String), Endpoint> = BTreeMap::new();
    let mut order = Vec::new();
    for endpoint in endpoints {
        order.push(identity(&endpoint));
        wanted.insert(identity(&endpoint), endpoint);
    }
    let mut kept = Vec::new();
    for slice in slices {
        let held = slice.endpoints.iter().flatten();
        kept.push((*slice, held.filter_map(|endpoint| wanted.remove(&identity(endpoint))).collect()));
    }
    Filled { slices: kept, rest: order.iter().filter_map(|identity| wanted.remove(identity)).collect() }
}

/// Address and pod: a pod that took over an address is another endpoint.
fn identity(endpoint: &Endpoint) -> (String, String) {
    let uid = endpoint.target_ref.as_ref().and_then(|target| target.uid.clone()).unwrap_or_default();
    (endpoint.addresses.first().cloned().unwrap_or_default(), uid)
}

/// Slices that change anyway are filled first, then the fullest of the others that take all of the rest.
fn fill_free_places(filled: &mut Filled<'_>) {
    let changes = |(slice, endpoints): &(&Arc<EndpointSlice>, Vec<Endpoint>)| {
        slice.endpoints.as_deref().unwrap_or_default() != endpoints.as_slice()
    };
    for slot in &mut filled.slices {
        if changes(slot) {
            let free = ENDPOINTS_MAX.saturating_sub(slot.1.len()).min(filled.rest.len());
            slot.1.extend(filled.rest.drain(..free));
        }
    }
    let rest = filled.rest.len() % ENDPOINTS_MAX;
    let roomy = filled.slices.iter_mut().filter(|slot| slot.1.len() + rest <= ENDPOINTS_MAX);
    if rest > 0
        && let Some(slot) = roomy.max_by_key(|slot| slot.1.len())
    {
        let from = filled.rest.len() - rest;
        slot.1.extend(filled.rest.drain(from..));
    }
}

/// The slice with these endpoints and labels, if it is not so already.
fn changed(
    slice: &EndpointSlice,
    endpoints: Vec<Endpoint>,
    labels: &BTreeMap<String, String>,
) -> Option<EndpointSlice> {
    let same = slice.endpoints.as_deref().unwrap_or_default() == endpoints.as_slice()
        && slice.metadata.labels.as_ref() == Some(labels);
    (!same).then(|| {
        let mut changed = slice.clone();
        changed.endpoints = Some(endpoints);
        changed.metadata.labels = Some(labels.clone());
        changed
    })
}

/// k8s: the Service's labels, without those that mean something of their own
fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.remove(HEADLESS);
    labels.insert(SERVICE_NAME.to_owned(), service.name().to_owned());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    if is_headless(service) {
        labels.insert(HEADLESS.to_owned(), String::new());
    }
    labels
}

fn new_slice(
    service: &Service,
    (family, ports): (&str, &[EndpointPort]),
    endpoints: Vec<Endpoint>,
    labels: &BTreeMap<String, String>,
    (now, ordinal): (Timestamp, usize),
) -> EndpointSlice {
    let prefix = format!("{}-", service.name());
    let seed = [service.uid().as_bytes(), &now.as_nanosecond().to_le_bytes(), &ordinal.to_le_bytes()];
    EndpointSlice {
        metadata: ObjectMeta {
            name: Some(format!("{prefix}{}", write::suffix(&seed))),
            generate_name: Some(prefix),
            namespace: service.metadata.namespace.clone(),
            labels: Some(labels.clone()),
            owner_references: Some(vec![write::controller_reference(service)]),
            ..ObjectMeta::default()
        },
        address_type: family.to_owned(),
        endpoints: Some(endpoints),
        ports: Some(ports.to_vec()),
    }
}
