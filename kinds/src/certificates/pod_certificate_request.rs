//! PodCertificateRequest (certificates.k8s.io/v1).
//!
//! What is in the request for the signer and in the certificate is settled by admission: hooks parse no X.509 and know no
//! callers. k8s: `registry/certificates/podcertificaterequest`, `apis/certificates/validation`

mod status;

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{Column, NAME, Row, STATUS, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{certificate, format, invalid_each};
use k8s_openapi::api::certificates::v1::PodCertificateRequest;
use serde_json::Value;

pub(crate) struct PodCertificateRequestKind;

impl TypedKind for PodCertificateRequestKind {
    type Object = PodCertificateRequest;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn default(request: &mut PodCertificateRequest) {
        request.spec.max_expiration_seconds.get_or_insert(EXPIRATION_SECS);
    }

    fn validate(request: &PodCertificateRequest) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let spec = &request.spec;
        certificate::signer_name(&spec.signer_name, &path.child("signerName"), &mut errors);
        let names = [
            ("podName", &spec.pod_name),
            ("serviceAccountName", &spec.service_account_name),
            ("nodeName", &spec.node_name),
        ];
        for (field, name) in names {
            invalid_each(name, format::dns_subdomain(name), &path.child(field), &mut errors);
        }
        for (field, uid) in
            [("podUID", &spec.pod_uid), ("serviceAccountUID", &spec.service_account_uid), ("nodeUID", &spec.node_uid)]
        {
            if uid.is_empty() {
                errors.push(FieldError::required(path.child(field), "must not be empty"));
            } else if uid.len() > UID_BYTES_MAX {
                errors.push(FieldError::too_long(path.child(field), UID_BYTES_MAX));
            }
        }
        let stub = path.child("stubPKCS10Request");
        match spec.stub_pkc_s10_request.0.len() {
            0 => errors.push(FieldError::required(stub, "")),
            length if length > STUB_BYTES_MAX => errors.push(FieldError::too_long(stub, STUB_BYTES_MAX)),
            _ => {}
        }
        let annotations = spec.unverified_user_annotations.as_ref();
        certificate::user_annotations(annotations, &path.child("unverifiedUserAnnotations"), &mut errors);
        let seconds = spec.max_expiration_seconds.unwrap_or_default();
        certificate::expiration(seconds, &spec.signer_name, &path.child("maxExpirationSeconds"), &mut errors);
        errors
    }

    fn validate_update(request: &PodCertificateRequest, old: &PodCertificateRequest) -> FieldErrors {
        let mut errors = FieldErrors::new();
        if request.spec != old.spec {
            errors.push(FieldError::invalid("spec", &request.spec, crate::validate::FIELD_IMMUTABLE));
        }
        errors
    }

    fn validate_status(request: &PodCertificateRequest, old: &PodCertificateRequest) -> FieldErrors {
        status::of_change(request, old)
    }
}

const UID_BYTES_MAX: usize = 128;
/// k8s: MaxStubPKCS10RequestSize
const STUB_BYTES_MAX: usize = 10 * 1024;
/// A day, where the request does not say.
const EXPIRATION_SECS: i32 = 86_400;
pub(crate) const ROW: Row = row! {
    "io.k8s.api.certificates.v1.PodCertificateRequest" "certificates.k8s.io" "v1" "PodCertificateRequest" "podcertificaterequests" "podcertificaterequest" Namespaced,
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("PodName", "string"),
        Column::new("ServiceAccountName", "string"),
        Column::new("NodeName", "string"),
        Column::new("Signer", "string"),
        Column::new("State", "string"),
    ],
    fields: [
        "spec.signerName" = "spec.signerName",
        "spec.podName" = "spec.podName",
        "spec.nodeName" = "spec.nodeName",
    ],
};

pub(crate) fn cells(object: &Value, _now_unix_secs: i64) -> Vec<Value> {
    let decided =
        ["Issued", "Denied", "Failed"].into_iter().find(|kind| cells::of::condition(object, kind) == Some("True"));
    vec![
        cells::of::name(object),
        tree::text(object, "spec.podName").into(),
        tree::text(object, "spec.serviceAccountName").into(),
        tree::text(object, "spec.nodeName").into(),
        tree::text(object, "spec.signerName").into(),
        decided.unwrap_or("Pending").into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_request_is_of_one_pod_and_for_a_bounded_time() {
        let request = |seconds: i64| json!({"spec": {"signerName": "example.com/s", "podName": "p", "podUID": "1", "serviceAccountName": "a", "serviceAccountUID": "2", "nodeName": "n", "nodeUID": "3", "stubPKCS10Request": "eA==", "maxExpirationSeconds": seconds}});
        assert_eq!(check::create::<PodCertificateRequestKind>(request(3600)), "");
        expect!["spec.maxExpirationSeconds: Invalid value: 60: must be in the range [3600, 7862400]"]
            .assert_eq(&check::create::<PodCertificateRequestKind>(request(60)));
        assert!(
            check::update::<PodCertificateRequestKind>(request(3600), &request(7200)).ends_with("field is immutable")
        );
        let mut odd = request(3600);
        odd["spec"]["podUID"] = "x".repeat(129).into();
        odd["spec"]["unverifiedUserAnnotations"] = json!({"short": "", "acme.io/Long": ""});
        odd["spec"]["stubPKCS10Request"] = json!(k8s_openapi::ByteString(vec![0; 10 * 1024 + 1]));
        expect![[r#"
            spec.podUID: Too long: may not be more than 128 bytes
            spec.stubPKCS10Request: Too long: may not be more than 10240 bytes
            spec.unverifiedUserAnnotations: Invalid value: "short": must be a domain-prefixed key (such as "acme.io/foo")"#]]
        .assert_eq(&check::create::<PodCertificateRequestKind>(odd));
    }
}
