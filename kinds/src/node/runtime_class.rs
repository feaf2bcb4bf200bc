//! RuntimeClass (node.k8s.io/v1).

use crate::cells;
use crate::errors::FieldErrors;
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, format, immutable, invalid_each, metadata, placement, resources};
use k8s_openapi::api::node::v1::RuntimeClass;
use serde_json::Value;

pub(crate) struct RuntimeClassKind;

impl TypedKind for RuntimeClassKind {
    type Object = RuntimeClass;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn validate(class: &RuntimeClass) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let handler = &class.handler;
        invalid_each(handler, format::dns_label(handler), &Path::new("handler"), &mut errors);
        if let Some(list) = class.overhead.as_ref().and_then(|overhead| overhead.pod_fixed.as_ref()) {
            resources::overhead(list, &Path::new("overhead.podFixed"), &mut errors);
        }
        if let Some(scheduling) = &class.scheduling {
            let path = Path::new("scheduling");
            metadata::labels(scheduling.node_selector.as_ref(), &path.child("nodeSelector"), &mut errors);
            let all = each(&scheduling.tolerations).as_slice();
            placement::tolerations(all, &path.child("tolerations"), &mut errors);
        }
        errors
    }

    fn validate_update(class: &RuntimeClass, old: &RuntimeClass) -> FieldErrors {
        let mut errors = FieldErrors::new();
        immutable(&class.handler, &old.handler, &Path::new("handler"), &mut errors);
        errors
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.node.v1.RuntimeClass" "node.k8s.io" "v1" "RuntimeClass" "runtimeclasses" "runtimeclass" Cluster,
    columns: [NAME, Column::new("Handler", "string"), AGE],
    create_on_update: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![cells::of::name(object), tree::text(object, "handler").into(), cells::of::age(object, now_unix_secs)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn the_handler_is_a_label_for_life() {
        assert_eq!(check::create::<RuntimeClassKind>(json!({"handler": "fast"})), "");
        expect![[r#"handler: Invalid value: "slow": field is immutable"#]]
            .assert_eq(&check::update::<RuntimeClassKind>(json!({"handler": "fast"}), &json!({"handler": "slow"})));
    }
}
