//! `authorizer` in the expressions of policies and match conditions: the questions of the library, asked of this server's authorizer.
//!
//! Expressions are evaluated in one go. Where a question has to be put to a webhook, the evaluation is given up, the webhook is
//! asked, and everything is evaluated again with its answer.

use crate::auth::service_account::identity_of;
use crate::auth::{Attributes, Authorizer, Decision};
use client::identity::Identity;
use kinds::admission::{Asked, Authorize, Verdict};
use kinds::selector::{FieldSelector, LabelSelector};
use std::cell::RefCell;

/// Of whoever makes the request.
struct Permissions<'a> {
    authorizer: &'a Authorizer,
    identity: &'a Identity,
    /// What somebody was asked about.
    known: Vec<(Asked, Verdict)>,
    /// What somebody has to be asked about.
    open: RefCell<Vec<Asked>>,
}

/// What is evaluated with the permissions of `identity` at hand.
pub(super) async fn with_permissions<T>(
    authorizer: &Authorizer,
    identity: &Identity,
    evaluate: impl Fn(&dyn Authorize) -> T,
) -> T {
    let mut permissions = Permissions { authorizer, identity, known: Vec::new(), open: RefCell::default() };
    loop {
        let outcome = evaluate(&permissions);
        let open = permissions.open.take();
        if open.is_empty() {
            return outcome;
        }
        drop(outcome);
        // Boxed: the state of the rare case would make every request's larger.
        Box::pin(permissions.ask(open)).await;
    }
}

impl Permissions<'_> {
    /// Each evaluation comes further than the one before, and what it may cost bounds how often it asks.
    async fn ask(&mut self, open: Vec<Asked>) {
        for asked in open {
            let question = Question::of(&asked);
            let identity = question.account.as_ref().unwrap_or(self.identity);
            let decision = self.authorizer.authorize(identity, &question.attributes(&asked)).await;
            self.known.push((asked, verdict(decision)));
        }
    }
}

impl Authorize for Permissions<'_> {
    fn authorize(&self, asked: &Asked) -> Option<Verdict> {
        if let Some((_, verdict)) = self.known.iter().find(|(known, _)| known == asked) {
            return Some(verdict.clone());
        }
        let question = Question::of(asked);
        let identity = question.account.as_ref().unwrap_or(self.identity);
        let decision = self.authorizer.at_once(identity, &question.attributes(asked));
        let mut open = self.open.borrow_mut();
        if decision.is_none() && !open.contains(asked) {
            open.push(asked.clone());
        }
        decision.map(verdict)
    }
}

/// The parts of a question that are read.
struct Question {
    account: Option<Identity>,
    fields: FieldSelector,
    labels: Option<LabelSelector>,
}

impl Question {
    /// What cannot be read says nothing: the wider question is asked.
    fn of(asked: &Asked) -> Self {
        Self {
            account: asked.account.as_ref().map(|(ns, name)| identity_of(ns, name)),
            fields: FieldSelector::parse(&asked.field_selector).unwrap_or_default(),
            labels: LabelSelector::parse(&asked.label_selector).ok(),
        }
    }

    fn attributes<'a>(&'a self, asked: &'a Asked) -> Attributes<'a> {
        match &asked.path {
            Some(path) => Attributes { verb: &asked.verb, path: Some(path), ..Attributes::default() },
            None => Attributes {
                verb: &asked.verb,
                group: &asked.group,
                version: "*",
                resource: &asked.resource,
                subresource: &asked.subresource,
                namespace: &asked.namespace,
                name: &asked.name,
                fields: Some(&self.fields),
                labels: self.labels.as_ref(),
                path: None,
            },
        }
    }
}

fn verdict(decision: Decision) -> Verdict {
    match decision {
        Decision::Allow { reason } => Verdict { allowed: true, reason, error: None },
        Decision::Deny { reason, error, .. } => Verdict { allowed: false, reason, error },
    }
}
