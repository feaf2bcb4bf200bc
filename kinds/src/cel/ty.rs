//! What can be known of the type of a value before an expression runs.

use crate::custom::structural::{Additional, Structural};
use crate::custom::values::{Format, Type};
use crate::schema::{Context, Leaf, Shape};

use super::value::unescape;

/// What is known of a value's type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ty<'a> {
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Timestamp,
    Duration,
    /// A list or map of the expression's own.
    Made,
    /// A value of the tree that a schema describes.
    Tree(&'a Structural),
    /// Its metadata, of which a rule of a custom resource sees two names.
    Metadata,
    /// A value of an object as a whole: of a built-in type, or of a custom resource with all its metadata.
    Known(Context<'a>),
    Optional,
    /// `variables`: what a policy has composed before.
    Variables,
    /// `authorizer`, and what becomes of it.
    Authorizer,
    /// A patch of a policy: `Object`, `Object.spec`, `JSONPatch`.
    Patch(String),
}

impl<'a> Ty<'a> {
    /// The type of a value that a schema describes.
    pub(crate) fn of(schema: &'a Structural) -> Self {
        let open = schema.preserves && schema.properties.is_empty();
        match (schema.ty, schema.format) {
            (Some(Type::Boolean), _) => Self::Bool,
            (Some(Type::Integer), _) => Self::Int,
            (Some(Type::Number), _) => Self::Double,
            (Some(Type::String), Some(Format::Date | Format::DateTime)) => Self::Timestamp,
            (Some(Type::String), Some(Format::Duration)) => Self::Duration,
            (Some(Type::String), Some(Format::Byte)) => Self::Bytes,
            (Some(Type::String), _) => Self::Text,
            (Some(Type::Object), _) if open && !schema.is_embedded => Self::Dyn,
            (Some(Type::Object | Type::Array), _) => Self::Tree(schema),
            (None, _) => Self::Dyn,
        }
    }

    /// The type of what generic code knows of a value.
    pub(crate) fn known(context: Context<'a>) -> Self {
        match context {
            Context::Custom(schema) => match Self::of(schema) {
                Self::Tree(_) => Self::Known(context),
                leaf => leaf,
            },
            Context::Field(field) if field.shape() != Shape::One => Self::Known(context),
            Context::Field(field) | Context::Item(field) => Self::of_leaf(field.leaf(), context),
            Context::Object(schema) => Self::of_leaf(schema.leaf(), context),
            Context::Unknown => Self::Dyn,
        }
    }

    fn of_leaf(leaf: Leaf, context: Context<'a>) -> Self {
        match leaf {
            Leaf::Object => Self::Known(context),
            Leaf::String => Self::Text,
            Leaf::Bytes => Self::Bytes,
            Leaf::Boolean => Self::Bool,
            Leaf::Int32 | Leaf::Int64 => Self::Int,
            Leaf::Double => Self::Double,
            Leaf::Time | Leaf::MicroTime => Self::Timestamp,
            Leaf::Quantity
            | Leaf::IntOrString
            | Leaf::Any
            | Leaf::SchemaOrBool
            | Leaf::SchemaOrArray
            | Leaf::SchemaOrStrings => Self::Dyn,
        }
    }

    /// Without what it borrows.
    pub(super) fn kind(&self) -> Ty<'static> {
        match self {
            Ty::Tree(_) | Ty::Metadata | Ty::Made | Ty::Known(_) | Ty::Variables => Ty::Made,
            Ty::Null => Ty::Null,
            Ty::Bool => Ty::Bool,
            Ty::Int => Ty::Int,
            Ty::Uint => Ty::Uint,
            Ty::Double => Ty::Double,
            Ty::Text => Ty::Text,
            Ty::Bytes => Ty::Bytes,
            Ty::Timestamp => Ty::Timestamp,
            Ty::Duration => Ty::Duration,
            Ty::Optional => Ty::Optional,
            Ty::Dyn => Ty::Dyn,
            Ty::Authorizer => Ty::Authorizer,
            Ty::Patch(name) => Ty::Patch(name.clone()),
        }
    }

    /// Its name in messages; `None` where values of several types may come.
    pub(super) fn name(&self) -> Option<&str> {
        Some(match self {
            Ty::Bool => "bool",
            Ty::Int => "int",
            Ty::Uint => "uint",
            Ty::Double => "double",
            Ty::Text => "string",
            Ty::Bytes => "bytes",
            Ty::Timestamp => "timestamp",
            Ty::Duration => "duration",
            Ty::Patch(name) => name,
            Ty::Dyn
            | Ty::Null
            | Ty::Made
            | Ty::Tree(_)
            | Ty::Metadata
            | Ty::Known(_)
            | Ty::Optional
            | Ty::Variables
            | Ty::Authorizer => return None,
        })
    }

    /// Its name where it is all that is known.
    pub(crate) fn shown(&self) -> &str {
        match self {
            Ty::Null => "null_type",
            Ty::Made => "list or map",
            Ty::Tree(_) | Ty::Metadata | Ty::Known(_) | Ty::Variables => "object",
            Ty::Optional => "optional_type",
            Ty::Authorizer => "kubernetes.authorization.Authorizer",
            other => other.name().unwrap_or("dyn"),
        }
    }

    /// What lies in a field of that name: `Err`: fields cannot be selected at all.
    pub(super) fn field(&self, name: &str) -> Result<Option<Ty<'a>>, &str> {
        match self {
            Ty::Tree(schema) => Ok(tree_field(schema, name)),
            Ty::Metadata => Ok(matches!(name, "name" | "generateName").then_some(Ty::Text)),
            Ty::Known(context) => Ok(known_field(*context, name)),
            Ty::Authorizer => Ok((name == "requestResource").then_some(Ty::Authorizer)),
            Ty::Dyn | Ty::Made | Ty::Optional | Ty::Patch(_) | Ty::Variables => Ok(Some(Ty::Dyn)),
            other => Err(other.name().unwrap_or("null")),
        }
    }

    /// Of its items or values, and of its keys, as far as they are known.
    pub(super) fn items(&self) -> (Ty<'a>, Ty<'a>) {
        match self {
            Ty::Tree(schema) => match (&schema.items, &schema.additional) {
                (Some(items), _) => (Ty::Int, Ty::of(items)),
                (None, Additional::Of(values)) => (Ty::Text, Ty::of(values)),
                (None, Additional::Any | Additional::No) => (Ty::Dyn, Ty::Dyn),
            },
            Ty::Known(context) => known_items(*context),
            _ => (Ty::Dyn, Ty::Dyn),
        }
    }

    /// Whether it is a list, where that is known.
    pub(super) fn is_list(&self) -> bool {
        match self {
            Ty::Tree(schema) | Ty::Known(Context::Custom(schema)) => schema.items.is_some(),
            Ty::Known(Context::Field(field)) => field.shape() == Shape::List,
            _ => false,
        }
    }
}

/// A declared field, by the name that expressions give it.
fn tree_field<'a>(schema: &'a Structural, name: &str) -> Option<Ty<'a>> {
    if schema.is_embedded {
        match name {
            "apiVersion" | "kind" => return Some(Ty::Text),
            "metadata" => return Some(Ty::Metadata),
            _ => {}
        }
    }
    let declared = schema.properties.get(name).or_else(|| schema.properties.get(&unescape(name)));
    match (declared, &schema.additional) {
        (Some(property), _) => Some(Ty::of(property)),
        (None, Additional::Of(values)) => Some(Ty::of(values)),
        (None, Additional::Any) => Some(Ty::Dyn),
        (None, Additional::No) => None,
    }
}

fn known_field<'a>(context: Context<'a>, name: &str) -> Option<Ty<'a>> {
    let unescaped = unescape(name);
    let name = if context.declares(name) { name } else { unescaped.as_str() };
    match context {
        Context::Custom(schema) if schema.is_embedded && matches!(name, "apiVersion" | "kind") => Some(Ty::Text),
        Context::Custom(_) if context.declares(name) => Some(Ty::known(context.field(name))),
        Context::Custom(schema) => match &schema.additional {
            Additional::Of(values) => Some(Ty::known(Context::Custom(values))),
            Additional::Any => Some(Ty::Dyn),
            Additional::No if schema.preserves => Some(Ty::Dyn),
            Additional::No => None,
        },
        Context::Field(field) if field.shape() == Shape::Map => Some(Ty::known(Context::Item(field))),
        Context::Field(field) if field.shape() != Shape::One => Some(Ty::Dyn),
        Context::Object(_) | Context::Field(_) | Context::Item(_) => {
            context.declares(name).then(|| Ty::known(context.field(name)))
        }
        Context::Unknown => Some(Ty::Dyn),
    }
}

fn known_items(context: Context<'_>) -> (Ty<'_>, Ty<'_>) {
    match context {
        Context::Custom(schema) => match (&schema.items, &schema.additional) {
            (Some(items), _) => (Ty::Int, Ty::known(Context::Custom(items))),
            (None, Additional::Of(values)) => (Ty::Text, Ty::known(Context::Custom(values))),
            (None, Additional::Any | Additional::No) => (Ty::Dyn, Ty::Dyn),
        },
        Context::Field(field) => match field.shape() {
            Shape::List => (Ty::Int, Ty::known(Context::Item(field))),
            Shape::Map => (Ty::Text, Ty::known(Context::Item(field))),
            Shape::MapOfLists | Shape::One => (Ty::Dyn, Ty::Dyn),
        },
        Context::Object(_) | Context::Item(_) | Context::Unknown => (Ty::Dyn, Ty::Dyn),
    }
}
