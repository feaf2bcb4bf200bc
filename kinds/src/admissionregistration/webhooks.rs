//! What both kinds of webhook configuration show. Their webhooks' defaults and rules are `validate::webhook`.

use crate::cells;
use crate::row::Column;
use crate::tree;
use serde_json::Value;

pub(super) const WEBHOOKS: Column = Column::new("Webhooks", "integer");

pub(super) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![cells::of::name(object), tree::count(object, "webhooks").into(), cells::of::age(object, now_unix_secs)]
}

#[cfg(test)]
mod tests {
    use super::super::mutating_webhook_configuration::MutatingWebhookConfigurationKind;
    use super::super::validating_webhook_configuration::ValidatingWebhookConfigurationKind;
    use crate::typed::TypedKind;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    fn fails_closed_and_is_told_where_it_is_wrong<K: TypedKind>() {
        let hook = json!({"name": "a.example.com", "clientConfig": {"service": {"namespace": "n", "name": "s"}}, "sideEffects": "None", "admissionReviewVersions": ["v1"]});
        let stored = check::defaulted::<K>(json!({"webhooks": [hook]}));
        let hook = &stored["webhooks"][0];
        assert_eq!((&hook["failurePolicy"], &hook["timeoutSeconds"]), (&json!("Fail"), &json!(10)));
        assert_eq!(hook["clientConfig"]["service"]["port"], 443);
        assert_eq!(check::create::<K>(stored), "");
        expect![[r#"
            webhooks[0].name: Invalid value: "a": should be a domain with at least three segments separated by dots
            webhooks[0].clientConfig: Required value: exactly one of url or service is required
            webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"
            webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1
            webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds"#]]
        .assert_eq(&check::create::<K>(
            json!({"webhooks": [{"name": "a", "sideEffects": "Some", "timeoutSeconds": 31}]}),
        ));
    }

    #[test]
    fn a_webhook_of_either_kind_fails_closed_and_is_told_where_it_is_wrong() {
        fails_closed_and_is_told_where_it_is_wrong::<MutatingWebhookConfigurationKind>();
        fails_closed_and_is_told_where_it_is_wrong::<ValidatingWebhookConfigurationKind>();
    }

    #[test]
    fn only_a_mutating_webhook_is_asked_again() {
        let hook = json!({"name": "a.example.com", "clientConfig": {"url": "https://a.example.com"}, "sideEffects": "None", "admissionReviewVersions": ["v1"], "reinvocationPolicy": "Often"});
        let error = check::create::<MutatingWebhookConfigurationKind>(json!({"webhooks": [hook]}));
        assert_eq!(
            error,
            r#"webhooks[0].reinvocationPolicy: Unsupported value: "Often": supported values: "IfNeeded", "Never""#
        );
    }
}
