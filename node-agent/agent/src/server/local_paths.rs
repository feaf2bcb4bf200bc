//! `POST /localPaths`: the directory of a volume of the class `local-path` goes, as its provisioner asks.

use crate::node::Node;
use crate::volume::mount_table;
use crate::worker::chain;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use tracing::info;

#[derive(Debug, Deserialize)]
struct Asked {
    name: String,
}

pub(super) async fn remove(State(node): State<Arc<Node>>, body: Bytes) -> Response {
    let asked: Asked = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("cannot read the request: {error}\n")).into_response(),
    };
    if !is_ours(&asked.name) {
        return (StatusCode::BAD_REQUEST, format!("{:?} is not the name of a volume\n", asked.name)).into_response();
    }
    let path = node.places.local_paths().join(&asked.name);
    let shown = path.display().to_string();
    let removed = tokio::task::spawn_blocking(move || mount_table::remove_dir(&path).map_err(|e| chain(&e))).await;
    match removed.unwrap_or_else(|panicked| Err(panicked.to_string())) {
        Ok(()) => {
            info!(path = shown, "directory of a deleted volume removed");
            let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success" });
            ([(header::CONTENT_TYPE, "application/json")], status.to_string()).into_response()
        }
        Err(said) => (StatusCode::INTERNAL_SERVER_ERROR, said).into_response(),
    }
}

/// Names that the provisioner gives; none leads anywhere else.
fn is_ours(name: &str) -> bool {
    name.starts_with("pvc-") && !name.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_of_volumes_are_removed() {
        assert!(is_ours("pvc-0b5e_default_data"));
        for name in ["", ".", "..", "pods", "pvc-1/../../pods", "/etc"] {
            assert!(!is_ours(name), "{name:?}");
        }
    }
}
