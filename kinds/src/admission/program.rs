//! One expression of a policy: compiled or not, and how its evaluation ended.

use crate::cel::{Budget, Environment, EvalError, Program, Ty, Val};
use crate::errors::FieldError;
use std::fmt;

/// k8s: what is said where the budget of a policy is spent
const OUT_OF_BUDGET: &str =
    "validation failed due to running out of cost budget, no further validation rules will be run";

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Failed(String),
    /// Nothing more is evaluated.
    OutOfBudget,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => f.write_str(why),
            Self::OutOfBudget => f.write_str(OUT_OF_BUDGET),
        }
    }
}

#[derive(Debug)]
pub(super) struct Expression {
    source: String,
    program: Result<Program, String>,
}

impl Expression {
    /// `yields`: the types that it may have; none are all.
    pub(super) fn compile(source: &str, environment: &Environment<'_>, yields: &[Ty<'static>]) -> Self {
        let source = source.trim();
        let compiled = Program::compile(source, environment);
        let program = compiled.and_then(|program| match program.result() {
            // What is not known until it is evaluated is judged then.
            Ty::Dyn => Ok(program),
            found if yields.is_empty() || yields.contains(found) => Ok(program),
            found => Err(unexpected(yields, found)),
        });
        Self { source: source.to_owned(), program }
    }

    pub(super) fn ty(&self) -> Option<Ty<'static>> {
        self.program.as_ref().ok().map(|program| program.result().clone())
    }

    pub(super) fn program(&self) -> Result<&Program, &str> {
        self.program.as_ref().map_err(String::as_str)
    }

    /// An empty one is complained of where it is required.
    pub(super) fn error(&self, path: impl fmt::Display) -> Option<FieldError> {
        let why = self.program.as_ref().err().filter(|_| !self.source.is_empty())?;
        Some(FieldError::invalid(path, &self.source, why.as_str()))
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn evaluate<'a>(&'a self, names: &[(&'a str, Val<'a>)], budget: &mut Budget) -> Result<Val<'a>, Stop> {
        let program = self.program.as_ref().map_err(|why| Stop::Failed(format!("compilation error: {why}")))?;
        let failed = |why: &str| Stop::Failed(format!("expression '{}' resulted in error: {why}", self.source));
        program.evaluate(names, budget).map_err(|error| match error {
            EvalError::Failed(why) => failed(&why),
            EvalError::CallCost => failed("operation cancelled: actual cost limit exceeded"),
            EvalError::TotalCost => Stop::OutOfBudget,
        })
    }
}

fn unexpected(yields: &[Ty<'static>], found: &Ty<'static>) -> String {
    match yields {
        [only] => format!("must evaluate to {} but got {}", only.shown(), found.shown()),
        many => {
            let names: Vec<&str> = many.iter().map(Ty::shown).collect();
            format!("must evaluate to one of [{}] but got {}", names.join(" "), found.shown())
        }
    }
}
