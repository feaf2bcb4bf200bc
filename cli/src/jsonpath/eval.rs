//! Evaluation of parsed templates over a tree.

use super::{Comparison, Filter, JsonPathError, Missing, Node, Operand, Step, plain};
use serde_json::Value;
use std::cmp::Ordering;

pub(super) fn render(nodes: &[Node], tree: &Value, missing: Missing, text: &mut String) -> Result<(), JsonPathError> {
    for node in nodes {
        match node {
            Node::Text(literal) => text.push_str(literal),
            Node::Path(steps) => {
                let found: Vec<String> = values(steps, tree, missing)?.into_iter().map(plain).collect();
                text.push_str(&found.join(" "));
            }
            Node::Range(steps, body) => {
                for item in values(steps, tree, missing)? {
                    render(body, item, missing, text)?;
                }
            }
        }
    }
    Ok(())
}

pub(super) fn values<'a>(steps: &[Step], tree: &'a Value, missing: Missing) -> Result<Vec<&'a Value>, JsonPathError> {
    let mut found = vec![tree];
    for step in steps {
        let mut next = vec![];
        for value in &found {
            take(step, value, &mut next);
        }
        if next.is_empty()
            && missing == Missing::Error
            && let Step::Field(name) = step
        {
            return Err(JsonPathError::Missing(name.clone()));
        }
        found = next;
    }
    Ok(found)
}

/// Adds what `step` leads to from `value`.
fn take<'a>(step: &Step, value: &'a Value, found: &mut Vec<&'a Value>) {
    match (step, value) {
        (Step::Field(name), Value::Object(fields)) => found.extend(fields.get(name)),
        (Step::Wildcard, Value::Array(items)) => found.extend(items),
        (Step::Wildcard, Value::Object(fields)) => found.extend(fields.values()),
        (Step::Descend(name), value) => descend(name.as_deref(), value, found),
        (Step::Index(index), Value::Array(items)) => {
            found.extend(position(*index, items.len()).and_then(|at| items.get(at)));
        }
        (Step::Slice { from, to, step }, Value::Array(items)) => {
            let bound = |at: i64| position(at, items.len()).unwrap_or(0).min(items.len());
            let (from, to) = (from.map_or(0, bound), to.map_or(items.len(), bound));
            let step = usize::try_from(*step).unwrap_or(1).max(1);
            found.extend(items.get(from..to).unwrap_or_default().iter().step_by(step));
        }
        (Step::Union(steps), value) => steps.iter().for_each(|step| take(step, value, found)),
        (Step::Filter(filter), Value::Array(items)) => found.extend(items.iter().filter(|item| holds(filter, item))),
        (Step::Filter(filter), Value::Object(fields)) => {
            found.extend(fields.values().filter(|item| holds(filter, item)));
        }
        (Step::Field(_) | Step::Wildcard | Step::Index(_) | Step::Slice { .. } | Step::Filter(_), _) => {}
    }
}

/// A place counted from the begin, or from the end where it is negative.
fn position(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index + len as i64 } else { index };
    usize::try_from(index).ok()
}

fn descend<'a>(name: Option<&str>, value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if name.is_none_or(|name| name == key) {
                    found.push(value);
                }
                descend(name, value, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                if name.is_none() {
                    found.push(item);
                }
                descend(name, item, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn holds(filter: &Filter, item: &Value) -> bool {
    match filter {
        Filter::All(filters) => filters.iter().all(|filter| holds(filter, item)),
        Filter::Any(filters) => filters.iter().any(|filter| holds(filter, item)),
        Filter::Exists(operand) => operand_value(operand, item).is_some(),
        Filter::Compare(left, comparison, right) => match (operand_value(left, item), operand_value(right, item)) {
            (Some(left), Some(right)) => compare(left, *comparison, right),
            _ => false,
        },
    }
}

fn operand_value<'a>(operand: &'a Operand, item: &'a Value) -> Option<&'a Value> {
    match operand {
        Operand::Literal(literal) => Some(literal),
        Operand::Item(steps) => values(steps, item, Missing::Empty).ok()?.into_iter().next(),
    }
}

fn compare(left: &Value, comparison: Comparison, right: &Value) -> bool {
    let order = order(left, right);
    match comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

/// The order of two values of one type; `None` where they cannot be compared.
pub(crate) fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (left, right) => (left == right).then_some(Ordering::Equal),
    }
}
