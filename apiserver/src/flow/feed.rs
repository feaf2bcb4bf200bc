//! Keeps the table of flow schemas and levels at what is stored, and says of each schema whether its level exists.
//! k8s: the controller of `apiserver/pkg/util/flowcontrol`, its condition and messages

use super::FlowControl;
use crate::auth::objects::{Resource, kind};
use crate::cache::Caches;
use crate::error::ApiError;
use crate::follow::{Change, Follow, Seen};
use crate::registry::{Call, Registry, metadata};
use crate::request::{Request, Verb};
use crate::server::Server;
use client::identity::Identity;
use futures::future::join_all;
use k8s_openapi::api::flowcontrol::v1::{FlowSchema, FlowSchemaCondition, PriorityLevelConfiguration};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const GROUP: &str = "flowcontrol.apiserver.k8s.io";
const SCHEMAS: Resource = Resource { group: GROUP, version: "v1", plural: "flowschemas" };
const LEVELS: Resource = Resource { group: GROUP, version: "v1", plural: "prioritylevelconfigurations" };
/// k8s: ConfigConsumerAsFieldManager
const MANAGER: &str = "api-priority-and-fairness-config-consumer-v1";
const DANGLING: &str = "Dangling";
/// Pause before a status that could not be written is taken up again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

pub(crate) struct Feed {
    schemas: Follow,
    levels: Follow,
    known: Known,
}

/// By name.
#[derive(Default)]
struct Known {
    schemas: BTreeMap<String, FlowSchema>,
    levels: BTreeMap<String, PriorityLevelConfiguration>,
}

impl Feed {
    /// Returns when `control` knows everything that is stored now.
    pub(crate) async fn open(caches: &Arc<Caches>, control: &FlowControl) -> Result<Self, ApiError> {
        let (schemas, levels) = (Follow::open(caches, kind(SCHEMAS)).await?, Follow::open(caches, kind(LEVELS)).await?);
        let mut feed = Self { schemas, levels, known: Known::default() };
        while let Some(seen) = feed.levels.initial() {
            take(&mut feed.known.levels, &seen);
        }
        while let Some(seen) = feed.schemas.initial() {
            take(&mut feed.known.schemas, &seen);
        }
        feed.known.tell(control);
        Ok(feed)
    }

    /// Writes what is due of the conditions; [`Self::run`] tries again where that fails.
    pub(crate) async fn settle(&self, registry: &Registry) {
        self.known.report(registry).await;
    }

    pub(crate) async fn run(mut self, server: Arc<Server>, drain: CancellationToken) {
        loop {
            let failed = self.known.report(&server.registry).await;
            tokio::select! {
                () = drain.cancelled() => return,
                seen = self.schemas.next() => take(&mut self.known.schemas, &seen),
                seen = self.levels.next() => take(&mut self.known.levels, &seen),
                () = tokio::time::sleep(RETRY_PAUSE), if failed => continue,
            }
            self.known.tell(&server.flow);
        }
    }
}

fn take<T: for<'de> Deserialize<'de>>(known: &mut BTreeMap<String, T>, seen: &Seen) {
    let name = seen.object.name().to_owned();
    match (seen.change, T::deserialize(&seen.object.value())) {
        (Change::Is, Ok(object)) => {
            known.insert(name, object);
        }
        (Change::Is, Err(error)) => tracing::warn!(%name, %error, "cannot read an object of flow control"),
        (Change::Gone, _) => {
            known.remove(&name);
        }
    }
}

impl Known {
    fn tell(&self, control: &FlowControl) {
        let schemas: Vec<FlowSchema> = self.schemas.values().cloned().collect();
        let levels: Vec<PriorityLevelConfiguration> = self.levels.values().cloned().collect();
        control.set(&schemas, &levels);
    }

    /// Writes the conditions that are not as they should be; whether some could not be written.
    async fn report(&self, registry: &Registry) -> bool {
        let levels: BTreeSet<&str> = self.levels.keys().map(String::as_str).collect();
        let now = metadata::time(registry.now());
        let wanted = self.schemas.iter().filter_map(|(name, schema)| Some((name, due(schema, &levels, &now)?)));
        let writes = wanted.map(|(name, condition)| async move {
            match write(registry, name, &condition).await {
                Ok(()) | Err(ApiError::NotFound { .. }) => true,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(%name, error, "cannot write the status of a flow schema yet");
                    false
                }
            }
        });
        join_all(writes).await.contains(&false)
    }
}

/// What the schema's condition should say, where it says something else.
fn due(schema: &FlowSchema, levels: &BTreeSet<&str>, now: &str) -> Option<Value> {
    let level = &schema.spec.priority_level_configuration.name;
    let (status, reason, what) = if levels.contains(level.as_str()) {
        ("False", "Found", "and it exists")
    } else {
        ("True", "NotFound", "but there is no such object")
    };
    let message = format!("This FlowSchema references the PriorityLevelConfiguration object named {level:?} {what}");
    let mut conditions = schema.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let held = conditions.find(|condition| condition.type_ == DANGLING);
    if held.is_some_and(|held| says(held, status, reason, &message)) {
        return None;
    }
    let since =
        held.filter(|held| held.status.as_deref() == Some(status)).and_then(|held| held.last_transition_time.as_ref());
    let since = since.map_or_else(|| json!(now), |since| json!(since));
    Some(json!({
        "type": DANGLING, "status": status, "reason": reason, "message": message, "lastTransitionTime": since,
    }))
}

fn says(held: &FlowSchemaCondition, status: &str, reason: &str, message: &str) -> bool {
    held.status.as_deref() == Some(status)
        && held.reason.as_deref() == Some(reason)
        && held.message.as_deref() == Some(message)
}

async fn write(registry: &Registry, name: &str, condition: &Value) -> Result<(), ApiError> {
    let identity = Identity::new("system:apiserver", [crate::auth::GROUP_MASTERS]);
    let mut request = Request::internal(Verb::Patch, &kind(SCHEMAS), "", name, identity, MANAGER);
    "status".clone_into(&mut request.subresource);
    MANAGER.clone_into(&mut request.options.field_manager);
    request.options.force = true;
    let config = json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "FlowSchema", "metadata": {"name": name},
        "status": {"conditions": [condition]},
    });
    registry.apply(&Call::of(&request)?, &config, &[]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_dangles_as_long_as_its_level_is_missing() {
        let spec = json!({"priorityLevelConfiguration": {"name": "l"}});
        let mut schema: FlowSchema = serde_json::from_value(json!({"metadata": {"name": "s"}, "spec": spec})).unwrap();
        let with =
            |schema: &FlowSchema, levels: &[&str], now: &str| due(schema, &levels.iter().copied().collect(), now);
        let found = with(&schema, &["l"], "2026-01-01T00:00:00Z").unwrap();
        assert_eq!((&found["status"], &found["reason"]), (&json!("False"), &json!("Found")));
        let text = "This FlowSchema references the PriorityLevelConfiguration object named \"l\" and it exists";
        assert_eq!(found["message"], text);

        schema.status = serde_json::from_value(json!({"conditions": [found]})).unwrap();
        assert_eq!(with(&schema, &["l"], "2026-01-02T00:00:00Z"), None);
        let lost = with(&schema, &[], "2026-01-02T00:00:00Z").unwrap();
        assert_eq!((&lost["status"], &lost["reason"]), (&json!("True"), &json!("NotFound")));
        assert_eq!(lost["lastTransitionTime"], "2026-01-02T00:00:00Z");
    }
}
