//! `autoscaling/v1 Scale`: the replicas of a workload, apart from the rest of it.

use crate::error::ApiError;
use crate::registry::patch::Patch;
use crate::registry::{Call, Registry, Written, metadata};
use crate::request::Verb;
use kinds::errors::FieldError;
use kinds::schema::lookup;
use kinds::selector::LabelSelector;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Definition of Scale in the schema table, for strategic merges.
const SCHEMA: &str = "io.k8s.api.autoscaling.v1.Scale";

/// The Scale of a stored workload.
pub fn of(object: &Value) -> Value {
    let mut meta = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = metadata::get(object, field) {
            meta[field] = value.clone();
        }
    }
    let count = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    let mut scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta,
        "spec": {}, "status": { "replicas": count("/status/replicas") },
    });
    if count("/spec/replicas") != 0 {
        scale["spec"]["replicas"] = count("/spec/replicas").into();
    }
    let selector = selector_text(object.pointer("/spec/selector").unwrap_or(&Value::Null));
    if !selector.is_empty() {
        scale["status"]["selector"] = selector.into();
    }
    scale
}

/// The selector in query form; autoscalers and printers read it.
fn selector_text(selector: &Value) -> String {
    let is_meta = selector.get("matchLabels").is_some() || selector.get("matchExpressions").is_some();
    let parsed = if is_meta {
        serde_json::from_value(selector.clone()).ok().and_then(|meta| LabelSelector::from_meta(&meta).ok())
    } else {
        // A ReplicationController has a plain map.
        serde_json::from_value::<BTreeMap<String, String>>(selector.clone())
            .ok()
            .map(|map| LabelSelector::from_map(&map))
    };
    parsed.map(|selector| selector.to_string()).unwrap_or_default()
}

impl Registry {
    pub async fn scale(&self, call: &Call<'_>) -> Result<Value, ApiError> {
        let json = self.get(call).await?;
        Ok(of(&serde_json::from_slice(&json).unwrap_or_default()))
    }

    pub async fn update_scale(&self, call: &Call<'_>, scale: &Value) -> Result<Value, ApiError> {
        let make = |current: &Value| with_scale(call, current, scale);
        self.change(call, Verb::Update, &make).await.map(|written| shown(&written))
    }

    pub async fn patch_scale(&self, call: &Call<'_>, patch: &Patch) -> Result<Value, ApiError> {
        let make = |current: &Value| with_scale(call, current, &patch.apply(lookup(SCHEMA), &of(current))?);
        self.change(call, Verb::Patch, &make).await.map(|written| shown(&written))
    }
}

fn shown(written: &Written) -> Value {
    of(&written.value())
}

fn with_scale(call: &Call<'_>, current: &Value, scale: &Value) -> Result<Value, ApiError> {
    let name = metadata::text(scale, "name");
    if !name.is_empty() && name != call.name {
        let why = format!("the name of the object ({name}) does not match the name on the URL ({})", call.name);
        return Err(ApiError::bad_request(why));
    }
    let replicas = match scale.pointer("/spec/replicas") {
        None | Some(Value::Null) => 0,
        Some(value) => value.as_i64().ok_or_else(|| ApiError::bad_request("spec.replicas must be a whole number"))?,
    };
    if replicas < 0 {
        let error = FieldError::invalid("spec.replicas", replicas, "must be greater than or equal to 0");
        let kind = crate::error::Qualified::new("autoscaling", "Scale");
        return Err(ApiError::Invalid { kind, name: call.name.to_owned(), errors: vec![error] });
    }
    let mut new = current.clone();
    new["spec"]["replicas"] = replicas.into();
    for field in ["resourceVersion", "uid"] {
        match metadata::text(scale, field) {
            "" => {}
            given => metadata::set(&mut new, field, given),
        }
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selector_is_shown_as_a_query() {
        let deployment = json!({
            "metadata": {"name": "web", "labels": {"x": "y"}},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}},
            "status": {"replicas": 2},
        });
        let scale = of(&deployment);
        assert_eq!(scale["status"], json!({"replicas": 2, "selector": "app=web"}));
        assert_eq!(scale["spec"], json!({"replicas": 3}));
        assert_eq!(scale["metadata"], json!({"name": "web"}));
    }
}
