//! ConfigMap (v1).

mod printer;

use crate::errors::{FieldError, FieldErrors};
use crate::row::Row;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{format, invalid_each, semantically_equal};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;

/// What a ConfigMap or a Secret may hold together: they are kept whole in memory by every watcher.
pub(crate) const DATA_MAX_BYTES: usize = 1024 * 1024;
pub(crate) const IMMUTABLE: &str = "field is immutable when `immutable` is set";

pub(crate) struct ConfigMapKind;

impl TypedKind for ConfigMapKind {
    type Object = ConfigMap;

    const ROW: Row = printer::ROW;
    const LACKS: &'static [Hook] = &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];

    fn validate(map: &ConfigMap) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let mut bytes = 0;
        let data = Path::new("data");
        for (key, value) in map.data.iter().flatten() {
            let at = data.key(key);
            invalid_each(key, format::config_key(key), &at, &mut errors);
            if map.binary_data.as_ref().is_some_and(|binary| binary.contains_key(key)) {
                errors.push(FieldError::invalid(at, key, "duplicate of key present in binaryData"));
            }
            bytes += value.len();
        }
        let binary = Path::new("binaryData");
        for (key, value) in map.binary_data.iter().flatten() {
            invalid_each(key, format::config_key(key), &binary.key(key), &mut errors);
            bytes += value.0.len();
        }
        if bytes > DATA_MAX_BYTES {
            // k8s: reported on the object as a whole, whose path is empty and prints as `[]`.
            errors.push(FieldError::too_long("[]", DATA_MAX_BYTES));
        }
        errors
    }

    fn validate_update(map: &ConfigMap, old: &ConfigMap) -> FieldErrors {
        let mut errors = FieldErrors::new();
        if old.immutable == Some(true) {
            if map.immutable != Some(true) {
                errors.push(FieldError::forbidden("immutable", IMMUTABLE));
            }
            if !semantically_equal(&map.data, &old.data) {
                errors.push(FieldError::forbidden("data", IMMUTABLE));
            }
            if !semantically_equal(&map.binary_data, &old.binary_data) {
                errors.push(FieldError::forbidden("binaryData", IMMUTABLE));
            }
        }
        errors
    }

    fn cells(object: &ConfigMap, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
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
        want.assert_eq(&check::create::<ConfigMapKind>(fields));
    }

    #[test]
    fn keys_are_file_names_and_data_is_bounded() {
        create(json!({"data": {"a.conf": "x", "_": ""}}), expect![[""]]);
        create(
            json!({"data": {"": "x"}}),
            expect![[
                r#"data[]: Invalid value: "": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"#
            ]],
        );
        create(
            json!({"data": {"../x": "x"}}),
            expect![[r#"
            data[../x]: Invalid value: "../x": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')
            data[../x]: Invalid value: "../x": must not start with '..'"#]],
        );
        create(
            json!({"data": {"a": "x"}, "binaryData": {"a": "eA=="}}),
            expect![[r#"data[a]: Invalid value: "a": duplicate of key present in binaryData"#]],
        );
        create(
            json!({"data": {"a": "x".repeat(DATA_MAX_BYTES + 1)}}),
            expect!["[]: Too long: may not be more than 1048576 bytes"],
        );
    }

    #[test]
    fn immutable_data_stays() {
        let old = || json!({"data": {"a": "x"}, "immutable": true});
        expect![[""]].assert_eq(&check::update::<ConfigMapKind>(old(), &json!({"metadata": {"labels": {"a": "b"}}})));
        expect!["data: Forbidden: field is immutable when `immutable` is set"]
            .assert_eq(&check::update::<ConfigMapKind>(old(), &json!({"data": {"a": "y"}})));
        expect!["immutable: Forbidden: field is immutable when `immutable` is set"].assert_eq(&check::update::<
            ConfigMapKind,
        >(
            old(),
            &json!({"immutable": false}),
        ));
        expect![[""]].assert_eq(&check::update::<ConfigMapKind>(
            json!({"data": {"a": "x"}}),
            &json!({"data": {"a": "y"}, "immutable": true}),
        ));
    }
}
