//! Resource amounts as the numbers that a node works with: thousandths of a CPU, and bytes. Parsing is the kinds crate's.

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// Thousandths, rounded up; what cannot be parsed was refused by the API server and counts as nothing here.
pub fn milli(quantity: &Quantity) -> i64 {
    kinds::quantity::Quantity::parse(&quantity.0).map_or(0, |q| q.milli_value())
}

/// Whole units, rounded up.
pub fn whole(quantity: &Quantity) -> i64 {
    kinds::quantity::Quantity::parse(&quantity.0).map_or(0, |q| q.value())
}

pub fn of<'a>(list: Option<&'a BTreeMap<String, Quantity>>, resource: &str) -> Option<&'a Quantity> {
    list?.get(resource)
}

pub fn request<'a>(resources: Option<&'a ResourceRequirements>, resource: &str) -> Option<&'a Quantity> {
    let resources = resources?;
    // k8s: a limit without a request is a request of the same size (defaulted by the API server for stored pods).
    of(resources.requests.as_ref(), resource).or_else(|| of(resources.limits.as_ref(), resource))
}

pub fn limit<'a>(resources: Option<&'a ResourceRequirements>, resource: &str) -> Option<&'a Quantity> {
    of(resources?.limits.as_ref(), resource)
}
