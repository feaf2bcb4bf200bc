//! Operators and functions by name. What is not here is refused when the expression is written.

use super::eval::{EvalError, Scope};
use super::forms;
use super::library;
use super::network;
use super::ty::Ty;
use super::value::Val;
use cel::common::ast::{CallExpr, Expr, IdedExpr, operators};

/// Names that are values: types.
pub(super) const TYPE_NAMES: &[&str] =
    &["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];

/// Whose functions are written with a name before the dot.
pub(super) const NAMESPACES: &[&str] = &["optional", "sets", "ip", "format", "strings", "jsonpatch"];

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Global,
    Member,
    /// `optional.of(x)`
    In(&'static str),
}

/// A function: its name, how it is called, the least and most arguments, and what it yields.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) style: Style,
    pub(super) args: (usize, usize),
    yields: Ty<'static>,
}

impl Function {
    /// What it yields when it is called on a value of that type: the sum or the largest of a list is like its items.
    pub(super) fn yields<'a>(&self, target: Option<&Ty<'a>>) -> Ty<'a> {
        match (self.name, target) {
            ("sum" | "min" | "max", Some(list)) => list.items().1,
            _ => self.yields.clone(),
        }
    }
}

const fn f(name: &'static str, style: Style, args: (usize, usize), yields: Ty<'static>) -> Function {
    Function { name, style, args, yields }
}

use Style::{Global as G, In, Member as M};

/// Everything that can be called, but for operators.
pub(super) const FUNCTIONS: &[Function] = &[
    f("size", G, (1, 1), Ty::Int),
    f("size", M, (0, 0), Ty::Int),
    f("int", G, (1, 1), Ty::Int),
    f("uint", G, (1, 1), Ty::Uint),
    f("double", G, (1, 1), Ty::Double),
    f("string", G, (1, 1), Ty::Text),
    f("bytes", G, (1, 1), Ty::Bytes),
    f("bool", G, (1, 1), Ty::Bool),
    f("dyn", G, (1, 1), Ty::Dyn),
    f("type", G, (1, 1), Ty::Dyn),
    f("timestamp", G, (1, 1), Ty::Timestamp),
    f("duration", G, (1, 1), Ty::Duration),
    f("matches", G, (2, 2), Ty::Bool),
    f("matches", M, (1, 1), Ty::Bool),
    f("contains", M, (1, 1), Ty::Bool),
    f("startsWith", M, (1, 1), Ty::Bool),
    f("endsWith", M, (1, 1), Ty::Bool),
    f("charAt", M, (1, 1), Ty::Text),
    f("indexOf", M, (1, 2), Ty::Int),
    f("lastIndexOf", M, (1, 2), Ty::Int),
    f("lowerAscii", M, (0, 0), Ty::Text),
    f("upperAscii", M, (0, 0), Ty::Text),
    f("replace", M, (2, 3), Ty::Text),
    f("split", M, (1, 2), Ty::Dyn),
    f("join", M, (0, 1), Ty::Text),
    f("substring", M, (1, 2), Ty::Text),
    f("trim", M, (0, 0), Ty::Text),
    f("find", M, (1, 1), Ty::Text),
    f("findAll", M, (1, 2), Ty::Dyn),
    f("isSorted", M, (0, 0), Ty::Bool),
    f("sum", M, (0, 0), Ty::Dyn),
    f("min", M, (0, 0), Ty::Dyn),
    f("max", M, (0, 0), Ty::Dyn),
    f("contains", In("sets"), (2, 2), Ty::Bool),
    f("equivalent", In("sets"), (2, 2), Ty::Bool),
    f("intersects", In("sets"), (2, 2), Ty::Bool),
    f("of", In("optional"), (1, 1), Ty::Dyn),
    f("ofNonZeroValue", In("optional"), (1, 1), Ty::Dyn),
    f("none", In("optional"), (0, 0), Ty::Dyn),
    f("hasValue", M, (0, 0), Ty::Bool),
    f("value", M, (0, 0), Ty::Dyn),
    f("orValue", M, (1, 1), Ty::Dyn),
    f("or", M, (1, 1), Ty::Dyn),
    f("getFullYear", M, (0, 0), Ty::Int),
    f("getMonth", M, (0, 0), Ty::Int),
    f("getDayOfMonth", M, (0, 0), Ty::Int),
    f("getDayOfWeek", M, (0, 0), Ty::Int),
    f("getHours", M, (0, 0), Ty::Int),
    f("getMinutes", M, (0, 0), Ty::Int),
    f("getSeconds", M, (0, 0), Ty::Int),
    f("getMilliseconds", M, (0, 0), Ty::Int),
    f("quantity", G, (1, 1), Ty::Dyn),
    f("isQuantity", G, (1, 1), Ty::Bool),
    f("isInteger", M, (0, 0), Ty::Bool),
    f("asInteger", M, (0, 0), Ty::Int),
    f("asApproximateFloat", M, (0, 0), Ty::Double),
    f("sign", M, (0, 0), Ty::Int),
    f("isLessThan", M, (1, 1), Ty::Bool),
    f("isGreaterThan", M, (1, 1), Ty::Bool),
    f("compareTo", M, (1, 1), Ty::Int),
    f("add", M, (1, 1), Ty::Dyn),
    f("sub", M, (1, 1), Ty::Dyn),
    f("format", M, (1, 1), Ty::Text),
    f("quote", In("strings"), (1, 1), Ty::Text),
    f("escapeKey", In("jsonpatch"), (1, 1), Ty::Text),
    f("semver", G, (1, 2), Ty::Dyn),
    f("isSemver", G, (1, 2), Ty::Bool),
    f("major", M, (0, 0), Ty::Int),
    f("minor", M, (0, 0), Ty::Int),
    f("patch", M, (0, 0), Ty::Int),
    f("path", M, (1, 1), Ty::Authorizer),
    f("group", M, (1, 1), Ty::Authorizer),
    f("serviceAccount", M, (2, 2), Ty::Authorizer),
    f("resource", M, (1, 1), Ty::Authorizer),
    f("subresource", M, (1, 1), Ty::Authorizer),
    f("namespace", M, (1, 1), Ty::Authorizer),
    f("name", M, (1, 1), Ty::Authorizer),
    f("fieldSelector", M, (1, 1), Ty::Authorizer),
    f("labelSelector", M, (1, 1), Ty::Authorizer),
    f("check", M, (1, 1), Ty::Authorizer),
    f("allowed", M, (0, 0), Ty::Bool),
    f("errored", M, (0, 0), Ty::Bool),
    f("error", M, (0, 0), Ty::Text),
    f("reason", M, (0, 0), Ty::Text),
    f("url", G, (1, 1), Ty::Dyn),
    f("isURL", G, (1, 1), Ty::Bool),
    f("getScheme", M, (0, 0), Ty::Text),
    f("getHost", M, (0, 0), Ty::Text),
    f("getHostname", M, (0, 0), Ty::Text),
    f("getPort", M, (0, 0), Ty::Text),
    f("getEscapedPath", M, (0, 0), Ty::Text),
    f("getQuery", M, (0, 0), Ty::Dyn),
    f("ip", G, (1, 1), Ty::Dyn),
    f("ip", M, (0, 0), Ty::Dyn),
    f("isIP", G, (1, 1), Ty::Bool),
    f("isCanonical", In("ip"), (1, 1), Ty::Bool),
    f("family", M, (0, 0), Ty::Int),
    f("isUnspecified", M, (0, 0), Ty::Bool),
    f("isLoopback", M, (0, 0), Ty::Bool),
    f("isLinkLocalMulticast", M, (0, 0), Ty::Bool),
    f("isLinkLocalUnicast", M, (0, 0), Ty::Bool),
    f("isGlobalUnicast", M, (0, 0), Ty::Bool),
    f("cidr", G, (1, 1), Ty::Dyn),
    f("isCIDR", G, (1, 1), Ty::Bool),
    f("containsIP", M, (1, 1), Ty::Bool),
    f("containsCIDR", M, (1, 1), Ty::Bool),
    f("masked", M, (0, 0), Ty::Dyn),
    f("prefixLength", M, (0, 0), Ty::Int),
    f("named", In("format"), (1, 1), Ty::Dyn),
    f("dns1123Label", In("format"), (0, 0), Ty::Dyn),
    f("dns1123Subdomain", In("format"), (0, 0), Ty::Dyn),
    f("uri", In("format"), (0, 0), Ty::Dyn),
    f("uuid", In("format"), (0, 0), Ty::Dyn),
    f("byte", In("format"), (0, 0), Ty::Dyn),
    f("date", In("format"), (0, 0), Ty::Dyn),
    f("datetime", In("format"), (0, 0), Ty::Dyn),
    f("validate", M, (1, 1), Ty::Dyn),
];

/// The function that a call names.
pub(super) fn lookup(name: &str, style: Style, args: usize) -> Option<&'static Function> {
    let fits = |function: &&Function| {
        function.name == name && function.style == style && (function.args.0..=function.args.1).contains(&args)
    };
    FUNCTIONS.iter().find(fits)
}

/// The namespace that the target of a call is, if it is no variable.
pub(super) fn namespace(target: &IdedExpr, is_bound: impl Fn(&str) -> bool) -> Option<&'static str> {
    let Expr::Ident(name) = &target.expr else { return None };
    NAMESPACES.iter().find(|known| *known == name && !is_bound(name)).copied()
}

pub(super) fn call<'a>(scope: &mut Scope<'a, '_>, call: &'a CallExpr) -> Result<Val<'a>, EvalError> {
    if let Some(result) = logic(scope, call) {
        return result;
    }
    if let Some((target, form)) = forms::of(call) {
        return forms::evaluate(scope, target, &form);
    }
    let space = call.target.as_deref().and_then(|target| namespace(target, |name| scope.is_bound(name)));
    let mut values = Vec::with_capacity(call.args.len() + 1);
    if let (Some(target), None) = (call.target.as_deref(), space) {
        values.push(scope.value(target)?);
    }
    for arg in &call.args {
        values.push(scope.value(arg)?);
    }
    for value in &values {
        scope.budget.traverse(value)?;
    }
    let name = call.func_name.as_str();
    if let Some(result) = library::operator(name, &values) {
        return result;
    }
    let result = match (space, call.target.is_some()) {
        (Some(space), _) => {
            library::namespaced(space, name, &values).or_else(|| network::namespaced(space, name, &values))
        }
        (None, true) => match values.as_slice() {
            [Val::Authorizer(step), args @ ..] => step.member(name, args, scope.budget),
            _ => library::member(name, &values, scope.budget).or_else(|| network::member(name, &values)),
        },
        (None, false) => library::global(name, &values).or_else(|| network::global(name, &values)),
    };
    result.unwrap_or_else(|| Err(EvalError::overload()))
}

/// Operators that do not look at all of their operands.
fn logic<'a>(scope: &mut Scope<'a, '_>, call: &'a CallExpr) -> Option<Result<Val<'a>, EvalError>> {
    let [first, rest @ ..] = call.args.as_slice() else { return None };
    Some(match (call.func_name.as_str(), rest) {
        (operators::CONDITIONAL, [yes, no]) => match scope.value(first) {
            Ok(Val::Bool(true)) => scope.value(yes),
            Ok(Val::Bool(false)) => scope.value(no),
            Ok(_) => Err(EvalError::overload()),
            Err(error) => Err(error),
        },
        (operators::LOGICAL_AND, rest) => junction(scope, first, rest, false),
        (operators::LOGICAL_OR, rest) => junction(scope, first, rest, true),
        ("@not_strictly_false" | "__not_strictly_false__", []) => match scope.value(first) {
            Ok(Val::Bool(flag)) => Ok(Val::Bool(flag)),
            Err(cost @ (EvalError::CallCost | EvalError::TotalCost)) => Err(cost),
            Ok(_) | Err(EvalError::Failed(_)) => Ok(Val::Bool(true)),
        },
        _ => return None,
    })
}

/// `&&` and `||`: an operand that decides overrules an error of another.
fn junction<'a>(
    scope: &mut Scope<'a, '_>,
    first: &'a IdedExpr,
    rest: &'a [IdedExpr],
    decisive: bool,
) -> Result<Val<'a>, EvalError> {
    decided(std::iter::once(first).chain(rest).map(|operand| scope.value(operand)), decisive)
}

/// Whether one of the values, which are looked at as long as that is open, is `decisive`. One that is overrules the error
/// of another; running out of budget overrules everything.
pub(super) fn decided<'a>(
    values: impl Iterator<Item = Result<Val<'a>, EvalError>>,
    decisive: bool,
) -> Result<Val<'a>, EvalError> {
    let mut failed = None;
    for value in values {
        match value {
            Ok(Val::Bool(flag)) if flag == decisive => return Ok(Val::Bool(decisive)),
            Ok(Val::Bool(_)) => {}
            Ok(_) => failed = failed.or_else(|| Some(EvalError::overload())),
            Err(cost @ (EvalError::CallCost | EvalError::TotalCost)) => return Err(cost),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(Val::Bool(!decisive)), Err)
}
