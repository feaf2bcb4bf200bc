//! Values: those of CEL, those of Kubernetes' libraries, and JSON trees with what the schema says of them.

use super::eval::EvalError;
use crate::custom::structural::{ListType, Structural};
use crate::custom::values::{Format, Type};
use crate::quantity::Quantity;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;
use std::rc::Rc;

#[derive(Clone, Debug)]
pub(crate) enum Val<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Str(Cow<'a, str>),
    Bytes(Rc<[u8]>),
    List(Rc<Vec<Val<'a>>>),
    Map(Rc<Vec<(Val<'a>, Val<'a>)>>),
    /// Of a device: a map of maps, where what is not there is an empty map.
    Domains(Rc<Vec<(Val<'a>, Val<'a>)>>),
    /// An object or list of the tree, taken apart only where the expression looks.
    Tree(&'a Value, Option<&'a Structural>),
    Timestamp(Timestamp),
    Duration(SignedDuration),
    Quantity(Quantity),
    Url(Rc<super::network::Url>),
    Ip(IpAddr),
    Cidr(IpAddr, u8),
    Format(Format),
    Semver(Rc<super::semver::Semver>),
    Optional(Option<Box<Val<'a>>>),
    /// Of a policy: the name of its type, and its fields.
    Patch(&'a str, Rc<Vec<(&'a str, Val<'a>)>>),
    Authorizer(Rc<super::authorizer::Step<'a>>),
    /// `variables`, evaluated where the expression looks.
    Composed(Rc<super::compose::Composed<'a>>),
    Type(&'static str),
    /// What a step of an iteration came to; looking at it fails.
    Failed(Rc<str>),
}

impl<'a> Val<'a> {
    /// A value of the tree, typed by its schema.
    pub(crate) fn of(value: &'a Value, schema: Option<&'a Structural>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) => match (number.as_i64(), schema.and_then(|schema| schema.ty)) {
                (Some(number), Some(Type::Number)) => Self::Double(number as f64),
                (Some(number), _) => Self::Int(number),
                (None, Some(Type::Integer)) => Self::Int(number.as_f64().unwrap_or_default() as i64),
                (None, _) => Self::Double(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Self::of_text(text, schema.and_then(|schema| schema.format)),
            Value::Array(_) | Value::Object(_) => Self::Tree(value, schema),
        }
    }

    /// k8s: formats that have a type of their own in CEL
    fn of_text(text: &'a str, format: Option<Format>) -> Self {
        let typed = match format {
            Some(Format::DateTime) => text.parse().ok().map(Self::Timestamp),
            Some(Format::Date) => format!("{text}T00:00:00Z").parse().ok().map(Self::Timestamp),
            Some(Format::Duration) => crate::duration::parse(text).map(Self::Duration),
            Some(Format::Byte) => super::library::base64(text).map(Self::Bytes),
            _ => None,
        };
        typed.unwrap_or(Self::Str(Cow::Borrowed(text)))
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(Rc::new(items))
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Str(Cow::Owned(text.into()))
    }

    pub(super) fn some(value: Self) -> Self {
        Self::Optional(Some(Box::new(value)))
    }

    /// A version, if it is one.
    pub(crate) fn semver(text: &str) -> Option<Self> {
        super::semver::Semver::parse(text).map(|version| Self::Semver(Rc::new(version)))
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::List(items) => Some(items.as_ref().clone()),
            Self::Tree(Value::Array(items), schema) => {
                let of = schema.and_then(|schema| schema.items.as_deref());
                Some(items.iter().map(|item| Self::of(item, of)).collect())
            }
            _ => None,
        }
    }

    /// The entries of a map or object.
    pub(super) fn entries(&self) -> Option<Vec<(Self, Self)>> {
        match self {
            Self::Map(entries) | Self::Domains(entries) => Some(entries.as_ref().clone()),
            Self::Tree(Value::Object(fields), schema) => {
                let of = |name: &String| schema.and_then(|schema| schema.property(name));
                let entry = |(name, value): (&'a String, &'a Value)| {
                    (Self::Str(Cow::Borrowed(name)), Self::of(value, of(name)))
                };
                Some(fields.iter().map(entry).collect())
            }
            _ => None,
        }
    }

    /// The entries of a map, or the items of a list with their places.
    pub(super) fn pairs(&self) -> Option<Vec<(Self, Self)>> {
        match self.items() {
            Some(items) => Some(items.into_iter().enumerate().map(|(at, item)| (Self::Int(at as i64), item)).collect()),
            None => self.entries(),
        }
    }

    /// The value of a field or key.
    pub(super) fn get(&self, key: &Self) -> Result<Option<Self>, EvalError> {
        Ok(match self {
            Self::Tree(Value::Object(fields), schema) => {
                let Some(name) = key.as_str() else { return Ok(None) };
                let declared = schema.is_some_and(|schema| !schema.properties.is_empty());
                let name = if declared { Cow::Owned(unescape(name)) } else { Cow::Borrowed(name) };
                let of = schema.and_then(|schema| schema.property(&name));
                fields.get(name.as_ref()).map(|value| Self::of(value, of))
            }
            Self::Map(entries) => entries.iter().find(|(known, _)| known.equals(key)).map(|(_, value)| value.clone()),
            Self::Domains(entries) => {
                let known = entries.iter().find(|(known, _)| known.equals(key));
                Some(known.map_or_else(|| Self::Map(Rc::default()), |(_, values)| values.clone()))
            }
            Self::Tree(Value::Array(_), _) | Self::List(_) => {
                let items = self.items().unwrap_or_default();
                let at = match key {
                    Self::Int(at) => *at,
                    Self::Uint(at) => *at as i64,
                    Self::Double(at) if at.fract() == 0.0 => *at as i64,
                    _ => return Err(EvalError::overload()),
                };
                match usize::try_from(at).ok().and_then(|at| items.get(at).cloned()) {
                    Some(item) => Some(item),
                    None => return Err(EvalError::new(format!("index out of bounds: {at}"))),
                }
            }
            Self::Patch(_, fields) => {
                fields.iter().find(|(known, _)| key.as_str() == Some(*known)).map(|(_, value)| value.clone())
            }
            Self::Authorizer(step) => {
                step.field(key.as_str().unwrap_or_default()).map(|step| Self::Authorizer(Rc::new(step)))
            }
            Self::Optional(None) => Some(Self::Optional(None)),
            Self::Optional(Some(inner)) => Some(Self::Optional(inner.get(key)?.map(Box::new))),
            _ => return Err(EvalError::overload()),
        })
    }

    pub(super) fn size(&self) -> Option<usize> {
        Some(match self {
            Self::Str(text) => text.chars().count(),
            Self::Bytes(bytes) => bytes.len(),
            Self::List(items) => items.len(),
            Self::Map(entries) | Self::Domains(entries) => entries.len(),
            Self::Tree(Value::Array(items), _) => items.len(),
            Self::Tree(Value::Object(fields), _) => fields.len(),
            _ => return None,
        })
    }

    pub(super) fn equals(&self, other: &Self) -> bool {
        if self.is_number() && other.is_number() {
            return numeric(self, other) == Some(Ordering::Equal);
        }
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Timestamp(a), Self::Timestamp(b)) => a == b,
            (Self::Duration(a), Self::Duration(b)) => a == b,
            (Self::Quantity(a), Self::Quantity(b)) => a.partial_cmp(b) == Some(Ordering::Equal),
            (Self::Url(a), Self::Url(b)) => a == b,
            (Self::Ip(a), Self::Ip(b)) => a == b,
            (Self::Cidr(a, n), Self::Cidr(b, m)) => a == b && n == m,
            (Self::Format(a), Self::Format(b)) => a == b,
            (Self::Semver(a), Self::Semver(b)) => a.compare(b) == Ordering::Equal,
            (Self::Type(a), Self::Type(b)) => a == b,
            (Self::Null, Self::Null) | (Self::Optional(None), Self::Optional(None)) => true,
            (Self::Optional(Some(a)), Self::Optional(Some(b))) => a.equals(b),
            (one, two) => one.contains_the_same(two),
        }
    }

    /// Lists and maps, whichever way they are held.
    fn contains_the_same(&self, other: &Self) -> bool {
        match (self.items(), other.items(), self.entries(), other.entries()) {
            (Some(mine), Some(theirs), _, _) if self.is_unordered() || other.is_unordered() => {
                let there = |item: &Self| theirs.iter().any(|twin| item.equals(twin));
                mine.len() == theirs.len() && mine.iter().all(there)
            }
            (Some(mine), Some(theirs), _, _) => {
                mine.len() == theirs.len() && mine.iter().zip(&theirs).all(|(item, twin)| item.equals(twin))
            }
            (_, _, Some(mine), Some(theirs)) => {
                let there = |(key, value): &(Self, Self)| {
                    theirs.iter().any(|(known, twin)| key.equals(known) && value.equals(twin))
                };
                mine.len() == theirs.len() && mine.iter().all(there)
            }
            _ => false,
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Int(_) | Self::Uint(_) | Self::Double(_))
    }

    /// k8s: sets and map lists are equal whatever their order
    fn is_unordered(&self) -> bool {
        matches!(self, Self::Tree(Value::Array(_), Some(schema)) if schema.list != ListType::Atomic)
    }

    pub(super) fn compare(&self, other: &Self) -> Result<Ordering, EvalError> {
        if self.is_number() && other.is_number() {
            return numeric(self, other).ok_or_else(|| EvalError::new("NaN values cannot be ordered"));
        }
        Ok(match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Str(a), Self::Str(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            (Self::Timestamp(a), Self::Timestamp(b)) => a.cmp(b),
            (Self::Duration(a), Self::Duration(b)) => a.cmp(b),
            (Self::Quantity(a), Self::Quantity(b)) => a.partial_cmp(b).ok_or_else(EvalError::overload)?,
            _ => return Err(EvalError::overload()),
        })
    }

    /// As JSON, where it is a value that JSON has. `path` is where a patch stands: the types of its parts say the same.
    pub(crate) fn to_json(&self, path: &str) -> Result<Value, String> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => (*flag).into(),
            Self::Int(number) => (*number).into(),
            Self::Uint(number) => (*number).into(),
            Self::Double(number) => (*number).into(),
            Self::Str(text) => text.as_ref().into(),
            Self::Bytes(bytes) => super::library::to_base64(bytes).into(),
            Self::Tree(value, _) => (*value).clone(),
            Self::List(items) => items.iter().map(|item| item.to_json(path)).collect::<Result<_, _>>()?,
            Self::Map(entries) => {
                let entry = |(key, value): &(Self, Self)| match key {
                    Self::Str(key) => Ok((key.clone().into_owned(), value.to_json(path)?)),
                    other => Err(format!("a {} cannot be a key of JSON", other.type_name())),
                };
                Value::Object(entries.iter().map(entry).collect::<Result<_, String>>()?)
            }
            Self::Timestamp(at) => at.to_string().into(),
            Self::Duration(it) => format!("{}s", it.as_secs_f64()).into(),
            Self::Patch(name, fields) => {
                if *name != path {
                    return Err(format!(
                        "unexpected type name {name:?}, expected {path:?}, which matches field name path from root Object type"
                    ));
                }
                let field = |(field, value): &(&str, Self)| {
                    let field = unescape(field);
                    Ok((field.clone(), value.to_json(&format!("{path}.{field}"))?))
                };
                Value::Object(fields.iter().map(field).collect::<Result<_, String>>()?)
            }
            other => return Err(format!("a {} cannot be written as JSON", other.type_name())),
        })
    }

    /// Its type's name.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::Str(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) | Self::Tree(Value::Array(_), _) => "list",
            Self::Map(_) | Self::Domains(_) | Self::Tree(_, _) => "map",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Quantity(_) => "kubernetes.Quantity",
            Self::Url(_) => "kubernetes.URL",
            Self::Ip(_) => "net.IP",
            Self::Cidr(..) => "net.CIDR",
            Self::Format(_) => "kubernetes.NamedFormat",
            Self::Semver(_) => "kubernetes.Semver",
            Self::Optional(_) => "optional_type",
            Self::Patch(..) => "object",
            Self::Authorizer(_) => "kubernetes.authorization.Authorizer",
            Self::Composed(_) => "kubernetes.variables",
            Self::Type(_) => "type",
            Self::Failed(_) => "error",
        }
    }
}

/// Numbers compare across their types; `None`: one of them is not a number at all.
fn numeric(a: &Val<'_>, b: &Val<'_>) -> Option<Ordering> {
    let float = |value: &Val<'_>| match value {
        Val::Int(n) => Some(*n as f64),
        Val::Uint(n) => Some(*n as f64),
        Val::Double(n) => Some(*n),
        _ => None,
    };
    match (a, b) {
        (Val::Int(a), Val::Int(b)) => Some(a.cmp(b)),
        (Val::Uint(a), Val::Uint(b)) => Some(a.cmp(b)),
        (Val::Int(a), Val::Uint(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Val::Uint(a), Val::Int(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (a, b) => float(a)?.partial_cmp(&float(b)?),
    }
}

/// Words that cannot be field names in CEL.
const RESERVED: &[&str] = &[
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// The property that a name in an expression means.
/// k8s: cel.Unescape
pub(super) fn unescape(name: &str) -> String {
    if let Some(word) = name.strip_prefix("__").and_then(|rest| rest.strip_suffix("__"))
        && RESERVED.contains(&word)
    {
        return word.to_owned();
    }
    name.replace("__dot__", ".").replace("__dash__", "-").replace("__slash__", "/").replace("__underscores__", "__")
}
