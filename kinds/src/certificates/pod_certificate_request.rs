//! PodCertificateRequest (certificates.k8s.io/v1).

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
            }
        }
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
}

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
        let request = |seconds: i64| json!({"spec": {"signerName": "example.com/s", "podName": "p", "podUID": "1", "serviceAccountName": "a", "serviceAccountUID": "2", "nodeName": "n", "nodeUID": "3", "maxExpirationSeconds": seconds}});
        assert_eq!(check::create::<PodCertificateRequestKind>(request(3600)), "");
        expect!["spec.maxExpirationSeconds: Invalid value: 60: must be in the range [3600, 7862400]"]
            .assert_eq(&check::create::<PodCertificateRequestKind>(request(60)));
        assert!(
            check::update::<PodCertificateRequestKind>(request(3600), &request(7200)).ends_with("field is immutable")
        );
    }
}
