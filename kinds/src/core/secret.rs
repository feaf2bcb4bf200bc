//! Secret (v1). Values never appear in errors.

mod printer;

use super::config_map::{DATA_MAX_BYTES, IMMUTABLE};
use crate::errors::{FieldError, FieldErrors};
use crate::row::Row;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{format, given, immutable, invalid_each, semantically_equal};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;

const OPAQUE: &str = "Opaque";
const REDACTED: &str = "<secret contents redacted>";
const SERVICE_ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
const DATA: Path<'static> = Path::new("data");

pub(crate) struct SecretKind;

impl TypedKind for SecretKind {
    type Object = Secret;

    const ROW: Row = printer::ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];

    fn default(secret: &mut Secret) {
        if given(secret.type_.as_ref()).is_none() {
            secret.type_ = Some(OPAQUE.to_owned());
        }
        // k8s: stringData is write-only; it wins over data and is never stored.
        if let Some(texts) = secret.string_data.take() {
            let data = secret.data.get_or_insert_default();
            data.extend(texts.into_iter().map(|(key, text)| (key, ByteString(text.into_bytes()))));
        }
    }

    fn validate(secret: &Secret) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let mut bytes = 0;
        for (key, value) in secret.data.iter().flatten() {
            invalid_each(key, format::config_key(key), &DATA.key(key), &mut errors);
            bytes += value.0.len();
        }
        if bytes > DATA_MAX_BYTES {
            errors.push(FieldError::too_long(DATA, DATA_MAX_BYTES));
        }
        of_type(secret, &mut errors);
        errors
    }

    fn validate_update(secret: &Secret, old: &Secret) -> FieldErrors {
        let mut errors = FieldErrors::new();
        immutable(&secret.type_, &old.type_, &Path::new("type"), &mut errors);
        if old.immutable == Some(true) {
            if secret.immutable != Some(true) {
                errors.push(FieldError::forbidden("immutable", IMMUTABLE));
            }
            if !semantically_equal(&secret.data, &old.data) {
                errors.push(FieldError::forbidden("data", IMMUTABLE));
            }
        }
        errors
    }

    fn cells(object: &Secret, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}

/// Each well-known type promises keys to those who read it.
fn of_type(secret: &Secret, errors: &mut FieldErrors) {
    let value = |key: &str| secret.data.as_ref().and_then(|data| data.get(key));
    let mut require = |key: &str| {
        if value(key).is_none() {
            errors.push(FieldError::required(DATA.key(key), ""));
        }
    };
    match secret.type_.as_deref().unwrap_or_default() {
        "kubernetes.io/service-account-token" => {
            let annotations = secret.metadata.annotations.as_ref();
            let name = annotations.and_then(|annotations| annotations.get(SERVICE_ACCOUNT_NAME));
            if given(name).is_none() {
                let at = Path::new("metadata.annotations");
                errors.push(FieldError::required(at.key(SERVICE_ACCOUNT_NAME), ""));
            }
        }
        "kubernetes.io/dockercfg" => json_value(secret, ".dockercfg", errors),
        "kubernetes.io/dockerconfigjson" => json_value(secret, ".dockerconfigjson", errors),
        "kubernetes.io/basic-auth" if value("username").is_none() && value("password").is_none() => {
            require("username");
            require("password");
        }
        "kubernetes.io/ssh-auth" if value("ssh-privatekey").is_none_or(|key| key.0.is_empty()) => {
            errors.push(FieldError::required(DATA.key("ssh-privatekey"), ""));
        }
        "kubernetes.io/tls" => {
            require("tls.crt");
            require("tls.key");
        }
        _ => {}
    }
}

fn json_value(secret: &Secret, key: &str, errors: &mut FieldErrors) {
    let at = DATA.key(key);
    match secret.data.as_ref().and_then(|data| data.get(key)) {
        None => errors.push(FieldError::required(at, "")),
        Some(bytes) => {
            if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes.0) {
                // The parser's message names a line and a column, never the text.
                errors.push(FieldError::invalid(at, REDACTED, error.to_string()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::{Expect, expect};
    use serde_json::json;

    #[expect(clippy::needless_pass_by_value, reason = "tables read better with values")]
    fn create(fields: Value, want: Expect) {
        want.assert_eq(&check::create::<SecretKind>(fields));
    }

    #[test]
    fn string_data_becomes_data() {
        let stored =
            check::created::<SecretKind>(json!({"data": {"a": "eA==", "b": "eA=="}, "stringData": {"a": "y"}}));
        assert_eq!(stored["data"], json!({"a": "eQ==", "b": "eA=="}));
        assert_eq!(stored["type"], "Opaque");
        assert!(stored.get("stringData").is_none());
    }

    #[test]
    fn types_promise_keys() {
        create(
            json!({"type": "kubernetes.io/tls", "data": {"tls.crt": "eA=="}}),
            expect!["data[tls.key]: Required value"],
        );
        create(
            json!({"type": "kubernetes.io/basic-auth"}),
            expect![[r"
            data[username]: Required value
            data[password]: Required value"]],
        );
        create(json!({"type": "kubernetes.io/basic-auth", "stringData": {"password": "x"}}), expect![[""]]);
        create(
            json!({"type": "kubernetes.io/service-account-token"}),
            expect!["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
        );
        create(
            json!({"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "hunter2"}}),
            expect![[
                r#"data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": expected value at line 1 column 1"#
            ]],
        );
        create(
            json!({"type": "my.io/type", "stringData": {"..": "x"}}),
            expect![[r#"data[..]: Invalid value: "..": must not be '..'"#]],
        );
    }

    #[test]
    fn type_and_immutable_data_stay() {
        expect![[r#"type: Invalid value: "x/y": field is immutable"#]]
            .assert_eq(&check::update::<SecretKind>(json!({}), &json!({"type": "x/y"})));
        expect!["data: Forbidden: field is immutable when `immutable` is set"]
            .assert_eq(&check::update::<SecretKind>(json!({"immutable": true}), &json!({"stringData": {"a": "b"}})));
    }
}
