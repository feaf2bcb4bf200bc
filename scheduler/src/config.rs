//! `KubeSchedulerConfiguration`, as far as Drover has what it speaks of: the file that upstream's scheduler reads works here.
//! What is not understood is refused, not passed over.

mod extenders;

pub use extenders::{Extender, ExtenderManagedResource, ExtenderTlsConfig};

use crate::extender::Settings;
use crate::plugins::PLUGINS;
use crate::profile::{Active, Profile};
use crate::scoring::{NodeResourcesFitArgs, Scoring};
use k8s_openapi::api::core::v1::{NodeAffinity, TopologySpreadConstraint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const API_VERSION: &str = "kubescheduler.config.k8s.io/v1";
const KIND: &str = "KubeSchedulerConfiguration";
/// Disables, or enables, everything.
const ALL: &str = "*";
/// Upstream's names of plugins that are part of others here, or that cannot be turned off.
const INHERENT: [&str; 4] = ["SchedulingGates", "PrioritySort", "DefaultPreemption", "DefaultBinder"];

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeSchedulerConfiguration {
    pub api_version: String,
    pub kind: String,
    /// Taken, and without meaning here: decisions are made on one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<i32>,
    /// Percent of the nodes that is enough to look at; 0 lets the size of the cluster decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentage_of_nodes_to_score: Option<i32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<KubeSchedulerProfile>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extenders: Vec<Extender>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeSchedulerProfile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentage_of_nodes_to_score: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugins: Option<Plugins>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plugin_config: Vec<PluginConfig>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plugins {
    #[serde(default)]
    pub multi_point: PluginSet,
    #[serde(default)]
    pub filter: PluginSet,
    #[serde(default)]
    pub score: PluginSet,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PluginSet {
    #[serde(default)]
    pub enabled: Vec<Plugin>,
    #[serde(default)]
    pub disabled: Vec<Plugin>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plugin {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PluginConfig {
    pub name: String,
    /// As upstream's `<Name>Args`.
    pub args: Value,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeAffinityArgs {
    added_affinity: Option<NodeAffinity>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct InterPodAffinityArgs {
    hard_pod_affinity_weight: Option<i32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodTopologySpreadArgs {
    default_constraints: Vec<TopologySpreadConstraint>,
    defaulting_type: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("not a {KIND} of {API_VERSION}")]
    Kind,
    #[error("cannot be read")]
    Form(#[from] serde_norway::Error),
    #[error("the arguments of {plugin} cannot be read")]
    ArgsForm { plugin: String, source: serde_json::Error },
    #[error("there is no plugin {0:?}")]
    NoSuchPlugin(String),
    #[error("{plugin} cannot be told {what}")]
    Args { plugin: String, what: &'static str },
    #[error("extender {url:?}: {why}")]
    Extender { url: String, why: String },
    #[error("two profiles have the schedulerName {0:?}")]
    Twice(String),
}

impl KubeSchedulerConfiguration {
    /// YAML or JSON.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        // Of a file that is something else, the parser's words would quote the content.
        if !text.contains(KIND) {
            return Err(ConfigError::Kind);
        }
        let config: Self = serde_norway::from_str(text)?;
        if config.api_version != API_VERSION || config.kind != KIND {
            return Err(ConfigError::Kind);
        }
        Ok(config)
    }

    pub fn profiles(&self) -> Result<Vec<Profile>, ConfigError> {
        let mut profiles: Vec<Profile> = Vec::new();
        for stated in &self.profiles {
            let profile = profile(stated, self.percentage_of_nodes_to_score)?;
            if profiles.iter().any(|other| other.scheduler_name == profile.scheduler_name) {
                return Err(ConfigError::Twice(profile.scheduler_name));
            }
            profiles.push(profile);
        }
        if profiles.is_empty() {
            profiles.push(profile(&KubeSchedulerProfile::default(), self.percentage_of_nodes_to_score)?);
        }
        let managed = self.extenders.iter().flat_map(|extender| &extender.managed_resources);
        for resource in managed.filter(|resource| resource.ignored_by_scheduler) {
            profiles.iter_mut().for_each(|profile| profile.ignored.names.extend([resource.name.clone()]));
        }
        Ok(profiles)
    }

    /// Who else has a say.
    pub fn extenders(&self) -> Result<Vec<Settings>, ConfigError> {
        extenders::settings(&self.extenders)
    }
}

fn profile(stated: &KubeSchedulerProfile, percentage: Option<i32>) -> Result<Profile, ConfigError> {
    let mut profile = Profile::new(stated.scheduler_name.as_deref().unwrap_or("default-scheduler"));
    let percentage = stated.percentage_of_nodes_to_score.or(percentage);
    profile.sample_percent =
        percentage.and_then(|percent| usize::try_from(percent).ok()).filter(|percent| *percent > 0);
    if let Some(Plugins { multi_point, filter, score }) = &stated.plugins {
        apply(multi_point, &mut profile, |active, plugin| {
            active.filters = plugin.is_some();
            active.weight = plugin.and_then(|plugin| weight(active, plugin));
        })?;
        apply(filter, &mut profile, |active, plugin| active.filters = plugin.is_some())?;
        apply(score, &mut profile, |active, plugin| {
            active.weight = plugin.and_then(|plugin| weight(active, plugin));
        })?;
    }
    for PluginConfig { name, args } in &stated.plugin_config {
        tell(&mut profile, name, args)?;
    }
    Ok(profile)
}

/// 0 stands for the plugin's own weight.
fn weight(active: &Active, plugin: &Plugin) -> Option<i64> {
    let own = active.plugin.score.as_ref()?.weight;
    Some(plugin.weight.filter(|weight| *weight > 0).map_or(own, i64::from))
}

fn apply(
    set: &PluginSet,
    profile: &mut Profile,
    mut change: impl FnMut(&mut Active, Option<&Plugin>),
) -> Result<(), ConfigError> {
    for plugin in set.disabled.iter().chain(&set.enabled) {
        let known = plugin.name == ALL || PLUGINS.iter().any(|one| one.name == plugin.name);
        if !known && !INHERENT.contains(&plugin.name.as_str()) {
            return Err(ConfigError::NoSuchPlugin(plugin.name.clone()));
        }
    }
    for active in &mut profile.plugins {
        let names = |plugin: &&Plugin| plugin.name == active.plugin.name || plugin.name == ALL;
        let disabled = set.disabled.iter().any(|plugin| names(&plugin));
        let enabled = set.enabled.iter().find(names);
        if disabled {
            change(active, None);
        }
        if enabled.is_some() {
            change(active, enabled);
        }
    }
    Ok(())
}

fn args_of<T: serde::de::DeserializeOwned>(plugin: &str, args: &Value) -> Result<T, ConfigError> {
    serde_json::from_value(args.clone()).map_err(|source| ConfigError::ArgsForm { plugin: plugin.to_owned(), source })
}

fn tell(profile: &mut Profile, plugin: &str, args: &Value) -> Result<(), ConfigError> {
    let refused = |what: &'static str| ConfigError::Args { plugin: plugin.to_owned(), what };
    match plugin {
        "NodeAffinity" => {
            profile.added_affinity = args_of::<NodeAffinityArgs>(plugin, args)?.added_affinity;
        }
        "InterPodAffinity" => {
            let args: InterPodAffinityArgs = args_of(plugin, args)?;
            if let Some(weight) = args.hard_pod_affinity_weight {
                profile.required_term_weight = i64::from(weight);
            }
        }
        "PodTopologySpread" => {
            let args: PodTopologySpreadArgs = args_of(plugin, args)?;
            if args.defaulting_type.as_deref() == Some("List") {
                if args.default_constraints.iter().any(|one| one.when_unsatisfiable != "ScheduleAnyway") {
                    return Err(refused("to refuse nodes by default constraints"));
                }
                let wish = |one: &TopologySpreadConstraint| (one.topology_key.clone(), i64::from(one.max_skew));
                profile.spread = args.default_constraints.iter().map(wish).collect();
            }
        }
        "NodeResourcesFit" => {
            let args: NodeResourcesFitArgs = args_of(plugin, args)?;
            profile.ignored.names.extend(args.ignored_resources.iter().cloned());
            profile.ignored.groups.extend(args.ignored_resource_groups.iter().cloned());
            if profile.ignored.groups.iter().any(|group| group.contains('/')) {
                return Err(refused("ignoredResourceGroups that have a slash in them"));
            }
            profile.scoring = Scoring::new(args).map_err(refused)?;
        }
        "DefaultPreemption" | "VolumeBinding" | "NodeResourcesBalancedAllocation" => {
            return Err(refused("anything but its defaults"));
        }
        other => return Err(ConfigError::NoSuchPlugin(other.to_owned())),
    }
    Ok(())
}
