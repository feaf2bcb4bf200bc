//! Admission webhooks: which of them an operation concerns, what they are asked, and what their answers mean.
//! k8s: `apiserver/pkg/admission/plugin/webhook`
//!
//! The configurations are kept as a table of parsed hooks, fed from the watch; an operation that no rule names costs a walk
//! over rules. Nothing here concerns the configurations themselves: who may write them must not be locked out by them.

mod hook;
mod review;
mod table;

pub use table::WebhookTable;

use super::authorizer::with_permissions;
use super::matcher::Matcher;
use super::rounds::Rounds;
use super::{Call, Warnings, attributes};
use crate::auth::Authorizer;
use crate::error::ApiError;
use crate::registry::managed;
use futures::future::join_all;
use hook::Hook;
use kinds::admission::{Failure, Inputs};
use kinds::kind::Kind;
use kinds::schema::decode::Strictness;
use review::{Answer, Judgement};
use serde_json::Value;
use std::sync::Arc;

/// Calls the webhooks of the cluster.
pub struct Webhooks {
    table: Arc<WebhookTable>,
    matcher: Arc<Matcher>,
    authorizer: Arc<Authorizer>,
}

/// What a hook is to be asked about.
struct Question {
    kind: Arc<dyn Kind>,
    /// In the hook's version, `Null` where there is none.
    object: Value,
    old: Value,
}

impl Webhooks {
    pub fn new(table: Arc<WebhookTable>, matcher: Arc<Matcher>, authorizer: Arc<Authorizer>) -> Self {
        Self { table, matcher, authorizer }
    }

    /// Asks the mutating webhooks one after the other, each about what the one before made of the object.
    pub(super) async fn mutate(
        &self,
        call: &Call<'_>,
        object: &mut Value,
        rounds: &mut Rounds,
    ) -> Result<Warnings, ApiError> {
        let mut warnings = Warnings::new();
        rounds.begin(object);
        for hook in self.table.mutating().iter() {
            if !rounds.is_due(&hook.id) {
                continue;
            }
            let Some(question) = self.concerns(hook, call, object).await? else { continue };
            let Some(answer) = self.ask(hook, call, &question).await? else { continue };
            warnings.extend(answer.warnings);
            if let Some(patch) = answer.patch.filter(|patch| !patch.0.is_empty()) {
                let patched = review::patched(hook, &question.object, &patch)?;
                let taken = self.matcher.taken(call, patched, Strictness::Ignore).await;
                let mut taken =
                    taken.map_err(|why| ApiError::internal(format!("admission webhook {:?}: {why}", hook.name)))?;
                if taken != *object {
                    warnings.extend(managed::keep_readable(&mut taken, object));
                    *object = taken;
                    rounds.changed();
                }
            }
            if hook.reinvoke {
                rounds.asked_again(&hook.id);
            }
        }
        rounds.end(object);
        Ok(warnings)
    }

    /// Asks the validating webhooks all at once; the first refusal in their order counts.
    pub(super) async fn validate(&self, call: &Call<'_>, object: &Value) -> Result<Warnings, ApiError> {
        let hooks = self.table.validating();
        let asked = hooks.iter().map(|hook| async move {
            match self.concerns(hook, call, object).await? {
                Some(question) => self.ask(hook, call, &question).await,
                None => Ok(None),
            }
        });
        let mut warnings = Warnings::new();
        for answer in join_all(asked).await {
            warnings.extend(answer?.map(|answer| answer.warnings).unwrap_or_default());
        }
        Ok(warnings)
    }

    /// The operation as the hook wants to see it, where it does. k8s: `ShouldCallHook`
    async fn concerns(&self, hook: &Hook, call: &Call<'_>, object: &Value) -> Result<Option<Question>, ApiError> {
        let Some(kind) = self.matcher.matches(&hook.criteria, call, object).await? else { return Ok(None) };
        let shown = self.matcher.shown(call, &kind, Some(object)).await?;
        let old = self.matcher.shown(call, &kind, call.old).await?;
        let question = Question { kind, object: shown, old };
        let hold = hook.conditions.is_empty() || self.conditions_hold(hook, call, &question).await?;
        Ok(hold.then_some(question))
    }

    async fn conditions_hold(&self, hook: &Hook, call: &Call<'_>, question: &Question) -> Result<bool, ApiError> {
        let request = attributes::request(call, question.kind.as_ref(), &question.object);
        let held = with_permissions(&self.authorizer, call.identity(), |authorizer| {
            let inputs = Inputs {
                object: &question.object,
                old: &question.old,
                request: &request,
                params: &Value::Null,
                namespace: &Value::Null,
                authorizer,
            };
            hook.conditions.hold(&inputs, hook.failure)
        });
        held.await.map_err(|why| call.forbidden(call.name_of(&question.object), why))
    }

    /// `None`: it could not be asked, and need not be.
    async fn ask(&self, hook: &Hook, call: &Call<'_>, question: &Question) -> Result<Option<Answer>, ApiError> {
        if call.request.options.dry_run && !hook.dry_runs {
            let why = format!("admission webhook {:?} does not support dry run", hook.name);
            return Err(ApiError::bad_request(why));
        }
        let (uid, review) = review::question(call, question.kind.as_ref(), [&question.object, &question.old]);
        let called = self.matcher.client().call(&hook.client, &review, hook.timeout).await;
        let judged = called.map_err(|error| format!("failed to call webhook: {error}"));
        let judged = judged.and_then(|answer| {
            let judgement = review::judge(hook, &uid, &answer)?;
            for (key, value) in review::annotations(&answer) {
                call.request.notes.annotate(&format!("{}/{key}", hook.name), || value.to_owned());
            }
            Ok(judgement)
        });
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
