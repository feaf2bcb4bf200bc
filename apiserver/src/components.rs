//! `componentstatuses`: whether the store answers, and whether anybody schedules and controls. Found out when somebody asks.

use crate::auth::objects::{CachedObjects, Objects, Resource};
use crate::error::ApiError;
use crate::registry::Call;
use crate::request::Verb;
use crate::respond::{self, View};
use crate::server::Server;
use axum::body::Body;
use http::{Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use parking_lot::RwLock;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Group and plural of the kind that is answered here.
pub(crate) const PLURAL: &str = "componentstatuses";
const LEASES: Resource = Resource { group: "coordination.k8s.io", version: "v1", plural: "leases" };
const LEASE_NAMESPACE: &str = "kube-system";
const STORE: &str = "etcd-0";
/// Shown name, and that of the lease by which several elect one.
const ELECTED: [(&str, &str); 2] = [("controller-manager", "kube-controller-manager"), ("scheduler", "kube-scheduler")];

/// Components that run in this process and have no rivals: they live as long as it does, and hold no lease.
#[derive(Default)]
pub struct Components {
    here: RwLock<BTreeSet<&'static str>>,
}

impl Components {
    /// `name`: that of the lease which it would hold if it had rivals, `kube-scheduler`.
    pub fn add(&self, name: &'static str) {
        self.here.write().insert(name);
    }

    fn has(&self, name: &str) -> bool {
        self.here.read().contains(name)
    }
}

/// Answers a get or a list.
pub(crate) async fn serve(server: &Server, call: &Call<'_>, view: &View) -> Result<Response<Body>, ApiError> {
    call.options.selection.check(call.row())?;
    let mut all = Vec::new();
    for (shown, lease) in ELECTED {
        all.push(status(shown, elected(server, lease).await));
    }
    let answers = server.publisher.health().store_answers().await;
    all.push(status(STORE, if answers { Ok(()) } else { Err("the store does not answer".to_owned()) }));
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if call.request.verb == Verb::Get {
        let found = all.iter().find(|object| name(object) == call.name);
        let found = found.ok_or_else(|| ApiError::not_found(call.row(), call.name))?;
        let json = serde_json::to_vec(found).expect("a JSON tree always encodes");
        return Ok(respond::object(view, StatusCode::OK, json.into(), &[]));
    }
    let selection = &call.options.selection;
    let wanted = selection.single_name();
    all.retain(|object| {
        selection.labels.matches(&object["metadata"]["labels"])
            && wanted.as_ref().is_none_or(|one| *one == name(object))
    });
    Ok(respond::unversioned_list(view, all))
}

fn status(name: &str, health: Result<(), String>) -> Value {
    let condition = match health {
        Ok(()) => json!({"type": "Healthy", "status": "True", "message": "ok"}),
        Err(why) => json!({"type": "Healthy", "status": "False", "error": why}),
    };
    json!({"kind": "ComponentStatus", "apiVersion": "v1", "metadata": {"name": name}, "conditions": [condition]})
}

/// Whether somebody does the work, here or as the holder of a lease.
async fn elected(server: &Server, lease: &str) -> Result<(), String> {
    if server.components.has(lease) {
        return Ok(());
    }
    let objects = CachedObjects::new(Arc::clone(server.registry.caches()));
    let found = objects.live(LEASES, LEASE_NAMESPACE, lease).await.map_err(|error| error.to_string())?;
    let found = found.ok_or_else(|| format!("nobody holds the lease {LEASE_NAMESPACE}/{lease}"))?;
    held(&found["spec"], server.registry.now())
}

fn held(spec: &Value, now: Timestamp) -> Result<(), String> {
    let holder = spec["holderIdentity"].as_str().unwrap_or_default();
    let renewed = spec["renewTime"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
    let seconds = spec["leaseDurationSeconds"].as_i64().unwrap_or_default();
    match renewed {
        Some(renewed) if !holder.is_empty() && now.duration_since(renewed) <= SignedDuration::from_secs(seconds) => {
            Ok(())
        }
        Some(renewed) => Err(format!("{holder:?} has not renewed its lease since {renewed}")),
        None => Err("its lease was never renewed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_healthy_as_long_as_its_lease_is_held() {
        let spec =
            json!({"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"});
        let at = |time: &str| held(&spec, time.parse().unwrap());
        assert_eq!(at("2026-01-01T00:00:15Z"), Ok(()));
        assert!(at("2026-01-01T00:00:16Z").unwrap_err().contains("\"a\" has not renewed"));
        assert!(held(&json!({}), Timestamp::UNIX_EPOCH).unwrap_err().contains("never"));
    }
}
