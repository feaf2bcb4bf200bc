//! ServiceCIDR (networking.k8s.io/v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::ip::Cidr;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, format};
use k8s_openapi::api::networking::v1::ServiceCIDR;
use serde_json::Value;

pub(crate) struct ServiceCIDRKind;

impl TypedKind for ServiceCIDRKind {
    type Object = ServiceCIDR;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn validate(cidr: &ServiceCIDR) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec.cidrs");
        let ranges = each(&cidr.spec.clone().unwrap_or_default().cidrs).as_slice().to_vec();
        if ranges.is_empty() {
            errors.push(FieldError::required(path, "at least one CIDR required"));
        }
        if ranges.len() > FAMILIES {
            errors.push(FieldError::invalid(path, &ranges, "may only hold up to 2 values"));
        }
        let mut families = Vec::new();
        for (i, range) in ranges.iter().enumerate() {
            match format::cidr(range) {
                Err(detail) => errors.push(FieldError::invalid(path.index(i), range, detail)),
                Ok((ip, length)) => {
                    families.push(ip.is_ipv6());
                    let canonical = Cidr::new(ip, length).map(|cidr| cidr.to_string()).unwrap_or_default();
                    if canonical != *range {
                        let detail = format!("must be in canonical form ({canonical:?})");
                        errors.push(FieldError::invalid(path.index(i), range, detail));
                    }
                }
            }
        }
        if families.len() == FAMILIES && families[0] == families[1] {
            let detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
            errors.push(FieldError::invalid(path, &ranges, detail));
        }
        errors
    }

    /// k8s: a range may become dual-stack by a second one; what is there stays.
    fn validate_update(cidr: &ServiceCIDR, old: &ServiceCIDR) -> FieldErrors {
        let ranges = |cidr: &ServiceCIDR| cidr.spec.clone().unwrap_or_default().cidrs.unwrap_or_default();
        let (new, before) = (ranges(cidr), ranges(old));
        let mut errors = FieldErrors::new();
        let path = Path::new("spec.cidrs");
        if new.len() < before.len() || (before.len() == FAMILIES && new != before) {
            errors.push(FieldError::invalid(path, &new, crate::validate::FIELD_IMMUTABLE));
        } else if new.first() != before.first() {
            errors.push(FieldError::invalid(path.index(0), new.first(), crate::validate::FIELD_IMMUTABLE));
        }
        errors
    }
}

/// IPv4 and IPv6.
const FAMILIES: usize = 2;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.networking.v1.ServiceCIDR" "networking.k8s.io" "v1" "ServiceCIDR" "servicecidrs" "servicecidr" Cluster,
    subresources: [STATUS],
    columns: [NAME, Column::new("CIDRs", "string"), AGE],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let cidrs: Vec<&str> = tree::list(object, "spec.cidrs").iter().filter_map(Value::as_str).collect();
    vec![cells::of::name(object), cidrs.join(",").into(), cells::of::age(object, now_unix_secs)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_range_may_become_dual_stack_and_nothing_else() {
        let cidr = |ranges: &[&str]| json!({"spec": {"cidrs": ranges}});
        assert_eq!(check::create::<ServiceCIDRKind>(cidr(&["10.43.0.0/16", "2001:db8::/64"])), "");
        expect!["spec.cidrs: Required value: at least one CIDR required"]
            .assert_eq(&check::create::<ServiceCIDRKind>(cidr(&[])));
        expect![[r#"spec.cidrs[0]: Invalid value: "10.43.0.1/16": must be in canonical form ("10.43.0.0/16")"#]]
            .assert_eq(&check::create::<ServiceCIDRKind>(cidr(&["10.43.0.1/16"])));
        let grow = cidr(&["10.43.0.0/16", "2001:db8::/64"]);
        assert_eq!(check::update::<ServiceCIDRKind>(cidr(&["10.43.0.0/16"]), &grow), "");
        expect![[r#"spec.cidrs[0]: Invalid value: "10.44.0.0/16": field is immutable"#]].assert_eq(&check::update::<
            ServiceCIDRKind,
        >(
            cidr(&["10.43.0.0/16"]),
            &cidr(&["10.44.0.0/16"]),
        ));
    }
}
