//! RuntimeClass: a pod's class must exist, and brings its overhead and where such pods may run.
//! k8s: `plugin/pkg/admission/runtimeclass`

use super::{Call, Context, pod};
use crate::auth::objects::{RUNTIME_CLASSES, find};
use crate::error::ApiError;
use serde_json::{Map, Value, json};

const UNFOUNDED: &str = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";

pub(super) async fn mutate(context: &Context, call: &Call<'_>, object: &mut Value) -> Result<(), ApiError> {
    let name = object["spec"]["runtimeClassName"].as_str().filter(|name| !name.is_empty());
    let Some(name) = name.map(str::to_owned) else {
        return if no_overhead(object) { Ok(()) } else { Err(call.forbidden(call.name_of(object), UNFOUNDED)) };
    };
    let Some(class) = find(context.objects.as_ref(), RUNTIME_CLASSES, "", &name).await? else {
        let why = format!("pod rejected: RuntimeClass {name:?} not found");
        return Err(call.forbidden(call.name_of(object), why));
    };
    overhead(call, object, &class)?;
    node_selector(call, object, &class)?;
    tolerations(object, &class);
    Ok(())
}

fn no_overhead(pod: &Value) -> bool {
    pod["spec"]["overhead"].as_object().is_none_or(Map::is_empty)
}

fn overhead(call: &Call<'_>, pod: &mut Value, class: &Value) -> Result<(), ApiError> {
    let fixed = class["overhead"]["podFixed"].as_object().filter(|fixed| !fixed.is_empty());
    match fixed {
        Some(fixed) if no_overhead(pod) => {
            pod["spec"]["overhead"] = json!(fixed);
            Ok(())
        }
        Some(fixed) if pod["spec"]["overhead"] == json!(fixed) => Ok(()),
        None if no_overhead(pod) => Ok(()),
        Some(_) => {
            let why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
            Err(call.forbidden(call.name_of(pod), why))
        }
        None => Err(call.forbidden(call.name_of(pod), UNFOUNDED)),
    }
}

fn node_selector(call: &Call<'_>, pod: &mut Value, class: &Value) -> Result<(), ApiError> {
    for (key, value) in class["scheduling"]["nodeSelector"].as_object().into_iter().flatten() {
        match pod["spec"]["nodeSelector"].get(key) {
            Some(own) if own != value => {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let why = format!(
                    "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {}; pod.spec.nodeSelector[{key}] = {}",
                    text(value),
                    text(own)
                );
                return Err(call.forbidden(call.name_of(pod), why));
            }
            Some(_) => {}
            None => pod["spec"]["nodeSelector"][key] = value.clone(),
        }
    }
    Ok(())
}

fn tolerations(pod: &mut Value, class: &Value) {
    let more = class["scheduling"]["tolerations"].as_array().filter(|more| !more.is_empty());
    let Some(more) = more else { return };
    let own = pod::array(&mut pod["spec"], "tolerations");
    for toleration in more {
        if !own.contains(toleration) {
            own.push(toleration.clone());
        }
    }
}
