//! MutatingWebhookConfiguration (admissionregistration.k8s.io/v1).

use super::webhooks::{self, WEBHOOKS};
use crate::errors::FieldErrors;
use crate::row::{AGE, NAME, Row, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::{each, webhook};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use serde_json::Value;

pub(crate) struct MutatingWebhookConfigurationKind;

impl TypedKind for MutatingWebhookConfigurationKind {
    type Object = MutatingWebhookConfiguration;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(webhooks::cells);

    fn default(configuration: &mut MutatingWebhookConfiguration) {
        for hook in configuration.webhooks.iter_mut().flatten() {
            webhook::fill!(hook);
            hook.reinvocation_policy.get_or_insert_with(|| "Never".to_owned());
        }
    }

    fn validate(configuration: &MutatingWebhookConfiguration) -> FieldErrors {
        webhook::check(each(&configuration.webhooks).map(|hook| webhook::Common {
            reinvocation_policy: hook.reinvocation_policy.as_deref(),
            ..webhook::common!(hook)
        }))
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration" "admissionregistration.k8s.io" "v1" "MutatingWebhookConfiguration" "mutatingwebhookconfigurations" "mutatingwebhookconfiguration" Cluster,
    categories: ["api-extensions"],
    columns: [NAME, WEBHOOKS, AGE],
    generation: true,
};
