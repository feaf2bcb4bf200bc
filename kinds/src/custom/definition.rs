//! A CustomResourceDefinition, compiled: its versions with all that is made of their schemas. What was refused when the
//! definition was written cannot be in it, so nothing here complains.

use super::path::JsonPath;
use super::printer::{self, Printer};
use super::rules::Rules;
use super::structural::{Structural, flag, text};
use super::values::Values;
use super::{defaults, prune, version};
use crate::errors::{FieldError, FieldErrors};
use crate::row::{ALL_VERBS, Column, GET_PATCH_UPDATE, NAME, Row, SCALE, STATUS, Scope, Subresource};
use crate::schema::decode::Strictness;
use crate::tree;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

/// k8s: autoscalers and clients count replicas in 32 bits
const REPLICAS_MAX: i64 = i32::MAX as i64;

#[derive(Debug)]
pub struct Definition {
    pub(super) group: String,
    names: Names,
    scope: Scope,
    /// The preferred one first.
    pub(super) versions: Vec<Version>,
    pub(super) conversion: Conversion,
    pub(super) edition: u64,
    /// It is being deleted: nothing new is taken.
    terminating: bool,
}

/// How an object of one version becomes one of another.
#[derive(Clone, Debug, PartialEq)]
pub enum Conversion {
    /// Only its `apiVersion` changes.
    None,
    /// A webhook is asked: the definition's `conversion.webhook`.
    Webhook(Value),
}

/// Paths of `scale`, as dotted field names without the leading dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalePaths {
    pub spec_replicas: String,
    pub status_replicas: String,
    /// Of a selector in text form, in `status`.
    pub selector: Option<String>,
}

#[derive(Debug)]
struct Names {
    plural: String,
    singular: String,
    kind: String,
    list_kind: String,
    short_names: Vec<String>,
    categories: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Version {
    pub(super) name: String,
    pub(super) served: bool,
    pub(super) storage: bool,
    /// As it was written.
    pub(super) schema: Value,
    pub(super) structural: Structural,
    pub(super) values: Values,
    pub(super) rules: Rules,
    declared: Vec<Column>,
    pub(super) columns: Vec<Printer>,
    has_status: bool,
    pub(super) scale: Option<ScalePaths>,
    /// Paths of selectable fields, without the leading dot.
    selectable: Vec<String>,
    /// What a client of this version is told.
    pub(super) deprecation: Option<String>,
}

impl Definition {
    pub(super) fn compile(crd: &Value) -> Self {
        let spec = crd.get("spec").unwrap_or(&Value::Null);
        let group = text(spec, "group").to_owned();
        let accepted = tree::at(crd, "status.acceptedNames").filter(|names| !text(names, "plural").is_empty());
        let names = Names::of(accepted.or_else(|| spec.get("names")).unwrap_or(&Value::Null));
        let versions = spec.get("versions").and_then(Value::as_array).into_iter().flatten();
        let mut versions: Vec<Version> = versions.map(Version::compile).collect();
        versions.sort_by(|a, b| version::compare(&a.name, &b.name));
        let conversion = match tree::text(spec, "conversion.strategy") {
            "Webhook" => Conversion::Webhook(tree::at(spec, "conversion.webhook").cloned().unwrap_or_default()),
            _ => Conversion::None,
        };
        let mut hasher = DefaultHasher::new();
        (tree::text(crd, "metadata.uid"), spec.to_string()).hash(&mut hasher);
        let mut definition = Self {
            group,
            names,
            scope: if text(spec, "scope") == "Cluster" { Scope::Cluster } else { Scope::Namespaced },
            versions,
            conversion,
            edition: hasher.finish(),
            terminating: tree::at(crd, "metadata.deletionTimestamp").is_some(),
        };
        definition.tell_deprecations();
        definition
    }

    /// Versions that say no words of their own are named, with what to use in their place: the best that is served, where
    /// that is a better one. k8s: defaultDeprecationWarning
    fn tell_deprecations(&mut self) {
        let best = self.versions.iter().position(|version| version.served && version.deprecation.is_none());
        let best = best.map(|at| (at, self.versions[at].name.clone()));
        let (group, kind) = (&self.group, &self.names.kind);
        for (at, version) in self.versions.iter_mut().enumerate() {
            if let Some(warning) = version.deprecation.as_mut().filter(|warning| warning.is_empty()) {
                let better = best.as_ref().filter(|(better, _)| *better < at);
                let instead = better.map(|(_, name)| format!("; use {group}/{name} {kind}")).unwrap_or_default();
                *warning = format!("{group}/{} {kind} is deprecated{instead}", version.name);
            }
        }
    }

    pub(super) fn row(&self, at: usize) -> Row {
        let version = &self.versions[at];
        let names = &self.names;
        let owned = |text: &String| Cow::Owned(text.clone());
        let all = |list: &[String]| Cow::Owned(list.iter().map(|text| Cow::Owned(text.clone())).collect());
        let verbs = ALL_VERBS.iter().filter(|verb| !(self.terminating && **verb == "create"));
        let mut subresources: Vec<Subresource> = Vec::new();
        if version.has_status {
            subresources.push(STATUS);
        }
        if version.scale.is_some() {
            subresources.push(Subresource { verbs: Cow::Borrowed(GET_PATCH_UPDATE), ..SCALE });
        }
        let fields = version.selectable.iter().map(|path| (owned(path), owned(path)));
        Row {
            group: owned(&self.group),
            version: owned(&version.name),
            kind: owned(&names.kind),
            list_kind: owned(&names.list_kind),
            plural: owned(&names.plural),
            singular: owned(&names.singular),
            short_names: all(&names.short_names),
            categories: all(&names.categories),
            scope: self.scope,
            verbs: verbs.map(|verb| Cow::Borrowed(*verb)).collect(),
            subresources: Cow::Owned(subresources),
            columns: std::iter::once(NAME).chain(version.declared.iter().cloned()).collect(),
            fields: fields.collect(),
            storage: Cow::Owned(format!("{}/{}", self.group, names.plural)),
            schema: Cow::Owned(definition_name(&self.group, &version.name, &names.kind)),
            generation: true,
            create_on_update: false,
            status_on_create: false,
            deprecation: version.deprecation.clone().map(Cow::Owned),
        }
    }
}

/// k8s: `com.example.stable.v1.CronTab` for the group `stable.example.com`
fn definition_name(group: &str, version: &str, kind: &str) -> String {
    let mut parts: Vec<&str> = group.split('.').rev().collect();
    parts.extend([version, kind]);
    parts.join(".")
}

impl Names {
    fn of(names: &Value) -> Self {
        let owned = |field: &str| text(names, field).to_owned();
        let list = |field: &str| {
            let list = names.get(field).and_then(Value::as_array).into_iter().flatten();
            list.filter_map(|name| name.as_str().map(str::to_owned)).collect()
        };
        Self {
            plural: owned("plural"),
            singular: owned("singular"),
            kind: owned("kind"),
            list_kind: owned("listKind"),
            short_names: list("shortNames"),
            categories: list("categories"),
        }
    }
}

impl Version {
    fn compile(version: &Value) -> Self {
        let schema = tree::at(version, "schema.openAPIV3Schema").cloned().unwrap_or_default();
        let (declared, columns) = printer::columns(version);
        let selectable = version.get("selectableFields").and_then(Value::as_array).into_iter().flatten();
        let selectable = selectable.map(|field| text(field, "jsonPath").trim_start_matches('.').to_owned());
        let structural = Structural::of_object(&schema);
        Self {
            name: text(version, "name").to_owned(),
            served: flag(version, "served"),
            storage: flag(version, "storage"),
            rules: Rules::compile(&schema, &structural),
            structural,
            values: Values::of_object(&schema),
            schema,
            declared,
            columns,
            has_status: tree::at(version, "subresources.status").is_some(),
            scale: tree::at(version, "subresources.scale").map(ScalePaths::of),
            selectable: selectable.collect(),
            deprecation: flag(version, "deprecated").then(|| text(version, "deprecationWarning").to_owned()),
        }
    }

    /// Pruned and defaulted, as upstream does with what it reads from the store.
    pub(super) fn settle(&self, object: &mut Value) {
        // Metadata was settled when it was written.
        let metadata = object.get_mut("metadata").map(Value::take);
        // What does not decode in an embedded object is shown as it is.
        if prune::prune(object, &self.structural, Strictness::Ignore).is_ok() {
            defaults::fill(object, &self.structural);
        }
        if let (Some(metadata), Some(object)) = (metadata, object.as_object_mut()) {
            object.insert("metadata".to_owned(), metadata);
        }
    }

    pub(super) fn check_scale(&self, object: &Value) -> FieldErrors {
        let Some(scale) = &self.scale else { return Vec::new() };
        let Some(replicas) = tree::at(object, &scale.spec_replicas).and_then(Value::as_i64) else { return Vec::new() };
        let path = &scale.spec_replicas;
        match replicas {
            ..0 => vec![FieldError::invalid(path, replicas, "should be a non-negative integer")],
            n if n > REPLICAS_MAX => {
                vec![FieldError::invalid(path, n, format!("should be less than or equal to {REPLICAS_MAX}"))]
            }
            _ => Vec::new(),
        }
    }
}

impl ScalePaths {
    fn of(scale: &Value) -> Self {
        let path = |field: &str| text(scale, field).trim_start_matches('.').to_owned();
        Self {
            spec_replicas: path("specReplicasPath"),
            status_replicas: path("statusReplicasPath"),
            selector: Some(path("labelSelectorPath")).filter(|path| !path.is_empty()),
        }
    }
}

/// Sets a value at a dotted path, making the objects that lead to it.
pub fn put(object: &mut Value, path: &str, value: Value) {
    let mut at = object;
    for name in path.split('.') {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[name];
    }
    *at = value;
}

/// Whether a text is a JSONPath of nothing but fields.
pub(crate) fn is_field_path(text: &str) -> bool {
    JsonPath::parse(text).is_ok_and(|path| path.fields().is_some_and(|fields| !fields.is_empty()))
}
