//! Claims that look after devices whoever uses them: only in namespaces that an administrator has set aside for that.
//! k8s: `pkg/registry/resource`, AuthorizedForAdmin

use super::{Call, Context, Operation};
use crate::auth::objects::{NAMESPACES, find};
use crate::error::ApiError;
use kinds::errors::FieldError;
use serde_json::{Value, json};

const GROUP: &str = "resource.k8s.io";
const LABEL: &str = "resource.kubernetes.io/admin-access";

/// What a claim is in a claim and in a template.
fn claim(call: &Call<'_>) -> Option<&'static str> {
    let claims = [("resourceclaims", "spec"), ("resourceclaimtemplates", "spec.spec")];
    claims.into_iter().find(|(plural, _)| call.is(GROUP, plural, "")).map(|(_, at)| at)
}

/// Whether taints of devices are written.
pub(super) fn has_taints(call: &Call<'_>) -> bool {
    let kinds = ["resourceslices", "devicetaintrules"];
    matches!(call.operation, Operation::Create | Operation::Update) && kinds.iter().any(|kind| call.is(GROUP, kind, ""))
}

/// k8s: a taint without a time has been added now; pods are tolerated from then on
pub(super) fn date_taints(context: &Context, object: &mut Value) {
    let now = context.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let spec = &mut object["spec"];
    let date = |taint: &mut Value| {
        if taint.is_object() && taint["timeAdded"].is_null() {
            taint["timeAdded"] = json!(now);
        }
    };
    if let Some(taint) = spec.get_mut("taint") {
        date(taint);
    }
    for device in spec.get_mut("devices").and_then(Value::as_array_mut).into_iter().flatten() {
        device.get_mut("taints").and_then(Value::as_array_mut).into_iter().flatten().for_each(date);
    }
}

/// Specs do not change, so only creates are asked.
pub(super) fn applies(call: &Call<'_>) -> bool {
    call.operation == Operation::Create && claim(call).is_some()
}

pub(super) async fn validate(context: &Context, call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    let (Some(at), Some(kind)) = (claim(call), call.request.kind.as_ref()) else { return Ok(()) };
    let list = at.split('.').fold(object, |value, field| &value[field])["devices"]["requests"].as_array();
    let wants = |request: &&Value| request["exactly"]["adminAccess"] == true;
    let wanting: Vec<usize> =
        list.into_iter().flatten().enumerate().filter(|(_, request)| wants(request)).map(|(i, _)| i).collect();
    if wanting.is_empty() {
        return Ok(());
    }
    let namespace = find(context.objects.as_ref(), NAMESPACES, "", call.ns()).await?;
    if namespace.is_some_and(|namespace| namespace["metadata"]["labels"][LABEL] == "true") {
        return Ok(());
    }
    let why = format!("admin access to devices requires the `{LABEL}: true` label on the containing namespace");
    let path = |i: usize| format!("{at}.devices.requests[{i}].exactly.adminAccess");
    let errors = wanting.into_iter().map(|i| FieldError::forbidden(path(i), why.clone())).collect();
    Err(ApiError::invalid(kind.row(), call.name_of(object), errors))
}
