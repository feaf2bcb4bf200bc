//! An operation in the words of an AdmissionRequest: the question to a webhook, and `request` of a policy's expressions.
//! k8s: `plugin/webhook/request`, `plugin/cel/condition.go`

use super::{Call, Operation};
use crate::auth::review::user_info;
use kinds::kind::Kind;
use kinds::row::Row;
use serde_json::{Value, json};

/// Without uid, `object` and `oldObject`. `kind` is the version in which it is seen.
pub(super) fn request(call: &Call<'_>, kind: &dyn Kind, object: &Value) -> Value {
    let asked = call.request;
    let row = kind.row();
    let shown = body(call).unwrap_or_else(|| of_row(row));
    let own = body(call).or_else(|| asked.kind.as_ref().map(|kind| of_row(kind.row())));
    let mut request = json!({
        "kind": shown,
        "resource": {"group": row.group, "version": row.version, "resource": row.plural},
        "requestKind": own,
        "requestResource": {"group": asked.group, "version": asked.version, "resource": asked.resource},
        "name": call.name_of(object),
        "operation": call.operation.word(),
        "userInfo": user_info(call.identity()),
        "dryRun": asked.options.dry_run,
        "options": options(call),
    });
    for (field, value) in
        [("namespace", call.ns()), ("subResource", call.subresource()), ("requestSubResource", call.subresource())]
    {
        if !value.is_empty() {
            request[field] = json!(value);
        }
    }
    request
}

fn of_row(row: &Row) -> Value {
    json!({"group": row.group, "version": row.version, "kind": row.kind})
}

fn body(call: &Call<'_>) -> Option<Value> {
    call.body().map(|(group, version, kind)| json!({"group": group, "version": version, "kind": kind}))
}

/// The body of a connection: the options of its query.
pub(super) fn connect_options(call: &Call<'_>) -> Value {
    let Some((_, version, kind)) = call.body() else { return Value::Null };
    let asked = &call.request.options;
    let mut object = json!({"apiVersion": version, "kind": kind});
    match call.subresource() {
        "proxy" => object["path"] = json!(format!("/{}", call.request.rest)),
        "portforward" => {
            let ports: Vec<u16> =
                asked.raw_all("ports").flat_map(|text| text.split(',')).filter_map(|port| port.parse().ok()).collect();
            if !ports.is_empty() {
                object["ports"] = json!(ports);
            }
        }
        _ => {
            for flag in ["stdin", "stdout", "stderr", "tty"] {
                if asked.raw(flag).is_some_and(|value| matches!(value, "true" | "1")) {
                    object[flag] = json!(true);
                }
            }
            if let Some(container) = asked.raw("container").filter(|name| !name.is_empty()) {
                object["container"] = json!(container);
            }
            let command: Vec<&str> = asked.raw_all("command").collect();
            if !command.is_empty() {
                object["command"] = json!(command);
            }
        }
    }
    object
}

fn options(call: &Call<'_>) -> Value {
    let kind = match call.operation {
        Operation::Create => "CreateOptions",
        Operation::Update => "UpdateOptions",
        Operation::Delete => "DeleteOptions",
        Operation::Connect => return Value::Null,
    };
    let asked = &call.request.options;
    let mut options = json!({"apiVersion": "meta.k8s.io/v1", "kind": kind});
    if asked.dry_run {
        options["dryRun"] = json!(["All"]);
    }
    if !asked.field_manager.is_empty() && call.operation != Operation::Delete {
        options["fieldManager"] = json!(asked.field_manager);
    }
    options
}
