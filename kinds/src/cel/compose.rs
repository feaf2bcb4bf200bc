//! `variables`: expressions that others look at by name, each evaluated when somebody first looks, and once.
//! k8s: `plugin/cel/composition.go`

use super::eval::{Budget, EvalError};
use super::value::Val;
use super::{Program, eval};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

/// The name under which expressions see it.
const NAME: &str = "variables";

/// By name; the text of what is wrong, where it is no program.
pub(crate) type Programs<'a> = Vec<(&'a str, Result<&'a Program, &'a str>)>;

pub(crate) struct Composed<'a> {
    programs: Programs<'a>,
    names: Vec<(&'a str, Val<'a>)>,
    known: RefCell<HashMap<usize, Result<Val<'a>, EvalError>>>,
}

impl fmt::Debug for Composed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)
    }
}

impl<'a> Composed<'a> {
    /// `names` is what the expressions may name beside each other.
    pub(crate) fn new(programs: Programs<'a>, names: Vec<(&'a str, Val<'a>)>) -> Rc<Self> {
        Rc::new(Self { programs, names, known: RefCell::default() })
    }

    /// All names, this one among them.
    pub(crate) fn names(self: &Rc<Self>) -> Vec<(&'a str, Val<'a>)> {
        let mut names = self.names.clone();
        names.push((NAME, Val::Composed(Rc::clone(self))));
        names
    }

    pub(super) fn value(self: &Rc<Self>, name: &str, budget: &mut Budget) -> Result<Val<'a>, EvalError> {
        let place = self.programs.iter().position(|(known, _)| *known == name);
        let place = place.ok_or_else(|| EvalError::new(format!("no such key: {name}")))?;
        if let Some(known) = self.known.borrow().get(&place) {
            return known.clone();
        }
        let found = match self.programs[place].1 {
            Ok(program) => eval::run(&program.expr, &self.names(), budget),
            Err(why) => Err(EvalError::new(why)),
        };
        let found = found.map_err(|error| match error {
            EvalError::Failed(why) => EvalError::new(format!("composited variable {name:?} fails to evaluate: {why}")),
            cost => cost,
        });
        self.known.borrow_mut().insert(place, found.clone());
        found
    }
}
