//! Documents as clients fetch them: whole, compressed, cacheable.

use super::*;
use http::Request;
use http_body_util::BodyExt;

async fn fetch(response: Response<Body>) -> Value {
    assert_eq!(response.status(), StatusCode::OK);
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

fn builtin() -> Documents {
    Documents::new(crate::publish::discovery::groups_of(kinds::table::builtin()), None)
}

fn parts(uri: &str) -> Parts {
    Request::builder().uri(uri).body(()).unwrap().into_parts().0
}

/// Every reference in a document leads somewhere.
fn check_references(document: &Value, tree: &Value) {
    match tree {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                let pointer = reference.trim_start_matches('#');
                assert!(document.pointer(pointer).is_some(), "{reference}");
            }
            members.values().for_each(|value| check_references(document, value));
        }
        Value::Array(items) => items.iter().for_each(|value| check_references(document, value)),
        _ => {}
    }
}

#[tokio::test]
async fn every_document_of_the_index_is_whole() {
    let documents = builtin();
    let index = fetch(documents.index()).await;
    let paths = index["paths"].as_object().unwrap();
    assert!(paths.contains_key("api/v1") && paths.contains_key("apis/apps/v1"));
    for (path, entry) in paths {
        let url = entry["serverRelativeURL"].as_str().unwrap();
        let response = documents.v3(path, &parts(url));
        assert!(response.headers()[CACHE_CONTROL].to_str().unwrap().contains("immutable"), "{url}");
        let document = fetch(response).await;
        check_references(&document, &document);
    }
    let v2 = fetch(documents.v2(&parts("/openapi/v2"))).await;
    check_references(&v2, &v2);
}

#[tokio::test]
async fn clients_find_validation_and_patch_strategies() {
    let documents = builtin();
    let document = fetch(documents.v3("apis/apps/v1", &parts("/openapi/v3/apis/apps/v1"))).await;
    let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
    assert_eq!(
        patch["x-kubernetes-group-version-kind"],
        json!({"group": "apps", "version": "v1", "kind": "Deployment"})
    );
    assert!(
        patch["parameters"].as_array().unwrap().iter().any(|p| p["name"] == "fieldValidation" && p["in"] == "query")
    );
    assert_eq!(patch["operationId"], "patchAppsV1NamespacedDeployment");
    let schemas = &document["components"]["schemas"];
    let containers = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
    assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
    assert_eq!(containers["x-kubernetes-patch-strategy"], "merge");
    assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
    let deployment = &schemas["io.k8s.api.apps.v1.Deployment"];
    assert_eq!(deployment["x-kubernetes-group-version-kind"][0]["kind"], "Deployment");
    assert!(deployment["description"].as_str().unwrap().contains("Deployment"));
}

#[tokio::test]
async fn a_document_is_compressed_validated_and_json_only() {
    let documents = builtin();
    let with = |name: &'static str, value: &str| {
        let mut parts = parts("/openapi/v3/apis/apps/v1");
        parts.headers.insert(name, HeaderValue::from_str(value).unwrap());
        documents.v3("apis/apps/v1", &parts)
    };
    let response = with("accept-encoding", "gzip");
    assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
    let etag = response.headers()[ETAG].to_str().unwrap().to_owned();
    assert_eq!(with("if-none-match", &etag).status(), StatusCode::NOT_MODIFIED);
    let protobuf = with("accept", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf");
    assert_eq!(protobuf.status(), StatusCode::NOT_ACCEPTABLE);
}
