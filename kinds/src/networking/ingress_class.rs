//! IngressClass (networking.k8s.io/v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{domain_prefixed_path, format, given, immutable, invalid_each, one_of};
use k8s_openapi::api::networking::v1::{IngressClass, IngressClassParametersReference};
use serde_json::Value;

pub(crate) struct IngressClassKind;

impl TypedKind for IngressClassKind {
    type Object = IngressClass;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn default(class: &mut IngressClass) {
        if let Some(parameters) = class.spec.as_mut().and_then(|spec| spec.parameters.as_mut()) {
            parameters.scope.get_or_insert_with(|| "Cluster".to_owned());
        }
    }

    fn validate(class: &IngressClass) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let spec = class.spec.clone().unwrap_or_default();
        if let Some(controller) = given(spec.controller.as_ref()) {
            self::controller(controller, &path.child("controller"), &mut errors);
        }
        if let Some(parameters) = &spec.parameters {
            parameters_rules(parameters, &path.child("parameters"), &mut errors);
        }
        errors
    }

    fn validate_update(class: &IngressClass, old: &IngressClass) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let controller = |class: &IngressClass| class.spec.as_ref().and_then(|spec| spec.controller.clone());
        immutable(&controller(class), &controller(old), &Path::new("spec.controller"), &mut errors);
        errors
    }
}

fn controller(name: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    const CONTROLLER_BYTES_MAX: usize = 250;
    if name.len() > CONTROLLER_BYTES_MAX {
        errors.push(FieldError::too_long(path, CONTROLLER_BYTES_MAX));
    }
    domain_prefixed_path(name, path, errors);
}

fn parameters_rules(all: &IngressClassParametersReference, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(group) = given(all.api_group.as_ref()) {
        invalid_each(group, format::dns_subdomain(group), &path.child("apiGroup"), errors);
    }
    for (field, value) in [("kind", &all.kind), ("name", &all.name)] {
        if value.is_empty() {
            errors.push(FieldError::required(path.child(field), ""));
        } else {
            invalid_each(value, format::path_segment(value), &path.child(field), errors);
        }
    }
    let (at, namespace) = (path.child("namespace"), given(all.namespace.as_ref()));
    match (all.scope.as_deref(), namespace) {
        (None | Some(""), _) => errors.push(FieldError::required(path.child("scope"), "")),
        (Some("Namespace"), None) => {
            errors.push(FieldError::required(at, "`parameters.scope` is set to 'Namespace'"));
        }
        (Some("Namespace"), Some(namespace)) => {
            invalid_each(namespace, format::dns_label(namespace), &at, errors);
        }
        (Some("Cluster"), Some(_)) => {
            errors.push(FieldError::forbidden(at, "`parameters.scope` is set to 'Cluster'"));
        }
        (Some("Cluster"), None) => {}
        (Some(scope), _) => one_of(scope, &["Cluster", "Namespace"], &path.child("scope"), errors),
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.networking.v1.IngressClass" "networking.k8s.io" "v1" "IngressClass" "ingressclasses" "ingressclass" Cluster,
    columns: [
        NAME,
        Column::new("Controller", "string"),
        Column::new("Parameters", "string"),
        AGE,
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        tree::text(object, "spec.controller").into(),
        parameters(object).into(),
        cells::of::age(object, now_unix_secs),
    ]
}

/// `ingressparameters.k8s.example.com/external`
fn parameters(class: &Value) -> String {
    let Some(parameters) = tree::at(class, "spec.parameters") else { return cells::NONE.to_owned() };
    let kind = tree::text(parameters, "kind");
    match tree::text(parameters, "apiGroup") {
        "" => format!("{kind}/{}", tree::text(parameters, "name")),
        group => format!("{kind}.{group}/{}", tree::text(parameters, "name")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn parameters_are_in_a_namespace_or_not() {
        let class = |parameters: Value| json!({"spec": {"controller": "example.com/c", "parameters": parameters}});
        let stored = check::defaulted::<IngressClassKind>(class(json!({"kind": "K", "name": "n"})));
        assert_eq!(stored["spec"]["parameters"]["scope"], "Cluster");
        assert_eq!(check::create::<IngressClassKind>(stored), "");
        expect![[r#"
            spec.controller: Invalid value: "c": must be a domain-prefixed path (such as "acme.io/foo")
            spec.parameters.kind: Required value
            spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"#]]
        .assert_eq(&check::create::<IngressClassKind>(
            json!({"spec": {"controller": "c", "parameters": {"name": "n", "scope": "Namespace"}}}),
        ));
        expect![[r#"spec.controller: Invalid value: "example.com/d": field is immutable"#]].assert_eq(
            &check::update::<IngressClassKind>(class(Value::Null), &json!({"spec": {"controller": "example.com/d"}})),
        );
    }
}
