//! `ipFamilies` and `ipFamilyPolicy` of a Service: what a client left out, and what the cluster cannot give.
//! k8s: `registry/core/service/storage/alloc.go`, initIPFamilyFields.

use super::range::AddressRange;
use super::{is_headless, service_type};
use kinds::errors::{FieldError, FieldErrors};
use kinds::ip::Family;
use serde_json::{Value, json};
use std::net::IpAddr;

const SINGLE: &str = "SingleStack";
const PREFER_DUAL: &str = "PreferDualStack";
const REQUIRE_DUAL: &str = "RequireDualStack";

/// `ranges`: those of the cluster, the primary family's first.
pub(super) fn settle(service: &mut Value, old: Option<&Value>, ranges: &[AddressRange]) -> Result<(), FieldErrors> {
    if service_type(service) == "ExternalName" {
        clear_kept(service, old);
        return Ok(());
    }
    let old = old.filter(|old| service_type(old) != "ExternalName");
    if old.is_some_and(|old| stays_as_preferred(service, old)) {
        return Ok(());
    }
    let selectorless =
        service.pointer("/spec/selector").and_then(Value::as_object).is_none_or(serde_json::Map::is_empty);
    let anything_goes = is_headless(service) && selectorless;
    let spec = &mut service["spec"];
    if spec["ipFamilyPolicy"].is_null() {
        let before = old.map(|old| &old["spec"]["ipFamilyPolicy"]).filter(|policy| !policy.is_null());
        let fresh = json!(if anything_goes { REQUIRE_DUAL } else { SINGLE });
        spec["ipFamilyPolicy"] = before.cloned().unwrap_or(fresh);
    }
    let mut errors = FieldErrors::new();
    match old.map(|old| &old["spec"]) {
        Some(before) if spec["ipFamilyPolicy"] == SINGLE => release_second(spec, before),
        Some(before) => errors.extend(reduced(spec, before)),
        None => {}
    }
    let families = asked(spec, ranges, errors)?;
    let families = if anything_goes { of_anybody(spec, families, ranges) } else { of_cluster(spec, families, ranges)? };
    spec["ipFamilies"] = families.iter().map(|family| family.name()).collect();
    Ok(())
}

/// k8s: a Service that prefers two families does not get or lose one because the cluster has changed, only when its own
/// fields do.
fn stays_as_preferred(service: &Value, old: &Value) -> bool {
    let (spec, before) = (&service["spec"], &old["spec"]);
    spec["ipFamilyPolicy"] == PREFER_DUAL
        && ["ipFamilyPolicy", "clusterIPs", "ipFamilies"].into_iter().all(|field| spec[field] == before[field])
        && list(&spec["clusterIPs"]).next().is_some()
        && list(&spec["ipFamilies"]).next().is_some()
}

/// k8s: to ask for one family, and to leave the lists as they are, means to give the second back.
fn release_second(spec: &mut Value, before: &Value) {
    for field in ["clusterIPs", "ipFamilies"] {
        if spec[field] == before[field]
            && let Some(list) = spec[field].as_array_mut()
        {
            list.truncate(1);
        }
    }
}

/// k8s: reducedClusterIPs, reducedIPFamilies
fn reduced(spec: &Value, before: &Value) -> FieldErrors {
    let count = |spec: &Value, field: &str| list(&spec[field]).count();
    let lists = [("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")];
    let given_up = lists.into_iter().filter(|(field, _)| (1..count(before, field)).contains(&count(spec, field)));
    let policy = &spec["ipFamilyPolicy"];
    let error = |(_, what)| {
        let why = format!("must be 'SingleStack' to release the secondary {what}");
        FieldError::invalid("spec.ipFamilyPolicy", policy.clone(), why)
    };
    given_up.map(error).collect()
}

/// The families that the lists name, or the addresses imply; or what is wrong, after what was wrong before.
fn asked(spec: &Value, ranges: &[AddressRange], mut errors: FieldErrors) -> Result<Vec<Family>, FieldErrors> {
    let addresses: Vec<&str> = list(&spec["clusterIPs"]).take_while(|ip| *ip != "None").collect();
    let mut families: Vec<Family> = list(&spec["ipFamilies"]).filter_map(Family::parse).collect();
    if spec["ipFamilyPolicy"] == SINGLE {
        for (count, what) in [(addresses.len(), "cluster IPs"), (families.len(), "IP families")] {
            if count > 1 {
                let why = format!("must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified");
                errors.push(FieldError::invalid("spec.ipFamilyPolicy", SINGLE, why));
            }
        }
    }
    for (i, ip) in addresses.iter().enumerate() {
        let at = format!("spec.clusterIPs[{i}]");
        // What is no address is validation's to refuse.
        let Ok(family) = ip.parse::<IpAddr>().map(Family::of) else { break };
        match families.get(i) {
            Some(said) if *said == family => {}
            Some(said) => {
                let why = format!("expected an {} value as indicated by `ipFamilies[{i}]`", said.name());
                return Err(vec![FieldError::invalid(at, *ip, why)]);
            }
            None if range_of(ranges, family).is_none() => {
                let why = format!("{} is not configured on this cluster", family.name());
                errors.push(FieldError::invalid(at, json!(addresses), why));
            }
            None if families.contains(&family) => {
                let why = "may specify no more than one IP for each IP family";
                return Err(vec![FieldError::invalid("spec.clusterIPs", json!(addresses), why)]);
            }
            None => families.push(family),
        }
    }
    if errors.is_empty() { Ok(families) } else { Err(errors) }
}

/// k8s: who has neither selector nor address may be of families that the cluster does not have.
fn of_anybody(spec: &Value, mut families: Vec<Family>, ranges: &[AddressRange]) -> Vec<Family> {
    if families.is_empty() {
        families.extend(ranges.first().map(AddressRange::family));
    }
    if let ([only], false) = (&families[..], spec["ipFamilyPolicy"] == SINGLE) {
        families.push(only.other());
    }
    families
}

fn of_cluster(spec: &Value, mut families: Vec<Family>, ranges: &[AddressRange]) -> Result<Vec<Family>, FieldErrors> {
    let mut errors = FieldErrors::new();
    if spec["ipFamilyPolicy"] == REQUIRE_DUAL && ranges.len() < 2 {
        let why = "this cluster is not configured for dual-stack services";
        errors.push(FieldError::invalid("spec.ipFamilyPolicy", REQUIRE_DUAL, why));
    }
    for (i, wrong) in families.iter().enumerate().filter(|(_, family)| range_of(ranges, **family).is_none()) {
        let at = format!("spec.ipFamilies[{i}]");
        errors.push(FieldError::invalid(at, wrong.name(), "not configured on this cluster"));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    if families.is_empty() {
        families.extend(ranges.first().map(AddressRange::family));
    }
    if let ([only], true) = (&families[..], spec["ipFamilyPolicy"] != SINGLE && ranges.len() == 2) {
        families.push(only.other());
    }
    Ok(families)
}

pub(super) fn range_of(ranges: &[AddressRange], family: Family) -> Option<&AddressRange> {
    ranges.iter().find(|range| range.family() == family)
}

fn list(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// A Service that becomes an external name loses what it only kept from before.
/// k8s: dropTypeDependentFields
fn clear_kept(service: &mut Value, old: Option<&Value>) {
    let Some(old) = old.filter(|old| service_type(old) != "ExternalName") else { return };
    let Some(spec) = service["spec"].as_object_mut() else { return };
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"] {
        if spec.get(field) == old["spec"].get(field) {
            spec.remove(field);
        }
    }
}
