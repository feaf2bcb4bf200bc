//! Node (v1).

mod printer;

use crate::errors::{FieldError, FieldErrors};
use crate::row::Row;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::placement::TAINT_EFFECTS;
use crate::validate::{each, format, given, invalid_each, one_of, resources};
use k8s_openapi::api::core::v1::{Node, Taint};
use serde_json::Value;
use std::collections::BTreeSet;

const SPEC: Path<'static> = Path::new("spec");
/// One of each family.
const POD_CIDRS_MAX: usize = 2;

pub(crate) struct NodeKind;

impl TypedKind for NodeKind {
    type Object = Node;

    const ROW: Row = printer::ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];

    fn default(node: &mut Node) {
        if let Some(spec) = &mut node.spec {
            both_cidrs(&mut spec.pod_cidr, &mut spec.pod_cidrs);
            if spec.unschedulable == Some(false) {
                spec.unschedulable = None;
            }
        }
        if let Some(status) = &mut node.status
            && status.allocatable.is_none()
        {
            status.allocatable.clone_from(&status.capacity);
        }
    }

    fn validate(node: &Node) -> FieldErrors {
        let mut errors = FieldErrors::new();
        if let Some(spec) = &node.spec {
            taints(each(&spec.taints).as_slice(), &SPEC.child("taints"), &mut errors);
            cidrs(each(&spec.pod_cidrs).as_slice(), &SPEC.child("podCIDRs"), &mut errors);
        }
        if let Some(status) = &node.status {
            let path = Path::new("status");
            resources::node_resources(status.capacity.as_ref(), &path.child("capacity"), &mut errors);
            resources::node_resources(status.allocatable.as_ref(), &path.child("allocatable"), &mut errors);
        }
        errors
    }

    fn validate_update(node: &Node, old: &Node) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let before = old.spec.clone().unwrap_or_default();
        let after = node.spec.clone().unwrap_or_default();
        let (cidrs, cidrs_before) = (each(&after.pod_cidrs), each(&before.pod_cidrs));
        if cidrs_before.len() > 0 && !cidrs.eq(cidrs_before) {
            let detail = "node updates may not change podCIDR except from \"\" to valid";
            errors.push(FieldError::forbidden(SPEC.child("podCIDRs"), detail));
        }
        let provider = given(before.provider_id.as_ref());
        if provider.is_some() && given(after.provider_id.as_ref()) != provider {
            let detail = "node updates may not change providerID except from \"\" to valid";
            errors.push(FieldError::forbidden(SPEC.child("providerID"), detail));
        }
        addresses(node, &mut errors);
        errors
    }

    fn validate_status(node: &Node, _old: &Node) -> FieldErrors {
        let mut errors = Self::validate(node);
        addresses(node, &mut errors);
        errors
    }

    fn cells(object: &Node, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}

fn both_cidrs(one: &mut Option<String>, many: &mut Option<Vec<String>>) {
    let first = many.as_deref().unwrap_or_default().first().cloned();
    match (given(one.as_ref()).map(str::to_owned), first) {
        (Some(single), None) => *many = Some(vec![single]),
        // k8s: a client that knows only the single field has changed it, so it decides.
        (Some(single), Some(first)) if single != first => *many = Some(vec![single]),
        (_, Some(first)) => *one = Some(first),
        _ => {}
    }
}

fn taints(all: &[Taint], path: &Path<'_>, errors: &mut FieldErrors) {
    let mut seen = BTreeSet::new();
    for (i, taint) in all.iter().enumerate() {
        let at = path.index(i);
        if taint.key.is_empty() {
            errors.push(FieldError::required(at.child("key"), ""));
        }
        invalid_each(&taint.key, format::qualified_name(&taint.key), &at.child("key"), errors);
        let value = taint.value.as_deref().unwrap_or_default();
        invalid_each(value, format::label_value(value), &at.child("value"), errors);
        if taint.effect.is_empty() {
            errors.push(FieldError::required(at.child("effect"), ""));
        } else {
            one_of(&taint.effect, &TAINT_EFFECTS, &at.child("effect"), errors);
        }
        if !seen.insert((&taint.key, &taint.effect)) {
            let mut duplicated = FieldError::duplicate(at, taint);
            "taints must be unique by key and effect pair".clone_into(&mut duplicated.detail);
            errors.push(duplicated);
        }
    }
}

fn cidrs(all: &[String], path: &Path<'_>, errors: &mut FieldErrors) {
    let mut families = BTreeSet::new();
    for (i, cidr) in all.iter().enumerate() {
        match format::cidr(cidr) {
            Err(detail) => errors.push(FieldError::invalid(path.index(i), cidr, detail)),
            Ok((address, _)) if !families.insert(address.is_ipv4()) => {
                let detail = "specify no more than one CIDR for each IP family";
                errors.push(FieldError::invalid(path, all, detail));
            }
            Ok(_) => {}
        }
    }
    if all.len() > POD_CIDRS_MAX {
        errors.push(FieldError::too_many(path, all.len(), POD_CIDRS_MAX));
    }
}

fn addresses(node: &Node, errors: &mut FieldErrors) {
    let path = Path::new("status.addresses");
    let mut seen = BTreeSet::new();
    for (i, address) in node.status.iter().flat_map(|status| each(&status.addresses)).enumerate() {
        if !seen.insert((&address.type_, &address.address)) {
            errors.push(FieldError::duplicate(path.index(i), address));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn both_spellings_of_the_pod_range_agree() {
        let node = check::defaulted::<NodeKind>(json!({"spec": {"podCIDR": "10.42.0.0/24"}}));
        assert_eq!(node["spec"]["podCIDRs"], json!(["10.42.0.0/24"]));
        let node = check::defaulted::<NodeKind>(
            json!({"spec": {"podCIDRs": ["10.42.0.0/24"]}, "status": {"capacity": {"cpu": "2"}}}),
        );
        assert_eq!(node["spec"]["podCIDR"], "10.42.0.0/24");
        assert_eq!(node["status"]["allocatable"], json!({"cpu": "2"}));
    }

    #[test]
    fn a_node_registers_with_its_status() {
        let status = json!({"capacity": {"cpu": "2"}, "allocatable": {"cpu": "1"}});
        let node = check::created::<NodeKind>(json!({"metadata": {"name": "n"}, "status": status.clone()}));
        assert_eq!(node["status"], status);
        let updated = check::updated::<NodeKind>(node, &json!({"status": {"capacity": {"cpu": "9"}}}));
        assert_eq!(updated["status"], status);
    }

    #[test]
    fn taints_and_ranges_are_checked() {
        expect![[r#"
            spec.taints[0].key: Required value
            spec.taints[0].key: Invalid value: "": name part must be non-empty
            spec.taints[0].key: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
            spec.taints[0].effect: Unsupported value: "X": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"
            spec.podCIDRs[0]: Invalid value: "10.42.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"#]]
        .assert_eq(&check::create::<NodeKind>(json!({"spec": {"taints": [{"key": "", "effect": "X"}], "podCIDR": "10.42.0.0"}})));
        expect![[r#"spec.taints[1]: Duplicate value: {"effect":"NoSchedule","key":"a"}: taints must be unique by key and effect pair"#]]
            .assert_eq(&check::create::<NodeKind>(json!({"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule"}]}})));
    }

    #[test]
    fn the_pod_range_is_for_life() {
        let old = || json!({"spec": {"podCIDR": "10.42.0.0/24"}});
        expect![[""]].assert_eq(&check::update::<NodeKind>(old(), &json!({"spec": {"unschedulable": true}})));
        expect![[r#"spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid"#]]
            .assert_eq(&check::update::<NodeKind>(old(), &json!({"spec": {"podCIDR": "10.42.1.0/24"}})));
        expect![[""]].assert_eq(&check::update::<NodeKind>(json!({}), &json!({"spec": {"podCIDR": "10.42.1.0/24"}})));
    }
}
