//! Puts an applied configuration into the live object as the schema says: objects field by field, keyed lists item by item
//! in the order of the configuration, everything else as a whole.
//!
//! k8s: structured-merge-diff's `TypedValue.Merge`

use super::element::{ElementError, Naming};
use kinds::schema::{Context, Parts};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Why a configuration cannot be merged, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct MergeError {
    pub path: String,
    pub why: String,
}

impl MergeError {
    fn at(mut self, element: &str) -> Self {
        self.path.insert_str(0, &super::set::shown(element));
        self
    }

    fn item(index: usize, error: &ElementError) -> Self {
        Self { path: String::new(), why: format!("element {index}: {error}") }
    }
}

pub fn merge(live: &Value, config: &Value, context: Context<'_>) -> Result<Value, MergeError> {
    merge_value(Some(live), Some(config), context)
}

/// At least one of them is there.
fn merge_value(live: Option<&Value>, config: Option<&Value>, context: Context<'_>) -> Result<Value, MergeError> {
    let whole = config.or(live).cloned().unwrap_or(Value::Null);
    match (context.parts(&whole), live, &whole) {
        (Parts::Keys, live, Value::Object(_)) => {
            let (live, config) = (live.and_then(Value::as_object), config.and_then(Value::as_object));
            merge_fields(live, config, context).map(Value::Object)
        }
        (Parts::Keyed(_) | Parts::Values, live, Value::Array(_)) => match Naming::of(context) {
            Some(naming) => {
                let items = |side: Option<&Value>| side.and_then(Value::as_array).cloned().unwrap_or_default();
                merge_items(&items(live), &items(config), &naming).map(Value::Array)
            }
            None => Ok(whole),
        },
        _ => Ok(whole),
    }
}

fn merge_fields(
    live: Option<&Map<String, Value>>,
    config: Option<&Map<String, Value>>,
    context: Context<'_>,
) -> Result<Map<String, Value>, MergeError> {
    let mut merged = live.cloned().unwrap_or_default();
    for (name, wanted) in config.into_iter().flatten() {
        let before = live.and_then(|live| live.get(name));
        let value =
            merge_value(before, Some(wanted), context.field(name)).map_err(|error| error.at(&format!("f:{name}")))?;
        merged.insert(name.clone(), value);
    }
    Ok(merged)
}

/// The configuration's items come in its order; items that only the live list has keep their place between those that both
/// have. What the live list has twice is replaced by what the configuration says of it, or kept.
fn merge_items(live: &[Value], config: &[Value], naming: &Naming<'_>) -> Result<Vec<Value>, MergeError> {
    let wanted = elements(config, naming)?;
    let present = elements(live, naming)?;
    let mut config_by: BTreeMap<&str, &Value> = BTreeMap::new();
    for (element, item) in wanted.iter().zip(config) {
        if config_by.insert(element, item).is_some() {
            let why = format!("duplicate entries for key {}", super::set::shown(element));
            return Err(MergeError { path: String::new(), why });
        }
    }
    let mut live_by: BTreeMap<&str, Option<&Value>> = BTreeMap::new();
    for (element, item) in present.iter().zip(live) {
        // Of two that have one name neither is merged into.
        live_by.entry(element).and_modify(|known| *known = None).or_insert(Some(item));
    }
    let mut shared: VecDeque<&str> =
        wanted.iter().map(String::as_str).filter(|element| live_by.contains_key(element)).collect();
    let mut next_shared = shared.pop_front();
    let mut done = BTreeSet::new();
    let mut merged = Vec::with_capacity(live.len().max(config.len()));
    let (mut l, mut r) = (0, 0);
    while l < present.len() || r < wanted.len() {
        if let Some(element) = present.get(l).map(String::as_str) {
            if !config_by.contains_key(element) {
                merged.push(live[l].clone());
                l += 1;
                continue;
            }
            // Already merged, or its turn comes later.
            if done.contains(element) || (r < wanted.len() && next_shared.is_some_and(|next| next != element)) {
                l += 1;
                continue;
            }
        }
        let Some(element) = wanted.get(r).map(String::as_str) else { continue };
        let before = live_by.get(element).copied().flatten();
        let value = merge_value(before, Some(&config[r]), naming.item()).map_err(|error| error.at(element))?;
        merged.push(value);
        done.insert(element);
        r += 1;
        if next_shared == Some(element) {
            next_shared = shared.pop_front();
        }
    }
    Ok(merged)
}

fn elements(items: &[Value], naming: &Naming<'_>) -> Result<Vec<String>, MergeError> {
    let name = |(index, item)| naming.element(item).map_err(|error| MergeError::item(index, &error));
    items.iter().enumerate().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn finalizers(live: &[&str], config: &[&str]) -> String {
        let context = Context::of(kinds::schema::lookup("io.k8s.api.core.v1.Pod"));
        let object = |list: &[&str]| json!({"metadata": {"finalizers": list}});
        let merged = merge(&object(live), &object(config), context).unwrap();
        let list = merged["metadata"]["finalizers"].as_array().unwrap().clone();
        list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lists_take_the_order_of_the_configuration() {
        let table: &[(&[&str], &[&str], &str)] = &[
            (&[], &["a", "b"], "a b"),
            (&["x", "y"], &["a", "b"], "x y a b"),
            (&["a", "b"], &["b", "a"], "b a"),
            (&["a", "x", "b"], &["a", "b"], "a x b"),
            (&["x", "a", "y", "b", "z"], &["b", "a"], "x y b z a"),
            (&["a", "b"], &["c", "b"], "a c b"),
            (&["x"], &["x"], "x"),
        ];
        for (live, config, expected) in table {
            assert_eq!(finalizers(live, config), *expected, "{live:?} {config:?}");
        }
    }

    #[test]
    fn what_the_configuration_names_twice_is_refused() {
        let context = Context::of(kinds::schema::lookup("io.k8s.api.core.v1.Pod"));
        let config = json!({"metadata": {"finalizers": ["a/b", "a/b"]}});
        let error = merge(&json!({}), &config, context).unwrap_err();
        assert_eq!(error.to_string(), ".metadata.finalizers: duplicate entries for key [=\"a/b\"]");
    }

    #[test]
    fn ports_are_told_apart_by_number_and_protocol() {
        let context = Context::of(kinds::schema::lookup("io.k8s.api.core.v1.Pod"));
        let pod = |ports: Value| json!({"spec": {"containers": [{"name": "c", "ports": ports}]}});
        let live = pod(json!([{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]));
        let config = pod(json!([{"containerPort": 53, "name": "dns"}]));
        let merged = merge(&live, &config, context).unwrap();
        assert_eq!(
            merged["spec"]["containers"][0]["ports"],
            json!([{"containerPort": 53, "protocol": "TCP", "name": "dns"}, {"containerPort": 53, "protocol": "UDP"}])
        );
    }
}
