//! Whole documents, written piece by piece: only one definition or path is a tree at a time, because the whole would cost
//! tens of megabytes.

use super::definition::{definition, target};
use super::operation::{list_schema, paths};
use super::{Dialect, custom, gnostic};
use crate::publish::discovery::{Group, Version};
use crate::publish::version::GIT_VERSION;
use bytes::Bytes;
use kinds::kind::Kind;
use kinds::row::Row;
use kinds::schema::{self, Descriptions, Schema, lookup};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const OPENAPI: &str = "3.0.0";
const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

/// `api/v1`, `apis/apps/v1`
pub(super) fn path(group: &Group, version: &Version) -> String {
    match group.name.as_str() {
        "" => format!("api/{}", version.name),
        group => format!("apis/{group}/{}", version.name),
    }
}

pub(super) fn v3(group: &Group, version: &Version) -> String {
    let dialect = Dialect::V3;
    let prefix = format!("/{}", path(group, version));
    let mut text = json!({"openapi": OPENAPI, "info": info()}).to_string();
    open(&mut text, "paths");
    entries(&mut text, version.rows().flat_map(|row| paths(dialect, &prefix, row)));
    text.push_str("},\"components\":{\"schemas\":{");
    definitions(&mut text, dialect, &version.kinds);
    text.extend(["},\"securitySchemes\":", &security().to_string(), "}}"]);
    text
}

/// The same in protobuf.
pub(super) fn v3_protobuf(group: &Group, version: &Version) -> Bytes {
    let dialect = Dialect::V3;
    let prefix = format!("/{}", path(group, version));
    let mut document = gnostic::Document::new(&gnostic::V3);
    version.rows().flat_map(|row| paths(dialect, &prefix, row)).for_each(|(name, item)| document.path(&name, &item));
    each_definition(dialect, &version.kinds, &mut |name, schema| document.definition(&name, &schema));
    document.finish(&json!({"openapi": OPENAPI, "info": info(), "components": {"securitySchemes": security()}}))
}

pub(super) fn v2(groups: &[Group]) -> String {
    let mut text = v2_head().to_string();
    open(&mut text, "paths");
    entries(&mut text, v2_paths(groups));
    text.push_str("},\"definitions\":{");
    definitions(&mut text, Dialect::V2, &v2_kinds(groups));
    text.push_str("}}");
    text
}

/// The same in protobuf.
pub(super) fn v2_protobuf(groups: &[Group]) -> Bytes {
    let mut document = gnostic::Document::new(&gnostic::V2);
    v2_paths(groups).for_each(|(name, item)| document.path(&name, &item));
    each_definition(Dialect::V2, &v2_kinds(groups), &mut |name, schema| document.definition(&name, &schema));
    document.finish(&v2_head())
}

/// Of a document that was put together elsewhere.
pub(super) fn v2_protobuf_of(mut tree: Value) -> Bytes {
    let mut document = gnostic::Document::new(&gnostic::V2);
    let mut pieces = |name: &str| tree.as_object_mut().and_then(|fields| fields.remove(name)).unwrap_or_default();
    let (paths, definitions) = (pieces("paths"), pieces("definitions"));
    paths.as_object().into_iter().flatten().for_each(|(name, item)| document.path(name, item));
    definitions.as_object().into_iter().flatten().for_each(|(name, schema)| document.definition(name, schema));
    document.finish(&tree)
}

fn v2_head() -> Value {
    json!({"swagger": "2.0", "info": info(), "securityDefinitions": security()})
}

fn security() -> Value {
    json!({"BearerToken": {
        "type": "apiKey", "description": "Bearer Token authentication", "name": "authorization", "in": "header",
    }})
}

fn v2_paths(groups: &[Group]) -> impl Iterator<Item = (String, Value)> {
    groups.iter().flat_map(|group| group.versions.iter().map(move |version| (group, version))).flat_map(
        |(group, version)| {
            let prefix = format!("/{}", path(group, version));
            version.rows().flat_map(move |row| paths(Dialect::V2, &prefix, row)).collect::<Vec<_>>()
        },
    )
}

fn v2_kinds(groups: &[Group]) -> Vec<Arc<dyn Kind>> {
    groups.iter().flat_map(|group| &group.versions).flat_map(|version| version.kinds.iter().cloned()).collect()
}

fn info() -> Value {
    let version = GIT_VERSION.split('+').next().unwrap_or(GIT_VERSION);
    json!({"title": "Kubernetes", "version": version})
}

/// Goes on after a closed object: `{..}` becomes `{..,"name":{`.
fn open(text: &mut String, name: &str) {
    text.pop();
    text.extend([",\"", name, "\":{"]);
}

fn entries(text: &mut String, entries: impl IntoIterator<Item = (String, Value)>) {
    for (at, (name, value)) in entries.into_iter().enumerate() {
        entry(text, at == 0, name, &value);
    }
}

fn entry(text: &mut String, first: bool, name: String, value: &Value) {
    if !first {
        text.push(',');
    }
    text.extend([&Value::String(name).to_string(), ":", &value.to_string()]);
}

fn definitions(text: &mut String, dialect: Dialect, kinds: &[Arc<dyn Kind>]) {
    let mut first = true;
    each_definition(dialect, kinds, &mut |name, schema| {
        entry(text, first, name, &schema);
        first = false;
    });
}

/// Everything that the kinds' bodies lead to, by name.
fn each_definition(dialect: Dialect, kinds: &[Arc<dyn Kind>], show: &mut dyn FnMut(String, Value)) {
    let texts = Descriptions::unpack();
    let rows: Vec<&Row> = kinds.iter().map(|kind| kind.row()).collect();
    let bodies = rows.iter().flat_map(|row| row.subresources.iter()).filter_map(|sub| sub.body.as_ref());
    let mut served: BTreeMap<String, (&str, &str, &str)> = bodies
        .map(|(group, version, kind)| {
            (schema::definition(group, version, kind), (group.as_ref(), version.as_ref(), kind.as_ref()))
        })
        .collect();
    served.extend(rows.iter().map(|row| (row.schema.to_string(), (&*row.group, &*row.version, &*row.kind))));
    let lists: BTreeMap<String, &Row> = rows.iter().map(|row| (list_schema(row), *row)).collect();
    let shown = reachable(&rows);
    let of_table = shown.iter().filter(|schema| !lists.contains_key(schema.name())).map(|schema| {
        let name = schema.name();
        (name.to_owned(), definition(*schema, dialect, &texts, served.get(name).copied()))
    });
    let of_custom = kinds
        .iter()
        .filter(|kind| custom::is_custom(kind.row()))
        .map(|kind| (kind.row().schema.to_string(), custom::definition(kind.as_ref(), dialect)));
    let of_lists =
        lists.iter().filter(|(_, row)| row.has_verb("list")).map(|(name, row)| (name.clone(), list(row, dialect)));
    of_table.chain(of_custom).chain(of_lists).for_each(|(name, schema)| show(name, schema));
}

fn list(row: &Row, dialect: Dialect) -> Value {
    let metadata = dialect.reference(&format!("{META}.ListMeta"));
    let metadata = if dialect == Dialect::V3 { json!({"allOf": [metadata]}) } else { metadata };
    json!({
        "type": "object",
        "description": format!("{} is a list of {}.", row.list_kind, row.kind),
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": metadata,
            "items": {
                "type": "array", "description": format!("List of {}.", row.plural), "items": dialect.reference(&row.schema),
            },
        },
        "x-kubernetes-group-version-kind": [{"group": row.group, "version": row.version, "kind": row.list_kind}],
    })
}

fn reachable(rows: &[&Row]) -> Vec<Schema> {
    let fixed =
        ["DeleteOptions", "ListMeta", "ObjectMeta", "Status", "WatchEvent"].map(|name| format!("{META}.{name}"));
    let bodies = rows.iter().flat_map(|row| {
        let subs = row.subresources.iter().filter_map(|sub| sub.body.as_ref());
        let subs = subs.map(|(group, version, kind)| schema::definition(group, version, kind));
        std::iter::once(row.schema.to_string()).chain(subs).collect::<Vec<_>>()
    });
    let mut waiting: Vec<Schema> = bodies.chain(fixed).filter_map(|name| lookup(&name)).collect();
    let mut seen: BTreeSet<&'static str> = BTreeSet::new();
    while let Some(schema) = waiting.pop() {
        if seen.insert(schema.name()) {
            waiting.extend(schema.fields().filter_map(target));
        }
    }
    seen.into_iter().filter_map(lookup).collect()
}
