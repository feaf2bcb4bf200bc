//! AdmissionReview: the question to a webhook, and what its answer means.
//! k8s: `plugin/webhook/request`, `plugin/webhook/errors`

use super::hook::Hook;
use super::{Call, Operation, Warnings, operation};
use crate::auth::review::user_info;
use crate::error::ApiError;
use crate::registry::create::new_uid;
use crate::registry::{self, view};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kinds::kind::Kind;
use kinds::schema::decode::Strictness;
use serde_json::{Value, json};
use std::sync::Arc;

const API_VERSION: &str = "admission.k8s.io/v1";
const REVIEW: &str = "AdmissionReview";

/// In which version a hook sees the operation.
pub(super) struct Invocation {
    kind: Arc<dyn Kind>,
}

impl Invocation {
    pub(super) fn new(kind: Arc<dyn Kind>) -> Self {
        Self { kind }
    }

    /// An object as the hook sees it.
    fn shown(&self, object: Option<&Value>) -> Value {
        let Some(object) = object.filter(|object| object.is_object()) else { return Value::Null };
        view::to_kind(self.kind.as_ref(), object).unwrap_or_else(|| object.clone())
    }
}

pub(super) enum Judgement {
    Allowed(Answer),
    Denied(ApiError),
}

#[derive(Debug, Default)]
pub(super) struct Answer {
    pub warnings: Warnings,
    pub patch: Option<json_patch::Patch>,
}

/// The question, with the uid that its answer must repeat. `object` is `Null` for deletes and connects.
pub(super) fn question(call: &Call<'_>, invocation: &Invocation, object: &Value) -> (String, Value) {
    let uid = new_uid();
    let request = call.request;
    let row = invocation.kind.row();
    let kind = body_kind(call).unwrap_or_else(|| json!({"group": row.group, "version": row.version, "kind": row.kind}));
    let asked_kind = request.kind.as_ref().map(|kind| kind.row());
    let asked_kind = asked_kind.map(|row| json!({"group": row.group, "version": row.version, "kind": row.kind}));
    let name = match call.name() {
        "" => call.name_of(object),
        name => name,
    };
    let mut question = json!({
        "uid": uid,
        "kind": kind,
        "resource": {"group": row.group, "version": row.version, "resource": row.plural},
        "requestKind": body_kind(call).or(asked_kind),
        "requestResource": {"group": request.group, "version": request.version, "resource": request.resource},
        "name": name,
        "operation": operation(call),
        "userInfo": user_info(call.identity()),
        "object": if call.operation == Operation::Connect { connect_options(call) } else { invocation.shown(Some(object)) },
        "oldObject": invocation.shown(call.old),
        "dryRun": request.options.dry_run,
        "options": options(call),
    });
    for (field, value) in
        [("namespace", call.ns()), ("subResource", call.subresource()), ("requestSubResource", call.subresource())]
    {
        if !value.is_empty() {
            question[field] = json!(value);
        }
    }
    (uid, json!({"apiVersion": API_VERSION, "kind": REVIEW, "request": question}))
}

/// The body of a connection is the options of its query.
fn body_kind(call: &Call<'_>) -> Option<Value> {
    if call.operation != Operation::Connect {
        return None;
    }
    let kind = match (call.resource(), call.subresource()) {
        ("pods", "exec") => "PodExecOptions",
        ("pods", "attach") => "PodAttachOptions",
        ("pods", "portforward") => "PodPortForwardOptions",
        ("pods", "proxy") => "PodProxyOptions",
        ("services", "proxy") => "ServiceProxyOptions",
        ("nodes", "proxy") => "NodeProxyOptions",
        _ => return None,
    };
    Some(json!({"group": "", "version": "v1", "kind": kind}))
}

fn connect_options(call: &Call<'_>) -> Value {
    let Some(kind) = body_kind(call) else { return Value::Null };
    let asked = &call.request.options;
    let mut object = json!({"apiVersion": "v1", "kind": kind["kind"]});
    match call.subresource() {
        "proxy" => object["path"] = json!(format!("/{}", call.request.rest)),
        "portforward" => {
            let ports: Vec<u16> =
                asked.raw_all("ports").flat_map(|text| text.split(',')).filter_map(|port| port.parse().ok()).collect();
            if !ports.is_empty() {
                object["ports"] = json!(ports);
            }
        }
        _ => {
            for flag in ["stdin", "stdout", "stderr", "tty"] {
                if asked.raw(flag).is_some_and(|value| matches!(value, "true" | "1")) {
                    object[flag] = json!(true);
                }
            }
            if let Some(container) = asked.raw("container").filter(|name| !name.is_empty()) {
                object["container"] = json!(container);
            }
            let command: Vec<&str> = asked.raw_all("command").collect();
            if !command.is_empty() {
                object["command"] = json!(command);
            }
        }
    }
    object
}

fn options(call: &Call<'_>) -> Value {
    let kind = match call.operation {
        Operation::Create => "CreateOptions",
        Operation::Update => "UpdateOptions",
        Operation::Delete => "DeleteOptions",
        Operation::Connect => return Value::Null,
    };
    let asked = &call.request.options;
    let mut options = json!({"apiVersion": "meta.k8s.io/v1", "kind": kind});
    if asked.dry_run {
        options["dryRun"] = json!(["All"]);
    }
    if !asked.field_manager.is_empty() && call.operation != Operation::Delete {
        options["fieldManager"] = json!(asked.field_manager);
    }
    options
}

/// k8s: `VerifyAdmissionResponse`. `Err`: the answer is none, which is the webhook's failure and not its verdict.
pub(super) fn judge(hook: &Hook, uid: &str, review: &Value) -> Result<Judgement, String> {
    let invalid = |why: String| Err(format!("received invalid webhook response: {why}"));
    let (version, kind) = (text(review, "/apiVersion"), text(review, "/kind"));
    if (version, kind) != (API_VERSION, REVIEW) {
        return invalid(format!(
            "expected webhook response of {API_VERSION}, Kind={REVIEW}, got {version}, Kind={kind}"
        ));
    }
    let response = &review["response"];
    if !response.is_object() {
        return invalid("webhook response was absent".to_owned());
    }
    let found = text(response, "/uid");
    if found != uid {
        return invalid(format!("expected response.uid={uid:?}, got {found:?}"));
    }
    let patch = patch(response).or_else(invalid_text)?;
    let warnings = response["warnings"].as_array().into_iter().flatten();
    let warnings = warnings.filter_map(Value::as_str).map(str::to_owned).collect();
    if response["allowed"] == true {
        return Ok(Judgement::Allowed(Answer { warnings, patch }));
    }
    Ok(Judgement::Denied(refusal(&hook.name, &response["status"])))
}

fn invalid_text<T>(why: String) -> Result<T, String> {
    Err(format!("received invalid webhook response: {why}"))
}

fn patch(response: &Value) -> Result<Option<json_patch::Patch>, String> {
    let (encoded, kind) = (text(response, "/patch"), text(response, "/patchType"));
    match (encoded.is_empty(), kind) {
        (true, "") => return Ok(None),
        (true, _) => return Err("webhook returned response.patchType but not response.patch".to_owned()),
        (false, "") => return Err("webhook returned response.patch but not response.patchType".to_owned()),
        (false, "JSONPatch") => {}
        (false, other) => return Err(format!("invalid response.patchType {other:?}, expected \"JSONPatch\"")),
    }
    let bytes = STANDARD.decode(encoded).map_err(|error| format!("response.patch: {error}"))?;
    let patch = serde_json::from_slice(&bytes).map_err(|error| format!("undecodable patch: {error}"))?;
    Ok(Some(patch))
}

/// k8s: `ToStatusErr`
fn refusal(hook: &str, status: &Value) -> ApiError {
    let code = status["code"].as_u64().and_then(|code| u16::try_from(code).ok()).filter(|code| *code >= 400);
    let (message, reason) = (text(status, "/message"), text(status, "/reason"));
    let denied = format!("admission webhook {hook:?} denied the request");
    let message = match (message, reason) {
        ("", "") => format!("{denied} without explanation"),
        ("", reason) => format!("{denied}: {reason}"),
        (message, _) => format!("{denied}: {message}"),
    };
    ApiError::Passed { code: code.unwrap_or(400), reason: reason.to_owned(), message }
}

/// Applies a patch to the object in the hook's version, and makes a whole object of it again: what the type does not know
/// goes, what it defaults comes.
pub(super) fn apply(
    hook: &Hook,
    call: &Call<'_>,
    invocation: &Invocation,
    object: &mut Value,
    patch: &json_patch::Patch,
) -> Result<(), ApiError> {
    if patch.0.is_empty() {
        return Ok(());
    }
    if !object.is_object() {
        return Err(ApiError::internal(format!(
            "admission webhook {:?} attempted to modify the object, which is not supported for this operation",
            hook.name
        )));
    }
    let mut patched = invocation.shown(Some(object));
    json_patch::patch(&mut patched, patch).map_err(|error| ApiError::internal(error.to_string()))?;
    let asked = registry::Call::of(call.request)?;
    let patched = view::to_kind(asked.kind.as_ref(), &patched).unwrap_or(patched);
    let decoded = asked.kind.decode_tree(patched, Strictness::Ignore);
    let decoded = decoded.map_err(|error| ApiError::internal(format!("admission webhook {:?}: {error}", hook.name)))?;
    *object = decoded.object;
    asked.kind.default(object);
    Ok(())
}

fn text<'a>(tree: &'a Value, pointer: &str) -> &'a str {
    tree.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
