//! AdmissionReview: the question to a webhook, and what its answer means.
//! k8s: `plugin/webhook/request`, `plugin/webhook/errors`

use super::super::attributes;
use super::hook::Hook;
use super::{Call, Warnings};
use crate::error::ApiError;
use crate::registry::create::new_uid;
use crate::registry::operations;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kinds::kind::Kind;
use kinds::tree::text;
use serde_json::{Value, json};

const API_VERSION: &str = "admission.k8s.io/v1";
const REVIEW: &str = "AdmissionReview";

pub(super) enum Judgement {
    Allowed(Answer),
    Denied(ApiError),
}

#[derive(Debug, Default)]
pub(super) struct Answer {
    pub warnings: Warnings,
    pub patch: Option<json_patch::Patch>,
}

/// The question, with the uid that its answer must repeat. `objects` are the object and the one before, as the hook sees
/// them.
pub(super) fn question(call: &Call<'_>, kind: &dyn Kind, objects: [&Value; 2]) -> (String, Value) {
    let uid = new_uid();
    let [object, old] = objects;
    let mut question = attributes::request(call, kind, object);
    question["uid"] = json!(uid);
    question["object"] = object.clone();
    question["oldObject"] = old.clone();
    (uid, json!({"apiVersion": API_VERSION, "kind": REVIEW, "request": question}))
}

/// k8s: `VerifyAdmissionResponse`. `Err`: the answer is none, which is the webhook's failure and not its verdict.
pub(super) fn judge(hook: &Hook, uid: &str, review: &Value) -> Result<Judgement, String> {
    let invalid = |why: String| Err(format!("received invalid webhook response: {why}"));
    let (version, kind) = (text(review, "apiVersion"), text(review, "kind"));
    if (version, kind) != (API_VERSION, REVIEW) {
        return invalid(format!(
            "expected webhook response of {API_VERSION}, Kind={REVIEW}, got {version}, Kind={kind}"
        ));
    }
    let response = &review["response"];
    if !response.is_object() {
        return invalid("webhook response was absent".to_owned());
    }
    let found = text(response, "uid");
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

/// What the webhook has to say to the audit, whatever its verdict.
pub(super) fn annotations(review: &Value) -> impl Iterator<Item = (&str, &str)> {
    let all = review["response"]["auditAnnotations"].as_object().into_iter().flatten();
    all.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

fn invalid_text<T>(why: String) -> Result<T, String> {
    Err(format!("received invalid webhook response: {why}"))
}

fn patch(response: &Value) -> Result<Option<json_patch::Patch>, String> {
    let (encoded, kind) = (text(response, "patch"), text(response, "patchType"));
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
    let (message, reason) = (text(status, "message"), text(status, "reason"));
    let denied = format!("admission webhook {hook:?} denied the request");
    let message = match (message, reason) {
        ("", "") => format!("{denied} without explanation"),
        ("", reason) => format!("{denied}: {reason}"),
        (message, _) => format!("{denied}: {message}"),
    };
    ApiError::Passed { code: code.unwrap_or(400), reason: reason.to_owned(), message }
}

/// `shown` after the patch.
pub(super) fn patched(hook: &Hook, shown: &Value, patch: &json_patch::Patch) -> Result<Value, ApiError> {
    if !shown.is_object() {
        return Err(ApiError::internal(format!(
            "admission webhook {:?} attempted to modify the object, which is not supported for this operation",
            hook.name
        )));
    }
    let mut patched = shown.clone();
    operations::run(&mut patched, &patch.0).map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(patched)
}
