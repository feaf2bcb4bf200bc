//! What an expression may cost at most, before it runs: by the sizes that the schema of its input allows. A bound that is
//! missing counts as what fits into a request.
//! k8s: cel-go's `checker/cost.go`, and the estimates of `apiserver/pkg/cel/library/cost.go`; definitions that upstream
//! refuses must be refused here, and others not, so this follows their arithmetic where it is odd, too.

mod functions;
mod sizes;

pub(crate) use sizes::{Decl, Root};
use sizes::{Size, by_factor};

use super::calls::{self, Style};
use super::check::operator;
use super::forms::{self, Form};
use super::ty::Ty;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr};

/// k8s: StringTraversalCostFactor
const TEXT_FACTOR: f64 = 0.1;
const LIST_COST: u64 = 10;
const MAP_COST: u64 = 30;
const STRUCT_COST: u64 = 40;

/// Which part of the input a value is, for its declared size.
#[derive(Clone, Copy, Debug)]
enum Place<'d> {
    /// Not a part of it.
    Nowhere,
    At(&'d Decl),
    /// A part of which nothing is declared.
    Undeclared,
}

impl<'d> Place<'d> {
    /// A part of this one. Parts of what is no part of the input are looked for in it all the same.
    fn step(self, root: &'d Decl, part: impl Fn(&'d Decl) -> Option<&'d Decl>) -> Self {
        match self {
            Self::Nowhere => Self::At(root),
            Self::At(decl) => part(decl).map_or(Self::Undeclared, Self::At),
            Self::Undeclared => Self::Undeclared,
        }
    }

    fn size(self) -> Option<Size> {
        match self {
            Self::At(decl) => Some(Size { min: 0, max: decl.most }),
            Self::Nowhere | Self::Undeclared => None,
        }
    }
}

/// Sizes of what is in a list or map of the expression's own.
#[derive(Clone, Copy, Debug)]
struct Entry {
    is_list: bool,
    key: Size,
    value: Size,
}

impl Entry {
    fn union(self, other: Self) -> Self {
        Self { is_list: self.is_list, key: self.key.union(other.key), value: self.value.union(other.value) }
    }
}

/// What is known of a part of an expression.
#[derive(Clone, Debug)]
struct Estimate<'a, 'd> {
    cost: u64,
    ty: Ty<'a>,
    place: Place<'d>,
    size: Option<Size>,
    entry: Option<Entry>,
}

impl<'a, 'd> Estimate<'a, 'd> {
    fn new(cost: u64, ty: Ty<'a>, place: Place<'d>, size: Option<Size>) -> Self {
        let size = size.or_else(|| place.size()).or_else(|| is_scalar(&ty).then_some(Size::ONE));
        Self { cost, ty, place, size, entry: None }
    }

    fn size(&self) -> Size {
        self.size.unwrap_or(Size::UNKNOWN)
    }

    /// Of reading it as a text.
    fn text_cost(&self) -> u64 {
        by_factor(self.size().max, TEXT_FACTOR)
    }

    fn is_list(&self) -> bool {
        self.entry.map_or_else(|| self.ty.is_list(), |entry| entry.is_list)
    }
}

fn is_scalar(ty: &Ty<'_>) -> bool {
    matches!(ty, Ty::Bool | Ty::Double | Ty::Duration | Ty::Int | Ty::Timestamp | Ty::Uint)
}

/// The most that an expression costs whose variables are `variables`, all of them shaped like `root`.
pub(super) fn estimate<'a>(expr: &IdedExpr, variables: &[(String, Ty<'a>)], root: &Decl) -> u64 {
    let bind = |(name, ty): &(String, Ty<'a>)| (name.clone(), Estimate::new(0, ty.clone(), Place::At(root), None));
    Estimator { root, bound: variables.iter().map(bind).collect() }.of(expr).cost
}

struct Estimator<'a, 'd> {
    root: &'d Decl,
    bound: Vec<(String, Estimate<'a, 'd>)>,
}

impl<'a, 'd> Estimator<'a, 'd> {
    fn of(&mut self, expr: &IdedExpr) -> Estimate<'a, 'd> {
        match &expr.expr {
            Expr::Literal(literal) => of_literal(literal),
            Expr::Ident(name) => match self.bound.iter().rev().find(|(known, _)| known == name) {
                Some((_, held)) => Estimate { cost: 1, ..held.clone() },
                None => Estimate::new(1, Ty::Dyn, Place::At(self.root), None),
            },
            Expr::Select(select) => self.select(select),
            Expr::List(list) => {
                let items: Vec<_> = list.elements.iter().map(|item| self.of(item)).collect();
                let value = items.iter().map(Estimate::size).reduce(Size::union).unwrap_or(Size::ZERO);
                let entry = Entry { is_list: true, key: Size::ONE, value };
                made(sum(&items).saturating_add(LIST_COST), items.len(), Some(entry))
            }
            Expr::Map(map) => {
                let entries = map.entries.iter().filter_map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) => Some((self.of(&entry.key), self.of(&entry.value))),
                    EntryExpr::StructField(_) => None,
                });
                let (keys, values): (Vec<_>, Vec<_>) = entries.unzip();
                let size =
                    |all: &[Estimate<'_, '_>]| all.iter().map(Estimate::size).reduce(Size::union).unwrap_or(Size::ZERO);
                let entry = Entry { is_list: false, key: size(&keys), value: size(&values) };
                let cost = sum(&keys).saturating_add(sum(&values)).saturating_add(MAP_COST);
                made(cost, keys.len(), Some(entry))
            }
            Expr::Struct(it) => {
                let fields = it.entries.iter().filter_map(|entry| match &entry.expr {
                    EntryExpr::StructField(field) => Some(self.of(&field.value)),
                    EntryExpr::MapEntry(_) => None,
                });
                let fields: Vec<_> = fields.collect();
                made(sum(&fields).saturating_add(STRUCT_COST), fields.len(), None)
            }
            Expr::Call(call) => self.call(call, expr.id),
            Expr::Comprehension(it) => self.comprehension(it),
            Expr::Unspecified => Estimate::new(0, Ty::Dyn, Place::Nowhere, None),
        }
    }

    fn select(&mut self, select: &SelectExpr) -> Estimate<'a, 'd> {
        let operand = self.of(&select.operand);
        if select.test {
            return Estimate::new(operand.cost, Ty::Bool, Place::Nowhere, None);
        }
        let has_fields = matches!(operand.ty, Ty::Tree(_) | Ty::Metadata | Ty::Known(_) | Ty::Made);
        let ty = operand.ty.field(&select.field).ok().flatten().unwrap_or(Ty::Dyn);
        let place = operand.place.step(self.root, |decl| decl.field(&select.field));
        Estimate::new(operand.cost.saturating_add(u64::from(has_fields)), ty, place, None)
    }

    fn call(&mut self, call: &CallExpr, id: u64) -> Estimate<'a, 'd> {
        if let Some((target, form)) = forms::of(call) {
            return self.form(target, &form);
        }
        let is_bound = |name: &str| self.bound.iter().any(|(known, _)| known == name);
        let space = call.target.as_deref().and_then(|target| calls::namespace(target, is_bound));
        let target = call.target.as_deref().filter(|_| space.is_none()).map(|target| self.of(target));
        let args: Vec<_> = call.args.iter().map(|arg| self.of(arg)).collect();
        let before = sum(&args).saturating_add(target.as_ref().map_or(0, |target| target.cost));
        let name = call.func_name.as_str();
        if name.starts_with(['_', '!', '-', '@']) {
            return self.operator(name, &args, id);
        }
        if let ("dyn", [arg]) = (name, args.as_slice()) {
            return Estimate { cost: before.saturating_add(1), ty: Ty::Dyn, place: Place::Nowhere, ..arg.clone() };
        }
        let style = match (space, &target) {
            (Some(space), _) => Style::In(space),
            (None, Some(_)) => Style::Member,
            (None, None) => Style::Global,
        };
        let ty = calls::lookup(name, style, args.len())
            .map_or(Ty::Dyn, |function| function.yields(target.as_ref().map(|target| &target.ty)));
        let (cost, size) = functions::estimate(name, style, target.as_ref(), &args);
        Estimate::new(before.saturating_add(cost), ty, Place::Nowhere, size)
    }

    fn operator(&self, name: &str, args: &[Estimate<'a, 'd>], id: u64) -> Estimate<'a, 'd> {
        let types: Vec<Ty<'a>> = args.iter().map(|arg| arg.ty.clone()).collect();
        let ty = operator(name, &types, id).unwrap_or(Ty::Dyn);
        let plain = |cost: u64| Estimate::new(sum(args).saturating_add(cost), ty.clone(), Place::Nowhere, None);
        match (name, args) {
            ("_&&_" | "_||_", _) => plain(0),
            ("_?_:_", [condition, yes, no]) => {
                let cost = condition.cost.saturating_add(yes.cost.max(no.cost));
                let entry = yes.entry.zip(no.entry).map(|(yes, no)| yes.union(no));
                let size = Some(yes.size().union(no.size()));
                Estimate { entry, ..Estimate::new(cost, ty, Place::Nowhere, size) }
            }
            ("_==_" | "_!=_", [a, b]) => plain(compared(a, b)),
            ("_<_" | "_<=_" | "_>_" | "_>=_", [a, b]) => plain(match (&a.ty, &b.ty) {
                (Ty::Text | Ty::Bytes, _) | (_, Ty::Text | Ty::Bytes) => compared(a, b),
                (Ty::Dyn, Ty::Dyn) => compared(a, b).max(1),
                _ => 1,
            }),
            ("@in" | "_in_", [_, list]) if list.is_list() => plain(list.size().max),
            ("@in" | "_in_", [_, list]) => plain(if list.ty == Ty::Dyn { list.size().max.max(1) } else { 1 }),
            ("_+_", [a, b]) => added(a, b, ty),
            ("_[_]", [container, _]) => {
                let place = if container.is_list() {
                    container.place.step(self.root, Decl::items)
                } else {
                    container.place.step(self.root, Decl::values)
                };
                let size = container.entry.map(|entry| entry.value);
                Estimate::new(sum(args).saturating_add(1), ty, place, size)
            }
            _ => plain(1),
        }
    }

    fn comprehension(&mut self, it: &ComprehensionExpr) -> Estimate<'a, 'd> {
        let (range, first) = (self.of(&it.iter_range), self.of(&it.accu_init));
        let depth = self.bound.len();
        self.bound.push((it.accu_var.clone(), first.clone()));
        let (key, value) = self.items(&range);
        match &it.iter_var2 {
            Some(second) => self.bound.extend([(it.iter_var.clone(), key), (second.clone(), value)]),
            None => self.bound.push((it.iter_var.clone(), if range.is_list() { value } else { key })),
        }
        let (going, step) = (self.of(&it.loop_cond), self.of(&it.loop_step));
        self.bound.truncate(depth + 1);
        let result = self.of(&it.result);
        self.bound.truncate(depth);
        let rounds = range.size().max.saturating_mul(step.cost.saturating_add(going.cost));
        let cost = [range.cost, first.cost, result.cost, rounds].into_iter().fold(0, u64::saturating_add);
        let is_made = matches!(it.accu_init.expr, Expr::List(_) | Expr::Map(_));
        let size = if is_made { Some(range.size()) } else { first.size };
        let entry = step.entry.filter(|_| is_made);
        Estimate { entry, ..Estimate::new(cost, result.ty, Place::Nowhere, size) }
    }

    /// Keys, or indices, and values of what a loop goes over.
    fn items(&self, range: &Estimate<'a, 'd>) -> (Estimate<'a, 'd>, Estimate<'a, 'd>) {
        let (key, value) = range.ty.items();
        let (keys, values) = if range.is_list() {
            (range.place.step(self.root, |_| None), range.place.step(self.root, Decl::items))
        } else {
            (range.place.step(self.root, Decl::keys), range.place.step(self.root, Decl::values))
        };
        // What the schema declares comes before what the expression says.
        let held = |ty, place: Place<'d>, size| Estimate::new(0, ty, place, place.size().or(size));
        let entry = range.entry;
        (held(key, keys, entry.map(|entry| entry.key)), held(value, values, entry.map(|entry| entry.value)))
    }

    /// The calls that bind names count like the loops and conditions that upstream's parser makes of them.
    fn form(&mut self, target: &IdedExpr, form: &Form<'_>) -> Estimate<'a, 'd> {
        let range = self.of(target);
        let depth = self.bound.len();
        let (key, value) = self.items(&range);
        let unknown = Estimate::new(0, Ty::Dyn, Place::Nowhere, None);
        let held = match form.names.len() {
            1 if form.is_binding() => vec![range.clone()],
            1 => vec![unknown],
            _ => vec![key, value],
        };
        self.bound.extend(form.names.iter().map(|name| (*name).to_owned()).zip(held));
        let mut bodies: Vec<_> = form.bodies.iter().map(|body| self.of(body)).collect();
        self.bound.truncate(depth);
        let body = sum(&bodies);
        if let (true, Some(last)) = (form.is_binding(), bodies.pop()) {
            // k8s: a comprehension over nothing, whose accumulator is the value
            return Estimate { cost: range.cost.saturating_add(body).saturating_add(LIST_COST + 1), ..last };
        }
        let (cost, size) = if form.names.len() == 1 {
            // `target.hasValue() ? optional.of(bind(target.value())) : optional.none()`
            let cost = range.cost.saturating_mul(2).saturating_add(LIST_COST + 3);
            (cost.saturating_add(body), None)
        } else {
            let is_made = form.yields() == Ty::Made;
            let round = body.saturating_add(if is_made { LIST_COST + 3 } else { 3 });
            let cost = range.cost.saturating_add(range.size().max.saturating_mul(round)).saturating_add(1);
            (cost, is_made.then(|| range.size()))
        };
        Estimate::new(cost, form.yields(), Place::Nowhere, size)
    }
}

fn sum(parts: &[Estimate<'_, '_>]) -> u64 {
    parts.iter().fold(0, |sum, part| sum.saturating_add(part.cost))
}

/// Of an equality or an order: as far as the shorter side reaches.
fn compared(a: &Estimate<'_, '_>, b: &Estimate<'_, '_>) -> u64 {
    by_factor(a.size().max.min(b.size().max), TEXT_FACTOR)
}

fn added<'a, 'd>(a: &Estimate<'a, 'd>, b: &Estimate<'a, 'd>, ty: Ty<'a>) -> Estimate<'a, 'd> {
    let (before, size) = (a.cost.saturating_add(b.cost), a.size().plus(b.size()));
    let of_texts = by_factor(size.max, TEXT_FACTOR);
    let is_list = |part: &Estimate<'_, '_>| part.is_list() || part.ty == Ty::Made;
    let (cost, size) = match (&a.ty, &b.ty) {
        (Ty::Text | Ty::Bytes, _) | (_, Ty::Text | Ty::Bytes) => (of_texts, Some(size)),
        _ if is_list(a) || is_list(b) => (1, Some(size)),
        (Ty::Dyn, Ty::Dyn) => (of_texts.max(1), Some(size)),
        _ => (1, None),
    };
    let entry = a.entry.zip(b.entry).map(|(a, b)| a.union(b));
    Estimate { entry, ..Estimate::new(before.saturating_add(cost), ty, Place::Nowhere, size) }
}

fn made<'a, 'd>(cost: u64, items: usize, entry: Option<Entry>) -> Estimate<'a, 'd> {
    let size = Some(Size::exactly(items as u64));
    Estimate { entry, ..Estimate::new(cost, Ty::Made, Place::Nowhere, size) }
}

fn of_literal<'a, 'd>(literal: &LiteralValue) -> Estimate<'a, 'd> {
    let (ty, size) = match literal {
        LiteralValue::Boolean(_) => (Ty::Bool, 1),
        LiteralValue::Bytes(bytes) => (Ty::Bytes, bytes.inner().len()),
        LiteralValue::Double(_) => (Ty::Double, 1),
        LiteralValue::Int(_) => (Ty::Int, 1),
        LiteralValue::Null => (Ty::Null, 1),
        LiteralValue::String(text) => (Ty::Text, text.inner().chars().count()),
        LiteralValue::UInt(_) => (Ty::Uint, 1),
    };
    Estimate::new(0, ty, Place::Nowhere, Some(Size::exactly(size as u64)))
}

#[cfg(test)]
mod tests;
