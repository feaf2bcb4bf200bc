//! The cluster's policies with their bindings, each compiled once, in the order of their names.

use super::super::matcher::Criteria;
use kinds::admission::{self, Failure};
use kinds::selector::LabelSelector;
use kinds::tree;
use parking_lot::RwLock;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) struct Policy {
    pub(super) name: String,
    pub(super) criteria: Criteria,
    /// `apiVersion` and `kind` of its parameters.
    pub(super) param_kind: Option<(String, String)>,
    pub(super) failure: Failure,
    pub(super) program: admission::Policy,
    /// It wants to see what changes after it.
    pub(super) reinvoke: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Deny,
    Warn,
    Audit,
}

impl Action {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Deny => "Deny",
            Self::Warn => "Warn",
            Self::Audit => "Audit",
        }
    }
}

pub(super) struct Binding {
    pub(super) name: String,
    policy: String,
    /// `None`: whatever the policy is about.
    pub(super) criteria: Option<Criteria>,
    pub(super) params: Option<ParamRef>,
    pub(super) actions: Vec<Action>,
}

pub(super) struct ParamRef {
    pub(super) namespace: String,
    pub(super) chosen: Chosen,
    /// Nothing found is a failure.
    pub(super) required: bool,
}

pub(super) enum Chosen {
    Named(String),
    Selected(LabelSelector),
}

/// A policy that something binds.
pub(super) struct Bound {
    pub(super) policy: Arc<Policy>,
    pub(super) bindings: Vec<Arc<Binding>>,
}

#[derive(Default)]
pub struct PolicyTable {
    validating: Side,
    mutating: Side,
}

#[derive(Default)]
struct Side {
    known: RwLock<Known>,
    bound: RwLock<Arc<[Bound]>>,
}

#[derive(Default)]
struct Known {
    policies: BTreeMap<String, Arc<Policy>>,
    bindings: BTreeMap<String, Arc<Binding>>,
}

impl Policy {
    /// `None` where a selector cannot be read, which validation prevents.
    fn read(policy: &Value) -> Option<Self> {
        let spec = policy.get("spec")?;
        let param = spec.get("paramKind").filter(|kind| kind.is_object());
        let text = |kind: &Value, field: &str| tree::text(kind, field).to_owned();
        Some(Self {
            name: tree::text(policy, "metadata.name").to_owned(),
            criteria: Criteria::of_resources(&spec["matchConstraints"])?,
            param_kind: param.map(|kind| (text(kind, "apiVersion"), text(kind, "kind"))),
            failure: Failure::of(spec),
            program: admission::Policy::compile(spec),
            reinvoke: tree::text(spec, "reinvocationPolicy") == "IfNeeded",
        })
    }
}

impl Binding {
    fn read(binding: &Value) -> Option<Self> {
        let spec = binding.get("spec")?;
        let criteria = match spec.get("matchResources").filter(|resources| resources.is_object()) {
            Some(resources) => Some(Criteria::of_resources(resources)?),
            None => None,
        };
        let params = match spec.get("paramRef").filter(|params| params.is_object()) {
            Some(params) => Some(ParamRef::read(params)?),
            None => None,
        };
        let actions = tree::list(spec, "validationActions").iter().filter_map(|action| match action.as_str()? {
            "Deny" => Some(Action::Deny),
            "Warn" => Some(Action::Warn),
            "Audit" => Some(Action::Audit),
            _ => None,
        });
        Some(Self {
            name: tree::text(binding, "metadata.name").to_owned(),
            policy: tree::text(spec, "policyName").to_owned(),
            criteria,
            params,
            actions: actions.collect(),
        })
    }
}

impl ParamRef {
    fn read(params: &Value) -> Option<Self> {
        let chosen = match tree::text(params, "name") {
            "" => {
                Chosen::Selected(LabelSelector::from_meta(&Deserialize::deserialize(&params["selector"]).ok()?).ok()?)
            }
            name => Chosen::Named(name.to_owned()),
        };
        Some(Self {
            namespace: tree::text(params, "namespace").to_owned(),
            chosen,
            required: tree::text(params, "parameterNotFoundAction") != "Allow",
        })
    }
}

impl Side {
    fn change(&self, change: impl FnOnce(&mut Known)) {
        let mut known = self.known.write();
        change(&mut known);
        let bound = known.policies.iter().filter_map(|(name, policy)| {
            let bindings: Vec<_> = known.bindings.values().filter(|binding| binding.policy == *name).cloned().collect();
            (!bindings.is_empty()).then(|| Bound { policy: Arc::clone(policy), bindings })
        });
        *self.bound.write() = bound.collect();
    }

    fn param_kind(&self, policy: &str) -> Option<(String, String)> {
        self.known.read().policies.get(policy)?.param_kind.clone()
    }

    fn apply_policy(&self, name: &str, object: Option<&Value>) {
        let policy = object.and_then(Policy::read).map(Arc::new);
        self.change(|known| put(&mut known.policies, name, policy));
    }

    fn apply_binding(&self, name: &str, object: Option<&Value>) {
        let binding = object.and_then(Binding::read).map(Arc::new);
        self.change(|known| put(&mut known.bindings, name, binding));
    }
}

fn put<T>(all: &mut BTreeMap<String, T>, name: &str, value: Option<T>) {
    match value {
        Some(value) => all.insert(name.to_owned(), value),
        None => all.remove(name),
    };
}

impl PolicyTable {
    /// A ValidatingAdmissionPolicy came, changed or went.
    pub fn apply_validating(&self, name: &str, object: Option<&Value>) {
        self.validating.apply_policy(name, object);
    }

    /// A ValidatingAdmissionPolicyBinding came, changed or went.
    pub fn apply_validating_binding(&self, name: &str, object: Option<&Value>) {
        self.validating.apply_binding(name, object);
    }

    /// A MutatingAdmissionPolicy came, changed or went.
    pub fn apply_mutating(&self, name: &str, object: Option<&Value>) {
        self.mutating.apply_policy(name, object);
    }

    /// A MutatingAdmissionPolicyBinding came, changed or went.
    pub fn apply_mutating_binding(&self, name: &str, object: Option<&Value>) {
        self.mutating.apply_binding(name, object);
    }

    /// `apiVersion` and `kind` of a policy's parameters.
    pub(super) fn validating_param_kind(&self, policy: &str) -> Option<(String, String)> {
        self.validating.param_kind(policy)
    }

    pub(super) fn mutating_param_kind(&self, policy: &str) -> Option<(String, String)> {
        self.mutating.param_kind(policy)
    }

    pub(super) fn validating(&self) -> Arc<[Bound]> {
        Arc::clone(&self.validating.bound.read())
    }

    pub(super) fn mutating(&self) -> Arc<[Bound]> {
        Arc::clone(&self.mutating.bound.read())
    }
}
