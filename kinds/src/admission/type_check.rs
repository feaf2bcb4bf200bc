//! Type checking: what a policy's validations would trip over, from the schemas of the resources that it names. Nothing is
//! refused for it. k8s: `plugin/policy/validating/typechecking.go`

use super::environment;
use crate::cel::{self, Environment, Ty};
use crate::kind::Kind;
use crate::tree;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Kinds that one policy is checked against.
/// k8s: maxTypesToCheck
const KINDS_MAX: usize = 10;

/// An expression that cannot be right for some kind that the policy is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// `spec.validations[0].expression`
    pub field: String,
    pub text: String,
}

/// Group, version and kind.
type Name = (String, String, String);

/// What `spec` of a ValidatingAdmissionPolicy is warned of. `all` are the kinds that are served.
pub fn type_check(spec: &Value, all: &[Arc<dyn Kind>]) -> Vec<Warning> {
    let kinds = kinds(spec, all);
    let params = params(spec, all);
    let mut warnings = Vec::new();
    for (at, validation) in tree::list(spec, "validations").iter().enumerate() {
        for field in ["expression", "messageExpression"] {
            let source = tree::text(validation, field);
            if source.is_empty() {
                continue;
            }
            let complaints = kinds.iter().filter_map(|(name, kind)| {
                let environment = environment_of(spec, kind.as_ref(), params.map(AsRef::as_ref));
                let why = cel::check(source, &environment).err()?;
                Some(format!("{}: {why}\n", shown(name)))
            });
            let text = complaints.collect::<Vec<_>>().join("\n");
            if !text.is_empty() {
                warnings.push(Warning { field: format!("spec.validations[{at}].{field}"), text });
            }
        }
    }
    warnings
}

/// As Go prints a GroupVersionKind.
fn shown((group, version, kind): &Name) -> String {
    format!("{group}/{version}, Kind={kind}")
}

fn environment_of<'a>(spec: &Value, kind: &'a dyn Kind, params: Option<&'a dyn Kind>) -> Environment<'a> {
    let object = Ty::known(kind.context());
    let mut environment: Environment<'a> = environment::of(false);
    for (name, ty) in &mut environment.names {
        if matches!(name.as_str(), "object" | "oldObject") {
            *ty = object.clone();
        }
    }
    if spec["paramKind"].is_object() {
        let ty = params.map_or(Ty::Dyn, |params| Ty::known(params.context()));
        environment.names.push(("params".to_owned(), ty));
    }
    environment.names.push(("variables".to_owned(), Ty::Variables));
    for variable in tree::list(spec, "variables") {
        let ty = cel::check(tree::text(variable, "expression"), &environment).unwrap_or(Ty::Dyn);
        environment.variables.push((tree::text(variable, "name").to_owned(), ty));
    }
    environment
}

fn params<'k>(spec: &Value, all: &'k [Arc<dyn Kind>]) -> Option<&'k Arc<dyn Kind>> {
    let (version, kind) = (tree::text(spec, "paramKind.apiVersion"), tree::text(spec, "paramKind.kind"));
    all.iter().find(|known| known.row().kind == kind && known.row().api_version() == version)
}

/// The kinds that the rules name without wildcards, by group, version and name.
fn kinds<'k>(spec: &Value, all: &'k [Arc<dyn Kind>]) -> BTreeMap<Name, &'k Arc<dyn Kind>> {
    let mut found = BTreeMap::new();
    for rule in tree::list(spec, "matchConstraints.resourceRules") {
        let texts = |field: &str| -> Vec<&str> { tree::list(rule, field).iter().filter_map(Value::as_str).collect() };
        let (groups, versions) = (texts("apiGroups"), texts("apiVersions"));
        if groups.iter().chain(&versions).any(|text| text.contains('*')) {
            continue;
        }
        let resources = texts("resources");
        for kind in all {
            let row = kind.row();
            let named = groups.contains(&row.group.as_ref())
                && versions.contains(&row.version.as_ref())
                && resources.contains(&row.plural.as_ref());
            if named && found.len() < KINDS_MAX {
                found.insert((row.group.to_string(), row.version.to_string(), row.kind.to_string()), kind);
            }
        }
    }
    found
}
