//! What claims, volumes and their class have to do with admission: the default class, finalizers that keep what is in use,
//! and growth where the class allows it.

use super::{Call, Context, Operation, pod};
use crate::auth::objects::{STORAGE_CLASSES, find};
use crate::error::ApiError;
use kinds::quantity::Quantity;
use serde_json::{Value, json};
use std::sync::Arc;

const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";
/// The name of [`DEFAULT_CLASS`] before it was stable; still honoured.
const DEFAULT_CLASS_BEFORE: &str = "storageclass.beta.kubernetes.io/is-default-class";
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

pub(super) fn creates_claim(call: &Call<'_>) -> bool {
    call.operation == Operation::Create && call.is("", "persistentvolumeclaims", "")
}

pub(super) fn updates_claim(call: &Call<'_>) -> bool {
    call.operation == Operation::Update && call.is("", "persistentvolumeclaims", "")
}

pub(super) fn creates_protected(call: &Call<'_>) -> bool {
    creates_claim(call)
        || (call.operation == Operation::Create
            && (call.is("", "persistentvolumes", "") || call.is("storage.k8s.io", "volumeattributesclasses", "")))
}

/// DefaultStorageClass: a claim that names no class gets the newest default one.
/// k8s: an empty name asks for no class at all and is left alone
pub(super) fn default_class(context: &Context, claim: &mut Value) {
    let annotated = !claim["metadata"]["annotations"][CLASS_ANNOTATION].is_null();
    if annotated || !claim["spec"]["storageClassName"].is_null() {
        return;
    }
    let classes = context.objects.cached_list(STORAGE_CLASSES, "");
    if let Some(name) = newest_default(&classes, &[DEFAULT_CLASS, DEFAULT_CLASS_BEFORE]) {
        claim["spec"]["storageClassName"] = json!(name);
    }
}

/// Of the classes that an annotation marks: the newest, of several of a second the first by name.
pub(super) fn newest_default(classes: &[Arc<Value>], annotations: &[&str]) -> Option<String> {
    let marked = |class: &&Arc<Value>| {
        annotations.iter().any(|annotation| class["metadata"]["annotations"][*annotation] == "true")
    };
    let text = |class: &Value, field: &str| class["metadata"][field].as_str().unwrap_or_default().to_owned();
    let newest = classes.iter().filter(marked).max_by(|a, b| {
        let by_age = text(a, "creationTimestamp").cmp(&text(b, "creationTimestamp"));
        by_age.then_with(|| text(b, "name").cmp(&text(a, "name")))
    });
    newest.map(|class| text(class, "name"))
}

/// StorageObjectInUseProtection
pub(super) fn protect(call: &Call<'_>, object: &mut Value) {
    let finalizer = match call.resource() {
        "persistentvolumes" => "kubernetes.io/pv-protection",
        "persistentvolumeclaims" => "kubernetes.io/pvc-protection",
        _ => "kubernetes.io/vac-protection",
    };
    let finalizers = pod::array(&mut object["metadata"], "finalizers");
    if !finalizers.iter().any(|other| other == finalizer) {
        finalizers.push(json!(finalizer));
    }
}

/// PersistentVolumeClaimResize: only bound claims of a class that allows it grow.
pub(super) async fn resize(context: &Context, call: &Call<'_>, claim: &Value) -> Result<(), ApiError> {
    let size = |claim: &Value| -> Option<Quantity> {
        claim["spec"]["resources"]["requests"]["storage"].as_str()?.parse().ok()
    };
    let grows = call.old.is_some_and(|old| size(claim) > size(old));
    if !grows {
        return Ok(());
    }
    let old = call.old.unwrap_or(&Value::Null);
    if old["status"]["phase"] != "Bound" {
        return Err(call.forbidden(call.name_of(claim), "Only bound persistent volume claims can be expanded"));
    }
    let annotation = claim["metadata"]["annotations"][CLASS_ANNOTATION].as_str();
    let name = annotation.or_else(|| claim["spec"]["storageClassName"].as_str()).unwrap_or_default();
    let class = match name {
        "" => None,
        name => find(context.objects.as_ref(), STORAGE_CLASSES, "", name).await?,
    };
    if class.is_some_and(|class| class["allowVolumeExpansion"] == true) {
        return Ok(());
    }
    let why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
    Err(call.forbidden(call.name_of(claim), why))
}
