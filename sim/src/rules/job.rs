//! Jobs and CronJobs: every pod is counted once, every time runs once.

use super::{active_of, is, made, name, owner_in, updated};
use crate::world::{Change, Successes, World, controlled, controller, count, text, truth};
use serde_json::Value;

pub(super) fn keeps_its_parallelism(change: &Change, world: &World) -> Option<String> {
    let (_, job) = made(change, world, "batch/jobs")?;
    let active = active_of(world, job).count() as i64;
    let most = count(job, "/spec/parallelism");
    (active > most).then(|| format!("{} has {active} active pods and a parallelism of {most}", name(job)))
}

/// Never back, never more than was seen, never more than was wanted but for pods that had been told to go.
pub(super) fn counts_what_happened(change: &Change, world: &World) -> Option<String> {
    let (old, new) = updated(change, "Job")?;
    for what in ["succeeded", "failed"] {
        let (before, after) = (count(old, &format!("/status/{what}")), count(new, &format!("/status/{what}")));
        if after < before {
            return Some(format!("{} had {before} that {what} and now {after}", name(new)));
        }
    }
    let counted = count(new, "/status/succeeded");
    let Successes { really, told, .. } = world.succeeded(text(new, "/metadata/uid"));
    if counted > really {
        return Some(format!("{} counts {counted} successes of {really}", name(new)));
    }
    let wanted = new.pointer("/spec/completions").and_then(Value::as_i64)?;
    (counted > wanted + told).then(|| format!("{} counts {counted} successes and wanted {wanted}", name(new)))
}

fn new_job<'a>(change: &Change<'a>) -> Option<&'a Value> {
    change.new.filter(|new| change.old.is_none() && is(new, "Job"))
}

pub(super) fn runs_each_time_once(change: &Change, world: &World) -> Option<String> {
    let job = new_job(change)?;
    let cron = text(controller(job)?, "/uid").to_owned();
    let time = text(job, "/metadata/annotations/batch.kubernetes.io~1cronjob-scheduled-timestamp").to_owned();
    let often = *world.runs.get(&(cron, time.clone()))?;
    (often > 1).then(|| format!("{} is the second for {time}", name(job)))
}

pub(super) fn does_not_overlap(change: &Change, world: &World) -> Option<String> {
    let job = new_job(change)?;
    let cron = owner_in(job, world, "batch/cronjobs")?;
    if text(cron, "/spec/concurrencyPolicy") == "Allow" {
        return None;
    }
    let is_done = |job: &&Value| truth(job, "Complete").or_else(|| truth(job, "Failed")).is_some();
    let jobs = controlled(world.of("batch/jobs"), text(cron, "/metadata/uid").to_owned());
    let unfinished = jobs.filter(|job| !is_done(job) && !crate::world::is_terminating(job)).count();
    (unfinished > 1).then(|| format!("{} runs {unfinished} Jobs at the same time", name(cron)))
}
