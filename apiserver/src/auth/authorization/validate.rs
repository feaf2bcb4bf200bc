//! What is wrong with an AuthorizationConfiguration, and what its authorizers come to where nothing is.
//! k8s: `apis/apiserver/validation`, ValidateAuthorizationConfiguration, and `kubeapiserver/authorizer`, LoadAndValidateData;
//! paths and texts are upstream's

use super::config::{AuthorizationConfiguration, AuthorizerConfiguration, ConnectionInfo, WebhookConfiguration};
use super::question::Version;
use jiff::SignedDuration;
use kinds::duration;
use kinds::errors::{FieldError, FieldErrors};
use kinds::expression::{About, Expression, Yields};
use kinds::validate::format;
use kinds::validate::path::Path;
use std::collections::BTreeSet;
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

const KINDS: [&str; 6] = ["ABAC", "AlwaysAllow", "AlwaysDeny", "Node", "RBAC", "Webhook"];

/// k8s: of one webhook
const MATCH_CONDITIONS_MAX: usize = 64;
const TIMEOUT_MAX: SignedDuration = SignedDuration::from_secs(30);

/// An authorizer that is known to be usable, but for whether its kubeconfig is.
#[derive(Debug)]
pub(super) enum Authorizer {
    Abac,
    AlwaysAllow,
    AlwaysDeny,
    Node,
    Rbac,
    Webhook(Box<Webhook>),
}

#[derive(Debug)]
pub(super) struct Webhook {
    pub(super) name: String,
    pub(super) kubeconfig: PathBuf,
    pub(super) timeout: Duration,
    /// How long an answer is remembered that allows; zero: not at all.
    pub(super) authorized_ttl: Duration,
    pub(super) unauthorized_ttl: Duration,
    pub(super) version: Version,
    pub(super) failure: FailurePolicy,
    pub(super) conditions: Vec<Expression>,
}

/// What it means that a webhook cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailurePolicy {
    NoOpinion,
    Deny,
}

/// The authorizers in order. `required`: the types, but for webhooks, that the configuration had when the server started.
pub(super) fn compile(
    config: &AuthorizationConfiguration,
    required: &BTreeSet<String>,
) -> Result<Vec<Authorizer>, FieldErrors> {
    let root = Path::new("authorizers");
    let mut errors = FieldErrors::new();
    if config.authorizers.is_empty() {
        errors.push(FieldError::required(root, "at least one authorization mode must be defined"));
    }
    let (mut kinds, mut names) = (BTreeSet::new(), BTreeSet::new());
    let mut all = Vec::new();
    for (at, one) in config.authorizers.iter().enumerate() {
        let path = root.index(at);
        let kind = one.kind.as_str();
        if kind.is_empty() {
            errors.push(FieldError::required(path.child("type"), ""));
            continue;
        }
        if !KINDS.contains(&kind) {
            errors.push(FieldError::not_supported(path.child("type"), kind, &KINDS));
            continue;
        }
        if !kinds.insert(kind) && kind != "Webhook" {
            errors.push(FieldError::duplicate(path.child("type"), kind));
            continue;
        }
        check_name(one, &mut names, &path, &mut errors);
        all.extend(authorizer(one, &path, &mut errors));
    }
    let missing: Vec<&str> = required.iter().map(String::as_str).filter(|kind| !kinds.contains(kind)).collect();
    if !missing.is_empty() {
        errors.push(FieldError::required(root, format!("missing required types: [{}]", missing.join(" "))));
    }
    if errors.is_empty() { Ok(all) } else { Err(errors) }
}

/// The types that a configuration which comes later has to have too.
pub(super) fn required_later(config: &AuthorizationConfiguration) -> BTreeSet<String> {
    config.authorizers.iter().map(|one| one.kind.clone()).filter(|kind| kind != "Webhook").collect()
}

fn check_name<'c>(
    one: &'c AuthorizerConfiguration,
    names: &mut BTreeSet<&'c str>,
    path: &Path<'_>,
    errors: &mut FieldErrors,
) {
    let (name, path) = (one.name.as_str(), path.child("name"));
    let is_new = names.insert(name);
    let complaints = format::dns_subdomain(name);
    if name.is_empty() {
        errors.push(FieldError::required(path, ""));
    } else if !is_new {
        errors.push(FieldError::duplicate(path, name));
    } else if !complaints.is_empty() {
        let why = format!("authorizer name is invalid: {}", complaints.join(", "));
        errors.push(FieldError::invalid(path, name, why));
    } else if one.kind != "Webhook" && name != one.kind.to_lowercase() {
        let why = format!("expected name {} for authorizer {} instead of {name}", one.kind.to_lowercase(), one.kind);
        errors.push(FieldError::invalid(path, name, why));
    }
}

/// `None` where something is wrong, which `errors` then say.
fn authorizer(one: &AuthorizerConfiguration, path: &Path<'_>, errors: &mut FieldErrors) -> Option<Authorizer> {
    match (one.kind.as_str(), &one.webhook) {
        ("Webhook", Some(config)) => {
            let found = webhook(&one.name, config, path, errors)?;
            Some(Authorizer::Webhook(Box::new(found)))
        }
        ("Webhook", None) => {
            errors.push(FieldError::required(path.child("webhook"), "required when type=Webhook"));
            None
        }
        (_, Some(_)) => {
            let why = "may only be specified when type=Webhook";
            errors.push(FieldError::invalid(path.child("webhook"), "non-null", why));
            None
        }
        ("ABAC", None) => Some(Authorizer::Abac),
        ("AlwaysAllow", None) => Some(Authorizer::AlwaysAllow),
        ("AlwaysDeny", None) => Some(Authorizer::AlwaysDeny),
        ("Node", None) => Some(Authorizer::Node),
        (_, None) => Some(Authorizer::Rbac),
    }
}

/// k8s: ValidateWebhookConfiguration, whose paths leave out `webhook`
fn webhook(name: &str, config: &WebhookConfiguration, path: &Path<'_>, errors: &mut FieldErrors) -> Option<Webhook> {
    let timeout = match config.timeout {
        SignedDuration::ZERO => {
            errors.push(FieldError::required(path.child("timeout"), ""));
            None
        }
        timeout if timeout.is_negative() || timeout > TIMEOUT_MAX => {
            let why = "must be > 0s and <= 30s";
            errors.push(FieldError::invalid(path.child("timeout"), duration::written(timeout), why));
            None
        }
        timeout => Some(timeout.unsigned_abs()),
    };
    let authorized = (config.authorized_ttl, config.cache_authorized_requests, WebhookConfiguration::AUTHORIZED_TTL);
    let authorized_ttl = ttl(authorized, &path.child("authorizedTTL"), errors);
    let unauthorized =
        (config.unauthorized_ttl, config.cache_unauthorized_requests, WebhookConfiguration::UNAUTHORIZED_TTL);
    let unauthorized_ttl = ttl(unauthorized, &path.child("unauthorizedTTL"), errors);
    let version = version(config, path, errors);
    let at = path.child("failurePolicy");
    let failure = match config.failure_policy.as_str() {
        "NoOpinion" => Some(FailurePolicy::NoOpinion),
        "Deny" => Some(FailurePolicy::Deny),
        "" => {
            errors.push(FieldError::required(at, ""));
            None
        }
        other => {
            errors.push(FieldError::not_supported(at, other, &["NoOpinion", "Deny"]));
            None
        }
    };
    let kubeconfig = kubeconfig(&config.connection_info, &path.child("connectionInfo"), errors);
    let conditions = conditions(config, &path.child("matchConditions"), errors);
    Some(Webhook {
        name: name.to_owned(),
        kubeconfig: kubeconfig?,
        timeout: timeout?,
        authorized_ttl,
        unauthorized_ttl,
        version: version?,
        failure: failure?,
        conditions,
    })
}

fn ttl(
    (said, is_cached, default): (SignedDuration, bool, SignedDuration),
    path: &Path<'_>,
    errors: &mut FieldErrors,
) -> Duration {
    if said.is_negative() {
        errors.push(FieldError::invalid(path, duration::written(said), "must be > 0s"));
    }
    match (is_cached, said.is_zero()) {
        (false, _) => Duration::ZERO,
        (true, true) => default.unsigned_abs(),
        (true, false) => said.unsigned_abs(),
    }
}

fn version(config: &WebhookConfiguration, path: &Path<'_>, errors: &mut FieldErrors) -> Option<Version> {
    let at = path.child("subjectAccessReviewVersion");
    let version = match config.subject_access_review_version.as_str() {
        "v1" => Some(Version::V1),
        "v1beta1" => Some(Version::V1Beta1),
        "" => {
            errors.push(FieldError::required(at, ""));
            None
        }
        other => {
            errors.push(FieldError::not_supported(at, other, &["v1", "v1beta1"]));
            None
        }
    };
    let at = path.child("matchConditionSubjectAccessReviewVersion");
    match config.match_condition_subject_access_review_version.as_str() {
        "" if config.match_conditions.is_empty() => {}
        "" => errors.push(FieldError::required(at, "required if match conditions are specified")),
        "v1" => {}
        other => errors.push(FieldError::not_supported(at, other, &["v1"])),
    }
    version
}

fn kubeconfig(info: &ConnectionInfo, path: &Path<'_>, errors: &mut FieldErrors) -> Option<PathBuf> {
    let (kind, at) = (path.child("type"), path.child("kubeConfigFile"));
    let mut wrong = |value: &str, why: String| errors.push(FieldError::invalid(at, value, why));
    match (info.kind.as_str(), info.kube_config_file.as_deref().unwrap_or_default()) {
        ("KubeConfigFile", "") => errors.push(FieldError::required(at, "")),
        ("KubeConfigFile", file) if !FilePath::new(file).is_absolute() => {
            wrong(file, "must be an absolute path".to_owned());
        }
        ("KubeConfigFile", file) => match std::fs::metadata(file) {
            Ok(found) if found.is_file() => return Some(PathBuf::from(file)),
            Ok(_) => wrong(file, "must be a regular file".to_owned()),
            Err(error) => wrong(file, format!("error loading file: {error}")),
        },
        ("", _) => errors.push(FieldError::required(kind, "")),
        // It would ask itself. k8s: "This mode is not allowed for kube-apiserver."
        ("InClusterConfig", "") => {
            errors.push(FieldError::forbidden(kind, "an API server cannot ask itself: use KubeConfigFile"));
        }
        ("InClusterConfig", file) => wrong(file, "can only be set when type=KubeConfigFile".to_owned()),
        (other, _) => {
            errors.push(FieldError::not_supported(kind, other, &["InClusterConfig", "KubeConfigFile"]));
        }
    }
    None
}

fn conditions(config: &WebhookConfiguration, path: &Path<'_>, errors: &mut FieldErrors) -> Vec<Expression> {
    let all = &config.match_conditions;
    if all.len() > MATCH_CONDITIONS_MAX {
        errors.push(FieldError::too_many(path, all.len(), MATCH_CONDITIONS_MAX));
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let mut compiled = Vec::new();
    for (at, condition) in all.iter().enumerate() {
        let (path, source) = (path.index(at), condition.expression.as_str());
        let path = path.child("expression");
        if source.trim().is_empty() {
            errors.push(FieldError::required(path, ""));
        } else if !seen.insert(source) {
            errors.push(FieldError::duplicate(path, source));
        } else {
            match Expression::compile(source, About::Review, Yields::Bool) {
                Ok(expression) => compiled.push(expression),
                Err(why) => errors.push(FieldError::invalid(path, source, why)),
            }
        }
    }
    compiled
}

#[cfg(test)]
mod tests;
