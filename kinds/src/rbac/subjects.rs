//! The subjects of a binding as its two printers show them.

use k8s_openapi::api::rbac::v1::Subject;

/// Users, groups and service accounts (`namespace/name`), each joined by commas.
pub(crate) fn by_kind(subjects: &[Subject]) -> [String; 3] {
    let of = |kind: &str| {
        let named = subjects.iter().filter(|subject| subject.kind == kind).map(|subject| match kind {
            "ServiceAccount" => format!("{}/{}", subject.namespace.as_deref().unwrap_or(""), subject.name),
            _ => subject.name.clone(),
        });
        named.collect::<Vec<_>>().join(", ")
    };
    [of("User"), of("Group"), of("ServiceAccount")]
}
