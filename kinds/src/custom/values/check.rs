//! The walk over an object and its compiled schema.

use super::super::lists::with_keys_of;
use super::{Numbers, Strings, Type, Values};
use crate::errors::{Cause, FieldError, FieldErrors};
use serde_json::{Map, Number, Value};

/// Errors at most: an object of a million wrong items says the same with a hundred.
const ERRORS_MAX: usize = 100;

/// What is wrong with `value`; where it is the same as `old`, nothing is.
pub(crate) fn validate(value: &Value, old: Option<&Value>, values: &Values, path: &str) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let place = Place { path, root: path };
    check(value, old, values, place, &mut errors);
    errors.truncate(ERRORS_MAX);
    errors
}

/// Where a value is. `root` is where compositions, which upstream gives no path, are said to be.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a str,
    root: &'a str,
}

impl Place<'_> {
    fn key(self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn invalid(self, value: &Value, detail: String, errors: &mut FieldErrors) {
        errors.push(FieldError::invalid(shown(self.path), value, format!("{} in body {detail}", self.path)));
    }
}

/// k8s: a nil field path prints so
fn shown(path: &str) -> &str {
    if path.is_empty() { "<nil>" } else { path }
}

fn check(value: &Value, old: Option<&Value>, values: &Values, place: Place<'_>, errors: &mut FieldErrors) {
    if errors.len() >= ERRORS_MAX || old == Some(value) {
        return;
    }
    if value.is_null() && values.nullable {
        return;
    }
    if !of_type(value, values, place, errors) {
        return;
    }
    if !values.enumeration.is_empty() && !values.enumeration.iter().any(|known| same(known, value)) {
        let known: Vec<String> = values
            .enumeration
            .iter()
            .map(|known| known.as_str().map_or_else(|| known.to_string(), str::to_owned))
            .collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        errors.push(FieldError::not_supported(shown(place.path), value, &known));
    }
    match value {
        Value::String(text) => strings(text, value, values, place, errors),
        Value::Number(number) => numbers(number, value, values.numbers.as_deref(), place, errors),
        Value::Array(items) => of_items(items, value, old, values, place, errors),
        Value::Object(fields) => of_fields(fields, value, old, values, place, errors),
        Value::Null | Value::Bool(_) => {}
    }
    compositions(value, old, values, place, errors);
}

/// k8s: kube-openapi's type validator; a whole number written with a fraction is an integer
fn of_type(value: &Value, values: &Values, place: Place<'_>, errors: &mut FieldErrors) -> bool {
    let found = name_of(value);
    let fits = |ty: &Type| match (ty, value) {
        (Type::Array, Value::Array(_))
        | (Type::Boolean, Value::Bool(_))
        | (Type::Object, Value::Object(_))
        | (Type::String, Value::String(_))
        | (Type::Number, Value::Number(_)) => true,
        (Type::Integer, Value::Number(number)) => is_whole(number),
        _ => false,
    };
    if !values.types.is_empty() && !values.types.iter().any(fits) {
        let expected: Vec<&str> = values.types.iter().map(|ty| ty.name()).collect();
        let detail = format!("{} in body must be of type {}: {found:?}", place.path, expected.join(","));
        errors.push(FieldError::type_invalid(shown(place.path), found, detail));
        return false;
    }
    if let (Some(format), Value::Number(number)) = (values.format, value)
        && !format.holds_number(number)
    {
        let detail = format!("{} in body must be of type {}: {found:?}", place.path, format.name());
        errors.push(FieldError::type_invalid(shown(place.path), found, detail));
    }
    true
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_whole(number: &Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|number| number.fract() == 0.0)
}

/// Equal as JSON Schema sees it: 1 and 1.0 are one number.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    }
}

fn strings(text: &str, value: &Value, values: &Values, place: Place<'_>, errors: &mut FieldErrors) {
    if let Some(Strings { length_min, length_max, pattern }) = values.strings.as_deref() {
        let length = text.chars().count() as u64;
        if let Some(max) = length_max.filter(|max| length > *max) {
            errors.push(FieldError::too_long(shown(place.path), max as usize));
        }
        if let Some(min) = length_min.filter(|min| length < *min) {
            place.invalid(value, format!("should be at least {min} chars long"), errors);
        }
        if let Some(pattern) = pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
            place.invalid(value, format!("should match '{pattern}'"), errors);
        }
    }
    if let Some(format) = values.format.filter(|format| !format.holds_text(text)) {
        place.invalid(value, format!("must be of type {}: {}", format.name(), crate::errors::go_quote(text)), errors);
    }
}

fn numbers(number: &Number, value: &Value, rules: Option<&Numbers>, place: Place<'_>, errors: &mut FieldErrors) {
    let (Some(rules), Some(number)) = (rules, number.as_f64()) else { return };
    let of = |bound: &Number| bound.as_f64().unwrap_or_default();
    if let Some(min) = &rules.minimum {
        match (rules.exclusive_minimum, number.total_cmp(&of(min))) {
            (false, std::cmp::Ordering::Less) => {
                place.invalid(value, format!("should be greater than or equal to {min}"), errors);
            }
            (true, std::cmp::Ordering::Less | std::cmp::Ordering::Equal) => {
                place.invalid(value, format!("should be greater than {min}"), errors);
            }
            _ => {}
        }
    }
    if let Some(max) = &rules.maximum {
        match (rules.exclusive_maximum, number.total_cmp(&of(max))) {
            (false, std::cmp::Ordering::Greater) => {
                place.invalid(value, format!("should be less than or equal to {max}"), errors);
            }
            (true, std::cmp::Ordering::Greater | std::cmp::Ordering::Equal) => {
                place.invalid(value, format!("should be less than {max}"), errors);
            }
            _ => {}
        }
    }
    if let Some(factor) = &rules.multiple_of {
        let quotient = number / of(factor);
        if of(factor) != 0.0 && (quotient - quotient.round()).abs() > f64::EPSILON * quotient.abs() {
            place.invalid(value, format!("should be a multiple of {factor}"), errors);
        }
    }
}

fn of_items(
    items: &[Value],
    value: &Value,
    old: Option<&Value>,
    values: &Values,
    place: Place<'_>,
    errors: &mut FieldErrors,
) {
    let count = items.len() as u64;
    if let Some(max) = values.items_max.filter(|max| count > *max) {
        errors.push(FieldError::too_many(shown(place.path), items.len(), max as usize));
    }
    if let Some(min) = values.items_min.filter(|min| count < *min) {
        place.invalid(value, format!("should have at least {min} items"), errors);
    }
    let Some(of_items) = values.items.as_deref() else { return };
    let before = old.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for (index, item) in items.iter().enumerate() {
        let path = format!("{}[{index}]", place.path);
        // k8s: only items of lists with keys are known again
        let keys = Some(values.list_keys.as_slice()).filter(|keys| !keys.is_empty());
        let twin = keys.and_then(|keys| with_keys_of(item, keys, before));
        check(item, twin, of_items, Place { path: &path, ..place }, errors);
    }
}

fn of_fields(
    fields: &Map<String, Value>,
    value: &Value,
    old: Option<&Value>,
    values: &Values,
    place: Place<'_>,
    errors: &mut FieldErrors,
) {
    let count = fields.len() as u64;
    if let Some(max) = values.properties_max.filter(|max| count > *max) {
        let detail = format!("must have at most {max} items");
        let error = FieldError {
            cause: Cause::TooMany,
            path: shown(place.path).to_owned(),
            value: Some(fields.len().into()),
            detail,
        };
        errors.push(error);
    }
    if let Some(min) = values.properties_min.filter(|min| count < *min) {
        place.invalid(value, format!("should have at least {min} properties"), errors);
    }
    for name in values.required.iter().filter(|name| !fields.contains_key(*name)) {
        errors.push(FieldError::required(place.key(name), ""));
    }
    for (name, value) in fields {
        let Some(schema) = values.properties.get(name).or(values.additional.as_deref()) else { continue };
        let path = place.key(name);
        let before = old.and_then(|old| old.get(name));
        check(value, before, schema, Place { path: &path, ..place }, errors);
    }
}

/// k8s: kube-openapi's schemaPropsValidator; its errors carry no path of their own
fn compositions(value: &Value, old: Option<&Value>, values: &Values, place: Place<'_>, errors: &mut FieldErrors) {
    let say = |text: String, errors: &mut FieldErrors| {
        errors.push(FieldError::invalid(shown(place.root), "", format!("{:?} {text}", place.path)));
    };
    let tried = |schemas: &[Values]| -> Vec<FieldErrors> {
        let of = |schema: &Values| {
            let mut errors = FieldErrors::new();
            check(value, None, schema, place, &mut errors);
            errors
        };
        schemas.iter().map(of).collect()
    };
    // The alternative that came nearest tells what to do.
    let nearest = |tried: Vec<FieldErrors>| tried.into_iter().min_by_key(Vec::len).unwrap_or_default();
    if old == Some(value) {
        return;
    }
    if !values.any_of.is_empty() {
        let tried = tried(&values.any_of);
        if !tried.iter().any(Vec::is_empty) {
            say("must validate at least one schema (anyOf)".to_owned(), errors);
            errors.extend(nearest(tried));
        }
    }
    if !values.one_of.is_empty() {
        let tried = tried(&values.one_of);
        match tried.iter().filter(|errors| errors.is_empty()).count() {
            1 => {}
            0 => {
                say("must validate one and only one schema (oneOf). Found none valid".to_owned(), errors);
                errors.extend(nearest(tried));
            }
            n => say(format!("must validate one and only one schema (oneOf). Found {n} valid alternatives"), errors),
        }
    }
    if !values.all_of.is_empty() {
        let tried = tried(&values.all_of);
        let valid = tried.iter().filter(|errors| errors.is_empty()).count();
        if valid < tried.len() {
            let none = if valid == 0 { ". None validated" } else { "" };
            errors.extend(tried.into_iter().flatten());
            say(format!("must validate all the schemas (allOf){none}"), errors);
        }
    }
    if let Some(not) = values.not.as_deref() {
        let mut inner = FieldErrors::new();
        check(value, None, not, place, &mut inner);
        if inner.is_empty() {
            say("must not validate the schema (not)".to_owned(), errors);
        }
    }
}
