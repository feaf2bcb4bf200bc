//! Admission webhooks: which of them an operation concerns, what they are asked, and what their answers mean.
//! k8s: `apiserver/pkg/admission/plugin/webhook`
//!
//! The configurations are kept as a table of parsed hooks, fed from the watch; an operation that no rule names costs a walk
//! over rules. Nothing here concerns the configurations themselves: who may write them must not be locked out by them.

mod hook;
mod review;
mod rule;
mod table;

pub use table::WebhookTable;

use super::{Call, Operation, Warnings};
use crate::auth::objects::{NAMESPACES, Objects, find};
use crate::error::{ApiError, Qualified};
use crate::webhook::WebhookClient;
use futures::future::join_all;
use hook::{Failure, Hook};
use kinds::kind::Kind;
use review::{Answer, Invocation, Judgement};
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;

const GROUP: &str = "admissionregistration.k8s.io";

/// Calls the webhooks of the cluster.
pub struct Webhooks {
    table: Arc<WebhookTable>,
    client: WebhookClient,
    objects: Arc<dyn Objects>,
}

/// Which hooks are asked again because the object changed after them. k8s: `reinvocationcontext.go`
#[derive(Default)]
pub(super) struct Rounds {
    /// Asked since the last change, and willing to be asked again.
    asked: HashSet<String>,
    /// The object changed after these were asked.
    stale: HashSet<String>,
    changed: bool,
    second: bool,
}

impl Rounds {
    fn changed(&mut self) {
        self.changed = true;
        self.stale.extend(self.asked.drain());
    }

    /// Whether there is a second round: some hook changed the object, so the plugins see it again, and after them the hooks
    /// that had seen it before.
    pub(super) fn repeat(&mut self) -> bool {
        self.second = true;
        self.changed
    }

    /// The plugins changed the object in the second round.
    pub(super) fn plugins_changed(&mut self) {
        self.changed();
    }
}

impl Webhooks {
    pub fn new(table: Arc<WebhookTable>, client: WebhookClient, objects: Arc<dyn Objects>) -> Self {
        Self { table, client, objects }
    }

    /// Asks the mutating webhooks one after the other, each about what the one before made of the object.
    pub(super) async fn mutate(
        &self,
        call: &Call<'_>,
        object: &mut Value,
        rounds: &mut Rounds,
    ) -> Result<Warnings, ApiError> {
        let mut warnings = Warnings::new();
        if is_exempt(call) {
            return Ok(warnings);
        }
        for hook in self.table.mutating().iter() {
            if rounds.second && !rounds.stale.contains(&hook.id) {
                continue;
            }
            let Some(invocation) = self.concerns(hook, call, object).await? else { continue };
            let answer = self.ask(hook, call, &invocation, object).await?;
            let Some(answer) = answer else { continue };
            warnings.extend(answer.warnings);
            if let Some(patch) = answer.patch {
                let before = object.clone();
                review::apply(hook, call, &invocation, object, &patch)?;
                if *object != before {
                    rounds.changed();
                }
            }
            if hook.reinvoke {
                rounds.asked.insert(hook.id.clone());
            }
        }
        Ok(warnings)
    }

    /// Asks the validating webhooks all at once; the first refusal in their order counts.
    pub(super) async fn validate(&self, call: &Call<'_>, object: &Value) -> Result<Warnings, ApiError> {
        if is_exempt(call) {
            return Ok(Warnings::new());
        }
        let hooks = self.table.validating();
        let asked = hooks.iter().map(|hook| async move {
            match self.concerns(hook, call, object).await? {
                Some(invocation) => self.ask(hook, call, &invocation, object).await,
                None => Ok(None),
            }
        });
        let mut warnings = Warnings::new();
        for answer in join_all(asked).await {
            warnings.extend(answer?.map(|answer| answer.warnings).unwrap_or_default());
        }
        Ok(warnings)
    }

    /// How the hook wants to see the operation, where it does. k8s: `ShouldCallHook`
    async fn concerns(&self, hook: &Hook, call: &Call<'_>, object: &Value) -> Result<Option<Invocation>, ApiError> {
        let Some(kind) = rule::matching(hook, call, equivalents) else { return Ok(None) };
        if !hook.object_selector.is_everything() {
            let matches = |object: &Value| object.is_object() && hook.object_selector.matches(labels(object));
            if !matches(object) && !call.old.is_some_and(matches) {
                return Ok(None);
            }
        }
        if !hook.namespace_selector.is_everything() && !self.namespace_matches(hook, call, object).await? {
            return Ok(None);
        }
        Ok(Some(Invocation::new(kind)))
    }

    async fn namespace_matches(&self, hook: &Hook, call: &Call<'_>, object: &Value) -> Result<bool, ApiError> {
        let itself = call.group().is_empty() && call.resource() == "namespaces";
        if itself && object.is_object() {
            return Ok(hook.namespace_selector.matches(labels(object)));
        }
        let ns = if itself { call.name() } else { call.ns() };
        // k8s: cluster-scoped objects are never left out by a namespace selector
        if ns.is_empty() {
            return Ok(true);
        }
        match find(self.objects.as_ref(), NAMESPACES, "", ns).await? {
            Some(namespace) => Ok(hook.namespace_selector.matches(labels(&namespace))),
            None => Err(ApiError::NotFound { resource: Qualified::new("", "namespaces"), name: ns.to_owned() }),
        }
    }

    /// `None`: it could not be asked, and need not be.
    async fn ask(
        &self,
        hook: &Hook,
        call: &Call<'_>,
        invocation: &Invocation,
        object: &Value,
    ) -> Result<Option<Answer>, ApiError> {
        if call.request.options.dry_run && !hook.dry_runs {
            let why = format!("admission webhook {:?} does not support dry run", hook.name);
            return Err(ApiError::bad_request(why));
        }
        let (uid, question) = review::question(call, invocation, object);
        let answered = if hook.conditions > 0 {
            Err("matchConditions are not evaluated by this server yet".to_owned())
        } else {
            let called = self.client.call(&hook.client, &question, hook.timeout).await;
            called.map_err(|error| format!("failed to call webhook: {error}"))
        };
        let judged = answered.and_then(|answer| review::judge(hook, &uid, &answer));
        match (judged, hook.failure) {
            (Ok(Judgement::Allowed(answer)), _) => Ok(Some(answer)),
            (Ok(Judgement::Denied(refusal)), _) => Err(refusal),
            (Err(why), Failure::Ignore) => {
                tracing::warn!(hook = hook.name, why, "a webhook failed and is passed over");
                Ok(None)
            }
            (Err(why), Failure::Fail) => {
                Err(ApiError::internal(format!("failed calling webhook {:?}: {why}", hook.name)))
            }
        }
    }
}

/// k8s: `rules.IsExemptAdmissionConfigurationResource`
fn is_exempt(call: &Call<'_>) -> bool {
    call.group() == GROUP
        && matches!(
            call.resource(),
            "validatingwebhookconfigurations"
                | "mutatingwebhookconfigurations"
                | "validatingadmissionpolicies"
                | "validatingadmissionpolicybindings"
                | "mutatingadmissionpolicies"
                | "mutatingadmissionpolicybindings"
        )
}

/// The same objects in other groups and versions. k8s: `EquivalentResourceMapper`
fn equivalents(kind: &Arc<dyn Kind>) -> Vec<Arc<dyn Kind>> {
    let own = kind.row();
    let other = |kind: &&Arc<dyn Kind>| {
        let row = kind.row();
        row.storage == own.storage && (&row.group, &row.version) != (&own.group, &own.version)
    };
    kinds::table::builtin().iter().filter(other).cloned().collect()
}

fn labels(object: &Value) -> &Value {
    &object["metadata"]["labels"]
}

/// As rules and reviews write it.
fn operation(call: &Call<'_>) -> &'static str {
    match call.operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
        Operation::Connect => "CONNECT",
    }
}
