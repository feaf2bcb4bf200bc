//! Defaults and rules that validating and mutating webhooks share.

use super::path::Path;
use super::{each, format, given, invalid_each, network, one_of, selector};
use crate::admission::Conditions;
use crate::errors::{FieldError, FieldErrors};
use k8s_openapi::api::admissionregistration::v1::{MatchCondition, RuleWithOperations, WebhookClientConfig};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use std::collections::BTreeSet;

/// A webhook that does not answer refuses: what it guards must not slip through.
pub const FAILURE_POLICY: &str = "Fail";
pub const MATCH_POLICY: &str = "Equivalent";
pub const TIMEOUT_SECS: i32 = 10;
const TIMEOUT_SECS_MAX: i32 = 30;
const SERVICE_PORT: i32 = 443;
const NAME_SEGMENTS_MIN: usize = 3;
/// k8s: every condition is evaluated on every request that a webhook matches.
const CONDITIONS_MAX: usize = 64;

/// What both kinds of webhook have.
pub struct Common<'a> {
    pub name: &'a str,
    pub client: &'a WebhookClientConfig,
    pub rules: &'a [RuleWithOperations],
    pub review_versions: &'a [String],
    pub failure_policy: Option<&'a str>,
    pub match_policy: Option<&'a str>,
    pub side_effects: &'a str,
    pub timeout_secs: Option<i32>,
    /// Only what changes objects may be asked again.
    pub reinvocation_policy: Option<&'a str>,
    /// Of namespaces, of objects.
    pub selectors: [Option<&'a LabelSelector>; 2],
    pub conditions: &'a [MatchCondition],
}

/// [`Common`] of a webhook of either kind: two Go types with the same fields.
macro_rules! common {
    ($hook:expr) => {
        $crate::validate::webhook::Common {
            name: &$hook.name,
            client: &$hook.client_config,
            rules: $crate::validate::each(&$hook.rules).as_slice(),
            review_versions: &$hook.admission_review_versions,
            failure_policy: $hook.failure_policy.as_deref(),
            match_policy: $hook.match_policy.as_deref(),
            side_effects: &$hook.side_effects,
            timeout_secs: $hook.timeout_seconds,
            reinvocation_policy: None,
            selectors: [$hook.namespace_selector.as_ref(), $hook.object_selector.as_ref()],
            conditions: $crate::validate::each(&$hook.match_conditions).as_slice(),
        }
    };
}
pub(crate) use common;

/// The defaults that a webhook of either kind has.
macro_rules! fill {
    ($hook:expr) => {
        $hook.failure_policy.get_or_insert_with(|| $crate::validate::webhook::FAILURE_POLICY.to_owned());
        $hook.match_policy.get_or_insert_with(|| $crate::validate::webhook::MATCH_POLICY.to_owned());
        $hook.namespace_selector.get_or_insert_default();
        $hook.object_selector.get_or_insert_default();
        $hook.timeout_seconds.get_or_insert($crate::validate::webhook::TIMEOUT_SECS);
        $crate::validate::webhook::default_client(&mut $hook.client_config);
        $hook.rules.iter_mut().flatten().for_each($crate::validate::webhook::default_rule);
    };
}
pub(crate) use fill;

pub fn default_client(client: &mut WebhookClientConfig) {
    if let Some(service) = &mut client.service {
        service.port.get_or_insert(SERVICE_PORT);
    }
}

pub fn default_rule(rule: &mut RuleWithOperations) {
    rule.scope.get_or_insert_with(|| "*".to_owned());
}

/// What is wrong with the webhooks of a configuration.
pub fn check<'a>(hooks: impl Iterator<Item = Common<'a>>) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let list = Path::new("webhooks");
    let mut names = BTreeSet::new();
    for (i, hook) in hooks.enumerate() {
        let at = list.index(i);
        if !names.insert(hook.name) {
            errors.push(FieldError::duplicate(at.child("name"), hook.name));
        }
        one(&hook, &at, &mut errors);
    }
    errors
}

fn one(hook: &Common<'_>, path: &Path<'_>, errors: &mut FieldErrors) {
    name(hook.name, &path.child("name"), errors);
    let list = path.child("rules");
    for (i, rule) in hook.rules.iter().enumerate() {
        let rule = Rule {
            operations: &rule.operations,
            api_groups: &rule.api_groups,
            api_versions: &rule.api_versions,
            resources: &rule.resources,
            scope: rule.scope.as_deref(),
        };
        self::rule(&rule, &list.index(i), errors);
    }
    client(hook.client, &path.child("clientConfig"), errors);
    if let Some(policy) = hook.failure_policy {
        one_of(policy, &["Fail", "Ignore"], &path.child("failurePolicy"), errors);
    }
    if let Some(policy) = hook.match_policy {
        one_of(policy, &["Equivalent", "Exact"], &path.child("matchPolicy"), errors);
    }
    one_of(hook.side_effects, &["None", "NoneOnDryRun"], &path.child("sideEffects"), errors);
    review_versions(hook.review_versions, &path.child("admissionReviewVersions"), errors);
    if let Some(secs) = hook.timeout_secs
        && !(1..=TIMEOUT_SECS_MAX).contains(&secs)
    {
        let detail = format!("the timeout value must be between 1 and {TIMEOUT_SECS_MAX} seconds");
        errors.push(FieldError::invalid(path.child("timeoutSeconds"), secs, detail));
    }
    if let Some(policy) = hook.reinvocation_policy {
        one_of(policy, &["IfNeeded", "Never"], &path.child("reinvocationPolicy"), errors);
    }
    for (field, wanted) in ["namespaceSelector", "objectSelector"].into_iter().zip(hook.selectors) {
        if let Some(wanted) = wanted {
            selector::label_selector(wanted, &path.child(field), errors);
        }
    }
    let at = path.child("matchConditions");
    conditions(hook.conditions, &at, errors);
    if !hook.conditions.is_empty() {
        let compiled = Conditions::of_webhook(&serde_json::json!(hook.conditions));
        errors.extend(compiled.errors(&at.to_string()));
    }
}

fn name(name: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    if name.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    invalid_each(name, format::dns_subdomain(name), path, errors);
    if name.split('.').count() < NAME_SEGMENTS_MIN {
        let detail = "should be a domain with at least three segments separated by dots";
        errors.push(FieldError::invalid(path, name, detail));
    }
}

/// A rule of a webhook or of a policy: operations on resources.
pub struct Rule<'a> {
    pub operations: &'a Option<Vec<String>>,
    pub api_groups: &'a Option<Vec<String>>,
    pub api_versions: &'a Option<Vec<String>>,
    pub resources: &'a Option<Vec<String>>,
    pub scope: Option<&'a str>,
}

pub fn rule(rule: &Rule<'_>, path: &Path<'_>, errors: &mut FieldErrors) {
    let operations = path.child("operations");
    let known = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
    if each(rule.operations).len() == 0 {
        errors.push(FieldError::required(operations, ""));
    }
    if each(rule.operations).len() > 1 && each(rule.operations).any(|name| name == "*") {
        let detail = "if '*' is present, must not specify other operations";
        errors.push(FieldError::invalid(operations, rule.operations, detail));
    }
    for (i, name) in each(rule.operations).enumerate() {
        one_of(name, &known, &operations.index(i), errors);
    }
    let lists = [("apiGroups", rule.api_groups), ("apiVersions", rule.api_versions), ("resources", rule.resources)];
    for (field, list) in lists {
        if each(list).len() == 0 {
            errors.push(FieldError::required(path.child(field), ""));
        }
    }
    wildcards(rule, path, errors);
    one_of(rule.scope.unwrap_or_default(), &["*", "Cluster", "Namespaced"], &path.child("scope"), errors);
}

/// `*` says it all, and leaves nothing for others to add.
fn wildcards(rule: &Rule<'_>, path: &Path<'_>, errors: &mut FieldErrors) {
    let alone = [("apiGroups", rule.api_groups, "API groups"), ("apiVersions", rule.api_versions, "API versions")];
    for (field, list, words) in alone {
        if each(list).len() > 1 && each(list).any(|name| name == "*") {
            let detail = format!("if '*' is present, must not specify other {words}");
            errors.push(FieldError::invalid(path.child(field), list, detail));
        }
    }
    let at = path.child("apiVersions");
    for (i, version) in each(rule.api_versions).enumerate() {
        if version.is_empty() {
            errors.push(FieldError::required(at.index(i), ""));
        }
    }
}

fn client(client: &WebhookClientConfig, path: &Path<'_>, errors: &mut FieldErrors) {
    match (given(client.url.as_ref()), &client.service) {
        (Some(_), Some(_)) | (None, None) => {
            errors.push(FieldError::required(path, "exactly one of url or service is required"));
        }
        (Some(url), None) => self::url(url, &path.child("url"), errors),
        (None, Some(service)) => {
            let at = path.child("service");
            for (field, value) in [("name", &service.name), ("namespace", &service.namespace)] {
                if value.is_empty() {
                    errors.push(FieldError::required(at.child(field), format!("service {field} is required")));
                }
            }
            if let Some(port) = service.port {
                network::port_number(port, &at.child("port"), errors);
            }
            if let Some(target) = given(service.path.as_ref())
                && !target.starts_with('/')
            {
                errors.push(FieldError::invalid(at.child("path"), target, "must start with a '/'"));
            }
        }
    }
}

/// Only over TLS, and without anything that the request itself will say.
fn url(url: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    let Some(rest) = url.strip_prefix("https://") else {
        let detail = "'https' is the only allowed URL scheme; desired format: https://host[/path]";
        errors.push(FieldError::invalid(path, url, detail));
        return;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() {
        errors.push(FieldError::invalid(path, url, "host must be specified; desired format: https://host[/path]"));
    }
    let refused = [
        (host.contains('@'), "user information is not permitted in the URL"),
        (rest.contains('#'), "fragments are not permitted in the URL"),
        (rest.contains('?'), "query parameters are not permitted in the URL"),
    ];
    for (_, detail) in refused.into_iter().filter(|(found, _)| *found) {
        errors.push(FieldError::invalid(path, url, detail));
    }
}

fn review_versions(versions: &[String], path: &Path<'_>, errors: &mut FieldErrors) {
    if versions.is_empty() {
        errors.push(FieldError::required(path, "must specify one of v1, v1beta1"));
        return;
    }
    for (i, version) in versions.iter().enumerate() {
        invalid_each(version, format::dns_1035_label(version), &path.index(i), errors);
    }
    if !versions.iter().any(|version| matches!(version.as_str(), "v1" | "v1beta1")) {
        errors.push(FieldError::invalid(path, versions, "must include at least one of v1, v1beta1"));
    }
}

pub fn conditions(all: &[MatchCondition], path: &Path<'_>, errors: &mut FieldErrors) {
    if all.len() > CONDITIONS_MAX {
        errors.push(FieldError::too_many(path, all.len(), CONDITIONS_MAX));
    }
    let mut names = BTreeSet::new();
    for (i, condition) in all.iter().enumerate() {
        let at = path.index(i);
        if condition.expression.trim().is_empty() {
            errors.push(FieldError::required(at.child("expression"), ""));
        }
        if condition.name.is_empty() {
            errors.push(FieldError::required(at.child("name"), ""));
        } else {
            invalid_each(&condition.name, format::qualified_name(&condition.name), &at.child("name"), errors);
        }
        if !names.insert(&condition.name) {
            errors.push(FieldError::duplicate(at.child("name"), &condition.name));
        }
    }
}
