//! What expressions of admission may name, and of what types those are.
//! k8s: `plugin/cel/compile.go`, BuildRequestType and BuildNamespaceType

use crate::cel::{Environment, Ty};
use crate::custom::structural::Structural;
use serde_json::{Value, json};
use std::sync::LazyLock;

pub(super) static REQUEST: LazyLock<Structural> = LazyLock::new(|| {
    let kind = object(&[("group", text()), ("version", text()), ("kind", text())]);
    let resource = object(&[("group", text()), ("version", text()), ("resource", text())]);
    let extra = json!({"type": "object", "additionalProperties": list(text())});
    let user = object(&[("username", text()), ("uid", text()), ("groups", list(text())), ("extra", extra)]);
    Structural::compile(&object(&[
        ("kind", kind.clone()),
        ("resource", resource.clone()),
        ("subResource", text()),
        ("requestKind", kind),
        ("requestResource", resource),
        ("requestSubResource", text()),
        ("name", text()),
        ("namespace", text()),
        ("operation", text()),
        ("userInfo", user),
        ("dryRun", json!({"type": "boolean"})),
        ("options", json!({"x-kubernetes-preserve-unknown-fields": true})),
    ]))
});

pub(super) static NAMESPACE: LazyLock<Structural> = LazyLock::new(|| {
    let time = || json!({"type": "string", "format": "date-time"});
    let texts = || json!({"type": "object", "additionalProperties": text()});
    let number = || json!({"type": "integer"});
    let condition = object(&[
        ("status", text()),
        ("type", text()),
        ("lastTransitionTime", time()),
        ("message", text()),
        ("reason", text()),
    ]);
    let metadata = object(&[
        ("name", text()),
        ("generateName", text()),
        ("namespace", text()),
        ("labels", texts()),
        ("annotations", texts()),
        ("UID", text()),
        ("uid", text()),
        ("creationTimestamp", time()),
        ("deletionGracePeriodSeconds", number()),
        ("deletionTimestamp", time()),
        ("generation", number()),
        ("resourceVersion", text()),
        ("finalizers", list(text())),
    ]);
    Structural::compile(&object(&[
        ("metadata", metadata),
        ("spec", object(&[("finalizers", list(text()))])),
        ("status", object(&[("conditions", list(condition)), ("phase", text())])),
    ]))
});

fn text() -> Value {
    json!({"type": "string"})
}

fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn object(fields: &[(&str, Value)]) -> Value {
    let properties: serde_json::Map<String, Value> =
        fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({"type": "object", "properties": properties})
}

/// Without variables and patches, which come later.
pub(super) fn of(has_params: bool) -> Environment<'static> {
    let names = [
        ("object", Ty::Dyn),
        ("oldObject", Ty::Dyn),
        ("request", Ty::of(&REQUEST)),
        ("namespaceObject", Ty::of(&NAMESPACE)),
        ("authorizer", Ty::Authorizer),
    ];
    Environment::new(names.into_iter().chain(has_params.then_some(("params", Ty::Dyn))))
}

/// The same where the caller's permissions are no matter. k8s: HasAuthorizer false
pub(super) fn without_authorizer<'a>(environment: &Environment<'a>) -> Environment<'a> {
    let mut environment = environment.clone();
    environment.names.retain(|(name, _)| name != "authorizer");
    environment
}
