//! Configuration that rolls out like an image: what a template of pods reads, by which names it reads it, and the copies that
//! keep a revision's configuration as it was.

use k8s_openapi::api::core::v1::{Container, PodTemplateSpec, Volume};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Marks a copy, with the uid of the Deployment whose revisions read it.
pub const SNAPSHOT_OF: &str = "drover.dev/snapshot-of";

/// Names may have 253 characters; the rest is for the hash.
const NAME_MAX: usize = 253;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    ConfigMap,
    Secret,
}

impl Source {
    pub const fn plural(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmaps",
            Self::Secret => "secrets",
        }
    }

    pub const fn kind(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmap",
            Self::Secret => "secret",
        }
    }
}

/// A ConfigMap or Secret of the pods' own namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Config {
    pub source: Source,
    pub name: String,
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.source.word(), self.name)
    }
}

/// By which name the pods read each, as the annotation `drover.dev/config-snapshots` keeps it:
/// `configmap/site=site-4f8b, secret/key=key`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(BTreeMap<Config, String>);

impl Names {
    pub fn parse(text: &str) -> Result<Self, String> {
        let entry = |one: &str| {
            let wrong = || format!("{one:?} is not configmap/NAME=NAME or secret/NAME=NAME");
            let (config, name) = one.split_once('=').ok_or_else(wrong)?;
            let (word, of) = config.split_once('/').ok_or_else(wrong)?;
            let sources = [Source::ConfigMap, Source::Secret];
            let source = sources.into_iter().find(|source| source.word() == word).ok_or_else(wrong)?;
            Ok((Config { source, name: of.to_owned() }, name.to_owned()))
        };
        let entries = text.split(',').map(str::trim).filter(|one| !one.is_empty());
        entries.map(entry).collect::<Result<_, _>>().map(Self)
    }

    pub fn get(&self, config: &Config) -> Option<&str> {
        self.0.get(config).map(String::as_str)
    }

    pub fn set(&mut self, config: Config, name: String) {
        self.0.insert(config, name);
    }

    /// Each with the name that it is read by.
    pub fn all(&self) -> impl Iterator<Item = (&Config, &str)> {
        self.0.iter().map(|(config, name)| (config, name.as_str()))
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(|(config, name)| format!("{config}={name}")).collect();
        f.write_str(&all.join(", "))
    }
}

/// What the pods of a template read, and whether they start without it.
pub fn read_by(template: &PodTemplateSpec) -> BTreeMap<Config, Need> {
    let mut all = BTreeMap::new();
    visit(&mut template.clone(), &mut |source, name, optional| {
        let need = if optional == Some(true) { Need::Optional } else { Need::Required };
        let held = all.entry(Config { source, name: name.clone() }).or_insert(need);
        if need == Need::Required {
            *held = need;
        }
    });
    all
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Required,
    Optional,
}

/// The template as its pods are made: everything is read by its name of the revision. `None` while one of them has none.
pub fn renamed(template: &PodTemplateSpec, names: &Names) -> Option<PodTemplateSpec> {
    let mut renamed = template.clone();
    let mut all = true;
    visit(&mut renamed, &mut |source, name, _| match names.get(&Config { source, name: name.clone() }) {
        Some(by) => by.clone_into(name),
        None => all = false,
    });
    all.then_some(renamed)
}

/// The name of the copy with this content: the same content has the same name.
pub fn snapshot_name(name: &str, hash: &str) -> String {
    let base: String = name.chars().take(NAME_MAX - 1 - hash.len()).collect();
    format!("{}-{hash}", base.trim_end_matches('.'))
}

/// What of a ConfigMap or Secret its readers see.
pub fn content(object: &Value) -> Value {
    let mut content = serde_json::Map::new();
    for field in ["data", "binaryData", "type"] {
        if let Some(value) = object.get(field).filter(|value| !value.is_null()) {
            content.insert(field.to_owned(), value.clone());
        }
    }
    Value::Object(content)
}

type Visit<'a> = &'a mut dyn FnMut(Source, &mut String, Option<bool>);

/// Every place of a template that names a ConfigMap or a Secret which a container reads.
fn visit(template: &mut PodTemplateSpec, each: Visit<'_>) {
    let Some(spec) = &mut template.spec else { return };
    let init = spec.init_containers.iter_mut().flatten();
    for container in init.chain(&mut spec.containers) {
        visit_environment(container, each);
    }
    for volume in spec.volumes.iter_mut().flatten() {
        visit_volume(volume, each);
    }
}

fn visit_environment(container: &mut Container, each: Visit<'_>) {
    for from in container.env_from.iter_mut().flatten() {
        if let Some(map) = &mut from.config_map_ref {
            each(Source::ConfigMap, &mut map.name, map.optional);
        }
        if let Some(secret) = &mut from.secret_ref {
            each(Source::Secret, &mut secret.name, secret.optional);
        }
    }
    for from in container.env.iter_mut().flatten().filter_map(|variable| variable.value_from.as_mut()) {
        if let Some(map) = &mut from.config_map_key_ref {
            each(Source::ConfigMap, &mut map.name, map.optional);
        }
        if let Some(secret) = &mut from.secret_key_ref {
            each(Source::Secret, &mut secret.name, secret.optional);
        }
    }
}

fn visit_volume(volume: &mut Volume, each: Visit<'_>) {
    if let Some(map) = &mut volume.config_map {
        each(Source::ConfigMap, &mut map.name, map.optional);
    }
    if let Some(secret) = &mut volume.secret
        && let Some(name) = &mut secret.secret_name
    {
        each(Source::Secret, name, secret.optional);
    }
    for source in volume.projected.iter_mut().flat_map(|projected| projected.sources.iter_mut().flatten()) {
        if let Some(map) = &mut source.config_map {
            each(Source::ConfigMap, &mut map.name, map.optional);
        }
        if let Some(secret) = &mut source.secret {
            each(Source::Secret, &mut secret.name, secret.optional);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template() -> PodTemplateSpec {
        let container = json!({
            "name": "c",
            "envFrom": [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "b", "optional": true}}],
            "env": [
                {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": true}}},
                {"name": "Y", "valueFrom": {"secretKeyRef": {"name": "d", "key": "k"}}},
            ],
        });
        let init = json!({"name": "i", "envFrom": [{"configMapRef": {"name": "c"}}]});
        let projected = json!({"sources": [{"configMap": {"name": "g"}}, {"secret": {"name": "h"}}]});
        let volumes = json!([
            {"name": "v", "configMap": {"name": "e"}}, {"name": "w", "secret": {"secretName": "f"}},
            {"name": "x", "projected": projected},
        ]);
        serde_json::from_value(
            json!({"spec": {"initContainers": [init], "containers": [container], "volumes": volumes}}),
        )
        .unwrap()
    }

    #[test]
    fn every_place_that_names_a_map_or_a_secret_is_found_and_one_required_place_makes_it_required() {
        let all: Vec<String> = read_by(&template()).iter().map(|(config, need)| format!("{config} {need:?}")).collect();
        let expected = [
            "configmap/a Required",
            "configmap/c Required",
            "configmap/e Required",
            "configmap/g Required",
            "secret/b Optional",
            "secret/d Required",
            "secret/f Required",
            "secret/h Required",
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn a_template_is_renamed_whole_or_not_at_all() {
        let mut names = Names::default();
        for config in read_by(&template()).into_keys() {
            assert_eq!(renamed(&template(), &names), None);
            let by = format!("{}-1", config.name);
            names.set(config, by);
        }
        let renamed = renamed(&template(), &names).unwrap();
        let read: Vec<String> = read_by(&renamed).into_keys().map(|config| config.name).collect();
        assert_eq!(read, ["a-1", "c-1", "e-1", "g-1", "b-1", "d-1", "f-1", "h-1"]);
        assert_eq!(Names::parse(&names.to_string()).unwrap(), names);
    }

    #[test]
    fn names_that_cannot_be_read_are_told() {
        assert!(Names::parse("map/a=b").unwrap_err().starts_with("\"map/a=b\" is not configmap/NAME=NAME"));
        assert_eq!(Names::parse("").unwrap(), Names::default());
    }
}
