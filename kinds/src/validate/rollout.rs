//! How far an update of pods may go at once: `maxSurge` and `maxUnavailable`, a number of pods or a share of them.

use super::format;
use super::path::Path;
use crate::errors::{FieldError, FieldErrors};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// k8s: ValidatePositiveIntOrPercent
pub fn share(value: Option<&IntOrString>, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(value) = value
        && let Some(detail) = format::int_or_percent(value)
    {
        errors.push(FieldError::invalid(path, value, detail));
    }
}

/// A share of pods that are there: not of more than all.
/// k8s: IsNotMoreThan100Percent
pub fn of_all(value: Option<&IntOrString>, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(value) = value
        && format::percent(value).is_some_and(|percent| percent > 100)
    {
        errors.push(FieldError::invalid(path, value, "must not be greater than 100%"));
    }
}

/// Whether it lets no pod go: `0`, `0%`, or nothing said.
pub fn is_none(value: Option<&IntOrString>) -> bool {
    match value {
        None => true,
        Some(IntOrString::Int(number)) => *number == 0,
        Some(text) => format::percent(text) == Some(0),
    }
}
