//! Rules that volumes, claims, classes and drivers of storage have in common.

use super::path::Path;
use super::{format, invalid_each};
use crate::errors::{FieldError, FieldErrors};
use k8s_openapi::api::core::v1::SecretReference;
use std::collections::BTreeMap;

/// k8s: maxProvisionerParameterLen
const PARAMETERS_MAX: usize = 512;
/// k8s: maxProvisionerParameterSize
const PARAMETERS_BYTES_MAX: usize = 256 * 1024;
const DRIVER_BYTES_MAX: usize = 63;

/// k8s: ValidateCSIDriverName
pub fn driver_name(name: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    if name.is_empty() {
        errors.push(FieldError::required(path, ""));
    }
    if name.len() > DRIVER_BYTES_MAX {
        errors.push(FieldError::too_long(path, DRIVER_BYTES_MAX));
    }
    invalid_each(name, format::dns_subdomain(&name.to_lowercase()), path, errors);
}

/// Whether a class must say something of its volumes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Parameters {
    Optional,
    Required,
}

/// What a class hands to its driver.
/// k8s: validateParameters
pub fn parameters(
    parameters: Option<&BTreeMap<String, String>>,
    wanted: Parameters,
    path: &Path<'_>,
    errors: &mut FieldErrors,
) {
    let (count, bytes) = parameters
        .into_iter()
        .flatten()
        .fold((0, 0), |(count, bytes), (key, value)| (count + 1, bytes + key.len() + value.len()));
    if count == 0 && wanted == Parameters::Required {
        errors.push(FieldError::required(path, "must contain at least one key/value pair"));
    }
    if count > PARAMETERS_MAX {
        errors.push(FieldError::too_long(path, PARAMETERS_MAX));
        return;
    }
    if parameters.is_some_and(|parameters| parameters.contains_key("")) {
        errors.push(FieldError::invalid(path, "", "field can not be empty."));
    }
    if bytes > PARAMETERS_BYTES_MAX {
        errors.push(FieldError::too_long(path, PARAMETERS_BYTES_MAX));
    }
}

/// The secret that a driver is given with a call.
/// k8s: validatePVSecretReference
pub fn secret_ref(secret: &SecretReference, path: &Path<'_>, errors: &mut FieldErrors) {
    let (name, namespace) =
        (secret.name.as_deref().unwrap_or_default(), secret.namespace.as_deref().unwrap_or_default());
    for (field, value, wrong) in
        [("name", name, format::dns_subdomain(name)), ("namespace", namespace, format::dns_label(namespace))]
    {
        let at = path.child(field);
        if value.is_empty() {
            errors.push(FieldError::required(at, ""));
        } else {
            invalid_each(value, wrong, &at, errors);
        }
    }
}
