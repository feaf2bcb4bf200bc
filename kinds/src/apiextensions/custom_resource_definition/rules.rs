//! The rules of a CustomResourceDefinition outside its schemas.
//! k8s: apiextensions' validation

use super::schema;
use crate::custom::condition;
use crate::custom::definition::is_field_path;
use crate::custom::path::JsonPath;
use crate::errors::{FieldError, FieldErrors};
use crate::tree;
use crate::validate::format;
use serde_json::Value;

const COLUMN_TYPES: &[&str] = &["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: &[&str] = &["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
/// k8s: MaxSelectableFields
const SELECTABLE_MAX: usize = 8;
const REVIEW_VERSIONS: &[&str] = &["v1", "v1beta1"];
const APPROVAL: &str = "api-approved.kubernetes.io";

/// Everything that holds without looking at the version before, but for schemas that are as they were in `old`.
pub(super) fn check(object: &Value, old: Option<&Value>) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let spec = object.get("spec").unwrap_or(&Value::Null);
    of_group(tree::text(spec, "group"), &mut errors);
    match tree::text(spec, "scope") {
        "" => errors.push(FieldError::required("spec.scope", "")),
        "Cluster" | "Namespaced" => {}
        other => errors.push(FieldError::not_supported("spec.scope", other, &["Cluster", "Namespaced"])),
    }
    if tree::boolean(spec, "preserveUnknownFields") {
        let why =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.push(FieldError::invalid("spec.preserveUnknownFields", true, why));
    }
    of_version_names(spec, &mut errors);
    for (index, version) in tree::list(spec, "versions").iter().enumerate() {
        of_version(spec, version, index, old, &mut errors);
    }
    for field in ["plural", "singular", "kind", "listKind"] {
        if tree::text(spec, &format!("names.{field}")).is_empty() {
            errors.push(FieldError::required(format!("spec.names.{field}"), ""));
        }
    }
    of_names(spec.get("names"), "spec.names", &mut errors);
    of_conversion(spec.get("conversion").unwrap_or(&Value::Null), &mut errors);
    errors.extend(of_status(object));
    // Whatever it said of its storage, a definition that goes may go.
    if tree::text(object, "metadata.deletionTimestamp").is_empty() {
        of_stored_versions(object, &mut errors);
    }
    errors
}

fn of_group(group: &str, errors: &mut FieldErrors) {
    let wrong = format::dns_subdomain(group);
    if group.is_empty() {
        errors.push(FieldError::required("spec.group", ""));
    } else if !wrong.is_empty() {
        errors.push(FieldError::invalid("spec.group", group, wrong.join(",")));
    } else if !group.contains('.') {
        errors.push(FieldError::invalid("spec.group", group, "should be a domain with at least one dot"));
    }
}

fn of_version_names(spec: &Value, errors: &mut FieldErrors) {
    let versions = tree::list(spec, "versions");
    let mut seen: Vec<&str> = Vec::new();
    for (index, version) in versions.iter().enumerate() {
        let name = tree::text(version, "name");
        let wrong = format::dns_1035_label(name);
        if !wrong.is_empty() {
            errors.push(FieldError::invalid(format!("spec.versions[{index}].name"), name, wrong.join(",")));
        }
        if seen.contains(&name) {
            errors.push(FieldError::invalid("spec.versions", names_of(versions), "must contain unique version names"));
        }
        seen.push(name);
        if !tree::text(version, "deprecationWarning").is_empty() && !tree::boolean(version, "deprecated") {
            let why = "can only be set for deprecated versions";
            let path = format!("spec.versions[{index}].deprecationWarning");
            errors.push(FieldError::invalid(path, tree::text(version, "deprecationWarning"), why));
        }
    }
    if versions.iter().filter(|version| tree::boolean(version, "storage")).count() != 1 {
        let why = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid("spec.versions", names_of(versions), why));
    }
}

fn names_of(versions: &[Value]) -> Vec<&str> {
    versions.iter().map(|version| tree::text(version, "name")).collect()
}

/// k8s: what all versions have alike is validated, and named in messages, as if it stood above them
fn place(spec: &Value, field: &str, above: &str, index: usize) -> String {
    let versions = tree::list(spec, "versions");
    let alike = versions.windows(2).all(|pair| tree::at(&pair[0], field) == tree::at(&pair[1], field));
    if alike { format!("spec.{above}") } else { format!("spec.versions[{index}].{field}") }
}

fn of_version(spec: &Value, version: &Value, index: usize, old: Option<&Value>, errors: &mut FieldErrors) {
    // Rules of what is common to all versions are told once.
    let told = |path: &str| index > 0 && !path.starts_with("spec.versions");
    let path = place(spec, "schema", "validation", index);
    match tree::at(version, "schema.openAPIV3Schema") {
        None => {
            let path = format!("spec.versions[{index}].schema.openAPIV3Schema");
            errors.push(FieldError::required(path, "schemas are required"));
        }
        Some(_) if told(&path) => {}
        Some(given) => {
            let name = tree::text(version, "name");
            let before = old.map_or(&[][..], |old| tree::list(old, "spec.versions"));
            let before = before.iter().find(|version| tree::text(version, "name") == name);
            if before.and_then(|version| tree::at(version, "schema.openAPIV3Schema")) != Some(given) {
                errors.extend(schema::check(given, &format!("{path}.openAPIV3Schema")));
            }
        }
    }
    let path = place(spec, "subresources", "subresources", index);
    if let Some(scale) = tree::at(version, "subresources.scale").filter(|_| !told(&path)) {
        of_scale(scale, &format!("{path}.scale"), errors);
    }
    let path = place(spec, "additionalPrinterColumns", "additionalPrinterColumns", index);
    if !told(&path) {
        for (at, column) in tree::list(version, "additionalPrinterColumns").iter().enumerate() {
            of_column(column, &format!("{path}[{at}]"), errors);
        }
    }
    let path = place(spec, "selectableFields", "selectableFields", index);
    if !told(&path) {
        of_selectable(version, &path, errors);
    }
}

fn of_scale(scale: &Value, path: &str, errors: &mut FieldErrors) {
    let mut one = |field: &str, below: &str, required: bool| {
        let (text, path) = (tree::text(scale, field), format!("{path}.{field}"));
        if text.is_empty() {
            if required {
                errors.push(FieldError::required(path, ""));
            }
        } else if !text.starts_with('.') {
            errors.push(FieldError::invalid(path, text, "must be a simple json path starting with ."));
        } else if !text.starts_with(&format!(".{below}.")) {
            errors.push(FieldError::invalid(path, text, format!("should be a json path under .{below}")));
        } else if text.split('.').skip(1).any(str::is_empty) {
            // k8s: what is between the dots is a field's name, brackets and all
            errors.push(FieldError::invalid(path, text, "must be a json path in the dot notation"));
        }
    };
    one("specReplicasPath", "spec", true);
    one("statusReplicasPath", "status", true);
    let selector = tree::text(scale, "labelSelectorPath");
    one("labelSelectorPath", if selector.starts_with(".spec.") { "spec" } else { "status" }, false);
}

fn of_column(column: &Value, path: &str, errors: &mut FieldErrors) {
    if tree::text(column, "name").is_empty() {
        errors.push(FieldError::required(format!("{path}.name"), ""));
    }
    let kinds = format!("must be one of {}", COLUMN_TYPES.join(","));
    match tree::text(column, "type") {
        "" => errors.push(FieldError::required(format!("{path}.type"), kinds)),
        kind if !COLUMN_TYPES.contains(&kind) => {
            errors.push(FieldError::invalid(format!("{path}.type"), kind, kinds));
        }
        _ => {}
    }
    let given = tree::text(column, "format");
    if !given.is_empty() && !COLUMN_FORMATS.contains(&given) {
        let why = format!("must be one of {}", COLUMN_FORMATS.join(","));
        errors.push(FieldError::invalid(format!("{path}.format"), given, why));
    }
    let text = tree::text(column, "jsonPath");
    if text.is_empty() {
        errors.push(FieldError::required(format!("{path}.JSONPath"), ""));
    } else if let Err(error) = JsonPath::parse(text) {
        errors.push(FieldError::invalid(format!("{path}.JSONPath"), text, error.to_string()));
    }
}

fn of_selectable(version: &Value, path: &str, errors: &mut FieldErrors) {
    let fields = tree::list(version, "selectableFields");
    if fields.len() > SELECTABLE_MAX {
        errors.push(FieldError::too_many(path, fields.len(), SELECTABLE_MAX));
    }
    let mut seen: Vec<&str> = Vec::new();
    for (at, field) in fields.iter().enumerate() {
        let (text, path) = (tree::text(field, "jsonPath"), format!("{path}[{at}].jsonPath"));
        if text.is_empty() {
            errors.push(FieldError::required(path, ""));
            continue;
        }
        if !text.starts_with('.') || !is_field_path(text) {
            errors.push(FieldError::invalid(
                path,
                text,
                "is an invalid path: must be a simple json path starting with .",
            ));
            continue;
        }
        if text.starts_with(".metadata.") || text == ".metadata" {
            errors.push(FieldError::invalid(path, text, "must not point to fields in metadata"));
            continue;
        }
        if seen.contains(&text) {
            errors.push(FieldError::duplicate(&path, text));
        }
        seen.push(text);
        let schema = tree::at(version, "schema.openAPIV3Schema").unwrap_or(&Value::Null);
        let target = text[1..].split('.').try_fold(schema, |schema, name| schema.get("properties")?.get(name));
        match target {
            None => {
                let why = format!("is an invalid path: does not refer to a valid field: {text}");
                errors.push(FieldError::invalid(path, text, why));
            }
            Some(target) => {
                let kind = tree::text(target, "type");
                if !matches!(kind, "string" | "integer" | "boolean") {
                    let why = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
                    errors.push(FieldError::invalid(path, text, why));
                }
            }
        }
    }
}

fn of_names(names: Option<&Value>, path: &str, errors: &mut FieldErrors) {
    let Some(names) = names else { return };
    for field in ["plural", "singular"] {
        let name = tree::text(names, field);
        let wrong = format::dns_1035_label(name);
        if !name.is_empty() && !wrong.is_empty() {
            errors.push(FieldError::invalid(format!("{path}.{field}"), name, wrong.join(",")));
        }
    }
    for field in ["kind", "listKind"] {
        let name = tree::text(names, field);
        let wrong = format::dns_1035_label(&name.to_lowercase());
        if !name.is_empty() && !wrong.is_empty() {
            let why = format!("may have mixed case, but should otherwise match: {}", wrong.join(","));
            errors.push(FieldError::invalid(format!("{path}.{field}"), name, why));
        }
    }
    for field in ["shortNames", "categories"] {
        for (index, name) in tree::list(names, field).iter().enumerate() {
            let name = name.as_str().unwrap_or_default();
            let wrong = format::dns_1035_label(name);
            if !wrong.is_empty() {
                errors.push(FieldError::invalid(format!("{path}.{field}[{index}]"), name, wrong.join(",")));
            }
        }
    }
    let list = tree::text(names, "listKind");
    if !list.is_empty() && list == tree::text(names, "kind") {
        errors.push(FieldError::invalid(format!("{path}.listKind"), list, "kind and listKind may not be the same"));
    }
}

fn of_conversion(conversion: &Value, errors: &mut FieldErrors) {
    let path = "spec.conversion";
    let webhook = conversion.get("webhook");
    match tree::text(conversion, "strategy") {
        "" => errors.push(FieldError::required(format!("{path}.strategy"), "")),
        "None" => {
            if webhook.is_some() {
                let why = "should not be set when strategy is not set to Webhook";
                errors.push(FieldError::forbidden(format!("{path}.webhookClientConfig"), why));
            }
        }
        "Webhook" => of_webhook(webhook.unwrap_or(&Value::Null), errors),
        other => {
            errors.push(FieldError::not_supported(format!("{path}.strategy"), other, &["None", "Webhook"]));
        }
    }
}

fn of_webhook(webhook: &Value, errors: &mut FieldErrors) {
    let path = "spec.conversion.webhookClientConfig";
    let config = webhook.get("clientConfig");
    match (config.and_then(|c| c.get("url")), config.and_then(|c| c.get("service"))) {
        _ if config.is_none() => {
            errors.push(FieldError::required(path, "required when strategy is set to Webhook"));
        }
        (Some(_), Some(_)) | (None, None) => {
            errors.push(FieldError::required(path, "exactly one of url or service is required"));
        }
        (Some(url), None) => of_url(url.as_str().unwrap_or_default(), &format!("{path}.url"), errors),
        (None, Some(service)) => {
            for field in ["name", "namespace"] {
                if tree::text(service, field).is_empty() {
                    errors.push(FieldError::required(
                        format!("{path}.service.{field}"),
                        format!("service {field} is required"),
                    ));
                }
            }
            let port = service.get("port").and_then(Value::as_i64).unwrap_or(super::WEBHOOK_PORT);
            if !(1..=65535).contains(&port) {
                let why = "port is not valid: must be between 1 and 65535, inclusive";
                errors.push(FieldError::invalid(format!("{path}.service.port"), port, why));
            }
        }
    }
    let path = "spec.conversion.conversionReviewVersions";
    let versions = tree::list(webhook, "conversionReviewVersions");
    if versions.is_empty() {
        errors.push(FieldError::required(path, ""));
    } else if !versions.iter().any(|version| version.as_str().is_some_and(|v| REVIEW_VERSIONS.contains(&v))) {
        let why = format!("must include at least one of {}", REVIEW_VERSIONS.join(", "));
        errors.push(FieldError::invalid(path, versions, why));
    }
}

fn of_url(url: &str, path: &str, errors: &mut FieldErrors) {
    let form = "; desired format: https://host[/path]";
    let Some(rest) = url.strip_prefix("https://") else {
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        let why = format!("'https' is the only allowed URL scheme{form}");
        errors.push(FieldError::invalid(path, scheme, why));
        return;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() {
        errors.push(FieldError::invalid(path, host, format!("host must be specified{form}")));
    }
    if host.contains('@') {
        let why = "user information is not permitted in the URL";
        errors.push(FieldError::invalid(path, host.split('@').next(), why));
    }
    for (mark, what) in [('?', "query parameters are"), ('#', "fragments are")] {
        if let Some((_, part)) = rest.split_once(mark) {
            errors.push(FieldError::invalid(path, part, format!("{what} not permitted in the URL")));
        }
    }
}

pub(super) fn of_status(object: &Value) -> FieldErrors {
    let mut errors = FieldErrors::new();
    of_names(tree::at(object, "status.acceptedNames"), "status.acceptedNames", &mut errors);
    errors
}

fn of_stored_versions(object: &Value, errors: &mut FieldErrors) {
    let path = "status.storedVersions";
    let stored = tree::list(object, path);
    if stored.is_empty() {
        errors.push(FieldError::invalid(path, stored, "must have at least one stored version"));
        return;
    }
    let versions = tree::list(object, "spec.versions");
    for (index, name) in stored.iter().enumerate() {
        if !versions.iter().any(|version| version.get("name") == Some(name)) {
            let why = format!(
                "missing from spec.versions; {} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {} and removes {} from status.storedVersions",
                name.as_str().unwrap_or_default(),
                name.as_str().unwrap_or_default(),
                name.as_str().unwrap_or_default()
            );
            errors.push(FieldError::invalid(format!("{path}[{index}]"), name, why));
        }
    }
}

/// What stays while the definition lives.
pub(super) fn of_change(object: &Value, old: &Value) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let mut same = |path: &str| {
        if tree::at(object, path) != tree::at(old, path) {
            errors.push(FieldError::invalid(path, tree::at(object, path), "field is immutable"));
        }
    };
    if condition::holds(old, "Established") {
        same("spec.scope");
        same("spec.names.kind");
    }
    same("spec.group");
    same("spec.names.plural");
    errors
}

/// k8s: groups of the Kubernetes community need an approval
pub(super) fn of_annotations(object: &Value) -> FieldErrors {
    let group = tree::text(object, "spec.group");
    let is_protected = |suffix: &str| group == suffix || group.ends_with(&format!(".{suffix}"));
    if !is_protected("k8s.io") && !is_protected("kubernetes.io") {
        return FieldErrors::new();
    }
    let annotations = tree::at(object, "metadata.annotations");
    let given = annotations.and_then(|all| all.get(APPROVAL)).and_then(Value::as_str).unwrap_or_default();
    let path = format!("metadata.annotations[{APPROVAL}]");
    let why = format!(
        "protected groups must have approval annotation {APPROVAL:?}, see https://github.com/kubernetes/enhancements/pull/1111"
    );
    match given {
        "" => vec![FieldError::required(path, why)],
        text if text.starts_with("unapproved") || text.starts_with("http://") || text.starts_with("https://") => {
            FieldErrors::new()
        }
        text => {
            let why = format!(
                "protected groups must have approval annotation {APPROVAL:?} with either a URL or a reason starting with \"unapproved\", see https://github.com/kubernetes/enhancements/pull/1111"
            );
            vec![FieldError::invalid(path, text, why)]
        }
    }
}
