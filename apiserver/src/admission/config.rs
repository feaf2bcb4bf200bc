//! AdmissionConfiguration: what the plugins are told that can be told anything.
//! k8s: `--admission-control-config-file`, `apiserver/pkg/admission/config.go`

use super::pod_security::{PodSecurityConfiguration, Settings};
use crate::config_file::{self, ConfigFile, ConfigFileError};
use kinds::errors::{FieldError, FieldErrors};
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

const POD_SECURITY: &str = "PodSecurity";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AdmissionConfiguration {
    plugins: Vec<PluginConfiguration>,
}

impl ConfigFile for AdmissionConfiguration {
    const KIND: &'static str = "AdmissionConfiguration";
    const API_VERSIONS: &'static [&'static str] = &["apiserver.config.k8s.io/v1"];
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct PluginConfiguration {
    name: String,
    /// Of a file with the configuration, from the folder of this one.
    path: String,
    configuration: Value,
}

/// What the plugins go by.
#[derive(Clone, Debug, Default)]
pub(crate) struct PluginSettings {
    pub(super) pod_security: Settings,
}

impl PluginSettings {
    /// Without a file, the defaults.
    pub(crate) fn of(path: Option<&Path>) -> Result<Self, ConfigFileError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let config: AdmissionConfiguration = config_file::parse(path, &config_file::text(path)?)?;
        let mut settings = Self::default();
        let mut errors = FieldErrors::new();
        let mut seen = Vec::new();
        for (at, plugin) in config.plugins.iter().enumerate() {
            let name = format!("plugins[{at}].name");
            if seen.contains(&plugin.name) {
                errors.push(FieldError::duplicate(name, &plugin.name));
            } else if plugin.name == POD_SECURITY {
                settings.pod_security = pod_security(path, plugin)?;
            } else {
                // What is told to a plugin that cannot be told anything would be lost.
                errors.push(FieldError::not_supported(name, &plugin.name, &[POD_SECURITY]));
            }
            seen.push(plugin.name.clone());
        }
        if errors.is_empty() { Ok(settings) } else { Err(ConfigFileError::Invalid { path: path.to_owned(), errors }) }
    }
}

fn pod_security(path: &Path, plugin: &PluginConfiguration) -> Result<Settings, ConfigFileError> {
    let (from, text) = match plugin.path.as_str() {
        "" => (path.to_owned(), plugin.configuration.to_string()),
        beside => {
            let from = path.parent().map_or_else(|| PathBuf::from(beside), |folder| folder.join(beside));
            let text = config_file::text(&from)?;
            (from, text)
        }
    };
    let config: PodSecurityConfiguration = config_file::parse(&from, &text)?;
    Settings::new(config).map_err(|errors| ConfigFileError::Invalid { path: from, errors })
}
