//! One write, delete or connection as plugins see it: who does what to which resource, and what is stored now.

use crate::error::{ApiError, Qualified};
use crate::request::{Request, Verb};
use client::identity::Identity;
use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Create,
    Update,
    Delete,
    /// exec, attach, port-forward, proxy
    Connect,
}

/// One write (or connection), without the object.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub(super) operation: Operation,
    pub(super) request: &'a Request,
    /// What is stored now; `None` for creates.
    pub(super) old: Option<&'a Value>,
}

/// Subresources that open a connection: a POST to them creates nothing.
const CONNECTING: &[&str] = &["exec", "attach", "portforward", "proxy"];

impl<'a> Call<'a> {
    /// The operation that the verb tells; see [`Call::with_operation`].
    pub fn new(request: &'a Request, old: Option<&'a Value>) -> Self {
        let operation = match request.verb {
            _ if CONNECTING.contains(&request.subresource.as_str()) => Operation::Connect,
            Verb::Create => Operation::Create,
            Verb::Update | Verb::Patch => Operation::Update,
            Verb::Delete | Verb::DeleteCollection => Operation::Delete,
            Verb::Get | Verb::List | Verb::Watch => Operation::Connect,
        };
        Self { operation, request, old }
    }

    /// An operation that the verb does not tell: a PUT or apply that creates.
    pub fn with_operation(self, operation: Operation) -> Self {
        Self { operation, ..self }
    }

    pub(super) fn group(&self) -> &'a str {
        &self.request.group
    }

    pub(super) fn resource(&self) -> &'a str {
        &self.request.resource
    }

    pub(super) fn subresource(&self) -> &'a str {
        &self.request.subresource
    }

    /// Empty for cluster-scoped resources, but for a Namespace itself its name.
    pub(super) fn ns(&self) -> &'a str {
        &self.request.ns
    }

    /// In the path: empty for creates and collections.
    pub(super) fn name(&self) -> &'a str {
        &self.request.name
    }

    pub(super) fn identity(&self) -> &'a Identity {
        &self.request.identity
    }

    pub(super) fn is(&self, group: &str, resource: &str, subresource: &str) -> bool {
        self.group() == group && self.resource() == resource && self.subresource() == subresource
    }

    /// The name in the path, or that of the body.
    pub(super) fn name_of<'b>(&self, object: &'b Value) -> &'b str
    where
        'a: 'b,
    {
        match self.name() {
            "" => object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default(),
            name => name,
        }
    }

    pub(super) fn forbidden(&self, name: &str, why: impl Into<String>) -> ApiError {
        let resource = Qualified::new(self.group(), self.resource());
        ApiError::Forbidden { resource, name: name.to_owned(), why: why.into() }
    }
}
