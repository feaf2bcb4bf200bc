//! DefaultIngressClass: an ingress that names no class gets the default one.

use super::{Call, Context, Operation, storage};
use crate::auth::objects::INGRESS_CLASSES;
use serde_json::{Value, json};

const DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";
/// The way to name a class before there was a field.
const ANNOTATION: &str = "kubernetes.io/ingress.class";

pub(super) fn applies(call: &Call<'_>) -> bool {
    call.operation == Operation::Create && call.is("networking.k8s.io", "ingresses", "")
}

pub(super) fn mutate(context: &Context, ingress: &mut Value) {
    let annotated = !ingress["metadata"]["annotations"][ANNOTATION].is_null();
    if annotated || !ingress["spec"]["ingressClassName"].is_null() {
        return;
    }
    let classes = context.objects.cached_list(INGRESS_CLASSES, "");
    if let Some(name) = storage::newest_default(&classes, &[DEFAULT]) {
        ingress["spec"]["ingressClassName"] = json!(name);
    }
}
