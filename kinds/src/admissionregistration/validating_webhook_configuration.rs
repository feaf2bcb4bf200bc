//! ValidatingWebhookConfiguration (admissionregistration.k8s.io/v1).

use super::webhooks::{self, WEBHOOKS};
use crate::errors::FieldErrors;
use crate::row::{AGE, NAME, Row, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::{each, webhook};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use serde_json::Value;

pub(crate) struct ValidatingWebhookConfigurationKind;

impl TypedKind for ValidatingWebhookConfigurationKind {
    type Object = ValidatingWebhookConfiguration;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(webhooks::cells);

    fn default(configuration: &mut ValidatingWebhookConfiguration) {
        for hook in configuration.webhooks.iter_mut().flatten() {
            webhook::fill!(hook);
        }
    }

    fn validate(configuration: &ValidatingWebhookConfiguration) -> FieldErrors {
        webhook::check(each(&configuration.webhooks).map(|hook| webhook::common!(hook)))
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration" "admissionregistration.k8s.io" "v1" "ValidatingWebhookConfiguration" "validatingwebhookconfigurations" "validatingwebhookconfiguration" Cluster,
    categories: ["api-extensions"],
    columns: [NAME, WEBHOOKS, AGE],
    generation: true,
};
