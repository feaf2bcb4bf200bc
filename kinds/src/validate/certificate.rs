//! Rules of signers and of what they hand out, as requests, trust bundles and volumes share them.

use super::metadata::ANNOTATIONS_MAX_BYTES;
use super::path::Path;
use super::{format, invalid_each};
use crate::errors::{FieldError, FieldErrors};
use std::collections::BTreeMap;

/// Kinds of keys that a node makes for a pod.
pub const KEY_TYPES: [&str; 6] = ["RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"];
const DOMAIN_BYTES_MAX: usize = 253;
/// A domain, a slash, and a path that holds a label, a dot and a subdomain.
const SIGNER_BYTES_MAX: usize = DOMAIN_BYTES_MAX + 1 + 63 + 1 + 253;
/// k8s: MinMaxExpirationSeconds
const EXPIRATION_SECS_MIN: i32 = 3600;
/// k8s: MaxMaxExpirationSeconds, 91 days
const EXPIRATION_SECS_MAX: i32 = 7_862_400;
/// k8s: KubernetesMaxMaxExpirationSeconds
const OWN_EXPIRATION_SECS_MAX: i32 = 86_400;

/// `example.com/signer-name`.
/// k8s: ValidateSignerName
pub fn signer_name(name: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    if name.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    let Some((domain, tail)) = name.split_once('/').filter(|(_, tail)| !tail.contains('/')) else {
        let detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        errors.push(FieldError::invalid(path, name, detail));
        return;
    };
    if domain.len() > DOMAIN_BYTES_MAX {
        errors.push(FieldError::too_long(path, DOMAIN_BYTES_MAX));
    }
    parts(domain, format::dns_label, path, errors);
    if !domain.contains('.') {
        errors.push(FieldError::invalid(path, domain, "should be a domain with at least two segments"));
    }
    parts(tail, format::dns_subdomain, path, errors);
    if name.len() > SIGNER_BYTES_MAX {
        errors.push(FieldError::too_long(path, SIGNER_BYTES_MAX));
    }
}

/// The parts between the dots; the first bad one stands for all.
fn parts(segment: &str, check: fn(&str) -> Vec<String>, path: &Path<'_>, errors: &mut FieldErrors) {
    let bad = segment.split('.').map(|part| (part, check(part))).find(|(_, details)| !details.is_empty());
    let Some((part, details)) = bad else { return };
    let details = details.into_iter().map(|detail| format!("validating label {part:?}: {detail}")).collect();
    invalid_each(segment, details, path, errors);
}

/// The name of a trust bundle of a signer, or of none (`""`).
/// k8s: ValidateClusterTrustBundleName
pub fn bundle_name_of(signer: &str, name: &str) -> Vec<String> {
    if signer.is_empty() {
        return if name.contains(':') {
            vec!["ClusterTrustBundle without signer name must not have \":\" in its name".to_owned()]
        } else {
            format::dns_subdomain(name)
        };
    }
    let prefix = format!("{}:", signer.replace('/', ":"));
    match name.strip_prefix(&prefix) {
        Some(rest) => format::dns_subdomain(rest),
        None => vec![format!("ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}")],
    }
}

/// The name of a trust bundle, which says whose it is.
pub fn bundle_name(name: &str) -> Vec<String> {
    let signer = name.rsplit_once(':').map_or(String::new(), |(signer, _)| signer.replace(':', "/"));
    bundle_name_of(&signer, name)
}

/// For how long a pod may ask a certificate to live; the cluster's own signers give a day at most.
pub fn expiration(seconds: i32, signer: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    let most = if signer.starts_with("kubernetes.io/") { OWN_EXPIRATION_SECS_MAX } else { EXPIRATION_SECS_MAX };
    if !(EXPIRATION_SECS_MIN..=most).contains(&seconds) {
        let detail = format!("must be in the range [{EXPIRATION_SECS_MIN}, {most}]");
        errors.push(FieldError::invalid(path, seconds, detail));
    }
}

/// What a pod's author tells the signer: like annotations, but every key has a domain.
/// k8s: ValidateUserAnnotations
pub fn user_annotations(all: Option<&BTreeMap<String, String>>, path: &Path<'_>, errors: &mut FieldErrors) {
    let mut bytes = 0;
    for (key, value) in all.into_iter().flatten() {
        bytes += key.len() + value.len();
        if key.contains('/') {
            invalid_each(key, format::qualified_name(&key.to_lowercase()), path, errors);
        } else {
            errors.push(FieldError::invalid(path, key, "must be a domain-prefixed key (such as \"acme.io/foo\")"));
        }
    }
    if bytes > ANNOTATIONS_MAX_BYTES {
        errors.push(FieldError::too_long(path, ANNOTATIONS_MAX_BYTES));
    }
}
