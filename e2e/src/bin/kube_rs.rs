//! `kube_rs POD`: what programs with kube-rs do, against the cluster of `$KUBECONFIG`: objects, watches, patches, streams,
//! and an operator of a kind of its own. POD is a running pod of the example image. The tests run it inside a host's
//! namespaces; the first thing that does not hold ends it with an error.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command-line program")]
#![expect(clippy::disallowed_methods, reason = "a client program waits on a real system, in real time")]

use anyhow::{Context, Result, bail, ensure};
use futures::{AsyncBufReadExt, StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{
    Api, AttachParams, DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::core::Selector;
use kube::runtime::controller::Action;
use kube::runtime::finalizer::{Event, finalizer};
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::{Controller, WatchStreamExt, watcher};
use kube::{Client, CustomResource, CustomResourceExt, Resource, ResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// For one step on a busy machine.
const SOON: Duration = Duration::from_secs(30);
const SET: &str = "set=rs";
const FINALIZER: &str = "rs.example.com/cleanup";

#[derive(CustomResource, Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[kube(group = "rs.example.com", version = "v1", kind = "Herd", namespaced, status = "HerdStatus", shortname = "rhd")]
#[serde(rename_all = "camelCase")]
struct HerdSpec {
    #[schemars(range(min = 0, max = 9))]
    size: i32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
struct HerdStatus {
    made: i32,
}

#[tokio::main]
async fn main() -> Result<()> {
    let pod = std::env::args().nth(1).context("usage: kube_rs POD")?;
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        bail!("a TLS provider is installed already");
    }
    let client = Client::try_default().await?;
    Box::pin(objects(&client)).await.context("objects")?;
    Box::pin(patches(&client)).await.context("patches")?;
    apply(&client).await.context("apply")?;
    streams(&client, &pod).await.context("streams")?;
    Box::pin(operator(&client)).await.context("operator")?;
    println!("all of it holds");
    Ok(())
}

fn config_map(name: &str, number: usize) -> Result<ConfigMap> {
    Ok(serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"set": "rs"}}, "data": {"number": number.to_string()},
    }))?)
}

/// The status code that a call was refused with.
fn code<T>(outcome: kube::Result<T>) -> Option<u16> {
    match outcome {
        Err(kube::Error::Api(status)) => Some(status.code),
        Ok(_) | Err(_) => None,
    }
}

/// Create, list by page, watch from the list, replace with a conflict, delete.
async fn objects(client: &Client) -> Result<()> {
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    for number in 0..5 {
        maps.create(&PostParams::default(), &config_map(&format!("rs-{number}"), number)?).await?;
    }
    ensure!(code(maps.create(&PostParams::default(), &config_map("rs-0", 0)?).await) == Some(409), "a second rs-0");
    let mut page = ListParams::default().labels(SET).limit(2);
    let mut names = Vec::new();
    let revision = loop {
        let list = maps.list(&page).await?;
        names.extend(list.items.iter().map(ResourceExt::name_any));
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => break list.metadata.resource_version.context("a list has a revision")?,
        }
    };
    ensure!(names == ["rs-0", "rs-1", "rs-2", "rs-3", "rs-4"], "{names:?}");

    let stale = maps.get("rs-0").await?;
    let mut current = stale.clone();
    current.data.get_or_insert_default().insert("number".into(), "zero".into());
    maps.replace("rs-0", &PostParams::default(), &current).await?;
    ensure!(code(maps.replace("rs-0", &PostParams::default(), &stale).await) == Some(409), "a stale write");
    maps.delete("rs-4", &DeleteParams::default()).await?;
    let mut events = maps.watch(&WatchParams::default().labels(SET).timeout(20), &revision).await?.boxed();
    let mut seen = Vec::new();
    while let Some(event) = events.try_next().await? {
        match event {
            WatchEvent::Modified(map) => seen.push(format!("modified {}", map.name_any())),
            WatchEvent::Deleted(map) => {
                seen.push(format!("deleted {}", map.name_any()));
                break;
            }
            WatchEvent::Bookmark(_) => {}
            other @ (WatchEvent::Added(_) | WatchEvent::Error(_)) => bail!("{other:?}"),
        }
    }
    ensure!(seen == ["modified rs-0", "deleted rs-4"], "{seen:?}");
    // The same as client-go's: the initial objects come through the watch itself.
    let streaming = watcher::Config::default().labels(SET).streaming_lists();
    let mut known = watcher(maps.clone(), streaming).applied_objects().boxed();
    for expected in ["rs-0", "rs-1", "rs-2", "rs-3"] {
        let next = tokio::time::timeout(SOON, known.try_next()).await??.context("the watch goes on")?;
        ensure!(next.name_any() == expected, "{}", next.name_any());
    }
    let chosen = ListParams::default().labels_from(&Selector::from_iter([("set".to_owned(), "rs".to_owned())]));
    maps.delete_collection(&DeleteParams::default(), &chosen).await?;
    ensure!(maps.list_metadata(&chosen).await?.items.is_empty(), "all of them are gone");
    ensure!(maps.get_opt("rs-0").await?.is_none(), "rs-0 is gone");
    Ok(())
}

/// Every kind of patch on one Deployment, its scale and its status.
async fn patches(client: &Client) -> Result<()> {
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    let containers = ["a", "b"].map(|name| json!({"name": name, "image": "drover.local/web:1"}));
    let made = json!({"metadata": {"name": "rs"}, "spec": {
        "replicas": 0, "selector": {"matchLabels": {"app": "rs-patched"}},
        "template": {"metadata": {"labels": {"app": "rs-patched"}}, "spec": {"containers": containers}}}});
    deployments.create(&PostParams::default(), &serde_json::from_value(made)?).await?;
    let options = PatchParams::default();
    let change =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "drover.local/web:2"}]}}}});
    let merged = deployments.patch("rs", &options, &Patch::Strategic(&change)).await?;
    ensure!(images(&merged) == ["a=drover.local/web:1", "b=drover.local/web:2"], "{:?}", images(&merged));
    let replaced = deployments.patch("rs", &options, &Patch::Merge(&change)).await?;
    ensure!(images(&replaced) == ["b=drover.local/web:2"], "{:?}", images(&replaced));
    let operations = json!([
        {"op": "test", "path": "/spec/replicas", "value": 0},
        {"op": "add", "path": "/metadata/annotations", "value": {"by": "json"}},
    ]);
    let operations = Patch::Json::<()>(serde_json::from_value(operations)?);
    let annotated = deployments.patch("rs", &options, &operations).await?;
    ensure!(annotated.annotations().get("by").is_some_and(|by| by == "json"), "the annotation");
    let failing = json!([{"op": "test", "path": "/spec/replicas", "value": 7}]);
    let failing = Patch::Json::<()>(serde_json::from_value(failing)?);
    ensure!(code(deployments.patch("rs", &options, &failing).await) == Some(422), "a failed test");
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    deployments.patch("rs", &dry, &Patch::Merge(json!({"spec": {"replicas": 9}}))).await?;
    let scale = deployments.get_scale("rs").await?;
    let replicas = scale.spec.and_then(|spec| spec.replicas).unwrap_or_default();
    ensure!(replicas == 0, "a dry run leaves nothing");
    let strict = PatchParams::default().validation_strict();
    let unknown = Patch::Merge(json!({"spec": {"replica": 9}}));
    ensure!(code(deployments.patch("rs", &strict, &unknown).await) == Some(422), "an unknown field");
    let status = Patch::Merge(json!({"status": {"conditions": [{"type": "Rs", "status": "True"}]}}));
    let told = deployments.patch_status("rs", &options, &status).await?;
    ensure!(told.metadata.generation == merged.metadata.generation.map(|before| before + 1), "a status is no new spec");
    deployments.delete("rs", &DeleteParams::foreground()).await?;
    let gone = conditions::is_deleted(merged.metadata.uid.as_deref().unwrap_or_default());
    tokio::time::timeout(SOON, await_condition(deployments, "rs", gone)).await??;
    Ok(())
}

fn images(deployment: &Deployment) -> Vec<String> {
    let pod = deployment.spec.template.spec.as_ref();
    let containers = pod.into_iter().flat_map(|pod| &pod.containers);
    containers.map(|it| format!("{}={}", it.name, it.image.as_deref().unwrap_or_default())).collect()
}

/// Server-side apply: shared objects, a conflict that names the other owner, and what an owner takes back.
async fn apply(client: &Client) -> Result<()> {
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let form = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rs-applied"}, "data": data});
    let put = async |manager: &str, force: bool, data: Value| {
        let options = PatchParams { force, ..PatchParams::apply(manager) };
        maps.patch("rs-applied", &options, &Patch::Apply(form(data))).await
    };
    put("one", false, json!({"a": "1", "b": "1"})).await?;
    put("two", false, json!({"c": "2"})).await?;
    match put("two", false, json!({"b": "2", "c": "2"})).await {
        Err(kube::Error::Api(status)) => {
            ensure!(status.code == 409 && status.message.contains("\"one\""), "{status:?}");
        }
        other => bail!("no conflict: {other:?}"),
    }
    put("two", true, json!({"b": "2", "c": "2"})).await?;
    let left = put("one", false, json!({})).await?;
    let expected: BTreeMap<String, String> = [("b", "2"), ("c", "2")].map(|(k, v)| (k.into(), v.into())).into();
    ensure!(left.data.as_ref() == Some(&expected), "{:?}", left.data);
    maps.delete("rs-applied", &DeleteParams::default()).await?;
    Ok(())
}

/// A log that is followed, a process and its exit code, a port.
async fn streams(client: &Client, pod: &str) -> Result<()> {
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let log = pods.log_stream(pod, &LogParams { follow: true, ..LogParams::default() }).await?;
    let first = tokio::time::timeout(SOON, log.lines().try_next()).await??.unwrap_or_default();
    ensure!(first.contains("serves /www on port 8080"), "{first}");

    let mut listed = pods.exec(pod, ["/web", "ls", "/www"], &AttachParams::default()).await?;
    let mut said = String::new();
    listed.stdout().context("a stream of output")?.read_to_string(&mut said).await?;
    ensure!(said == "index.html\n", "{said:?}");
    listed.join().await?;
    let mut failed = pods.exec(pod, ["/web", "cat", "/none"], &AttachParams::default()).await?;
    let status = failed.take_status().context("a status to come")?.await.context("a status")?;
    let causes = status.details.and_then(|details| details.causes).unwrap_or_default();
    let exit = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"));
    ensure!(exit.and_then(|cause| cause.message.as_deref()) == Some("1"), "{causes:?}");

    let mut forward = pods.portforward(pod, &[8080]).await?;
    let mut port = forward.take_stream(8080).context("a stream of the port")?;
    port.write_all(b"GET /hostname HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    tokio::time::timeout(SOON, port.read_to_string(&mut answer)).await??;
    ensure!(answer.starts_with("HTTP/1.1 200") && answer.trim_end().ends_with(pod), "{answer}");
    // The pod has closed the port, and with it the socket: there is nothing to join.
    forward.abort();
    Ok(())
}

/// A ConfigMap for each unit of a herd's size, a status that says so, and an end that waits for the operator.
async fn reconcile(herd: Arc<Herd>, client: Arc<Client>) -> Result<Action, OperatorError> {
    let ns = herd.namespace().unwrap_or_default();
    let herds: Api<Herd> = Api::namespaced((*client).clone(), &ns);
    let outcome = finalizer(&herds, FINALIZER, herd, |event| async {
        match event {
            Event::Apply(herd) => keep(&client, &ns, &herd).await,
            Event::Cleanup(_) => Ok(Action::await_change()),
        }
    });
    outcome.await.map_err(|error| OperatorError(error.to_string()))
}

async fn keep(client: &Client, ns: &str, herd: &Herd) -> kube::Result<Action> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), ns);
    let herds: Api<Herd> = Api::namespaced(client.clone(), ns);
    let options = PatchParams::apply("herder").force();
    let owner: Vec<OwnerReference> = herd.controller_owner_ref(&()).into_iter().collect();
    for number in 0..herd.spec.size {
        let name = format!("{}-{number}", herd.name_any());
        let labels = json!({"herd": herd.name_any()});
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "labels": labels, "ownerReferences": owner}});
        maps.patch(&name, &options, &Patch::Apply(map)).await?;
    }
    let status = HerdStatus { made: herd.spec.size };
    if herd.status.as_ref() != Some(&status) {
        let change = json!({"apiVersion": Herd::api_version(&()), "kind": Herd::kind(&()), "status": status});
        herds.patch_status(&herd.name_any(), &options, &Patch::Apply(change)).await?;
    }
    Ok(Action::await_change())
}

#[derive(Debug)]
struct OperatorError(String);

impl std::fmt::Display for OperatorError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OperatorError {}

/// The operator's whole life, beside the user who makes and deletes a herd.
async fn operator(client: &Client) -> Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definition = Herd::crd();
    definitions.patch(Herd::crd_name(), &PatchParams::apply("herder").force(), &Patch::Apply(&definition)).await?;
    let established = conditions::is_crd_established();
    tokio::time::timeout(SOON, await_condition(definitions.clone(), Herd::crd_name(), established)).await??;
    let herds: Api<Herd> = Api::default_namespaced(client.clone());
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let controller = Controller::new(herds.clone(), watcher::Config::default())
        .owns(maps.clone(), watcher::Config::default())
        .run(
            |herd, client| Box::pin(reconcile(herd, client)),
            |_, _, _| Action::requeue(Duration::from_millis(200)),
            Arc::new(client.clone()),
        )
        .for_each(|outcome| async move {
            if let Err(error) = outcome {
                println!("the operator tries again: {error}");
            }
        });
    tokio::select! {
        () = controller => bail!("the operator ended"),
        done = use_herds(&herds, &maps) => done?,
    }
    definitions.delete(Herd::crd_name(), &DeleteParams::default()).await?;
    eventually("the definition is gone", || async { Ok(definitions.get_opt(Herd::crd_name()).await?.is_none()) }).await
}

async fn use_herds(herds: &Api<Herd>, maps: &Api<ConfigMap>) -> Result<()> {
    let too_big = Herd::new("goats", HerdSpec { size: 10 });
    ensure!(code(herds.create(&PostParams::default(), &too_big).await) == Some(422), "the schema's maximum");
    let sheep = herds.create(&PostParams::default(), &Herd::new("sheep", HerdSpec { size: 3 })).await?;
    let made = |herd: Option<&Herd>| herd.and_then(|herd| herd.status.as_ref()).is_some_and(|status| status.made == 3);
    tokio::time::timeout(SOON, await_condition(herds.clone(), "sheep", made)).await.context("the herd's status")??;
    let children = ListParams::default().labels("herd=sheep");
    ensure!(maps.list(&children).await?.items.len() == 3, "three children");
    // Who loses one makes another: the controller watches what it owns.
    maps.delete("sheep-1", &DeleteParams::default()).await?;
    eventually("the child is back", || async { Ok(maps.get_opt("sheep-1").await?.is_some()) }).await?;
    herds.delete("sheep", &DeleteParams::default()).await?;
    let gone = conditions::is_deleted(sheep.metadata.uid.as_deref().unwrap_or_default());
    tokio::time::timeout(SOON, await_condition(herds.clone(), "sheep", gone)).await.context("the herd's end")??;
    eventually("the children are collected", || async { Ok(maps.list(&children).await?.items.is_empty()) }).await
}

async fn eventually<F: Future<Output = Result<bool>>>(what: &str, look: impl Fn() -> F) -> Result<()> {
    let end = Instant::now() + SOON;
    while !look().await? {
        ensure!(Instant::now() < end, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
