//! Finds devices for claims on one node: one choice of each request, one device after the other, going back where that leads
//! nowhere. The first solution is taken.
//! k8s: `dynamic-resource-allocation/structured`

use super::pool::{Pool, PoolDevice, Where};
use super::request::{Amount, Choice, Request};
use super::{Class, Devices, Held, key_of};
use crate::snapshot::NodeInfo;
use k8s_openapi::api::core::v1::{NodeSelector, NodeSelectorRequirement, NodeSelectorTerm};
use k8s_openapi::api::resource::v1::{
    AllocationResult, DeviceAllocationConfiguration, DeviceAllocationResult, DeviceClaim, DeviceConstraint,
    DeviceRequestAllocationResult,
};
use kinds::device::{self, RESULTS_MAX, Selector};
use kinds::placement::NodeFacts;
use kinds::quantity::Quantity;
use std::collections::HashMap;

/// Devices that are tried out on one node for one pod: claims whose devices constrain each other could ask for more than a
/// scheduler has time for.
const STEPS_MAX: usize = 20_000;

const NONE_LEFT: &str = "cannot allocate all claims";

/// One allocation for each of the claims, or why the node has none.
pub(super) fn allocate(claims: &[&Held], devices: &Devices, node: &NodeInfo) -> Result<Vec<AllocationResult>, String> {
    let facts = NodeFacts { name: &node.name, labels: node.labels() };
    let pools: Vec<&Pool> = devices.pools_of(&node.name).collect();
    let all = pools.iter().flat_map(|pool| pool.devices.iter().map(move |device| (*pool, device)));
    let near: Vec<(&Pool, &PoolDevice)> = all.filter(|(_, device)| device.place().reaches(facts)).collect();
    let mut search = Search::new(claims, devices, near);
    if search.serve(0)? {
        return Ok((0..claims.len()).map(|claim| search.result(claim)).collect());
    }
    // k8s: what is wrong with a pool is said only where it may be the reason
    let trouble = search.near.iter().find_map(|(pool, _)| pool.trouble.as_ref().map(|why| (&pool.name, why)));
    Err(trouble.map_or_else(|| NONE_LEFT.to_owned(), |(name, why)| format!("{NONE_LEFT}: resource pool {name} {why}")))
}

/// A device of a request.
#[derive(Clone, Copy, Debug)]
struct Taken {
    /// Which of the devices near.
    device: usize,
    request: usize,
    choice: usize,
}

struct Search<'a> {
    claims: &'a [&'a Held],
    devices: &'a Devices,
    near: Vec<(&'a Pool, &'a PoolDevice)>,
    /// All requests: (claim, request).
    slots: Vec<(usize, usize)>,
    /// By claim.
    taken: Vec<Vec<Taken>>,
    /// (claim, request, choice) -> for each device near, whether it is what is asked for.
    picked: HashMap<(usize, usize, usize), Vec<Option<bool>>>,
    steps: usize,
}

impl<'a> Search<'a> {
    fn new(claims: &'a [&'a Held], devices: &'a Devices, near: Vec<(&'a Pool, &'a PoolDevice)>) -> Self {
        let slots =
            claims.iter().enumerate().flat_map(|(claim, held)| (0..held.requests.len()).map(move |r| (claim, r)));
        let slots = slots.collect();
        let taken = vec![Vec::new(); claims.len()];
        Self { claims, devices, near, slots, taken, picked: HashMap::new(), steps: 0 }
    }

    fn request(&self, claim: usize, request: usize) -> &'a Request {
        &self.claims[claim].requests[request]
    }

    /// Serves this request and all that follow.
    fn serve(&mut self, slot: usize) -> Result<bool, String> {
        let Some((claim, request)) = self.slots.get(slot).copied() else { return Ok(true) };
        for (at, choice) in self.request(claim, request).choices.iter().enumerate() {
            let aim = Aim { slot, claim, request, choice: at };
            let is_done = match choice.amount {
                Amount::Exactly(count) if self.taken[claim].len() + count > RESULTS_MAX => false,
                Amount::Exactly(count) => self.some(aim, count, 0)?,
                Amount::All => self.all(aim)?,
            };
            if is_done {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes so many devices, of those from `first` on: in which order does not matter.
    fn some(&mut self, aim: Aim, count: usize, first: usize) -> Result<bool, String> {
        if count == 0 {
            return self.serve(aim.slot + 1);
        }
        for device in first..self.near.len() {
            if self.near[device].0.trouble.is_some() || !self.picks(aim, device)? || !self.is_free(aim, device) {
                continue;
            }
            self.step()?;
            self.take(aim, device);
            if self.some(aim, count - 1, device + 1)? {
                return Ok(true);
            }
            self.give_back(aim);
        }
        Ok(false)
    }

    /// Takes all that the choice picks; if one of them cannot be had, there is no solution.
    fn all(&mut self, aim: Aim) -> Result<bool, String> {
        let name = &self.request(aim.claim, aim.request).choices[aim.choice].name;
        if let Some((pool, why)) = self.near.iter().find_map(|(pool, _)| Some((&pool.name, pool.trouble.as_ref()?))) {
            return Err(format!(
                "{}: asks for all devices, but resource pool {pool} {why}",
                self.place(aim.claim, name)
            ));
        }
        let before = self.taken[aim.claim].len();
        let mut fits = true;
        for device in 0..self.near.len() {
            if !self.picks(aim, device)? {
                continue;
            }
            fits = self.taken[aim.claim].len() < RESULTS_MAX && self.is_free(aim, device);
            if !fits {
                break;
            }
            self.take(aim, device);
        }
        // k8s: at least one
        let is_done = fits && self.taken[aim.claim].len() > before && self.serve(aim.slot + 1)?;
        if !is_done {
            self.taken[aim.claim].truncate(before);
        }
        Ok(is_done)
    }

    fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(format!("{NONE_LEFT}: no solution among the first {STEPS_MAX} ways to combine devices"));
        }
        Ok(())
    }

    fn take(&mut self, aim: Aim, device: usize) {
        let Aim { request, choice, .. } = aim;
        self.taken[aim.claim].push(Taken { device, request, choice });
    }

    fn give_back(&mut self, aim: Aim) {
        self.taken[aim.claim].pop();
    }

    fn place(&self, claim: usize, request: &str) -> String {
        format!("claim {}, request {request}", key_of(&self.claims[claim].claim))
    }

    /// Whether the device is what the choice asks for, whoever has it.
    fn picks(&mut self, aim: Aim, device: usize) -> Result<bool, String> {
        let key = (aim.claim, aim.request, aim.choice);
        let count = self.near.len();
        if let Some(known) = self.picked.entry(key).or_insert_with(|| vec![None; count])[device] {
            return Ok(known);
        }
        let picked = self.asks_for(aim, device)?;
        if let Some(known) = self.picked.get_mut(&key) {
            known[device] = Some(picked);
        }
        Ok(picked)
    }

    fn asks_for(&self, aim: Aim, device: usize) -> Result<bool, String> {
        let choice = &self.request(aim.claim, aim.request).choices[aim.choice];
        let found = self.near[device].1;
        // Somebody has to wait for the conditions, and nobody does.
        if found.device().binding_conditions.as_ref().is_some_and(|conditions| !conditions.is_empty()) {
            return Ok(false);
        }
        let class = self.devices.classes.get(&choice.class);
        let Some(Class { selectors, .. }) = class else { return Ok(false) };
        let of_class = || format!("class {}", choice.class);
        let of_claim = || format!("claim {}", key_of(&self.claims[aim.claim].claim));
        Ok(pick(selectors, found, of_class)? && pick(&choice.selectors, found, of_claim)? && has_room(choice, found))
    }

    /// Whether the device can be had beside what has been taken.
    fn is_free(&self, aim: Aim, device: usize) -> bool {
        let choice = &self.request(aim.claim, aim.request).choices[aim.choice];
        let (pool, found) = self.near[device];
        let by = |claim: usize| self.taken[claim].iter().any(|taken| taken.device == device);
        let is_in_use = if choice.is_admin {
            by(aim.claim)
        } else {
            self.devices.is_taken(&found.id) || (0..self.claims.len()).any(by)
        };
        let is_tolerated = |taint: &_| choice.tolerations.iter().any(|toleration| device::tolerates(toleration, taint));
        !is_in_use
            && found.taints.iter().all(is_tolerated)
            && (choice.is_admin || self.counters_allow(pool, found))
            && self.constraints_allow(aim, found)
    }

    /// Whether the pool's counters allow the device beside what has been taken.
    fn counters_allow(&self, pool: &Pool, found: &PoolDevice) -> bool {
        let is_taken = |device: &PoolDevice| {
            let now = || self.taken.iter().flatten().any(|taken| self.near[taken.device].1.id == device.id);
            self.devices.is_taken(&device.id) || now()
        };
        found
            .consumes()
            .all(|(counter, amount)| pool.left(counter, is_taken).is_some_and(|left: Quantity| left >= amount))
    }

    fn spec(&self, claim: usize) -> Option<&'a DeviceClaim> {
        self.claims[claim].claim.spec.as_ref()?.devices.as_ref()
    }

    fn constraints_allow(&self, aim: Aim, found: &PoolDevice) -> bool {
        let constraints = self.spec(aim.claim).into_iter().flat_map(|devices| devices.constraints.iter().flatten());
        let taken = || self.taken[aim.claim].iter();
        constraints.filter(|constraint| self.concerns(constraint, aim.claim, aim.request, aim.choice)).all(
            |constraint| {
                let (name, is_same) = match (&constraint.match_attribute, &constraint.distinct_attribute) {
                    (Some(name), _) => (name, true),
                    (None, Some(name)) => (name, false),
                    (None, None) => return false,
                };
                let value = |found: &'a PoolDevice| device::attribute(found.device(), found.driver(), name);
                let Some(mine) = device::attribute(found.device(), found.driver(), name) else { return false };
                let others = taken().filter(|taken| self.concerns(constraint, aim.claim, taken.request, taken.choice));
                // Values that are not of one of these four kinds do not compare.
                let compares =
                    mine.string.is_some() || mine.int.is_some() || mine.bool.is_some() || mine.version.is_some();
                compares && others.into_iter().all(|other| (value(self.near[other.device].1) == Some(mine)) == is_same)
            },
        )
    }

    /// k8s: a constraint that names no request is about all of them
    fn concerns(&self, constraint: &DeviceConstraint, claim: usize, request: usize, choice: usize) -> bool {
        let request = self.request(claim, request);
        let names = constraint.requests.as_deref().unwrap_or_default();
        names.is_empty() || names.contains(&request.name) || names.contains(&request.choices[choice].name)
    }

    /// The allocation of a claim, all of whose requests are served.
    fn result(&self, claim: usize) -> AllocationResult {
        let results = self.taken[claim].iter().map(|taken| {
            let found = self.near[taken.device].1;
            let choice = &self.request(claim, taken.request).choices[taken.choice];
            DeviceRequestAllocationResult {
                request: choice.name.clone(),
                driver: found.driver().to_owned(),
                pool: found.pool().to_owned(),
                device: found.device().name.clone(),
                admin_access: choice.is_admin.then_some(true),
                tolerations: Some(choice.tolerations.clone()).filter(|tolerations| !tolerations.is_empty()),
                ..DeviceRequestAllocationResult::default()
            }
        });
        let results: Vec<_> = results.collect();
        let config = self.configuration(claim);
        AllocationResult {
            allocation_timestamp: None,
            devices: Some(DeviceAllocationResult {
                config: Some(config).filter(|config| !config.is_empty()),
                results: Some(results).filter(|results| !results.is_empty()),
            }),
            node_selector: self.nodes(claim),
        }
    }

    /// What drivers are told: by the classes first, each once, then by the claim.
    fn configuration(&self, claim: usize) -> Vec<DeviceAllocationConfiguration> {
        let mut classes: Vec<(&Class, Vec<String>)> = Vec::new();
        let chosen: Vec<(&Request, &Choice)> = self.chosen(claim);
        for (_, choice) in &chosen {
            let Some(class) = self.devices.classes.get(&choice.class) else { continue };
            match classes.iter_mut().find(|(known, _)| std::ptr::eq(*known, class)) {
                Some((_, requests)) => requests.push(choice.name.clone()),
                None => classes.push((class, vec![choice.name.clone()])),
            }
        }
        // k8s: what is for all requests names none
        let named = |requests: Vec<String>| Some(requests).filter(|requests| requests.len() != chosen.len());
        let mut all = Vec::new();
        for (Class { class, .. }, requests) in classes {
            let configs = class.spec.iter().flat_map(|spec| spec.config.iter().flatten());
            all.extend(configs.map(|config| DeviceAllocationConfiguration {
                source: "FromClass".to_owned(),
                requests: named(requests.clone()),
                opaque: config.opaque.clone(),
            }));
        }
        let configs = self.spec(claim).into_iter().flat_map(|devices| devices.config.iter().flatten());
        for config in configs {
            let requests = config.requests.clone().unwrap_or_default();
            let is_meant = |(request, choice): &(&Request, &Choice)| {
                requests.contains(&request.name) || requests.contains(&choice.name)
            };
            if requests.is_empty() || chosen.iter().any(is_meant) {
                all.push(DeviceAllocationConfiguration {
                    source: "FromClaim".to_owned(),
                    requests: named(requests).filter(|requests| !requests.is_empty()),
                    opaque: config.opaque.clone(),
                });
            }
        }
        all
    }

    /// The requests of a claim with what has been chosen for each.
    fn chosen(&self, claim: usize) -> Vec<(&'a Request, &'a Choice)> {
        let requests = self.claims[claim].requests.iter().enumerate();
        let with = |(at, request): (usize, &'a Request)| {
            let taken = self.taken[claim].iter().find(|taken| taken.request == at)?;
            Some((request, &request.choices[taken.choice]))
        };
        requests.filter_map(with).collect()
    }

    /// Which nodes reach the claim's devices; `None`: all.
    fn nodes(&self, claim: usize) -> Option<NodeSelector> {
        let mut term = NodeSelectorTerm::default();
        for taken in &self.taken[claim] {
            match self.near[taken.device].1.place() {
                // k8s: one device of one node holds all the others there
                Where::Node(name) => {
                    let requirement = NodeSelectorRequirement {
                        key: "metadata.name".to_owned(),
                        operator: "In".to_owned(),
                        values: Some(vec![name.to_owned()]),
                    };
                    let term =
                        NodeSelectorTerm { match_fields: Some(vec![requirement]), ..NodeSelectorTerm::default() };
                    return Some(NodeSelector { node_selector_terms: vec![term] });
                }
                Where::Selected(selector) => {
                    for more in &selector.node_selector_terms {
                        join(&mut term.match_fields, more.match_fields.as_ref());
                        join(&mut term.match_expressions, more.match_expressions.as_ref());
                    }
                }
                Where::Everywhere | Where::Nowhere => {}
            }
        }
        (term != NodeSelectorTerm::default()).then(|| NodeSelector { node_selector_terms: vec![term] })
    }
}

/// Which choice of which request, and where that is among all.
#[derive(Clone, Copy, Debug)]
struct Aim {
    slot: usize,
    claim: usize,
    request: usize,
    choice: usize,
}

fn pick(
    selectors: &[Result<Selector, String>],
    found: &PoolDevice,
    whose: impl Fn() -> String,
) -> Result<bool, String> {
    for (at, selector) in selectors.iter().enumerate() {
        let selector = selector.as_ref().map_err(|why| format!("{}: selector #{at}: {why}", whose()))?;
        let picked = selector
            .picks(found.driver(), found.device())
            .map_err(|why| format!("{}: selector #{at} on device {}: CEL runtime error: {why}", whose(), found.id))?;
        if !picked {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the device has as much as each of them is to have.
fn has_room(choice: &Choice, found: &PoolDevice) -> bool {
    let held = found.device().capacity.as_ref();
    choice.capacity.iter().all(|(name, wanted)| {
        let named = |all: &std::collections::BTreeMap<String, _>| {
            let short = name.split_once('/').filter(|(domain, _)| *domain == found.driver()).map(|(_, id)| id);
            all.get(name).or_else(|| all.get(short?)).cloned()
        };
        let amount = held.and_then(named).and_then(|held| Quantity::parse(&held.value.0).ok());
        amount.is_some_and(|amount| amount >= *wanted)
    })
}

/// Adds what is not there yet.
fn join(all: &mut Option<Vec<NodeSelectorRequirement>>, more: Option<&Vec<NodeSelectorRequirement>>) {
    for requirement in more.into_iter().flatten() {
        if !all.iter().flatten().any(|known| known == requirement) {
            all.get_or_insert_default().push(requirement.clone());
        }
    }
}
