//! Lease (coordination.k8s.io/v1).

mod printer;

use crate::errors::{FieldError, FieldErrors};
use crate::row::Row;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{given, non_negative, one_of};
use k8s_openapi::api::coordination::v1::Lease;
use serde_json::Value;

const SPEC: Path<'static> = Path::new("spec");

pub(crate) struct LeaseKind;

impl TypedKind for LeaseKind {
    type Object = Lease;

    const ROW: Row = printer::ROW;
    // Leases are written every few seconds by every node: nothing is decoded that need not be.
    const LACKS: &'static [Hook] =
        &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];

    fn validate(lease: &Lease) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let Some(spec) = &lease.spec else { return errors };
        if let Some(secs) = spec.lease_duration_seconds
            && secs <= 0
        {
            errors.push(FieldError::invalid(SPEC.child("leaseDurationSeconds"), secs, "must be greater than 0"));
        }
        if let Some(count) = spec.lease_transitions {
            non_negative(count.into(), &SPEC.child("leaseTransitions"), &mut errors);
        }
        if let Some(strategy) = given(spec.strategy.as_ref()) {
            if !strategy.contains('/') {
                one_of(strategy, &["OldestEmulationVersion"], &SPEC.child("strategy"), &mut errors);
            }
        } else if given(spec.preferred_holder.as_ref()).is_some() {
            let detail = "can only specify a preferredHolder when strategy is set";
            errors.push(FieldError::forbidden(SPEC.child("preferredHolder"), detail));
        }
        errors
    }

    fn cells(object: &Lease, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn durations_are_positive() {
        expect![[""]].assert_eq(&check::create::<LeaseKind>(json!({"spec": {"leaseDurationSeconds": 40}})));
        expect![[r"
            spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0
            spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0"]]
        .assert_eq(&check::create::<LeaseKind>(json!({"spec": {"leaseDurationSeconds": 0, "leaseTransitions": -1}})));
    }
}
