//! NetworkPolicy (networking.k8s.io/v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, format, given, network, one_of, selector};
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

pub(crate) struct NetworkPolicyKind;

impl TypedKind for NetworkPolicyKind {
    type Object = NetworkPolicy;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn default(policy: &mut NetworkPolicy) {
        let spec = policy.spec.get_or_insert_default();
        for port in all_ports(spec) {
            port.protocol.get_or_insert_with(|| "TCP".to_owned());
        }
        // k8s: a policy is about incoming traffic, and about outgoing where it says anything of it.
        if each(&spec.policy_types).len() == 0 {
            let mut types = vec!["Ingress".to_owned()];
            if each(&spec.egress).len() > 0 {
                types.push("Egress".to_owned());
            }
            spec.policy_types = Some(types);
        }
    }

    fn validate(policy: &NetworkPolicy) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let spec = policy.spec.clone().unwrap_or_default();
        if let Some(wanted) = &spec.pod_selector {
            selector::label_selector(wanted, &path.child("podSelector"), &mut errors);
        }
        let list = path.child("ingress");
        for (i, rule) in each(&spec.ingress).enumerate() {
            let at = list.index(i);
            ports(each(&rule.ports).as_slice(), &at.child("ports"), &mut errors);
            peers(each(&rule.from).as_slice(), &at.child("from"), &mut errors);
        }
        let list = path.child("egress");
        for (i, rule) in each(&spec.egress).enumerate() {
            let at = list.index(i);
            ports(each(&rule.ports).as_slice(), &at.child("ports"), &mut errors);
            peers(each(&rule.to).as_slice(), &at.child("to"), &mut errors);
        }
        let types = path.child("policyTypes");
        if each(&spec.policy_types).len() > 2 {
            let detail = "may not specify more than two policyTypes";
            errors.push(FieldError::invalid(types, &spec.policy_types, detail));
            return errors;
        }
        for (i, kind) in each(&spec.policy_types).enumerate() {
            one_of(kind, &["Egress", "Ingress"], &types.index(i), &mut errors);
        }
        errors
    }
}

fn all_ports(spec: &mut NetworkPolicySpec) -> impl Iterator<Item = &mut NetworkPolicyPort> {
    let ingress = spec.ingress.iter_mut().flatten().flat_map(|rule| rule.ports.iter_mut().flatten());
    let egress = spec.egress.iter_mut().flatten().flat_map(|rule| rule.ports.iter_mut().flatten());
    ingress.chain(egress)
}

fn ports(ports: &[NetworkPolicyPort], path: &Path<'_>, errors: &mut FieldErrors) {
    for (i, port) in ports.iter().enumerate() {
        let at = path.index(i);
        network::protocol(given(port.protocol.as_ref()), &at.child("protocol"), errors);
        if let Some(target) = &port.port {
            network::port_or_name(target, &at.child("port"), errors);
        }
        let Some(end) = port.end_port else { continue };
        match &port.port {
            None => errors.push(FieldError::required(at.child("port"), "must be specified when endPort is set")),
            Some(IntOrString::Int(start)) if end < *start => {
                let detail = "must be greater than or equal to `port`";
                errors.push(FieldError::invalid(at.child("endPort"), end, detail));
            }
            Some(IntOrString::Int(_)) => network::port_number(end, &at.child("endPort"), errors),
            Some(IntOrString::String(_)) => {
                let detail = "may not be specified when `port` is non-numeric";
                errors.push(FieldError::invalid(at.child("endPort"), end, detail));
            }
        }
    }
}

fn peers(peers: &[NetworkPolicyPeer], path: &Path<'_>, errors: &mut FieldErrors) {
    for (i, peer) in peers.iter().enumerate() {
        let at = path.index(i);
        let selectors = [("podSelector", &peer.pod_selector), ("namespaceSelector", &peer.namespace_selector)];
        for (field, wanted) in selectors {
            if let Some(wanted) = wanted {
                selector::label_selector(wanted, &at.child(field), errors);
            }
        }
        let selects = peer.pod_selector.is_some() || peer.namespace_selector.is_some();
        match &peer.ip_block {
            None if !selects => errors.push(FieldError::required(at, "must specify a peer")),
            None => {}
            Some(_) if selects => {
                let detail = "may not specify both ipBlock and another peer";
                errors.push(FieldError::forbidden(at, detail));
            }
            Some(block) => ip_block(block, &at.child("ipBlock"), errors),
        }
    }
}

/// k8s: ValidateIPBlock
fn ip_block(block: &IPBlock, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("cidr");
    if block.cidr.is_empty() {
        errors.push(FieldError::required(at, ""));
        return;
    }
    let whole = match format::cidr(&block.cidr) {
        Ok(whole) => whole,
        Err(detail) => {
            errors.push(FieldError::invalid(at, &block.cidr, detail));
            return;
        }
    };
    let list = path.child("except");
    for (i, except) in each(&block.except).enumerate() {
        let at = list.index(i);
        match format::cidr(except) {
            Err(detail) => errors.push(FieldError::invalid(at, except, detail)),
            Ok(part) if part.1 <= whole.1 || !network::contains(whole, part.0) => {
                errors.push(FieldError::invalid(at, except, "must be a strict subset of `cidr`"));
            }
            Ok(_) => {}
        }
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.networking.v1.NetworkPolicy" "networking.k8s.io" "v1" "NetworkPolicy" "networkpolicies" "networkpolicy" Namespaced,
    short: ["netpol"],
    columns: [NAME, Column::new("Pod-Selector", "string"), AGE],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        cells::of::selector(object, "spec.podSelector").into(),
        cells::of::age(object, now_unix_secs),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_policy_is_about_what_comes_in_unless_it_says_more() {
        let types =
            |spec: Value| check::defaulted::<NetworkPolicyKind>(json!({"spec": spec}))["spec"]["policyTypes"].clone();
        assert_eq!(types(json!({})), json!(["Ingress"]));
        assert_eq!(types(json!({"egress": [{}]})), json!(["Ingress", "Egress"]));
        expect![[r#"
            spec.ingress[0].ports[0].endPort: Invalid value: 79: must be greater than or equal to `port`
            spec.ingress[0].from[0]: Required value: must specify a peer
            spec.ingress[0].from[1].ipBlock.cidr: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"#]]
        .assert_eq(&check::create::<NetworkPolicyKind>(json!({"spec": {"ingress": [{"ports": [{"port": 80, "endPort": 79}], "from": [{}, {"ipBlock": {"cidr": "10.0.0.0"}}]}]}})));
    }

    #[test]
    fn what_is_left_out_of_a_block_is_a_part_of_it() {
        let policy = |cidr: &str, except: &str| {
            let peer = json!({"ipBlock": {"cidr": cidr, "except": [except]}});
            check::create::<NetworkPolicyKind>(json!({"spec": {"podSelector": {}, "ingress": [{"from": [peer]}]}}))
        };
        assert_eq!(policy("10.0.0.0/8", "10.1.0.0/16"), "");
        assert_eq!(policy("2001:db8::/32", "2001:db8:1::/48"), "");
        for except in ["10.0.0.0/8", "11.0.0.0/16", "2001:db8::/32", "0.0.0.0/0"] {
            assert_eq!(
                policy("10.0.0.0/8", except),
                format!(
                    "spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: \"{except}\": must be a strict subset of `cidr`"
                )
            );
        }
        assert_eq!(policy("", "10.0.0.0/8"), "spec.ingress[0].from[0].ipBlock.cidr: Required value");
    }

    #[test]
    fn a_policy_has_two_types_at_most() {
        expect![[r#"spec.policyTypes: Invalid value: ["Ingress","Egress","Ingress"]: may not specify more than two policyTypes"#]]
            .assert_eq(&check::create::<NetworkPolicyKind>(json!({"spec": {"policyTypes": ["Ingress", "Egress", "Ingress"]}})));
    }
}
