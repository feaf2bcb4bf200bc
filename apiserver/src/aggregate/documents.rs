//! The OpenAPI documents of other API servers, which they may not have, and which say nothing of whether they are available.
//! k8s: `kube-aggregator/pkg/controllers/openapi` and `openapiv3`

use super::available::fetch;
use super::remote::{Read, Remote};
use super::{Registered, openapi};
use crate::server::Server;
use http::StatusCode;
use serde_json::Value;
use std::time::Duration;

/// k8s: v3's; the index is small, and says by its hashes what has changed.
const READ_EVERY: Duration = Duration::from_secs(30);
/// For each document of each server. Those of others wait for it, so it is less than upstream's minute.
const READ_WAIT: Duration = Duration::from_secs(10);
/// The OpenAPI document of all of Kubernetes is less than this.
const DOCUMENT_MAX: usize = 4 << 20;

pub(super) async fn read_all(server: &Server, registered: &Registered) {
    loop {
        let mut remotes = registered.remotes();
        remotes.retain(|remote| remote.is_available());
        futures::future::join_all(remotes.iter().map(|remote| read(server, registered, remote))).await;
        let pause = if remotes.is_empty() { Duration::MAX } else { READ_EVERY };
        tokio::select! {
            () = registered.news() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn read(server: &Server, registered: &Registered, remote: &Remote) {
    let place = match document(server, remote, "/openapi/v3").await {
        Read::Has(index) => {
            let place = &index["paths"][remote.path().trim_start_matches('/')]["serverRelativeURL"];
            place.as_str().map_or(Read::HasNone, |place| Read::Has(place.to_owned()))
        }
        Read::HasNone => Read::HasNone,
        Read::Failed => Read::Failed,
    };
    if remote.set_openapi(place) {
        registered.touch();
    }
    if !remote.wants_v2(server.registry.now()) {
        return;
    }
    let about_group = match document(server, remote, "/openapi/v2").await {
        Read::Has(whole) => openapi::about_group(whole, &remote.group).map_or(Read::HasNone, Read::Has),
        Read::HasNone => Read::HasNone,
        Read::Failed => Read::Failed,
    };
    if remote.set_v2(about_group, server.registry.now()) {
        registered.touch();
    }
}

async fn document(server: &Server, remote: &Remote, path: &str) -> Read<Value> {
    let fetched = tokio::time::timeout(READ_WAIT, fetch(&server.aggregate, remote, path, DOCUMENT_MAX)).await;
    let why = match fetched {
        Ok(Ok((status, body))) if status.is_success() => match serde_json::from_slice(&body) {
            Ok(document) => return Read::Has(document),
            Err(error) => error.to_string(),
        },
        Ok(Ok((StatusCode::NOT_FOUND, _))) => return Read::HasNone,
        Ok(Ok((status, _))) => format!("it answers {status}"),
        Ok(Err(why)) => why,
        Err(_) => "it does not answer".to_owned(),
    };
    tracing::debug!(why, path, api_service = remote.name, "cannot read an OpenAPI document of an APIService");
    Read::Failed
}
