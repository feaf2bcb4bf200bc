//! `pods/eviction`: a delete that respects PodDisruptionBudgets.

mod condition;
mod replacement;

use crate::admission::{Operation, Warnings};
use crate::error::{ApiError, Qualified, StatusCause};
use crate::registry::delete::{DeleteOptions, check_preconditions};
use crate::registry::{Call, Registry, metadata};
use crate::request::{Request, Selection, Verb};
use kinds::selector::LabelSelector;
use serde_json::{Value, json};

const BLOCKED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";
/// k8s: the budget's controller has not seen the newest generation yet.
const RETRY_AFTER_UNOBSERVED_S: u32 = 10;
/// Evictions of one budget that its controller has not confirmed.
/// k8s: MaxDisruptedPodSize
const UNCONFIRMED_MAX: usize = 2000;
/// Evictions that lose against another write of the pod begin again.
/// k8s: EvictionsRetry
const TRIES_MAX: usize = 20;

/// What a budget says of an eviction.
enum Verdict {
    /// Nothing to spend: the pod is deleted whatever it has become meanwhile.
    Free,
    /// The pod is not healthy and so costs nothing, which must still be so when it is deleted.
    WhileUnhealthy,
    Spend,
}

/// How one attempt ended that did not fail.
enum Attempt {
    /// With what the client should know of it.
    Done(Warnings),
    /// Somebody else wrote the pod between look and delete, and nothing was spent.
    Overtaken,
}

impl Registry {
    /// Deletes the pod if its budget allows a disruption now. The warnings are admission's, which sees the Eviction once and
    /// not the delete.
    pub async fn evict(&self, call: &Call<'_>, mut eviction: Value) -> Result<Warnings, ApiError> {
        super::settle(call, "policy/v1", "Eviction", &mut eviction);
        let mut warnings = self.admit(call, Operation::Create, &mut eviction, None).await?;
        if metadata::text(&eviction, "name") != call.name {
            return Err(ApiError::bad_request("name in URL does not match name in Eviction object"));
        }
        let asked = DeleteOptions::of(call.options, eviction.get("deleteOptions"))?;
        warnings.extend(self.admit_final(call, Operation::Create, &eviction, None).await?);
        let call = &call.admitted();
        let bound = asked.resource_version.is_some();
        for _ in 0..TRIES_MAX {
            match self.try_evict(call, &eviction, &asked).await? {
                Attempt::Done(more) => {
                    warnings.extend(more);
                    return Ok(warnings);
                }
                // Who named a revision wants to hear that the pod has changed.
                Attempt::Overtaken if bound => break,
                Attempt::Overtaken => {}
            }
        }
        Err(ApiError::modified(call.row(), call.name))
    }

    async fn try_evict(&self, call: &Call<'_>, eviction: &Value, asked: &DeleteOptions) -> Result<Attempt, ApiError> {
        let json = self.get(call).await?;
        let pod: Value = serde_json::from_slice(&json).unwrap_or_default();
        // Before anything is spent.
        check_preconditions(call, asked, &pod)?;
        let mut options = asked.clone();
        if ignores_budgets(&pod) {
            if !is_leaving(&pod) {
                // One that has begun to run meanwhile has a budget again.
                bind_to(&mut options, &pod);
            }
            return match self.tell_and_delete(call, &options).await {
                Ok(_) => Ok(Attempt::Done(Warnings::new())),
                Err(ApiError::Conflict { .. }) => Ok(Attempt::Overtaken),
                Err(error) => Err(error),
            };
        }
        let budgets = self.budgets_of(call, &pod).await?;
        let budget = match budgets.as_slice() {
            [] => None,
            [budget] => Some(budget),
            _ => {
                let message =
                    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
                return Err(ApiError::Passed { code: 500, reason: String::new(), message: message.to_owned() });
            }
        };
        let mut warnings = Warnings::new();
        if is_ready(&pod)
            && let Some(wish) = self.replacement_wish(call, eviction, &pod, budget).await?
        {
            warnings.extend(self.replaced_first(call, asked, &pod, &wish).await?);
        }
        match budget.map_or(Verdict::Free, |budget| verdict(&pod, budget)) {
            Verdict::Free => {}
            Verdict::WhileUnhealthy => {
                bind_to(&mut options, &pod);
            }
            Verdict::Spend => {
                if let Some(budget) = budget {
                    self.spend(call, budget, options.dry_run).await?;
                }
                // Paid for this pod, not for one that takes its name.
                options.uid.get_or_insert_with(|| metadata::text(&pod, "uid").to_owned());
            }
        }
        match self.tell_and_delete(call, &options).await {
            Err(ApiError::Conflict { .. }) if options.resource_version != asked.resource_version => {
                Err(unobserved(budget.map_or("", |budget| metadata::text(budget, "name"))))
            }
            result => result.map(|_| Attempt::Done(warnings)),
        }
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
    async fn spend(&self, call: &Call<'_>, budget: &Value, dry_run: bool) -> Result<(), ApiError> {
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

fn phase(pod: &Value) -> &str {
    pod.pointer("/status/phase").and_then(Value::as_str).unwrap_or("")
}

/// Pods that are not running, or on their way out, disturb nobody. k8s: canIgnorePDB
fn ignores_budgets(pod: &Value) -> bool {
    is_leaving(pod) || phase(pod) == "Pending"
}

/// Nothing that a pod like this may become would disturb anybody. k8s: the reverse of shouldEnforceResourceVersion
fn is_leaving(pod: &Value) -> bool {
    metadata::is_deleting(pod) || matches!(phase(pod), "Succeeded" | "Failed")
}

/// What was decided holds for the pod as it was seen; what the client asked for goes first.
fn bind_to(options: &mut DeleteOptions, pod: &Value) {
    options.uid.get_or_insert_with(|| metadata::text(pod, "uid").to_owned());
    options.resource_version.get_or_insert_with(|| metadata::text(pod, "resourceVersion").to_owned());
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn number(budget: &Value, path: &str) -> i64 {
    budget.pointer(path).and_then(Value::as_i64).unwrap_or(0)
}

/// k8s: unhealthyPodEvictionPolicy, default IfHealthyBudget
fn verdict(pod: &Value, budget: &Value) -> Verdict {
    if is_ready(pod) {
        return Verdict::Spend;
    }
    let always = budget.pointer("/spec/unhealthyPodEvictionPolicy").and_then(Value::as_str) == Some("AlwaysAllow");
    let desired = number(budget, "/status/desiredHealthy");
    if always || (desired > 0 && number(budget, "/status/currentHealthy") >= desired) {
        Verdict::WhileUnhealthy
    } else {
        Verdict::Spend
    }
}

fn blocked(message: String, retry_after_s: u32) -> ApiError {
    ApiError::TooManyRequests {
        message: BLOCKED.into(),
        retry_after_s,
        causes: vec![StatusCause { reason: "DisruptionBudget".into(), message, field: String::new() }],
    }
}

fn unobserved(budget: &str) -> ApiError {
    let message = format!("The disruption budget {budget} is still being processed by the server.");
    blocked(message, RETRY_AFTER_UNOBSERVED_S)
}

fn refused(budget: &str, why: &str) -> ApiError {
    let resource = Qualified::new("policy", "poddisruptionbudget");
    ApiError::Forbidden { resource, name: budget.to_owned(), why: why.to_owned() }
}

/// The budget with one disruption less. k8s: checkAndDecrement
fn spent(budget: &Value, pod: &str, now: &str) -> Result<Value, ApiError> {
    let name = metadata::text(budget, "name");
    let generation = metadata::get(budget, "generation").and_then(Value::as_i64).unwrap_or(0);
    if number(budget, "/status/observedGeneration") < generation {
        return Err(unobserved(name));
    }
    let allowed = number(budget, "/status/disruptionsAllowed");
    let unconfirmed =
        budget.pointer("/status/disruptedPods").and_then(Value::as_object).map_or(0, serde_json::Map::len);
    if allowed < 0 {
        return Err(refused(name, "pdb disruptions allowed is negative"));
    }
    if unconfirmed > UNCONFIRMED_MAX {
        let why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller";
        return Err(refused(name, why));
    }
    if allowed == 0 {
        return Err(blocked(why_not(budget, name), 0));
    }
    let mut new = budget.clone();
    new["status"]["disruptionsAllowed"] = (allowed - 1).into();
    if allowed == 1 {
        set_insufficient(&mut new, now);
    }
    if !new["status"]["disruptedPods"].is_object() {
        new["status"]["disruptedPods"] = json!({});
    }
    new["status"]["disruptedPods"][pod] = now.into();
    Ok(new)
}

fn why_not(budget: &Value, name: &str) -> String {
    let conditions = budget.pointer("/status/conditions").and_then(Value::as_array);
    let failed = conditions.into_iter().flatten().find(|condition| {
        condition["type"] == "DisruptionAllowed"
            && condition["status"] == "False"
            && condition["reason"] == "SyncFailed"
    });
    if let Some(condition) = failed {
        let why = condition["message"].as_str().unwrap_or("");
        return format!(
            "The disruption budget {name} does not allow evicting pods currently because it failed sync: {why}"
        );
    }
    let (needs, has) = (number(budget, "/status/desiredHealthy"), number(budget, "/status/currentHealthy"));
    if has <= needs {
        format!("The disruption budget {name} needs {needs} healthy pods and has {has} currently")
    } else {
        format!("The disruption budget {name} does not allow evicting pods currently")
    }
}

/// The last disruption is taken: readers of conditions see it before the controller comes by.
fn set_insufficient(budget: &mut Value, now: &str) {
    let mut conditions = budget.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let before = conditions.iter().position(|condition| condition["type"] == "DisruptionAllowed");
    let before = before.map(|at| conditions.remove(at));
    let since = before.filter(|condition| condition["status"] == "False");
    let since = since.and_then(|condition| condition["lastTransitionTime"].as_str().map(str::to_owned));
    conditions.push(json!({
        "type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": "",
        "observedGeneration": number(budget, "/status/observedGeneration"),
        "lastTransitionTime": since.unwrap_or_else(|| now.to_owned()),
    }));
    budget["status"]["conditions"] = Value::Array(conditions);
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
        let budget = json!({"metadata": {"name": "web"}, "status": {"disruptionsAllowed": 1}});
        let new = spent(&budget, "p", "2026-01-01T00:00:00Z").unwrap();
        assert_eq!(new["status"]["disruptionsAllowed"], 0);
        assert_eq!(new["status"]["conditions"][0]["reason"], "InsufficientPods");
        assert_eq!(new["status"]["disruptedPods"]["p"], "2026-01-01T00:00:00Z");
    }
}
