//! What must hold for any bytes that a client sends. `fuzz/` looks for inputs that break it, the tests run it over the kept
//! corpus and over chance bytes.

use crate::negotiate::{self, BodyFormat, Offer, Shape};
use crate::registry::{list::Token, managed::merge::merge, patch::Patch};
use crate::{protobuf, registry};
use kinds::kind::Kind;
use kinds::quantity::Quantity;
use kinds::schema::decode::Strictness;
use kinds::selector::{FieldSelector, LabelSelector};
use kinds::{custom, table};
use serde_json::{Value, json};
use std::sync::Arc;

/// What must hold for any bytes.
pub type Property = fn(&[u8]);

/// Name of the corpus, and what must hold.
pub const TARGETS: [(&str, Property); 9] = [
    ("json", json),
    ("yaml", yaml),
    ("protobuf", protobuf),
    ("accept", accept),
    ("patch", patch),
    ("schema", schema),
    ("selector", selector),
    ("quantity", quantity),
    ("token", token),
];

/// Reads a body; what comes out must be an object.
fn read(bytes: &[u8], format: BodyFormat) -> Option<Value> {
    let tree = registry::decode::tree(bytes, format).ok()?;
    assert!(tree.is_object(), "a body is an object or an error");
    Some(tree)
}

/// A tree that JSON made is made again from what it writes.
fn json(bytes: &[u8]) {
    if let Some(tree) = read(bytes, BodyFormat::Json) {
        let again = serde_json::to_vec(&tree).expect("a JSON tree always encodes");
        assert_eq!(read(&again, BodyFormat::Json), Some(tree));
    }
}

fn yaml(bytes: &[u8]) {
    read(bytes, BodyFormat::Yaml);
}

/// What was read is written, and reads as what was written.
fn protobuf(bytes: &[u8]) {
    if let Some(tree) = read(bytes, BodyFormat::Protobuf) {
        let written = protobuf::encode(&tree).expect("what has a form to be read from has one to be written in");
        let again = protobuf::decode(&written).expect("what was written is well-formed");
        assert_eq!(protobuf::encode(&again), Some(written));
    }
}

/// Custom resources are the narrowest offer of objects.
fn accept(bytes: &[u8]) {
    let Ok(header) = std::str::from_utf8(bytes) else { return };
    if let Some(answer) = negotiate::accepted(header, Offer::Custom) {
        let is_protobuf = answer.format == negotiate::Format::Protobuf;
        assert!(!is_protobuf || matches!(answer.shape, Shape::Metadata(_) | Shape::MetadataList(_)));
    }
}

/// `{"object": .., "patch": ..}`: whatever the patch, the result is an object or an error, and merging twice is merging once.
fn patch(bytes: &[u8]) {
    let Some(input) = read(bytes, BodyFormat::Json) else { return };
    let kind = table::find("", "v1", "pods").expect("pods are built in");
    let (object, change) = (&input["object"], &input["patch"]);
    let body = change.to_string();
    let patched = |media: &str, object: &Value| {
        Patch::parse(media, body.as_bytes()).and_then(|patch| patch.apply(kind.schema(), object))
    };
    for media in ["application/json-patch+json", "application/strategic-merge-patch+json"] {
        if let Ok(new) = patched(media, object) {
            assert!(new.is_object(), "a patch leaves an object or is an error");
        }
    }
    let merge_media = "application/merge-patch+json";
    if let Ok(new) = patched(merge_media, object) {
        assert_eq!(patched(merge_media, &new).ok(), Some(new));
    }
    if let Ok(new) = merge(object, change, kind.context()) {
        assert_eq!(merge(&new, change, kind.context()), Ok(new));
    }
}

/// `{"schema": .., "object": .., "path": ..}`: a definition is judged, not choked on; what its schema leaves of an object it
/// leaves again.
fn schema(bytes: &[u8]) {
    let Some(input) = read(bytes, BodyFormat::Json) else { return };
    let mut definition = json!({"metadata": {"name": "xs.e.com", "uid": "u"}, "spec": {"group": "e.com", "scope": "Cluster",
        "names": {"plural": "xs", "singular": "x", "kind": "X", "listKind": "XList"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": input["schema"]},
            "additionalPrinterColumns": [{"name": "N", "type": "string", "jsonPath": input["path"]}],
            "selectableFields": [{"jsonPath": input["path"]}]}]}});
    let definitions = table::find("apiextensions.k8s.io", "v1", "customresourcedefinitions").expect("it is built in");
    definitions.default(&mut definition);
    definitions.create(&mut definition);
    if let Some(kind) = custom::kinds_of(&definition).into_iter().next() {
        settles(&kind, &input["object"]);
    }
}

fn settles(kind: &Arc<dyn Kind>, object: &Value) {
    let Ok(decoded) = kind.decode_tree(object.clone(), Strictness::Report) else { return };
    let again = kind.decode_tree(decoded.object.clone(), Strictness::Report).expect("what was left is well-formed");
    assert_eq!(again.object, decoded.object);
    let mut defaulted = decoded.object;
    kind.default(&mut defaulted);
    let mut twice = defaulted.clone();
    kind.default(&mut twice);
    assert_eq!(twice, defaulted);
    kind.validate(&defaulted);
    kind.cells(&defaulted, 0);
}

/// What is written of a selector reads as the same selector.
fn selector(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(labels) = LabelSelector::parse(text) {
        let again = LabelSelector::parse(&labels.to_string()).expect("what was written is well-formed");
        assert_eq!(again.to_string(), labels.to_string());
    }
    if let Ok(fields) = FieldSelector::parse(text) {
        let again = FieldSelector::parse(&fields.to_string()).expect("what was written is well-formed");
        assert_eq!(again.to_string(), fields.to_string());
    }
}

fn quantity(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(quantity) = Quantity::parse(text) {
        assert_eq!(Quantity::parse(&quantity.to_string()), Ok(quantity));
    }
}

/// A continue token of one namespace never leads into another.
fn token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(token) = Token::decode(text, "ns") {
        assert!(token.start.starts_with("ns/"), "{token:?}");
    }
}
