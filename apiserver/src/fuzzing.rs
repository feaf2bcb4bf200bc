//! What must hold for any bytes that a client sends: the bodies of the fuzz targets in `fuzz/`, which the tests run over the
//! kept corpus and over chance bytes on the stable toolchain.

use crate::negotiate::{self, BodyFormat, Offer, Shape};
use crate::{protobuf, registry};

/// Reads a body; what comes out must be an object.
fn read(bytes: &[u8], format: BodyFormat) -> Option<serde_json::Value> {
    let tree = registry::decode::tree(bytes, format).ok()?;
    assert!(tree.is_object(), "a body is an object or an error");
    Some(tree)
}

/// A tree that JSON made is made again from what it writes.
pub fn json(bytes: &[u8]) {
    if let Some(tree) = read(bytes, BodyFormat::Json) {
        let again = serde_json::to_vec(&tree).expect("a JSON tree always encodes");
        assert_eq!(read(&again, BodyFormat::Json), Some(tree));
    }
}

pub fn yaml(bytes: &[u8]) {
    read(bytes, BodyFormat::Yaml);
}

/// What was read is written, and reads as what was written.
pub fn protobuf(bytes: &[u8]) {
    if let Some(tree) = read(bytes, BodyFormat::Protobuf) {
        let written = protobuf::encode(&tree).expect("what has a form to be read from has one to be written in");
        let again = protobuf::decode(&written).expect("what was written is well-formed");
        assert_eq!(protobuf::encode(&again), Some(written));
    }
}

/// Custom resources are the narrowest offer of objects.
pub fn accept(bytes: &[u8]) {
    let Ok(header) = std::str::from_utf8(bytes) else { return };
    if let Some(answer) = negotiate::accepted(header, Offer::Custom) {
        let is_protobuf = answer.format == negotiate::Format::Protobuf;
        assert!(!is_protobuf || matches!(answer.shape, Shape::Metadata(_) | Shape::MetadataList(_)));
    }
}
