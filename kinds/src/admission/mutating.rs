//! Mutations: what a policy makes of an object, as a configuration to apply or as a JSON patch.
//! k8s: `plugin/policy/mutating/patch`

use super::program::Expression;
use super::{COST_MAX, Inputs, Policy};
use crate::cel::{Budget, Environment, Ty, Val};
use crate::errors::FieldError;
use crate::tree;
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Mutation {
    form: Form,
    expression: Expression,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Apply,
    Json,
}

/// A patch, made for one object.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// A configuration to merge in.
    Apply(Value),
    /// The operations of a JSON patch.
    Json(Value),
}

impl Mutation {
    pub(super) fn compile(mutation: &Value, environment: &Environment<'_>) -> Self {
        let is_json = tree::text(mutation, "patchType") == "JSONPatch";
        let (form, at, yields) = if is_json {
            (Form::Json, "jsonPatch.expression", Ty::Made)
        } else {
            (Form::Apply, "applyConfiguration.expression", Ty::Patch("Object".to_owned()))
        };
        Self { form, expression: Expression::compile(tree::text(mutation, at), environment, &[yields]) }
    }

    pub(super) fn error(&self, path: &str) -> Option<FieldError> {
        let field = match self.form {
            Form::Apply => "applyConfiguration",
            Form::Json => "jsonPatch",
        };
        self.expression.error(format_args!("{path}.{field}.expression"))
    }
}

impl Policy {
    /// The patch that a mutation makes of what it sees. The match conditions hold already.
    pub fn patch(&self, at: usize, inputs: &Inputs<'_>) -> Result<Patch, String> {
        let mutation = &self.mutations[at];
        let names = self.names(inputs);
        let value = mutation.expression.evaluate(&names, &mut Budget::new(COST_MAX));
        let value = value.map_err(|stop| stop.to_string())?;
        match (mutation.form, value) {
            (Form::Apply, patch @ Val::Patch("Object", _)) => {
                patch.to_json("Object").map(Patch::Apply).map_err(|why| format!("type mismatch: {why}"))
            }
            (Form::Apply, other) => {
                Err(format!("unsupported return type from ApplyConfiguration expression: {}", other.type_name()))
            }
            (Form::Json, list) => {
                let not_a_list = || "type mismatch: JSONPatchType.expression should evaluate to array".to_owned();
                let items = list.items().ok_or_else(not_a_list)?;
                items.iter().map(operation).collect::<Result<_, _>>().map(Patch::Json)
            }
        }
    }
}

fn operation(item: &Val<'_>) -> Result<Value, String> {
    let Val::Patch("JSONPatch", fields) = item else {
        let found = item.type_name();
        return Err(format!(
            "type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch, got element of {found}"
        ));
    };
    let mut made = json!({});
    for (field, value) in fields.iter() {
        made[*field] = match value {
            Val::Patch(name, _) => value.to_json(name).map_err(|why| format!("type mismatch: {why}"))?,
            value => value.to_json("").map_err(|why| {
                format!("JSONPath valueExpression evaluated to a type that could not marshal to JSON: {why}")
            })?,
        };
    }
    Ok(made)
}
