//! One work on one thread, in process and without sockets: what a program that counts instructions looks at, so that a figure
//! is the same on a busy machine. `valgrind --tool=callgrind --toggle-collect='*alone::measured*' bench_api alone pods 400`
//! counts the work alone: the server's part, without TLS and HTTP.

use crate::objects::{map, maps, pod, pods};
use crate::works::name;
use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::Body;
use client::identity::Identity;
use e2e::bench::{connection::Ask, server};
use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::runtime::Runtime;
use tower::ServiceExt;

const STRATEGIC: &str = "application/strategic-merge-patch+json";

/// `works` one after the other, each `count` times, each on what those before it have made: `pods bind status`, `maps patch`.
pub(crate) fn run(works: &[&str], count: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let api = runtime.block_on(server::open(folder.path(), "mem"))?;
    let caller = Caller { router: api.router(), identity: Identity::new("admin", ["system:masters"]) };
    runtime.block_on(prepare(&caller))?;
    for work in works {
        let asks = (0..count).map(|nth| ask(work, nth)).collect::<Result<Vec<Ask>>>()?;
        let begin = std::time::Instant::now();
        measured(&runtime, &caller, asks)?;
        println!("{work}: {:.1} us", begin.elapsed().as_secs_f64() * 1e6 / count as f64);
    }
    Ok(())
}

/// A name to find in a profile.
#[inline(never)]
fn measured(runtime: &Runtime, caller: &Caller, asks: Vec<Ask>) -> Result<()> {
    runtime.block_on(async {
        for ask in asks {
            caller.ask(ask).await?;
        }
        Ok(())
    })
}

async fn prepare(caller: &Caller) -> Result<()> {
    let bench = json!({"metadata": {"name": "bench"}}).to_string();
    caller.ask(Ask::post("/api/v1/namespaces", bench)).await?;
    let account = json!({"metadata": {"name": "default"}}).to_string();
    caller.ask(Ask::post("/api/v1/namespaces/bench/serviceaccounts", account)).await?;
    // A kind's cache starts with its first reader, and is then fed with every write.
    for path in [pods("bench"), maps("bench")] {
        caller.ask(Ask::get(path)).await?;
    }
    for (work, nth) in [("pods", usize::MAX), ("maps", usize::MAX)] {
        caller.ask(ask(work, nth)?).await?;
    }
    Ok(())
}

fn ask(work: &str, nth: usize) -> Result<Ask> {
    let pod_name = format!("pod-{nth:08}");
    Ok(match work {
        "pods" => Ask::post(pods("bench"), pod(&pod_name)),
        "bind" => {
            let binding = json!({
                "apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod_name},
                "target": {"apiVersion": "v1", "kind": "Node", "name": "node-1"},
            });
            Ask::post(format!("{}/{pod_name}/binding", pods("bench")), binding.to_string())
        }
        "status" => {
            let since = "2026-01-01T00:00:00Z";
            let condition = |name: &str| json!({"type": name, "status": "True", "lastTransitionTime": since});
            let conditions = ["Initialized", "Ready", "ContainersReady"].map(condition);
            let status = json!({"status": {
                "phase": "Running", "hostIP": "10.0.0.1", "podIP": "10.42.0.7", "podIPs": [{"ip": "10.42.0.7"}],
                "conditions": conditions,
                "containerStatuses": [{
                    "name": "web", "image": "example.org/web:1", "imageID": "example.org/web@sha256:00", "ready": true,
                    "restartCount": 0, "state": {"running": {"startedAt": since}},
                }],
            }});
            let path = format!("{}/{pod_name}/status", pods("bench"));
            Ask { media: STRATEGIC, ..Ask::merge_patch(path, status.to_string()) }
        }
        "maps" => Ask::post(maps("bench"), map(&name(nth), nth)),
        "patch" => {
            let body = json!({"metadata": {"annotations": {"n": nth.to_string()}}}).to_string();
            Ask::merge_patch(format!("{}/{}", maps("bench"), name(nth)), body)
        }
        "get" => Ask::get(format!("{}/{}", maps("bench"), name(nth))),
        other => anyhow::bail!("no such work: {other}"),
    })
}

/// A client in the process.
struct Caller {
    router: Router,
    identity: Identity,
}

impl Caller {
    async fn ask(&self, ask: Ask) -> Result<()> {
        let mut request = Request::builder().method(ask.method).uri(ask.path).header(USER_AGENT, "bench/1");
        request = request.header(ACCEPT, "application/json");
        if !ask.body.is_empty() {
            request = request.header(CONTENT_TYPE, ask.media);
        }
        let mut request = request.body(Body::from(ask.body))?;
        request.extensions_mut().insert(self.identity.clone());
        let response = self.router.clone().oneshot(request).await?;
        let code = response.status();
        let bytes = response.into_body().collect().await.context("the answer")?.to_bytes();
        ensure!(code.is_success(), "{code}: {}", String::from_utf8_lossy(&bytes));
        Ok(())
    }
}
