//! Validation results: field paths and causes exactly as Kubernetes' `field.Error` prints them.

use serde_json::Value;

/// The `reason` of a Status cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Required,
    Invalid,
    NotSupported,
    Duplicate,
    Forbidden,
    TooLong,
    TooMany,
    NotFound,
    TypeInvalid,
}

/// One failed rule. `Display` is upstream's text: `spec.replicas: Invalid value: -1: must be greater than or equal to 0`.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    pub cause: Cause,
    /// `spec.containers[0].name`
    pub path: String,
    pub value: Option<Value>,
    pub detail: String,
}

pub type FieldErrors = Vec<FieldError>;
