//! ControllerRevision (apps/v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{immutable, non_negative};
use k8s_openapi::api::apps::v1::ControllerRevision;
use serde_json::Value;

pub(crate) struct ControllerRevisionKind;

impl TypedKind for ControllerRevisionKind {
    type Object = ControllerRevision;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn validate(revision: &ControllerRevision) -> FieldErrors {
        let mut errors = FieldErrors::new();
        if revision.data.0.is_null() {
            errors.push(FieldError::required("data", "data is mandatory"));
        }
        non_negative(revision.revision.unwrap_or_default(), &Path::new("revision"), &mut errors);
        errors
    }

    fn validate_update(revision: &ControllerRevision, old: &ControllerRevision) -> FieldErrors {
        let mut errors = FieldErrors::new();
        immutable(&revision.data.0, &old.data.0, &Path::new("data"), &mut errors);
        errors
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.apps.v1.ControllerRevision" "apps" "v1" "ControllerRevision" "controllerrevisions" "controllerrevision" Namespaced,
    columns: [
        NAME,
        Column::new("Controller", "string"),
        Column::new("Revision", "string"),
        AGE,
    ],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        controller(object).into(),
        tree::integer(object, "revision").into(),
        cells::of::age(object, now_unix_secs),
    ]
}

/// `statefulset.apps/web`
fn controller(revision: &Value) -> String {
    let owners = tree::list(revision, "metadata.ownerReferences");
    let Some(owner) = owners.iter().find(|owner| tree::boolean(owner, "controller")) else {
        return cells::NONE.to_owned();
    };
    let kind = tree::text(owner, "kind").to_lowercase();
    match tree::text(owner, "apiVersion").split_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{}", tree::text(owner, "name")),
        None => format!("{kind}/{}", tree::text(owner, "name")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn the_data_of_a_revision_is_there_and_stays() {
        let revision = json!({"data": {"spec": 1}, "revision": 1});
        assert_eq!(check::create::<ControllerRevisionKind>(revision.clone()), "");
        assert_eq!(check::update::<ControllerRevisionKind>(revision.clone(), &json!({"revision": 2})), "");
        expect![[r#"data: Invalid value: {"spec":2}: field is immutable"#]].assert_eq(&check::update::<
            ControllerRevisionKind,
        >(
            revision,
            &json!({"data": {"spec": 2}}),
        ));
        expect![[r"
            data: Required value: data is mandatory
            revision: Invalid value: -1: must be greater than or equal to 0"]]
        .assert_eq(&check::create::<ControllerRevisionKind>(json!({"revision": -1})));
    }
}
