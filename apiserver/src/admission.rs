//! Admission: what may be written beyond what authorization can see, and what the server adds to a write.
//!
//! Two stages, each of them open to the cluster's own policies and webhooks at its end. [`Chain::mutate`] runs before
//! preparation and validation: mutating plugins, then mutating policies and webhooks. [`Chain::validate`] runs on the final
//! object: validating plugins, then validating policies and webhooks. Quota comes after all of them, with the write itself
//! ([`quota`], by `registry::charge`). Every write of every resource and subresource passes both stages, deletes and connections too.
//! Plugins see trees and decide; what they read of the cluster comes through [`Objects`].

mod attributes;
mod authorizer;
mod call;
mod certificate;
mod config;
mod device;
mod escalation;
mod external_ips;
mod ingress_class;
mod limit_ranger;
mod matcher;
mod namespace;
mod node;
mod node_restriction;
mod opt_in;
mod plugins;
mod pod;
mod pod_certificate;
mod pod_resize;
mod pod_security;
pub mod policy;
mod priority;
pub mod quota;
mod replaced;
mod rounds;
mod rule;
mod runtime_class;
mod service_account;
mod storage;
mod tolerations;
mod topology;
mod trust_bundle;
pub mod webhook;

pub use call::{Call, Operation};
pub(crate) use config::PluginSettings;
pub use matcher::Matcher;

use crate::auth::Authorizer;
use crate::auth::objects::{Objects, Unavailable};
use crate::cache::Caches;
use crate::error::ApiError;
use client::clock::Clock;
use plugins::{MUTATING, VALIDATING};
use policy::{Policies, PolicyTable};
use rounds::Rounds;
use serde_json::Value;
use std::sync::Arc;
use webhook::{WebhookTable, Webhooks};

/// What plugins work with.
struct Context {
    objects: Arc<dyn Objects>,
    authorizer: Arc<Authorizer>,
    clock: Arc<dyn Clock>,
    /// The audience of this cluster's own tokens.
    issuer: String,
    settings: PluginSettings,
}

/// For the client, as `Warning` headers.
pub type Warnings = Vec<String>;

/// All plugins, with what they need.
pub struct Chain {
    context: Context,
    policies: Option<Policies>,
    webhooks: Option<Webhooks>,
}

impl Chain {
    /// `issuer` is the audience of this cluster's own tokens.
    pub fn new(objects: Arc<dyn Objects>, authorizer: Arc<Authorizer>, clock: Arc<dyn Clock>, issuer: &str) -> Self {
        let settings = PluginSettings::default();
        let context = Context { objects, authorizer, clock, issuer: issuer.to_owned(), settings };
        Self { context, policies: None, webhooks: None }
    }

    /// With what an operator tells the plugins.
    pub(crate) fn with_settings(mut self, settings: PluginSettings) -> Self {
        self.context.settings = settings;
        self
    }

    /// With the cluster's own policies, and after them its webhooks, at the end of both stages.
    pub fn with_own(
        self,
        policies: Arc<PolicyTable>,
        webhooks: Arc<WebhookTable>,
        matcher: Arc<Matcher>,
        caches: Arc<Caches>,
    ) -> Self {
        let authorizer = &self.context.authorizer;
        let policies = Policies::new(policies, Arc::clone(&matcher), caches, Arc::clone(authorizer));
        let webhooks = Webhooks::new(webhooks, matcher, Arc::clone(authorizer));
        Self { policies: Some(policies), webhooks: Some(webhooks), ..self }
    }

    /// Names of the plugins that run, in order.
    pub fn names() -> impl Iterator<Item = &'static str> {
        MUTATING.iter().map(|plugin| plugin.name).chain(VALIDATING.iter().map(|plugin| plugin.name))
    }

    /// Before preparation and validation: what the server adds. The object is `Null` for deletes.
    pub async fn mutate(&self, call: &Call<'_>, object: &mut Value) -> Result<Warnings, ApiError> {
        let (mut policies, mut webhooks) = (Rounds::default(), Rounds::default());
        let mut warnings = self.mutate_once(call, object, &mut policies, &mut webhooks).await?;
        if policies.any_changed() || webhooks.any_changed() {
            warnings.extend(self.mutate_once(call, object, &mut policies, &mut webhooks).await?);
        }
        Ok(warnings)
    }

    async fn mutate_once(
        &self,
        call: &Call<'_>,
        object: &mut Value,
        of_policies: &mut Rounds,
        of_webhooks: &mut Rounds,
    ) -> Result<Warnings, ApiError> {
        self.plug_in(call, object).await?;
        if is_exempt(call) {
            return Ok(Warnings::new());
        }
        if let Some(policies) = &self.policies {
            policies.mutate(call, object, of_policies).await?;
        }
        match &self.webhooks {
            Some(webhooks) => webhooks.mutate(call, object, of_webhooks).await,
            None => Ok(Warnings::new()),
        }
    }

    async fn plug_in(&self, call: &Call<'_>, object: &mut Value) -> Result<(), ApiError> {
        for plugin in MUTATING.iter().filter(|plugin| (plugin.applies)(call)) {
            (plugin.run)(&self.context, call, object).await?;
        }
        Ok(())
    }

    /// The last word, on the final object; `Null` for deletes.
    pub async fn validate(&self, call: &Call<'_>, object: &Value) -> Result<Warnings, ApiError> {
        let mut warnings = Warnings::new();
        for plugin in VALIDATING.iter().filter(|plugin| (plugin.applies)(call)) {
            warnings.extend((plugin.run)(&self.context, call, object).await?);
        }
        match &self.policies {
            Some(policies) if is_exempt(call) => policies.check_author(call, object).await?,
            Some(policies) => warnings.extend(policies.validate(call, object).await?),
            None => {}
        }
        if is_exempt(call) {
            return Ok(warnings);
        }
        if let Some(webhooks) = &self.webhooks {
            warnings.extend(webhooks.validate(call, object).await?);
        }
        Ok(warnings)
    }
}

/// The group of webhook configurations and policies. Nothing of the cluster's own concerns them: who may write them must not
/// be locked out by them. k8s: `rules.IsExemptAdmissionConfigurationResource`
const CONFIGURATIONS: &str = "admissionregistration.k8s.io";

fn is_exempt(call: &Call<'_>) -> bool {
    call.group() == CONFIGURATIONS
}

impl From<Unavailable> for ApiError {
    fn from(error: Unavailable) -> Self {
        Self::unavailable(error.to_string())
    }
}

#[cfg(test)]
mod tests;
