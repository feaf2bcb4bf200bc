//! Rules of environment variables and of the selectors that read a pod's own fields.

use super::path::Path;
use super::{format, given, invalid_each};
use crate::errors::{FieldError, FieldErrors};
use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector};

/// Fields that an environment variable may hold, sorted.
pub const ENV_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Fields that a file of a downward volume may hold, sorted.
pub const VOLUME_FIELDS: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
const RESOURCE_FIELDS: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const BYTE_DIVISORS: [&str; 13] = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];
const NO_DIVISOR: &str = "0";

/// Who asks for a resource field: a volume's file has no container of its own and must name one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Container,
    Volume,
}

pub fn vars(vars: &[EnvVar], path: &Path<'_>, errors: &mut FieldErrors) {
    for (i, var) in vars.iter().enumerate() {
        let at = path.index(i);
        if var.name.is_empty() {
            errors.push(FieldError::required(at.child("name"), ""));
        } else {
            invalid_each(&var.name, format::env_name(&var.name), &at.child("name"), errors);
        }
        if let Some(from) = &var.value_from {
            value_from(from, given(var.value.as_ref()).is_some(), &at.child("valueFrom"), errors);
        }
    }
}

fn value_from(from: &EnvVarSource, has_value: bool, path: &Path<'_>, errors: &mut FieldErrors) {
    let mut sources = 0;
    if let Some(field) = &from.field_ref {
        sources += 1;
        field_ref(field, &ENV_FIELDS, &path.child("fieldRef"), errors);
    }
    if let Some(resource) = &from.resource_field_ref {
        sources += 1;
        resource_ref(resource, Of::Container, &path.child("resourceFieldRef"), errors);
    }
    if let Some(map) = &from.config_map_key_ref {
        sources += 1;
        key_ref(&map.name, &map.key, &path.child("configMapKeyRef"), errors);
    }
    if let Some(secret) = &from.secret_key_ref {
        sources += 1;
        key_ref(&secret.name, &secret.key, &path.child("secretKeyRef"), errors);
    }
    if let Some(file) = &from.file_key_ref {
        sources += 1;
        let at = path.child("fileKeyRef");
        if file.key.is_empty() {
            errors.push(FieldError::required(at.child("key"), ""));
        }
        if file.path.is_empty() {
            errors.push(FieldError::required(at.child("path"), ""));
        } else {
            super::volume::descending(&file.path, &at.child("path"), errors);
        }
        if file.volume_name.is_empty() {
            errors.push(FieldError::required(at.child("volumeName"), ""));
        }
    }
    if sources == 0 {
        let detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`";
        errors.push(FieldError::invalid(path, "", detail));
    } else if has_value {
        errors.push(FieldError::invalid(path, "", "may not be specified when `value` is not empty"));
    } else if sources > 1 {
        errors.push(FieldError::invalid(path, "", "may not have more than one field specified at a time"));
    }
}

fn key_ref(name: &str, key: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    if name.is_empty() {
        errors.push(FieldError::required(path.child("name"), ""));
    }
    if key.is_empty() {
        errors.push(FieldError::required(path.child("key"), ""));
    } else {
        invalid_each(key, format::config_key(key), &path.child("key"), errors);
    }
}

pub fn from_sources(sources: &[EnvFromSource], path: &Path<'_>, errors: &mut FieldErrors) {
    for (i, source) in sources.iter().enumerate() {
        let at = path.index(i);
        if let Some(prefix) = given(source.prefix.as_ref()) {
            invalid_each(prefix, format::env_name(prefix), &at.child("prefix"), errors);
        }
        match (&source.config_map_ref, &source.secret_ref) {
            (None, None) => {
                errors.push(FieldError::invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"));
            }
            (Some(_), Some(_)) => {
                errors.push(FieldError::invalid(path, "", "may not have more than one field specified at a time"));
            }
            (Some(map), None) if map.name.is_empty() => {
                errors.push(FieldError::required(at.child("configMapRef").child("name"), ""));
            }
            (None, Some(secret)) if secret.name.is_empty() => {
                errors.push(FieldError::required(at.child("secretRef").child("name"), ""));
            }
            (Some(_), None) | (None, Some(_)) => {}
        }
    }
}

pub fn field_ref(selector: &ObjectFieldSelector, known: &[&str], path: &Path<'_>, errors: &mut FieldErrors) {
    if given(selector.api_version.as_ref()).is_none() {
        errors.push(FieldError::required(path.child("apiVersion"), ""));
        return;
    }
    let field = selector.field_path.as_str();
    if field.is_empty() {
        errors.push(FieldError::required(path.child("fieldPath"), ""));
        return;
    }
    if let Some((map, key)) = field.strip_suffix("']").and_then(|field| field.split_once("['")) {
        match map {
            "metadata.annotations" => invalid_each(key, format::qualified_name(&key.to_lowercase()), path, errors),
            "metadata.labels" => invalid_each(key, format::qualified_name(key), path, errors),
            _ => errors.push(FieldError::invalid(path, map, "does not support subscript")),
        }
    } else if !is_field(field) {
        let detail = format!("error converting fieldPath: field label not supported: {field}");
        errors.push(FieldError::invalid(path.child("fieldPath"), field, detail));
    } else if !known.contains(&field) {
        errors.push(FieldError::not_supported(path.child("fieldPath"), field, known));
    }
}

/// Fields that either an environment variable or a volume may hold.
fn is_field(field: &str) -> bool {
    ENV_FIELDS.contains(&field) || VOLUME_FIELDS.contains(&field)
}

pub fn resource_ref(selector: &ResourceFieldSelector, of: Of, path: &Path<'_>, errors: &mut FieldErrors) {
    let resource = selector.resource.as_str();
    let huge = resource.starts_with("limits.hugepages-") || resource.starts_with("requests.hugepages-");
    if of == Of::Volume && given(selector.container_name.as_ref()).is_none() {
        errors.push(FieldError::required(path.child("containerName"), ""));
    } else if resource.is_empty() {
        errors.push(FieldError::required(path.child("resource"), ""));
    } else if !huge && !RESOURCE_FIELDS.contains(&resource) {
        errors.push(FieldError::not_supported(path.child("resource"), resource, &RESOURCE_FIELDS));
    }
    let divisor = selector.divisor.as_ref().map_or(NO_DIVISOR, |divisor| divisor.0.as_str());
    let at = path.child("divisor");
    if matches!(divisor, NO_DIVISOR | "") {
        return;
    }
    let is_cpu = matches!(resource, "limits.cpu" | "requests.cpu");
    if is_cpu && !matches!(divisor, "1" | "1m") {
        let detail = "only divisor's values 1m and 1 are supported with the cpu resource";
        errors.push(FieldError::invalid(at, resource, detail));
    } else if !is_cpu && !BYTE_DIVISORS.contains(&divisor) {
        let noun = resource.split_once('.').map_or(resource, |(_, noun)| noun);
        let detail = format!(
            "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the {noun} resource"
        );
        errors.push(FieldError::invalid(at, resource, detail));
    }
}
