//! Event (v1). The events.k8s.io view of the same objects is in `events/event.rs`.

pub(crate) mod printer;

use crate::errors::{FieldError, FieldErrors};
use crate::row::Row;
use crate::typed::{Hook, TypedKind};
use crate::validate::given;
use k8s_openapi::api::core::v1::Event;
use serde_json::Value;

/// Where events of objects without a namespace are kept.
const NAMESPACE_OF_CLUSTER_OBJECTS: &str = "default";

pub(crate) struct EventKind;

impl TypedKind for EventKind {
    type Object = Event;

    const ROW: Row = printer::ROW;
    const LACKS: &'static [Hook] =
        &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];

    /// k8s: events of the core group keep the lenient rules of their first days (`legacyValidateEvent`).
    fn validate(event: &Event) -> FieldErrors {
        let ns = event.metadata.namespace.as_deref().unwrap_or_default();
        let agrees = match given(event.involved_object.namespace.as_ref()) {
            None => matches!(ns, "" | NAMESPACE_OF_CLUSTER_OBJECTS),
            Some(about) => about == ns,
        };
        if agrees {
            return Vec::new();
        }
        let about = event.involved_object.namespace.as_deref().unwrap_or_default();
        vec![FieldError::invalid("involvedObject.namespace", about, "does not match event.namespace")]
    }

    fn cells(object: &Event, now_unix_secs: i64) -> Vec<Value> {
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
    fn a_source_is_the_component_or_who_reports() {
        use crate::kind::Kind;
        let kind = crate::typed::Typed::<EventKind>::new();
        let source = |event: Value| kind.field(&event, "source").unwrap();
        assert_eq!(source(json!({"source": {"component": "c"}, "reportingComponent": "r"})), "c");
        assert_eq!(source(json!({"source": {}, "reportingComponent": "r"})), "r");
        assert_eq!(source(json!({})), "");
    }

    #[test]
    fn an_event_lives_where_its_object_lives() {
        let create = |ns: &str, about: Value| {
            check::create::<EventKind>(json!({"metadata": {"namespace": ns}, "involvedObject": about}))
        };
        assert_eq!(create("a", json!({"namespace": "a"})), "");
        assert_eq!(create("default", json!({"kind": "Node"})), "");
        expect![[r#"involvedObject.namespace: Invalid value: "b": does not match event.namespace"#]]
            .assert_eq(&create("a", json!({"namespace": "b"})));
        expect![[r#"involvedObject.namespace: Invalid value: "": does not match event.namespace"#]]
            .assert_eq(&create("a", json!({"kind": "Node"})));
    }
}
