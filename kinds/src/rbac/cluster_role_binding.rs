//! ClusterRoleBinding (rbac.authorization.k8s.io/v1).

use crate::errors::FieldErrors;
use crate::rbac::subjects;
use crate::row::{Row, Scope, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::{each, rbac};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use serde_json::Value;

pub(crate) struct ClusterRoleBindingKind;

impl TypedKind for ClusterRoleBindingKind {
    type Object = ClusterRoleBinding;

    const ROW: Row = row! {
        "io.k8s.api.rbac.v1.ClusterRoleBinding" "rbac.authorization.k8s.io" "v1" "ClusterRoleBinding" "clusterrolebindings" "clusterrolebinding" Cluster,
        columns: (subjects::COLUMNS),
        create_on_update: true,
    };
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];

    fn default(binding: &mut ClusterRoleBinding) {
        rbac::default_binding(&mut binding.role_ref, binding.subjects.as_mut());
    }

    fn validate(binding: &ClusterRoleBinding) -> FieldErrors {
        let mut errors = FieldErrors::new();
        rbac::binding(&binding.role_ref, each(&binding.subjects).as_slice(), Scope::Cluster, &mut errors);
        errors
    }

    fn validate_update(binding: &ClusterRoleBinding, old: &ClusterRoleBinding) -> FieldErrors {
        let mut errors = FieldErrors::new();
        rbac::same_role(&binding.role_ref, &old.role_ref, &mut errors);
        errors
    }

    fn cells(binding: &ClusterRoleBinding, now_unix_secs: i64) -> Vec<Value> {
        subjects::cells(&binding.metadata, &binding.role_ref, binding.subjects.as_deref(), now_unix_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn only_cluster_roles_are_bound_and_accounts_name_their_namespace() {
        expect![[r#"
            roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"
            subjects[0].namespace: Required value"#]]
        .assert_eq(&check::create::<ClusterRoleBindingKind>(json!({"roleRef": {"kind": "Role", "name": "r"},
            "subjects": [{"kind": "ServiceAccount", "name": "s"}]})));
    }
}
