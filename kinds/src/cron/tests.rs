//! What lines mean, and that the next time is the first that matches.

use super::{CronError, Schedule, When};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

fn next(line: &str, after: &str) -> String {
    let schedule = Schedule::parse(line).unwrap();
    let after: Timestamp = after.parse().unwrap();
    schedule.next(after, &TimeZone::UTC).map_or("never".to_owned(), |at| at.to_string())
}

#[test]
fn the_next_time_is_after_the_given_one() {
    assert_eq!(next("*/15 * * * *", "2026-01-01T00:00:00Z"), "2026-01-01T00:15:00Z");
    assert_eq!(next("0 0 1 1 *", "2026-01-01T00:00:00Z"), "2027-01-01T00:00:00Z");
    assert_eq!(next("@hourly", "2026-01-01T00:59:59Z"), "2026-01-01T01:00:00Z");
    assert_eq!(next("@every 90s", "2026-01-01T00:00:00Z"), "2026-01-01T00:01:30Z");
    assert_eq!(next("0 22 * * mon-FRI", "2026-11-27T22:00:00Z"), "2026-11-30T22:00:00Z");
    assert_eq!(next("5/20 * * * *", "2026-01-01T00:06:00Z"), "2026-01-01T00:25:00Z");
}

#[test]
fn two_restricted_day_fields_are_alternatives() {
    // The 13th, and every Friday.
    assert_eq!(next("0 0 13 * 5", "2026-01-09T00:00:00Z"), "2026-01-13T00:00:00Z");
    assert_eq!(next("0 0 13 * 5", "2026-01-13T00:00:00Z"), "2026-01-16T00:00:00Z");
    // With a star only the other decides.
    assert_eq!(next("0 0 13 * *", "2026-01-09T00:00:00Z"), "2026-01-13T00:00:00Z");
}

#[test]
fn a_day_that_no_month_has_never_comes() {
    assert_eq!(next("0 0 31 2 *", "2026-01-01T00:00:00Z"), "never");
    assert_eq!(next("0 0 29 2 *", "2025-01-01T00:00:00Z"), "2028-02-29T00:00:00Z");
}

#[test]
fn lines_that_say_nothing_are_refused_in_upstreams_words() {
    let error = |line: &str| Schedule::parse(line).map(|_| ()).unwrap_err();
    assert_eq!(error("* * * *"), CronError("expected exactly 5 fields, found 4: [* * * *]".to_owned()));
    assert_eq!(error("60 * * * *"), CronError("end of range (60) above maximum (59): 60".to_owned()));
    assert_eq!(error("* * * * 7"), CronError("end of range (7) above maximum (6): 7".to_owned()));
    assert_eq!(error("*/0 * * * *"), CronError("step of range should be a positive number: */0".to_owned()));
    assert_eq!(error("@never"), CronError("unrecognized descriptor: @never".to_owned()));
    assert_eq!(error(""), CronError("empty spec string".to_owned()));
}

#[test]
fn a_line_may_name_its_zone() {
    let schedule = Schedule::parse("CRON_TZ=Europe/Berlin 0 6 * * *").unwrap();
    assert_eq!(schedule.zone.as_deref(), Some("Europe/Berlin"));
}

fn part(low: u32, high: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        Just("*".to_owned()),
        (low..=high).prop_map(|n| n.to_string()),
        (low..=high, low..=high).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        (1_u32..20).prop_map(|step| format!("*/{step}")),
    ]
}

fn line() -> impl Strategy<Value = String> {
    (part(0, 59), part(0, 23), part(1, 28), part(1, 12), part(0, 6))
        .prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
}

/// Asked minute by minute, as slowly and surely as can be.
fn matches(schedule: &Schedule, at: Timestamp) -> bool {
    let When::Fields(fields) = &schedule.when else { return false };
    let at = at.to_zoned(TimeZone::UTC).datetime();
    fields.minute.has(at.minute())
        && fields.hour.has(at.hour())
        && fields.month.has(at.month())
        && fields.has_day(at.date())
}

proptest! {
    #[test]
    fn the_next_time_matches_and_none_before_it_does(line in line(), start in 0_i64..4_000_000) {
        let schedule = Schedule::parse(&line).unwrap();
        let start = Timestamp::from_second(start * 60).unwrap();
        let found = schedule.next(start, &TimeZone::UTC);
        if let Some(found) = found {
            prop_assert!(matches(&schedule, found));
        }
        // Within a day, minute by minute.
        for minutes in 1..=1440 {
            let at = start + SignedDuration::from_mins(minutes);
            if found.is_some_and(|found| at >= found) {
                break;
            }
            prop_assert!(!matches(&schedule, at), "{at} was passed over");
        }
    }
}
