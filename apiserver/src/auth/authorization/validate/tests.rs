//! Configurations that are wrong, and upstream's words for it.

use super::*;
use kinds::errors::aggregate;
use serde_json::{Value, json};

fn of(authorizers: &Value) -> AuthorizationConfiguration {
    serde_json::from_value(json!({"authorizers": authorizers})).unwrap()
}

fn told(authorizers: &Value) -> String {
    compile(&of(authorizers), &BTreeSet::new()).map_or_else(|errors| aggregate(&errors), |_| "nothing".to_owned())
}

/// A webhook, changed by `more`.
fn hook(more: Value) -> Value {
    let mut hook = json!({
        "timeout": "3s", "subjectAccessReviewVersion": "v1", "failurePolicy": "NoOpinion",
        "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": "/proc/self/status"},
    });
    hook.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([{"type": "Webhook", "name": "h", "webhook": hook}])
}

#[test]
fn authorizers_have_types_and_names_of_their_own() {
    let rbac = json!({"type": "RBAC", "name": "rbac"});
    let webhook = hook(json!({}))[0].clone();
    assert_eq!(told(&json!([{"type": "Node", "name": "node"}, rbac, webhook])), "nothing");
    for (authorizers, wanted) in [
        (json!([]), "authorizers: Required value: at least one authorization mode must be defined"),
        (json!([{"name": "x"}]), "authorizers[0].type: Required value"),
        (
            json!([{"type": "Dice", "name": "dice"}]),
            r#"authorizers[0].type: Unsupported value: "Dice": supported values: "ABAC", "AlwaysAllow", "AlwaysDeny", "Node", "RBAC", "Webhook""#,
        ),
        (json!([rbac, rbac]), r#"authorizers[1].type: Duplicate value: "RBAC""#),
        (json!([{"type": "RBAC"}]), "authorizers[0].name: Required value"),
        (
            json!([{"type": "RBAC", "name": "mine"}]),
            r#"authorizers[0].name: Invalid value: "mine": expected name rbac for authorizer RBAC instead of mine"#,
        ),
        (json!([webhook, webhook]), r#"authorizers[1].name: Duplicate value: "h""#),
        (
            json!([{"type": "RBAC", "name": "rbac", "webhook": {}}]),
            r#"authorizers[0].webhook: Invalid value: "non-null": may only be specified when type=Webhook"#,
        ),
        (
            json!([{"type": "Webhook", "name": "h"}]),
            "authorizers[0].webhook: Required value: required when type=Webhook",
        ),
    ] {
        assert_eq!(told(&authorizers), wanted, "{authorizers}");
    }
    let name = told(&json!([{"type": "Webhook", "name": "MINE", "webhook": webhook["webhook"]}]));
    let wanted =
        r#"authorizers[0].name: Invalid value: "MINE": authorizer name is invalid: a lowercase RFC 1123 subdomain"#;
    assert!(name.starts_with(wanted), "{name}");
}

#[test]
fn webhooks_say_how_they_are_asked() {
    let connection = |kind: &str, file: Value| json!({"connectionInfo": {"type": kind, "kubeConfigFile": file}});
    let kubeconfig = "connectionInfo.kubeConfigFile";
    for (more, wanted) in [
        (json!({"timeout": "0s"}), "timeout: Required value".to_owned()),
        (json!({"timeout": "31s"}), r#"timeout: Invalid value: "31s": must be > 0s and <= 30s"#.to_owned()),
        (json!({"authorizedTTL": "-1m"}), r#"authorizedTTL: Invalid value: "-1m0s": must be > 0s"#.to_owned()),
        (json!({"unauthorizedTTL": "-1s"}), r#"unauthorizedTTL: Invalid value: "-1s": must be > 0s"#.to_owned()),
        (json!({"subjectAccessReviewVersion": ""}), "subjectAccessReviewVersion: Required value".to_owned()),
        (
            json!({"subjectAccessReviewVersion": "v2"}),
            r#"subjectAccessReviewVersion: Unsupported value: "v2": supported values: "v1", "v1beta1""#.to_owned(),
        ),
        (
            json!({"matchConditions": [{"expression": "true"}]}),
            "matchConditionSubjectAccessReviewVersion: Required value: required if match conditions are specified"
                .to_owned(),
        ),
        (json!({"failurePolicy": ""}), "failurePolicy: Required value".to_owned()),
        (
            json!({"failurePolicy": "Open"}),
            r#"failurePolicy: Unsupported value: "Open": supported values: "NoOpinion", "Deny""#.to_owned(),
        ),
        (json!({"connectionInfo": {}}), "connectionInfo.type: Required value".to_owned()),
        (
            connection("InClusterConfig", Value::Null),
            "connectionInfo.type: Forbidden: an API server cannot ask itself: use KubeConfigFile".to_owned(),
        ),
        (
            connection("InClusterConfig", json!("/f")),
            format!(r#"{kubeconfig}: Invalid value: "/f": can only be set when type=KubeConfigFile"#),
        ),
        (connection("KubeConfigFile", Value::Null), format!("{kubeconfig}: Required value")),
        (
            connection("KubeConfigFile", json!("f")),
            format!(r#"{kubeconfig}: Invalid value: "f": must be an absolute path"#),
        ),
        (
            connection("KubeConfigFile", json!("/proc")),
            format!(r#"{kubeconfig}: Invalid value: "/proc": must be a regular file"#),
        ),
        (
            connection("Phone", Value::Null),
            r#"connectionInfo.type: Unsupported value: "Phone": supported values: "InClusterConfig", "KubeConfigFile""#
                .to_owned(),
        ),
    ] {
        assert_eq!(told(&hook(more.clone())), format!("authorizers[0].{wanted}"), "{more}");
    }
}

#[test]
fn conditions_are_bool_and_differ() {
    let with = |sources: &[&str]| {
        let all: Vec<Value> = sources.iter().map(|source| json!({"expression": source})).collect();
        told(&hook(json!({"matchConditionSubjectAccessReviewVersion": "v1", "matchConditions": all})))
    };
    assert_eq!(with(&["has(request.resourceAttributes)", "request.user != 'ann'"]), "nothing");
    let at = |place: usize| format!("authorizers[0].matchConditions[{place}].expression");
    assert_eq!(with(&["true", " "]), format!("{}: Required value", at(1)));
    assert_eq!(with(&["true", "true"]), format!(r#"{}: Duplicate value: "true""#, at(1)));
    let text = format!(r#"{}: Invalid value: "request.user": must evaluate to bool but got string"#, at(0));
    assert_eq!(with(&["request.user"]), text);
    assert!(with(&["user == ''"]).contains("compilation failed: ERROR: <input>:1:1: undeclared reference to 'user'"));
    let many: Vec<String> = (0..65).map(|at| format!("{at} == 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(with(&many), "authorizers[0].matchConditions: Too many: 65: must have at most 64 items");
}

#[test]
fn times_have_defaults_and_may_be_switched_off() {
    let compiled = |more: Value| match compile(&of(&hook(more)), &BTreeSet::new()).unwrap().remove(0) {
        Authorizer::Webhook(hook) => (hook.authorized_ttl.as_secs(), hook.unauthorized_ttl.as_secs()),
        other => panic!("it is a webhook: {other:?}"),
    };
    assert_eq!(compiled(json!({})), (300, 30));
    assert_eq!(compiled(json!({"authorizedTTL": "1m", "unauthorizedTTL": "5s"})), (60, 5));
    assert_eq!(compiled(json!({"cacheAuthorizedRequests": false, "unauthorizedTTL": "5s"})), (0, 5));
    assert_eq!(compiled(json!({"cacheUnauthorizedRequests": false})), (300, 0));
}

#[test]
fn what_was_there_at_the_start_has_to_stay() {
    let first = of(&json!([{"type": "Node", "name": "node"}, {"type": "RBAC", "name": "rbac"}, hook(json!({}))[0]]));
    let later = compile(&of(&hook(json!({}))), &required_later(&first)).map(|_| ()).unwrap_err();
    assert_eq!(aggregate(&later), "authorizers: Required value: missing required types: [Node RBAC]");
}
