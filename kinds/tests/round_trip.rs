//! An object with every field that its schema knows passes through decoding and through the typed hooks whole: the
//! schema table and the typed vocabulary do not drift apart.

use kinds::errors::Cause;
use kinds::schema::decode::Strictness;
use kinds::schema::{self, Field, Leaf, Schema, Shape};
use kinds::table;
use serde_json::{Map, Value, json};

/// `inside` are the types around it: JSON schemas contain themselves, once is enough.
fn object(schema: Schema, inside: &[Schema]) -> Value {
    let inside = [inside, &[schema]].concat();
    let fields = schema.fields().filter_map(|field| Some((field.name().to_owned(), value(field, &inside)?)));
    let mut object = Value::Object(fields.collect::<Map<String, Value>>());
    if schema.name() == "io.k8s.api.core.v1.PersistentVolumeClaim" {
        // The templates of a StatefulSet are whole objects, and the typed vocabulary insists on their type.
        object["apiVersion"] = json!("v1");
        object["kind"] = json!("PersistentVolumeClaim");
    }
    object
}

fn value(field: Field, inside: &[Schema]) -> Option<Value> {
    let leaf = leaf(field, inside)?;
    Some(match field.shape() {
        Shape::One => leaf,
        Shape::List => json!([leaf]),
        Shape::Map => json!({"key": leaf}),
        Shape::MapOfLists => json!({"key": [leaf]}),
    })
}

fn leaf(field: Field, inside: &[Schema]) -> Option<Value> {
    Some(match field.leaf() {
        Leaf::Object => {
            let schema = field.schema().expect("an object has fields");
            if inside.contains(&schema) {
                return None;
            }
            object(schema, inside)
        }
        Leaf::String => json!("text"),
        Leaf::Bytes => json!("YQ=="),
        Leaf::Boolean | Leaf::SchemaOrBool => json!(true),
        Leaf::Int32 | Leaf::Int64 | Leaf::IntOrString => json!(7),
        Leaf::Double => json!(1.5),
        Leaf::Time => json!("2024-01-02T03:04:05Z"),
        Leaf::MicroTime => json!("2024-01-02T03:04:05.000006Z"),
        Leaf::Quantity => json!("1500m"),
        Leaf::Any => json!({"any": [1, null]}),
        Leaf::SchemaOrArray => json!({"type": "string"}),
        Leaf::SchemaOrStrings => json!(["text"]),
    })
}

/// Paths of the leaves that `before` has and `after` has not, or has otherwise.
fn lost(before: &Value, after: &Value, path: &str, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                lost(value, after.get(key).unwrap_or(&Value::Null), &format!("{path}.{key}"), found);
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, value) in before.iter().enumerate() {
                lost(value, &after[index], &format!("{path}[{index}]"), found);
            }
        }
        (before, after) if before != after => found.push(path.to_owned()),
        _ => {}
    }
}

#[test]
fn a_full_object_of_every_kind_decodes_to_itself() {
    for kind in table::builtin() {
        let row = kind.row();
        let schema = schema::lookup(&row.schema).expect("a schema");
        let full = object(schema, &[]);
        let decoded = schema.decode(full.to_string().as_bytes(), Strictness::Report);
        let decoded = decoded.unwrap_or_else(|error| panic!("{}: {error}", row.kind));
        assert_eq!((decoded.object, decoded.unknown.len()), (full, 0), "{}", row.kind);
    }
}

#[test]
fn typed_hooks_read_a_full_object_and_write_all_of_it_back() {
    for kind in table::builtin() {
        let row = kind.row();
        let mut full = object(schema::lookup(&row.schema).expect("a schema"), &[]);
        full["apiVersion"] = json!(row.api_version());
        full["kind"] = json!(row.kind);
        let unreadable =
            kind.validate(&full).into_iter().find(|error| error.cause == Cause::TypeInvalid && error.path.is_empty());
        assert_eq!(unreadable, None, "{}", row.kind);
        let mut defaulted = full.clone();
        kind.default(&mut defaulted);
        let mut paths = Vec::new();
        lost(&full, &defaulted, "", &mut paths);
        // k8s: stringData is for writing only; it becomes data at once
        paths.retain(|path| row.kind != "Secret" || !path.contains("ata"));
        assert_eq!(paths, Vec::<String>::new(), "{}: defaulting changed what was set", row.kind);
    }
}
