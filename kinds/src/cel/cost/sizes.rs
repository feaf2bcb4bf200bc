//! How large the values of a schema can be.
//! k8s: `apiserver/pkg/cel/common/schemas.go` and `limits.go`

use crate::cel::value::unescape;
use crate::custom::structural::{DEPTH_MAX, flag, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Bytes of a request; nothing in it is larger.
const REQUEST_MAX: u64 = 3 << 20;
/// Bytes of the shortest values in JSON, quotation marks included.
const TEXT_MIN: u64 = 2;
const DURATION_MIN: u64 = 3;
const DURATION_MAX: u64 = 32;
const DATE: u64 = 12;
const TIME_MIN: u64 = 21;
const TIME_MAX: u64 = 32;

/// Bounds of a size: characters, bytes, items or entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) min: u64,
    pub(super) max: u64,
}

impl Size {
    pub(super) const ZERO: Self = Self::exactly(0);
    pub(super) const ONE: Self = Self::exactly(1);
    pub(super) const UNKNOWN: Self = Self { min: 0, max: u64::MAX };

    pub(super) const fn exactly(size: u64) -> Self {
        Self { min: size, max: size }
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { min: self.min.saturating_add(other.min), max: self.max.saturating_add(other.max) }
    }

    pub(super) fn times(self, other: Self) -> Self {
        Self { min: self.min.saturating_mul(other.min), max: self.max.saturating_mul(other.max) }
    }
}

/// Rounded up, and no more than there are numbers. Upstream counts in floats here, too.
pub(super) fn by_factor(size: u64, factor: f64) -> u64 {
    (size as f64 * factor).ceil() as u64
}

/// What a schema says of the sizes of its values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Decl {
    /// Characters, bytes, items or entries at most; 0 for what has no size.
    pub(super) most: u64,
    /// Bytes of the shortest value in JSON.
    least_bytes: u64,
    fields: BTreeMap<String, Decl>,
    items: Option<Box<Decl>>,
    /// Of a map; its keys have no size.
    values: Option<Box<Decl>>,
    keys: Option<Box<Decl>>,
}

/// Whether the value is an object of its own, with metadata.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    Yes,
    No,
}

impl Decl {
    /// Of an OpenAPI v3 schema; `None` for what rules cannot look into.
    pub(crate) fn of(schema: &Value, root: Root) -> Option<Self> {
        Self::at_depth(schema, root, 0)
    }

    fn leaf(most: u64, least_bytes: u64) -> Self {
        Self { most, least_bytes, ..Self::default() }
    }

    fn at_depth(schema: &Value, root: Root, depth: usize) -> Option<Self> {
        if depth == DEPTH_MAX {
            return None;
        }
        let inner = |schema: &Value| {
            let root = if flag(schema, "x-kubernetes-embedded-resource") { Root::Yes } else { Root::No };
            Self::at_depth(schema, root, depth + 1)
        };
        let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_i64).map(|most| most.max(0).unsigned_abs());
        if flag(schema, "x-kubernetes-int-or-string") {
            return Some(Self::leaf(limit("maxLength").map_or(REQUEST_MAX - 2, |most| most.saturating_mul(4)), 1));
        }
        match text(schema, "type") {
            "array" => {
                let items = inner(schema.get("items")?)?;
                let most = limit("maxItems").unwrap_or((REQUEST_MAX - 2) / (items.least_bytes + 1));
                Some(Self { items: Some(Box::new(items)), ..Self::leaf(most, 2) })
            }
            "object" => match schema.get("additionalProperties").filter(|values| values.is_object()) {
                Some(values) => {
                    let values = inner(values)?;
                    let most = limit("maxProperties").unwrap_or((REQUEST_MAX - 2) / (values.least_bytes + 6));
                    let keys = Some(Box::new(Self::leaf(0, TEXT_MIN)));
                    Some(Self { values: Some(Box::new(values)), keys, ..Self::leaf(most, 2) })
                }
                None => Some(object(schema, root, inner)),
            },
            "string" => Some(of_text(schema, limit("maxLength"))),
            "boolean" => Some(Self::leaf(0, 4)),
            "number" | "integer" => Some(Self::leaf(0, 1)),
            _ => None,
        }
    }

    /// By the name that expressions give it.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        self.fields.get(name).or_else(|| self.fields.get(&unescape(name)))
    }

    pub(super) fn items(&self) -> Option<&Self> {
        self.items.as_deref().or(self.values.as_deref())
    }

    pub(super) fn values(&self) -> Option<&Self> {
        self.items()
    }

    pub(super) fn keys(&self) -> Option<&Self> {
        self.keys.as_deref()
    }

    /// How often a value of this schema fits into a request.
    pub(crate) fn times_max(&self) -> u64 {
        REQUEST_MAX / (self.least_bytes + 1)
    }
}

fn object(schema: &Value, root: Root, inner: impl Fn(&Value) -> Option<Decl>) -> Decl {
    let required = |name: &str| {
        let names = schema.get("required").and_then(Value::as_array);
        names.into_iter().flatten().any(|known| known == name)
    };
    let mut object = Decl::leaf(0, 2);
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let Some(field) = inner(property) else { continue };
        if required(name) && property.get("default").is_none_or(Value::is_null) {
            object.least_bytes += name.len() as u64 + field.least_bytes + 4;
        }
        object.fields.insert(name.clone(), field);
    }
    if root == Root::Yes {
        let name = json!({"type": "string"});
        let own = properties.and_then(|all| all.get("metadata")?.get("properties"));
        let is_own = |name: &str| own.and_then(|own| own.get(name)).is_some_and(|name| text(name, "type") == "string");
        for field in ["apiVersion", "kind"] {
            object.fields.insert(field.to_owned(), of_text(&name, None));
        }
        if !is_own("name") || !is_own("generateName") {
            let fields = ["name", "generateName"].map(|field| (field.to_owned(), of_text(&name, None)));
            let metadata = Decl { fields: fields.into(), ..Decl::leaf(0, 2) };
            object.fields.insert("metadata".to_owned(), metadata);
        }
    }
    object
}

fn of_text(schema: &Value, limit: Option<u64>) -> Decl {
    let any = REQUEST_MAX - 2;
    match text(schema, "format") {
        "byte" => Decl::leaf(limit.unwrap_or(any), TEXT_MIN),
        "duration" => Decl::leaf(DURATION_MAX, DURATION_MIN),
        "date" => Decl::leaf(DATE, DATE),
        "date-time" => Decl::leaf(TIME_MAX, TIME_MIN),
        _ => {
            let values = schema.get("enum").and_then(Value::as_array).filter(|values| !values.is_empty());
            let longest = |values: &Vec<Value>| values.iter().filter_map(|v| v.as_str()).map(str::len).max();
            let most = match (limit, values) {
                // A character takes up to four bytes.
                (Some(limit), _) => limit.saturating_mul(4),
                (None, Some(values)) => longest(values).unwrap_or_default() as u64,
                (None, None) => any,
            };
            Decl::leaf(most, TEXT_MIN)
        }
    }
}
