//! Priority: a pod's `priorityClassName` becomes its number and preemption policy. k8s: `plugin/pkg/admission/priority`.

use super::{Call, Context, Operation};
use crate::auth::objects::{PRIORITY_CLASSES, find};
use crate::error::ApiError;
use serde_json::{Value, json};
use std::sync::Arc;

const PREEMPT: &str = "PreemptLowerPriority";

pub(super) fn of_class(call: &Call<'_>) -> bool {
    matches!(call.operation, Operation::Create | Operation::Update)
        && call.is("scheduling.k8s.io", "priorityclasses", "")
}

pub(super) async fn mutate(context: &Context, call: &Call<'_>, object: &mut Value) -> Result<(), ApiError> {
    if let Some(old) = call.old {
        keep(&mut object["spec"], &old["spec"]);
        return Ok(());
    }
    let class = match object["spec"]["priorityClassName"].as_str().filter(|name| !name.is_empty()) {
        None => default_class(context),
        Some(name) => {
            let class = find(context.objects.as_ref(), PRIORITY_CLASSES, "", name).await?;
            let why = || format!("no PriorityClass with name {name} was found");
            Some(class.ok_or_else(|| call.forbidden(call.name_of(object), why()))?)
        }
    };
    let (name, value, policy) = match &class {
        None => ("", 0, PREEMPT),
        Some(class) => (
            class.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default(),
            class["value"].as_i64().unwrap_or_default(),
            class["preemptionPolicy"].as_str().unwrap_or(PREEMPT),
        ),
    };
    check_given(call, object, value, policy)?;
    let spec = &mut object["spec"];
    if !name.is_empty() {
        spec["priorityClassName"] = json!(name);
    }
    spec["priority"] = json!(value);
    spec["preemptionPolicy"] = json!(policy);
    Ok(())
}

/// A client may repeat what the class says, not contradict it.
fn check_given(call: &Call<'_>, object: &Value, value: i64, policy: &str) -> Result<(), ApiError> {
    let spec = &object["spec"];
    if let Some(given) = spec["priority"].as_i64().filter(|given| *given != value) {
        let why = format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller \
             computed {value} from the given PriorityClass name"
        );
        return Err(call.forbidden(call.name_of(object), why));
    }
    if let Some(given) = spec["preemptionPolicy"].as_str().filter(|given| *given != policy) {
        let why = format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission controller \
             computed {policy} from the given PriorityClass name"
        );
        return Err(call.forbidden(call.name_of(object), why));
    }
    Ok(())
}

/// Old clients leave out what the server had filled in.
fn keep(spec: &mut Value, old: &Value) {
    for field in ["priority", "preemptionPolicy"] {
        if spec[field].is_null() && !old[field].is_null() {
            spec[field] = old[field].clone();
        }
    }
}

/// With several (two made at the same time), the lowest counts.
fn default_class(context: &Context) -> Option<Arc<Value>> {
    let classes = context.objects.cached_list(PRIORITY_CLASSES, "");
    let defaults = classes.into_iter().filter(|class| class["globalDefault"] == true);
    defaults.min_by_key(|class| class["value"].as_i64())
}

/// At most one class is the default one.
pub(super) fn validate(context: &Context, call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    if object["globalDefault"] != true {
        return Ok(());
    }
    let other = default_class(context).filter(|class| class["metadata"]["name"] != object["metadata"]["name"]);
    match other {
        None => Ok(()),
        Some(class) => {
            let name = class["metadata"]["name"].as_str().unwrap_or_default();
            let why = format!("PriorityClass {name} is already marked as default. Only one default can exist");
            Err(call.forbidden(call.name_of(object), why))
        }
    }
}
