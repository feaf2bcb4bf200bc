//! CertificateSigningRequest (certificates.k8s.io/v1).
//!
//! Who asks, and whether the PEM within is a request or a certificate at all, is settled by admission: hooks see no callers and parse no
//! X.509. k8s: `registry/certificates/certificates/strategy.go`, `apis/certificates/validation`

mod printer;

use crate::errors::{FieldError, FieldErrors};
use crate::row::Row;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{certificate, each, one_of};
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestSpec,
    CertificateSigningRequestStatus,
};
use serde_json::Value;
use std::collections::BTreeSet;

const SECONDS_MIN: i32 = 600;
const LEGACY_SIGNER: &str = "kubernetes.io/legacy-unknown";
const DECISIONS: [&str; 2] = ["Approved", "Denied"];

/// k8s: `allValidUsages`, sorted as messages list them.
const USAGES: &[&str] = &[
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

pub(crate) struct CertificateSigningRequestKind;

impl TypedKind for CertificateSigningRequestKind {
    type Object = CertificateSigningRequest;

    const ROW: Row = printer::ROW;
    const LACKS: &'static [Hook] = &[Hook::Default, Hook::PrepareCreate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(printer::cells);

    fn prepare_update(request: &mut CertificateSigningRequest, old: &CertificateSigningRequest) {
        request.spec = old.spec.clone();
    }

    /// Approval has a door of its own: through `status` a decision can neither come nor go.
    fn prepare_status(request: &mut CertificateSigningRequest, old: &CertificateSigningRequest) {
        let decided = |condition: &CertificateSigningRequestCondition| DECISIONS.contains(&condition.type_.as_str());
        let status = request.status.get_or_insert_default();
        let mut conditions: Vec<_> = status.conditions.take().unwrap_or_default();
        let held: Vec<_> = conditions_of(old).iter().filter(|condition| decided(condition)).collect();
        conditions.retain_mut(|condition| match held.iter().find(|held| held.type_ == condition.type_) {
            Some(held) => {
                (*held).clone_into(condition);
                true
            }
            None => !decided(condition),
        });
        let taken: Vec<_> =
            held.into_iter().filter(|held| conditions.iter().all(|other| other.type_ != held.type_)).cloned().collect();
        let conditions: Vec<_> = taken.into_iter().chain(conditions).collect();
        status.conditions = (!conditions.is_empty()).then_some(conditions);
    }

    fn validate(request: &CertificateSigningRequest) -> FieldErrors {
        let mut errors = FieldErrors::new();
        spec(&request.spec, &Path::new("spec"), &mut errors);
        conditions(conditions_of(request), &mut errors);
        errors
    }

    fn validate_update(request: &CertificateSigningRequest, old: &CertificateSigningRequest) -> FieldErrors {
        of_change(request, old)
    }

    fn validate_status(request: &CertificateSigningRequest, old: &CertificateSigningRequest) -> FieldErrors {
        let mut errors = FieldErrors::new();
        conditions(conditions_of(request), &mut errors);
        errors.extend(of_change(request, old));
        errors
    }
}

fn status_of(request: &CertificateSigningRequest) -> CertificateSigningRequestStatus {
    request.status.clone().unwrap_or_default()
}

fn conditions_of(request: &CertificateSigningRequest) -> &[CertificateSigningRequestCondition] {
    request.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default()
}

fn spec(spec: &CertificateSigningRequestSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    if spec.request.0.is_empty() {
        errors.push(FieldError::required(path.child("request"), ""));
    }
    let usages = path.child("usages");
    if each(&spec.usages).len() == 0 {
        errors.push(FieldError::required(usages, ""));
    }
    let mut seen = BTreeSet::new();
    for (i, usage) in each(&spec.usages).enumerate() {
        one_of(usage, USAGES, &usages.index(i), errors);
        if !seen.insert(usage) {
            errors.push(FieldError::duplicate(usages.index(i), usage));
        }
    }
    let signer = path.child("signerName");
    if spec.signer_name == LEGACY_SIGNER {
        let detail = "the legacy signerName is not allowed via this API version";
        errors.push(FieldError::invalid(signer, &spec.signer_name, detail));
    } else {
        certificate::signer_name(&spec.signer_name, &signer, errors);
    }
    if let Some(seconds) = spec.expiration_seconds.filter(|seconds| *seconds < SECONDS_MIN) {
        let detail = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.push(FieldError::invalid(path.child("expirationSeconds"), seconds, detail));
    }
}

fn conditions(all: &[CertificateSigningRequestCondition], errors: &mut FieldErrors) {
    let path = Path::new("status");
    let path = path.child("conditions");
    let mut seen = BTreeSet::new();
    for (i, condition) in all.iter().enumerate() {
        let at = path.index(i);
        let kind = condition.type_.as_str();
        if kind.is_empty() {
            errors.push(FieldError::required(at.child("type"), ""));
        } else if !seen.insert(kind) {
            errors.push(FieldError::duplicate(at.child("type"), kind));
        }
        match condition.status.as_str() {
            "" => errors.push(FieldError::required(at.child("status"), "")),
            status if matches!(kind, "Approved" | "Denied" | "Failed") => {
                one_of(status, &["True"], &at.child("status"), errors);
            }
            status => one_of(status, &["False", "True", "Unknown"], &at.child("status"), errors),
        }
    }
    if DECISIONS.iter().all(|kind| seen.contains(kind)) {
        let value: Vec<&str> = all.iter().map(|condition| condition.type_.as_str()).collect();
        errors.push(FieldError::invalid(path, value, "Approved and Denied conditions are mutually exclusive"));
    }
}

/// A decision stands, and so does an issued certificate.
fn of_change(request: &CertificateSigningRequest, old: &CertificateSigningRequest) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let path = Path::new("status");
    for condition in conditions_of(old) {
        let kind = condition.type_.as_str();
        let stands = conditions_of(request).iter().any(|other| other.type_ == kind);
        if matches!(kind, "Approved" | "Denied" | "Failed") && !stands {
            let detail = format!("updates may not remove a condition of type {kind:?}");
            errors.push(FieldError::forbidden(path.child("conditions"), detail));
        }
    }
    let certificate = |request| status_of(request).certificate.unwrap_or_default();
    let (new, held) = (certificate(request), certificate(old));
    if !held.0.is_empty() && new != held {
        let detail = "updates may not set or modify certificate content once it is set";
        errors.push(FieldError::forbidden(path.child("certificate"), detail));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::typed::Typed;
    use serde_json::json;

    fn request(signer: &str, usages: &[&str]) -> Value {
        json!({
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "r"},
            "spec": {"request": "eA==", "signerName": signer, "usages": usages},
        })
    }

    fn texts(errors: &FieldErrors) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_request_names_a_signer_and_known_usages() {
        let kind = Typed::<CertificateSigningRequestKind>::new();
        assert_eq!(texts(&kind.validate(&request("example.com/signer", &["client auth"]))), [""; 0]);
        let errors = texts(&kind.validate(&request("kubernetes.io/legacy-unknown", &["sign"])));
        assert!(errors[0].starts_with("spec.usages[0]: Unsupported value: \"sign\""), "{errors:?}");
        assert!(errors[1].contains("the legacy signerName is not allowed via this API version"), "{errors:?}");
        assert_eq!(texts(&kind.validate(&request("signer", &["client auth"]))).len(), 1);
    }

    #[test]
    fn a_decision_cannot_be_made_or_taken_back_through_status() {
        let kind = Typed::<CertificateSigningRequestKind>::new();
        let with = |types: &[&str]| {
            let mut object = request("example.com/signer", &["client auth"]);
            let all: Vec<Value> = types.iter().map(|kind| json!({"type": kind, "status": "True"})).collect();
            object["metadata"]["resourceVersion"] = "1".into();
            object["status"] = json!({"conditions": all});
            object
        };
        let mut new = with(&["Denied", "Failed"]);
        kind.prepare_status(&mut new, &with(&["Approved"]));
        let types: Vec<&str> =
            new["status"]["conditions"].as_array().unwrap().iter().map(|c| c["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["Approved", "Failed"]);
        let mut new = with(&["Reviewed", "Approved", "Issued"]);
        kind.prepare_status(&mut new, &with(&["Reviewed", "Approved"]));
        let types: Vec<&str> =
            new["status"]["conditions"].as_array().unwrap().iter().map(|c| c["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["Reviewed", "Approved", "Issued"], "each stays where it was");
        let errors = texts(&kind.validate_status(&with(&["Approved"]), &with(&["Denied"])));
        assert_eq!(errors, ["status.conditions: Forbidden: updates may not remove a condition of type \"Denied\""]);
    }
}
