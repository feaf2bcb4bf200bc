//! Admission: what may be written beyond what authorization can see, and what the server adds to a write.
//!
//! Two stages, each of them open to the cluster's own policies and webhooks at its end. [`Chain::mutate`] runs before
//! preparation and validation: mutating plugins, then mutating policies and webhooks. [`Chain::validate`] runs on the final
//! object: validating plugins, then validating policies and webhooks. Quota comes after all of them, with the write itself
//! ([`quota`], by `registry::charge`). Every write of every resource and subresource passes both stages, deletes and connections too.
//! Plugins see trees and decide; what they read of the cluster comes through [`Objects`].

mod call;
mod certificate;
mod escalation;
mod external_ips;
mod ingress_class;
mod limit_ranger;
mod namespace;
mod node;
mod node_restriction;
mod plugins;
mod pod;
mod pod_security;
mod priority;
pub mod quota;
mod runtime_class;
mod service_account;
mod storage;
mod tolerations;
mod topology;
pub mod webhook;

pub use call::{Call, Operation};

use crate::auth::Authorizer;
use crate::auth::objects::{Objects, Unavailable};
use crate::error::ApiError;
use client::clock::Clock;
use plugins::{MUTATING, VALIDATING};
use serde_json::Value;
use std::sync::Arc;
use webhook::{Rounds, Webhooks};

/// What plugins work with.
struct Context {
    objects: Arc<dyn Objects>,
    authorizer: Arc<Authorizer>,
    clock: Arc<dyn Clock>,
}

/// For the client, as `Warning` headers.
pub type Warnings = Vec<String>;

/// All plugins, with what they need.
pub struct Chain {
    context: Context,
    webhooks: Option<Webhooks>,
}

impl Chain {
    pub fn new(objects: Arc<dyn Objects>, authorizer: Arc<Authorizer>, clock: Arc<dyn Clock>) -> Self {
        Self { context: Context { objects, authorizer, clock }, webhooks: None }
    }

    /// With the cluster's own webhooks at the end of both stages.
    pub fn with_webhooks(self, webhooks: Webhooks) -> Self {
        Self { webhooks: Some(webhooks), ..self }
    }

    /// Names of the plugins that run, in order.
    pub fn names() -> impl Iterator<Item = &'static str> {
        MUTATING.iter().map(|plugin| plugin.name).chain(VALIDATING.iter().map(|plugin| plugin.name))
    }

    /// Before preparation and validation: what the server adds. The object is `Null` for deletes and connects.
    pub async fn mutate(&self, call: &Call<'_>, object: &mut Value) -> Result<Warnings, ApiError> {
        self.plug_in(call, object).await?;
        let Some(webhooks) = &self.webhooks else { return Ok(Warnings::new()) };
        let mut rounds = Rounds::default();
        let mut warnings = webhooks.mutate(call, object, &mut rounds).await?;
        if rounds.repeat() {
            let before = object.clone();
            self.plug_in(call, object).await?;
            if *object != before {
                rounds.plugins_changed();
            }
            warnings.extend(webhooks.mutate(call, object, &mut rounds).await?);
        }
        Ok(warnings)
    }

    async fn plug_in(&self, call: &Call<'_>, object: &mut Value) -> Result<(), ApiError> {
        for plugin in MUTATING.iter().filter(|plugin| (plugin.applies)(call)) {
            (plugin.run)(&self.context, call, object).await?;
        }
        Ok(())
    }

    /// The last word, on the final object; `None` for deletes and connects.
    pub async fn validate(&self, call: &Call<'_>, object: Option<&Value>) -> Result<Warnings, ApiError> {
        let object = object.unwrap_or(&Value::Null);
        let mut warnings = Warnings::new();
        for plugin in VALIDATING.iter().filter(|plugin| (plugin.applies)(call)) {
            warnings.extend((plugin.run)(&self.context, call, object).await?);
        }
        if let Some(webhooks) = &self.webhooks {
            warnings.extend(webhooks.validate(call, object).await?);
        }
        Ok(warnings)
    }
}

impl From<Unavailable> for ApiError {
    fn from(error: Unavailable) -> Self {
        Self::unavailable(error.to_string())
    }
}

#[cfg(test)]
mod tests;
