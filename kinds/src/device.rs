//! Devices of resource.k8s.io, as whoever hands them out reads them: whether a selector picks one, what an attribute's name
//! means, which taints a request bears, and which claims a pod speaks of. Who gets which device is the scheduler's.

use crate::cel::{Budget, Decl, Environment, EvalError, Program, Root, Ty, Val};
use crate::custom::structural::Structural;
use crate::quantity::Quantity;
use k8s_openapi::api::core::v1::{Pod, PodResourceClaim};
use k8s_openapi::api::resource::v1::{
    Device, DeviceAttribute, DeviceTaint, DeviceTaintRule, DeviceToleration, ResourceClaim,
};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::rc::Rc;
use std::sync::LazyLock;

/// k8s: resourceapi.Finalizer, on a claim for as long as it is allocated
pub const PROTECTION: &str = "resource.kubernetes.io/delete-protection";
/// k8s: PodResourceClaimAnnotation, which of the pod's claims a generated one is
pub const CLAIM_OF_POD: &str = "resource.kubernetes.io/pod-claim-name";
/// k8s: AllocationResultsMaxSize, devices of one claim
pub const RESULTS_MAX: usize = 32;
/// k8s: CELSelectorExpressionMaxCost
const COST_MAX: u64 = 1_000_000;

const DEVICE: &str = "device";

/// What selectors see of a device.
/// k8s: `dynamic-resource-allocation/cel/compile.go`
static SCHEMA: LazyLock<(Structural, Option<Decl>)> = LazyLock::new(|| {
    let values = |of: Value| json!({"type": "object", "maxProperties": 32, "additionalProperties": of});
    // Values of several types; the bound is on the longest, a string.
    let value = json!({"x-kubernetes-int-or-string": true, "maxLength": 16});
    let schema = json!({"type": "object", "properties": {
        "driver": {"type": "string", "maxLength": 63},
        "attributes": values(values(value.clone())),
        "capacity": values(values(value)),
        "allowMultipleAllocations": {"type": "boolean"},
    }});
    (Structural::compile(&schema), Decl::of(&schema, Root::No))
});

fn environment() -> Environment<'static> {
    Environment { binds: true, ..Environment::new([(DEVICE, Ty::of(&SCHEMA.0))]) }
}

/// An expression of a class or a request that picks devices.
#[derive(Debug)]
pub struct Selector(Program);

impl Selector {
    /// Parses and checks; the error is the text that upstream gives.
    pub fn compile(expression: &str) -> Result<Self, String> {
        let environment = environment();
        let program = Program::compile(expression, &environment)?;
        if !matches!(program.result(), Ty::Bool | Ty::Dyn) {
            return Err(format!("must evaluate to bool or the unknown type, not {}", program.result().shown()));
        }
        let cost = SCHEMA.1.as_ref().map_or(0, |decl| program.cost_max(&environment, decl));
        if cost > COST_MAX {
            return Err("too complex, exceeds cost limit".to_owned());
        }
        Ok(Self(program))
    }

    /// Whether it picks the device; the error says what of the expression the device has no answer to.
    pub fn picks(&self, driver: &str, device: &Device) -> Result<bool, String> {
        let value = seen(driver, device)?;
        match self.0.evaluate(&[(DEVICE, value)], &mut Budget::new(COST_MAX)) {
            Ok(Val::Bool(picked)) => Ok(picked),
            Ok(other) => Err(format!("CEL result of type {} could not be converted to bool", other.type_name())),
            Err(EvalError::Failed(why)) => Err(why),
            Err(EvalError::CallCost | EvalError::TotalCost) => {
                Err("operation cancelled: actual cost limit exceeded".to_owned())
            }
        }
    }
}

/// The device as a value of CEL.
fn seen<'a>(driver: &'a str, device: &'a Device) -> Result<Val<'a>, String> {
    let mut attributes = Domains::default();
    for (name, attribute) in device.attributes.iter().flatten() {
        let value = value(attribute).map_err(|why| format!("attribute {name}: {why}"))?;
        attributes.add(driver, name, value);
    }
    let mut capacity = Domains::default();
    for (name, held) in device.capacity.iter().flatten() {
        let quantity = Quantity::parse(&held.value.0).map_err(|error| format!("capacity {name}: {error}"))?;
        capacity.add(driver, name, Val::Quantity(quantity));
    }
    let shared = device.allow_multiple_allocations == Some(true);
    let fields = [
        ("driver", text(driver)),
        ("attributes", attributes.value()),
        ("capacity", capacity.value()),
        ("allowMultipleAllocations", Val::Bool(shared)),
    ];
    Ok(Val::Map(Rc::new(fields.into_iter().map(|(name, value)| (text(name), value)).collect())))
}

fn text(text: &str) -> Val<'_> {
    Val::Str(Cow::Borrowed(text))
}

/// Values by the domain of their names; names without one are the driver's.
#[derive(Default)]
struct Domains<'a>(Vec<(&'a str, Vec<(Val<'a>, Val<'a>)>)>);

impl<'a> Domains<'a> {
    fn add(&mut self, driver: &'a str, name: &'a str, value: Val<'a>) {
        let (domain, id) = name.split_once('/').unwrap_or((driver, name));
        match self.0.iter_mut().find(|(known, _)| *known == domain) {
            Some((_, values)) => values.push((text(id), value)),
            None => self.0.push((domain, vec![(text(id), value)])),
        }
    }

    fn value(self) -> Val<'a> {
        let domains = self.0.into_iter().map(|(domain, values)| (text(domain), Val::Map(Rc::new(values))));
        Val::Domains(Rc::new(domains.collect()))
    }
}

fn value(attribute: &DeviceAttribute) -> Result<Val<'_>, String> {
    let DeviceAttribute { bool, int, string, version, .. } = attribute;
    match (bool, int, string, version) {
        (Some(flag), ..) => Ok(Val::Bool(*flag)),
        (_, Some(number), ..) => Ok(Val::Int(*number)),
        (_, _, Some(value), _) => Ok(text(value)),
        (_, _, _, Some(version)) => Val::semver(version).ok_or_else(|| format!("parse semantic version: {version:?}")),
        (None, None, None, None) => Err("unsupported attribute value".to_owned()),
    }
}

/// The attribute that a full name means. One that the device names without a domain is its driver's.
pub fn attribute<'a>(device: &'a Device, driver: &str, name: &str) -> Option<&'a DeviceAttribute> {
    let all = device.attributes.as_ref()?;
    let short = || name.split_once('/').filter(|(domain, _)| *domain == driver).and_then(|(_, id)| all.get(id));
    all.get(name).or_else(short)
}

/// Whether a taint keeps those away that do not tolerate it. k8s: effects that are not known count as `None`
pub fn repels(taint: &DeviceTaint) -> bool {
    matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute")
}

/// Whether the rule's taint is on the device. k8s: a rule without a selector is about no device
pub fn is_ruled(rule: &DeviceTaintRule, driver: &str, pool: &str, device: &str) -> bool {
    let Some(selector) = &rule.spec.device_selector else { return false };
    let is = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
    is(&selector.driver, driver) && is(&selector.pool, pool) && is(&selector.device, device)
}

/// k8s: an empty key with `Exists` tolerates everything, an empty effect all effects
pub fn tolerates(toleration: &DeviceToleration, taint: &DeviceTaint) -> bool {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (key, effect) = (text(&toleration.key), text(&toleration.effect));
    let meant = (effect.is_empty() || effect == taint.effect) && (key.is_empty() || key == taint.key);
    meant
        && match toleration.operator.as_deref() {
            Some("Exists") => true,
            None | Some("" | "Equal") => text(&toleration.value) == text(&taint.value),
            Some(_) => false,
        }
}

/// A claim of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimOfPod {
    /// The pod names it.
    Named(String),
    /// Made of a template for this pod alone.
    Generated(String),
    /// To be made of a template.
    Awaited,
    /// k8s: whoever makes claims has found that this pod needs none
    Needless,
}

/// Which claim an entry of `spec.resourceClaims` means.
pub fn claim_of(pod: &Pod, entry: &PodResourceClaim) -> ClaimOfPod {
    if let Some(name) = &entry.resource_claim_name {
        return ClaimOfPod::Named(name.clone());
    }
    let statuses = pod.status.as_ref().and_then(|status| status.resource_claim_statuses.as_ref());
    match statuses.into_iter().flatten().find(|status| status.name == entry.name) {
        Some(status) => status.resource_claim_name.clone().map_or(ClaimOfPod::Needless, ClaimOfPod::Generated),
        None => ClaimOfPod::Awaited,
    }
}

/// All of them.
pub fn claims_of(pod: &Pod) -> Vec<ClaimOfPod> {
    let entries = pod.spec.iter().flat_map(|spec| spec.resource_claims.iter().flatten());
    entries.map(|entry| claim_of(pod, entry)).collect()
}

/// Whether the claim was made for this pod.
pub fn is_owned_by(claim: &ResourceClaim, pod_uid: &str) -> bool {
    let owners = claim.metadata.owner_references.iter().flatten();
    owners.into_iter().any(|owner| owner.controller == Some(true) && owner.uid == pod_uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn device(more: Value) -> Device {
        serde_json::from_value(more).expect("a device")
    }

    fn gpu() -> Device {
        device(json!({
            "name": "gpu0",
            "attributes": {
                "model": {"string": "a100"}, "numa": {"int": 1}, "mig": {"bool": false},
                "driverVersion": {"version": "1.10.0"}, "pci.example.org/root": {"string": "r0"},
            },
            "capacity": {"memory": {"value": "40Gi"}},
        }))
    }

    fn picks(expression: &str) -> String {
        match Selector::compile(expression) {
            Ok(selector) => selector.picks("gpu.example.com", &gpu()).map_or_else(|why| why, |is| is.to_string()),
            Err(why) => why,
        }
    }

    #[test]
    fn a_selector_sees_driver_attributes_and_capacity_by_domain() {
        for (expression, expected) in [
            ("device.driver == 'gpu.example.com'", "true"),
            ("device.attributes['gpu.example.com'].model == 'a100'", "true"),
            ("device.attributes['gpu.example.com'].numa > 1", "false"),
            ("device.attributes['pci.example.org'].root == 'r0'", "true"),
            ("device.attributes['gpu.example.com'].driverVersion.isGreaterThan(semver('1.9.0'))", "true"),
            ("device.capacity['gpu.example.com'].memory.compareTo(quantity('40Gi')) >= 0", "true"),
            ("cel.bind(d, device.attributes['gpu.example.com'], !d.mig && d.numa == 1)", "true"),
            ("device.allowMultipleAllocations", "false"),
        ] {
            assert_eq!(picks(expression), expected, "{expression}");
        }
    }

    #[test]
    fn a_domain_that_a_device_does_not_have_is_empty_and_an_attribute_is_missing() {
        assert_eq!(picks("has(device.attributes['other.example.com'].model)"), "false");
        assert_eq!(picks("'other.example.com' in device.attributes"), "false");
        assert_eq!(picks("'gpu.example.com' in device.attributes"), "true");
        assert_eq!(picks("device.attributes['other.example.com'].model == 'x'"), "no such key: model");
    }

    #[test]
    fn an_expression_that_cannot_pick_is_refused() {
        let said = ["device.attributes", "device.driver", "device.name == 'x'", "claim.x"].map(picks).join("\n");
        expect![[r"
            must evaluate to bool or the unknown type, not list or map
            must evaluate to bool or the unknown type, not string
            compilation failed: ERROR: <input>:1:7: undefined field 'name'
             | device.name == 'x'
             | ......^
            compilation failed: ERROR: <input>:1:1: undeclared reference to 'claim' (in container '')
             | claim.x
             | ^"]]
        .assert_eq(&said);
        let costly = "device.attributes.all(a, device.attributes.all(b, device.attributes.all(c, device.attributes.all(d, device.attributes.all(e, a != b)))))";
        assert_eq!(picks(costly), "too complex, exceeds cost limit");
    }

    #[test]
    fn a_name_without_a_domain_is_the_drivers() {
        let gpu = gpu();
        let of = |name: &str| attribute(&gpu, "gpu.example.com", name).is_some();
        assert!(of("gpu.example.com/model") && of("pci.example.org/root"));
        assert!(!of("pci.example.org/model") && !of("gpu.example.com/root"));
    }

    #[test]
    fn a_toleration_is_of_a_key_a_value_and_an_effect() {
        let taint = |effect: &str| DeviceTaint {
            key: "broken".to_owned(),
            value: Some("yes".to_owned()),
            effect: effect.to_owned(),
            time_added: None,
        };
        let tolerates = |toleration: Value| {
            tolerates(&serde_json::from_value(toleration).expect("a toleration"), &taint("NoSchedule"))
        };
        assert!(tolerates(json!({"operator": "Exists"})));
        assert!(tolerates(json!({"key": "broken", "value": "yes"})));
        assert!(!tolerates(json!({"key": "broken", "value": "no"})));
        assert!(!tolerates(json!({"key": "broken", "operator": "Exists", "effect": "NoExecute"})));
        assert!(repels(&taint("NoExecute")) && !repels(&taint("None")));
    }
}
