//! `authorizer` in the expressions of policies and match conditions: the questions of the library, asked of this server's authorizer.

use crate::auth::service_account::identity_of;
use crate::auth::{Attributes, Authorizer, Decision};
use client::identity::Identity;
use kinds::admission::{Asked, Authorize, Verdict};
use kinds::selector::FieldSelector;

/// Of whoever makes the request.
pub(super) struct Permissions<'a> {
    authorizer: &'a Authorizer,
    identity: &'a Identity,
}

impl<'a> Permissions<'a> {
    pub(super) fn new(authorizer: &'a Authorizer, identity: &'a Identity) -> Self {
        Self { authorizer, identity }
    }
}

impl Authorize for Permissions<'_> {
    fn authorize(&self, asked: &Asked) -> Verdict {
        // What cannot be read says nothing: the wider question is asked.
        let fields = FieldSelector::parse(&asked.field_selector).unwrap_or_default();
        let account = asked.account.as_ref().map(|(ns, name)| identity_of(ns, name));
        let attributes = match &asked.path {
            Some(path) => Attributes { verb: &asked.verb, path: Some(path), ..Attributes::default() },
            None => Attributes {
                verb: &asked.verb,
                group: &asked.group,
                version: "*",
                resource: &asked.resource,
                subresource: &asked.subresource,
                namespace: &asked.namespace,
                name: &asked.name,
                fields: Some(&fields),
                path: None,
            },
        };
        match self.authorizer.authorize(account.as_ref().unwrap_or(self.identity), &attributes) {
            Decision::Allow { reason } => Verdict { allowed: true, reason },
            Decision::Deny { reason, .. } => Verdict { allowed: false, reason },
        }
    }
}
