//! The listener: TLS, client certificates, compression, and a drain that ends watches in order.

use crate::server::Server;
use futures::{StreamExt, TryStreamExt};
use http::Request;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A client with the admin's certificate, a server that runs until `drain`, and its end.
async fn served() -> (kube::Client, CancellationToken, JoinSet<()>) {
    let server = Server::start().await;
    let client = server.https().await;
    let drain = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let until = drain.clone();
    tasks.spawn(async move { server.run(until).await });
    (client, drain, tasks)
}

fn map(name: &str, bytes: usize) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"a": "x".repeat(bytes)}})).unwrap()
}

#[tokio::test]
async fn the_admin_s_certificate_opens_the_door_and_strangers_stay_outside() {
    let (client, drain, mut tasks) = served().await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    maps.create(&PostParams::default(), &map("a", 10)).await.unwrap();
    assert_eq!(maps.get("a").await.unwrap().data.unwrap()["a"], "x".repeat(10));
    drain.cancel();
    tasks.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn long_lists_are_compressed_for_those_who_ask() {
    let (client, drain, mut tasks) = served().await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    for n in 0..4 {
        maps.create(&PostParams::default(), &map(&format!("m{n}"), 100_000)).await.unwrap();
    }
    let all = maps.list(&ListParams::default()).await.unwrap();
    assert_eq!(all.items.len(), 4);
    let version = client.request_text(Request::get("/version").body(Vec::new()).unwrap()).await.unwrap();
    assert!(version.contains("v1.37.0+drover"), "{version}");
    drain.cancel();
    tasks.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn a_drain_ends_watches_with_a_bookmark() {
    let (client, drain, mut tasks) = served().await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let watch = maps.watch(&WatchParams::default(), "0").await.unwrap();
    let mut watch = watch.boxed();
    maps.create(&PostParams::default(), &map("a", 10)).await.unwrap();
    assert!(matches!(watch.try_next().await.unwrap(), Some(WatchEvent::Added(_))));
    drain.cancel();
    assert!(matches!(watch.try_next().await.unwrap(), Some(WatchEvent::Bookmark(_))));
    assert!(watch.try_next().await.unwrap().is_none());
    tasks.join_next().await.unwrap().unwrap();
}
