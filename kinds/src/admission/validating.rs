//! Validations and audit annotations. k8s: `plugin/policy/validating/validator.go`

use super::program::{Expression, Stop};
use super::{COST_MAX, Failure, Inputs, Policy, environment};
use crate::cel::{Budget, Environment, Ty, Val};
use crate::errors::{FieldError, FieldErrors};
use crate::tree;
use serde_json::Value;

/// Longest message that an expression may make.
/// k8s: MaxEvaluatedMessageExpressionSizeBytes
const MESSAGE_BYTES_MAX: usize = 5 * 1024;

#[derive(Debug)]
pub(super) struct Validation {
    expression: Expression,
    message: String,
    message_expression: Option<Expression>,
    reason: String,
}

#[derive(Debug)]
pub(super) struct Annotation {
    key: String,
    value: Expression,
}

/// A validation that does not hold, or could not be evaluated where that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Its place among the validations.
    pub at: usize,
    pub message: String,
    /// Reason of the Status; empty: `Invalid`.
    pub reason: String,
}

/// What a policy says of an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    pub denials: Vec<Denial>,
    /// For the audit log.
    pub annotations: Vec<(String, String)>,
    /// Annotations that could not be made, where that counts.
    pub annotation_errors: Vec<String>,
}

impl Validation {
    pub(super) fn compile(validation: &Value, environment: &Environment<'_>) -> Self {
        let text = |field: &str| tree::text(validation, field);
        let of_message = environment::without_authorizer(environment);
        let message = Some(text("messageExpression")).filter(|source| !source.is_empty());
        Self {
            expression: Expression::compile(text("expression"), environment, &[Ty::Bool]),
            message: text("message").trim().to_owned(),
            message_expression: message.map(|source| Expression::compile(source, &of_message, &[Ty::Text])),
            reason: text("reason").to_owned(),
        }
    }

    pub(super) fn errors(&self, path: &str) -> FieldErrors {
        let of_message = self.message_expression.as_ref();
        let of_message = of_message.and_then(|it| it.error(format_args!("{path}.messageExpression")));
        self.expression.error(format_args!("{path}.expression")).into_iter().chain(of_message).collect()
    }

    /// What is said where it does not hold.
    fn said<'a>(&'a self, names: &[(&'a str, Val<'a>)], budget: &mut Budget) -> Result<String, Stop> {
        let made = match self.message_expression.as_ref().map(|it| evaluated(it, names, budget)) {
            Some(Err(stop @ Stop::OutOfBudget)) => return Err(stop),
            Some(Ok(Some(text))) => text.trim().to_owned(),
            Some(Ok(None) | Err(Stop::Failed(_))) | None => String::new(),
        };
        Ok(if !made.is_empty() && made.len() <= MESSAGE_BYTES_MAX && !made.contains('\n') {
            made
        } else if !self.message.is_empty() {
            self.message.clone()
        } else {
            format!("failed expression: {}", self.expression.source())
        })
    }
}

/// The text that an expression comes to, if it is one.
fn evaluated<'a>(
    expression: &'a Expression,
    names: &[(&'a str, Val<'a>)],
    budget: &mut Budget,
) -> Result<Option<String>, Stop> {
    let value = expression.evaluate(names, budget)?;
    Ok(value.as_str().map(str::to_owned))
}

impl Annotation {
    pub(super) fn compile(annotation: &Value, environment: &Environment<'_>) -> Self {
        let source = tree::text(annotation, "valueExpression");
        Self {
            key: tree::text(annotation, "key").to_owned(),
            value: Expression::compile(source, environment, &[Ty::Text, Ty::Null]),
        }
    }

    pub(super) fn error(&self, path: &str) -> Option<FieldError> {
        self.value.error(format_args!("{path}.valueExpression"))
    }
}

impl Policy {
    /// Whether the operation may pass. The match conditions hold already.
    pub fn judge(&self, inputs: &Inputs<'_>, failure: Failure) -> Judgement {
        let names = self.names(inputs);
        let mut judgement = Judgement::default();
        let mut budget = Budget::new(COST_MAX);
        for (at, validation) in self.validations.iter().enumerate() {
            let outcome = match validation.expression.evaluate(&names, &mut budget) {
                Ok(Val::Bool(true)) => continue,
                Ok(_) => validation
                    .said(&names, &mut budget)
                    .map_err(|stop| Stop::Failed(format!("failed messageExpression: {stop}"))),
                Err(stop) => Err(stop),
            };
            match (outcome, failure) {
                (Ok(message), _) => {
                    judgement.denials.push(Denial { at, message, reason: validation.reason.clone() });
                }
                (Err(stop), Failure::Ignore) => {
                    if stop == Stop::OutOfBudget {
                        return Judgement::default();
                    }
                }
                (Err(stop), Failure::Fail) => {
                    let denial = Denial { at, message: stop.to_string(), reason: String::new() };
                    if stop == Stop::OutOfBudget {
                        return Judgement { denials: vec![denial], ..Judgement::default() };
                    }
                    judgement.denials.push(denial);
                }
            }
        }
        self.annotate(&names, failure, &mut judgement);
        judgement
    }

    fn annotate<'a>(&'a self, names: &[(&'a str, Val<'a>)], failure: Failure, judgement: &mut Judgement) {
        let mut budget = Budget::new(COST_MAX);
        for annotation in &self.annotations {
            let value = &annotation.value;
            let error = match annotated(value, names, &mut budget) {
                Ok(Some(text)) if !text.trim().is_empty() => {
                    judgement.annotations.push((annotation.key.clone(), text.trim().to_owned()));
                    continue;
                }
                Ok(_) => continue,
                Err(stop) => stop.to_string(),
            };
            if failure == Failure::Fail {
                judgement.annotation_errors.push(error);
            }
        }
    }
}

/// A text, or none.
fn annotated<'a>(
    value: &'a Expression,
    names: &[(&'a str, Val<'a>)],
    budget: &mut Budget,
) -> Result<Option<String>, Stop> {
    match value.evaluate(names, budget)? {
        Val::Null => Ok(None),
        Val::Str(text) => Ok(Some(text.into_owned())),
        other => Err(Stop::Failed(format!(
            "valueExpression '{}' resulted in unsupported return type: {}. Return type must be either string or null.",
            value.source(),
            other.type_name()
        ))),
    }
}
