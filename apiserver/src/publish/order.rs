//! Documents whose fields come in the order of upstream's structs: people and scripts read discovery with their eyes and
//! with `grep`.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// Of a document as a whole.
const DOCUMENT: &[&str] = &["kind", "apiVersion", "groupVersion", "name", "versions"];
/// Of everything inside.
const ENTRY: &[&str] = &[
    "groupVersion",
    "name",
    "singularName",
    "namespaced",
    "group",
    "version",
    "kind",
    "verbs",
    "versions",
    "shortNames",
];

/// Known fields first, the others by name.
pub(super) struct InOrder<'a> {
    value: &'a Value,
    first: &'static [&'static str],
}

impl<'a> InOrder<'a> {
    pub(super) fn document(value: &'a Value) -> Self {
        Self { value, first: DOCUMENT }
    }
}

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Object(fields) => {
                let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
                let place = |name: &str| self.first.iter().position(|known| *known == name).unwrap_or(self.first.len());
                fields.sort_by_key(|(name, _)| place(name));
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, &InOrder { value, first: ENTRY })?;
                }
                map.end()
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(|value| InOrder { value, first: ENTRY })),
            other => other.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_come_in_the_order_of_upstream_s_structs() {
        let list = json!({"apiVersion": "v1", "groupVersion": "v1", "kind": "APIResourceList", "resources": [
            {"categories": ["all"], "kind": "Pod", "name": "pods", "namespaced": true, "shortNames": ["po"],
             "singularName": "pod", "storageVersionHash": "x", "verbs": ["get"]}]});
        assert_eq!(
            serde_json::to_string(&InOrder::document(&list)).unwrap(),
            r#"{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"v1","resources":[{"name":"pods","singularName":"pod","namespaced":true,"kind":"Pod","verbs":["get"],"shortNames":["po"],"categories":["all"],"storageVersionHash":"x"}]}"#
        );
    }
}
