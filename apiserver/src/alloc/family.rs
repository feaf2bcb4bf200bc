//! `ipFamilies` and `ipFamilyPolicy` of a Service in a cluster with one address family.
//! k8s: `registry/core/service/storage/alloc.go`, initIPFamilyFields.

use super::range::AddressRange;
use super::{is_headless, service_type};
use kinds::errors::FieldError;
use serde_json::{Value, json};

const SINGLE: &str = "SingleStack";
const REQUIRE_DUAL: &str = "RequireDualStack";

pub(super) fn settle(service: &mut Value, old: Option<&Value>, range: &AddressRange) -> Result<(), FieldError> {
    if service_type(service) == "ExternalName" {
        clear_kept(service, old);
        return Ok(());
    }
    let own = if range.is_ipv6() { "IPv6" } else { "IPv4" };
    let other = if range.is_ipv6() { "IPv4" } else { "IPv6" };
    let selectorless =
        service.pointer("/spec/selector").and_then(Value::as_object).is_none_or(serde_json::Map::is_empty);
    let anything_goes = is_headless(service) && selectorless;
    let spec = &mut service["spec"];
    let families: Vec<String> =
        spec["ipFamilies"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    if spec["ipFamilyPolicy"].is_null() {
        spec["ipFamilyPolicy"] = json!(SINGLE);
    }
    if anything_goes {
        let mut families = if families.is_empty() { vec![own.to_owned()] } else { families };
        if families.len() < 2 && spec["ipFamilyPolicy"] != SINGLE {
            families.push(if families[0] == own { other } else { own }.to_owned());
        }
        spec["ipFamilies"] = json!(families);
        return Ok(());
    }
    if spec["ipFamilyPolicy"] == REQUIRE_DUAL || families.len() > 1 {
        let why = "this cluster is not configured for dual-stack services";
        return Err(FieldError::invalid("spec.ipFamilyPolicy", spec["ipFamilyPolicy"].clone(), why));
    }
    if let Some(wrong) = families.iter().find(|family| *family != own) {
        return Err(FieldError::invalid("spec.ipFamilies[0]", wrong.as_str(), "not configured on this cluster"));
    }
    spec["ipFamilies"] = json!([own]);
    Ok(())
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
