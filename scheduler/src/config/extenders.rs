//! `extenders` of a KubeSchedulerConfiguration.

use super::ConfigError;
use crate::extender::{Settings, Tls};
use kinds::duration;
use kinds::validate::resources::is_extended;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// k8s: DefaultExtenderTimeout
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Extender {
    pub url_prefix: String,
    pub filter_verb: String,
    pub preempt_verb: String,
    pub prioritize_verb: String,
    pub bind_verb: String,
    /// What its scores (0 to 10) are multiplied with.
    pub weight: i64,
    /// HTTPS; without a CA, whoever answers is believed.
    #[serde(rename = "enableHTTPS")]
    pub enable_https: bool,
    pub tls_config: Option<ExtenderTlsConfig>,
    /// How long it may take to answer, such as `5s`.
    pub http_timeout: Option<String>,
    /// It is told names of nodes in place of nodes.
    pub node_cache_capable: bool,
    pub managed_resources: Vec<ExtenderManagedResource>,
    /// Pods are placed without it where it does not answer.
    pub ignorable: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExtenderTlsConfig {
    pub insecure: bool,
    pub server_name: Option<String>,
    pub cert_file: Option<String>,
    pub key_file: Option<String>,
    pub ca_file: Option<String>,
    /// Base64 of PEM, as the two that follow.
    pub cert_data: Option<String>,
    pub key_data: Option<String>,
    pub ca_data: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExtenderManagedResource {
    pub name: String,
    /// No node needs to have enough of it.
    pub ignored_by_scheduler: bool,
}

/// All of them, in the order in which they are asked.
pub(super) fn settings(extenders: &[Extender]) -> Result<Vec<Settings>, ConfigError> {
    let binders = extenders.iter().filter(|extender| !extender.bind_verb.is_empty()).count();
    if binders > 1 {
        let why = format!("found {binders} extenders implementing bind, only one is allowed");
        return Err(ConfigError::Extender { url: String::new(), why });
    }
    extenders.iter().map(|extender| one(extender).map_err(|why| refused(extender, why))).collect()
}

fn refused(extender: &Extender, why: String) -> ConfigError {
    ConfigError::Extender { url: extender.url_prefix.clone(), why }
}

fn one(stated: &Extender) -> Result<Settings, String> {
    if !["http://", "https://"].iter().any(|scheme| stated.url_prefix.starts_with(scheme)) {
        return Err("urlPrefix must begin with http:// or https://".to_owned());
    }
    if !stated.prioritize_verb.is_empty() && stated.weight <= 0 {
        return Err("must have a positive weight applied to it".to_owned());
    }
    let timeout = match stated.http_timeout.as_deref() {
        None => TIMEOUT,
        Some(text) => match duration::parse(text).map(Duration::try_from) {
            Some(Ok(timeout)) if timeout.is_zero() => TIMEOUT,
            Some(Ok(timeout)) => timeout,
            _ => return Err(format!("httpTimeout {text:?} is no duration such as 5s")),
        },
    };
    let mut resources = BTreeSet::new();
    for resource in &stated.managed_resources {
        if !is_extended(&resource.name) {
            return Err(format!("managedResources: {:?} is an invalid extended resource name", resource.name));
        }
        if !resources.insert(resource.name.clone()) {
            return Err(format!("managedResources: duplicate extender managed resource name {:?}", resource.name));
        }
    }
    let verb = |verb: &String| Some(verb.trim_matches('/').to_owned()).filter(|verb| !verb.is_empty());
    Ok(Settings {
        url: stated.url_prefix.clone(),
        filter_verb: verb(&stated.filter_verb),
        prioritize_verb: verb(&stated.prioritize_verb),
        preempt_verb: verb(&stated.preempt_verb),
        bind_verb: verb(&stated.bind_verb),
        weight: stated.weight,
        tls: tls(stated),
        timeout,
        knows_nodes: stated.node_cache_capable,
        resources,
        is_ignorable: stated.ignorable,
    })
}

fn tls(stated: &Extender) -> Tls {
    let config = stated.tls_config.clone().unwrap_or_default();
    let has_ca = config.ca_file.is_some() || config.ca_data.is_some();
    Tls {
        // k8s: makeTransport
        is_insecure: config.insecure || (stated.enable_https && !has_ca),
        server_name: config.server_name,
        cert_file: config.cert_file,
        cert_data: config.cert_data,
        key_file: config.key_file,
        key_data: config.key_data,
        ca_file: config.ca_file,
        ca_data: config.ca_data,
    }
}
