//! What a Job may ask for, and what of it may change.

use super::{UID_LABEL, success};
use crate::errors::{FieldError, FieldErrors};
use crate::validate::path::Path;
use crate::validate::{
    FIELD_IMMUTABLE, each, format, given, non_negative, one_of, placement, pod_spec, selector, semantically_equal,
};
use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde::Serialize;
use std::collections::BTreeSet;

const SPEC: Path<'static> = Path::new("spec");
const NEEDS_INDEXES: &str = "requires indexed completion mode";
/// k8s: what the status of an indexed job can list.
const INDEXED_PARALLELISM_MAX: i32 = 100_000;
const FAILED_INDEXES_MAX: i32 = 100_000;
/// k8s: completionsSoftLimit: above it, what may run and fail at once is less.
const MANY_COMPLETIONS: i32 = 100_000;
const WITH_MANY_COMPLETIONS_MAX: i32 = 10_000;
const FAILURE_RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;
const CONDITIONS_MAX: usize = 20;
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
        failed_indexes(spec, path, errors);
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
    if let Some(policy) = spec.success_policy.as_ref().filter(|_| mode == "Indexed") {
        success::policy(policy, spec.completions, &path.child("successPolicy"), errors);
    }
}

/// How many indexes may fail: no more than there are, and no more than the status can list.
fn failed_indexes(spec: &JobSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("maxFailedIndexes");
    if let Some(most) = spec.max_failed_indexes {
        if spec.completions.is_some_and(|completions| most > completions) {
            errors.push(FieldError::invalid(at, most, "must be less than or equal to completions"));
        }
        if most > FAILED_INDEXES_MAX {
            let detail = format!("must be less than or equal to {FAILED_INDEXES_MAX}");
            errors.push(FieldError::invalid(at, most, detail));
        }
    }
    let many = spec.completions.is_some_and(|completions| completions > MANY_COMPLETIONS);
    if !many || spec.backoff_limit_per_index.is_none() {
        return;
    }
    if spec.max_failed_indexes.is_none() {
        let detail = format!("must be specified when completions is above {MANY_COMPLETIONS}");
        errors.push(FieldError::required(at, detail));
    }
    for (field, number) in [("parallelism", spec.parallelism), ("maxFailedIndexes", spec.max_failed_indexes)] {
        if let Some(number) = number.filter(|number| *number > WITH_MANY_COMPLETIONS_MAX) {
            let detail = format!(
                "must be less than or equal to {WITH_MANY_COMPLETIONS_MAX} when completions are above {MANY_COMPLETIONS} and used with backoff limit per index"
            );
            errors.push(FieldError::invalid(path.child(field), number, detail));
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
        exit_codes(codes, spec, &path.child("onExitCodes"), errors);
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

fn exit_codes(
    codes: &PodFailurePolicyOnExitCodesRequirement,
    spec: &JobSpec,
    path: &Path<'_>,
    errors: &mut FieldErrors,
) {
    one_of(&codes.operator, &["In", "NotIn"], &path.child("operator"), errors);
    if let Some(name) = &codes.container_name {
        let pod = spec.template.spec.as_ref();
        let mut all = pod.into_iter().flat_map(|pod| pod.containers.iter().chain(each(&pod.init_containers)));
        if !all.any(|container| container.name == *name) {
            let detail = "must be one of the container or initContainer names in the pod template";
            errors.push(FieldError::invalid(path.child("containerName"), name, detail));
        }
    }
    let values = path.child("values");
    if codes.values.is_empty() {
        errors.push(FieldError::invalid(values, &codes.values, "at least one value is required"));
    } else if codes.values.len() > EXIT_CODES_MAX {
        errors.push(FieldError::too_many(values, codes.values.len(), EXIT_CODES_MAX));
    }
    let mut seen = BTreeSet::new();
    for (i, code) in codes.values.iter().enumerate() {
        if codes.operator == "In" && *code == 0 {
            let detail = "must not be 0 for the In operator";
            errors.push(FieldError::invalid(values.index(i), code, detail));
        }
        if !seen.insert(code) {
            errors.push(FieldError::duplicate(values.index(i), code));
        }
    }
    if !codes.values.is_sorted() {
        errors.push(FieldError::invalid(values, &codes.values, "must be ordered"));
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
    if new.completion_mode.as_deref() != Some("Indexed") {
        fixed("completions", &new.completions, &before.completions, &mut errors);
    } else if new.completions != before.completions && new.completions != new.parallelism {
        let detail = "can only be modified in tandem with spec.parallelism";
        errors.push(FieldError::invalid(SPEC.child("completions"), new.completions, detail));
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
        placement::put_back_node_affinity(&mut pod.affinity, before.affinity.as_ref());
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
