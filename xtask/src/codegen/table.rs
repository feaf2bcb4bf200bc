//! Joins what the two crates say into one table of definitions and fields.

use super::openapi::{Definition, Kind};
use super::protobuf::{Field, Markers, Message, plain};
use super::{tags, zero};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of body that are exchanged but are no resource of their own, beyond what resources refer to.
const MORE_ROOTS: &[&str] = &[
    "io.k8s.apimachinery.pkg.apis.meta.v1.APIGroup",
    "io.k8s.apimachinery.pkg.apis.meta.v1.APIGroupList",
    "io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList",
    "io.k8s.apimachinery.pkg.apis.meta.v1.APIVersions",
    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
    "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent",
    "io.k8s.apimachinery.pkg.version.Info",
];

pub(super) struct Table {
    /// Sorted by name.
    pub(super) definitions: Vec<Row>,
}

pub(super) struct Row {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) atomic: bool,
    /// What the definition is where it has no fields.
    pub(super) leaf: Leaf,
    /// Sorted by name.
    pub(super) fields: Vec<FieldRow>,
}

pub(super) struct FieldRow {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) leaf: Leaf,
    pub(super) shape: Shape,
    pub(super) target: Option<String>,
    pub(super) required: bool,
    /// Zero, false and the empty text are values of their own.
    pub(super) zero_counts: bool,
    pub(super) tag: u16,
    /// The tags of the embedded messages that the field is in on the wire, where JSON has it inline.
    pub(super) via: u16,
    pub(super) merging: Merging,
    pub(super) default: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    Object,
    String,
    Bytes,
    Boolean,
    Int32,
    Int64,
    Double,
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    Any,
    SchemaOrBool,
    SchemaOrArray,
    SchemaOrStrings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    One,
    List,
    Map,
    MapOfLists,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Merging {
    /// `atomic`, `set`, `map`, or nothing.
    pub(super) topology: String,
    pub(super) list_keys: Vec<String>,
    pub(super) merge_key: String,
    pub(super) merge: bool,
    pub(super) retain_keys: bool,
}

pub(super) fn build(definitions: &BTreeMap<String, Definition>, messages: &BTreeMap<String, Message>) -> Result<Table> {
    let mut rows = Vec::new();
    for name in reachable(definitions)? {
        let definition = &definitions[&name];
        let message = message_of(&definition.rust_path, messages);
        rows.push(row(&name, definition, message, messages).with_context(|| format!("in {name}"))?);
    }
    Ok(Table { definitions: rows })
}

/// Resources, and what they are made of.
fn reachable(definitions: &BTreeMap<String, Definition>) -> Result<BTreeSet<String>> {
    let resources = definitions.iter().filter(|(_, definition)| definition.resource).map(|(name, _)| name.clone());
    let mut waiting: Vec<String> = resources.chain(MORE_ROOTS.iter().map(|name| (*name).to_owned())).collect();
    let mut found = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        let definition = definitions.get(&name).with_context(|| format!("no definition {name}"))?;
        if !found.insert(name) {
            continue;
        }
        for property in definition.fields.iter().flat_map(BTreeMap::values) {
            waiting.extend(referred(&property.kind).cloned());
        }
    }
    Ok(found)
}

fn referred(kind: &Kind) -> Option<&String> {
    match kind {
        Kind::Ref(name) => Some(name),
        Kind::List(inner) | Kind::Map(inner) => referred(inner),
        Kind::String | Kind::Bytes | Kind::Boolean | Kind::Int32 | Kind::Int64 | Kind::Double | Kind::Open => None,
    }
}

/// A stable type that k8s-pb does not have yet has the tags of its beta or alpha: upstream promotes without renumbering.
fn message_of<'a>(rust_path: &str, messages: &'a BTreeMap<String, Message>) -> Option<&'a Message> {
    let (module, kind) = rust_path.rsplit_once("::")?;
    let kind = plain(kind);
    let stable = messages.get(&format!("{module}::{kind}"));
    stable.or_else(|| {
        let (parent, version) = module.rsplit_once("::")?;
        let older = ["beta2", "beta1", "alpha3", "alpha1"].map(|suffix| format!("{parent}::{version}{suffix}::{kind}"));
        older.iter().find_map(|path| messages.get(path))
    })
}

fn row(
    name: &str,
    definition: &Definition,
    message: Option<&Message>,
    messages: &BTreeMap<String, Message>,
) -> Result<Row> {
    let mut fields = Vec::new();
    let module = definition.rust_path.rsplit_once("::").map_or("", |(module, _)| module);
    for (field, property) in definition.fields.iter().flatten() {
        let (leaf, shape, target) = typing(&property.kind).with_context(|| format!("at {field}"))?;
        let (found, via) = find_field(message, module, messages, field);
        let empty = Markers::default();
        let markers = found.map_or(&empty, |found| &found.markers);
        let required = definition.required.contains(field) && markers.get("optional").is_none();
        fields.push(FieldRow {
            name: field.clone(),
            description: property.description.clone(),
            leaf,
            shape,
            target,
            required,
            zero_counts: zero::counts(name, field, leaf, required),
            tag: found.map_or_else(|| tags::of(name, field), |found| found.tag),
            via,
            merging: merging(markers),
            default: markers.get("default").map(str::to_owned),
        });
    }
    let atomic = message.is_some_and(|message| message.markers.get("structType") == Some("atomic"));
    let leaf = leaf_of(name);
    Ok(Row { name: name.to_owned(), description: definition.description.clone(), atomic, leaf, fields })
}

/// A field of the message, or of a message embedded in it whose own name JSON does not show; and the embedding tags
/// from outside in, a byte each.
fn find_field<'a>(
    message: Option<&'a Message>,
    module: &str,
    messages: &'a BTreeMap<String, Message>,
    name: &str,
) -> (Option<&'a Field>, u16) {
    let Some(message) = message else { return (None, 0) };
    if let Some(found) = message.fields.iter().find(|field| field.name == plain(name)) {
        return (Some(found), 0);
    }
    for embedding in &message.fields {
        let Some(kind) = embedding.message.as_deref().filter(|kind| is_embedding(&embedding.name, kind)) else {
            continue;
        };
        let inner = message_of(&format!("{module}::{kind}"), messages);
        if let (Some(found), via) = find_field(inner, module, messages, name) {
            let via = if via == 0 { embedding.tag } else { embedding.tag << 8 | via };
            return (Some(found), via);
        }
    }
    (None, 0)
}

/// Go's embedded structs keep the type's name as the field's; `Probe.handler` is older than its type's new name.
fn is_embedding(field: &str, kind: &str) -> bool {
    field == kind || (field == "handler" && kind == "probehandler")
}

fn merging(markers: &Markers) -> Merging {
    let strategies: Vec<&str> = markers.get("patchStrategy").map(|all| all.split(',').collect()).unwrap_or_default();
    let topology = markers.get("listType").or(markers.get("mapType")).or(markers.get("structType")).unwrap_or("");
    Merging {
        topology: topology.to_owned(),
        list_keys: markers.all("listMapKey").map(str::to_owned).collect(),
        merge_key: markers.get("patchMergeKey").unwrap_or("").to_owned(),
        merge: strategies.contains(&"merge"),
        retain_keys: strategies.contains(&"retainKeys"),
    }
}

fn typing(kind: &Kind) -> Result<(Leaf, Shape, Option<String>)> {
    let one = |leaf| Ok((leaf, Shape::One, None));
    match kind {
        Kind::String => one(Leaf::String),
        Kind::Bytes => one(Leaf::Bytes),
        Kind::Boolean => one(Leaf::Boolean),
        Kind::Int32 => one(Leaf::Int32),
        Kind::Int64 => one(Leaf::Int64),
        Kind::Double => one(Leaf::Double),
        Kind::Open => one(Leaf::Any),
        Kind::Ref(name) => Ok(match leaf_of(name) {
            leaf @ (Leaf::Object | Leaf::SchemaOrBool | Leaf::SchemaOrArray | Leaf::SchemaOrStrings) => {
                (leaf, Shape::One, Some(name.clone()))
            }
            leaf => (leaf, Shape::One, None),
        }),
        Kind::List(inner) => wrap(inner, Shape::List),
        Kind::Map(inner) => wrap(inner, Shape::Map),
    }
}

fn wrap(inner: &Kind, outer: Shape) -> Result<(Leaf, Shape, Option<String>)> {
    let (leaf, shape, target) = typing(inner)?;
    match (outer, shape) {
        (_, Shape::One) => Ok((leaf, outer, target)),
        (Shape::Map, Shape::List) => Ok((leaf, Shape::MapOfLists, target)),
        (outer, inner) => bail!("{outer:?} of {inner:?} is not foreseen"),
    }
}

/// Types that JSON writes otherwise than as an object with fields.
fn leaf_of(definition: &str) -> Leaf {
    match definition.rsplit('.').next().unwrap_or("") {
        "Time" => Leaf::Time,
        "MicroTime" => Leaf::MicroTime,
        "Quantity" => Leaf::Quantity,
        "IntOrString" => Leaf::IntOrString,
        "RawExtension" | "FieldsV1" | "JSON" | "Patch" => Leaf::Any,
        "JSONSchemaPropsOrBool" => Leaf::SchemaOrBool,
        "JSONSchemaPropsOrArray" => Leaf::SchemaOrArray,
        "JSONSchemaPropsOrStringArray" => Leaf::SchemaOrStrings,
        _ => Leaf::Object,
    }
}
