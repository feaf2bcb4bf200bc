//! What can be known of an expression before it runs: that it names only what there is, that fields are declared, and, where
//! both sides are known, that operators fit. What is not known passes and is met again when it is evaluated.

use super::Environment;
use super::calls::{self, Style};
use super::forms::{self, Form};
use super::ty::Ty;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr, StructExpr};

#[derive(Debug)]
pub(super) struct CheckError {
    /// Of the part that is wrong.
    pub(super) id: u64,
    pub(super) text: String,
}

pub(super) struct Checker<'a, 'e> {
    environment: &'e Environment<'a>,
    bound: Vec<(String, Ty<'a>)>,
    /// Every name that was looked up.
    pub(super) names: Vec<String>,
}

type Checked<'a> = Result<Ty<'a>, CheckError>;

/// A patch of a part of the object that a policy is about.
pub(super) const OBJECT: &str = "Object";
/// An operation of a JSON patch.
pub(super) const JSON_PATCH: &str = "JSONPatch";
const JSON_PATCH_FIELDS: &[&str] = &["op", "path", "from", "value"];

impl<'a, 'e> Checker<'a, 'e> {
    pub(super) fn new(environment: &'e Environment<'a>) -> Self {
        Self { environment, bound: environment.names.clone(), names: Vec::new() }
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|(known, _)| known == name)
    }

    fn bound(&self, name: &str) -> Option<&Ty<'a>> {
        self.bound.iter().rev().find(|(known, _)| known == name).map(|(_, ty)| ty)
    }

    pub(super) fn check(&mut self, expr: &IdedExpr) -> Checked<'a> {
        let wrong = |text: String| CheckError { id: expr.id, text };
        match &expr.expr {
            Expr::Literal(literal) => Ok(of_literal(literal)),
            Expr::Ident(name) => {
                self.names.push(name.clone());
                // `variables` is nothing by itself: a value that held it could hold itself.
                let found = self.bound(name).filter(|ty| **ty != Ty::Variables).cloned();
                let is_type = calls::TYPE_NAMES.contains(&name.as_str());
                found.or(is_type.then_some(Ty::Dyn)).ok_or_else(|| wrong(undeclared(name)))
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
            Expr::Struct(it) => self.patch(it, expr.id),
            Expr::Unspecified => Err(wrong("empty expression".to_owned())),
        }
    }

    fn select(&mut self, select: &SelectExpr, id: u64) -> Checked<'a> {
        let undefined = || CheckError { id, text: format!("undefined field '{}'", select.field) };
        let found = if self.is_variables(&select.operand) {
            let known = self.environment.variables.iter().find(|(known, _)| *known == select.field);
            known.map(|(_, ty)| ty.clone())
        } else {
            let operand = self.check(&select.operand)?;
            operand.field(&select.field).map_err(|name| {
                let text = format!("type '{name}' does not support field selection");
                CheckError { id, text }
            })?
        };
        let ty = found.ok_or_else(undefined)?;
        Ok(if select.test { Ty::Bool } else { ty })
    }

    /// Whether it is what a policy has composed before.
    fn is_variables(&self, expr: &IdedExpr) -> bool {
        matches!(&expr.expr, Expr::Ident(name) if self.bound(name) == Some(&Ty::Variables))
    }

    fn call(&mut self, call: &CallExpr, id: u64) -> Checked<'a> {
        if let Some((target, form)) = forms::of(call)
            && (self.environment.binds || !form.is_binding())
        {
            return self.form(target, &form);
        }
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
            Some(function) => Ok(function.yields(args.first().filter(|_| style == Style::Member))),
            None => Err(CheckError { id, text: undeclared(&shown) }),
        }
    }

    fn form(&mut self, target: &IdedExpr, form: &Form<'_>) -> Checked<'a> {
        let range = self.check(target)?;
        let depth = self.bound.len();
        let (first, second) = range.items();
        let types = match form.names.len() {
            1 if form.is_binding() => vec![range],
            1 => vec![Ty::Dyn],
            _ => vec![first, second],
        };
        self.bound.extend(form.names.iter().map(|name| (*name).to_owned()).zip(types));
        let mut yields = form.yields();
        for body in form.bodies {
            let found = self.check(body)?;
            if form.is_binding() {
                yields = found;
            }
        }
        self.bound.truncate(depth);
        Ok(yields)
    }

    fn comprehension(&mut self, it: &ComprehensionExpr) -> Checked<'a> {
        let range = self.check(&it.iter_range)?;
        if let Some(name) = range.name() {
            let text = format!(
                "expression of type '{name}' cannot be range of a comprehension (must be list, map, or dynamic)"
            );
            return Err(CheckError { id: it.iter_range.id, text });
        }
        let (keys, values) = range.items();
        let depth = self.bound.len();
        let initial = self.check(&it.accu_init)?;
        self.bound.push((it.accu_var.clone(), initial));
        match &it.iter_var2 {
            None if range.is_list() => self.bound.push((it.iter_var.clone(), values)),
            None => self.bound.push((it.iter_var.clone(), keys)),
            Some(name) => {
                self.bound.push((it.iter_var.clone(), keys));
                self.bound.push((name.clone(), values));
            }
        }
        self.check(&it.loop_cond)?;
        self.check(&it.loop_step)?;
        let result = self.check(&it.result);
        self.bound.truncate(depth);
        result
    }

    /// `Object{..}`, `Object.spec{..}`, `JSONPatch{..}`
    fn patch(&mut self, it: &StructExpr, id: u64) -> Checked<'a> {
        let name = it.type_name.as_str();
        let is_object = name.strip_prefix(OBJECT).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        if !self.environment.patches || !(is_object || name == JSON_PATCH) {
            return Err(CheckError { id, text: undeclared(name) });
        }
        for entry in &it.entries {
            let EntryExpr::StructField(field) = &entry.expr else { continue };
            let value = self.check(&field.value)?;
            if is_object {
                continue;
            }
            let text = if !JSON_PATCH_FIELDS.contains(&field.field.as_str()) {
                format!("undefined field '{}'", field.field)
            } else if field.field != "value" && !matches!(value, Ty::Text | Ty::Dyn) {
                let given = value.shown();
                format!("expected type of field '{}' is 'string' but provided type is '{given}'", field.field)
            } else {
                continue;
            };
            return Err(CheckError { id: entry.id, text });
        }
        Ok(Ty::Patch(name.to_owned()))
    }
}

fn undeclared(name: &str) -> String {
    format!("undeclared reference to '{name}' (in container '')")
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

pub(super) fn operator<'a>(name: &str, args: &[Ty<'a>], id: u64) -> Checked<'a> {
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
            // One side tells what the other has to be.
            None if args.iter().any(|ty| matches!(ty, Ty::Int | Ty::Double | Ty::Uint | Ty::Text)) => {
                Ok(args.iter().find(|ty| ty.name().is_some()).cloned().unwrap_or(Ty::Dyn))
            }
            None => Ok(Ty::Dyn),
        },
        "-_" => Ok(args.first().cloned().unwrap_or(Ty::Dyn)),
        "_[_]" => Ok(args.first().map_or(Ty::Dyn, |list| list.items().1)),
        "_?._" | "_[?_]" => Ok(Ty::Optional),
        _ => Err(CheckError { id, text: undeclared(name) }),
    }
}
