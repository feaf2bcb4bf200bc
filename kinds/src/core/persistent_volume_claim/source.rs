//! What a claim is filled from: `dataSource`, and `dataSourceRef` that came after it. The two say the same where both can.

use crate::errors::{FieldError, FieldErrors};
use crate::validate::path::Path;
use k8s_openapi::api::core::v1::{PersistentVolumeClaimSpec, TypedLocalObjectReference, TypedObjectReference};

/// k8s: NormalizeDataSources
pub(super) fn normalize(spec: &mut PersistentVolumeClaimSpec) {
    match (&spec.data_source, &spec.data_source_ref) {
        (Some(local), None) => {
            spec.data_source_ref = Some(TypedObjectReference {
                api_group: local.api_group.clone(),
                kind: local.kind.clone(),
                name: local.name.clone(),
                namespace: None,
            });
        }
        (None, Some(any)) if any.namespace.as_deref().unwrap_or_default().is_empty() => {
            spec.data_source = Some(TypedLocalObjectReference {
                api_group: any.api_group.clone(),
                kind: any.kind.clone(),
                name: any.name.clone(),
            });
        }
        (Some(_), Some(_)) | (None, None | Some(_)) => {}
    }
}

pub(super) fn check(spec: &PersistentVolumeClaimSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(local) = &spec.data_source {
        reference(local.api_group.as_deref(), &local.kind, &local.name, &path.child("dataSource"), errors);
    }
    let Some(any) = &spec.data_source_ref else { return };
    let at = path.child("dataSourceRef");
    reference(any.api_group.as_deref(), &any.kind, &any.name, &at, errors);
    let foreign = any.namespace.as_deref().is_some_and(|ns| !ns.is_empty());
    if foreign && spec.data_source.is_some() {
        let detail = "may not be specified when dataSourceRef.namespace is specified";
        errors.push(FieldError::invalid(path, spec.data_source.as_ref().map(|local| &local.name), detail));
    }
    let differs = spec
        .data_source
        .as_ref()
        .is_some_and(|local| (&local.api_group, &local.kind, &local.name) != (&any.api_group, &any.kind, &any.name));
    if differs && !foreign {
        errors.push(FieldError::invalid(path, &spec.data_source, "must match dataSourceRef"));
    }
}

fn reference(group: Option<&str>, kind: &str, name: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    for (field, value) in [("name", name), ("kind", kind)] {
        if value.is_empty() {
            errors.push(FieldError::required(path.child(field), ""));
        }
    }
    if group.unwrap_or_default().is_empty() && kind != "PersistentVolumeClaim" {
        let detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
        errors.push(FieldError::invalid(path, kind, detail));
    }
}
