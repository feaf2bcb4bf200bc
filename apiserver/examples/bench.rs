//! What a request costs the server: the whole chain through the in-process router, on the store in memory.
//! `cargo run --release -p apiserver --example bench`

use apiserver::bootstrap::Membership;
use apiserver::server::Limits;
use apiserver::{ApiServer, Config, Deps};
use axum::Router;
use axum::body::Body;
use client::clock::SystemClock;
use client::identity::Identity;
use http::{Method, Request};
use http_body_util::BodyExt;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use store::mem::MemStore;
use tokio::time::Instant;
use tower::ServiceExt;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const OBJECTS: usize = 5_000;
const LISTS: u32 = 50;
const WATCHERS: usize = 10_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let started = Instant::now();
    let api = open(folder.path().to_owned()).await?;
    report("open", started.elapsed(), 1)?;
    let router = api.router();

    let started = Instant::now();
    for n in 0..OBJECTS {
        let body = format!(
            r#"{{"metadata":{{"name":"m{n}","labels":{{"app":"bench"}}}},"data":{{"text":"{}"}}}}"#,
            "x".repeat(200)
        );
        ask(&router, Method::POST, MAPS, body).await?;
    }
    report("create ConfigMap", started.elapsed(), OBJECTS as u32)?;

    let started = Instant::now();
    for n in 0..OBJECTS {
        ask(&router, Method::GET, &format!("{MAPS}/m{n}"), String::new()).await?;
    }
    report("get ConfigMap", started.elapsed(), OBJECTS as u32)?;

    let started = Instant::now();
    for n in 0..OBJECTS {
        ask(&router, Method::PATCH, &format!("{MAPS}/m{n}"), format!(r#"{{"data":{{"n":"{n}"}}}}"#)).await?;
    }
    report("merge-patch ConfigMap", started.elapsed(), OBJECTS as u32)?;

    ask(&router, Method::GET, MAPS, String::new()).await?;
    let started = Instant::now();
    let mut bytes = 0;
    for _ in 0..LISTS {
        bytes = ask(&router, Method::GET, MAPS, String::new()).await?;
    }
    report(&format!("list {OBJECTS} ConfigMaps, {bytes} bytes"), started.elapsed(), LISTS)?;

    let before = resident_kib()?;
    let mut watches = Vec::with_capacity(WATCHERS);
    for n in 0..WATCHERS {
        let uri = format!(
            "{MAPS}?watch=1&resourceVersion=0&allowWatchBookmarks=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&fieldSelector=metadata.name%3Dnone{n}"
        );
        watches.push(send(&router, Method::GET, &uri, String::new()).await?);
    }
    let each = (resident_kib()? - before) as f64 / WATCHERS as f64;
    writeln!(std::io::stdout(), "{WATCHERS} idle watches: {each:.1} KiB each")?;
    Ok(())
}

async fn open(data_dir: std::path::PathBuf) -> anyhow::Result<ApiServer> {
    let config = Config {
        data_dir,
        bind: "127.0.0.1:0".parse()?,
        advertise_address: "192.0.2.1".parse()?,
        hostname: "bench".into(),
        extra_sans: Vec::new(),
        service_cidr: "10.43.0.0/16".into(),
        node_port_range: "30000-32767".into(),
        cluster_domain: "cluster.local".into(),
        history: Duration::from_mins(5),
        membership: Membership::Sole,
        limits: Limits::default(),
    };
    Ok(ApiServer::open(config, Deps { store: Arc::new(MemStore::new()), clock: Arc::new(SystemClock) }).await?)
}

async fn send(router: &Router, method: Method, uri: &str, body: String) -> anyhow::Result<http::Response<Body>> {
    let media = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let mut request =
        Request::builder().method(method).uri(uri).header("content-type", media).body(Body::from(body))?;
    request.extensions_mut().insert(Identity::new("bench", ["system:masters"]));
    let response = router.clone().oneshot(request).await?;
    anyhow::ensure!(response.status().is_success(), "{uri}: {}", response.status());
    Ok(response)
}

async fn ask(router: &Router, method: Method, uri: &str, body: String) -> anyhow::Result<usize> {
    let response = send(router, method, uri, body).await?;
    let mut body = response.into_body();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame?.data_ref().map_or(0, bytes::Bytes::len);
    }
    Ok(bytes)
}

fn report(what: &str, took: Duration, times: u32) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{what}: {:.1} us", (took / times).as_nanos() as f64 / 1000.0)
}

fn resident_kib() -> anyhow::Result<i64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
