//! `autoscaling/v1 Scale`: the replicas of a workload, apart from the rest of it.

use crate::error::{ApiError, Qualified};
use crate::registry::patch::Patch;
use crate::registry::{Call, Registry, metadata};
use crate::request::Verb;
use kinds::custom::{self, Custom};
use kinds::errors::FieldError;
use kinds::kind::Kind;
use kinds::schema::decode::Strictness;
use kinds::schema::lookup;
use kinds::selector::LabelSelector;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Definition of Scale in the schema table, for strategic merges.
const SCHEMA: &str = "io.k8s.api.autoscaling.v1.Scale";

/// Where a kind keeps what its Scale shows, as dotted paths.
struct Paths<'a> {
    spec_replicas: &'a str,
    status_replicas: &'a str,
    selector: Option<&'a str>,
}

impl<'a> Paths<'a> {
    fn of(kind: &'a dyn Kind) -> Self {
        match kind.custom().and_then(Custom::scale) {
            Some(custom) => Self {
                spec_replicas: &custom.spec_replicas,
                status_replicas: &custom.status_replicas,
                selector: custom.selector.as_deref(),
            },
            None => Self {
                spec_replicas: "spec.replicas",
                status_replicas: "status.replicas",
                selector: Some("spec.selector"),
            },
        }
    }
}

/// The Scale of a stored workload.
pub fn of(kind: &dyn Kind, object: &Value) -> Value {
    let paths = Paths::of(kind);
    let mut meta = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = metadata::get(object, field) {
            meta[field] = value.clone();
        }
    }
    let count = |path: &str| kinds::tree::integer(object, path);
    let mut scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta,
        "spec": {}, "status": { "replicas": count(paths.status_replicas) },
    });
    if count(paths.spec_replicas) != 0 {
        scale["spec"]["replicas"] = count(paths.spec_replicas).into();
    }
    let selector = paths.selector.and_then(|path| kinds::tree::at(object, path)).unwrap_or(&Value::Null);
    let selector = selector.as_str().map_or_else(|| selector_text(selector), str::to_owned);
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
        Ok(of(call.kind.as_ref(), &serde_json::from_slice(&json).unwrap_or_default()))
    }

    pub async fn update_scale(&self, call: &Call<'_>, scale: &Value) -> Result<Value, ApiError> {
        let scale = checked(scale, Strictness::Ignore)?;
        let make = |current: &Value| with_scale(call, current, &scale);
        self.change(call, Verb::Update, &make).await.map(|written| of(call.kind.as_ref(), &written.value()))
    }

    pub async fn patch_scale(&self, call: &Call<'_>, patch: &Patch) -> Result<Value, ApiError> {
        if let Some(config) = patch.applied() {
            return self.apply_scale(call, config).await;
        }
        let make = |current: &Value| {
            let patched = patch.apply(lookup(SCHEMA), &of(call.kind.as_ref(), current))?;
            with_scale(call, current, &checked(&patched, Strictness::Ignore)?)
        };
        self.change(call, Verb::Patch, &make).await.map(|written| of(call.kind.as_ref(), &written.value()))
    }

    /// A Scale that is applied is its replicas applied to the workload.
    async fn apply_scale(&self, call: &Call<'_>, config: &Value) -> Result<Value, ApiError> {
        call.require_manager()?;
        let config = checked(config, Strictness::Stated)?;
        let mut of_parent = json!({ "metadata": config.get("metadata").cloned().unwrap_or_default() });
        if let Some(replicas) = config.pointer("/spec/replicas") {
            custom::definition::put(&mut of_parent, Paths::of(call.kind.as_ref()).spec_replicas, replicas.clone());
            replicas_of(call, &config)?;
        }
        self.apply_checked(call, &of_parent).await.map(|written| of(call.kind.as_ref(), &written.value()))
    }
}

/// Puts the replicas of `sent` into `kept`, and nothing else.
pub(super) fn take_replicas(kind: &dyn Kind, kept: &mut Value, sent: &Value) {
    let path = Paths::of(kind).spec_replicas;
    if let Some(replicas) = kinds::tree::at(sent, path) {
        custom::definition::put(kept, path, replicas.clone());
    }
}

/// Puts what admission made of the Scale into the workload.
pub(crate) fn take(call: &Call<'_>, kept: &mut Value, scale: &Value) -> Result<(), ApiError> {
    let replicas = replicas_of(call, scale)?;
    custom::definition::put(kept, Paths::of(call.kind.as_ref()).spec_replicas, replicas.into());
    Ok(())
}

/// The body of a write has the types of a Scale.
fn checked(scale: &Value, strictness: Strictness) -> Result<Value, ApiError> {
    let text = |field| scale.get(field).and_then(Value::as_str).unwrap_or("");
    if !matches!(text("kind"), "" | "Scale") {
        let (kind, version) = (text("kind"), text("apiVersion"));
        let why = format!("no kind {kind:?} is registered for the scale subresource");
        let message = format!("{kind} in version {version:?} cannot be handled as a Scale: {why}");
        return Err(ApiError::bad_request(message));
    }
    let schema = lookup(SCHEMA).ok_or_else(|| ApiError::internal("the schema table has no Scale"))?;
    schema.decode_tree(scale.clone(), strictness).map(|decoded| decoded.object).map_err(|error| {
        ApiError::bad_request(format!("Scale in version \"v1\" cannot be handled as a Scale: {error}"))
    })
}

fn replicas_of(call: &Call<'_>, scale: &Value) -> Result<i64, ApiError> {
    match scale.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(0) {
        replicas if replicas < 0 => {
            let error = FieldError::invalid("spec.replicas", replicas, "must be greater than or equal to 0");
            let kind = Qualified::new("autoscaling", "Scale");
            Err(ApiError::Invalid { kind, name: call.name.to_owned(), errors: vec![error] })
        }
        replicas => Ok(replicas),
    }
}

fn with_scale(call: &Call<'_>, current: &Value, scale: &Value) -> Result<Value, ApiError> {
    let name = metadata::text(scale, "name");
    if name != call.name {
        let why = format!("the name of the object ({name}) does not match the name on the URL ({})", call.name);
        return Err(ApiError::bad_request(why));
    }
    let replicas = replicas_of(call, scale)?;
    let (uid, stored) = (metadata::text(scale, "uid"), metadata::text(current, "uid"));
    if !uid.is_empty() && uid != stored {
        let row = call.row();
        let resource = Qualified::new(&row.group, &format!("{}/scale", row.plural));
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {stored}");
        return Err(ApiError::Conflict { resource, name: call.name.to_owned(), why });
    }
    let mut new = current.clone();
    custom::definition::put(&mut new, Paths::of(call.kind.as_ref()).spec_replicas, replicas.into());
    match metadata::text(scale, "resourceVersion") {
        "" => metadata::unset(&mut new, "resourceVersion"),
        rev => metadata::set(&mut new, "resourceVersion", rev),
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
        let kind = kinds::table::find("apps", "v1", "deployments").unwrap();
        let scale = of(kind.as_ref(), &deployment);
        assert_eq!(scale["status"], json!({"replicas": 2, "selector": "app=web"}));
        assert_eq!(scale["spec"], json!({"replicas": 3}));
        assert_eq!(scale["metadata"], json!({"name": "web"}));
    }
}
