//! ResourceClaim (resource.k8s.io/v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{device, each, immutable};
use k8s_openapi::api::resource::v1::ResourceClaim;
use serde_json::Value;

pub(crate) struct ResourceClaimKind;

impl TypedKind for ResourceClaimKind {
    type Object = ResourceClaim;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn default(claim: &mut ResourceClaim) {
        if let Some(devices) = claim.spec.as_mut().and_then(|spec| spec.devices.as_mut()) {
            device::default_claim(devices);
        }
    }

    fn validate(claim: &ResourceClaim) -> FieldErrors {
        let mut errors = FieldErrors::new();
        if let Some(devices) = claim.spec.as_ref().and_then(|spec| spec.devices.as_ref()) {
            device::claim(devices, &Path::new("spec.devices"), &mut errors);
        }
        errors
    }

    fn validate_update(claim: &ResourceClaim, old: &ResourceClaim) -> FieldErrors {
        let mut errors = FieldErrors::new();
        immutable(&claim.spec, &old.spec, &Path::new("spec"), &mut errors);
        errors
    }

    fn validate_status(claim: &ResourceClaim, old: &ResourceClaim) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("status");
        let (status, before) = (claim.status.clone().unwrap_or_default(), old.status.clone().unwrap_or_default());
        let reserved = path.child("reservedFor");
        let consumers = each(&status.reserved_for).as_slice();
        if consumers.len() > CONSUMERS_MAX {
            errors.push(FieldError::too_many(reserved, consumers.len(), CONSUMERS_MAX));
        }
        for (i, consumer) in consumers.iter().enumerate() {
            let at = reserved.index(i);
            for (field, value) in [("resource", &consumer.resource), ("name", &consumer.name), ("uid", &consumer.uid)] {
                if value.is_empty() {
                    errors.push(FieldError::required(at.child(field), ""));
                }
            }
            if consumers[..i].iter().any(|other| other.uid == consumer.uid) {
                errors.push(FieldError::duplicate(at.child("uid"), &consumer.uid));
            }
        }
        if !consumers.is_empty() && status.allocation.is_none() {
            errors.push(FieldError::forbidden(reserved, "may not be specified when `allocated` is not set"));
        }
        if before.allocation.is_some() && status.allocation.is_some() {
            immutable(&status.allocation, &before.allocation, &path.child("allocation"), &mut errors);
        }
        errors
    }
}

/// k8s: ResourceClaimReservedForMaxSize
const CONSUMERS_MAX: usize = 256;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.resource.v1.ResourceClaim" "resource.k8s.io" "v1" "ResourceClaim" "resourceclaims" "resourceclaim" Namespaced,
    subresources: [STATUS],
    columns: [NAME, Column::new("State", "string"), AGE],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let allocation = if tree::at(object, "status.allocation").is_some() { "allocated" } else { "pending" };
    let mut states = vec![allocation];
    if tree::count(object, "status.reservedFor") > 0 {
        states.push("reserved");
    }
    if tree::at(object, "metadata.deletionTimestamp").is_some() {
        states.insert(0, "deleted");
    }
    vec![cells::of::name(object), states.join(",").into(), cells::of::age(object, now_unix_secs)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_claim_asks_once_and_for_something() {
        let claim = json!({"spec": {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "gpu.example.com"}}]}}});
        let stored = check::defaulted::<ResourceClaimKind>(claim.clone());
        assert_eq!(stored["spec"]["devices"]["requests"][0]["exactly"]["count"], 1);
        assert_eq!(check::create::<ResourceClaimKind>(stored), "");
        expect![[r#"
            spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required
            spec.devices.requests[1].exactly.deviceClassName: Required value
            spec.devices.requests[1].exactly.count: Invalid value: -1: must be greater than zero
            spec.devices.requests[1].name: Duplicate value: "a"
            spec.devices.constraints[0].requests[0]: Invalid value: "b": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'
            spec.devices.constraints[0]: Required value: exactly one of `distinctAttribute` or `matchAttribute` is required"#]]
        .assert_eq(&check::create::<ResourceClaimKind>(json!({"spec": {"devices": {
            "requests": [{"name": "a"}, {"name": "a", "exactly": {"deviceClassName": "", "count": -1}}],
            "constraints": [{"requests": ["b"]}],
        }}})));
        let reserved = json!({"status": {"reservedFor": [{"resource": "pods", "name": "p", "uid": "u"}]}});
        expect!["status.reservedFor: Forbidden: may not be specified when `allocated` is not set"]
            .assert_eq(&check::status::<ResourceClaimKind>(claim, &reserved));
    }
}
