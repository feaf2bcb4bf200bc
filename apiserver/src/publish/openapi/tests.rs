//! Documents as clients fetch them: whole, compressed, cacheable.

use super::*;
use crate::protobuf::wire::{Fields, Wire};
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
async fn a_document_is_compressed_validated_and_pinned_by_its_hash() {
    let documents = builtin();
    let with = |uri: &str, name: &'static str, value: &str| {
        let mut parts = parts(uri);
        parts.headers.insert(name, HeaderValue::from_str(value).unwrap());
        documents.v3("apis/apps/v1", &parts)
    };
    let plain = "/openapi/v3/apis/apps/v1";
    let response = with(plain, "accept-encoding", "gzip");
    assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
    assert!(!response.headers().contains_key(CACHE_CONTROL));
    let etag = response.headers()[ETAG].to_str().unwrap().to_owned();
    assert_eq!(with(plain, "if-none-match", &etag).status(), StatusCode::NOT_MODIFIED);
    assert_eq!(with(plain, "accept", "application/cbor").status(), StatusCode::NOT_ACCEPTABLE);
    let old = with("/openapi/v3/apis/apps/v1?hash=OLD", "accept", "application/json");
    assert_eq!(old.status(), StatusCode::MOVED_PERMANENTLY);
    assert_eq!(old.headers()[LOCATION], format!("{plain}?hash={}", etag.trim_matches('"')).as_str());
}

/// The first field of that number, below the path of numbers.
fn dig<'a>(message: &'a [u8], path: &[u32]) -> Vec<&'a [u8]> {
    let Some((first, rest)) = path.split_first() else { return vec![message] };
    let fields = Fields::new(message).map(Result::unwrap).filter(|(number, _)| number == first);
    fields
        .flat_map(|(_, wire)| if let Wire::Bytes(bytes) = wire { dig(bytes, rest) } else { panic!("a leaf") })
        .collect()
}

#[tokio::test]
async fn client_go_reads_the_v2_document_as_a_gnostic_document() {
    let documents = builtin();
    let mut parts = parts("/openapi/v2");
    parts.headers.insert(ACCEPT, HeaderValue::from_static(PROTOBUF[0]));
    let response = documents.v2(&parts);
    // Asked for with an `@`, which Go cannot read in an answer.
    assert_eq!(response.headers()[CONTENT_TYPE], PROTOBUF[1]);
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(dig(&bytes, &[1]), [b"2.0"]);
    assert_eq!(dig(&bytes, &[2, 1]), [b"Kubernetes"]);
    assert_eq!(dig(&bytes, &[13, 1, 1]), [b"BearerToken"]);
    assert_eq!(dig(&bytes, &[13, 1, 2, 2, 2]), [b"authorization"]);
    let named = |of: &[u32], name: &str| {
        dig(&bytes, of).into_iter().find(|item| dig(item, &[1])[0] == name.as_bytes()).unwrap().to_vec()
    };
    let container = named(&[9, 1], "io.k8s.api.core.v1.Container");
    let ports =
        dig(&container, &[2, 25, 1]).into_iter().find(|field| dig(field, &[1])[0] == b"ports").unwrap().to_vec();
    assert_eq!(dig(&ports, &[2, 22, 1]), [b"array"]);
    assert_eq!(dig(&ports, &[2, 23, 1, 1]), [b"#/definitions/io.k8s.api.core.v1.ContainerPort"]);
    let extensions: Vec<String> = dig(&ports, &[2, 31])
        .into_iter()
        .map(|named| [dig(named, &[1])[0], b"=", dig(named, &[2, 2])[0]].concat())
        .map(|text| String::from_utf8(text).unwrap().trim().to_owned())
        .collect();
    assert!(extensions.contains(&"x-kubernetes-patch-merge-key=\"containerPort\"".to_owned()), "{extensions:?}");
    let path = named(&[8, 2], "/api/v1/namespaces/{namespace}/pods/{name}");
    assert_eq!(dig(&path, &[2, 2, 5]), [b"readCoreV1NamespacedPod"]);
    assert_eq!(dig(&path, &[2, 9, 1, 2, 4, 4]), [&b"namespace"[..], b"name"]);
    assert!(dig(&path, &[2, 8, 8, 1, 2, 3, 4]).contains(&&b"fieldValidation"[..]));
    assert_eq!(dig(&path, &[2, 2, 9, 1, 2, 1, 2, 1, 1]), [b"#/definitions/io.k8s.api.core.v1.Pod"]);
}

#[tokio::test]
async fn client_go_reads_a_v3_document_as_a_gnostic_document() {
    let documents = builtin();
    let index = fetch(documents.index()).await;
    let url = index["paths"]["api/v1"]["serverRelativeURL"].as_str().unwrap().to_owned();
    let mut parts = parts(&url);
    parts.headers.insert(ACCEPT, HeaderValue::from_static(V3_PROTOBUF[1]));
    let response = documents.v3("api/v1", &parts);
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[CONTENT_TYPE], V3_PROTOBUF[1]);
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(dig(&bytes, &[1]), [b"3.0.0"]);
    assert_eq!(dig(&bytes, &[2, 1]), [b"Kubernetes"]);
    assert_eq!(dig(&bytes, &[5, 7, 1, 2, 1, 3]), [b"authorization"]);
    let named = |of: &[u32], name: &str| {
        dig(&bytes, of).into_iter().find(|item| dig(item, &[1])[0] == name.as_bytes()).unwrap().to_vec()
    };
    let container = named(&[5, 1, 1], "io.k8s.api.core.v1.Container");
    let property = |name: &[u8]| {
        dig(&container, &[2, 1, 31, 1]).into_iter().find(|field| dig(field, &[1])[0] == name).unwrap().to_vec()
    };
    let ports = property(b"ports");
    assert_eq!(dig(&ports, &[2, 1, 25]), [b"array"]);
    assert_eq!(dig(&ports, &[2, 1, 30, 1, 2, 1]), [b"#/components/schemas/io.k8s.api.core.v1.ContainerPort"]);
    let extensions: Vec<&[u8]> = dig(&ports, &[2, 1, 36, 1]);
    assert!(extensions.contains(&&b"x-kubernetes-patch-merge-key"[..]), "{extensions:?}");
    let resources = property(b"resources");
    assert_eq!(dig(&resources, &[2, 1, 26, 2, 1]), [b"#/components/schemas/io.k8s.api.core.v1.ResourceRequirements"]);
    // What kubectl looks for to know whether the server validates.
    let path = named(&[4, 1], "/api/v1/namespaces/{namespace}/pods/{name}");
    assert!(dig(&path, &[2, 10, 6, 1, 1]).contains(&&b"fieldValidation"[..]));
    assert!(dig(&path, &[2, 10, 13, 1]).contains(&&b"x-kubernetes-group-version-kind"[..]));
    assert_eq!(dig(&path, &[2, 4, 5]), [b"readCoreV1NamespacedPod"]);
    let ok = dig(&path, &[2, 4, 8, 2]).into_iter().find(|answer| dig(answer, &[1])[0] == b"200").unwrap();
    assert_eq!(dig(ok, &[2, 1, 3, 1, 2, 1, 2, 1])[0], b"#/components/schemas/io.k8s.api.core.v1.Pod");
}
