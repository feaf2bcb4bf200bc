//! One write, delete or connection as plugins see it: who does what to which resource, and what is stored now.

use super::attributes;
use crate::auth::{Attributes, Authorizer};
use crate::error::{ApiError, Qualified};
use crate::registry::metadata;
use crate::request::{Request, Verb};
use client::identity::Identity;
use kinds::row::Subresource;
use kinds::schema::Schema;
use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Create,
    Update,
    Delete,
    /// exec, attach, port-forward, proxy
    Connect,
}

impl Operation {
    /// As rules and reviews write it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }
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

    /// The object of a connection.
    pub fn connect_options(&self) -> Value {
        attributes::connect_options(self)
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

    /// The namespace that the object lies in: a Namespace lies in none.
    pub(super) fn ns_of_object(&self) -> &'a str {
        if self.is_of_namespace() { "" } else { self.ns() }
    }

    /// In the path: empty for creates and collections.
    pub(super) fn name(&self) -> &'a str {
        &self.request.name
    }

    pub(super) fn identity(&self) -> &'a Identity {
        &self.request.identity
    }

    /// Group, version and kind of what a subresource takes, where that is not its parent: a Binding, a Scale, the options of
    /// a connection.
    pub(super) fn body(&self) -> Option<(&'a str, &'a str, &'a str)> {
        let (group, version, kind) = self.part()?.body.as_ref()?;
        Some((group.as_ref(), version.as_ref(), kind.as_ref()))
    }

    /// The type of [`Call::body`].
    pub(super) fn body_schema(&self) -> Option<Schema> {
        self.part()?.body_schema()
    }

    fn part(&self) -> Option<&'a Subresource> {
        self.request.kind.as_ref()?.row().subresource(self.subresource())
    }

    /// What the garbage collector writes: owners and finalizers. Everything else may grant something, even a label.
    /// k8s: IsOnlyMutatingGCFields
    pub(super) fn changes_ownership_only(&self, object: &Value) -> bool {
        let rest = |object: &Value| {
            let mut rest = object.clone();
            if let Some(metadata) = rest.get_mut("metadata").and_then(Value::as_object_mut) {
                for field in ["ownerReferences", "finalizers", "managedFields", "resourceVersion"] {
                    metadata.remove(field);
                }
            }
            rest
        };
        self.old.is_some_and(|old| rest(old) == rest(object))
    }

    /// Whether the client holds `verb` on a signer, by its name or by its domain with a star.
    /// k8s: IsAuthorizedForSignerName
    pub(super) async fn may_act_for_signer(&self, authorizer: &Authorizer, verb: &str, signer: &str) -> bool {
        let domain = signer.split('/').next().unwrap_or_default();
        for name in [signer, &format!("{domain}/*")] {
            let (group, resource) = ("certificates.k8s.io", "signers");
            let attributes = Attributes { verb, group, version: "*", resource, name, ..Attributes::default() };
            if authorizer.authorize(self.identity(), &attributes).await.is_allowed() {
                return true;
            }
        }
        false
    }

    /// Whether it is about a Namespace, which lies in none.
    pub(super) fn is_of_namespace(&self) -> bool {
        self.group().is_empty() && self.resource() == "namespaces"
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
            "" => metadata::text(object, "name"),
            name => name,
        }
    }

    pub(super) fn forbidden(&self, name: &str, why: impl Into<String>) -> ApiError {
        let resource = Qualified::new(self.group(), self.resource());
        ApiError::Forbidden { resource, name: name.to_owned(), why: why.into() }
    }
}
