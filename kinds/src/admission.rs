//! Admission policies, compiled: match conditions, variables, validations and mutations, and their evaluation over what the
//! API server has found. Which operations a policy is about, and what becomes of its verdict, is the API server's matter.
//! k8s: `apiserver/pkg/admission/plugin/{cel,policy}`

mod conditions;
mod environment;
mod mutating;
mod program;
mod type_check;
mod validating;

pub use conditions::Conditions;
pub use mutating::Patch;
pub use type_check::{Warning, type_check};
pub use validating::{Denial, Judgement};

pub use crate::cel::{Asked, Authorize, Verdict};

use crate::cel::{Composed, Environment, Step, Ty, Val};
use crate::errors::FieldErrors;
use crate::tree;
use environment::{NAMESPACE, REQUEST};
use mutating::Mutation;
use program::Expression;
use serde_json::Value;
use std::rc::Rc;
use validating::{Annotation, Validation};

/// Steps that all expressions of a policy may take together, for one object and one parameter.
/// k8s: RuntimeCELCostBudget
const COST_MAX: u64 = 10_000_000;

/// What becomes of an operation that a policy or webhook fails to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Ignore,
    Fail,
}

impl Failure {
    /// Of `failurePolicy`.
    pub fn of(tree: &Value) -> Self {
        if tree["failurePolicy"] == "Ignore" { Self::Ignore } else { Self::Fail }
    }
}

/// What expressions see; `Null` where there is none.
pub struct Inputs<'a> {
    pub object: &'a Value,
    pub old: &'a Value,
    /// The AdmissionRequest.
    pub request: &'a Value,
    pub params: &'a Value,
    pub namespace: &'a Value,
    pub authorizer: &'a dyn Authorize,
}

impl<'a> Inputs<'a> {
    fn names(&self) -> Vec<(&'a str, Val<'a>)> {
        vec![
            ("object", Val::of(self.object, None)),
            ("oldObject", Val::of(self.old, None)),
            ("request", Val::of(self.request, Some(&REQUEST))),
            ("namespaceObject", Val::of(self.namespace, Some(&NAMESPACE))),
            ("params", Val::of(self.params, None)),
            ("authorizer", Val::Authorizer(Rc::new(Step::first(self.authorizer, self.asked())))),
        ]
    }

    /// The request itself, as a question of permissions.
    fn asked(&self) -> Asked {
        let text = |path: &str| tree::text(self.request, path).to_owned();
        Asked {
            group: text("resource.group"),
            resource: text("resource.resource"),
            subresource: text("subResource"),
            namespace: text("namespace"),
            name: text("name"),
            ..Asked::default()
        }
    }
}

/// A policy of either kind. What does not compile is kept, and fails when it is evaluated.
#[derive(Debug)]
pub struct Policy {
    conditions: Conditions,
    variables: Vec<(String, Expression)>,
    validations: Vec<Validation>,
    annotations: Vec<Annotation>,
    mutations: Vec<Mutation>,
}

impl Policy {
    /// Reads the `spec` of a ValidatingAdmissionPolicy or MutatingAdmissionPolicy.
    pub fn compile(spec: &Value) -> Self {
        let has_params = spec["paramKind"].is_object();
        let mut environment = environment::of(has_params);
        let conditions = Conditions::compile(&spec["matchConditions"], &environment);
        environment.names.push(("variables".to_owned(), Ty::Variables));
        environment.patches = spec["mutations"].is_array();
        let variables = variables(spec, &mut environment);
        let annotations = tree::list(spec, "auditAnnotations").iter();
        Self {
            conditions,
            variables,
            validations: tree::list(spec, "validations")
                .iter()
                .map(|it| Validation::compile(it, &environment))
                .collect(),
            annotations: annotations.map(|it| Annotation::compile(it, &environment)).collect(),
            mutations: tree::list(spec, "mutations").iter().map(|it| Mutation::compile(it, &environment)).collect(),
        }
    }

    /// What does not compile, and where below `spec`.
    pub(crate) fn errors(&self) -> FieldErrors {
        let mut errors = self.conditions.errors("spec.matchConditions");
        for (at, (_, variable)) in self.variables.iter().enumerate() {
            errors.extend(variable.error(format_args!("spec.variables[{at}].expression")));
        }
        for (at, validation) in self.validations.iter().enumerate() {
            errors.extend(validation.errors(&format!("spec.validations[{at}]")));
        }
        for (at, annotation) in self.annotations.iter().enumerate() {
            errors.extend(annotation.error(&format!("spec.auditAnnotations[{at}]")));
        }
        for (at, mutation) in self.mutations.iter().enumerate() {
            errors.extend(mutation.error(&format!("spec.mutations[{at}]")));
        }
        errors
    }

    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// How many patches it makes.
    pub fn mutations(&self) -> usize {
        self.mutations.len()
    }

    /// Everything that its expressions may name.
    fn names<'a>(&'a self, inputs: &Inputs<'a>) -> Vec<(&'a str, Val<'a>)> {
        let programs = self.variables.iter().map(|(name, expression)| (name.as_str(), expression.program())).collect();
        Composed::new(programs, inputs.names()).names()
    }
}

/// Each sees the ones before it.
fn variables(spec: &Value, environment: &mut Environment<'_>) -> Vec<(String, Expression)> {
    let mut all = Vec::new();
    for variable in tree::list(spec, "variables") {
        let name = tree::text(variable, "name");
        let expression = Expression::compile(tree::text(variable, "expression"), environment, &[]);
        let ty = expression.ty().unwrap_or(Ty::Dyn);
        environment.variables.push((name.to_owned(), ty));
        all.push((name.to_owned(), expression));
    }
    all
}

#[cfg(test)]
mod tests;
