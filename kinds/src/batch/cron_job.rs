//! CronJob (batch/v1). The rules of its jobs are those of Job.

use super::job;
use crate::age;
use crate::cells;
use crate::core::pod::warnings;
use crate::cron::Schedule;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, given, metadata, non_negative, one_of};
use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec};
use serde_json::Value;

const SPEC: Path<'static> = Path::new("spec");
const SUCCESSFUL_KEPT: i32 = 3;
const FAILED_KEPT: i32 = 1;
/// The controller appends eleven characters to name a job, whose name is a label of its pods.
const NAME_MAX: usize = 52;

pub(crate) struct CronJobKind;

impl TypedKind for CronJobKind {
    type Object = CronJob;

    const ROW: Row = row! {
        "io.k8s.api.batch.v1.CronJob" "batch" "v1" "CronJob" "cronjobs" "cronjob" Namespaced,
        short: ["cj"],
        categories: ["all"],
        subresources: [STATUS],
        columns: [
            NAME,
            Column::new("Schedule", "string"),
            Column::new("Timezone", "string"),
            Column::new("Suspend", "boolean"),
            Column::new("Active", "integer"),
            Column::new("Last Schedule", "string"),
            AGE,
            Column::wide("Containers", "string"),
            Column::wide("Images", "string"),
            Column::wide("Selector", "string"),
        ],
        generation: true,
    };

    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate];

    fn default(cron: &mut CronJob) {
        let spec = &mut cron.spec;
        if given(spec.concurrency_policy.as_ref()).is_none() {
            spec.concurrency_policy = Some("Allow".to_owned());
        }
        spec.suspend.get_or_insert(false);
        spec.successful_jobs_history_limit.get_or_insert(SUCCESSFUL_KEPT);
        spec.failed_jobs_history_limit.get_or_insert(FAILED_KEPT);
        // k8s: counts and limits of a job are settled when it is made; its pods' defaults are visible here already.
        let job = spec.job_template.spec.get_or_insert_default();
        crate::core::pod::defaults::pod_template(&mut job.template);
    }

    fn validate(cron: &CronJob) -> FieldErrors {
        let mut errors = FieldErrors::new();
        spec(&cron.spec, &mut errors);
        errors
    }

    fn validate_create(cron: &CronJob) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let name = cron.metadata.name.as_deref().unwrap_or_default();
        if name.len() > NAME_MAX {
            let detail = format!("must be no more than {NAME_MAX} characters");
            errors.push(FieldError::invalid("metadata.name", name, detail));
        }
        zone_in_schedule(&cron.spec, ZoneInSchedule::Refused, &mut errors);
        errors
    }

    /// k8s: a schedule that has named its zone so far may go on.
    fn validate_update(cron: &CronJob, old: &CronJob) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let had = if names_zone(&old.spec.schedule) { ZoneInSchedule::Tolerated } else { ZoneInSchedule::Refused };
        zone_in_schedule(&cron.spec, had, &mut errors);
        errors
    }

    fn warnings(cron: &CronJob) -> Vec<String> {
        let mut texts = Vec::new();
        if cron.spec.schedule.contains("TZ=") {
            texts.push("CRON_TZ or TZ used in spec.schedule is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details".to_owned());
        }
        let path = SPEC.child("jobTemplate");
        let path = path.child("spec");
        let template = path.child("template");
        texts.extend(cron.spec.job_template.spec.iter().flat_map(|job| warnings::template(&job.template, &template)));
        texts
    }

    fn cells(cron: &CronJob, now_unix_secs: i64) -> Vec<Value> {
        let job = cron.spec.job_template.spec.as_ref();
        let pod = job.and_then(|job| job.template.spec.as_ref());
        let (containers, images) = cells::containers_and_images(pod.map_or(&[], |pod| pod.containers.as_slice()));
        let status = cron.status.as_ref();
        let last = status.and_then(|status| status.last_schedule_time.as_ref()).map(|time| time.0.as_second());
        let suspend = match cron.spec.suspend {
            Some(true) => "True",
            Some(false) => "False",
            None => cells::UNSET,
        };
        vec![
            cells::name(&cron.metadata),
            cron.spec.schedule.as_str().into(),
            cells::or_none(cron.spec.time_zone.as_deref()).into(),
            suspend.into(),
            status.map_or(0, |status| each(&status.active).len()).into(),
            last.map_or(cells::NONE.to_owned(), |at| age::since(Some(at), now_unix_secs)).into(),
            cells::age(&cron.metadata, now_unix_secs),
            containers,
            images,
            cells::selector(job.and_then(|job| job.selector.as_ref())).into(),
        ]
    }
}

fn spec(spec: &CronJobSpec, errors: &mut FieldErrors) {
    let at = SPEC.child("schedule");
    if spec.schedule.is_empty() {
        errors.push(FieldError::required(at, ""));
    } else if let Err(error) = Schedule::parse(&spec.schedule) {
        errors.push(FieldError::invalid(at, &spec.schedule, error.to_string()));
    }
    if let Some(zone) = &spec.time_zone {
        time_zone(zone, &SPEC.child("timeZone"), errors);
    }
    if let Some(secs) = spec.starting_deadline_seconds {
        non_negative(secs, &SPEC.child("startingDeadlineSeconds"), errors);
    }
    let policy = spec.concurrency_policy.as_deref().unwrap_or_default();
    one_of(policy, &["Allow", "Forbid", "Replace"], &SPEC.child("concurrencyPolicy"), errors);
    let kept = [
        ("successfulJobsHistoryLimit", spec.successful_jobs_history_limit),
        ("failedJobsHistoryLimit", spec.failed_jobs_history_limit),
    ];
    for (field, limit) in kept {
        non_negative(limit.unwrap_or_default().into(), &SPEC.child(field), errors);
    }
    let template = SPEC.child("jobTemplate");
    if let Some(meta) = &spec.job_template.metadata {
        metadata::labels(meta.labels.as_ref(), &template.child("labels"), errors);
        metadata::annotations(meta.annotations.as_ref(), &template.child("annotations"), errors);
    }
    let at = template.child("spec");
    let mut wanted = spec.job_template.spec.clone().unwrap_or_default();
    if wanted.manual_selector == Some(true) {
        errors.push(FieldError::not_supported(at.child("manualSelector"), true, &["<nil>", "false"]));
    }
    if let Some(selector) = &wanted.selector {
        errors.push(FieldError::invalid(at.child("selector"), selector, "`selector` will be auto-generated"));
    }
    job::default_spec(&mut wanted);
    job::rules::spec(&wanted, &at, errors);
}

/// Whether a schedule may name its zone itself, as it could before there was a field for it.
#[derive(Clone, Copy)]
enum ZoneInSchedule {
    Refused,
    Tolerated,
}

fn names_zone(schedule: &str) -> bool {
    schedule.contains("TZ")
}

/// k8s: validateScheduleFormat
fn zone_in_schedule(spec: &CronJobSpec, zone: ZoneInSchedule, errors: &mut FieldErrors) {
    if !names_zone(&spec.schedule) {
        return;
    }
    let detail = match zone {
        ZoneInSchedule::Refused => "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
        ZoneInSchedule::Tolerated if spec.time_zone.is_some() => {
            "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        }
        ZoneInSchedule::Tolerated => return,
    };
    errors.push(FieldError::invalid(SPEC.child("schedule"), &spec.schedule, detail));
}

fn time_zone(zone: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    if zone.is_empty() {
        errors.push(FieldError::invalid(path, zone, "timeZone must be nil or non-empty string"));
    } else if zone.eq_ignore_ascii_case("local") {
        errors.push(FieldError::invalid(
            path,
            zone,
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
        ));
    } else if !is_zone_name(zone) {
        errors.push(FieldError::invalid(path, zone, format!("unknown time zone {zone}")));
    }
}

/// Whether a zone's database may hold the name, which becomes a file's path there. Looking it up is the controller's
/// work: rules do no I/O.
fn is_zone_name(zone: &str) -> bool {
    zone.split('/').all(|part| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::{Expect, expect};
    use serde_json::json;

    fn cron() -> Value {
        json!({"spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}}}})
    }

    #[expect(clippy::needless_pass_by_value, reason = "tables read better with values")]
    fn create(patch: Value, want: Expect) {
        let mut object = cron();
        check::merge(&mut object, &patch);
        want.assert_eq(&check::create::<CronJobKind>(object));
    }

    #[test]
    fn a_cron_job_is_checked_with_its_jobs() {
        create(json!({}), expect![[""]]);
        create(
            json!({"spec": {"schedule": "now", "concurrencyPolicy": "X", "timeZone": "../../etc/passwd"}}),
            expect![[r#"
            spec.schedule: Invalid value: "now": expected exactly 5 fields, found 1: [now]
            spec.timeZone: Invalid value: "../../etc/passwd": unknown time zone ../../etc/passwd
            spec.concurrencyPolicy: Unsupported value: "X": supported values: "Allow", "Forbid", "Replace""#]],
        );
        create(
            json!({"spec": {"jobTemplate": {"spec": {"selector": {}, "template": {"spec": {"restartPolicy": "Always"}}}}}}),
            expect![[r#"
            spec.jobTemplate.spec.selector: Invalid value: {}: `selector` will be auto-generated
            spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never""#]],
        );
        create(
            json!({"metadata": {"name": "x".repeat(53)}}),
            expect![[
                r#"metadata.name: Invalid value: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx": must be no more than 52 characters"#
            ]],
        );
    }

    #[test]
    fn defaults_are_upstreams() {
        let spec = check::defaulted::<CronJobKind>(cron())["spec"].clone();
        assert_eq!((&spec["concurrencyPolicy"], &spec["suspend"]), (&json!("Allow"), &json!(false)));
        assert_eq!((&spec["successfulJobsHistoryLimit"], &spec["failedJobsHistoryLimit"]), (&json!(3), &json!(1)));
    }

    #[test]
    fn a_new_schedule_leaves_its_zone_to_the_field_for_it() {
        let zoned = json!({"spec": {"schedule": "CRON_TZ=UTC 0 * * * *"}});
        create(
            zoned.clone(),
            expect![[
                r#"spec.schedule: Invalid value: "CRON_TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead"#
            ]],
        );
        assert!(check::update::<CronJobKind>(cron(), &zoned).contains("use timeZone field instead"));
        let mut old = cron();
        check::merge(&mut old, &zoned);
        assert_eq!(check::update::<CronJobKind>(old.clone(), &json!({"spec": {"schedule": "TZ=UTC 1 * * * *"}})), "");
        expect![[
            r#"spec.schedule: Invalid value: "CRON_TZ=UTC 0 * * * *": cannot use both timeZone field and TZ or CRON_TZ in schedule"#
        ]]
        .assert_eq(&check::update::<CronJobKind>(old, &json!({"spec": {"timeZone": "UTC"}})));
    }
}
