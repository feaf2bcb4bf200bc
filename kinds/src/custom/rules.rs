//! `x-kubernetes-validations`: the rules of a schema, compiled, and their evaluation along an object and the one before.
//! k8s: apiextensions' schema/cel
//!
//! A rule that does not look at `oldSelf` is not held against a value that an update leaves as it is.

mod write;

pub(crate) use write::check as check_schema;

use super::lists::with_keys_of;
use super::structural::{Additional, DEPTH_MAX, ListType, Structural, flag, text};
use super::values::Type;
use crate::cel::{Budget, Environment, EvalError, Program, Ty, Val};
use crate::errors::{Cause, FieldError, FieldErrors};
use serde_json::Value;
use std::collections::BTreeMap;

/// Steps that all rules of one object may take together.
/// k8s: RuntimeCELCostBudget
const COST_MAX: u64 = 10_000_000;

/// The rules of a value and of what lies in it; nothing where there are none.
#[derive(Debug, Default)]
pub(super) struct Rules {
    own: Vec<Rule>,
    properties: BTreeMap<String, Rules>,
    additional: Option<Box<Rules>>,
    items: Option<Box<Rules>>,
}

#[derive(Debug)]
struct Rule {
    /// The text of what is wrong, where it is not a program any more: the definition was written by another version.
    program: Result<Program, String>,
    source: String,
    message: String,
    message_program: Option<Program>,
    cause: Cause,
    field_path: String,
    /// `oldSelf` is an optional, and the rule also holds for what is new.
    optional_old: bool,
}

impl Rules {
    /// Reads an OpenAPI v3 schema. `structural` is the same schema, compiled.
    pub(super) fn compile(schema: &Value, structural: &Structural) -> Self {
        Self::at_depth(schema, structural, 0).unwrap_or_default()
    }

    fn at_depth(schema: &Value, structural: &Structural, depth: usize) -> Option<Self> {
        if depth == DEPTH_MAX {
            return None;
        }
        let inner = |schema: Option<&Value>, structural: &Structural| Self::at_depth(schema?, structural, depth + 1);
        let properties = structural.properties.iter().filter_map(|(name, property)| {
            let schema = schema.get("properties")?.get(name);
            Some((name.clone(), inner(schema, property)?))
        });
        let additional = match &structural.additional {
            Additional::Of(values) => inner(schema.get("additionalProperties"), values).map(Box::new),
            Additional::Any | Additional::No => None,
        };
        let items = structural.items.as_deref().and_then(|items| inner(schema.get("items"), items)).map(Box::new);
        let rules = Self { own: own(schema, structural), properties: properties.collect(), additional, items };
        let any = !rules.own.is_empty()
            || !rules.properties.is_empty()
            || rules.additional.is_some()
            || rules.items.is_some();
        any.then_some(rules)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.properties.is_empty() && self.additional.is_none() && self.items.is_none()
    }
}

fn own(schema: &Value, structural: &Structural) -> Vec<Rule> {
    let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten();
    let rule = |rule: &Value| {
        let optional_old = flag(rule, "optionalOldSelf");
        let message_program = match text(rule, "messageExpression") {
            "" => None,
            source => compile(source, structural, optional_old).ok(),
        };
        Rule {
            program: compile(text(rule, "rule"), structural, optional_old),
            source: text(rule, "rule").trim().to_owned(),
            message: text(rule, "message").trim().to_owned(),
            message_program,
            cause: match text(rule, "reason") {
                "FieldValueForbidden" => Cause::Forbidden,
                "FieldValueRequired" => Cause::Required,
                "FieldValueDuplicate" => Cause::Duplicate,
                _ => Cause::Invalid,
            },
            field_path: text(rule, "fieldPath").to_owned(),
            optional_old,
        }
    };
    rules.map(rule).collect()
}

fn compile(source: &str, structural: &Structural, optional_old: bool) -> Result<Program, String> {
    Program::compile(source, &environment(structural, optional_old))
}

/// What a rule of a value may name.
fn environment(structural: &Structural, optional_old: bool) -> Environment<'_> {
    let own = Ty::of(structural);
    let old = if optional_old { Ty::Optional } else { own.clone() };
    Environment::new([("self", own), ("oldSelf", old)])
}

/// What the rules say of an object.
pub(super) fn validate(object: &Value, old: Option<&Value>, rules: &Rules, structural: &Structural) -> FieldErrors {
    let mut walk = Walk { budget: Budget::new(COST_MAX), errors: FieldErrors::new(), over: false };
    if !rules.is_empty() {
        walk.value(object, old, rules, structural, "");
    }
    walk.errors
}

struct Walk {
    budget: Budget,
    errors: FieldErrors,
    /// The budget is spent: nothing more is evaluated.
    over: bool,
}

impl Walk {
    fn value(&mut self, value: &Value, old: Option<&Value>, rules: &Rules, structural: &Structural, path: &str) {
        if value.is_null() {
            return;
        }
        for rule in &rules.own {
            if self.over {
                return;
            }
            self.rule(rule, value, old, structural, path);
        }
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let (below, schema) = match (rules.properties.get(name), structural.property(name)) {
                        (Some(rules), Some(schema)) => (rules, schema),
                        (None, Some(schema)) if !structural.properties.contains_key(name) => match &rules.additional {
                            Some(rules) => (rules.as_ref(), schema),
                            None => continue,
                        },
                        _ => continue,
                    };
                    let path = structural.path_of(name, path);
                    self.value(value, old.and_then(|old| old.get(name)), below, schema, &path);
                }
            }
            Value::Array(items) => {
                let (Some(below), Some(schema)) = (rules.items.as_deref(), structural.items.as_deref()) else { return };
                for (index, item) in items.iter().enumerate() {
                    let twin = old.and_then(|old| twin(item, index, value, old, structural));
                    self.value(item, twin, below, schema, &format!("{path}[{index}]"));
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Null => {}
        }
    }

    fn rule(&mut self, rule: &Rule, value: &Value, old: Option<&Value>, structural: &Structural, path: &str) {
        let kind = structural.ty.map_or("", Type::name);
        let place = place(path, &rule.field_path);
        let text = if rule.message.is_empty() { &rule.source } else { &rule.message };
        let program = match &rule.program {
            Ok(program) => program,
            Err(error) => {
                let why = format!("rule compile error: {error}");
                self.errors.push(FieldError::invalid(place, kind, why));
                return;
            }
        };
        let before = match (program.uses_old(), rule.optional_old, old) {
            // k8s: a transition rule needs something to come from
            (true, false, None) => return,
            (false, _, Some(old)) if old == value => return,
            (_, true, old) => Val::Optional(old.map(|old| Box::new(Val::of(old, Some(structural))))),
            (_, false, old) => old.map_or(Val::Null, |old| Val::of(old, Some(structural))),
        };
        let variables = [("self", Val::of(value, Some(structural))), ("oldSelf", before)];
        match program.evaluate(&variables, &mut self.budget) {
            Ok(Val::Bool(true)) => {}
            Ok(_) => {
                let said = rule
                    .message_program
                    .as_ref()
                    .and_then(|program| program.evaluate(&variables, &mut self.budget).ok());
                let detail = match said {
                    Some(Val::Str(text)) if !text.trim().is_empty() && !text.contains('\n') => text.trim().to_owned(),
                    _ if rule.message.is_empty() => format!("failed rule: {}", rule.source),
                    _ => rule.message.clone(),
                };
                let value = Some(Value::String(kind.to_owned()));
                self.errors.push(FieldError { cause: rule.cause, path: place, value, detail });
            }
            Err(EvalError::Failed(error)) => {
                self.errors.push(FieldError::invalid(place, kind, format!("{error} evaluating rule: {text}")));
            }
            Err(EvalError::CallCost) => {
                let why = format!("call cost exceeds limit for rule: {}", rule.source);
                self.spent(&format!("no further validation rules will be run due to {why}"), place, kind);
            }
            Err(EvalError::TotalCost) => {
                let why =
                    "validation failed due to running out of cost budget, no further validation rules will be run";
                self.spent(why, place, kind);
            }
        }
    }

    fn spent(&mut self, why: &str, place: String, kind: &str) {
        self.over = true;
        self.errors.push(FieldError::invalid(place, kind, why));
    }
}

/// The path of a value, or of the field below it that the rule names.
fn place(path: &str, field: &str) -> String {
    match (path, field) {
        ("", "") => "<nil>".to_owned(),
        ("", field) => field.trim_start_matches('.').to_owned(),
        (path, field) => format!("{path}{field}"),
    }
}

/// The item that `item` was before: that with the same keys; in other lists there is none, but where nothing changed.
fn twin<'a>(item: &Value, index: usize, list: &Value, old: &'a Value, structural: &Structural) -> Option<&'a Value> {
    let before = old.as_array()?;
    match structural.list {
        ListType::Map => with_keys_of(item, &structural.list_keys, before),
        ListType::Set | ListType::Atomic => (old == list).then(|| before.get(index)).flatten(),
    }
}

#[cfg(test)]
mod tests;
