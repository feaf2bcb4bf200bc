//! Calls that bind names: `optMap` and its kin, `cel.bind`, and the comprehensions over pairs. The parser knows the others
//! as macros.
//! k8s: cel-go's OptionalTypes, ext.Bindings and ext.TwoVarComprehensions

use super::calls::decided;
use super::eval::{EvalError, Scope};
use super::ty::Ty;
use super::value::Val;
use cel::common::ast::{CallExpr, Expr, IdedExpr};
use std::rc::Rc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `cel.bind(name, value, body)`
    Bind,
    OptMap,
    OptFlatMap,
    All,
    Exists,
    ExistsOne,
    List,
    Map,
}

pub(super) struct Form<'a> {
    kind: Kind,
    pub(super) names: Vec<&'a str>,
    /// What is evaluated with the names bound; of two the first says which ones count.
    pub(super) bodies: &'a [IdedExpr],
}

impl Form<'_> {
    /// It gives a value a name, and yields what its body yields.
    pub(super) fn is_binding(&self) -> bool {
        self.kind == Kind::Bind
    }

    pub(super) fn yields(&self) -> Ty<'static> {
        match self.kind {
            Kind::Bind => Ty::Dyn,
            Kind::OptMap | Kind::OptFlatMap => Ty::Optional,
            Kind::All | Kind::Exists | Kind::ExistsOne => Ty::Bool,
            Kind::List | Kind::Map => Ty::Made,
        }
    }
}

/// The form that a call is, and what it is called on.
pub(super) fn of(call: &CallExpr) -> Option<(&IdedExpr, Form<'_>)> {
    let target = call.target.as_deref()?;
    if let (Expr::Ident(space), "bind", [IdedExpr { expr: Expr::Ident(name), .. }, value, _]) =
        (&target.expr, call.func_name.as_str(), call.args.as_slice())
        && space == "cel"
    {
        return Some((value, Form { kind: Kind::Bind, names: vec![name.as_str()], bodies: &call.args[2..] }));
    }
    let (kind, names, bodies) = match (call.func_name.as_str(), call.args.len()) {
        ("optMap", 2) => (Kind::OptMap, 1, 1),
        ("optFlatMap", 2) => (Kind::OptFlatMap, 1, 1),
        ("all", 3) => (Kind::All, 2, 1),
        ("exists", 3) => (Kind::Exists, 2, 1),
        ("existsOne" | "exists_one", 3) => (Kind::ExistsOne, 2, 1),
        ("transformList", n @ (3 | 4)) => (Kind::List, 2, n - 2),
        ("transformMap", n @ (3 | 4)) => (Kind::Map, 2, n - 2),
        _ => return None,
    };
    let (bound, rest) = call.args.split_at(names);
    let name = |expr| match expr {
        &IdedExpr { expr: Expr::Ident(ref name), .. } => Some(name.as_str()),
        _ => None,
    };
    let given = bound.iter().map(name).collect::<Option<Vec<&str>>>()?;
    debug_assert_eq!(rest.len(), bodies);
    Some((target, Form { kind, names: given, bodies: rest }))
}

pub(super) fn evaluate<'a>(
    scope: &mut Scope<'a, '_>,
    target: &'a IdedExpr,
    form: &Form<'a>,
) -> Result<Val<'a>, EvalError> {
    let range = scope.value(target)?;
    match form.kind {
        Kind::Bind => scope.bind(&form.names, vec![range], |scope| scope.value(&form.bodies[0])),
        Kind::OptMap | Kind::OptFlatMap => {
            let Val::Optional(inner) = range else { return Err(EvalError::overload()) };
            let Some(inner) = inner else { return Ok(Val::Optional(None)) };
            let mapped = scope.bind(&form.names, vec![*inner], |scope| scope.value(&form.bodies[0]))?;
            match (form.kind, mapped) {
                (Kind::OptFlatMap, mapped @ Val::Optional(_)) => Ok(mapped),
                (Kind::OptFlatMap, _) => Err(EvalError::overload()),
                (_, mapped) => Ok(Val::some(mapped)),
            }
        }
        Kind::All => quantified(scope, &range, form, false),
        Kind::Exists => quantified(scope, &range, form, true),
        Kind::ExistsOne => {
            let mut found = 0;
            for (key, value) in range.pairs().ok_or_else(EvalError::overload)? {
                let holds = scope.bind(&form.names, vec![key, value], |scope| scope.value(&form.bodies[0]))?;
                found += u32::from(matches!(holds, Val::Bool(true)));
            }
            Ok(Val::Bool(found == 1))
        }
        Kind::List | Kind::Map => transformed(scope, &range, form),
    }
}

/// `all` ends at what is false, `exists` at what is true; an item that decides overrules the error of another.
fn quantified<'a>(
    scope: &mut Scope<'a, '_>,
    range: &Val<'a>,
    form: &Form<'a>,
    decisive: bool,
) -> Result<Val<'a>, EvalError> {
    let items = range.pairs().ok_or_else(EvalError::overload)?.into_iter();
    let holds =
        items.map(|(key, value)| scope.bind(&form.names, vec![key, value], |scope| scope.value(&form.bodies[0])));
    decided(holds, decisive)
}

fn transformed<'a>(scope: &mut Scope<'a, '_>, range: &Val<'a>, form: &Form<'a>) -> Result<Val<'a>, EvalError> {
    let mut made = Vec::new();
    for (key, value) in range.pairs().ok_or_else(EvalError::overload)? {
        let item = scope.bind(&form.names, vec![key.clone(), value], |scope| {
            let (last, conditions) = form.bodies.split_last().ok_or_else(EvalError::overload)?;
            for condition in conditions {
                if !matches!(scope.value(condition)?, Val::Bool(true)) {
                    return Ok(None);
                }
            }
            scope.value(last).map(Some)
        })?;
        made.extend(item.map(|item| (key, item)));
    }
    Ok(match form.kind {
        Kind::Map => Val::Map(Rc::new(made)),
        _ => Val::list(made.into_iter().map(|(_, item)| item).collect()),
    })
}
