//! ValidatingAdmissionPolicies and MutatingAdmissionPolicies: which of them are bound to an operation, with which
//! parameters, and what their verdicts mean. What they are made of is `kinds::admission`.
//! k8s: `apiserver/pkg/admission/plugin/policy`

mod author;
mod params;
mod patch;
mod table;

pub use table::PolicyTable;

use super::authorizer::with_permissions;
use super::matcher::Matcher;
use super::rounds::Rounds;
use super::{Call, Warnings, attributes};
use crate::auth::Authorizer;
use crate::cache::Caches;
use crate::error::{self, ApiError, Qualified};
use kinds::admission::{Denial, Failure, Inputs};
use kinds::kind::Kind;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use table::{Action, Binding, Policy};

/// Resources that no policy is about: questions, which somebody has to be able to ask.
/// k8s: `plugin/policy/config`'s excluded resources
const QUESTIONS: &[&str] = &["authentication.k8s.io", "authorization.k8s.io"];

/// Evaluates the policies of the cluster.
pub struct Policies {
    table: Arc<PolicyTable>,
    matcher: Arc<Matcher>,
    caches: Arc<Caches>,
    authorizer: Arc<Authorizer>,
}

/// A policy that is bound to the operation, with one of its parameters.
struct Invocation<'p> {
    policy: &'p Policy,
    binding: &'p Binding,
    kind: Arc<dyn Kind>,
    params: Arc<Value>,
}

/// A policy or binding that cannot be evaluated, or that says no.
struct Refusal<'p> {
    policy: &'p Policy,
    binding: Option<&'p Binding>,
    why: String,
    reason: String,
}

impl<'p> Refusal<'p> {
    /// What cannot be evaluated counts where the policy says so.
    fn of_failure(policy: &'p Policy, binding: Option<&'p Binding>, why: &str) -> Option<Self> {
        let what = if binding.is_some() { "binding" } else { "policy" };
        let why = format!("failed to configure {what}: {why}");
        (policy.failure == Failure::Fail).then_some(Self { policy, binding, why, reason: String::new() })
    }
}

/// What the expressions of one policy see.
struct Seen {
    object: Value,
    old: Value,
    request: Value,
    namespace: Arc<Value>,
}

impl Policies {
    pub fn new(
        table: Arc<PolicyTable>,
        matcher: Arc<Matcher>,
        caches: Arc<Caches>,
        authorizer: Arc<Authorizer>,
    ) -> Self {
        Self { table, matcher, caches, authorizer }
    }

    /// Every policy that is bound to the operation, with each of its parameters.
    async fn invocations<'p>(
        &self,
        policies: impl Iterator<Item = &'p table::Bound>,
        call: &Call<'_>,
        object: &Value,
        refusals: &mut Vec<Refusal<'p>>,
    ) -> Result<Vec<Invocation<'p>>, ApiError> {
        let mut found = Vec::new();
        if QUESTIONS.contains(&call.group()) {
            return Ok(found);
        }
        for bound in policies {
            let policy = bound.policy.as_ref();
            let kind = match self.matcher.matches(&policy.criteria, call, object).await {
                Ok(Some(kind)) => kind,
                Ok(None) => continue,
                Err(error) => {
                    refusals.extend(Refusal::of_failure(policy, None, &error.to_string()));
                    continue;
                }
            };
            for binding in bound.bindings.iter().map(AsRef::as_ref) {
                match self.bound(policy, binding, call, object).await {
                    Ok(params) => found.extend(params.into_iter().map(|params| Invocation {
                        policy,
                        binding,
                        kind: Arc::clone(&kind),
                        params,
                    })),
                    Err(error) => refusals.extend(Refusal::of_failure(policy, Some(binding), &error.to_string())),
                }
            }
        }
        Ok(found)
    }

    /// The parameters with which a binding applies; none where it does not.
    async fn bound(
        &self,
        policy: &Policy,
        binding: &Binding,
        call: &Call<'_>,
        object: &Value,
    ) -> Result<Vec<Arc<Value>>, ApiError> {
        if let Some(criteria) = &binding.criteria
            && self.matcher.matches(criteria, call, object).await?.is_none()
        {
            return Ok(Vec::new());
        }
        params::collect(&self.caches, self.matcher.kinds(), policy, binding, call.ns_of_object()).await
    }

    async fn seen(&self, call: &Call<'_>, kind: &Arc<dyn Kind>, object: &Value) -> Result<Seen, ApiError> {
        let object = self.matcher.shown(call, kind, Some(object)).await?;
        let namespace = match call.ns_of_object() {
            "" => Arc::new(Value::Null),
            ns => self.matcher.namespace(ns).await?,
        };
        Ok(Seen {
            old: self.matcher.shown(call, kind, call.old).await?,
            request: attributes::request(call, kind.as_ref(), &object),
            object,
            namespace,
        })
    }

    /// Runs something over what a policy sees.
    async fn with_inputs<T>(&self, call: &Call<'_>, seen: &Seen, params: &Value, run: impl Fn(&Inputs<'_>) -> T) -> T {
        with_permissions(&self.authorizer, call.identity(), |authorizer| {
            run(&Inputs {
                object: &seen.object,
                old: &seen.old,
                request: &seen.request,
                params,
                namespace: &seen.namespace,
                authorizer,
            })
        })
        .await
    }

    /// k8s: `plugin/policy/validating/dispatcher.go`
    pub(super) async fn validate(&self, call: &Call<'_>, object: &Value) -> Result<Warnings, ApiError> {
        let policies = self.table.validating();
        let mut warnings = Warnings::new();
        if policies.is_empty() {
            return Ok(warnings);
        }
        let mut refusals = Vec::new();
        // Of several bindings and parameters of a policy, all are told.
        let mut annotations: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let invocations = self.invocations(policies.iter(), call, object, &mut refusals).await?;
        for Invocation { policy, binding, kind, params } in invocations {
            let seen = self.seen(call, &kind, object).await?;
            let judge = |inputs: &Inputs<'_>| match policy.program.conditions().hold(inputs, policy.failure) {
                Ok(true) => (policy.program.judge(inputs, policy.failure), None),
                Ok(false) => (kinds::admission::Judgement::default(), None),
                Err(why) => (kinds::admission::Judgement::default(), Some(why)),
            };
            let (judgement, failure) = self.with_inputs(call, &seen, &params, judge).await;
            let failure = failure.map(|why| Denial { at: 0, message: why, reason: String::new() });
            for Denial { at, message: why, reason } in judgement.denials.into_iter().chain(failure) {
                for action in &binding.actions {
                    match action {
                        Action::Deny => refusals.push(Refusal {
                            policy,
                            binding: Some(binding),
                            why: why.clone(),
                            reason: reason.clone(),
                        }),
                        Action::Warn => warnings.push(format!(
                            "Validation failed for ValidatingAdmissionPolicy '{}' with binding '{}': {why}",
                            policy.name, binding.name
                        )),
                        Action::Audit => note_failure(call, policy, binding, (at, &why)),
                    }
                }
            }
            for (key, value) in judgement.annotations {
                annotations.entry(format!("{}/{key}", policy.name)).or_default().insert(value);
            }
            let errors = judgement.annotation_errors.into_iter();
            refusals.extend(errors.map(|why| Refusal { policy, binding: Some(binding), why, reason: String::new() }));
        }
        for (key, values) in annotations {
            call.request.notes.annotate(&key, || values.into_iter().collect::<Vec<_>>().join(", "));
        }
        match refusals.first() {
            None => Ok(warnings),
            Some(refusal) => Err(denied(call, object, refusal)),
        }
    }

    /// k8s: `plugin/policy/mutating/dispatcher.go`
    pub(super) async fn mutate(
        &self,
        call: &Call<'_>,
        object: &mut Value,
        rounds: &mut Rounds,
    ) -> Result<(), ApiError> {
        let policies = self.table.mutating();
        if policies.is_empty() {
            return Ok(());
        }
        rounds.begin(object);
        let mut refusals = Vec::new();
        let invocations = self.invocations(policies.iter(), call, object, &mut refusals).await?;
        for invocation in &invocations {
            let &Invocation { policy, binding, ref params, .. } = invocation;
            let id = format!("{}/{}/{}", policy.name, binding.name, params["metadata"]["uid"]);
            let before = object.clone();
            let outcome = self.patched(call, invocation, object, rounds.is_due(&id)).await?;
            if *object != before {
                rounds.changed();
            }
            match outcome {
                Ok(true) if policy.reinvoke => rounds.asked_again(&id),
                Ok(_) => {}
                Err(why) if policy.failure == Failure::Fail => {
                    refusals.push(Refusal { policy, binding: Some(binding), why, reason: "Invalid".to_owned() });
                }
                Err(why) => tracing::debug!(policy = policy.name, why, "a mutation failed and is passed over"),
            }
        }
        rounds.end(object);
        if refusals.is_empty() { Ok(()) } else { Err(not_mutated(call, object, &refusals)) }
    }

    /// Applies the mutations of one policy in their order. Whether it applied; the inner error is the policy's failure.
    async fn patched(
        &self,
        call: &Call<'_>,
        invocation: &Invocation<'_>,
        object: &mut Value,
        is_due: bool,
    ) -> Result<Result<bool, String>, ApiError> {
        let Invocation { policy, kind, params, .. } = invocation;
        let mut seen = self.seen(call, kind, object).await?;
        let hold = |inputs: &Inputs<'_>| policy.program.conditions().hold(inputs, policy.failure);
        match self.with_inputs(call, &seen, params, hold).await {
            Ok(true) if is_due => {}
            Ok(_) => return Ok(Ok(false)),
            Err(why) => return Ok(Err(why)),
        }
        if !object.is_object() {
            return Ok(Ok(false));
        }
        let mut failed = None;
        for at in 0..policy.program.mutations() {
            let made = self.with_inputs(call, &seen, params, |inputs| policy.program.patch(at, inputs)).await;
            let patched = made.and_then(|made| patch::apply(call, kind.as_ref(), &seen.object, made));
            let taken = match patched {
                Ok(Some(patched)) => self.matcher.taken(call, patched, kinds::schema::decode::Strictness::Report).await,
                Ok(None) => continue,
                Err(why) => Err(why),
            };
            match taken {
                Ok(taken) => {
                    *object = taken;
                    seen = self.seen(call, kind, object).await?;
                }
                Err(why) => failed = failed.or(Some(why)),
            }
        }
        Ok(failed.map_or(Ok(true), Err))
    }
}

/// k8s: publishValidationFailureAnnotation
fn note_failure(call: &Call<'_>, policy: &Policy, binding: &Binding, (at, why): (usize, &str)) {
    let actions: Vec<&str> = binding.actions.iter().map(|action| action.word()).collect();
    let told = || {
        json!([{
            "message": why, "policy": policy.name, "binding": binding.name,
            "expressionIndex": at, "validationActions": actions,
        }])
    };
    call.request.notes.annotate("validation.policy.admission.k8s.io/validation_failure", || told().to_string());
}

/// A Status of the reason that the validation gives.
fn denied(call: &Call<'_>, object: &Value, refusal: &Refusal<'_>) -> ApiError {
    let Refusal { policy, binding, why, reason } = refusal;
    let with = binding.map(|binding| format!(" with binding '{}'", binding.name)).unwrap_or_default();
    let why = format!("ValidatingAdmissionPolicy '{}'{with} denied request: {why}", policy.name);
    let reason = if reason.is_empty() { "Invalid" } else { reason.as_str() };
    let code = match reason {
        "Forbidden" => 403,
        "Unauthorized" => 401,
        "RequestEntityTooLarge" => 413,
        _ => 422,
    };
    let forbidden = call.forbidden(call.name_of(object), &why);
    ApiError::Denied(Box::new(error::Denial {
        resource: Qualified::new(call.group(), call.resource()),
        name: call.name_of(object).to_owned(),
        message: forbidden.to_string(),
        code,
        reason: reason.to_owned(),
        causes: vec![cause(why)],
    }))
}

fn not_mutated(call: &Call<'_>, object: &Value, refusals: &[Refusal<'_>]) -> ApiError {
    let said = |refusal: &Refusal<'_>| match refusal.binding {
        Some(binding) => {
            format!("policy '{}' with binding '{}' denied request: {}", refusal.policy.name, binding.name, refusal.why)
        }
        None => format!("policy {:?} denied request: {}", refusal.policy.name, refusal.why),
    };
    let causes: Vec<_> = refusals.iter().map(said).map(cause).collect();
    let reason = refusals.first().map(|refusal| refusal.reason.as_str()).filter(|reason| !reason.is_empty());
    ApiError::Denied(Box::new(error::Denial {
        resource: Qualified::new(call.group(), call.resource()),
        name: call.name_of(object).to_owned(),
        message: causes.first().map(|cause| cause.message.clone()).unwrap_or_default(),
        code: 403,
        reason: reason.unwrap_or("Forbidden").to_owned(),
        causes,
    }))
}

fn cause(message: String) -> error::StatusCause {
    error::StatusCause { message, ..error::StatusCause::default() }
}
