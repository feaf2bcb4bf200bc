//! CEL expressions: parsed by the `cel` crate, checked against the schema of what they read, and evaluated here over JSON
//! trees, because rules of custom resources and admission policies need what no general evaluator has: values typed by a
//! schema, the libraries of Kubernetes, and a bound on what an evaluation may cost.

mod authorizer;
mod calls;
mod check;
mod compose;
mod cost;
mod eval;
mod format;
mod forms;
mod library;
mod network;
mod selects;
mod semver;
mod ty;
mod value;

pub(crate) use authorizer::Step;
pub use authorizer::{Asked, Authorize, Verdict};
pub(crate) use compose::Composed;
pub(crate) use cost::{Decl, Root};
pub(crate) use eval::{Budget, EvalError};
pub(crate) use ty::Ty;
pub(crate) use value::Val;

use cel::common::ast::{IdedExpr, SourceInfo};
use cel::parser::Parser;
use std::fmt;

/// An expression longer than this is no rule that anybody wrote.
/// k8s: the parser's limit on code points
const SOURCE_MAX: usize = 100_000;

/// What an expression may name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment<'a> {
    pub(crate) names: Vec<(String, Ty<'a>)>,
    /// Fields of `variables`, where that is one of the names.
    pub(crate) variables: Vec<(String, Ty<'a>)>,
    /// Whether it may make patches.
    pub(crate) patches: bool,
    /// Whether it may use `cel.bind`.
    pub(crate) binds: bool,
}

impl<'a> Environment<'a> {
    pub(crate) fn new<'n>(names: impl IntoIterator<Item = (&'n str, Ty<'a>)>) -> Self {
        let names = names.into_iter().map(|(name, ty)| (name.to_owned(), ty)).collect();
        Self { names, ..Self::default() }
    }
}

/// The type of what an expression yields; the error is the text that upstream gives.
pub(crate) fn check<'a>(source: &str, environment: &Environment<'a>) -> Result<Ty<'a>, String> {
    let (expr, info) = parse(source)?;
    check::Checker::new(environment).check(&expr).map_err(|error| told(&error, &info))
}

fn parse(source: &str) -> Result<(IdedExpr, SourceInfo), String> {
    if source.len() > SOURCE_MAX {
        return Err(format!("the expression is longer than {SOURCE_MAX} bytes"));
    }
    let parser = Parser::default().enable_optional_syntax(true).enable_ident_escape_syntax(true);
    parser.parse_with_source_info(source).map_err(|error| error.to_string())
}

/// A checked expression.
pub(crate) struct Program {
    source: String,
    expr: IdedExpr,
    result: Ty<'static>,
    uses_old: bool,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl Program {
    /// Parses and checks. The error is the text that upstream gives.
    pub(crate) fn compile(source: &str, environment: &Environment<'_>) -> Result<Self, String> {
        let failed = |why: String| format!("compilation failed: {why}");
        let (expr, info) = parse(source).map_err(failed)?;
        let mut checker = check::Checker::new(environment);
        let result = checker.check(&expr).map_err(|error| failed(told(&error, &info)))?;
        Ok(Self {
            source: source.to_owned(),
            result: result.kind(),
            uses_old: checker.names.iter().any(|name| name == "oldSelf"),
            expr,
        })
    }

    /// What it costs at most, where its variables are values of the schema that `root` was made of. The unit is a step.
    pub(crate) fn cost_max(&self, environment: &Environment<'_>, root: &Decl) -> u64 {
        cost::estimate(&self.expr, &environment.names, root)
    }

    /// The type of what it yields, as far as it is known.
    pub(crate) fn result(&self) -> &Ty<'static> {
        &self.result
    }

    pub(crate) fn uses_old(&self) -> bool {
        self.uses_old
    }

    /// Whether it looks at that field of the variable, wherever in it.
    pub(crate) fn selects(&self, variable: &str, field: &str) -> bool {
        selects::selects(&self.expr, variable, field)
    }

    pub(crate) fn evaluate<'a>(
        &'a self,
        variables: &[(&'a str, Val<'a>)],
        budget: &mut Budget,
    ) -> Result<Val<'a>, EvalError> {
        eval::run(&self.expr, variables, budget)
    }
}

/// As cel-go prints an error: where, what, and the line.
fn told(error: &check::CheckError, info: &SourceInfo) -> String {
    let start = info.offset_for(error.id).map_or(0, |(start, _)| start as usize);
    let before = info.source.get(..start).unwrap_or("");
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or("").chars().count();
    let text = info.snippet(line as isize).unwrap_or("");
    format!("ERROR: <input>:{}:{}: {}\n | {text}\n | {}^", line + 1, column + 1, error.text, ".".repeat(column))
}

#[cfg(test)]
mod tests;
