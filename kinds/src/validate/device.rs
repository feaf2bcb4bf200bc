//! Rules of device requests, selectors, configurations, taints and tolerations: what claims, classes, slices and taint
//! rules of resource.k8s.io have in common. k8s: `pkg/apis/resource/validation`

use super::path::Path;
use super::{each, format, given, invalid_each, one_of};
use crate::device::Selector;
use crate::errors::{FieldError, FieldErrors};
use k8s_openapi::api::resource::v1::{
    DeviceClaim, DeviceConstraint, DeviceRequest, DeviceSelector, DeviceTaint, DeviceToleration, ExactDeviceRequest,
    OpaqueDeviceConfiguration,
};
use std::collections::BTreeSet;

/// k8s: DeviceRequestsMaxSize, DeviceConstraintsMaxSize, DeviceConfigMaxSize and DeviceSelectorsMaxSize
const ITEMS_MAX: usize = 32;
/// k8s: FirstAvailableDeviceRequestMaxSize
const ALTERNATIVES_MAX: usize = 8;
/// k8s: DeviceTolerationsMaxLength
const TOLERATIONS_MAX: usize = 16;
/// k8s: CELSelectorExpressionMaxLength
const EXPRESSION_BYTES_MAX: usize = 10 * 1024;
/// k8s: OpaqueParametersMaxLength
const PARAMETERS_BYTES_MAX: usize = 10 * 1024;

fn at_most(count: usize, max: usize, path: &Path<'_>, errors: &mut FieldErrors) {
    if count > max {
        errors.push(FieldError::too_many(path, count, max));
    }
}

pub fn default_mode(mode: &mut Option<String>, count: &mut Option<i64>) {
    let mode = mode.get_or_insert_with(|| "ExactCount".to_owned());
    if mode == "ExactCount" && count.unwrap_or_default() == 0 {
        *count = Some(1);
    }
}

pub fn default_claim(claim: &mut DeviceClaim) {
    for request in claim.requests.iter_mut().flatten() {
        if let Some(exact) = &mut request.exactly {
            default_mode(&mut exact.allocation_mode, &mut exact.count);
            exact.tolerations.iter_mut().flatten().for_each(default_toleration);
        }
        for alternative in request.first_available.iter_mut().flatten() {
            default_mode(&mut alternative.allocation_mode, &mut alternative.count);
            alternative.tolerations.iter_mut().flatten().for_each(default_toleration);
        }
    }
}

fn default_toleration(toleration: &mut DeviceToleration) {
    toleration.operator.get_or_insert_with(|| "Equal".to_owned());
}

pub fn claim(claim: &DeviceClaim, path: &Path<'_>, errors: &mut FieldErrors) {
    let list = path.child("requests");
    at_most(each(&claim.requests).len(), ITEMS_MAX, &list, errors);
    let mut names = BTreeSet::new();
    for (i, request) in each(&claim.requests).enumerate() {
        let at = list.index(i);
        self::request(request, &at, errors);
        if !names.insert(request.name.clone()) {
            errors.push(FieldError::duplicate(at.child("name"), &request.name));
        }
        names.extend(each(&request.first_available).map(|other| format!("{}/{}", request.name, other.name)));
    }
    let list = path.child("constraints");
    at_most(each(&claim.constraints).len(), ITEMS_MAX, &list, errors);
    for (i, constraint) in each(&claim.constraints).enumerate() {
        self::constraint(constraint, &names, &list.index(i), errors);
    }
    let list = path.child("config");
    at_most(each(&claim.config).len(), ITEMS_MAX, &list, errors);
    for (i, config) in each(&claim.config).enumerate() {
        known_requests(each(&config.requests).as_slice(), &names, &list.index(i).child("requests"), errors);
        configuration(config.opaque.as_ref(), &list.index(i), errors);
    }
}

fn request(request: &DeviceRequest, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("name");
    if request.name.is_empty() {
        errors.push(FieldError::required(at, ""));
    } else {
        invalid_each(&request.name, format::dns_label(&request.name), &at, errors);
    }
    let alternatives = each(&request.first_available).as_slice();
    match (&request.exactly, alternatives) {
        (None, []) => {
            errors.push(FieldError::required(path, "exactly one of `exactly` or `firstAvailable` is required"));
        }
        (Some(_), [_, ..]) => {
            let detail = "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set";
            errors.push(FieldError::invalid(path, "", detail));
        }
        (Some(exact), []) => exactly(exact, &path.child("exactly"), errors),
        (None, alternatives) => {
            let list = path.child("firstAvailable");
            at_most(alternatives.len(), ALTERNATIVES_MAX, &list, errors);
            for (i, alternative) in alternatives.iter().enumerate() {
                let at = list.index(i);
                invalid_each(&alternative.name, format::dns_label(&alternative.name), &at.child("name"), errors);
                if alternatives[..i].iter().any(|other| other.name == alternative.name) {
                    errors.push(FieldError::duplicate(at.child("name"), &alternative.name));
                }
                let wanted = Wanted {
                    class: &alternative.device_class_name,
                    mode: alternative.allocation_mode.as_deref(),
                    count: alternative.count,
                    selectors: each(&alternative.selectors).as_slice(),
                    tolerations: each(&alternative.tolerations).as_slice(),
                };
                self::wanted(&wanted, &at, errors);
            }
        }
    }
}

fn exactly(exact: &ExactDeviceRequest, path: &Path<'_>, errors: &mut FieldErrors) {
    let wanted = Wanted {
        class: &exact.device_class_name,
        mode: exact.allocation_mode.as_deref(),
        count: exact.count,
        selectors: each(&exact.selectors).as_slice(),
        tolerations: each(&exact.tolerations).as_slice(),
    };
    self::wanted(&wanted, path, errors);
}

/// What a request and each of its alternatives say.
struct Wanted<'a> {
    class: &'a str,
    mode: Option<&'a str>,
    count: Option<i64>,
    selectors: &'a [DeviceSelector],
    tolerations: &'a [DeviceToleration],
}

fn wanted(wanted: &Wanted<'_>, path: &Path<'_>, errors: &mut FieldErrors) {
    let class = path.child("deviceClassName");
    if wanted.class.is_empty() {
        errors.push(FieldError::required(class, ""));
    } else {
        invalid_each(wanted.class, format::dns_subdomain(wanted.class), &class, errors);
    }
    selectors(wanted.selectors, &path.child("selectors"), errors);
    let count = wanted.count.unwrap_or_default();
    match wanted.mode {
        Some("All") if count != 0 => {
            let detail = "must not be specified when allocationMode is 'All'";
            errors.push(FieldError::invalid(path.child("count"), count, detail));
        }
        Some("ExactCount") if count <= 0 => {
            errors.push(FieldError::invalid(path.child("count"), count, "must be greater than zero"));
        }
        mode => one_of(mode.unwrap_or_default(), &["All", "ExactCount"], &path.child("allocationMode"), errors),
    }
    tolerations(wanted.tolerations, &path.child("tolerations"), errors);
}

pub fn selectors(all: &[DeviceSelector], path: &Path<'_>, errors: &mut FieldErrors) {
    at_most(all.len(), ITEMS_MAX, path, errors);
    for (i, selector) in all.iter().enumerate() {
        let at = path.index(i);
        let Some(cel) = &selector.cel else {
            errors.push(FieldError::required(at.child("cel"), ""));
            continue;
        };
        let at = at.child("cel");
        if cel.expression.is_empty() {
            errors.push(FieldError::required(at.child("expression"), ""));
        } else if cel.expression.len() > EXPRESSION_BYTES_MAX {
            errors.push(FieldError::too_long(at.child("expression"), EXPRESSION_BYTES_MAX));
        } else if let Err(why) = Selector::compile(&cel.expression) {
            errors.push(FieldError::invalid(at.child("expression"), &cel.expression, why));
        }
    }
}

fn constraint(constraint: &DeviceConstraint, names: &BTreeSet<String>, path: &Path<'_>, errors: &mut FieldErrors) {
    known_requests(each(&constraint.requests).as_slice(), names, &path.child("requests"), errors);
    let forms =
        [("matchAttribute", &constraint.match_attribute), ("distinctAttribute", &constraint.distinct_attribute)];
    let given: Vec<(&str, &String)> =
        forms.into_iter().filter_map(|(field, name)| name.as_ref().map(|name| (field, name))).collect();
    if given.is_empty() {
        errors.push(FieldError::required(path, "exactly one of `distinctAttribute` or `matchAttribute` is required"));
    }
    for (field, name) in given {
        if name.contains('/') {
            invalid_each(name, format::qualified_name(name), &path.child(field), errors);
        } else {
            let detail = "must include the domain prefix";
            errors.push(FieldError::invalid(path.child(field), name, detail));
        }
    }
}

fn known_requests(all: &[String], names: &BTreeSet<String>, path: &Path<'_>, errors: &mut FieldErrors) {
    at_most(all.len(), ITEMS_MAX, path, errors);
    for (i, name) in all.iter().enumerate() {
        if !names.contains(name) {
            let detail = "must be the name of a request in the claim or the name of a request and a subrequest \
                          separated by '/'";
            errors.push(FieldError::invalid(path.index(i), name, detail));
        }
    }
}

pub fn configuration(opaque: Option<&OpaqueDeviceConfiguration>, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("opaque");
    let Some(opaque) = opaque else {
        errors.push(FieldError::required(at, ""));
        return;
    };
    driver(&opaque.driver, &at.child("driver"), errors);
    let parameters = &opaque.parameters.0;
    if parameters.is_null() {
        errors.push(FieldError::required(at.child("parameters"), ""));
    } else if !parameters.is_object() {
        errors.push(FieldError::invalid(at.child("parameters"), "<value omitted>", "must be a valid JSON object"));
    } else if parameters.to_string().len() > PARAMETERS_BYTES_MAX {
        errors.push(FieldError::too_long(at.child("parameters"), PARAMETERS_BYTES_MAX));
    }
}

/// k8s: DriverNameMaxLength
const DRIVER_BYTES_MAX: usize = 63;

pub fn driver(name: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    if name.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    if name.len() > DRIVER_BYTES_MAX {
        errors.push(FieldError::too_long(path, DRIVER_BYTES_MAX));
    }
    invalid_each(name, format::dns_subdomain(name), path, errors);
}

/// k8s: PoolNameMaxLength
const POOL_BYTES_MAX: usize = 253;

/// Names of the DNS kind, joined by slashes.
pub fn pool(name: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    if name.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    if name.len() > POOL_BYTES_MAX {
        errors.push(FieldError::too_long(path, POOL_BYTES_MAX));
    }
    for part in name.split('/') {
        invalid_each(part, format::dns_subdomain(part), path, errors);
    }
}

const EFFECTS: &[&str] = &["NoExecute", "NoSchedule", "None"];

pub fn taint(taint: &DeviceTaint, path: &Path<'_>, errors: &mut FieldErrors) {
    let key = path.child("key");
    if taint.key.is_empty() {
        errors.push(FieldError::required(key, "name part must be non-empty"));
    } else {
        invalid_each(&taint.key, format::qualified_name(&taint.key), &key, errors);
    }
    if let Some(value) = given(taint.value.as_ref()) {
        invalid_each(value, format::label_value(value), &path.child("value"), errors);
    }
    match taint.effect.as_str() {
        "" => errors.push(FieldError::required(path.child("effect"), "")),
        effect => one_of(effect, EFFECTS, &path.child("effect"), errors),
    }
}

fn tolerations(all: &[DeviceToleration], path: &Path<'_>, errors: &mut FieldErrors) {
    at_most(all.len(), TOLERATIONS_MAX, path, errors);
    for (i, toleration) in all.iter().enumerate() {
        let at = path.index(i);
        let (key, value) = (given(toleration.key.as_ref()), given(toleration.value.as_ref()));
        if let Some(key) = key {
            invalid_each(key, format::qualified_name(key), &at.child("key"), errors);
        }
        match (toleration.operator.as_deref(), value) {
            (Some("Exists"), Some(value)) => {
                errors.push(FieldError::invalid(at.child("value"), value, "must be empty for operator `Exists`"));
            }
            (Some("Exists"), None) => {}
            (Some("Equal"), _) => {
                if key.is_none() {
                    errors.push(FieldError::required(at.child("key"), "must be non-empty for operator `Equal`"));
                }
                if let Some(value) = value {
                    invalid_each(value, format::label_value(value), &at.child("value"), errors);
                }
            }
            (operator, _) => one_of(operator.unwrap_or_default(), &["Equal", "Exists"], &at.child("operator"), errors),
        }
        if let Some(effect) = given(toleration.effect.as_ref()) {
            one_of(effect, &EFFECTS[..2], &at.child("effect"), errors);
        }
    }
}
