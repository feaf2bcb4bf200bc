//! One webhook of a configuration, parsed once.

use super::super::matcher::Criteria;
use crate::webhook::ClientConfig;
use kinds::admission::{Conditions, Failure};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// k8s: where the configuration says nothing, which defaulting prevents
const TIMEOUT_SECONDS: u64 = 10;

#[derive(Clone, Debug)]
pub(super) struct Hook {
    /// Configuration, name and place: unique among all hooks.
    pub id: String,
    pub name: String,
    pub client: ClientConfig,
    pub criteria: Criteria,
    pub failure: Failure,
    /// A dry run has no side effects that anybody would have to undo.
    pub dry_runs: bool,
    pub timeout: Duration,
    pub reinvoke: bool,
    /// Expressions that say where it is asked.
    pub conditions: Arc<Conditions>,
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
        Some(Self {
            id: format!("{configuration}/{}/{place}", text("name")),
            name: text("name").to_owned(),
            client: ClientConfig::deserialize(&hook["clientConfig"]).ok()?,
            criteria: Criteria::of_webhook(hook)?,
            failure: Failure::of(hook),
            dry_runs: matches!(text("sideEffects"), "None" | "NoneOnDryRun"),
            timeout: Duration::from_secs(hook["timeoutSeconds"].as_u64().unwrap_or(TIMEOUT_SECONDS)),
            reinvoke: text("reinvocationPolicy") == "IfNeeded",
            conditions: Arc::new(Conditions::of_webhook(&hook["matchConditions"])),
        })
    }
}
