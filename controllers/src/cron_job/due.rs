//! Whether a CronJob is due. k8s: mostRecentScheduleTime, nextScheduleTimeDuration

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::CronJob;
use kinds::cron::Schedule;
use kinds::moment::later;

/// More missed times than this are worth a warning: the clock or the deadline is wrong.
const MISSED_MANY: i64 = 100;
/// A little after the time itself, so that a timer that fires early does not find nothing due.
const AFTER: SignedDuration = SignedDuration::from_millis(100);

pub(super) struct Due {
    /// The latest scheduled time that has come and was not served yet.
    pub(super) now: Option<Timestamp>,
    /// When to look again.
    pub(super) next: Option<Timestamp>,
    pub(super) many_missed: bool,
    zone: TimeZone,
}

impl Due {
    /// As the Job's annotation writes it.
    pub(super) fn in_zone(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string().replace("+00:00", "Z")
    }
}

/// `spec.timeZone`, or the zone of the line, or UTC.
pub(super) fn zone(cron: &CronJob) -> Result<TimeZone, String> {
    let of_line = || Schedule::parse(&cron.spec.schedule).ok().and_then(|schedule| schedule.zone);
    match cron.spec.time_zone.clone().or_else(of_line) {
        Some(name) => TimeZone::get(&name).map_err(|error| format!("invalid timeZone: {name:?}: {error}")),
        None => Ok(TimeZone::UTC),
    }
}

fn seconds_before(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MIN)
}

pub(super) fn is_too_late(cron: &CronJob, scheduled: Timestamp, now: Timestamp) -> bool {
    cron.spec.starting_deadline_seconds.is_some_and(|seconds| scheduled < seconds_before(now, seconds))
}

/// From when on times count: the last one served, or the creation.
fn served(cron: &CronJob) -> Timestamp {
    let last = cron.status.as_ref().and_then(|status| status.last_schedule_time.as_ref());
    let since = last.or(cron.metadata.creation_timestamp.as_ref());
    since.map_or(Timestamp::UNIX_EPOCH, |time| time.0)
}

pub(super) fn look(cron: &CronJob, schedule: &Schedule, zone: &TimeZone, now: Timestamp) -> Result<Due, &'static str> {
    let deadline = cron.spec.starting_deadline_seconds.map(|seconds| seconds_before(now, seconds));
    let from = served(cron).max(deadline.unwrap_or(Timestamp::MIN));
    let (latest, missed) = latest(schedule, zone, from, now)?;
    let after = latest.unwrap_or_else(|| served(cron)).max(served(cron));
    // What is long past is not looked at again one by one: the next time is after now.
    let next = schedule.next(after, zone).filter(|next| *next > now).or_else(|| schedule.next(now, zone));
    Ok(Due {
        now: latest,
        next: next.map(|next| later(next, AFTER)),
        many_missed: missed > MISSED_MANY,
        zone: zone.clone(),
    })
}

/// The latest time up to now, and about how many there were.
fn latest(
    schedule: &Schedule,
    zone: &TimeZone,
    from: Timestamp,
    now: Timestamp,
) -> Result<(Option<Timestamp>, i64), &'static str> {
    let Some(first) = schedule.next(from, zone) else { return Err("the schedule names no time at all") };
    if now < first {
        return Ok((None, 0));
    }
    let Some(second) = schedule.next(first, zone) else { return Ok((Some(first), 1)) };
    if now < second {
        return Ok((Some(first), 1));
    }
    let between = second.duration_since(first).as_secs().max(1);
    let missed = now.duration_since(first).as_secs() / between + 1;
    // Close to now, as regular schedules go; one step back for those that are not.
    let mut at = later(first, SignedDuration::from_secs((missed - 2).max(0) * between));
    let mut latest = None;
    while let Some(next) = schedule.next(at, zone).filter(|next| *next <= now) {
        latest = Some(next);
        at = next;
    }
    Ok((latest, missed))
}
