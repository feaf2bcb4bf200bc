//! Devices that a ResourceClaim may be given, by their class: what it asks for at the worst.
//!
//! k8s: `pkg/quota/v1/evaluator/core/resource_claims.go`

use crate::pod_resources::{Amounts, add};
use crate::quantity::Quantity;
use k8s_openapi::api::resource::v1::{DeviceRequest, ResourceClaim};

const SUFFIX: &str = ".deviceclass.resource.k8s.io/devices";

/// k8s: AllocationResultsMaxSize, the most that "all devices" of a request can be
const DEVICES_MAX: i64 = 32;

pub(super) fn concerns(name: &str) -> bool {
    name.ends_with(SUFFIX)
}

pub(super) fn usage(claim: &ResourceClaim) -> Amounts {
    let mut all = Amounts::new();
    let devices = claim.spec.iter().flat_map(|spec| &spec.devices);
    for request in devices.flat_map(|devices| devices.requests.iter().flatten()) {
        add(&mut all, &of_request(request));
    }
    all
}

/// Only one of several alternatives is allocated: each class counts for the largest of them.
fn of_request(request: &DeviceRequest) -> Amounts {
    let mut all = Amounts::new();
    let mut at_least = |class: &str, mode: Option<&str>, count: Option<i64>| {
        let devices = if mode == Some("All") { DEVICES_MAX } else { count.unwrap_or(1) };
        let devices = Quantity::from_int(devices);
        all.entry(format!("{class}{SUFFIX}")).and_modify(|most| *most = (*most).max(devices)).or_insert(devices);
    };
    if let Some(exactly) = &request.exactly {
        at_least(&exactly.device_class_name, exactly.allocation_mode.as_deref(), exactly.count);
    }
    for one in request.first_available.iter().flatten() {
        at_least(&one.device_class_name, one.allocation_mode.as_deref(), one.count);
    }
    all
}
