//! Admission: what may be written beyond what authorization can see, and what the server adds to a write.
//!
//! One static table of plugins in upstream's order; every write of every resource and subresource passes all of them,
//! first [`Chain::mutate`], then (after defaulting and validation) [`Chain::validate`]. Plugins see trees and decide; what
//! they read of the cluster comes through [`Objects`].

mod escalation;
mod namespace;
mod node;
mod node_restriction;
mod pod;
mod priority;
mod service_account;
mod tolerations;

use crate::auth::Authorizer;
use crate::auth::objects::{Objects, Unavailable};
use crate::error::{ApiError, Qualified};
use crate::request::{Request, Verb};
use client::identity::Identity;
use futures::future::BoxFuture;
use serde_json::Value;
use std::sync::Arc;

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
    operation: Operation,
    request: &'a Request,
    /// What is stored now; `None` for creates.
    old: Option<&'a Value>,
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

    fn group(&self) -> &'a str {
        &self.request.group
    }

    fn resource(&self) -> &'a str {
        &self.request.resource
    }

    fn subresource(&self) -> &'a str {
        &self.request.subresource
    }

    /// Empty for cluster-scoped resources, but for a Namespace itself its name.
    fn ns(&self) -> &'a str {
        &self.request.ns
    }

    /// In the path: empty for creates and collections.
    fn name(&self) -> &'a str {
        &self.request.name
    }

    fn identity(&self) -> &'a Identity {
        &self.request.identity
    }

    fn is(&self, group: &str, resource: &str, subresource: &str) -> bool {
        self.group() == group && self.resource() == resource && self.subresource() == subresource
    }

    /// The name in the path, or that of the body.
    fn name_of<'b>(&self, object: &'b Value) -> &'b str
    where
        'a: 'b,
    {
        match self.name() {
            "" => object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default(),
            name => name,
        }
    }

    fn forbidden(&self, name: &str, why: impl Into<String>) -> ApiError {
        let resource = Qualified::new(self.group(), self.resource());
        ApiError::Forbidden { resource, name: name.to_owned(), why: why.into() }
    }
}

/// What plugins work with.
struct Context {
    objects: Arc<dyn Objects>,
    authorizer: Arc<Authorizer>,
}

type Outcome<'a> = BoxFuture<'a, Result<(), ApiError>>;

/// A plugin that needs nothing and cannot fail.
fn done<'a>(object: &mut Value, mutate: fn(&mut Value)) -> Outcome<'a> {
    mutate(object);
    Box::pin(std::future::ready(Ok(())))
}

/// A row of [`PLUGINS`]. `applies` is asked first, so that a write pays only for the plugins that concern it.
struct Plugin {
    name: &'static str,
    applies: fn(&Call<'_>) -> bool,
    mutate: Option<for<'a> fn(&'a Context, &'a Call<'a>, &'a mut Value) -> Outcome<'a>>,
    /// The object is `Null` for deletes and connects.
    validate: Option<for<'a> fn(&'a Context, &'a Call<'a>, &'a Value) -> Outcome<'a>>,
}

/// k8s: `kubeapiserver/options/plugins.go`, AllOrderedPlugins. Not built yet, in their places: LimitRanger (after
/// NamespaceLifecycle), PodSecurity (after TaintNodesByCondition), DefaultStorageClass, StorageObjectInUseProtection,
/// RuntimeClass and the certificate plugins (after DefaultTolerationSeconds), policies and webhooks, ResourceQuota (last).
const PLUGINS: &[Plugin] = &[
    Plugin {
        name: "NamespaceLifecycle",
        applies: namespace::applies,
        mutate: None,
        validate: Some(|context, call, object| Box::pin(namespace::validate(context, call, object))),
    },
    Plugin {
        name: "ServiceAccount",
        applies: pod::is_create,
        mutate: Some(|context, call, object| Box::pin(service_account::mutate(context, call, object))),
        validate: None,
    },
    Plugin {
        name: "NodeRestriction",
        applies: node_restriction::applies,
        mutate: None,
        validate: Some(|context, call, object| Box::pin(node_restriction::validate(context, call, object))),
    },
    Plugin {
        name: "TaintNodesByCondition",
        applies: node::is_create,
        mutate: Some(|_, _, object| done(object, node::taint_not_ready)),
        validate: None,
    },
    Plugin {
        name: "Priority",
        applies: priority::applies,
        mutate: Some(|context, call, object| Box::pin(priority::mutate(context, call, object))),
        validate: Some(|context, call, object| Box::pin(std::future::ready(priority::validate(context, call, object)))),
    },
    Plugin {
        name: "DefaultTolerationSeconds",
        applies: pod::is_create,
        mutate: Some(|_, _, object| done(object, tolerations::mutate)),
        validate: None,
    },
    Plugin {
        name: "DenyServiceExternalIPs",
        applies: |call| call.is("", "services", ""),
        mutate: None,
        validate: Some(|_, call, object| Box::pin(std::future::ready(deny_external_ips(call, object)))),
    },
    Plugin {
        name: "RoleEscalation",
        applies: escalation::applies,
        mutate: None,
        validate: Some(|context, call, object| {
            Box::pin(std::future::ready(escalation::validate(context, call, object)))
        }),
    },
];

/// All plugins, with what they need.
pub struct Chain {
    context: Context,
}

impl Chain {
    pub fn new(objects: Arc<dyn Objects>, authorizer: Arc<Authorizer>) -> Self {
        Self { context: Context { objects, authorizer } }
    }

    /// Names of the plugins that run, in order.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PLUGINS.iter().map(|plugin| plugin.name)
    }

    /// Before validation of a create or update: what the server adds.
    pub async fn mutate(&self, call: &Call<'_>, object: &mut Value) -> Result<(), ApiError> {
        for plugin in PLUGINS.iter().filter(|plugin| (plugin.applies)(call)) {
            if let Some(mutate) = plugin.mutate {
                mutate(&self.context, call, object).await?;
            }
        }
        Ok(())
    }

    /// The last word, on the final object. `None` for deletes and connects.
    pub async fn validate(&self, call: &Call<'_>, object: Option<&Value>) -> Result<(), ApiError> {
        let object = object.unwrap_or(&Value::Null);
        for plugin in PLUGINS.iter().filter(|plugin| (plugin.applies)(call)) {
            if let Some(validate) = plugin.validate {
                validate(&self.context, call, object).await?;
            }
        }
        Ok(())
    }
}

impl From<Unavailable> for ApiError {
    fn from(error: Unavailable) -> Self {
        Self::unavailable(error.to_string())
    }
}

/// Addresses that a Service claims without owning them capture others' traffic (CVE-2020-8554, not fixable): refused unless
/// they were there before. k8s: `plugin/pkg/admission/network/denyserviceexternalips`
fn deny_external_ips(call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    let addresses = |object: &Value| -> Vec<Value> {
        object.pointer("/spec/externalIPs").and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let before = call.old.map(addresses).unwrap_or_default();
    if addresses(object).iter().all(|address| before.contains(address)) {
        Ok(())
    } else {
        Err(call.forbidden(call.name_of(object), "Use of external IPs is denied by admission control."))
    }
}

#[cfg(test)]
mod tests;
