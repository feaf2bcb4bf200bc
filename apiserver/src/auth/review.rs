//! Reviews: questions about identity and permission, answered and not kept.
//! k8s: `registry/authorization/*`, `registry/authentication/*`.

use super::{Attributes, AuthnError, Decision};
use crate::error::ApiError;
use crate::registry::Call;
use crate::server::Server;
use client::identity::Identity;
use kinds::errors::FieldError;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Fills in `status`. `object` passed the schema.
pub async fn answer(server: &Server, call: &Call<'_>, mut object: Value) -> Result<Value, ApiError> {
    let row = call.row();
    object["apiVersion"] = json!(row.api_version());
    object["kind"] = json!(row.kind);
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    let caller = &call.request.identity;
    object["status"] = match row.plural.as_ref() {
        "subjectaccessreviews" => access(server, call, &object, &subject(call, &object)?)?,
        "localsubjectaccessreviews" => {
            let asked = object.pointer("/spec/resourceAttributes/namespace").and_then(Value::as_str);
            if asked != Some(call.ns) {
                let why = format!("must match metadata.namespace: {}", call.ns);
                let error = FieldError::invalid("spec.resourceAttributes.namespace", asked.unwrap_or_default(), why);
                return Err(ApiError::invalid(row, "", vec![error]));
            }
            object["metadata"]["namespace"] = json!(call.ns);
            access(server, call, &object, &subject(call, &object)?)?
        }
        "selfsubjectaccessreviews" => access(server, call, &object, caller)?,
        "selfsubjectrulesreviews" => rules(server, &object, caller)?,
        "tokenreviews" => token(server, call, &object).await?,
        "selfsubjectreviews" => json!({"userInfo": user_info(caller)}),
        other => return Err(ApiError::internal(format!("{other} cannot be answered"))),
    };
    Ok(object)
}

fn text<'a>(tree: &'a Value, pointer: &str) -> &'a str {
    tree.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn strings(tree: &Value) -> Vec<String> {
    tree.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whom a (local) SubjectAccessReview asks about.
fn subject(call: &Call<'_>, object: &Value) -> Result<Identity, ApiError> {
    let spec = &object["spec"];
    let extra: BTreeMap<String, Vec<String>> = spec["extra"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, values)| (key.to_lowercase(), strings(values)))
        .collect();
    let identity = Identity {
        user: text(spec, "/user").to_owned(),
        uid: text(spec, "/uid").to_owned(),
        groups: strings(&spec["groups"]),
        extra,
    };
    if identity.user.is_empty() && identity.groups.is_empty() {
        let error = FieldError::invalid("spec.user", "", "at least one of user or group must be specified");
        return Err(ApiError::invalid(call.row(), "", vec![error]));
    }
    Ok(identity)
}

fn access(server: &Server, call: &Call<'_>, object: &Value, identity: &Identity) -> Result<Value, ApiError> {
    let given = |field: &str| object["spec"].get(field).filter(|value| value.is_object());
    let refuse = |error| Err(ApiError::invalid(call.row(), "", vec![error]));
    let attributes = match (given("resourceAttributes"), given("nonResourceAttributes")) {
        (Some(asked), None) => Attributes {
            verb: text(asked, "/verb"),
            group: text(asked, "/group"),
            version: text(asked, "/version"),
            resource: text(asked, "/resource"),
            subresource: text(asked, "/subresource"),
            namespace: text(asked, "/namespace"),
            name: text(asked, "/name"),
            field_selector: text(asked, "/fieldSelector/rawSelector"),
            path: None,
        },
        (None, Some(asked)) => {
            Attributes { verb: text(asked, "/verb"), path: Some(text(asked, "/path")), ..Attributes::default() }
        }
        (Some(_), Some(_)) => {
            let why = "cannot be specified in combination with resourceAttributes";
            return refuse(FieldError::invalid("spec.nonResourceAttributes", Value::Null, why));
        }
        (None, None) => {
            let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            return refuse(FieldError::invalid("spec.resourceAttributes", Value::Null, why));
        }
    };
    Ok(match server.authorizer.authorize(identity, &attributes) {
        Decision::Allow { reason } if reason.is_empty() => json!({"allowed": true}),
        Decision::Allow { reason } => json!({"allowed": true, "reason": reason}),
        Decision::Deny { .. } => json!({"allowed": false}),
    })
}

fn rules(server: &Server, object: &Value, identity: &Identity) -> Result<Value, ApiError> {
    let namespace = text(object, "/spec/namespace");
    if namespace.is_empty() {
        return Err(ApiError::bad_request("no namespace on request"));
    }
    let mut rules = server.authorizer.rbac().rules_for(identity, namespace);
    if identity.groups.iter().any(|group| group == super::GROUP_MASTERS) {
        let all = || vec!["*".to_owned()];
        let everything = super::rbac::Rule { verbs: all(), api_groups: all(), resources: all(), ..Default::default() };
        rules.push(everything);
        rules.push(super::rbac::Rule { verbs: all(), paths: all(), ..Default::default() });
    }
    let (paths, resources): (Vec<_>, Vec<_>) = rules.into_iter().partition(|rule| !rule.paths.is_empty());
    Ok(json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false}))
}

async fn token(server: &Server, call: &Call<'_>, object: &Value) -> Result<Value, ApiError> {
    let token = text(object, "/spec/token");
    if token.is_empty() {
        return Err(ApiError::bad_request("token is required for TokenReview in authentication"));
    }
    let audiences = strings(&object["spec"]["audiences"]);
    match server.authenticator.authenticate_token(token, &audiences).await {
        Ok((identity, audiences)) => {
            Ok(json!({"authenticated": true, "user": user_info(&identity), "audiences": audiences}))
        }
        Err(error @ (AuthnError::Refused(_) | AuthnError::Missing)) => {
            tracing::debug!(%error, user = call.request.identity.user, "token review");
            Ok(json!({"authenticated": false, "user": {}, "error": "invalid bearer token"}))
        }
    }
}

fn user_info(identity: &Identity) -> Value {
    let mut info = json!({"username": identity.user});
    if !identity.uid.is_empty() {
        info["uid"] = json!(identity.uid);
    }
    if !identity.groups.is_empty() {
        info["groups"] = json!(identity.groups);
    }
    if !identity.extra.is_empty() {
        info["extra"] = json!(identity.extra);
    }
    info
}
