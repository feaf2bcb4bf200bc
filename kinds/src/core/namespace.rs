//! Namespace (v1).

mod printer;

use crate::errors::{FieldError, FieldErrors};
use crate::row::Row;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, format, given, invalid_each};
use k8s_openapi::api::core::v1::{Namespace, NamespaceSpec, NamespaceStatus};
use serde_json::Value;

/// Every namespace carries its name as a label, so that selectors can name it.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";
/// The finalizer of the namespace controller, which empties the namespace first.
const FINALIZER: &str = "kubernetes";

pub(crate) struct NamespaceKind;

impl TypedKind for NamespaceKind {
    type Object = Namespace;

    const ROW: Row = printer::ROW;
    const LACKS: &'static [Hook] = &[Hook::ValidateUpdate, Hook::Warnings];

    fn default(namespace: &mut Namespace) {
        name_label(namespace);
        let phase = &mut namespace.status.get_or_insert_default().phase;
        if given(phase.as_ref()).is_none() {
            *phase = Some("Active".to_owned());
        }
    }

    fn prepare_create(namespace: &mut Namespace) {
        // The name of a generateName is known only now.
        name_label(namespace);
        namespace.status = Some(NamespaceStatus { phase: Some("Active".to_owned()), conditions: None });
        let NamespaceSpec { finalizers } = namespace.spec.get_or_insert_default();
        let finalizers = finalizers.get_or_insert_default();
        if !finalizers.iter().any(|name| name == FINALIZER) {
            finalizers.push(FINALIZER.to_owned());
        }
    }

    /// Finalizers of the spec go only through `finalize`.
    fn prepare_update(namespace: &mut Namespace, old: &Namespace) {
        namespace.spec.clone_from(&old.spec);
    }

    fn validate(namespace: &Namespace) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec.finalizers");
        for name in namespace.spec.iter().flat_map(|spec| each(&spec.finalizers)) {
            invalid_each(name, format::qualified_name(name), &path, &mut errors);
            if !name.contains('/') && name != FINALIZER {
                let detail = "name is neither a standard finalizer name nor is it fully qualified";
                errors.push(FieldError::invalid(path, name, detail));
            }
        }
        errors
    }

    fn validate_status(namespace: &Namespace, _old: &Namespace) -> FieldErrors {
        let phase = namespace.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default();
        let (wanted, detail) = if namespace.metadata.deletion_timestamp.is_none() {
            ("Active", "may only be 'Active' if `deletionTimestamp` is empty")
        } else {
            ("Terminating", "may only be 'Terminating' if `deletionTimestamp` is not empty")
        };
        if phase == wanted { Vec::new() } else { vec![FieldError::invalid("status.Phase", phase, detail)] }
    }

    fn cells(object: &Namespace, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}

fn name_label(namespace: &mut Namespace) {
    if let Some(name) = namespace.metadata.name.clone().filter(|name| !name.is_empty()) {
        namespace.metadata.labels.get_or_insert_default().insert(NAME_LABEL.to_owned(), name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_new_namespace_is_active_labelled_and_held_by_its_controller() {
        let stored =
            check::created::<NamespaceKind>(json!({"metadata": {"name": "a"}, "status": {"phase": "Terminating"}}));
        assert_eq!(stored["metadata"]["labels"][NAME_LABEL], "a");
        assert_eq!(stored["spec"]["finalizers"], json!(["kubernetes"]));
        assert_eq!(stored["status"]["phase"], "Active");
        check::defaulted::<NamespaceKind>(json!({"metadata": {"name": "a"}}));
    }

    #[test]
    fn finalizers_of_the_spec_do_not_change_by_update() {
        let stored =
            check::updated::<NamespaceKind>(json!({"metadata": {"name": "a"}}), &json!({"spec": {"finalizers": []}}));
        assert_eq!(stored["spec"]["finalizers"], json!(["kubernetes"]));
        expect![[r#"spec.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified"#]]
            .assert_eq(&check::create::<NamespaceKind>(json!({"metadata": {"name": "a"}, "spec": {"finalizers": ["mine"]}})));
    }

    #[test]
    fn a_namespace_terminates_only_when_it_is_deleted() {
        expect![[
            r#"status.Phase: Invalid value: "Terminating": may only be 'Active' if `deletionTimestamp` is empty"#
        ]]
        .assert_eq(&check::status::<NamespaceKind>(
            json!({"metadata": {"name": "a"}}),
            &json!({"status": {"phase": "Terminating"}}),
        ));
    }
}
