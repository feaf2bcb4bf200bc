//! ValidatingWebhookConfiguration (admissionregistration.k8s.io/v1).

use crate::cells;
use crate::errors::FieldErrors;
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::each;
use crate::validate::path::Path;
use crate::validate::webhook;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use serde_json::Value;

pub(crate) struct ValidatingWebhookConfigurationKind;

impl TypedKind for ValidatingWebhookConfigurationKind {
    type Object = ValidatingWebhookConfiguration;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn default(configuration: &mut ValidatingWebhookConfiguration) {
        for hook in configuration.webhooks.iter_mut().flatten() {
            webhook::fill!(hook);
        }
    }

    fn validate(configuration: &ValidatingWebhookConfiguration) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let list = Path::new("webhooks");
        let mut names = std::collections::BTreeSet::new();
        for (i, hook) in each(&configuration.webhooks).enumerate() {
            let at = list.index(i);
            let common = webhook::common!(hook);
            webhook::check(&common, &mut names, &at, &mut errors);
        }
        errors
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration" "admissionregistration.k8s.io" "v1" "ValidatingWebhookConfiguration" "validatingwebhookconfigurations" "validatingwebhookconfiguration" Cluster,
    categories: ["api-extensions"],
    columns: [NAME, Column::new("Webhooks", "integer"), AGE],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![cells::of::name(object), tree::count(object, "webhooks").into(), cells::of::age(object, now_unix_secs)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_webhook_fails_closed_and_says_where_it_is() {
        let hook = json!({"name": "a.example.com", "clientConfig": {"service": {"namespace": "n", "name": "s"}}, "sideEffects": "None", "admissionReviewVersions": ["v1"]});
        let stored = check::defaulted::<ValidatingWebhookConfigurationKind>(json!({"webhooks": [hook]}));
        let hook = &stored["webhooks"][0];
        assert_eq!((&hook["failurePolicy"], &hook["timeoutSeconds"]), (&json!("Fail"), &json!(10)));
        assert_eq!(hook["clientConfig"]["service"]["port"], 443);
        assert_eq!(check::create::<ValidatingWebhookConfigurationKind>(stored), "");
        expect![[r#"
            webhooks[0].name: Invalid value: "a": should be a domain with at least three segments separated by dots
            webhooks[0].clientConfig: Required value: exactly one of url or service is required
            webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"
            webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1
            webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds"#]]
        .assert_eq(&check::create::<ValidatingWebhookConfigurationKind>(
            json!({"webhooks": [{"name": "a", "sideEffects": "Some", "timeoutSeconds": 31}]}),
        ));
    }
}
