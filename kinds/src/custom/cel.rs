//! CEL expressions: parsed by the `cel` crate, checked against the schema of what they read, and evaluated here over JSON
//! trees, because the rules of custom resources need what no general evaluator has: values typed by a structural schema,
//! the libraries of Kubernetes, and a bound on what an evaluation may cost.

mod calls;
mod check;
mod eval;
mod library;
mod network;
mod value;

pub(crate) use check::Ty;
pub(crate) use eval::{Budget, EvalError};
pub(crate) use value::Val;

use cel::common::ast::{IdedExpr, SourceInfo};
use cel::parser::Parser;
use std::fmt;

/// An expression longer than this is no rule that anybody wrote.
/// k8s: the parser's limit on code points
const SOURCE_MAX: usize = 100_000;

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
    /// Parses and checks. `variables` are what it may name; the error is the text that upstream gives.
    pub(crate) fn compile(source: &str, variables: &[(&str, Ty<'_>)]) -> Result<Self, String> {
        if source.len() > SOURCE_MAX {
            return Err(format!("compilation failed: the expression is longer than {SOURCE_MAX} bytes"));
        }
        let parser = Parser::default().enable_optional_syntax(true).enable_ident_escape_syntax(true);
        let parsed = parser.parse_with_source_info(source);
        let (expr, info) = parsed.map_err(|error| format!("compilation failed: {error}"))?;
        let mut checker = check::Checker::new(variables);
        let result = checker.check(&expr).map_err(|error| told(&error, &info))?;
        Ok(Self {
            source: source.to_owned(),
            result: result.kind(),
            uses_old: checker.names.iter().any(|name| name == "oldSelf"),
            expr,
        })
    }

    /// The type of what it yields, as far as it is known.
    pub(crate) fn result(&self) -> &Ty<'static> {
        &self.result
    }

    pub(crate) fn uses_old(&self) -> bool {
        self.uses_old
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
    format!(
        "compilation failed: ERROR: <input>:{}:{}: {}\n | {text}\n | {}^",
        line + 1,
        column + 1,
        error.text,
        ".".repeat(column)
    )
}

#[cfg(test)]
mod tests;
