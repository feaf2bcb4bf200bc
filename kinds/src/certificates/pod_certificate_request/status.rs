//! What a signer may write: one decision, once, with the certificate where it is in favour.
//! k8s: ValidatePodCertificateRequestStatusUpdate

use crate::errors::{FieldError, FieldErrors};
use crate::validate::path::Path;
use crate::validate::{one_of, semantically_equal};
use k8s_openapi::api::certificates::v1::{PodCertificateRequest, PodCertificateRequestStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

const DECISIONS: [&str; 3] = ["Denied", "Failed", "Issued"];
const ISSUED: &str = "Issued";
/// k8s: MaxCertificateChainSize
const CHAIN_BYTES_MAX: usize = 100 * 1024;
const REASON_BYTES_MAX: usize = 1024;
const MESSAGE_BYTES_MAX: usize = 32 * 1024;

pub(super) fn of_change(request: &PodCertificateRequest, old: &PodCertificateRequest) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let (new, old) = (of(request), of(old));
    conditions(&new, &mut errors);
    if !errors.is_empty() {
        return errors;
    }
    let refuse = |detail: &str| FieldError::invalid("status", "<value omitted>", detail);
    match (decision(&old), decision(&new)) {
        (Some(_), _) if !semantically_equal(&new, &old) => {
            errors.push(refuse("immutable after PodCertificateRequest is issued, denied, or failed"));
        }
        (None, Some(ISSUED)) => certificate(&new, &mut errors),
        (None, Some(_)) => {
            let bare = PodCertificateRequestStatus { conditions: new.conditions.clone(), ..Default::default() };
            if !semantically_equal(&new, &bare) {
                let detail =
                    "non-condition status fields must be empty when denying or failing the PodCertificateRequest";
                errors.push(refuse(detail));
            }
        }
        (None, None) if !semantically_equal(&new, &old) => {
            let detail = r#"status is immutable unless transitioning to "Issued", "Denied", or "Failed""#;
            errors.push(refuse(detail));
        }
        (Some(_), _) | (None, None) => {}
    }
    errors
}

fn of(request: &PodCertificateRequest) -> PodCertificateRequestStatus {
    request.status.clone().unwrap_or_default()
}

fn decision(status: &PodCertificateRequestStatus) -> Option<&str> {
    let decided = |c: &&Condition| c.status == "True" && DECISIONS.contains(&c.type_.as_str());
    status.conditions.iter().flatten().find(decided).map(|condition| condition.type_.as_str())
}

fn conditions(status: &PodCertificateRequestStatus, errors: &mut FieldErrors) {
    let path = Path::new("status.conditions");
    for (i, condition) in status.conditions.iter().flatten().enumerate() {
        let at = path.index(i);
        one_of(&condition.type_, &DECISIONS, &at.child("type"), errors);
        if i > 0 {
            let detail = r#"There may be at most one condition with type "Issued", "Denied", or "Failed""#;
            errors.push(FieldError::invalid(at.child("type"), &condition.type_, detail));
        }
        one_of(&condition.status, &["True"], &at.child("status"), errors);
        reason(&condition.reason, &at.child("reason"), errors);
        if condition.message.len() > MESSAGE_BYTES_MAX {
            errors.push(FieldError::too_long(at.child("message"), MESSAGE_BYTES_MAX));
        }
    }
}

fn reason(reason: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    let bytes = reason.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return errors.push(FieldError::required(path, "must be set"));
    };
    let inner = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b',' | b':');
    let ends_well = last.is_ascii_alphanumeric() || *last == b'_';
    if !first.is_ascii_alphabetic() || !ends_well || !bytes.iter().all(inner) {
        let detail = "must be letters, digits, '_', ',' and ':', beginning with a letter and ending with a letter, a digit or '_'";
        errors.push(FieldError::invalid(path, reason, detail));
    }
    if bytes.len() > REASON_BYTES_MAX {
        errors.push(FieldError::too_long(path, REASON_BYTES_MAX));
    }
}

/// That all of it is there; admission compares it with the certificate itself.
fn certificate(status: &PodCertificateRequestStatus, errors: &mut FieldErrors) {
    let path = Path::new("status");
    if status.certificate_chain.as_ref().is_some_and(|chain| chain.len() > CHAIN_BYTES_MAX) {
        return errors.push(FieldError::too_long(path.child("certificateChain"), CHAIN_BYTES_MAX));
    }
    let of_certificate = "must be present and consistent with the issued certificate";
    let in_its_life = "must be present and in the range [notbefore+10min, notafter-10min]";
    for (field, moment, detail) in [
        ("notBefore", &status.not_before, of_certificate),
        ("notAfter", &status.not_after, of_certificate),
        ("beginRefreshAt", &status.begin_refresh_at, in_its_life),
    ] {
        if moment.is_none() {
            errors.push(FieldError::required(path.child(field), detail));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    fn condition(kind: &str) -> Value {
        json!({"type": kind, "status": "True", "reason": "Why", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"})
    }

    fn status(old: &Value, new: &Value, expected: &Expect) {
        let spec = json!({"signerName": "example.com/s", "podName": "p", "podUID": "1", "serviceAccountName": "a", "serviceAccountUID": "2",
            "nodeName": "n", "nodeUID": "3", "stubPKCS10Request": "eA=="});
        let with = |status: &Value| {
            let object = json!({"apiVersion": "certificates.k8s.io/v1", "kind": "PodCertificateRequest", "metadata": {}, "spec": spec, "status": status});
            serde_json::from_value::<PodCertificateRequest>(object).unwrap()
        };
        let errors: Vec<String> = of_change(&with(new), &with(old)).iter().map(ToString::to_string).collect();
        expected.assert_eq(&errors.join("\n"));
    }

    #[test]
    fn there_is_one_decision_and_it_stands() {
        let two = json!({"conditions": [condition("Denied"), condition("Failed")]});
        status(
            &json!({}),
            &two,
            &expect![[
                r#"status.conditions[1].type: Invalid value: "Failed": There may be at most one condition with type "Issued", "Denied", or "Failed""#
            ]],
        );
        let mut odd = condition("Maybe");
        odd["status"] = json!("False");
        odd["reason"] = json!("no spaces");
        status(
            &json!({}),
            &json!({"conditions": [odd]}),
            &expect![[r#"
            status.conditions[0].type: Unsupported value: "Maybe": supported values: "Denied", "Failed", "Issued"
            status.conditions[0].status: Unsupported value: "False": supported values: "True"
            status.conditions[0].reason: Invalid value: "no spaces": must be letters, digits, '_', ',' and ':', beginning with a letter and ending with a letter, a digit or '_'"#]],
        );
        let denied = json!({"conditions": [condition("Denied")]});
        status(&json!({}), &denied, &expect![""]);
        status(&denied, &denied, &expect![""]);
        status(
            &denied,
            &json!({"conditions": [condition("Failed")]}),
            &expect![[
                r#"status: Invalid value: "<value omitted>": immutable after PodCertificateRequest is issued, denied, or failed"#
            ]],
        );
    }

    #[test]
    fn a_certificate_comes_with_the_decision_and_its_times() {
        let chain = json!({"certificateChain": "x"});
        status(
            &json!({}),
            &chain,
            &expect![[
                r#"status: Invalid value: "<value omitted>": status is immutable unless transitioning to "Issued", "Denied", or "Failed""#
            ]],
        );
        let denied = json!({"certificateChain": "x", "conditions": [condition("Denied")]});
        status(
            &json!({}),
            &denied,
            &expect![[
                r#"status: Invalid value: "<value omitted>": non-condition status fields must be empty when denying or failing the PodCertificateRequest"#
            ]],
        );
        let issued = json!({"certificateChain": "x", "conditions": [condition("Issued")]});
        status(
            &json!({}),
            &issued,
            &expect![[r"
            status.notBefore: Required value: must be present and consistent with the issued certificate
            status.notAfter: Required value: must be present and consistent with the issued certificate
            status.beginRefreshAt: Required value: must be present and in the range [notbefore+10min, notafter-10min]"]],
        );
    }
}
