//! `matchConditions` of webhooks and policies: all of them have to hold.
//! k8s: `plugin/webhook/matchconditions`

use super::program::{Expression, Stop};
use super::{Failure, Inputs, environment};
use crate::cel::{Budget, Environment, Ty, Val};
use crate::errors::FieldErrors;
use crate::tree;
use serde_json::Value;

/// Steps that the conditions of one webhook or policy may take together.
/// k8s: RuntimeCELCostBudgetMatchConditions
const COST_MAX: u64 = 2_500_000;

#[derive(Debug, Default)]
pub struct Conditions(Vec<Expression>);

impl Conditions {
    /// Of a webhook.
    pub fn of_webhook(conditions: &Value) -> Self {
        if conditions.is_null() { Self::default() } else { Self::compile(conditions, &environment::of(false)) }
    }

    pub(super) fn compile(conditions: &Value, environment: &Environment<'_>) -> Self {
        let all = conditions.as_array().into_iter().flatten();
        let compile = |it: &Value| Expression::compile(tree::text(it, "expression"), environment, &[Ty::Bool]);
        Self(all.map(compile).collect())
    }

    pub(crate) fn errors(&self, path: &str) -> FieldErrors {
        let all = self.0.iter().enumerate();
        all.filter_map(|(at, condition)| condition.error(format_args!("{path}[{at}].expression"))).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all hold. One that does not decides, whatever the others fail at; the error is for a failure that counts.
    pub fn hold(&self, inputs: &Inputs<'_>, failure: Failure) -> Result<bool, String> {
        if self.0.is_empty() {
            return Ok(true);
        }
        let names = inputs.names();
        let mut budget = Budget::new(COST_MAX);
        let mut errors = Vec::new();
        for condition in &self.0 {
            match condition.evaluate(&names, &mut budget) {
                Ok(Val::Bool(true)) => {}
                Ok(Val::Bool(false)) => return Ok(false),
                Ok(other) => {
                    errors.push(format!("expression '{}' is no bool but {}", condition.source(), other.type_name()));
                }
                Err(stop @ Stop::Failed(_)) => errors.push(stop.to_string()),
                Err(stop @ Stop::OutOfBudget) => {
                    errors = vec![stop.to_string()];
                    break;
                }
            }
        }
        match (errors.as_slice(), failure) {
            ([], _) => Ok(true),
            (_, Failure::Ignore) => Ok(false),
            ([only], Failure::Fail) => Err(only.clone()),
            (many, Failure::Fail) => Err(format!("[{}]", many.join(", "))),
        }
    }
}
