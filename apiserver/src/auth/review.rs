//! Reviews: questions about identity and permission, answered and not kept.
//! k8s: `registry/authorization/*`, `registry/authentication/*`.

use super::{Attributes, AuthnError, Decision};
use crate::error::ApiError;
use crate::registry::Call;
use crate::server::Server;
use client::identity::Identity;
use kinds::errors::{FieldError, FieldErrors};
use kinds::selector::{FieldRequirement, FieldSelector, LabelSelector, Operator, Requirement};
use kinds::tree::text;
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
        "subjectaccessreviews" => {
            check_metadata(call, &object)?;
            access(server, call, &object, &subject(call, &object)?).await?
        }
        "localsubjectaccessreviews" => {
            check_metadata(call, &object)?;
            check_local(call, &mut object)?;
            access(server, call, &object, &subject(call, &object)?).await?
        }
        "selfsubjectaccessreviews" => {
            check_metadata(call, &object)?;
            access(server, call, &object, caller).await?
        }
        "selfsubjectrulesreviews" => rules(server, &object, caller)?,
        "tokenreviews" => token(server, call, &object).await?,
        "selfsubjectreviews" => json!({"userInfo": user_info(caller)}),
        other => return Err(ApiError::internal(format!("{other} cannot be answered"))),
    };
    Ok(object)
}

/// A question about access has no name, no labels, nothing of its own but perhaps a namespace.
/// k8s: `ValidateSubjectAccessReview` and its like
fn check_metadata(call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    let local = call.row().namespaced();
    let said = object["metadata"].as_object().into_iter().flatten().any(|(field, value)| match field.as_str() {
        "managedFields" => false,
        "namespace" if local => false,
        _ => !is_empty(value),
    });
    if !said {
        return Ok(());
    }
    let why = if local { "must be empty except for namespace" } else { "must be empty" };
    let error = FieldError::invalid("metadata", &object["metadata"], why);
    Err(ApiError::invalid(call.row(), "", vec![error]))
}

/// Clients send what they left out as null, "", [] or {}.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
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
        user: text(spec, "user").to_owned(),
        uid: text(spec, "uid").to_owned(),
        groups: strings(&spec["groups"]),
        extra,
    };
    if identity.user.is_empty() && identity.groups.is_empty() {
        let error = FieldError::invalid("spec.user", "", "at least one of user or group must be specified");
        return Err(ApiError::invalid(call.row(), "", vec![error]));
    }
    Ok(identity)
}

/// k8s: `ValidateLocalSubjectAccessReview`, and the namespace of the path
fn check_local(call: &Call<'_>, object: &mut Value) -> Result<(), ApiError> {
    let refuse = |error| Err(ApiError::invalid(call.row(), "", vec![error]));
    if object["spec"]["nonResourceAttributes"].is_object() {
        return refuse(FieldError::invalid(
            "spec.nonResourceAttributes",
            &object["spec"]["nonResourceAttributes"],
            "disallowed on this kind of request",
        ));
    }
    object["metadata"]["namespace"] = json!(call.ns);
    let asked = text(object, "spec.resourceAttributes.namespace");
    if object["spec"]["resourceAttributes"].is_object() && asked != call.ns {
        let why = "must match metadata.namespace";
        return refuse(FieldError::invalid("spec.resourceAttributes.namespace", asked, why));
    }
    Ok(())
}

/// k8s: `validateFieldSelectorAttributes` and its twin for labels
fn check_selectors(asked: &Value) -> FieldErrors {
    let mut errors = FieldErrors::new();
    for field in ["fieldSelector", "labelSelector"] {
        let Some(selector) = asked.get(field).filter(|selector| selector.is_object()) else { continue };
        let path = format!("spec.resourceAttributes.{field}");
        let raw = text(selector, "rawSelector");
        let requirements = selector["requirements"].as_array().is_some_and(|list| !list.is_empty());
        if requirements && !raw.is_empty() {
            let why = "may not specified at the same time as requirements";
            errors.push(FieldError::invalid(format!("{path}.rawSelector"), raw, why));
        }
        if !requirements && raw.is_empty() {
            let why = format!("when {path} is specified, requirements or rawSelector is required");
            errors.push(FieldError::required(format!("{path}.requirements"), why));
        }
    }
    errors
}

/// The field selector that is asked about. A requirement that no query can express, or a selector that cannot be read, says
/// nothing, which makes the question wider and the answer never wrongly yes.
fn field_selector(asked: &Value) -> FieldSelector {
    let selector = &asked["fieldSelector"];
    let raw = text(selector, "rawSelector");
    if !raw.is_empty() {
        return FieldSelector::parse(raw).unwrap_or_default();
    }
    let requirements = selector["requirements"].as_array().into_iter().flatten().filter_map(|requirement| {
        let mut values = strings(&requirement["values"]);
        let equal = match text(requirement, "operator") {
            "In" => true,
            "NotIn" => false,
            _ => return None,
        };
        let value = values.pop().filter(|_| values.is_empty())?;
        Some(FieldRequirement { field: text(requirement, "key").to_owned(), equal, value })
    });
    requirements.collect()
}

/// The label selector that is asked about, as far as it can be read.
fn label_selector(asked: &Value) -> LabelSelector {
    let selector = &asked["labelSelector"];
    let raw = text(selector, "rawSelector");
    if !raw.is_empty() {
        return LabelSelector::parse(raw).unwrap_or(LabelSelector::everything());
    }
    let requirements = selector["requirements"].as_array().into_iter().flatten().filter_map(|requirement| {
        let operator = match text(requirement, "operator") {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            _ => return None,
        };
        Requirement::new(text(requirement, "key"), operator, strings(&requirement["values"])).ok()
    });
    requirements.collect()
}

async fn access(server: &Server, call: &Call<'_>, object: &Value, identity: &Identity) -> Result<Value, ApiError> {
    let given = |field: &str| object["spec"].get(field).filter(|value| value.is_object());
    let refuse = |errors| Err(ApiError::invalid(call.row(), "", errors));
    let (selector, labels);
    let attributes = match (given("resourceAttributes"), given("nonResourceAttributes")) {
        (Some(asked), None) => {
            let errors = check_selectors(asked);
            if !errors.is_empty() {
                return refuse(errors);
            }
            (selector, labels) = (field_selector(asked), label_selector(asked));
            Attributes {
                verb: text(asked, "verb"),
                group: text(asked, "group"),
                version: text(asked, "version"),
                resource: text(asked, "resource"),
                subresource: text(asked, "subresource"),
                namespace: text(asked, "namespace"),
                name: text(asked, "name"),
                fields: Some(&selector),
                labels: Some(&labels),
                path: None,
            }
        }
        (None, Some(asked)) => {
            Attributes { verb: text(asked, "verb"), path: Some(text(asked, "path")), ..Attributes::default() }
        }
        (Some(_), Some(asked)) => {
            let why = "cannot be specified in combination with resourceAttributes";
            return refuse(vec![FieldError::invalid("spec.nonResourceAttributes", asked, why)]);
        }
        (None, None) => {
            let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            return refuse(vec![FieldError::invalid("spec.resourceAttributes", Value::Null, why)]);
        }
    };
    let decision = server.authorizer.authorize(identity, &attributes).await;
    let mut status = json!({"allowed": decision.is_allowed()});
    let reason = match decision {
        Decision::Allow { reason } => reason,
        Decision::Deny { reason, denied, error, .. } => {
            if denied {
                status["denied"] = json!(true);
            }
            if let Some(error) = error {
                status["evaluationError"] = json!(error);
            }
            reason
        }
    };
    if !reason.is_empty() {
        status["reason"] = json!(reason);
    }
    Ok(status)
}

fn rules(server: &Server, object: &Value, identity: &Identity) -> Result<Value, ApiError> {
    let namespace = text(object, "spec.namespace");
    if namespace.is_empty() {
        return Err(ApiError::bad_request("no namespace on request"));
    }
    let (rules, untold) = server.authorizer.rules_for(identity, namespace);
    let (paths, resources): (Vec<_>, Vec<_>) = rules.into_iter().partition(|rule| !rule.paths.is_empty());
    let mut status = json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false});
    let error = match untold.as_slice() {
        [] => return Ok(status),
        [only] => (*only).to_owned(),
        many => format!("[{}]", many.join(", ")),
    };
    status["incomplete"] = json!(true);
    status["evaluationError"] = json!(error);
    Ok(status)
}

async fn token(server: &Server, call: &Call<'_>, object: &Value) -> Result<Value, ApiError> {
    let token = text(object, "spec.token");
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

pub(crate) fn user_info(identity: &Identity) -> Value {
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
