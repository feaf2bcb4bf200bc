//! Evictions of a Deployment's pod that wait until its replacement is available, where somebody asked for that
//! (`drover.dev/surge-on-eviction`). Meanwhile they answer 429, as a budget does, so that every client that drains nodes waits
//! as it always did. The number of pods is kept by the ReplicaSet's controller, which sees the mark on the pod.

use super::condition::Told;
use crate::admission::Warnings;
use crate::error::{ApiError, StatusCause};
use crate::registry::delete::DeleteOptions;
use crate::registry::{Call, Registry, metadata};
use crate::request::Selection;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kinds::opt_in::surge::{self, Leave};
use kinds::opt_in::{self, SURGE_ON_EVICTION};
use kinds::selector::LabelSelector;
use serde_json::Value;

/// A replacement is often there within a second or two. client-go waits so long of its own accord, ten times.
const RETRY_AFTER_S: u32 = 1;

const LEAVING: Told = Told {
    type_: surge::LEAVING,
    reason: "ReplacedFirst",
    message: "Evicted as soon as its replacement is available",
    void_after: surge::PATIENCE,
};

/// Somebody wants the pod replaced before it goes.
pub(super) struct Wish {
    replica_set: Value,
    asker: Asker,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// The Deployment or the budget: rather a drain that waits than an interruption.
    Workload,
    /// The eviction: where no node has room for a replacement, it goes without.
    Eviction,
}

impl Registry {
    /// Who wants this pod replaced first, if anybody does and if there can be two of it.
    pub(super) async fn replacement_wish(
        &self,
        call: &Call<'_>,
        eviction: &Value,
        pod: &Value,
        budget: Option<&Value>,
    ) -> Result<Option<Wish>, ApiError> {
        let Some(replica_set) = self.owner_of(call, pod, ("ReplicaSet", "replicasets")).await? else { return Ok(None) };
        let Some(deployment) = self.owner_of(call, &replica_set, ("Deployment", "deployments")).await? else {
            return Ok(None);
        };
        let says = |object: &Value| opt_in::switch(opt_in::value(object, SURGE_ON_EVICTION));
        let workload = says(&deployment).or_else(|| budget.and_then(says));
        let asker = match (workload, says(eviction)) {
            (Some(true), _) => Asker::Workload,
            (None, Some(true)) => Asker::Eviction,
            (Some(false) | None, _) => return Ok(None),
        };
        let recreate = deployment.pointer("/spec/strategy/type").is_some_and(|strategy| strategy == "Recreate");
        let going = metadata::is_deleting(&deployment) || metadata::is_deleting(&replica_set);
        Ok((!recreate && !going).then_some(Wish { replica_set, asker }))
    }

    /// The object of group `apps` that controls another, as the cache has it now.
    async fn owner_of(
        &self,
        call: &Call<'_>,
        object: &Value,
        (kind, plural): (&str, &str),
    ) -> Result<Option<Value>, ApiError> {
        let owners = metadata::get(object, "ownerReferences").and_then(Value::as_array);
        let owner = owners.into_iter().flatten().find(|owner| owner["controller"] == true && owner["kind"] == kind);
        let Some(owner) = owner.filter(|owner| owner["apiVersion"] == "apps/v1") else { return Ok(None) };
        let Some(kind) = kinds::table::find("apps", "v1", plural) else { return Ok(None) };
        let found = self.caches().fresh(kind).await?.get(call.ns, owner["name"].as_str().unwrap_or_default());
        Ok(found.map(|object| object.value()).filter(|found| found["metadata"]["uid"] == owner["uid"]))
    }

    /// Lets the pod go if it is replaced or cannot be; marks it and answers 429 otherwise.
    pub(super) async fn replaced_first(
        &self,
        call: &Call<'_>,
        asked: &DeleteOptions,
        pod: &Value,
        wish: &Wish,
    ) -> Result<Warnings, ApiError> {
        let name = metadata::text(pod, "name");
        if let Some(claim) = self.exclusive_claim(call, pod).await? {
            return Ok(vec![format!(
                "pod {name} is not replaced before it goes: one node at a time may use its claim {claim}"
            )]);
        }
        let pods = self.pods_of(call, &wish.replica_set).await?;
        let replicas = wish.replica_set.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
        let seconds = wish.replica_set.pointer("/spec/minReadySeconds").and_then(Value::as_i64).unwrap_or(0);
        let size = (i32::try_from(replicas).unwrap_or(i32::MAX), i32::try_from(seconds).unwrap_or(i32::MAX));
        let leaver: Pod = serde_json::from_value(pod.clone())
            .map_err(|error| ApiError::internal(format!("stored pod {name} cannot be read: {error}")))?;
        match verdict(&leaver, &pods, size, wish.asker, self.now()) {
            Verdict::Go => Ok(Warnings::new()),
            Verdict::GoAlone(why) => Ok(vec![format!("pod {name} goes before it is replaced: {why}")]),
            Verdict::Wait(why) => {
                if !asked.dry_run {
                    self.tell(call, asked, &LEAVING).await?;
                }
                Err(waiting(why))
            }
        }
    }

    async fn pods_of(&self, call: &Call<'_>, replica_set: &Value) -> Result<Vec<Pod>, ApiError> {
        let selector = replica_set.pointer("/spec/selector").cloned().unwrap_or_default();
        let selector =
            serde_json::from_value(selector).ok().and_then(|selector| LabelSelector::from_meta(&selector).ok());
        let Some(labels) = selector else { return Ok(Vec::new()) };
        let cache = self.caches().fresh(call.kind).await?;
        let listed = cache.list(call.ns, &Selection { labels, ..Selection::default() }).objects;
        let uid = metadata::text(replica_set, "uid");
        let is_owned = |pod: &Pod| pod.metadata.owner_references.iter().flatten().any(|owner| owner.uid == uid);
        let pods = listed.iter().filter_map(|object| object.typed::<Pod>());
        Ok(pods.filter(is_owned).filter(is_active).collect())
    }

    /// A claim of the pod that its replacement cannot use at the same time on another node.
    async fn exclusive_claim(&self, call: &Call<'_>, pod: &Value) -> Result<Option<String>, ApiError> {
        let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array);
        let names =
            volumes.into_iter().flatten().filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str());
        let names: Vec<&str> = names.collect();
        if names.is_empty() {
            return Ok(None);
        }
        let Some(kind) = kinds::table::find("", "v1", "persistentvolumeclaims") else { return Ok(None) };
        let cache = self.caches().fresh(kind).await?;
        let is_shared = |name: &str| {
            let Some(claim) = cache.get(call.ns, name) else { return false };
            let claim = claim.value();
            let modes = claim.pointer("/spec/accessModes").and_then(Value::as_array);
            modes.into_iter().flatten().any(|mode| mode == "ReadWriteMany" || mode == "ReadOnlyMany")
        };
        Ok(names.into_iter().find(|name| !is_shared(name)).map(str::to_owned))
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Go,
    /// Without a replacement, and why.
    GoAlone(String),
    Wait(String),
}

fn verdict(leaver: &Pod, pods: &[Pod], size: (i32, i32), asker: Asker, now: Timestamp) -> Verdict {
    match surge::leave(leaver, now) {
        Leave::Overdue => {
            let minutes = surge::PATIENCE.as_mins();
            return Verdict::GoAlone(format!("its replacement was not available within {minutes} minutes"));
        }
        Leave::Leaves { .. } if surge::is_replaced(leaver, pods, size, now) => return Verdict::Go,
        Leave::Stays if size.0 <= 0 => return Verdict::Go,
        Leave::Leaves { .. } | Leave::Stays => {}
    }
    let homeless = pods.iter().find(|pod| surge::is_unschedulable(pod)).and_then(|pod| pod.metadata.name.as_deref());
    match homeless {
        Some(other) if asker == Asker::Eviction => Verdict::GoAlone(format!("no node has room for {other}")),
        Some(other) => Verdict::Wait(format!("its replacement is not available yet: no node has room for {other}")),
        None => Verdict::Wait("its replacement is not available yet".to_owned()),
    }
}

fn is_active(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Succeeded" | "Failed"))
}

fn waiting(why: String) -> ApiError {
    ApiError::TooManyRequests {
        message: format!("Cannot evict pod as {why}."),
        retry_after_s: RETRY_AFTER_S,
        causes: vec![StatusCause { reason: "ReplacedFirst".into(), message: why, field: String::new() }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, conditions: &Value) -> Pod {
        let pod = json!({"metadata": {"name": name, "uid": name}, "status": {"conditions": conditions}});
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn without_room_for_a_replacement_only_the_workloads_own_wish_is_waited_for() {
        let now = Timestamp::from_second(100).unwrap();
        let old = pod(
            "old",
            &json!([
                {"type": "Ready", "status": "True"},
                {"type": surge::LEAVING, "status": "True", "lastTransitionTime": now.to_string()},
            ]),
        );
        let new = pod("new", &json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]));
        let pods = [old.clone(), new];
        let asked_by = |asker| verdict(&old, &pods, (1, 0), asker, now);
        assert_eq!(asked_by(Asker::Eviction), Verdict::GoAlone("no node has room for new".into()));
        assert!(matches!(asked_by(Asker::Workload), Verdict::Wait(_)));
        let overdue = now + surge::PATIENCE;
        assert!(matches!(verdict(&old, &pods, (1, 0), Asker::Workload, overdue), Verdict::GoAlone(_)));
    }
}
