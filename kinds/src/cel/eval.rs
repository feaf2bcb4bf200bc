//! The evaluator: one walk over the expression, with every step counted.

use super::calls;
use super::value::Val;
use cel::common::ast::{ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr};
use std::borrow::Cow;
use std::rc::Rc;

/// Steps that one expression may take.
/// k8s: PerCallLimit
pub(crate) const CALL_COST_MAX: u64 = 1_000_000;

/// Text that costs one step to read.
/// k8s: StringTraversalCostFactor
const BYTES_A_STEP: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EvalError {
    Failed(String),
    /// The expression cost more than one may.
    CallCost,
    /// All expressions of the object together cost more than they may.
    TotalCost,
}

impl EvalError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }

    pub(super) fn overload() -> Self {
        Self::new("no such overload")
    }
}

/// What is left to spend on an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) total: u64,
    call: u64,
}

impl Budget {
    pub(crate) fn new(total: u64) -> Self {
        Self { total, call: CALL_COST_MAX }
    }

    pub(super) fn spend(&mut self, steps: u64) -> Result<(), EvalError> {
        self.call = self.call.checked_sub(steps).ok_or(EvalError::CallCost)?;
        self.total = self.total.checked_sub(steps).ok_or(EvalError::TotalCost)?;
        Ok(())
    }

    /// Of reading values as a whole: texts by length, lists by items.
    pub(super) fn traverse(&mut self, value: &Val<'_>) -> Result<(), EvalError> {
        match value {
            Val::Str(text) => self.spend((text.len() / BYTES_A_STEP) as u64),
            value => self.spend(value.size().unwrap_or(0) as u64),
        }
    }
}

pub(super) fn run<'a>(
    expr: &'a IdedExpr,
    variables: &[(&'a str, Val<'a>)],
    budget: &mut Budget,
) -> Result<Val<'a>, EvalError> {
    // What composes a policy's variables is an expression of its own: the one that looks pays for its own steps.
    let outside = std::mem::replace(&mut budget.call, CALL_COST_MAX);
    let outcome = Scope { bound: variables.to_vec(), budget }.value(expr);
    budget.call = outside;
    outcome
}

pub(super) struct Scope<'a, 'b> {
    bound: Vec<(&'a str, Val<'a>)>,
    pub(super) budget: &'b mut Budget,
}

impl<'a> Scope<'a, '_> {
    pub(super) fn value(&mut self, expr: &'a IdedExpr) -> Result<Val<'a>, EvalError> {
        self.budget.spend(1)?;
        match &expr.expr {
            Expr::Literal(literal) => Ok(of_literal(literal)),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => self.select(select),
            Expr::List(list) => {
                let mut items = Vec::with_capacity(list.elements.len());
                for (at, element) in list.elements.iter().enumerate() {
                    match (self.value(element)?, list.optional_indices.contains(&at)) {
                        (Val::Optional(inner), true) => items.extend(inner.map(|inner| *inner)),
                        (value, _) => items.push(value),
                    }
                }
                Ok(Val::list(items))
            }
            Expr::Map(map) => {
                let mut entries = Vec::with_capacity(map.entries.len());
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else { return Err(EvalError::overload()) };
                    let key = self.value(&entry.key)?;
                    match (self.value(&entry.value)?, entry.optional) {
                        (Val::Optional(inner), true) => entries.extend(inner.map(|inner| (key, *inner))),
                        (value, _) => entries.push((key, value)),
                    }
                }
                Ok(Val::Map(entries.into()))
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Call(call) => calls::call(self, call),
            Expr::Struct(it) => {
                let mut fields = Vec::with_capacity(it.entries.len());
                for entry in &it.entries {
                    let EntryExpr::StructField(field) = &entry.expr else { return Err(EvalError::overload()) };
                    match (self.value(&field.value)?, field.optional) {
                        (Val::Optional(inner), true) => {
                            fields.extend(inner.map(|inner| (field.field.as_str(), *inner)));
                        }
                        (value, _) => fields.push((field.field.as_str(), value)),
                    }
                }
                Ok(Val::Patch(&it.type_name, Rc::new(fields)))
            }
            Expr::Unspecified => Err(EvalError::overload()),
        }
    }

    /// What `with` comes to while names are bound.
    pub(super) fn bind<T>(
        &mut self,
        names: &[&'a str],
        values: Vec<Val<'a>>,
        with: impl FnOnce(&mut Self) -> Result<T, EvalError>,
    ) -> Result<T, EvalError> {
        let depth = self.bound.len();
        self.bound.extend(names.iter().copied().zip(values));
        let outcome = with(self);
        self.bound.truncate(depth);
        outcome
    }

    pub(super) fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|(known, _)| *known == name)
    }

    fn variable(&self, name: &str) -> Result<Val<'a>, EvalError> {
        if let Some((_, value)) = self.bound.iter().rev().find(|(known, _)| *known == name) {
            return match value {
                Val::Failed(text) => Err(EvalError::new(text.as_ref())),
                value => Ok(value.clone()),
            };
        }
        match calls::TYPE_NAMES.iter().find(|known| **known == name) {
            Some(known) => Ok(Val::Type(known)),
            None => Err(EvalError::new(format!("undeclared reference to '{name}'"))),
        }
    }

    fn select(&mut self, select: &'a SelectExpr) -> Result<Val<'a>, EvalError> {
        let operand = self.value(&select.operand)?;
        if let Val::Composed(composed) = &operand {
            let found = composed.value(&select.field, self.budget)?;
            return Ok(if select.test { Val::Bool(true) } else { found });
        }
        let key = Val::Str(Cow::Borrowed(select.field.as_str()));
        let found = operand.get(&key)?;
        if select.test {
            return Ok(Val::Bool(match (&operand, found) {
                (Val::Optional(_), Some(Val::Optional(inner))) => inner.is_some(),
                (_, found) => found.is_some(),
            }));
        }
        found.ok_or_else(|| EvalError::new(format!("no such key: {}", select.field)))
    }

    fn comprehension(&mut self, it: &'a ComprehensionExpr) -> Result<Val<'a>, EvalError> {
        let range = self.value(&it.iter_range)?;
        let pairs = match range.items().filter(|_| it.iter_var2.is_none()) {
            Some(items) => items.into_iter().map(|item| (item, Val::Null)).collect(),
            None => range.pairs().ok_or_else(EvalError::overload)?,
        };
        let depth = self.bound.len();
        let initial = self.value(&it.accu_init)?;
        self.bound.push((&it.accu_var, initial));
        for (first, second) in pairs {
            self.bound.push((&it.iter_var, first));
            if let Some(name) = &it.iter_var2 {
                self.bound.push((name, second));
            }
            let going = self.value(&it.loop_cond)?;
            if matches!(going, Val::Bool(false)) {
                self.bound.truncate(depth + 1);
                break;
            }
            // A failure is kept like a value: a later step may overrule it (`||`).
            let step = match self.value(&it.loop_step) {
                Err(EvalError::Failed(text)) => Val::Failed(text.into()),
                step => step?,
            };
            self.bound.truncate(depth);
            self.bound.push((&it.accu_var, step));
        }
        let result = self.value(&it.result);
        self.bound.truncate(depth);
        result
    }
}

fn of_literal(literal: &LiteralValue) -> Val<'_> {
    match literal {
        LiteralValue::Boolean(flag) => Val::Bool(*flag.inner()),
        LiteralValue::Bytes(bytes) => Val::Bytes(bytes.inner().into()),
        LiteralValue::Double(number) => Val::Double(*number.inner()),
        LiteralValue::Int(number) => Val::Int(*number.inner()),
        LiteralValue::Null => Val::Null,
        LiteralValue::String(text) => Val::Str(Cow::Borrowed(text.inner())),
        LiteralValue::UInt(number) => Val::Uint(*number.inner()),
    }
}
