//! The cluster IP of a Service: the one it asks for, or one from the range.

use super::claim::Claim;
use super::family::range_of;
use super::range::{AddressRange, in_order, random_index};
use super::{ADDRESS_PREFIX, Allocator, RANDOM_TRIES, RANGE_PREFIX, invalid, needs_address};
use crate::error::ApiError;
use crate::registry::create::new_uid;
use bytes::Bytes;
use jiff::Timestamp;
use kinds::errors::FieldError;
use kinds::ip::Family;
use serde_json::{Value, json};
use std::net::IpAddr;
use store::{RangeRequest, Rest};

/// Sets `clusterIP` and `clusterIPs` together, an address for each family, and takes those that are new.
pub(super) async fn settle(allocator: &Allocator, service: &mut Value, old: Option<&Value>) -> Result<(), ApiError> {
    if !needs_address(service) {
        return Ok(());
    }
    let texts = |value: &Value, field: &str| -> Vec<String> {
        value["spec"][field].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut addresses = texts(service, "clusterIPs");
    let held = old.filter(|old| needs_address(old)).map(|old| texts(old, "clusterIPs")).unwrap_or_default();
    let families: Vec<Family> =
        texts(service, "ipFamilies").iter().filter_map(|family| Family::parse(family)).collect();
    for (place, family) in families.into_iter().enumerate() {
        let taken = match addresses.get(place).map(String::as_str) {
            Some(asked) if !asked.is_empty() && held.iter().any(|held| held == asked) => continue,
            None | Some("") => pick(allocator, family).await,
            Some(asked) => take(allocator, service, asked, family).await,
        };
        // Written at once: whoever gives up on an error gives back what the object holds.
        addresses.truncate(place);
        let rest = texts(service, "clusterIPs").into_iter().skip(place + 1);
        match taken {
            Ok(ip) => {
                addresses.push(ip.to_string());
                addresses.extend(rest);
                set(service, &addresses);
            }
            Err(error) => {
                set(service, &addresses);
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Old clients know only the singular field.
pub(super) fn align(service: &mut Value) {
    let spec = &mut service["spec"];
    let first = spec["clusterIPs"][0].as_str().map(str::to_owned);
    match (spec["clusterIP"].as_str().filter(|ip| !ip.is_empty()).map(str::to_owned), first) {
        (Some(ip), None) => spec["clusterIPs"] = json!([ip]),
        (None, Some(ip)) => spec["clusterIP"] = json!(ip),
        (Some(_), Some(_)) | (None, None) => {}
    }
}

fn set(service: &mut Value, addresses: &[String]) {
    service["spec"]["clusterIP"] = json!(addresses.first());
    service["spec"]["clusterIPs"] = json!(addresses);
}

async fn take(allocator: &Allocator, service: &Value, asked: &str, family: Family) -> Result<IpAddr, ApiError> {
    let refuse = |why: String| {
        let value = json!([asked]);
        invalid(service, FieldError::invalid("spec.clusterIPs", value, format!("failed to allocate IP {asked}: {why}")))
    };
    // Validation has the better message for what is no address.
    let Ok(ip) = asked.parse::<IpAddr>() else {
        return Err(invalid(service, FieldError::invalid("spec.clusterIPs[0]", asked, "must be a valid IP address")));
    };
    let range = range_of(&allocator.params.addresses, family);
    let is_in = |range: &AddressRange| range.contains(ip);
    if !range.is_some_and(is_in) && !further_ranges(allocator, family).await?.iter().any(is_in) {
        let cidr = range.map(AddressRange::cidr).unwrap_or_default();
        return Err(refuse(format!(
            "the provided IP ({ip}) is not in the valid range. The range of valid IPs is {cidr}"
        )));
    }
    if allocator.try_take(&Claim::Address(ip)).await? {
        Ok(ip)
    } else {
        Err(refuse("provided IP is already allocated".to_owned()))
    }
}

/// From the first range of the family, and where that is full from those that were added.
async fn pick(allocator: &Allocator, family: Family) -> Result<IpAddr, ApiError> {
    if let Some(range) = range_of(&allocator.params.addresses, family)
        && let Some(ip) = pick_from(allocator, range).await?
    {
        return Ok(ip);
    }
    for range in further_ranges(allocator, family).await? {
        if let Some(ip) = pick_from(allocator, &range).await? {
            return Ok(ip);
        }
    }
    Err(ApiError::internal("failed to allocate a serviceIP: range is full"))
}

/// What ServiceCIDR objects add to the first range of a family. Read when it is needed, which is seldom: a range is full,
/// or a Service asks for an address elsewhere.
async fn further_ranges(allocator: &Allocator, family: Family) -> Result<Vec<AddressRange>, ApiError> {
    let request =
        RangeRequest { prefix: RANGE_PREFIX.to_owned(), after: None, limit: 0, at: None, rest: Rest::Whether };
    let entries = allocator.store.range(request).await?.entries;
    let first = range_of(&allocator.params.addresses, family).map(AddressRange::cidr);
    let objects = entries.iter().filter_map(|entry| serde_json::from_slice::<Value>(&entry.value).ok());
    let cidrs = objects.filter(is_open).flat_map(|object| match &object["spec"]["cidrs"] {
        Value::Array(cidrs) => cidrs.clone(),
        _ => Vec::new(),
    });
    let ranges = cidrs.filter_map(|cidr| AddressRange::parse(cidr.as_str()?).ok());
    Ok(ranges.filter(|range| range.family() == family && Some(range.cidr()) != first).collect())
}

/// Whether addresses come from a ServiceCIDR: its controller has taken it up, and it is not on its way out.
fn is_open(range: &Value) -> bool {
    let conditions = range["status"]["conditions"].as_array().into_iter().flatten();
    range["metadata"]["deletionTimestamp"].is_null()
        && conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
}

async fn pick_from(allocator: &Allocator, range: &AddressRange) -> Result<Option<IpAddr>, ApiError> {
    let (len, reserved) = (range.len(), range.reserved());
    for _ in 0..RANDOM_TRIES {
        let ip = range.at(random_index(len, reserved));
        if allocator.try_take(&Claim::Address(ip)).await? {
            return Ok(Some(ip));
        }
    }
    let taken = allocator.taken(ADDRESS_PREFIX).await?;
    for ip in in_order(len, reserved).map(|index| range.at(index)).filter(|ip| !taken.contains(&ip.to_string())) {
        if allocator.try_take(&Claim::Address(ip)).await? {
            return Ok(Some(ip));
        }
    }
    Ok(None)
}

/// k8s: `ipallocator` writes these objects with this label.
pub(super) fn record(ip: IpAddr, service: &Value, now: Timestamp) -> Bytes {
    let text = |field: &str| service["metadata"][field].as_str().unwrap_or_default();
    let created = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    crate::stored::encode(&json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IPAddress",
        "metadata": {
            "name": ip.to_string(), "uid": new_uid(), "creationTimestamp": created,
            "labels": {
                "ipaddress.kubernetes.io/ip-family": if ip.is_ipv6() { "IPv6" } else { "IPv4" },
                "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
            },
        },
        "spec": {"parentRef": {"group": "", "resource": "services", "namespace": text("namespace"), "name": text("name")}},
    }))
}
