//! RoleBinding (rbac.authorization.k8s.io/v1).

use crate::errors::FieldErrors;
use crate::rbac::subjects;
use crate::row::{Row, Scope, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::{each, rbac};
use k8s_openapi::api::rbac::v1::RoleBinding;
use serde_json::Value;

pub(crate) struct RoleBindingKind;

impl TypedKind for RoleBindingKind {
    type Object = RoleBinding;

    const ROW: Row = row! {
        "io.k8s.api.rbac.v1.RoleBinding" "rbac.authorization.k8s.io" "v1" "RoleBinding" "rolebindings" "rolebinding" Namespaced,
        columns: (subjects::COLUMNS),
        create_on_update: true,
    };
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];

    fn default(binding: &mut RoleBinding) {
        rbac::default_binding(&mut binding.role_ref, binding.subjects.as_mut());
    }

    fn validate(binding: &RoleBinding) -> FieldErrors {
        let mut errors = FieldErrors::new();
        rbac::binding(&binding.role_ref, each(&binding.subjects).as_slice(), Scope::Namespaced, &mut errors);
        errors
    }

    fn validate_update(binding: &RoleBinding, old: &RoleBinding) -> FieldErrors {
        let mut errors = FieldErrors::new();
        rbac::same_role(&binding.role_ref, &old.role_ref, &mut errors);
        errors
    }

    fn cells(binding: &RoleBinding, now_unix_secs: i64) -> Vec<Value> {
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
    fn groups_default_and_accounts_take_the_bindings_namespace() {
        let stored = check::defaulted::<RoleBindingKind>(json!({"roleRef": {"kind": "Role", "name": "r"},
            "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s"}]}));
        assert_eq!(stored["roleRef"]["apiGroup"], "rbac.authorization.k8s.io");
        assert_eq!(stored["subjects"][0]["apiGroup"], "rbac.authorization.k8s.io");
        assert!(stored["subjects"][1].get("apiGroup").is_none());
        expect![[""]].assert_eq(&check::create::<RoleBindingKind>(stored));
    }

    #[test]
    fn references_and_subjects_are_checked() {
        expect![[r#"
            roleRef.kind: Unsupported value: "Pod": supported values: "ClusterRole", "Role"
            roleRef.name: Invalid value: "a/b": may not contain '/'
            subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"
            subjects[1].name: Required value"#]]
        .assert_eq(&check::create::<RoleBindingKind>(json!({"roleRef": {"kind": "Pod", "name": "a/b"},
            "subjects": [{"kind": "Robot", "name": "x"}, {"kind": "Group", "name": ""}]})));
    }

    #[test]
    fn the_role_is_for_life() {
        let old = || json!({"roleRef": {"kind": "Role", "name": "r"}});
        expect![[r#"roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"q"}: cannot change roleRef"#]]
            .assert_eq(&check::update::<RoleBindingKind>(old(), &json!({"roleRef": {"name": "q"}})));
        expect![[""]]
            .assert_eq(&check::update::<RoleBindingKind>(old(), &json!({"subjects": [{"kind": "User", "name": "u"}]})));
    }
}
