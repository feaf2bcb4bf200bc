//! What claims ask for, with their selectors compiled.

use k8s_openapi::api::resource::v1::{
    CapacityRequirements, DeviceDerivedAttribute, DeviceRequest, DeviceSelector, DeviceToleration, ResourceClaim,
};
use kinds::device::Selector;
use kinds::quantity::Quantity;

/// One request of a claim: the first choice that can be had is taken.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) name: String,
    pub(super) choices: Vec<Choice>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    Exactly(usize),
    All,
}

#[derive(Debug)]
pub(super) struct Choice {
    /// `request`, or `request/subrequest`
    pub(super) name: String,
    pub(super) class: String,
    pub(super) selectors: Vec<Result<Selector, String>>,
    pub(super) amount: Amount,
    /// Looks after devices that others use.
    pub(super) is_admin: bool,
    pub(super) tolerations: Vec<DeviceToleration>,
    /// What each device has to have at least of it.
    pub(super) capacity: Vec<(String, Quantity)>,
    /// Why it is not even tried.
    pub(super) cannot: Option<&'static str>,
}

/// What exact requests and their alternatives have in common.
struct Words<'a> {
    name: String,
    class: &'a str,
    mode: Option<&'a str>,
    count: Option<i64>,
    selectors: Option<&'a Vec<DeviceSelector>>,
    tolerations: Option<&'a Vec<DeviceToleration>>,
    capacity: Option<&'a CapacityRequirements>,
    derived: Option<&'a Vec<DeviceDerivedAttribute>>,
}

pub(super) fn of(claim: &ResourceClaim) -> Vec<Request> {
    let devices = claim.spec.as_ref().and_then(|spec| spec.devices.as_ref());
    devices.into_iter().flat_map(|devices| devices.requests.iter().flatten()).map(request).collect()
}

fn request(request: &DeviceRequest) -> Request {
    let exact = request.exactly.iter().map(|exact| {
        let words = Words {
            name: request.name.clone(),
            class: &exact.device_class_name,
            mode: exact.allocation_mode.as_deref(),
            count: exact.count,
            selectors: exact.selectors.as_ref(),
            tolerations: exact.tolerations.as_ref(),
            capacity: exact.capacity.as_ref(),
            derived: exact.derived_attributes.as_ref(),
        };
        Choice { is_admin: exact.admin_access == Some(true), ..choice(words) }
    });
    let alternatives = request.first_available.iter().flatten().map(|one| {
        choice(Words {
            name: format!("{}/{}", request.name, one.name),
            class: &one.device_class_name,
            mode: one.allocation_mode.as_deref(),
            count: one.count,
            selectors: one.selectors.as_ref(),
            tolerations: one.tolerations.as_ref(),
            capacity: one.capacity.as_ref(),
            derived: one.derived_attributes.as_ref(),
        })
    });
    Request { name: request.name.clone(), choices: exact.chain(alternatives).collect() }
}

fn choice(words: Words<'_>) -> Choice {
    let amount = match words.mode {
        Some("All") => Some(Amount::All),
        None | Some("ExactCount") => usize::try_from(words.count.unwrap_or(1)).ok().map(Amount::Exactly),
        Some(_) => None,
    };
    let asked = words.capacity.iter().flat_map(|capacity| capacity.requests.iter().flatten());
    let capacity: Option<Vec<_>> =
        asked.map(|(name, amount)| Some((name.clone(), Quantity::parse(&amount.0).ok()?))).collect();
    let cannot = if amount.is_none() {
        Some("unsupported allocation mode or count")
    } else if capacity.is_none() {
        Some("a capacity is no quantity")
    } else if words.derived.is_some_and(|derived| !derived.is_empty()) {
        Some("derived attributes are not supported")
    } else {
        None
    };
    Choice {
        name: words.name,
        class: words.class.to_owned(),
        selectors: words.selectors.into_iter().flatten().map(compile).collect(),
        amount: amount.unwrap_or(Amount::Exactly(0)),
        is_admin: false,
        tolerations: words.tolerations.cloned().unwrap_or_default(),
        capacity: capacity.unwrap_or_default(),
        cannot,
    }
}

pub(super) fn compile(selector: &DeviceSelector) -> Result<Selector, String> {
    match &selector.cel {
        Some(cel) => Selector::compile(&cel.expression).map_err(|why| format!("CEL compile error: {why}")),
        None => Err("CEL expression empty (unsupported selector type?)".to_owned()),
    }
}
