//! What a Job may ask for, and what of it may change.

use super::UID_LABEL;
use crate::errors::{FieldError, FieldErrors};
use crate::validate::path::Path;
use crate::validate::{
    FIELD_IMMUTABLE, each, format, given, non_negative, one_of, pod_spec, selector, semantically_equal,
};
use k8s_openapi::api::batch::v1::{Job, JobSpec, PodFailurePolicy, PodFailurePolicyRule};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde::Serialize;

const SPEC: Path<'static> = Path::new("spec");
const NEEDS_INDEXES: &str = "requires indexed completion mode";
/// k8s: what the status of an indexed job can list.
const INDEXED_PARALLELISM_MAX: i32 = 100_000;
const FAILURE_RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;
const CONDITIONS_MAX: usize = 20;
const SUCCESS_RULES_MAX: usize = 20;
/// A job controller of one's own is named like a label key.
const MANAGED_BY_MAX: usize = 63;

/// Rules of a job's spec, wherever it stands; selectors are for [`selected`].
pub(crate) fn spec(spec: &JobSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    let numbers = [
        ("parallelism", spec.parallelism.map(i64::from)),
        ("completions", spec.completions.map(i64::from)),
        ("activeDeadlineSeconds", spec.active_deadline_seconds),
        ("backoffLimit", spec.backoff_limit.map(i64::from)),
        ("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished.map(i64::from)),
        ("backoffLimitPerIndex", spec.backoff_limit_per_index.map(i64::from)),
        ("maxFailedIndexes", spec.max_failed_indexes.map(i64::from)),
    ];
    for (field, number) in numbers {
        non_negative(number.unwrap_or_default(), &path.child(field), errors);
    }
    indexed(spec, path, errors);
    if let Some(by) = &spec.managed_by {
        let at = path.child("managedBy");
        if by.len() > MANAGED_BY_MAX {
            errors.push(FieldError::too_long(at, MANAGED_BY_MAX));
        }
        if by.matches('/').count() == 1 {
            crate::validate::invalid_each(by, format::qualified_name(by), &at, errors);
        } else {
            let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            errors.push(FieldError::invalid(at, by, detail));
        }
    }
    if let Some(policy) = &spec.pod_failure_policy {
        failure_policy(policy, spec, &path.child("podFailurePolicy"), errors);
    }
    if let Some(policy) = given(spec.pod_replacement_policy.as_ref()) {
        let at = path.child("podReplacementPolicy");
        let known: &[&str] =
            if spec.pod_failure_policy.is_some() { &["Failed"] } else { &["Failed", "TerminatingOrFailed"] };
        one_of(policy, known, &at, errors);
    }
    template(spec, path, errors);
}

fn indexed(spec: &JobSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    let mode = spec.completion_mode.as_deref().unwrap_or_default();
    one_of(mode, &["Indexed", "NonIndexed"], &path.child("completionMode"), errors);
    if mode == "Indexed" {
        if spec.completions.is_none() {
            errors.push(FieldError::required(path.child("completions"), "when completion mode is Indexed"));
        }
        if let Some(parallelism) = spec.parallelism.filter(|parallelism| *parallelism > INDEXED_PARALLELISM_MAX) {
            let detail =
                format!("must be less than or equal to {INDEXED_PARALLELISM_MAX} when completion mode is Indexed");
            errors.push(FieldError::invalid(path.child("parallelism"), parallelism, detail));
        }
    } else {
        if let Some(limit) = spec.backoff_limit_per_index {
            errors.push(FieldError::invalid(path.child("backoffLimitPerIndex"), limit, NEEDS_INDEXES));
        }
        if let Some(most) = spec.max_failed_indexes {
            errors.push(FieldError::invalid(path.child("maxFailedIndexes"), most, NEEDS_INDEXES));
        }
        if let Some(policy) = &spec.success_policy {
            errors.push(FieldError::invalid(path.child("successPolicy"), policy, NEEDS_INDEXES));
        }
    }
    if spec.max_failed_indexes.is_some() && spec.backoff_limit_per_index.is_none() {
        let detail = "when maxFailedIndexes is specified";
        errors.push(FieldError::required(path.child("backoffLimitPerIndex"), detail));
    }
    if let Some(policy) = &spec.success_policy {
        let at = path.child("successPolicy");
        let list = at.child("rules");
        if policy.rules.is_empty() {
            errors.push(FieldError::required(
                list,
                "at least one rules must be specified when the successPolicy is specified",
            ));
        } else if policy.rules.len() > SUCCESS_RULES_MAX {
            errors.push(FieldError::too_many(list, policy.rules.len(), SUCCESS_RULES_MAX));
        }
        for (i, rule) in policy.rules.iter().enumerate() {
            if rule.succeeded_count.is_none() && rule.succeeded_indexes.is_none() {
                let detail = "at least one of succeededCount or succeededIndexes must be specified";
                errors.push(FieldError::required(list.index(i), detail));
            }
        }
    }
}

fn failure_policy(policy: &PodFailurePolicy, spec: &JobSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    let list = path.child("rules");
    if policy.rules.len() > FAILURE_RULES_MAX {
        errors.push(FieldError::too_many(list, policy.rules.len(), FAILURE_RULES_MAX));
    }
    for (i, rule) in policy.rules.iter().enumerate() {
        failure_rule(rule, spec, &list.index(i), errors);
    }
}

fn failure_rule(rule: &PodFailurePolicyRule, spec: &JobSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("action");
    match rule.action.as_str() {
        "" => errors.push(FieldError::required(at, "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]")),
        "FailIndex" if spec.backoff_limit_per_index.is_none() => {
            errors.push(FieldError::invalid(at, "FailIndex", "requires the backoffLimitPerIndex to be set"));
        }
        action => one_of(action, &["Count", "FailIndex", "FailJob", "Ignore"], &at, errors),
    }
    if let Some(codes) = &rule.on_exit_codes {
        let at = path.child("onExitCodes");
        one_of(&codes.operator, &["In", "NotIn"], &at.child("operator"), errors);
        let values = at.child("values");
        if codes.values.is_empty() {
            errors.push(FieldError::invalid(values, &codes.values, "at least one value is required"));
        } else if codes.values.len() > EXIT_CODES_MAX {
            errors.push(FieldError::too_many(values, codes.values.len(), EXIT_CODES_MAX));
        }
        for (i, code) in codes.values.iter().enumerate() {
            if codes.operator == "In" && *code == 0 {
                let detail = "must not be 0 for the In operator";
                errors.push(FieldError::invalid(values.index(i), code, detail));
            } else if i > 0 && codes.values[i - 1] == *code {
                errors.push(FieldError::duplicate(values.index(i), code));
            }
        }
    }
    let conditions = each(&rule.on_pod_conditions).as_slice();
    let list = path.child("onPodConditions");
    if conditions.len() > CONDITIONS_MAX {
        errors.push(FieldError::too_many(list, conditions.len(), CONDITIONS_MAX));
    }
    for (i, pattern) in conditions.iter().enumerate() {
        let at = list.index(i);
        crate::validate::invalid_each(
            &pattern.type_,
            format::qualified_name(&pattern.type_),
            &at.child("type"),
            errors,
        );
        let status = pattern.status.as_deref().unwrap_or_default();
        one_of(status, &["False", "True", "Unknown"], &at.child("status"), errors);
    }
    if rule.on_exit_codes.is_some() != conditions.is_empty() {
        let detail = if conditions.is_empty() {
            "specifying one of OnExitCodes and OnPodConditions is required"
        } else {
            "specifying both OnExitCodes and OnPodConditions is not supported"
        };
        errors.push(FieldError::invalid(path, rule, detail));
    }
}

fn template(spec: &JobSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("template");
    pod_spec::template(&spec.template, &at, errors);
    let policy = spec.template.spec.as_ref().and_then(|pod| pod.restart_policy.as_deref()).unwrap_or_default();
    let field = at.child("spec");
    let field = field.child("restartPolicy");
    if policy != "OnFailure" && policy != "Never" {
        errors.push(FieldError::required(field, "valid values: \"OnFailure\", \"Never\""));
    } else if spec.pod_failure_policy.is_some() && policy != "Never" {
        let detail = "only \"Never\" is supported when podFailurePolicy is specified";
        errors.push(FieldError::invalid(field, policy, detail));
    }
}

/// A job selects its own pods, by its uid unless its author says otherwise.
pub(super) fn selected(spec: &JobSpec, uid: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("selector");
    let Some(selector) = spec.selector.as_ref() else {
        errors.push(FieldError::required(at, ""));
        return;
    };
    selector::label_selector(selector, &at, errors);
    let labels = spec.template.metadata.as_ref().and_then(|meta| meta.labels.as_ref());
    if selector::misses(selector, labels) {
        let shown = labels.cloned().unwrap_or_default();
        let detail = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid(path.child("template").child("metadata").child("labels"), shown, detail));
    }
    let of_uid = selector.match_labels.as_ref().and_then(|labels| labels.get(UID_LABEL));
    if spec.manual_selector != Some(true) && of_uid.is_some_and(|label| label != uid) {
        errors.push(FieldError::invalid(at, selector, "`selector` not auto-generated"));
    }
}

pub(super) fn change(job: &Job, old: &Job) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let (Some(new), Some(before)) = (&job.spec, &old.spec) else { return errors };
    fixed("selector", &new.selector, &before.selector, &mut errors);
    // k8s: an indexed job may grow and shrink, all of its indexes running at once.
    let elastic = new.completion_mode.as_deref() == Some("Indexed") && new.completions == new.parallelism;
    if !elastic {
        fixed("completions", &new.completions, &before.completions, &mut errors);
    }
    fixed("completionMode", &new.completion_mode, &before.completion_mode, &mut errors);
    fixed("podFailurePolicy", &new.pod_failure_policy, &before.pod_failure_policy, &mut errors);
    fixed("backoffLimitPerIndex", &new.backoff_limit_per_index, &before.backoff_limit_per_index, &mut errors);
    fixed("managedBy", &new.managed_by, &before.managed_by, &mut errors);
    fixed("successPolicy", &new.success_policy, &before.success_policy, &mut errors);
    // k8s: a queue may steer a job that it holds back and that never ran (KEP-2926).
    let never_ran = old.status.as_ref().is_none_or(|status| status.start_time.is_none());
    let held = before.suspend == Some(true) && never_ran;
    let template = if held { steered(&new.template, &before.template) } else { new.template.clone() };
    fixed("template", &template, &before.template, &mut errors);
    errors
}

fn fixed<T: Serialize + PartialEq>(field: &str, new: &T, old: &T, errors: &mut FieldErrors) {
    if !semantically_equal(new, old) {
        errors.push(FieldError::invalid(SPEC.child(field), new, FIELD_IMMUTABLE));
    }
}

/// The new template with what says where pods run put back.
fn steered(new: &PodTemplateSpec, old: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = new.clone();
    if let (Some(meta), Some(before)) = (&mut template.metadata, &old.metadata) {
        meta.annotations.clone_from(&before.annotations);
        meta.labels.clone_from(&before.labels);
    }
    if let (Some(pod), Some(before)) = (&mut template.spec, &old.spec) {
        pod.node_selector.clone_from(&before.node_selector);
        pod.tolerations.clone_from(&before.tolerations);
        pod.scheduling_gates.clone_from(&before.scheduling_gates);
        pod.affinity.clone_from(&before.affinity);
    }
    template
}

pub(super) fn status(job: &Job, old: &Job) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let path = Path::new("status");
    let status = job.status.clone().unwrap_or_default();
    let counts = [
        ("active", status.active),
        ("succeeded", status.succeeded),
        ("failed", status.failed),
        ("ready", status.ready),
        ("terminating", status.terminating),
    ];
    for (field, count) in counts {
        non_negative(count.unwrap_or_default().into(), &path.child(field), &mut errors);
    }
    let has = |job: &Job, kind: &str| {
        let mut conditions = job.status.iter().flat_map(|status| each(&status.conditions));
        conditions.any(|condition| condition.type_ == kind && condition.status == "True")
    };
    if has(job, "Complete") && has(job, "Failed") {
        let detail = "cannot set Complete=True and Failed=true conditions";
        errors.push(FieldError::invalid(path.child("conditions"), &status.conditions, detail));
    }
    for kind in ["Complete", "Failed"] {
        if has(old, kind) && !has(job, kind) {
            let detail = format!("cannot disable the terminal {kind}=True condition");
            errors.push(FieldError::invalid(path.child("conditions"), &status.conditions, detail));
        }
    }
    errors
}
