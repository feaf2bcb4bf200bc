//! One webhook: whether a request is its matter, what it answers or has answered, and what counts where it cannot be asked.
//! k8s: `plugin/pkg/authorizer/webhook`

use super::super::Attributes;
use super::Opinion;
use super::answers::{Answers, Key};
use super::metrics::{Ending, Metrics};
use super::question::{self, Status, Version};
use super::validate::{self, FailurePolicy};
use client::identity::Identity;
use client::transport::{Hook, HookError};
use kinds::expression::Expression;
use parking_lot::Mutex;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Of one question. k8s: DefaultAuthWebhookRetryBackoff
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const PAUSE_FACTOR: f64 = 1.5;
const PAUSE_JITTER: f64 = 0.2;

/// All tries together: whoever asks does not wait for longer. k8s: the deadline of a request
const ASKED_FOR_MAX: Duration = Duration::from_mins(1);

/// Questions that a webhook is asked at once; more wait, within its timeout, so that one that is slow is not buried.
const CALLS_MAX: usize = 400;

pub(super) struct Webhook {
    name: String,
    hook: Hook,
    version: Version,
    timeout: Duration,
    authorized_ttl: Duration,
    unauthorized_ttl: Duration,
    failure: FailurePolicy,
    conditions: Vec<Expression>,
    answers: Mutex<Answers>,
    calls: Semaphore,
    metrics: Metrics,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Hook(#[from] HookError),
    #[error("the webhook's answer is not understood: {0}")]
    Answer(String),
    #[error("no answer within {}s, with all tries", ASKED_FOR_MAX.as_secs())]
    Late,
}

impl AskError {
    fn ending(&self) -> Ending {
        match self {
            Self::Late => Ending::Timeout,
            Self::Hook(error) if error.is_timeout() => Ending::Timeout,
            Self::Hook(_) | Self::Answer(_) => Ending::Error,
        }
    }

    fn is_transient(&self) -> bool {
        matches!(self, Self::Hook(error) if error.is_transient())
    }

    /// With its causes, for whoever asked.
    fn told(&self) -> String {
        let mut told = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            let why = error.to_string();
            if !told.contains(&why) {
                told.push_str(": ");
                told.push_str(&why);
            }
            source = error.source();
        }
        told
    }
}

impl Webhook {
    pub(super) fn new(config: validate::Webhook, hook: Hook, metrics: Metrics) -> Self {
        let validate::Webhook { name, timeout, authorized_ttl, unauthorized_ttl, version, failure, conditions, .. } =
            config;
        let (answers, calls) = (Mutex::default(), Semaphore::new(CALLS_MAX));
        Self {
            name,
            hook,
            version,
            timeout,
            authorized_ttl,
            unauthorized_ttl,
            failure,
            conditions,
            answers,
            calls,
            metrics,
        }
    }

    pub(super) async fn ask(&self, identity: &Identity, attributes: &Attributes<'_>) -> Opinion {
        let spec = question::spec(identity, attributes);
        let opinion = match self.matches(&spec) {
            Ok(true) => self.ask_about(&spec, question::is_remembered(attributes)).await,
            Ok(false) => Opinion::None { reason: String::new(), error: None },
            Err(why) => self.failed(why),
        };
        match &opinion {
            Opinion::Allow { .. } => self.metrics.decided(&self.name, "allowed"),
            Opinion::Deny { .. } => self.metrics.decided(&self.name, "denied"),
            Opinion::None { .. } => {}
        }
        opinion
    }

    /// Whether all conditions hold; one that does not decides, whatever the others fail at. k8s: CELMatcher.Eval
    fn matches(&self, spec: &Value) -> Result<bool, String> {
        if self.conditions.is_empty() {
            return Ok(true);
        }
        let started = Instant::now();
        let held = hold(&self.conditions, &question::seen(spec.clone()));
        self.metrics.evaluated(&self.name, started.elapsed(), &held);
        held
    }

    async fn ask_about(&self, spec: &Value, is_remembered: bool) -> Opinion {
        let key: Key = Sha256::digest(spec.to_string()).into();
        let known = self.answers.lock().find(&key, Instant::now());
        let status = match known {
            Some(status) => status,
            None => match self.call(spec).await {
                Ok(status) => {
                    if is_remembered {
                        self.remember(key, &status);
                    }
                    status
                }
                Err(error) => {
                    let told = error.told();
                    tracing::error!(authorizer = self.name, error = told, "an authorization webhook cannot be asked");
                    if self.failure == FailurePolicy::NoOpinion {
                        self.metrics.passed_over(&self.name, error.ending());
                    }
                    return self.failed(told);
                }
            },
        };
        status.opinion()
    }

    fn remember(&self, key: Key, status: &Status) {
        let ttl = if status.allowed { self.authorized_ttl } else { self.unauthorized_ttl };
        if !ttl.is_zero() {
            self.answers.lock().put(key, status.clone(), Instant::now() + ttl);
        }
    }

    fn failed(&self, why: String) -> Opinion {
        let (reason, error) = (String::new(), Some(why));
        match self.failure {
            FailurePolicy::NoOpinion => Opinion::None { reason, error },
            FailurePolicy::Deny => Opinion::Deny { reason, error },
        }
    }

    async fn call(&self, spec: &Value) -> Result<Status, AskError> {
        let review = question::review(spec, self.version);
        tokio::time::timeout(ASKED_FOR_MAX, self.try_often(review)).await.unwrap_or(Err(AskError::Late))
    }

    async fn try_often(&self, review: Vec<u8>) -> Result<Status, AskError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            match self.try_once(review.clone()).await {
                Err(error) if error.is_transient() => {
                    tracing::warn!(authorizer = self.name, %error, "an authorization webhook is asked again");
                }
                outcome => return outcome,
            }
            tokio::time::sleep(pause.mul_f64(1.0 + PAUSE_JITTER * rand::random::<f64>())).await;
            pause = pause.mul_f64(PAUSE_FACTOR);
        }
        self.try_once(review).await
    }

    async fn try_once(&self, review: Vec<u8>) -> Result<Status, AskError> {
        let started = Instant::now();
        let asked = async {
            let _turn = self.calls.acquire().await;
            let left = self.timeout.saturating_sub(started.elapsed());
            let answer = self.hook.post(review, left).await?;
            Status::of(&answer, self.version).map_err(AskError::Answer)
        };
        let late = AskError::Hook(HookError::Late(self.timeout));
        let outcome = tokio::time::timeout(self.timeout, asked).await.unwrap_or(Err(late));
        let ending = outcome.as_ref().map_or_else(AskError::ending, |_| Ending::Success);
        self.metrics.called(&self.name, ending, started.elapsed());
        if let Ok(status) = &outcome
            && !status.evaluation_error.is_empty()
        {
            let why = status.evaluation_error.as_str();
            tracing::debug!(authorizer = self.name, why, "an authorization webhook could not look at everything");
        }
        outcome
    }
}

fn hold(conditions: &[Expression], request: &Value) -> Result<bool, String> {
    let mut errors = Vec::new();
    for condition in conditions {
        match condition.evaluate(request) {
            Ok(Value::Bool(true)) => {}
            Ok(Value::Bool(false)) => return Ok(false),
            Ok(_) => {
                let source = condition.source();
                errors.push(format!("cel evaluation error: expression '{source}' eval result type should be bool"));
            }
            Err(why) => {
                let source = condition.source();
                errors.push(format!("cel evaluation error: expression '{source}' resulted in error: {why}"));
            }
        }
    }
    match errors.as_slice() {
        [] => Ok(true),
        [only] => Err(only.clone()),
        many => Err(format!("[{}]", many.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinds::expression::{About, Yields};
    use serde_json::json;

    #[test]
    fn a_condition_that_does_not_hold_decides_whatever_the_others_fail_at() {
        let held = |sources: &[&str]| {
            let compile = |source: &&str| Expression::compile(source, About::Review, Yields::Bool).unwrap();
            let all: Vec<_> = sources.iter().map(compile).collect();
            hold(&all, &json!({"user": "ann", "groups": []}))
        };
        let fails = "request.resourceAttributes.name == 'x'";
        assert_eq!(held(&["request.user == 'ann'", "size(request.groups) == 0"]), Ok(true));
        assert_eq!(held(&[fails, "request.user == 'bob'"]), Ok(false));
        let told = held(&["request.user == 'ann'", fails]).unwrap_err();
        assert!(told.starts_with(&format!("cel evaluation error: expression '{fails}' resulted in error: ")), "{told}");
    }
}
