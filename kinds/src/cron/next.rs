//! The next time that a schedule names, in a time zone. Times that the clock skips when it is put
//! forward do not happen; those that it shows twice when it is put back happen twice. Both is robfig's way.

use super::{Fields, Schedule, When};
use jiff::civil::{Date, DateTime, time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan as _};

/// A line that names no day within these years names none at all (`0 0 31 2 *`); robfig gives up as soon.
const YEARS_MAX: i16 = 5;

impl Schedule {
    /// The first time after `after`; `None` if there is none in the next years.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match &self.when {
            When::Every(seconds) => {
                let whole = Timestamp::from_second(after.as_second()).ok()?;
                whole.checked_add(SignedDuration::from_secs(*seconds)).ok()
            }
            When::Fields(fields) => fields.next(after, zone),
        }
    }
}

impl Fields {
    fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let start = after.to_zoned(zone.clone()).datetime();
        let last_year = start.year() + YEARS_MAX;
        let mut day = start.date();
        while day.year() <= last_year {
            if !self.month.has(day.month()) {
                day = first_of_next_month(day)?;
                continue;
            }
            if self.has_day(day)
                && let Some(found) = self.times_of(day).filter_map(|at| after_by(at, after, zone)).min()
            {
                return Some(found);
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// robfig: two restricted day fields are alternatives; one restricted field decides alone.
    pub(super) fn has_day(&self, day: Date) -> bool {
        let of_month = self.day_of_month.has(day.day());
        let of_week = self.day_of_week.has(day.weekday().to_sunday_zero_offset());
        if self.day_of_month.any || self.day_of_week.any { of_month && of_week } else { of_month || of_week }
    }

    fn times_of(&self, day: Date) -> impl Iterator<Item = DateTime> + use<'_> {
        let hours = (0..24).filter(|hour| self.hour.has(*hour));
        hours.flat_map(move |hour| {
            let minutes = (0..60).filter(|minute| self.minute.has(*minute));
            minutes.map(move |minute| day.to_datetime(time(hour, minute, 0, 0)))
        })
    }
}

fn first_of_next_month(day: Date) -> Option<Date> {
    day.first_of_month().checked_add(1.month()).ok()
}

/// The first instant after `after` at which the wall clock shows this time.
fn after_by(at: DateTime, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let possible = zone.to_ambiguous_zoned(at);
    if matches!(possible.offset(), AmbiguousOffset::Gap { .. }) {
        return None;
    }
    let earlier = possible.clone().earlier().ok()?.timestamp();
    if earlier > after {
        return Some(earlier);
    }
    possible.later().ok().map(|zoned| zoned.timestamp()).filter(|later| *later > after)
}
