//! ClusterTrustBundle (certificates.k8s.io/v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{Column, NAME, Row, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{certificate, given, immutable, invalid_each};
use k8s_openapi::api::certificates::v1::ClusterTrustBundle;
use serde_json::Value;

/// Every node that mounts a bundle holds it. k8s: MaxTrustBundleSize
const BUNDLE_BYTES_MAX: usize = 1024 * 1024;

pub(crate) struct ClusterTrustBundleKind;

impl TypedKind for ClusterTrustBundleKind {
    type Object = ClusterTrustBundle;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn validate(bundle: &ClusterTrustBundle) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let name = bundle.metadata.name.as_deref().unwrap_or_default();
        let spec = &bundle.spec;
        let signer = given(spec.signer_name.as_ref()).unwrap_or_default();
        invalid_each(name, certificate::bundle_name_of(signer, name), &Path::new("metadata.name"), &mut errors);
        if !signer.is_empty() {
            certificate::signer_name(signer, &Path::new("spec.signerName"), &mut errors);
        }
        if spec.trust_bundle.len() > BUNDLE_BYTES_MAX {
            errors.push(FieldError::too_long("spec.trustBundle", BUNDLE_BYTES_MAX));
        } else if let Err(detail) = anchors(&spec.trust_bundle) {
            errors.push(FieldError::invalid("spec.trustBundle", "<value omitted>", detail));
        }
        errors
    }

    fn validate_update(bundle: &ClusterTrustBundle, old: &ClusterTrustBundle) -> FieldErrors {
        let mut errors = FieldErrors::new();
        immutable(&bundle.spec.signer_name, &old.spec.signer_name, &Path::new("spec.signerName"), &mut errors);
        errors
    }
}

/// PEM blocks of certificates, each once, nothing else between them.
fn anchors(bundle: &str) -> Result<(), String> {
    const BEGIN: &str = "-----BEGIN ";
    let mut seen: Vec<&str> = Vec::new();
    let mut rest = bundle;
    while let Some(at) = rest.find(BEGIN) {
        let block = &rest[at + BEGIN.len()..];
        let (label, body) = block.split_once("-----").ok_or("a PEM block has no end of its label")?;
        if label != "CERTIFICATE" {
            return Err(format!("entry {} has bad block type: {label}", seen.len()));
        }
        let (body, after) = body.split_once("-----END CERTIFICATE-----").ok_or("a PEM block has no end")?;
        if body.contains(':') {
            return Err(format!("entry {} has PEM block headers", seen.len()));
        }
        let body = body.trim();
        if let Some(first) = seen.iter().position(|other| *other == body) {
            return Err(format!("duplicate trust anchor (indices {first} and {})", seen.len()));
        }
        seen.push(body);
        rest = after;
    }
    if seen.is_empty() { Err("at least one trust anchor must be provided".to_owned()) } else { Ok(()) }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.certificates.v1.ClusterTrustBundle" "certificates.k8s.io" "v1" "ClusterTrustBundle" "clustertrustbundles" "clustertrustbundle" Cluster,
    columns: [NAME, Column::new("SignerName", "string")],
    fields: ["spec.signerName" = "spec.signerName"],
};

pub(crate) fn cells(object: &Value, _now_unix_secs: i64) -> Vec<Value> {
    vec![cells::of::name(object), cells::or_none(Some(tree::text(object, "spec.signerName"))).into()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

    #[test]
    fn a_bundle_is_named_after_its_signer_and_holds_anchors() {
        let bundle = |name: &str, signer: &str, pem: &str| json!({"metadata": {"name": name}, "spec": {"signerName": signer, "trustBundle": pem}});
        assert_eq!(check::create::<ClusterTrustBundleKind>(bundle("example.com:ca:a", "example.com/ca", PEM)), "");
        assert_eq!(check::create::<ClusterTrustBundleKind>(bundle("a", "", PEM)), "");
        expect![[r#"
            metadata.name: Invalid value: "a": ClusterTrustBundle for signerName example.com/ca must be named with prefix example.com:ca:
            spec.trustBundle: Invalid value: "<value omitted>": at least one trust anchor must be provided"#]]
        .assert_eq(&check::create::<ClusterTrustBundleKind>(bundle("a", "example.com/ca", "")));
        let twice = format!("{PEM}{PEM}");
        expect![[r#"spec.trustBundle: Invalid value: "<value omitted>": duplicate trust anchor (indices 0 and 1)"#]]
            .assert_eq(&check::create::<ClusterTrustBundleKind>(bundle("a", "", &twice)));
        let huge = format!("{PEM}{}", "#".repeat(BUNDLE_BYTES_MAX));
        expect!["spec.trustBundle: Too long: may not be more than 1048576 bytes"].assert_eq(&check::create::<
            ClusterTrustBundleKind,
        >(bundle(
            "a", "", &huge,
        )));
    }
}
