//! Job (batch/v1). The rules of its spec, which CronJobs share, are in `rules`.

pub(crate) mod rules;
mod success;

use crate::age;
use crate::cells;
use crate::core::pod::{defaults, warnings};
use crate::errors::FieldErrors;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::each;
use crate::validate::path::Path;
use k8s_openapi::api::batch::v1::{Job, JobSpec, JobStatus};
use serde_json::Value;

const SPEC: Path<'static> = Path::new("spec");
const BACKOFF_LIMIT: i32 = 6;
const UID_LABEL: &str = "batch.kubernetes.io/controller-uid";

pub(crate) struct JobKind;

impl TypedKind for JobKind {
    type Object = Job;

    const ROW: Row = row! {
        "io.k8s.api.batch.v1.Job" "batch" "v1" "Job" "jobs" "job" Namespaced,
        categories: ["all"],
        subresources: [STATUS],
        columns: [
            NAME,
            Column::new("Status", "string"),
            Column::new("Completions", "string"),
            Column::new("Duration", "string"),
            AGE,
            Column::wide("Containers", "string"),
            Column::wide("Images", "string"),
            Column::wide("Selector", "string"),
        ],
        fields: ["status.successful" = "status.succeeded"],
        generation: true,
    };

    const LACKS: &'static [Hook] = &[Hook::PrepareUpdate];

    fn default(job: &mut Job) {
        let spec = job.spec.get_or_insert_default();
        default_spec(spec);
        labels_of_template(job);
    }

    fn prepare_create(job: &mut Job) {
        job.status = Some(JobStatus::default());
        if job.spec.as_ref().is_some_and(|spec| spec.manual_selector != Some(true)) {
            generate_selector(job);
        }
        // What a reader's defaulting would add is stored at once.
        labels_of_template(job);
    }

    fn validate(job: &Job) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let empty = JobSpec::default();
        let spec = job.spec.as_ref().unwrap_or(&empty);
        rules::spec(spec, &SPEC, &mut errors);
        rules::selected(spec, job.metadata.uid.as_deref().unwrap_or_default(), &SPEC, &mut errors);
        errors
    }

    fn validate_update(job: &Job, old: &Job) -> FieldErrors {
        rules::change(job, old)
    }

    fn validate_status(job: &Job, old: &Job) -> FieldErrors {
        rules::status(job, old)
    }

    fn warnings(job: &Job) -> Vec<String> {
        let path = SPEC.child("template");
        job.spec.iter().flat_map(|spec| warnings::template(&spec.template, &path)).collect()
    }

    fn cells(job: &Job, now_unix_secs: i64) -> Vec<Value> {
        let spec = job.spec.as_ref();
        let pod = spec.and_then(|spec| spec.template.spec.as_ref());
        let (containers, images) = cells::containers_and_images(pod.map_or(&[], |pod| pod.containers.as_slice()));
        vec![
            cells::name(&job.metadata),
            state(job).into(),
            completions(job).into(),
            duration(job, now_unix_secs).into(),
            cells::age(&job.metadata, now_unix_secs),
            containers,
            images,
            cells::selector(spec.and_then(|spec| spec.selector.as_ref())).into(),
        ]
    }
}

pub(crate) fn default_spec(spec: &mut JobSpec) {
    // k8s: neither given means one pod, once; only completions given means one at a time.
    if spec.completions.is_none() && spec.parallelism.is_none() {
        spec.completions = Some(1);
        spec.parallelism = Some(1);
    }
    spec.parallelism.get_or_insert(1);
    let unlimited = spec.backoff_limit_per_index.is_some();
    spec.backoff_limit.get_or_insert(if unlimited { i32::MAX } else { BACKOFF_LIMIT });
    spec.completion_mode.get_or_insert_with(|| "NonIndexed".to_owned());
    spec.suspend.get_or_insert(false);
    if let Some(policy) = &mut spec.pod_failure_policy {
        for pattern in policy.rules.iter_mut().flat_map(|rule| rule.on_pod_conditions.iter_mut().flatten()) {
            pattern.status.get_or_insert_with(|| "True".to_owned());
        }
    }
    let replacement = if spec.pod_failure_policy.is_some() { "Failed" } else { "TerminatingOrFailed" };
    spec.pod_replacement_policy.get_or_insert_with(|| replacement.to_owned());
    defaults::pod_template(&mut spec.template);
}

/// k8s: a job without labels takes those of its template.
fn labels_of_template(job: &mut Job) {
    if job.metadata.labels.as_ref().is_none_or(std::collections::BTreeMap::is_empty) {
        let template = job.spec.as_ref().and_then(|spec| spec.template.metadata.as_ref());
        let labels = template.and_then(|meta| meta.labels.clone());
        job.metadata.labels = labels.filter(|labels| !labels.is_empty());
    }
}

/// The pods of a job carry its uid, so that no two jobs ever claim the same pod.
fn generate_selector(job: &mut Job) {
    let name = job.metadata.name.clone().unwrap_or_default();
    let uid = job.metadata.uid.clone().unwrap_or_default();
    let Some(spec) = &mut job.spec else { return };
    let labels = spec.template.metadata.get_or_insert_default().labels.get_or_insert_default();
    for (key, value) in
        [("job-name", &name), ("batch.kubernetes.io/job-name", &name), ("controller-uid", &uid), (UID_LABEL, &uid)]
    {
        labels.entry(key.to_owned()).or_insert_with(|| value.clone());
    }
    let selector = spec.selector.get_or_insert_default().match_labels.get_or_insert_default();
    selector.entry(UID_LABEL.to_owned()).or_insert(uid);
}

/// k8s: the first that holds, in kubectl's order
fn state(job: &Job) -> &'static str {
    let status = job.status.as_ref();
    let is = |kind: &str| {
        let mut conditions = status.into_iter().flat_map(|status| each(&status.conditions));
        conditions.any(|condition| condition.type_ == kind && condition.status == "True")
    };
    if is("Complete") {
        "Complete"
    } else if is("Failed") {
        "Failed"
    } else if job.metadata.deletion_timestamp.is_some() {
        "Terminating"
    } else if is("Suspended") {
        "Suspended"
    } else if is("FailureTarget") {
        "FailureTarget"
    } else if is("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

fn completions(job: &Job) -> String {
    let succeeded = job.status.as_ref().and_then(|status| status.succeeded).unwrap_or_default();
    let spec = job.spec.as_ref();
    let parallelism = spec.and_then(|spec| spec.parallelism).unwrap_or_default();
    match spec.and_then(|spec| spec.completions) {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        None => format!("{succeeded}/1"),
    }
}

fn duration(job: &Job, now_unix_secs: i64) -> String {
    let Some(status) = &job.status else { return String::new() };
    let Some(began) = &status.start_time else { return String::new() };
    let ended = status.completion_time.as_ref().map_or(now_unix_secs, |time| time.0.as_second());
    age::human(ended - began.0.as_second())
}

#[cfg(test)]
mod tests;
