//! ClusterRole (rbac.authorization.k8s.io/v1).

mod printer;

use crate::errors::{FieldError, FieldErrors};
use crate::row::{Row, Scope};
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, rbac, selector};
use k8s_openapi::api::rbac::v1::ClusterRole;
use serde_json::Value;

pub(crate) struct ClusterRoleKind;

impl TypedKind for ClusterRoleKind {
    type Object = ClusterRole;

    const ROW: Row = printer::ROW;
    const LACKS: &'static [Hook] =
        &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];

    fn validate(role: &ClusterRole) -> FieldErrors {
        let mut errors = FieldErrors::new();
        rbac::rules(each(&role.rules).as_slice(), Scope::Cluster, &mut errors);
        if let Some(rule) = &role.aggregation_rule {
            let list = Path::new("aggregationRule.clusterRoleSelectors");
            let selectors = each(&rule.cluster_role_selectors).as_slice();
            if selectors.is_empty() {
                let detail = "at least one clusterRoleSelector required if aggregationRule is non-nil";
                errors.push(FieldError::required(list, detail));
            }
            for (i, wanted) in selectors.iter().enumerate() {
                selector::label_selector(wanted, &list.index(i), &mut errors);
            }
        }
        errors
    }

    fn cells(object: &ClusterRole, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn urls_and_aggregation_are_for_clusters() {
        expect![[""]].assert_eq(&check::create::<ClusterRoleKind>(
            json!({"rules": [{"verbs": ["get"], "nonResourceURLs": ["/metrics"]}]}),
        ));
        expect!["aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil"]
            .assert_eq(&check::create::<ClusterRoleKind>(json!({"aggregationRule": {}})));
    }
}
