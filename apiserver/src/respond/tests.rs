//! How errors and warnings look on the wire.

use super::*;
use kinds::errors::FieldError;
use kinds::table::find;

fn row(group: &str, plural: &str) -> &'static Row {
    find(group, "v1", plural).unwrap().row()
}

#[test]
fn errors_look_as_clients_expect_them() {
    let pods = row("", "pods");
    let deployments = row("apps", "deployments");
    let table = [
        (
            ApiError::not_found(pods, "x"),
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "pods \"x\" not found",
                "reason": "NotFound", "details": {"name": "x", "kind": "pods"}, "code": 404}),
        ),
        (
            ApiError::modified(deployments, "web"),
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "Operation cannot be fulfilled on deployments.apps \"web\": the object has been modified; please apply your changes to the latest version and try again",
                "reason": "Conflict", "details": {"name": "web", "group": "apps", "kind": "deployments"}, "code": 409}),
        ),
        (
            ApiError::invalid(
                deployments,
                "web",
                vec![FieldError::invalid("spec.replicas", -1, "must be greater than or equal to 0")],
            ),
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "Deployment.apps \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                "reason": "Invalid", "code": 422,
                "details": {"name": "web", "group": "apps", "kind": "Deployment", "causes": [{"reason": "FieldValueInvalid",
                    "message": "Invalid value: -1: must be greater than or equal to 0", "field": "spec.replicas"}]}}),
        ),
        (
            ApiError::Unauthorized,
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "Unauthorized",
                "reason": "Unauthorized", "code": 401}),
        ),
    ];
    for (error, expected) in table {
        assert_eq!(status(&error), expected);
    }
}

#[test]
fn warnings_become_quoted_headers_once() {
    let mut response = Response::new(Body::empty());
    warn(
        &mut response,
        &["unknown field \"spec.x\"".to_owned(), "unknown field \"spec.x\"".to_owned(), "a\nb".to_owned()],
    );
    let shown: Vec<&str> = response.headers().get_all(WARNING).iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(shown, [r#"299 - "unknown field \"spec.x\"""#, r#"299 - "ab""#]);
}
