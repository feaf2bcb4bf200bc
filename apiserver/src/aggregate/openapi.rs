//! OpenAPI v2 of all servers in one document: of each other server the paths of its own groups and what these lead to.
//! Definitions that two servers have by one name and not with one content get names of their own.
//! k8s: `kube-aggregator/pkg/controllers/openapi/aggregator`, `kube-openapi/pkg/aggregator`
//!
//! v3 has a document a version, which needs no joining: `discovery.rs` passes those on.

use super::{Aggregate, Registered};
use crate::error::ApiError;
use crate::publish::{Joined, Publisher};
use axum::body::Body;
use http::request::Parts;
use http::{Method, Response};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::task::JoinError;

/// What paths refer to, by name: `#/definitions/x`.
const SECTIONS: [&str; 2] = ["definitions", "parameters"];
const GVK: &str = "x-kubernetes-group-version-kind";

/// The document that was joined last, and from what.
pub(super) struct Whole {
    own: String,
    generation: u64,
    document: Arc<Joined>,
}

impl Aggregate {
    pub(super) async fn openapi_v2(&self, publisher: &Publisher, parts: &Parts) -> Response<Body> {
        let has_others = self.registered.remotes().iter().any(|remote| remote.openapi_v2().is_some());
        if !has_others || !matches!(parts.method, Method::GET | Method::HEAD) {
            return publisher.respond(parts).await;
        }
        let parts = parts.clone();
        let answer = match self.joined(publisher).await {
            // The form that is asked for may have to be made first.
            Ok(document) => tokio::task::spawn_blocking(move || document.respond(&parts)).await,
            Err(error) => Err(error),
        };
        answer.unwrap_or_else(|error| crate::respond::error(&ApiError::internal(error.to_string())))
    }

    /// The document of all servers as they are now. Megabytes are read and written for it: not where requests are answered.
    async fn joined(&self, publisher: &Publisher) -> Result<Arc<Joined>, JoinError> {
        let mut whole = self.whole.lock().await;
        let (generation, mut remotes) = self.registered.under_generation(Registered::remotes);
        let own = publisher.openapi_v2();
        if let Some(held) = whole.as_ref().filter(|held| held.own == own.hash() && held.generation == generation) {
            return Ok(Arc::clone(&held.document));
        }
        remotes.sort_by_key(|remote| {
            let priority = self.registered.priority(&remote.group, &remote.version);
            (std::cmp::Reverse(priority.map(|priority| (priority.group, priority.version))), remote.name.clone())
        });
        let documents: Vec<Arc<Value>> = remotes.iter().filter_map(|remote| remote.openapi_v2()).collect();
        let hash = own.hash().to_owned();
        let join_all = move || {
            let mut joined = own.tree();
            for document in documents {
                join(&mut joined, Value::clone(&document));
            }
            Arc::new(Joined::new(&joined))
        };
        let document = tokio::task::spawn_blocking(join_all).await?;
        *whole = Some(Whole { own: hash, generation, document: Arc::clone(&document) });
        Ok(document)
    }
}

/// Of a server's document what is about one group. `None`: it is no such document.
pub(super) fn about_group(document: Value, group: &str) -> Option<Value> {
    let prefix = format!("/apis/{group}/");
    let about = narrowed(document, |path| path.starts_with(&prefix));
    about["paths"].as_object().is_some_and(|paths| !paths.is_empty()).then_some(about)
}

/// The paths that are wanted, and what they lead to. k8s: FilterSpecByPathsWithoutSideEffects
fn narrowed(mut document: Value, is_wanted: impl Fn(&str) -> bool) -> Value {
    let mut paths = object(document["paths"].take());
    paths.retain(|path, _| is_wanted(path));
    let mut sections = SECTIONS.map(|name| object(document[name].take()));
    let mut kept = BTreeSet::new();
    let mut waiting = Vec::new();
    paths.values().for_each(|item| each_reference(item, &mut |to| waiting.push(to.to_owned())));
    while let Some(to) = waiting.pop() {
        let found = target(&to).and_then(|(section, name)| sections[section].get(name));
        if let Some(found) = found.filter(|_| kept.insert(to.clone())) {
            each_reference(found, &mut |to| waiting.push(to.to_owned()));
        }
    }
    for (section, entries) in SECTIONS.iter().zip(&mut sections) {
        entries.retain(|name, _| kept.contains(&format!("#/{section}/{name}")));
    }
    let [definitions, parameters] = sections;
    json!({"paths": paths, "definitions": definitions, "parameters": parameters})
}

/// Adds what `joined` does not have. k8s: MergeSpecsIgnorePathConflictRenamingDefinitionsAndParameters
fn join(joined: &mut Value, document: Value) {
    let known = |path: &str| joined["paths"].get(path).is_some();
    let mut added = narrowed(document, |path| !known(path));
    let renamed = renamed(joined, &added);
    if !renamed.is_empty() {
        rename(&mut added, &renamed);
    }
    for (section, name) in SECTIONS.iter().flat_map(|section| names(&added[section]).map(move |name| (*section, name)))
    {
        let entry = added[section].get(&name).cloned().unwrap_or_default();
        let new_name = renamed.get(&format!("#/{section}/{name}")).and_then(|to| target(to)).map(|(_, name)| name);
        let slot = &mut joined[section][new_name.unwrap_or(&name)];
        if slot.is_null() {
            *slot = entry;
        } else {
            join_kinds(slot, entry);
        }
    }
    for (path, item) in object(added["paths"].take()) {
        joined["paths"][path] = item;
    }
}

/// References that are to lead elsewhere, because what they lead to has a name that is taken.
fn renamed(joined: &Value, added: &Value) -> BTreeMap<String, String> {
    let mut renamed = BTreeMap::new();
    for section in SECTIONS {
        for (name, entry) in added[section].as_object().into_iter().flatten() {
            let is_same = |known: &Value| without_kinds(known) == without_kinds(entry);
            // Whether the name is free, or has the same content already.
            let fits = |name: &str| joined[section].get(name).is_none_or(is_same);
            if fits(name) {
                continue;
            }
            let others = (2..).map(|number| format!("{name}_v{number}"));
            let free = others.into_iter().find(|other| fits(other) && added[section].get(other).is_none());
            let free = free.expect("there is always another number");
            renamed.insert(format!("#/{section}/{name}"), format!("#/{section}/{free}"));
        }
    }
    renamed
}

/// A definition of two servers is of the kinds of both.
fn join_kinds(known: &mut Value, entry: Value) {
    for kind in entry[GVK].as_array().into_iter().flatten() {
        match known[GVK].as_array_mut() {
            Some(kinds) if kinds.contains(kind) => {}
            Some(kinds) => kinds.push(kind.clone()),
            None => known[GVK] = json!([kind]),
        }
    }
}

fn without_kinds(entry: &Value) -> Value {
    let mut entry = entry.clone();
    if let Some(fields) = entry.as_object_mut() {
        fields.remove(GVK);
    }
    entry
}

fn names(section: &Value) -> impl Iterator<Item = String> {
    let names: Vec<String> = section.as_object().into_iter().flat_map(|entries| entries.keys().cloned()).collect();
    names.into_iter()
}

/// Where a reference leads: the section's place among [`SECTIONS`], and a name.
fn target(reference: &str) -> Option<(usize, &str)> {
    let (section, name) = reference.strip_prefix("#/")?.split_once('/')?;
    Some((SECTIONS.iter().position(|known| *known == section)?, name))
}

fn each_reference(value: &Value, see: &mut dyn FnMut(&str)) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(to) if name == "$ref" => see(to),
                    value => each_reference(value, see),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each_reference(item, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn rename(value: &mut Value, renamed: &BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(to) if name == "$ref" => {
                        if let Some(other) = renamed.get(to) {
                            to.clone_from(other);
                        }
                    }
                    value => rename(value, renamed),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, renamed)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(name: &str) -> Value {
        json!({"$ref": format!("#/definitions/{name}")})
    }

    fn get(name: &str) -> Value {
        json!({"get": {"responses": {"200": {"schema": to(name)}}}})
    }

    #[test]
    fn a_group_has_its_paths_and_what_they_lead_to() {
        let document = json!({
            "swagger": "2.0",
            "paths": {"/apis/a.example/v1/": get("A"), "/apis/a.example.other/v1/": get("Other"), "/version": get("Info")},
            "definitions": {"A": {"properties": {"b": to("B")}}, "B": {}, "Other": {}, "Info": {}},
        });
        let about = about_group(document.clone(), "a.example").unwrap();
        assert_eq!(about["paths"].as_object().unwrap().keys().collect::<Vec<_>>(), ["/apis/a.example/v1/"]);
        assert_eq!(about["definitions"].as_object().unwrap().keys().collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(about_group(document, "b.example"), None);
    }

    #[test]
    fn the_same_definition_is_shared_and_another_of_its_name_gets_a_new_one() {
        let kind = |group: &str| json!([{"group": group, "version": "v1", "kind": "Options"}]);
        let mut joined = json!({
            "swagger": "2.0", "paths": {"/a": get("Same")},
            "definitions": {"Same": {"type": "object", GVK: kind("a")}, "Meta": {"x": 1}, "Meta_v2": {"x": 3}},
        });
        let other = json!({
            "paths": {"/a": get("Hidden"), "/b": get("Same"), "/c": get("Meta")},
            "definitions": {"Same": {"type": "object", GVK: kind("b")}, "Meta": {"x": 2}, "Hidden": {}},
        });
        join(&mut joined, other.clone());
        let once = joined.clone();
        assert_eq!(joined["paths"]["/a"], get("Same"), "who came first keeps its path");
        assert_eq!(joined["paths"]["/c"], get("Meta_v3"));
        assert_eq!(
            (&joined["definitions"]["Meta"]["x"], &joined["definitions"]["Meta_v3"]["x"]),
            (&json!(1), &json!(2))
        );
        assert_eq!(joined["definitions"]["Same"][GVK].as_array().unwrap().len(), 2);
        assert_eq!(joined["definitions"].get("Hidden"), None);
        join(&mut joined, other);
        assert_eq!(joined, once, "a second time adds nothing");
    }
}
