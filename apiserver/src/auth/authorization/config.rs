//! The fields of an AuthorizationConfiguration, with their defaults.
//! k8s: `apiserver/pkg/apis/apiserver/v1`

use crate::config_file::ConfigFile;
use jiff::SignedDuration;
use kinds::duration;
use serde::{Deserialize, Deserializer};

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AuthorizationConfiguration {
    /// In the order in which they are asked.
    pub authorizers: Vec<AuthorizerConfiguration>,
}

impl ConfigFile for AuthorizationConfiguration {
    const KIND: &'static str = "AuthorizationConfiguration";
    const API_VERSIONS: &'static [&'static str] = &["apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1"];
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AuthorizerConfiguration {
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    pub webhook: Option<WebhookConfiguration>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct WebhookConfiguration {
    #[serde(rename = "authorizedTTL", deserialize_with = "time")]
    pub authorized_ttl: SignedDuration,
    pub cache_authorized_requests: bool,
    #[serde(rename = "unauthorizedTTL", deserialize_with = "time")]
    pub unauthorized_ttl: SignedDuration,
    pub cache_unauthorized_requests: bool,
    #[serde(deserialize_with = "time")]
    pub timeout: SignedDuration,
    pub subject_access_review_version: String,
    pub match_condition_subject_access_review_version: String,
    pub failure_policy: String,
    pub connection_info: ConnectionInfo,
    pub match_conditions: Vec<MatchCondition>,
}

impl WebhookConfiguration {
    /// k8s: SetDefaults_WebhookConfiguration, where zero is the same as nothing
    pub(super) const AUTHORIZED_TTL: SignedDuration = SignedDuration::from_mins(5);
    pub(super) const UNAUTHORIZED_TTL: SignedDuration = SignedDuration::from_secs(30);
}

impl Default for WebhookConfiguration {
    fn default() -> Self {
        Self {
            authorized_ttl: SignedDuration::ZERO,
            cache_authorized_requests: true,
            unauthorized_ttl: SignedDuration::ZERO,
            cache_unauthorized_requests: true,
            timeout: SignedDuration::ZERO,
            subject_access_review_version: String::new(),
            match_condition_subject_access_review_version: String::new(),
            failure_policy: String::new(),
            connection_info: ConnectionInfo::default(),
            match_conditions: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ConnectionInfo {
    #[serde(rename = "type")]
    pub kind: String,
    pub kube_config_file: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MatchCondition {
    pub expression: String,
}

/// As Go writes it. k8s: metav1.Duration
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignedDuration, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("time: invalid duration {text:?}")))
}
