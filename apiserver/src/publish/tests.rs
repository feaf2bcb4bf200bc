//! Discovery, health, version and metrics as clients see them.

use super::*;
use crate::flow::FlowControl;
use http::Request;
use http_body_util::BodyExt;
use store::mem::MemStore;

mod custom;

/// A clock that stands.
struct Started;

impl client::clock::Clock for Started {
    fn now(&self) -> jiff::Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }
}

fn publisher() -> Publisher {
    publisher_of(Arc::new(served::Builtin::new()))
}

fn publisher_of(provider: Arc<dyn Provider>) -> Publisher {
    let store: Arc<dyn store::Store> = Arc::new(MemStore::new());
    let key = rcgen::KeyPair::generate().unwrap();
    let tokens = Tokens::new(&key.serialize_der(), "https://kubernetes.default.svc.cluster.local").unwrap();
    let health = Arc::new(Health::new(Arc::clone(&store)));
    let metrics = Arc::new(Metrics::new(store, Arc::new(FlowControl::new(1))));
    Publisher::new(provider, Arc::new(tokens), (health, metrics), Statusz::new(Arc::new(Started)))
}

async fn get(
    publisher: &Publisher,
    path: &str,
    headers: &[(&'static str, &str)],
) -> (StatusCode, http::HeaderMap, String) {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = publisher.respond(&request.body(()).unwrap().into_parts().0).await;
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, String::from_utf8_lossy(&bytes).into_owned())
}

async fn tree(publisher: &Publisher, path: &str) -> Value {
    let (status, _, body) = get(publisher, path, &[]).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

const KUBECTL_ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

#[tokio::test]
async fn the_old_form_names_every_group_version_and_resource() {
    let publisher = publisher();
    assert_eq!(tree(&publisher, "/api").await["versions"], json!(["v1"]));
    let groups = tree(&publisher, "/apis").await;
    let names: Vec<&str> = groups["groups"].as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"apps") && names.contains(&"rbac.authorization.k8s.io"), "{names:?}");
    let core = tree(&publisher, "/api/v1").await;
    let find = |name: &str| core["resources"].as_array().unwrap().iter().find(|r| r["name"] == name).cloned().unwrap();
    assert_eq!(find("pods")["shortNames"], json!(["po"]));
    assert_eq!(find("pods/eviction")["kind"], "Eviction");
    assert_eq!(find("pods/eviction")["group"], "policy");
    assert_eq!(find("nodes")["namespaced"], false);
    let apps = tree(&publisher, "/apis/apps/v1").await;
    assert_eq!(apps["groupVersion"], "apps/v1");
    assert_eq!(tree(&publisher, "/apis/autoscaling").await["preferredVersion"]["version"], "v2");
    assert_eq!(get(&publisher, "/apis/nothing", &[]).await.0, StatusCode::NOT_FOUND);
    assert_eq!(get(&publisher, "/apis/apps/v9", &[]).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_aggregated_form_repeats_its_type_and_is_not_sent_twice() {
    let publisher = publisher();
    for path in ["/api", "/apis"] {
        let (status, headers, body) = get(&publisher, path, &[("accept", KUBECTL_ACCEPT)]).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[CONTENT_TYPE], "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
        assert_eq!(headers[VARY], "Accept");
        let document: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(document["kind"], "APIGroupDiscoveryList");
        let etag = headers[ETAG].to_str().unwrap().to_owned();
        let (status, _, body) = get(&publisher, path, &[("accept", KUBECTL_ACCEPT), ("if-none-match", &etag)]).await;
        assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""));
    }
    let old = get(&publisher, "/apis", &[("accept", "application/json")]).await;
    assert_eq!(old.1[CONTENT_TYPE], "application/json");
}

#[tokio::test]
async fn health_names_what_fails() {
    let publisher = publisher();
    publisher.health().set_following();
    publisher.health().set_running();
    let (status, _, body) = get(&publisher, "/readyz", &[]).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("[-]poststarthook/rbac/bootstrap-roles failed: reason withheld\n"), "{body}");
    let (status, _, body) = get(&publisher, "/livez?verbose&exclude=poststarthook/rbac/bootstrap-roles", &[]).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("[+]poststarthook/rbac/bootstrap-roles excluded: ok\n"), "{body}");
    assert_eq!(get(&publisher, "/livez/poststarthook/crd-informer-synced", &[]).await.2, "ok");
    publisher.health().set_bootstrapped();
    assert_eq!(get(&publisher, "/livez", &[]).await.2, "ok");
    let (status, _, body) = get(&publisher, "/readyz?verbose", &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.starts_with("[+]ping ok\n") && body.ends_with("readyz check passed\n"), "{body}");
    assert_eq!(get(&publisher, "/readyz/ping", &[]).await.2, "ok");
    publisher.health().set_stopping();
    assert_eq!(get(&publisher, "/readyz", &[]).await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(get(&publisher, "/livez", &[]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn version_metrics_and_the_issuer_are_there() {
    let publisher = publisher();
    assert_eq!(tree(&publisher, "/version").await["gitVersion"], "v1.37.0+drover");
    let labels = metrics::RequestLabels {
        verb: "GET",
        group: "".into(),
        version: "v1".into(),
        resource: "pods".into(),
        subresource: "".into(),
    };
    publisher.metrics().observe(&labels, 200, std::time::Duration::from_millis(3));
    let (_, _, body) = get(&publisher, "/metrics", &[]).await;
    assert!(body.contains("apiserver_request_total{verb=\"GET\"") && body.contains("code=\"200\"} 1"), "{body}");
    assert!(body.contains("# TYPE apiserver_request_total counter\n") && !body.contains("# EOF"), "{body}");
    let (_, headers, body) = get(&publisher, "/metrics", &[("accept", "application/openmetrics-text")]).await;
    assert!(body.contains("# TYPE apiserver_request counter\n") && body.ends_with("# EOF\n"), "{body}");
    assert_eq!(headers[CONTENT_TYPE], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_eq!(tree(&publisher, "/openid/v1/jwks").await["keys"][0]["crv"], "P-256");
    let issuer = tree(&publisher, "/.well-known/openid-configuration").await;
    assert_eq!(issuer["issuer"], "https://kubernetes.default.svc.cluster.local");
}

#[tokio::test]
async fn what_came_of_health_checks_is_counted() {
    let publisher = publisher();
    for path in ["/readyz", "/readyz", "/livez/ping"] {
        get(&publisher, path, &[]).await;
    }
    publisher.health().set_bootstrapped();
    get(&publisher, "/readyz", &[]).await;
    let (_, headers, body) = get(&publisher, "/metrics/slis", &[]).await;
    assert_eq!(headers[CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "kubernetes_healthcheck{name=\"ping\",type=\"livez\"} 1",
        "kubernetes_healthcheck{name=\"informer-sync\",type=\"readyz\"} 0",
        "kubernetes_healthchecks_total{name=\"ping\",status=\"success\",type=\"readyz\"} 3",
        "kubernetes_healthchecks_total{name=\"poststarthook/bootstrap-controller\",status=\"error\",type=\"readyz\"} 2",
        "kubernetes_healthchecks_total{name=\"poststarthook/bootstrap-controller\",status=\"success\",type=\"readyz\"} 1",
    ] {
        assert!(body.lines().any(|known| known == line), "{line}\n{body}");
    }
}

#[tokio::test]
async fn statusz_is_a_text_for_people_and_an_object_for_those_who_say_which() {
    let publisher = publisher();
    for accept in ["", "*/*", "text/plain", "application/json;v=v9;g=config.k8s.io;as=Statusz,*/*"] {
        let (status, _, body) = get(&publisher, "/statusz", &[("accept", accept)]).await;
        assert_eq!(status, StatusCode::OK, "{accept}");
        assert!(
            body.starts_with("\nkube-apiserver statusz\nWarning: This endpoint is not meant to be machine"),
            "{body}"
        );
        assert!(body.contains("\nStarted: Fri Nov 20 12:00:00 UTC 2026\nUp: 0 hr 00 min 00 sec\n"), "{body}");
    }
    let typed = ("accept", "application/json;v=v1beta1;g=config.k8s.io;as=Statusz");
    let (_, headers, body) = get(&publisher, "/statusz", &[typed]).await;
    assert_eq!(headers[CONTENT_TYPE], "application/json");
    let document: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        [&document["kind"], &document["apiVersion"], &document["metadata"]["name"], &document["startTime"]],
        ["Statusz", "config.k8s.io/v1beta1", "kube-apiserver", "2026-11-20T12:00:00Z"]
    );
    for accept in ["application/json", "application/xml", "application/json;v=v1beta1;g=config.k8s.io"] {
        assert_eq!(get(&publisher, "/statusz", &[("accept", accept)]).await.0, StatusCode::NOT_ACCEPTABLE, "{accept}");
    }
}

#[tokio::test]
async fn flagz_shows_the_flags_in_the_same_forms() {
    let publisher = publisher();
    publisher.flagz().set([("bind".to_owned(), "0.0.0.0:6443".to_owned())].into());
    let (status, _, body) = get(&publisher, "/flagz", &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.starts_with("\nkube-apiserver flagz\nWarning: "), "{body}");
    assert!(body.ends_with("\n\nbind=0.0.0.0:6443\n"), "{body}");
    let typed = ("accept", "application/json;v=v1alpha1;g=config.k8s.io;as=Flagz");
    let document: Value = serde_json::from_str(&get(&publisher, "/flagz", &[typed]).await.2).unwrap();
    let named = json!({"name": "kube-apiserver"});
    let flags = json!({"bind": "0.0.0.0:6443"});
    assert_eq!(
        document,
        json!({"kind": "Flagz", "apiVersion": "config.k8s.io/v1alpha1", "metadata": named, "flags": flags})
    );
}

#[tokio::test]
async fn what_upstream_routes_by_method_has_no_head() {
    let publisher = publisher();
    let head = async |path: &str| {
        let parts = Request::builder().method("HEAD").uri(path).body(()).unwrap().into_parts().0;
        publisher.respond(&parts).await.status().as_u16()
    };
    for path in ["/version", "/api", "/api/v1", "/apis/apps/v1", "/openid/v1/jwks"] {
        assert_eq!(head(path).await, 405, "{path}");
    }
    for path in ["/", "/apis", "/apis/apps", "/livez/ping", "/metrics", "/openapi/v3", "/statusz", "/flagz"] {
        assert_eq!(head(path).await, 200, "{path}");
    }
}

#[tokio::test]
async fn the_old_form_is_had_in_protobuf_too() {
    let publisher = publisher();
    for path in ["/api", "/apis", "/apis/apps", "/apis/apps/v1", "/api/v1"] {
        let parts = Request::builder()
            .uri(path)
            .header("accept", "application/vnd.kubernetes.protobuf")
            .body(())
            .unwrap()
            .into_parts()
            .0;
        let response = publisher.respond(&parts).await;
        assert_eq!(response.headers()[CONTENT_TYPE], "application/vnd.kubernetes.protobuf");
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let mut read = crate::protobuf::decode(&bytes).unwrap();
        let mut shown = tree(&publisher, path).await;
        // Empty texts are not told from none: subresources have no singular name.
        for tree in [&mut read, &mut shown] {
            for resource in tree["resources"].as_array_mut().into_iter().flatten() {
                resource.as_object_mut().unwrap().retain(|_, value| value != "");
            }
        }
        shown["apiVersion"] = json!("v1");
        read["apiVersion"] = json!("v1");
        assert_eq!(read, shown, "{path}");
    }
}
