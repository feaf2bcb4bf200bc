//! Rules when they are written: that they compile, say what they should, and cost no more than they may.
//! k8s: apiextensions' validation of x-kubernetes-validations

use super::super::structural::{Additional, DEPTH_MAX, ListType, Structural, flag, text};
use super::environment;
use crate::cel::{Decl, Program, Root, Ty};
use crate::errors::{FieldError, FieldErrors};
use serde_json::Value;

const REASONS: &[&str] = &["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];

/// Steps that one rule may take for all values of an object that it is for, by its estimate.
/// k8s: StaticEstimatedCostLimit
const COST_MAX: u64 = 10_000_000;
/// Steps that all rules of a schema may take together.
/// k8s: StaticEstimatedCRDCostLimit
const TOTAL_COST_MAX: u64 = 100_000_000;
/// Rules that are named where the total is too large: so many, if they are a hundredth of it.
const NAMED_MAX: usize = 4;

/// Every rule of a schema; `structural` is the same schema, compiled.
pub(crate) fn check(schema: &Value, structural: &Structural, path: &str) -> FieldErrors {
    let mut walk = Walk::default();
    let spot = Spot { path, uncorrelated: None, times: Some(1), root: Root::Yes, depth: 0 };
    walk.schema(schema, structural, &spot);
    walk.totalled(path)
}

/// Where a schema is.
#[derive(Clone, Copy)]
struct Spot<'p> {
    path: &'p str,
    /// The path of the list, if any, whose items have no identity from one version to the next.
    uncorrelated: Option<&'p str>,
    /// How many values of it an object may have, where lists and maps above it have bounds.
    times: Option<u64>,
    root: Root,
    depth: usize,
}

#[derive(Default)]
struct Walk {
    errors: FieldErrors,
    total: u64,
    /// Rules with their costs.
    dear: Vec<(String, u64)>,
}

impl Walk {
    fn schema(&mut self, schema: &Value, structural: &Structural, spot: &Spot<'_>) {
        if spot.depth == DEPTH_MAX {
            return;
        }
        let path = spot.path;
        let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let decl = if rules.is_empty() { None } else { Decl::of(schema, spot.root) };
        for (index, rule) in rules.iter().enumerate() {
            let path = format!("{path}.x-kubernetes-validations[{index}]");
            let costs = of_rule(rule, structural, &path, (spot.uncorrelated, decl.as_ref()), &mut self.errors);
            let times = spot.times.or_else(|| decl.as_ref().map(Decl::times_max)).unwrap_or(1);
            if let Some(cost) = costs.rule {
                self.observe(format!("{path}.rule"), "estimated rule cost", cost.saturating_mul(times));
            }
            if let Some(cost) = costs.message {
                self.observe(format!("{path}.messageExpression"), "estimated messageExpression cost", cost);
            }
        }
        let times = spot.times.zip(elements_max(schema)).map(|(times, elements)| times.saturating_mul(elements));
        let mut below = |schema: &Value, structural: &Structural, path: &str, uncorrelated| {
            let root = if flag(schema, "x-kubernetes-embedded-resource") { Root::Yes } else { Root::No };
            self.schema(schema, structural, &Spot { path, uncorrelated, times, root, depth: spot.depth + 1 });
        };
        for (name, property) in &structural.properties {
            let Some(schema) = schema.get("properties").and_then(|all| all.get(name)) else { continue };
            below(schema, property, &format!("{path}.properties[{name}]"), spot.uncorrelated);
        }
        if let (Additional::Of(values), Some(schema)) = (&structural.additional, schema.get("additionalProperties")) {
            below(schema, values, &format!("{path}.additionalProperties"), spot.uncorrelated);
        }
        if let (Some(items), Some(schema)) = (structural.items.as_deref(), schema.get("items")) {
            let keyed = structural.list == ListType::Map;
            let uncorrelated = if keyed { spot.uncorrelated } else { spot.uncorrelated.or(Some(path)) };
            below(schema, items, &format!("{path}.items"), uncorrelated);
        }
    }

    fn observe(&mut self, path: String, name: &str, cost: u64) {
        if cost > COST_MAX {
            self.errors.push(FieldError::forbidden(&path, too_dear(name, cost, COST_MAX)));
        }
        self.total = self.total.saturating_add(cost);
        if cost >= TOTAL_COST_MAX / 100 {
            self.dear.push((path, cost));
        }
    }

    fn totalled(mut self, path: &str) -> FieldErrors {
        if self.total > TOTAL_COST_MAX {
            self.dear.sort_by_key(|(_, cost)| std::cmp::Reverse(*cost));
            let why = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
            let named = self.dear.iter().take(NAMED_MAX).map(|(path, _)| FieldError::forbidden(path, why));
            self.errors.extend(named);
            let name = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
            self.errors.push(FieldError::forbidden(path, too_dear(name, self.total, TOTAL_COST_MAX)));
        }
        self.errors
    }
}

/// By how much a schema multiplies what is in its values; `None`: without a bound.
fn elements_max(schema: &Value) -> Option<u64> {
    let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_i64).map(|most| most.max(0).unsigned_abs());
    match text(schema, "type") {
        "object" if schema.get("additionalProperties").is_some() => limit("maxProperties"),
        "array" => limit("maxItems"),
        _ => Some(1),
    }
}

/// k8s: getCostErrorMessage
fn too_dear(name: &str, cost: u64, limit: u64) -> String {
    let factor = cost as f64 / limit as f64;
    let factor = match factor {
        factor if factor > 100.0 => "more than 100x".to_owned(),
        factor if factor < 1.5 => format!("{factor:.6}x"),
        factor => format!("{factor:.1}x"),
    };
    format!(
        "{name} exceeds budget by factor of {factor} (try simplifying the rule, or adding maxItems, maxProperties, and \
         maxLength where arrays, maps, and strings are declared)"
    )
}

/// What the expressions of a rule cost at most, for one value.
#[derive(Default)]
struct Costs {
    rule: Option<u64>,
    message: Option<u64>,
}

fn of_rule(
    rule: &Value,
    structural: &Structural,
    path: &str,
    (uncorrelated, decl): (Option<&str>, Option<&Decl>),
    errors: &mut FieldErrors,
) -> Costs {
    let source = text(rule, "rule");
    if source.trim().is_empty() {
        errors.push(FieldError::required(format!("{path}.rule"), "rule is not specified"));
        return Costs::default();
    }
    of_texts(rule, path, errors);
    of_field_path(text(rule, "fieldPath"), structural, path, errors);
    let optional_old = flag(rule, "optionalOldSelf");
    let environment = environment(structural, optional_old);
    let cost = |program: &Program| decl.map(|decl| program.cost_max(&environment, decl));
    let mut costs = Costs::default();
    match Program::compile(source, &environment) {
        Err(error) => errors.push(FieldError::invalid(format!("{path}.rule"), rule, error)),
        Ok(program) => {
            if !matches!(program.result(), Ty::Bool | Ty::Dyn) {
                let why = "cel expression must evaluate to a bool";
                errors.push(FieldError::invalid(format!("{path}.rule"), rule, why));
            }
            if let (true, Some(list)) = (program.uses_old(), uncorrelated) {
                let why = format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {list}");
                errors.push(FieldError::invalid(format!("{path}.rule"), source, why));
            }
            if optional_old && !program.uses_old() {
                let why = "may not be set if oldSelf is not used in rule";
                errors.push(FieldError::invalid(format!("{path}.optionalOldSelf"), true, why));
            }
            costs.rule = cost(&program);
        }
    }
    let source = text(rule, "messageExpression");
    if source.is_empty() {
        return costs;
    }
    match Program::compile(source, &environment) {
        Err(error) => errors.push(FieldError::invalid(format!("{path}.messageExpression"), rule, error)),
        Ok(program) if !matches!(program.result(), Ty::Text | Ty::Dyn) => {
            let why = "messageExpression must evaluate to a string";
            errors.push(FieldError::invalid(format!("{path}.messageExpression"), rule, why));
        }
        Ok(program) => costs.message = cost(&program),
    }
    costs
}

/// What people read of a rule.
fn of_texts(rule: &Value, path: &str, errors: &mut FieldErrors) {
    let message = text(rule, "message");
    if rule.get("message").is_some() && message.trim().is_empty() {
        let why = "message must be non-empty if specified";
        errors.push(FieldError::invalid(format!("{path}.message"), message, why));
    }
    if message.trim().contains(['\n', '\r']) {
        errors.push(FieldError::invalid(format!("{path}.message"), message, "message must not contain line breaks"));
    }
    if text(rule, "rule").trim().contains('\n') && message.is_empty() {
        let why = "message must be specified if rule contains line breaks";
        errors.push(FieldError::required(format!("{path}.message"), why));
    }
    let reason = text(rule, "reason");
    if !reason.is_empty() && !REASONS.contains(&reason) {
        errors.push(FieldError::not_supported(format!("{path}.reason"), reason, REASONS));
    }
}

/// `.a.b['c']`: fields that the schema declares.
fn of_field_path(given: &str, structural: &Structural, path: &str, errors: &mut FieldErrors) {
    if given.is_empty() {
        return;
    }
    let mut at = Some(structural);
    let mut rest = given;
    while let (Some(schema), false) = (at, rest.is_empty()) {
        let name = match (rest.strip_prefix('.'), rest.strip_prefix("['").and_then(|rest| rest.split_once("']"))) {
            (Some(field), _) => {
                let end = field.find(['.', '[']).unwrap_or(field.len());
                rest = &field[end..];
                &field[..end]
            }
            (None, Some((name, after))) => {
                rest = after;
                name
            }
            (None, None) => {
                at = None;
                break;
            }
        };
        at = schema.property(name);
    }
    if at.is_none() {
        let why = "fieldPath must be a valid path: does not refer to a valid field";
        errors.push(FieldError::invalid(format!("{path}.fieldPath"), given, why));
    }
}
