//! Role (rbac.authorization.k8s.io/v1).

mod printer;

use crate::errors::FieldErrors;
use crate::row::{Row, Scope};
use crate::typed::{Hook, TypedKind};
use crate::validate::{each, rbac};
use k8s_openapi::api::rbac::v1::Role;
use serde_json::Value;

pub(crate) struct RoleKind;

impl TypedKind for RoleKind {
    type Object = Role;

    const ROW: Row = printer::ROW;
    const LACKS: &'static [Hook] =
        &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];

    fn validate(role: &Role) -> FieldErrors {
        let mut errors = FieldErrors::new();
        rbac::rules(each(&role.rules).as_slice(), Scope::Namespaced, &mut errors);
        errors
    }

    fn cells(object: &Role, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::{Expect, expect};
    use serde_json::json;

    #[expect(clippy::needless_pass_by_value, reason = "tables read better with values")]
    fn create(rule: Value, want: Expect) {
        want.assert_eq(&check::create::<RoleKind>(json!({"rules": [rule]})));
    }

    #[test]
    fn rules_name_verbs_groups_and_resources() {
        create(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}), expect![[""]]);
        create(
            json!({}),
            expect![[r"
            rules[0].verbs: Required value: verbs must contain at least one value
            rules[0].apiGroups: Required value: resource rules must supply at least one api group
            rules[0].resources: Required value: resource rules must supply at least one resource"]],
        );
        create(
            json!({"verbs": ["get"], "nonResourceURLs": ["/metrics"], "resources": ["pods"]}),
            expect![[r#"
            rules[0].nonResourceURLs: Invalid value: ["/metrics"]: namespaced rules cannot apply to non-resource URLs
            rules[0].nonResourceURLs: Invalid value: ["/metrics"]: rules cannot apply to both regular resources and non-resource URLs"#]],
        );
    }
}
