//! The library of authorization: a question is built step by step, and asked of whoever can answer it.
//! k8s: `apiserver/pkg/cel/library/authz.go`

use super::eval::{Budget, EvalError};
use super::library::Answer;
use super::value::Val;
use crate::validate::format;
use std::fmt;
use std::rc::Rc;

/// Steps that asking takes: it may cost a round trip. k8s: AuthorizationCheckCost
const CHECK_COST: u64 = 350_000;

/// A question of the caller's permissions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Namespace and name of the service account that is asked about; `None`: whoever makes the request.
    pub account: Option<(String, String)>,
    /// Of a non-resource request.
    pub path: Option<String>,
    pub group: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
    pub field_selector: String,
    pub label_selector: String,
    pub verb: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub allowed: bool,
    pub reason: String,
    /// Why somebody could not be asked.
    pub error: Option<String>,
}

/// Answers questions; the answer to one question does not change while a request is judged.
pub trait Authorize {
    /// `None`: somebody has to be asked first. What is evaluated then is worth nothing, and evaluated again with the answer.
    fn authorize(&self, asked: &Asked) -> Option<Verdict>;
}

#[derive(Clone, Debug)]
enum Stage {
    Authorizer,
    Path,
    Group,
    Resource,
    Decision(Verdict),
}

/// How far a question has come.
#[derive(Clone)]
pub(crate) struct Step<'a> {
    authorizer: &'a dyn Authorize,
    /// What `requestResource` asks about.
    request: Rc<Asked>,
    asked: Asked,
    stage: Stage,
}

impl fmt::Debug for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.stage, self.asked)
    }
}

impl<'a> Step<'a> {
    pub(crate) fn first(authorizer: &'a dyn Authorize, request: Asked) -> Self {
        Self { authorizer, request: Rc::new(request), asked: Asked::default(), stage: Stage::Authorizer }
    }

    pub(super) fn field(&self, name: &str) -> Option<Self> {
        let is_known = matches!(self.stage, Stage::Authorizer) && name == "requestResource";
        is_known.then(|| Self { asked: self.request.as_ref().clone(), stage: Stage::Resource, ..self.clone() })
    }

    pub(super) fn member<'v>(&self, name: &str, args: &[Val<'v>], budget: &mut Budget) -> Answer<'v>
    where
        'a: 'v,
    {
        let text = |at: usize| args.get(at).and_then(Val::as_str).map(str::to_owned).unwrap_or_default();
        if !args.iter().all(|arg| arg.as_str().is_some()) {
            return Some(Err(EvalError::overload()));
        }
        if let Stage::Decision(verdict) = &self.stage {
            return Some(Ok(match name {
                "allowed" => Val::Bool(verdict.allowed),
                "reason" => Val::text(verdict.reason.as_str()),
                "errored" => Val::Bool(verdict.error.is_some()),
                "error" => Val::text(verdict.error.clone().unwrap_or_default()),
                _ => return None,
            }));
        }
        let mut next = self.clone();
        let needed = |what: &str| {
            if text(0).trim().is_empty() { Err(EvalError::new(format!("{what} must not be empty"))) } else { Ok(()) }
        };
        let set = match (&self.stage, name) {
            (Stage::Authorizer, "path") => {
                next.asked.path = Some(text(0));
                next.stage = Stage::Path;
                needed("path")
            }
            (Stage::Authorizer, "group") => {
                next.asked.group = text(0);
                next.stage = Stage::Group;
                Ok(())
            }
            (Stage::Authorizer, "serviceAccount") => {
                next.asked.account = Some((text(0), text(1)));
                account(&text(0), &text(1))
            }
            (Stage::Group, "resource") => {
                next.asked.resource = text(0);
                next.stage = Stage::Resource;
                needed("resource")
            }
            (Stage::Resource, "subresource" | "namespace" | "name" | "fieldSelector" | "labelSelector") => {
                next.asked.narrow(name, text(0));
                Ok(())
            }
            (Stage::Path | Stage::Resource, "check") => {
                next.asked.verb = text(0);
                budget.spend(CHECK_COST).and_then(|()| {
                    let verdict = self.authorizer.authorize(&next.asked);
                    next.stage =
                        Stage::Decision(verdict.ok_or_else(|| EvalError::new("the authorizer is asked first"))?);
                    Ok(())
                })
            }
            _ => return None,
        };
        Some(set.map(|()| Val::Authorizer(Rc::new(next))))
    }
}

impl Asked {
    fn narrow(&mut self, by: &str, to: String) {
        match by {
            "subresource" => self.subresource = to,
            "namespace" => self.namespace = to,
            "name" => self.name = to,
            "fieldSelector" => self.field_selector = to,
            _ => self.label_selector = to,
        }
    }
}

fn account(namespace: &str, name: &str) -> Result<(), EvalError> {
    let refuse = |what: &str, text: &str, why: Vec<String>| match why.as_slice() {
        [] => Ok(()),
        why => Err(EvalError::new(format!("invalid service account {what} {text:?}: {}", why.join(", ")))),
    };
    refuse("name", name, format::dns_subdomain(name))?;
    refuse("namespace", namespace, format::dns_label(namespace))
}
