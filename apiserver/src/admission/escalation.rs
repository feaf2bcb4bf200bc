//! Nobody grants what they do not hold: roles and bindings are checked against the writer's own rules.
//! k8s: `pkg/registry/rbac/*/policybased`. The verbs `escalate` (roles) and `bind` (bindings) lift the check.

use super::{Call, Context, Operation};
use crate::auth::rbac::Rule;
use crate::auth::{Attributes, GROUP_MASTERS};
use crate::error::ApiError;
use serde::Deserialize;
use serde_json::Value;

const GROUP: &str = "rbac.authorization.k8s.io";

pub(super) fn applies(call: &Call<'_>) -> bool {
    let written = matches!(call.operation, Operation::Create | Operation::Update);
    let resource = call.resource();
    written
        && call.group() == GROUP
        && matches!(resource, "roles" | "clusterroles" | "rolebindings" | "clusterrolebindings")
        && !call.identity().groups.iter().any(|group| group == GROUP_MASTERS)
}

pub(super) async fn validate(context: &Context, call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    match call.resource() {
        "roles" | "clusterroles" => role(context, call, object).await,
        _ => binding(context, call, object).await,
    }
}

async fn role(context: &Context, call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    if call.changes_ownership_only(object)
        || permitted(context, call, "escalate", call.resource(), call.name_of(object)).await
    {
        return Ok(());
    }
    let aggregates = |role: &Value| role.get("aggregationRule").is_some_and(|rule| !rule.is_null());
    if aggregates(object) || call.old.is_some_and(aggregates) {
        let everything = [
            Rule { verbs: all(), api_groups: all(), resources: all(), ..Rule::default() },
            Rule { verbs: all(), paths: all(), ..Rule::default() },
        ];
        if !context.authorizer.rbac().missing(call.identity(), "", &everything).is_empty() {
            let why = "must have cluster-admin privileges to use an aggregationRule";
            return Err(call.forbidden(call.name_of(object), why));
        }
    }
    let rules = object.get("rules").map(Vec::<Rule>::deserialize).transpose();
    let rules = rules.map_err(|error| ApiError::bad_request(error.to_string()))?.unwrap_or_default();
    check(context, call, object, &rules)
}

async fn binding(context: &Context, call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    let reference = &object["roleRef"];
    let (kind, name) = (reference["kind"].as_str().unwrap_or_default(), reference["name"].as_str().unwrap_or_default());
    let (resource, ns) = match kind {
        "ClusterRole" => ("clusterroles", ""),
        _ => ("roles", call.ns()),
    };
    if call.changes_ownership_only(object) || permitted(context, call, "bind", resource, name).await {
        return Ok(());
    }
    let Some(rules) = context.authorizer.rbac().role(ns, name) else {
        // k8s: whoever may not bind cannot learn rules from a role that does not exist yet.
        return Err(ApiError::NotFound {
            resource: crate::error::Qualified::new(GROUP, resource),
            name: name.to_owned(),
        });
    };
    check(context, call, object, &rules)
}

async fn permitted(context: &Context, call: &Call<'_>, verb: &str, resource: &str, name: &str) -> bool {
    let attributes =
        Attributes { verb, group: GROUP, version: "v1", resource, namespace: call.ns(), name, ..Attributes::default() };
    context.authorizer.authorize(call.identity(), &attributes).await.is_allowed()
}

fn check(context: &Context, call: &Call<'_>, object: &Value, rules: &[Rule]) -> Result<(), ApiError> {
    let identity = call.identity();
    let missing = context.authorizer.rbac().missing(identity, call.ns(), rules);
    if missing.is_empty() {
        return Ok(());
    }
    let groups: Vec<String> = identity.groups.iter().map(|group| format!("{group:?}")).collect();
    let mut lines: Vec<String> = missing.iter().map(ToString::to_string).collect();
    lines.sort_unstable();
    let why = format!(
        "user {:?} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
        identity.user,
        groups.join(" "),
        lines.join("\n")
    );
    Err(call.forbidden(call.name_of(object), why))
}

fn all() -> Vec<String> {
    vec!["*".to_owned()]
}
