//! What can be known of an expression before it runs: that it names only what there is, that fields are declared, and, where
//! both sides are known, that operators fit. What is not known passes and is met again when it is evaluated.

use super::calls::{self, Style};
use super::value::unescape;
use crate::custom::structural::{Additional, Structural};
use crate::custom::values::{Format, Type};
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr};

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
    /// Its metadata, of which an expression sees two names.
    Metadata,
    Optional,
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

    /// Without what it borrows.
    pub(super) fn kind(&self) -> Ty<'static> {
        match self {
            Ty::Tree(_) | Ty::Metadata | Ty::Made => Ty::Made,
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
        }
    }

    /// Its name in messages; `None` where values of several types may come.
    fn name(&self) -> Option<&'static str> {
        Some(match self {
            Ty::Bool => "bool",
            Ty::Int => "int",
            Ty::Uint => "uint",
            Ty::Double => "double",
            Ty::Text => "string",
            Ty::Bytes => "bytes",
            Ty::Timestamp => "timestamp",
            Ty::Duration => "duration",
            Ty::Dyn | Ty::Null | Ty::Made | Ty::Tree(_) | Ty::Metadata | Ty::Optional => return None,
        })
    }
}

#[derive(Debug)]
pub(super) struct CheckError {
    /// Of the part that is wrong.
    pub(super) id: u64,
    pub(super) text: String,
}

pub(super) struct Checker<'a> {
    bound: Vec<(String, Ty<'a>)>,
    /// Every name that was looked up.
    pub(super) names: Vec<String>,
}

type Checked<'a> = Result<Ty<'a>, CheckError>;

impl<'a> Checker<'a> {
    pub(super) fn new(variables: &[(&str, Ty<'a>)]) -> Self {
        let bound = variables.iter().map(|(name, ty)| ((*name).to_owned(), ty.clone())).collect();
        Self { bound, names: Vec::new() }
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|(known, _)| known == name)
    }

    pub(super) fn check(&mut self, expr: &IdedExpr) -> Checked<'a> {
        let wrong = |text: String| CheckError { id: expr.id, text };
        match &expr.expr {
            Expr::Literal(literal) => Ok(of_literal(literal)),
            Expr::Ident(name) => {
                self.names.push(name.clone());
                let found = self.bound.iter().rev().find(|(known, _)| known == name).map(|(_, ty)| ty.clone());
                let is_type = calls::TYPE_NAMES.contains(&name.as_str());
                found
                    .or(is_type.then_some(Ty::Dyn))
                    .ok_or_else(|| wrong(format!("undeclared reference to '{name}' (in container '')")))
            }
            Expr::Select(select) => self.select(select, expr.id),
            Expr::List(list) => {
                for element in &list.elements {
                    self.check(element)?;
                }
                Ok(Ty::Made)
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.check(&entry.key)?;
                        self.check(&entry.value)?;
                    }
                }
                Ok(Ty::Made)
            }
            Expr::Call(call) => self.call(call, expr.id),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Struct(it) => Err(wrong(format!("undeclared reference to '{}' (in container '')", it.type_name))),
            Expr::Unspecified => Err(wrong("empty expression".to_owned())),
        }
    }

    fn select(&mut self, select: &SelectExpr, id: u64) -> Checked<'a> {
        let operand = self.check(&select.operand)?;
        let undefined = || CheckError { id, text: format!("undefined field '{}'", select.field) };
        let ty = match operand {
            Ty::Tree(schema) => field(schema, &select.field).ok_or_else(undefined)?,
            Ty::Metadata => match select.field.as_str() {
                "name" | "generateName" => Ty::Text,
                _ => return Err(undefined()),
            },
            Ty::Dyn | Ty::Made | Ty::Optional => Ty::Dyn,
            other => {
                let name = other.name().unwrap_or("null");
                let text = format!("type '{name}' does not support field selection");
                return Err(CheckError { id, text });
            }
        };
        Ok(if select.test { Ty::Bool } else { ty })
    }

    fn call(&mut self, call: &CallExpr, id: u64) -> Checked<'a> {
        let space = call.target.as_deref().and_then(|target| calls::namespace(target, |name| self.is_bound(name)));
        let mut args = Vec::new();
        if let (Some(target), None) = (call.target.as_deref(), space) {
            args.push(self.check(target)?);
        }
        for arg in &call.args {
            args.push(self.check(arg)?);
        }
        let name = call.func_name.as_str();
        if name.starts_with(['_', '!', '-', '@']) {
            return operator(name, &args, id);
        }
        let style = match (space, call.target.is_some()) {
            (Some(space), _) => Style::In(space),
            (None, true) => Style::Member,
            (None, false) => Style::Global,
        };
        let shown = space.map_or_else(|| name.to_owned(), |space| format!("{space}.{name}"));
        match calls::lookup(name, style, call.args.len()) {
            Some(function) => Ok(function.yields.clone()),
            None => Err(CheckError { id, text: format!("undeclared reference to '{shown}' (in container '')") }),
        }
    }

    fn comprehension(&mut self, it: &ComprehensionExpr) -> Checked<'a> {
        let range = self.check(&it.iter_range)?;
        if let Some(name) = range.name() {
            let text = format!(
                "expression of type '{name}' cannot be range of a comprehension (must be list, map, or dynamic)"
            );
            return Err(CheckError { id: it.iter_range.id, text });
        }
        let (item, second) = match &range {
            Ty::Tree(schema) => match (&schema.items, &schema.additional) {
                (Some(items), _) => (Ty::of(items), Ty::of(items)),
                (None, Additional::Of(values)) => (Ty::Text, Ty::of(values)),
                (None, Additional::Any | Additional::No) => (Ty::Dyn, Ty::Dyn),
            },
            _ => (Ty::Dyn, Ty::Dyn),
        };
        let depth = self.bound.len();
        let initial = self.check(&it.accu_init)?;
        self.bound.push((it.accu_var.clone(), initial));
        match &it.iter_var2 {
            None => self.bound.push((it.iter_var.clone(), item)),
            Some(name) => {
                self.bound.push((it.iter_var.clone(), Ty::Dyn));
                self.bound.push((name.clone(), second));
            }
        }
        self.check(&it.loop_cond)?;
        self.check(&it.loop_step)?;
        let result = self.check(&it.result);
        self.bound.truncate(depth);
        result
    }
}

/// A declared field, by the name that expressions give it.
fn field<'a>(schema: &'a Structural, name: &str) -> Option<Ty<'a>> {
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

fn of_literal(literal: &LiteralValue) -> Ty<'static> {
    match literal {
        LiteralValue::Boolean(_) => Ty::Bool,
        LiteralValue::Bytes(_) => Ty::Bytes,
        LiteralValue::Double(_) => Ty::Double,
        LiteralValue::Int(_) => Ty::Int,
        LiteralValue::Null => Ty::Null,
        LiteralValue::String(_) => Ty::Text,
        LiteralValue::UInt(_) => Ty::Uint,
    }
}

fn operator<'a>(name: &str, args: &[Ty<'a>], id: u64) -> Checked<'a> {
    let mismatch = || {
        let names: Vec<&str> = args.iter().map(|ty| ty.name().unwrap_or("dyn")).collect();
        CheckError { id, text: format!("found no matching overload for '{name}' applied to '({})'", names.join(", ")) }
    };
    let both = match args {
        [a, b] => a.name().zip(b.name()),
        _ => None,
    };
    let numbers = |a: &str, b: &str| ["int", "uint", "double"].contains(&a) && ["int", "uint", "double"].contains(&b);
    let times = |name: &str| matches!(name, "timestamp" | "duration");
    match name {
        "_?_:_" => match args {
            [Ty::Bool | Ty::Dyn, yes, no] => Ok(if yes == no { yes.clone() } else { Ty::Dyn }),
            _ => Err(mismatch()),
        },
        "_&&_" | "_||_" | "!_" | "@not_strictly_false" => {
            let fits = args.iter().all(|ty| matches!(ty, Ty::Bool | Ty::Dyn));
            if fits { Ok(Ty::Bool) } else { Err(mismatch()) }
        }
        "_==_" | "_!=_" => match both {
            Some((a, b)) if a != b => Err(mismatch()),
            _ => Ok(Ty::Bool),
        },
        "_<_" | "_<=_" | "_>_" | "_>=_" => match both {
            Some((a, b)) if a != b && !numbers(a, b) => Err(mismatch()),
            _ => Ok(Ty::Bool),
        },
        "@in" => Ok(Ty::Bool),
        "_+_" | "_-_" | "_*_" | "_/_" | "_%_" => match both {
            Some((a, b)) if times(a) || times(b) => Ok(Ty::Dyn),
            Some((a, b)) if a != b => Err(mismatch()),
            Some(("bool", _)) => Err(mismatch()),
            Some(("string" | "bytes", _)) if name != "_+_" => Err(mismatch()),
            Some(_) => Ok(args[0].clone()),
            None => Ok(Ty::Dyn),
        },
        "-_" => Ok(args.first().cloned().unwrap_or(Ty::Dyn)),
        "_[_]" => match args {
            [Ty::Tree(schema), _] => Ok(match (&schema.items, &schema.additional) {
                (Some(items), _) => Ty::of(items),
                (None, Additional::Of(values)) => Ty::of(values),
                (None, Additional::Any | Additional::No) => Ty::Dyn,
            }),
            _ => Ok(Ty::Dyn),
        },
        "_?._" | "_[?_]" => Ok(Ty::Optional),
        _ => Err(CheckError { id, text: format!("undeclared reference to '{name}' (in container '')") }),
    }
}
