//! Validation results: field paths and causes exactly as Kubernetes' `field.Error` prints them.
//!
//! Rules live in `validate/` and in the kind files; how a list of errors becomes a Status is the API server's work.

use serde::Serialize;
use serde_json::Value;
use std::fmt;

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

impl Cause {
    /// The text of `details.causes[].reason`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::NotFound => "FieldValueNotFound",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    /// The words that start the message of a cause.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Duplicate => "Duplicate value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::NotFound => "Not found",
        }
    }

    const fn shows_value(self) -> bool {
        !matches!(self, Self::Required | Self::Forbidden | Self::TooLong)
    }
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

impl FieldError {
    pub fn required(path: impl fmt::Display, detail: impl Into<String>) -> Self {
        Self { cause: Cause::Required, path: path.to_string(), value: None, detail: detail.into() }
    }

    pub fn invalid(path: impl fmt::Display, value: impl Serialize, detail: impl Into<String>) -> Self {
        Self { cause: Cause::Invalid, path: path.to_string(), value: Some(tree(value)), detail: detail.into() }
    }

    pub fn forbidden(path: impl fmt::Display, detail: impl Into<String>) -> Self {
        Self { cause: Cause::Forbidden, path: path.to_string(), value: None, detail: detail.into() }
    }

    pub fn duplicate(path: impl fmt::Display, value: impl Serialize) -> Self {
        Self { cause: Cause::Duplicate, path: path.to_string(), value: Some(tree(value)), detail: String::new() }
    }

    pub fn not_found(path: impl fmt::Display, value: impl Serialize) -> Self {
        Self { cause: Cause::NotFound, path: path.to_string(), value: Some(tree(value)), detail: String::new() }
    }

    pub fn too_long(path: impl fmt::Display, max_bytes: usize) -> Self {
        let detail = format!("may not be more than {max_bytes} bytes");
        Self { cause: Cause::TooLong, path: path.to_string(), value: None, detail }
    }

    pub fn too_many(path: impl fmt::Display, actual: usize, max: usize) -> Self {
        let detail = format!("must have at most {max} items");
        Self { cause: Cause::TooMany, path: path.to_string(), value: Some(Value::from(actual)), detail }
    }

    /// `supported` is printed in the given order; upstream sorts it, so callers pass it sorted.
    pub fn not_supported(path: impl fmt::Display, value: impl Serialize, supported: &[&str]) -> Self {
        let list: Vec<String> = supported.iter().map(|name| go_quote(name)).collect();
        let detail = if list.is_empty() { String::new() } else { format!("supported values: {}", list.join(", ")) };
        Self { cause: Cause::NotSupported, path: path.to_string(), value: Some(tree(value)), detail }
    }

    pub fn type_invalid(path: impl fmt::Display, value: impl Serialize, detail: impl Into<String>) -> Self {
        Self { cause: Cause::TypeInvalid, path: path.to_string(), value: Some(tree(value)), detail: detail.into() }
    }

    /// The message of the cause: the error without its path.
    pub fn body(&self) -> String {
        let mut body = self.cause.label().to_owned();
        if self.cause.shows_value() {
            body.push_str(": ");
            body.push_str(&go_value(self.value.as_ref()));
        }
        if !self.detail.is_empty() {
            body.push_str(": ");
            body.push_str(&self.detail);
        }
        body
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.body())
    }
}

impl std::error::Error for FieldError {}

/// The tail of an Invalid status message: one error as it is, several in brackets (upstream's aggregate).
pub fn aggregate(errors: &[FieldError]) -> String {
    let mut texts: Vec<String> = Vec::with_capacity(errors.len());
    for error in errors {
        let text = error.to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    match texts.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

fn tree(value: impl Serialize) -> Value {
    serde_json::to_value(value).expect("values of API types have string keys and always serialize")
}

/// How `%v`, `%q` or `json.Marshal` of Go print the bad value.
fn go_value(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => go_quote("null"),
        Some(Value::String(text)) => go_quote(text),
        // k8s: encoding/json escapes these three even inside strings (encodeState with escapeHTML).
        Some(other) => other.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"),
    }
}

/// Go's `strconv.Quote`.
pub fn go_quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            c if (c as u32) < 0x80 && c.is_control() => quoted.extend(format!("\\x{:02x}", c as u32).chars()),
            c if c.is_control() => quoted.extend(format!("\\u{:04x}", c as u32).chars()),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn errors_print_as_upstream_prints_them() {
        let table = [
            (FieldError::required("spec.containers[0].image", ""), "spec.containers[0].image: Required value"),
            (
                FieldError::invalid("spec.replicas", -1, "must be greater than or equal to 0"),
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            ),
            (
                FieldError::invalid("spec.template.metadata.labels", json!({"app": "x"}), "`selector` does not match"),
                "spec.template.metadata.labels: Invalid value: {\"app\":\"x\"}: `selector` does not match",
            ),
            (
                FieldError::not_supported("spec.type", "Foo", &["ClusterIP", "NodePort"]),
                "spec.type: Unsupported value: \"Foo\": supported values: \"ClusterIP\", \"NodePort\"",
            ),
            (FieldError::duplicate("spec.ports[1]", "http"), "spec.ports[1]: Duplicate value: \"http\""),
            (FieldError::forbidden("data", "field is immutable"), "data: Forbidden: field is immutable"),
            (
                FieldError::too_long("metadata.annotations", 262_144),
                "metadata.annotations: Too long: may not be more than 262144 bytes",
            ),
            (FieldError::too_many("x", 5, 3), "x: Too many: 5: must have at most 3 items"),
            (FieldError::not_found("a[0].name", "v"), "a[0].name: Not found: \"v\""),
            (FieldError::invalid("a", "tab\there\u{1}", "bad"), "a: Invalid value: \"tab\\there\\x01\": bad"),
            (FieldError::invalid("a", Value::Null, "bad"), "a: Invalid value: \"null\": bad"),
            (FieldError::invalid("a", json!(["<b>"]), "bad"), "a: Invalid value: [\"\\u003cb\\u003e\"]: bad"),
        ];
        for (error, text) in table {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn several_errors_are_bracketed_and_repeats_are_dropped() {
        let a = FieldError::required("a", "");
        let b = FieldError::required("b", "why");
        assert_eq!(aggregate(std::slice::from_ref(&a)), "a: Required value");
        assert_eq!(aggregate(&[a.clone(), b, a]), "[a: Required value, b: Required value: why]");
    }
}
