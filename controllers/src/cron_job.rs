//! Makes a Job at each time that a CronJob's schedule names, and removes the oldest that finished.
//! k8s: pkg/controller/cronjob (v2)

mod due;
mod history;
#[cfg(test)]
mod tests;

use crate::job::{self, Finished};
use crate::write::{self, time};
use client::action::{Action, Key, Propagation};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Refusal, Watches};
use due::Due;
use jiff::Timestamp;
use k8s_openapi::Resource as _;
use k8s_openapi::api::batch::v1::{CronJob, CronJobStatus, Job};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::sync::Arc;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "cronjob",
    watches,
    reconcile: Reconcile::Cached(|key, caches, now| match caches.of::<CronJob>().get(&key.ns, &key.name) {
        Some(cron) => reconcile(&Seen { jobs: caches.of::<Job>().by_owner(cron.uid()), cron }, now),
        None => Vec::new(),
    }),
    refused: Some(refused),
};

/// When the Job was due; a Job of this CronJob without it was not made here.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

fn watches(watches: &mut Watches) {
    watches.primary::<CronJob>();
    watches.owned::<Job, CronJob>();
}

/// Everything a decision needs.
struct Seen {
    cron: Arc<CronJob>,
    jobs: Vec<Arc<Job>>,
}

fn reconcile(seen: &Seen, now: Timestamp) -> Vec<Action> {
    let cron = seen.cron.as_ref();
    let mut status = cron.status.clone().unwrap_or_default();
    let mut actions = Vec::new();
    let mut events = settle_active(seen, &mut status);
    if !cron.deleting() {
        let run = run(seen, &status, now);
        actions.extend(run.actions);
        events.extend(run.events);
        if let Some(at) = run.scheduled {
            status.last_schedule_time = Some(time(at));
        }
        if let Some(replaced) = run.replaced {
            status
                .active
                .get_or_insert_default()
                .retain(|one| !replaced.contains(&one.uid.clone().unwrap_or_default()));
        }
        actions.extend(run.requeue_at.map(Action::RequeueAt));
    }
    let gone = history::surplus(seen);
    let told =
        gone.iter().map(|job| write::event(cron, "Normal", "SuccessfulDelete", format!("Deleted job {}", job.name())));
    actions.extend(gone.iter().map(|job| write::delete_within(job.as_ref(), None, Some(Propagation::Background))));
    events.extend(told);
    actions.extend(noted(cron, status));
    actions.extend(events);
    actions
}

/// The write of a status that says something new.
fn noted(cron: &CronJob, mut status: CronJobStatus) -> Option<Action> {
    status.active = status.active.filter(|active| !active.is_empty());
    (status != cron.status.clone().unwrap_or_default())
        .then(|| write::update(&CronJob { status: Some(status), ..cron.clone() }, "status"))
}

/// `status.active` as the Jobs say, and the time of the last success.
fn settle_active(seen: &Seen, status: &mut CronJobStatus) -> Vec<Action> {
    let cron = seen.cron.as_ref();
    let mut events = Vec::new();
    let known = status.active.take().unwrap_or_default();
    let knows = |job: &Job| known.iter().any(|one| one.uid.as_deref() == Some(job.uid()));
    let mut active: Vec<ObjectReference> = known.clone();
    for job in &seen.jobs {
        match job::finished(job) {
            Some((how, _)) if knows(job) => {
                active.retain(|one| one.uid.as_deref() != Some(job.uid()));
                let how = if how == Finished::Complete { "Complete" } else { "Failed" };
                let message = format!("Saw completed job: {}, condition: {how}", job.name());
                events.push(write::event(cron, "Normal", "SawCompletedJob", message));
            }
            None if !knows(job) && was_made_here(job) => active.push(reference(job)),
            None if !knows(job) => {
                let message = format!("Saw a job that the controller did not create or forgot: {}", job.name());
                events.push(write::event(cron, "Warning", "UnexpectedJob", message));
            }
            Some(_) | None => {}
        }
        if matches!(job::finished(job), Some((Finished::Complete, _))) {
            let ended = job.status.as_ref().and_then(|status| status.completion_time.clone());
            status.last_successful_time = status.last_successful_time.take().max(ended);
        }
    }
    let exists = |one: &ObjectReference| seen.jobs.iter().any(|job| one.uid.as_deref() == Some(job.uid()));
    for gone in active.iter().filter(|one| !exists(one)) {
        let message = format!("Active job went missing: {}", gone.name.as_deref().unwrap_or_default());
        events.push(write::event(cron, "Normal", "MissingJob", message));
    }
    active.retain(exists);
    status.active = Some(active);
    events
}

fn was_made_here(job: &Job) -> bool {
    job.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(SCHEDULED))
}

fn reference(job: &Job) -> ObjectReference {
    ObjectReference {
        api_version: Some(Job::API_VERSION.to_owned()),
        kind: Some(Job::KIND.to_owned()),
        namespace: job.metadata.namespace.clone(),
        name: job.metadata.name.clone(),
        uid: job.metadata.uid.clone(),
        resource_version: job.metadata.resource_version.clone(),
        field_path: None,
    }
}

/// What the schedule asks for now.
#[derive(Default)]
struct Run {
    actions: Vec<Action>,
    events: Vec<Action>,
    scheduled: Option<Timestamp>,
    /// Uids of the Jobs that make room.
    replaced: Option<Vec<String>>,
    requeue_at: Option<Timestamp>,
}

fn run(seen: &Seen, status: &CronJobStatus, now: Timestamp) -> Run {
    let cron = seen.cron.as_ref();
    if cron.spec.suspend == Some(true) {
        return Run::default();
    }
    let warn = |reason: &'static str, message: String| Run {
        events: vec![write::event(cron, "Warning", reason, message)],
        ..Run::default()
    };
    let zone = match due::zone(cron) {
        Ok(zone) => zone,
        Err(error) => return warn("UnknownTimeZone", error),
    };
    let schedule = match kinds::cron::Schedule::parse(&cron.spec.schedule) {
        Ok(schedule) => schedule,
        Err(error) => {
            return warn("UnparseableSchedule", format!("unparseable schedule: {:?} : {error}", cron.spec.schedule));
        }
    };
    let due = match due::look(cron, &schedule, &zone, now) {
        Ok(due) => due,
        Err(error) => return warn("InvalidSchedule", format!("invalid schedule: {} : {error}", cron.spec.schedule)),
    };
    let mut run = Run { requeue_at: due.next, ..Run::default() };
    if due.many_missed {
        let message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
        run.events.push(write::event(cron, "Warning", "TooManyMissedTimes", message.to_owned()));
    }
    start(seen, status, &due, now, &mut run);
    run
}

fn start(seen: &Seen, status: &CronJobStatus, due: &Due, now: Timestamp, run: &mut Run) {
    let cron = seen.cron.as_ref();
    let Some(scheduled) = due.now else { return };
    if due::is_too_late(cron, scheduled, now) {
        let at = jiff::fmt::rfc2822::to_string(&scheduled.to_zoned(jiff::tz::TimeZone::UTC)).unwrap_or_default();
        run.events.push(write::event(
            cron,
            "Warning",
            "MissSchedule",
            format!("Missed scheduled time to start a job: {at}"),
        ));
        return;
    }
    let name = job_name(cron, scheduled);
    let active = status.active.as_deref().unwrap_or_default();
    let last = status.last_schedule_time.as_ref().map(|time| time.0);
    let made = seen.jobs.iter().any(|job| job.name() == name);
    if last == Some(scheduled) || active.iter().any(|one| one.name.as_ref() == Some(&name)) {
        return;
    }
    if made {
        run.scheduled = Some(scheduled); // made before, but not written down
        return;
    }
    match cron.spec.concurrency_policy.as_deref() {
        Some("Forbid") if !active.is_empty() => {
            let message =
                "Not starting job because prior execution is running and concurrency policy is Forbid".to_owned();
            run.events.push(write::event(cron, "Normal", "JobAlreadyActive", message));
            return;
        }
        Some("Replace") => replace(seen, active, run),
        _ => {}
    }
    let job = new_job(cron, name, due.in_zone(scheduled));
    run.actions.push(write::create(&job));
    run.events.push(write::event(cron, "Normal", "SuccessfulCreate", format!("Created job {}", job.name())));
    run.scheduled = Some(scheduled);
}

fn replace(seen: &Seen, active: &[ObjectReference], run: &mut Run) {
    let running = seen.jobs.iter().filter(|job| active.iter().any(|one| one.uid.as_deref() == Some(job.uid())));
    let running: Vec<&Arc<Job>> = running.collect();
    for job in &running {
        run.actions.push(write::delete_within(job.as_ref(), None, Some(Propagation::Background)));
        let message = format!("Deleted job {}", job.name());
        run.events.push(write::event(seen.cron.as_ref(), "Normal", "SuccessfulDelete", message));
    }
    run.replaced = Some(running.iter().map(|job| job.uid().to_owned()).collect());
}

/// The minute in the name makes a second Job for the same time impossible.
fn job_name(cron: &CronJob, scheduled: Timestamp) -> String {
    format!("{}-{}", cron.name(), scheduled.as_second() / 60)
}

fn new_job(cron: &CronJob, name: String, scheduled: String) -> Job {
    let template = cron.spec.job_template.metadata.clone().unwrap_or_default();
    let mut annotations = template.annotations.unwrap_or_default();
    annotations.insert(SCHEDULED.to_owned(), scheduled);
    Job {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: cron.metadata.namespace.clone(),
            labels: template.labels,
            annotations: Some(annotations),
            owner_references: Some(vec![write::controller_reference(cron)]),
            ..ObjectMeta::default()
        },
        spec: cron.spec.job_template.spec.clone(),
        status: None,
    }
}

fn refused(key: &Key, caches: &Caches, refusal: &Refusal, _: Timestamp) -> Vec<Action> {
    let Some(cron) = caches.of::<CronJob>().get(&key.ns, &key.name) else { return Vec::new() };
    let (reason, message) = match &refusal.action {
        Action::Create { .. } => ("FailedCreate", format!("Error creating job: {}", refusal.status.message)),
        Action::Delete { .. } => ("FailedDelete", format!("Deleted job: {}", refusal.status.message)),
        _ => return Vec::new(),
    };
    let mut actions = vec![write::event(cron.as_ref(), "Warning", reason, message)];
    // The refusal has ended the run before its status: what became of the Jobs that there are is noted here.
    let seen = Seen { jobs: caches.of::<Job>().by_owner(cron.uid()), cron };
    let mut status = seen.cron.status.clone().unwrap_or_default();
    let told = settle_active(&seen, &mut status);
    actions.extend(noted(&seen.cron, status));
    actions.extend(told);
    actions
}
