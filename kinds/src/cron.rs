//! Cron lines: read once, for the check of a CronJob and for its controller. The grammar, the rule of the two day fields
//! and the error texts are those of robfig/cron, which upstream uses.

mod next;
#[cfg(test)]
mod tests;

use thiserror::Error;

/// Names and range of one field.
struct Bounds {
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MINUTE: Bounds = Bounds { low: 0, high: 59, names: &[] };
const HOUR: Bounds = Bounds { low: 0, high: 23, names: &[] };
const DAY_OF_MONTH: Bounds = Bounds { low: 1, high: 31, names: &[] };
const MONTH: Bounds = Bounds { low: 1, high: 12, names: MONTHS };
const DAY_OF_WEEK: Bounds = Bounds { low: 0, high: 6, names: DAYS };

const MACROS: &[(&str, &str)] = &[
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// Why a line is refused, in the words of robfig/cron.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct CronError(String);

/// The values of a field that match: bit n for n. `any` if the field was `*` or `?`, which matters for the days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    bits: u64,
    any: bool,
}

impl Field {
    fn has(self, value: i8) -> bool {
        self.bits & (1 << value) != 0
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fields {
    minute: Field,
    hour: Field,
    day_of_month: Field,
    month: Field,
    day_of_week: Field,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum When {
    Fields(Fields),
    /// `@every 90s`, in whole seconds.
    Every(i64),
}

/// A line that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    when: When,
    /// The zone that the line itself names (`TZ=`, `CRON_TZ=`).
    pub zone: Option<String>,
}

impl Schedule {
    pub fn parse(line: &str) -> Result<Self, CronError> {
        let (zone, line) = match line.strip_prefix("CRON_TZ=").or_else(|| line.strip_prefix("TZ=")) {
            Some(rest) => {
                let (zone, line) = rest.split_once(' ').unwrap_or((rest, ""));
                (Some(zone.to_owned()), line.trim())
            }
            None => (None, line),
        };
        if line.is_empty() {
            return Err(CronError("empty spec string".to_owned()));
        }
        let when = if line.starts_with('@') { descriptor(line)? } else { When::Fields(fields(line)?) };
        Ok(Self { when, zone })
    }
}

fn descriptor(line: &str) -> Result<When, CronError> {
    if let Some((_, fields_of_macro)) = MACROS.iter().find(|(name, _)| *name == line) {
        return fields(fields_of_macro).map(When::Fields);
    }
    if let Some(text) = line.strip_prefix("@every ") {
        let duration = crate::duration::parse(text.trim());
        return duration
            .map(|duration| When::Every(duration.as_secs().max(1))) // robfig: a delay is a second at least
            .ok_or_else(|| CronError(format!("failed to parse duration {line}: time: invalid duration {text:?}")));
    }
    Err(CronError(format!("unrecognized descriptor: {line}")))
}

fn fields(line: &str) -> Result<Fields, CronError> {
    let texts: Vec<&str> = line.split_whitespace().collect();
    let [minute, hour, day_of_month, month, day_of_week] = texts[..] else {
        let found = texts.len();
        return Err(CronError(format!("expected exactly 5 fields, found {found}: [{}]", texts.join(" "))));
    };
    Ok(Fields {
        minute: field(minute, &MINUTE)?,
        hour: field(hour, &HOUR)?,
        day_of_month: field(day_of_month, &DAY_OF_MONTH)?,
        month: field(month, &MONTH)?,
        day_of_week: field(day_of_week, &DAY_OF_WEEK)?,
    })
}

fn field(text: &str, bounds: &Bounds) -> Result<Field, CronError> {
    let mut field = Field { bits: 0, any: false };
    for part in text.split(',') {
        let (bits, any) = range(part, bounds)?;
        field.bits |= bits;
        field.any |= any;
    }
    Ok(field)
}

/// One of `*`, `?`, `N`, `N-M`, each with an optional `/STEP`; `N/STEP` runs to the end of the range.
fn range(part: &str, bounds: &Bounds) -> Result<(u64, bool), CronError> {
    let refuse = |message: String| Err(CronError(message));
    let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
    if step.is_some_and(|step| step.contains('/')) {
        return refuse(format!("too many slashes: {part}"));
    }
    let (first, last, any) = if matches!(range, "*" | "?") {
        (bounds.low, bounds.high, true)
    } else {
        let (first, last) = range.split_once('-').map_or((range, None), |(first, last)| (first, Some(last)));
        if last.is_some_and(|last| last.contains('-')) {
            return refuse(format!("too many hyphens: {part}"));
        }
        let first = number(first, bounds)?;
        let open_end = if step.is_some() { bounds.high } else { first };
        (first, last.map_or(Ok(open_end), |last| number(last, bounds))?, false)
    };
    let step = step.map_or(Ok(1), |step| number(step, &Bounds { low: 0, high: 0, names: &[] }))?;
    if first < bounds.low {
        return refuse(format!("beginning of range ({first}) below minimum ({}): {part}", bounds.low));
    }
    if last > bounds.high {
        return refuse(format!("end of range ({last}) above maximum ({}): {part}", bounds.high));
    }
    if first > last {
        return refuse(format!("beginning of range ({first}) beyond end of range ({last}): {part}"));
    }
    if step == 0 {
        return refuse(format!("step of range should be a positive number: {part}"));
    }
    let bits = (first..=last).step_by(step as usize).fold(0, |bits, value| bits | 1 << value);
    Ok((bits, any && step == 1))
}

fn number(text: &str, bounds: &Bounds) -> Result<u32, CronError> {
    let named = bounds.names.iter().position(|name| name.eq_ignore_ascii_case(text));
    let read = named.map(|at| at as u32 + bounds.low).or_else(|| text.parse().ok());
    read.ok_or_else(|| {
        CronError(format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax"))
    })
}
