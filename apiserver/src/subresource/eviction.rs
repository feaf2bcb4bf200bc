//! `pods/eviction`: a delete that respects PodDisruptionBudgets.

use crate::error::{ApiError, StatusCause};
use crate::registry::delete::DeleteOptions;
use crate::registry::{Call, Registry, metadata};
use crate::request::{Request, Selection, Verb};
use kinds::selector::LabelSelector;
use serde_json::{Value, json};

const BLOCKED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";
/// k8s: the budget's controller has not seen the newest generation yet.
const RETRY_AFTER_UNOBSERVED_S: u32 = 10;

impl Registry {
    /// Deletes the pod if its budget allows a disruption now.
    pub async fn evict(&self, call: &Call<'_>, eviction: &Value) -> Result<(), ApiError> {
        let mut options = DeleteOptions::of(call.options, eviction.get("deleteOptions"))?;
        let json = self.get(call).await?;
        let pod: Value = serde_json::from_slice(&json).unwrap_or_default();
        if !ignores_budgets(&pod) {
            // Bound to the pod that was looked at, not to one that takes its name.
            options.uid.get_or_insert_with(|| metadata::text(&pod, "uid").to_owned());
            match self.budgets_of(call, &pod).await?.as_slice() {
                [] => {}
                [budget] => self.spend(call, &pod, budget, options.dry_run).await?,
                _ => {
                    let why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
                    return Err(ApiError::internal(why));
                }
            }
        }
        self.delete(call, &options).await.map(|_| ())
    }

    async fn budgets_of(&self, call: &Call<'_>, pod: &Value) -> Result<Vec<Value>, ApiError> {
        let Some(kind) = kinds::table::find("policy", "v1", "poddisruptionbudgets") else { return Ok(Vec::new()) };
        let cache = self.caches().fresh(kind).await?;
        let labels = metadata::get(pod, "labels").unwrap_or(&Value::Null);
        let selects = |budget: &Value| {
            let selector = serde_json::from_value(budget.pointer("/spec/selector").cloned()?).ok()?;
            Some(LabelSelector::from_meta(&selector).ok()?.matches(labels))
        };
        let all = cache.list(call.ns, &Selection::default()).objects;
        Ok(all.iter().map(|budget| budget.value()).filter(|budget| selects(budget).unwrap_or(false)).collect())
    }

    /// Takes one disruption from the budget, or says why not.
    async fn spend(&self, call: &Call<'_>, pod: &Value, budget: &Value, dry_run: bool) -> Result<(), ApiError> {
        if !is_ready(pod) && unhealthy_may_go(budget) {
            return Ok(());
        }
        let Some(kind) = kinds::table::find("policy", "v1", "poddisruptionbudgets") else { return Ok(()) };
        let name = metadata::text(budget, "name").to_owned();
        let mut request =
            Request::internal(Verb::Update, kind, call.ns, &name, call.request.identity.clone(), call.manager());
        "status".clone_into(&mut request.subresource);
        request.options.dry_run = dry_run;
        let now = metadata::time(self.now());
        let make = |budget: &Value| spent(budget, call.name, &now);
        self.change(&Call::of(&request)?, Verb::Update, &make).await.map(|_| ())
    }
}

/// Pods that are not running, or on their way out, disturb nobody.
fn ignores_budgets(pod: &Value) -> bool {
    let phase = pod.pointer("/status/phase").and_then(Value::as_str).unwrap_or("");
    metadata::is_deleting(pod) || matches!(phase, "Succeeded" | "Failed" | "Pending")
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn number(budget: &Value, path: &str) -> i64 {
    budget.pointer(path).and_then(Value::as_i64).unwrap_or(0)
}

/// k8s: unhealthyPodEvictionPolicy, default IfHealthyBudget
fn unhealthy_may_go(budget: &Value) -> bool {
    if budget.pointer("/spec/unhealthyPodEvictionPolicy").and_then(Value::as_str) == Some("AlwaysAllow") {
        return true;
    }
    let desired = number(budget, "/status/desiredHealthy");
    desired > 0 && number(budget, "/status/currentHealthy") >= desired
}

fn spent(budget: &Value, pod: &str, now: &str) -> Result<Value, ApiError> {
    let blocked = |message: String, retry_after_s| ApiError::TooManyRequests {
        message: BLOCKED.into(),
        retry_after_s,
        causes: vec![StatusCause { reason: "DisruptionBudget".into(), message, field: String::new() }],
    };
    let name = metadata::text(budget, "name");
    let generation = metadata::get(budget, "generation").and_then(Value::as_i64).unwrap_or(0);
    if number(budget, "/status/observedGeneration") < generation {
        let message = format!("The disruption budget {name} is still being processed by the server.");
        return Err(blocked(message, RETRY_AFTER_UNOBSERVED_S));
    }
    let allowed = number(budget, "/status/disruptionsAllowed");
    if allowed <= 0 {
        let (needs, has) = (number(budget, "/status/desiredHealthy"), number(budget, "/status/currentHealthy"));
        let message = format!("The disruption budget {name} needs {needs} healthy pods and has {has} currently");
        return Err(blocked(message, 0));
    }
    let mut new = budget.clone();
    new["status"]["disruptionsAllowed"] = (allowed - 1).into();
    if !new["status"]["disruptedPods"].is_object() {
        new["status"]["disruptedPods"] = json!({});
    }
    new["status"]["disruptedPods"][pod] = now.into();
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_without_allowance_blocks_and_says_why() {
        let budget = json!({
            "metadata": {"name": "web", "generation": 1},
            "status": {"observedGeneration": 1, "disruptionsAllowed": 0, "desiredHealthy": 2, "currentHealthy": 2},
        });
        let Err(ApiError::TooManyRequests { causes, .. }) = spent(&budget, "p", "now") else { panic!("must block") };
        assert_eq!(causes[0].message, "The disruption budget web needs 2 healthy pods and has 2 currently");
    }

    #[test]
    fn an_eviction_takes_one_disruption() {
        let budget = json!({"metadata": {"name": "web"}, "status": {"disruptionsAllowed": 2}});
        let new = spent(&budget, "p", "2026-01-01T00:00:00Z").unwrap();
        assert_eq!(new["status"]["disruptionsAllowed"], 1);
        assert_eq!(new["status"]["disruptedPods"]["p"], "2026-01-01T00:00:00Z");
    }
}
