//! One webhook of a configuration, parsed once.

use crate::webhook::ClientConfig;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use kinds::selector::LabelSelector;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// k8s: where the configuration says nothing, which defaulting prevents
const TIMEOUT_SECONDS: u64 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Ignore,
    Fail,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Rule {
    pub operations: Vec<String>,
    pub api_groups: Vec<String>,
    pub api_versions: Vec<String>,
    pub resources: Vec<String>,
    pub scope: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Hook {
    /// Configuration, name and place: unique among all hooks.
    pub id: String,
    pub name: String,
    pub client: ClientConfig,
    pub rules: Vec<Rule>,
    pub failure: Failure,
    /// Rules for one version of a resource also mean the others.
    pub equivalent: bool,
    pub namespace_selector: LabelSelector,
    pub object_selector: LabelSelector,
    /// A dry run has no side effects that anybody would have to undo.
    pub dry_runs: bool,
    pub timeout: Duration,
    pub reinvoke: bool,
    /// CEL expressions that say where it is asked; nothing here can evaluate them.
    pub conditions: usize,
}

impl Hook {
    /// All of a configuration. One that cannot be parsed is left out with its neighbours kept: validation has seen them all.
    pub(super) fn of_configuration(configuration: &Value) -> Vec<Self> {
        let name = configuration.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let hooks = configuration["webhooks"].as_array().into_iter().flatten().enumerate();
        hooks.filter_map(|(place, hook)| Self::parse(name, place, hook)).collect()
    }

    fn parse(configuration: &str, place: usize, hook: &Value) -> Option<Self> {
        let text = |field: &str| hook[field].as_str().unwrap_or_default();
        let selector = |field: &str| match &hook[field] {
            Value::Null => Some(LabelSelector::everything()),
            given => LabelSelector::from_meta(&meta::LabelSelector::deserialize(given).ok()?).ok(),
        };
        Some(Self {
            id: format!("{configuration}/{}/{place}", text("name")),
            name: text("name").to_owned(),
            client: ClientConfig::deserialize(&hook["clientConfig"]).ok()?,
            rules: Vec::deserialize(&hook["rules"]).unwrap_or_default(),
            failure: if text("failurePolicy") == "Ignore" { Failure::Ignore } else { Failure::Fail },
            equivalent: text("matchPolicy") != "Exact",
            namespace_selector: selector("namespaceSelector")?,
            object_selector: selector("objectSelector")?,
            dry_runs: matches!(text("sideEffects"), "None" | "NoneOnDryRun"),
            timeout: Duration::from_secs(hook["timeoutSeconds"].as_u64().unwrap_or(TIMEOUT_SECONDS)),
            reinvoke: text("reinvocationPolicy") == "IfNeeded",
            conditions: hook["matchConditions"].as_array().map_or(0, Vec::len),
        })
    }
}
