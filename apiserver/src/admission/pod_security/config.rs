//! PodSecurityConfiguration: what holds where a namespace has no labels, and whom nothing of it concerns.
//! k8s: `k8s.io/pod-security-admission/admission/api`

use super::policy::{Defaults, Level, Standard, Version};
use crate::config_file::ConfigFile;
use kinds::errors::{FieldError, FieldErrors};
use kinds::validate::format;
use kinds::validate::path::Path;
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct PodSecurityConfiguration {
    defaults: Labels,
    exemptions: Exemptions,
}

impl ConfigFile for PodSecurityConfiguration {
    const KIND: &'static str = "PodSecurityConfiguration";
    const API_VERSIONS: &'static [&'static str] =
        &["pod-security.admission.config.k8s.io/v1", "pod-security.admission.config.k8s.io/v1beta1"];
}

/// As a namespace's labels; empty ones are the privileged level and the latest version.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Labels {
    enforce: String,
    enforce_version: String,
    audit: String,
    audit_version: String,
    warn: String,
    warn_version: String,
}

/// Requests of these are looked at by nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Exemptions {
    pub(super) usernames: Vec<String>,
    pub(super) namespaces: Vec<String>,
    pub(super) runtime_classes: Vec<String>,
}

/// What the plugin goes by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(super) defaults: Defaults,
    pub(super) exemptions: Exemptions,
}

impl Settings {
    pub(crate) fn new(config: PodSecurityConfiguration) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::new();
        let Labels { enforce, enforce_version, audit, audit_version, warn, warn_version } = &config.defaults;
        let mut standard = |mode: &str, level: &str, version: &str| standard(mode, level, version, &mut errors);
        let defaults = Defaults {
            enforce: standard("enforce", enforce, enforce_version),
            audit: standard("audit", audit, audit_version),
            warn: standard("warn", warn, warn_version),
        };
        let Exemptions { usernames, namespaces, runtime_classes } = &config.exemptions;
        let root = Path::new("exemptions");
        let some =
            |name: &str| if name.is_empty() { vec!["username must not be empty".to_owned()] } else { Vec::new() };
        names(usernames, some, &root.child("usernames"), &mut errors);
        names(namespaces, format::dns_label, &root.child("namespaces"), &mut errors);
        names(runtime_classes, format::dns_subdomain, &root.child("runtimeClasses"), &mut errors);
        if errors.is_empty() { Ok(Self { defaults, exemptions: config.exemptions }) } else { Err(errors) }
    }
}

fn standard(mode: &str, level: &str, version: &str, errors: &mut FieldErrors) -> Standard {
    let known = |text: &str, default: &'static str| if text.is_empty() { default.to_owned() } else { text.to_owned() };
    let path = format!("defaults.{mode}");
    let read = Level::parse(&known(level, "privileged"));
    if read.is_none() {
        errors.push(FieldError::invalid(&path, level, "must be one of privileged, baseline, restricted"));
    }
    let of = Version::parse(&known(version, "latest"));
    if of.is_none() {
        errors.push(FieldError::invalid(format!("{path}-version"), version, "must be \"latest\" or \"v1.x\""));
    }
    Standard { level: read.unwrap_or(Level::Privileged), version: of.unwrap_or(Version::Latest) }
}

fn names(all: &[String], wrong: impl Fn(&str) -> Vec<String>, path: &Path<'_>, errors: &mut FieldErrors) {
    let mut seen = BTreeSet::new();
    for (at, name) in all.iter().enumerate() {
        for why in wrong(name) {
            errors.push(FieldError::invalid(path.index(at), name, why));
        }
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(path.index(at), name));
        }
    }
}
