//! Claims on devices, from the pod's wish to the writes.

use super::*;

fn with_claim(claim: &str) -> impl FnOnce(&mut Value) {
    move |pod| pod["spec"]["resourceClaims"] = json!([{"name": "gpu", "resourceClaimName": claim}])
}

fn claim(name: &str, edit: impl FnOnce(&mut Value)) -> Value {
    let request =
        json!({"name": "r", "exactly": {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1}});
    let mut claim = json!({"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim",
        "metadata": {"namespace": "shop", "name": name, "uid": name}, "spec": {"devices": {"requests": [request]}}});
    edit(&mut claim);
    claim
}

/// One node with one device.
fn one_device() -> Stage {
    let mut stage = Stage::new(&["a"]);
    stage.put(
        json!({"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": "gpu"}, "spec": {}}),
    );
    stage.put(json!({"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": {"name": "s"}, "spec": {
        "driver": "gpu.example.com", "nodeName": "a", "devices": [{"name": "g0"}],
        "pool": {"name": "a", "generation": 1, "resourceSliceCount": 1}}}));
    stage
}

async fn asked(stage: &Stage, beginning: &str) -> usize {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    stage.asked.lock().iter().filter(|asked| asked.starts_with(beginning)).count()
}

#[tokio::test]
async fn two_pods_never_get_one_device_though_neither_claim_is_written_yet() {
    let mut stage = one_device();
    stage.put(claim("x", as_it_is));
    stage.put(claim("y", as_it_is));
    stage.pod("p", &SMALL, with_claim("x"));
    stage.pod("q", &SMALL, with_claim("y"));
    stage.after(0);
    let homes = [stage.home("p"), stage.home("q")];
    assert_eq!(homes.iter().flatten().count(), 1, "{homes:?}");
    // The finalizer comes first.
    assert_eq!(asked(&stage, "PUT /apis/resource.k8s.io/v1/namespaces/shop/resourceclaims/").await, 1);
    assert_eq!(asked(&stage, "POST").await, 0);
}

#[tokio::test]
async fn a_device_whose_claim_could_not_be_written_is_anybodys_again() {
    let mut stage = one_device();
    stage.put(claim("x", as_it_is));
    stage.put(claim("y", as_it_is));
    stage.pod("p", &SMALL, with_claim("x"));
    stage.after(0);
    assert_eq!(stage.home("p"), Some("a"));
    stage.pod("q", &SMALL, with_claim("y"));
    stage.after(0);
    assert_eq!(stage.home("q"), None);
    stage.gone("p");
    let x = stage.shell.caches.of::<ResourceClaim>().get("shop", "x").expect("the claim");
    let promised = [ClaimWrite { claim: x, allocation: Some(Arc::default()) }];
    stage.shell.claims_ended(&promised, Vec::new());
    stage.after(2000);
    assert_eq!(stage.home("q"), Some("a"));
}

#[tokio::test]
async fn what_was_written_holds_before_the_watch_shows_it_and_no_older_news_undoes_it() {
    let mut stage = one_device();
    stage.put(claim("x", as_it_is));
    stage.put(claim("y", as_it_is));
    let given = |claim: &mut Value| {
        let result = json!({"request": "r", "driver": "gpu.example.com", "pool": "a", "device": "g0"});
        claim["status"] = json!({"allocation": {"devices": {"results": [result]}}});
        claim["metadata"]["resourceVersion"] = "100".into();
    };
    let x = stage.shell.caches.of::<ResourceClaim>().get("shop", "x").expect("the claim");
    let promised = [ClaimWrite { claim: x, allocation: Some(Arc::default()) }];
    let written = serde_json::from_value(claim("x", given)).expect("a claim");
    stage.shell.claims_ended(&promised, vec![written]);
    stage.put(claim("x", |claim| claim["metadata"]["labels"] = json!({"late": "news"})));
    stage.pod("q", &SMALL, with_claim("y"));
    stage.after(0);
    assert_eq!(stage.home("q"), None);
    stage.revision = 200;
    stage.put(claim("x", as_it_is));
    stage.after(2000);
    assert_eq!(stage.home("q"), Some("a"), "it has been freed");
}

#[tokio::test]
async fn a_pod_whose_claim_is_to_be_made_waits_in_silence_and_is_placed_at_once_when_it_is_there() {
    let mut stage = one_device();
    let wants = |pod: &mut Value| {
        pod["spec"]["resourceClaims"] = json!([{"name": "gpu", "resourceClaimTemplateName": "t"}]);
    };
    stage.pod("p", &SMALL, wants);
    stage.after(0);
    assert_eq!(stage.said_of("p").await, Vec::<Value>::new());
    stage.pod("p", &SMALL, |pod| {
        wants(pod);
        pod["status"]["resourceClaimStatuses"] = json!([{"name": "gpu", "resourceClaimName": "p-gpu"}]);
    });
    stage.after(0);
    assert_eq!((stage.home("p"), stage.said_of("p").await.len()), (None, 0));
    let owner = json!([{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "p", "controller": true}]);
    stage.put(claim("p-gpu", |claim| claim["metadata"]["ownerReferences"] = owner));
    stage.after(0);
    assert_eq!(stage.home("p"), Some("a"));
}

#[tokio::test]
async fn an_idle_claim_whose_devices_are_out_of_reach_is_freed_for_the_pod() {
    let mut stage = one_device();
    let elsewhere = |claim: &mut Value| {
        let field = json!({"key": "metadata.name", "operator": "In", "values": ["gone"]});
        let result = json!({"request": "r", "driver": "gpu.example.com", "pool": "gone", "device": "g0"});
        claim["status"] = json!({"allocation": {"devices": {"results": [result]},
            "nodeSelector": {"nodeSelectorTerms": [{"matchFields": [field]}]}}});
    };
    stage.put(claim("x", elsewhere));
    stage.pod("p", &SMALL, with_claim("x"));
    stage.after(0);
    let path = "PUT /apis/resource.k8s.io/v1/namespaces/shop/resourceclaims/x/status ";
    assert_eq!(asked(&stage, path).await, 1, "{:?}", stage.asked.lock());
    stage.put(claim("x", |claim| {
        elsewhere(claim);
        claim["status"]["reservedFor"] = json!([{"resource": "pods", "name": "other", "uid": "other"}]);
    }));
    stage.after(2000);
    assert_eq!(asked(&stage, path).await, 1, "somebody uses it");
}
