//! CustomResourceDefinition (apiextensions.k8s.io/v1). Its hooks work on the tree: schemas are large, and their rules are
//! about what is written, not about Go types. What is done with an accepted definition is in `custom`.

mod rules;
mod schema;

use crate::cells;
use crate::custom::condition::{self, CLEANUP_FINALIZER};
use crate::errors::{FieldError, FieldErrors};
use crate::kind::Kind;
use crate::row::{Row, STATUS, row};
use crate::tree;
use crate::validate::metadata::{self, Origin};
use serde_json::{Map, Value, json};

static ROW: Row = row! {
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition" "apiextensions.k8s.io" "v1" "CustomResourceDefinition" "customresourcedefinitions" "customresourcedefinition" Cluster,
    short: ["crd", "crds"],
    categories: ["api-extensions"],
    subresources: [STATUS],
    generation: true,
};

/// k8s: the port of a webhook's service
const WEBHOOK_PORT: i64 = 443;

pub(crate) struct CustomResourceDefinitionKind;

impl Kind for CustomResourceDefinitionKind {
    fn row(&self) -> &Row {
        &ROW
    }

    fn default(&self, object: &mut Value) {
        let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
        if let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut) {
            let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
            fill(names, "singular", &kind.to_lowercase());
            fill(names, "listKind", &format!("{kind}List"));
        }
        let conversion = spec.entry("conversion").or_insert_with(|| json!({}));
        if let Some(conversion) = conversion.as_object_mut() {
            fill(conversion, "strategy", "None");
        }
        let service = conversion.pointer_mut("/webhook/clientConfig/service").and_then(Value::as_object_mut);
        if let Some(service) = service {
            service.entry("port").or_insert(WEBHOOK_PORT.into());
        }
    }

    fn prepare_create(&self, object: &mut Value) {
        object["status"] = json!({"acceptedNames": {"kind": "", "plural": ""}, "conditions": []});
        keep_storage_version(object);
    }

    fn prepare_update(&self, object: &mut Value, old: &Value) {
        tree::prepare_update(self.row(), object, old);
        keep_storage_version(object);
    }

    /// k8s: of the metadata nothing changes with the status but who manages it
    fn prepare_status(&self, object: &mut Value, old: &Value) {
        tree::prepare_status(self.row(), object, old);
        for field in ["labels", "annotations"] {
            let before = tree::at(old, "metadata").and_then(|metadata| metadata.get(field));
            let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
            match before {
                Some(value) => metadata.insert(field.to_owned(), value.clone()),
                None => metadata.remove(field),
            };
        }
    }

    /// k8s: CustomResourceDefinition's REST storage marks the definition, adds the finalizer, and says so in a condition
    fn prepare_delete(&self, object: &mut Value, now: &str) {
        let finalizers = &mut object["metadata"]["finalizers"];
        if !finalizers.is_array() {
            *finalizers = json!([]);
        }
        if let Some(list) = finalizers.as_array_mut()
            && !list.iter().any(|name| name == CLEANUP_FINALIZER)
        {
            list.push(json!(CLEANUP_FINALIZER));
        }
        condition::set(
            object,
            now,
            ("Terminating", "True"),
            "InstanceDeletionPending",
            "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        );
    }

    fn validate(&self, object: &Value) -> FieldErrors {
        let mut errors = self.of_metadata(object);
        errors.extend(rules::of_annotations(object));
        errors.extend(rules::check(object, None));
        errors
    }

    fn validate_update(&self, object: &Value, old: &Value) -> FieldErrors {
        let mut errors = metadata::of_change(object, old);
        errors.extend(rules::of_change(object, old));
        errors
    }

    fn validate_status(&self, object: &Value, old: &Value) -> FieldErrors {
        let mut errors = self.of_metadata(object);
        errors.extend(metadata::of_change(object, old));
        errors.extend(rules::of_status(object));
        errors
    }

    fn warnings(&self, _object: &Value) -> Vec<String> {
        Vec::new()
    }

    fn cells(&self, object: &Value, _now_unix_secs: i64) -> Vec<Value> {
        cells::of::name_and_creation(object)
    }

    fn field(&self, object: &Value, field: &str) -> Option<String> {
        tree::field(self.row(), object, field)
    }

    /// A schema that stays as it is was let through before, and is not held to rules that came later.
    fn update(&self, object: &mut Value, old: &Value) -> FieldErrors {
        self.prepare_update(object, old);
        let mut errors = self.of_metadata(object);
        errors.extend(rules::check(object, Some(old)));
        errors.extend(self.validate_update(object, old));
        errors
    }
}

impl CustomResourceDefinitionKind {
    fn of_metadata(&self, object: &Value) -> FieldErrors {
        let mut errors = metadata::of_object(self.row(), Origin::Custom, object);
        let wanted = format!("{}.{}", tree::text(object, "spec.names.plural"), tree::text(object, "spec.group"));
        let name = tree::text(object, "metadata.name");
        if name != wanted {
            errors.push(FieldError::invalid("metadata.name", name, "must be spec.names.plural+\".\"+spec.group"));
        }
        errors
    }
}

fn fill(fields: &mut Map<String, Value>, name: &str, default: &str) {
    if fields.get(name).and_then(Value::as_str).unwrap_or_default().is_empty() {
        fields.insert(name.to_owned(), default.into());
    }
}

/// The version that objects are written in from now on counts among those that may be found in the store.
fn keep_storage_version(object: &mut Value) {
    let storage = tree::list(object, "spec.versions").iter().find(|version| version["storage"] == true);
    let Some(name) = storage.and_then(|version| version["name"].as_str()).map(str::to_owned) else { return };
    if !object["status"].is_object() {
        object["status"] = json!({});
    }
    let stored = &mut object["status"]["storedVersions"];
    if !stored.is_array() {
        *stored = json!([]);
    }
    if let Some(list) = stored.as_array_mut()
        && !list.iter().any(|known| *known == name)
    {
        list.push(Value::String(name));
    }
}

#[cfg(test)]
mod tests;
