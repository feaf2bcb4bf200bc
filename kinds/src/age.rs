//! Ages as kubectl prints them: at most two units, coarser as they grow (`5m12s`, `3d4h`, `2y10d`).

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// The cell for something that began at a Unix second, or never (`<unknown>`).
pub fn since(began_unix_secs: Option<i64>, now_unix_secs: i64) -> String {
    match began_unix_secs {
        Some(began) => human(now_unix_secs - began),
        None => "<unknown>".to_owned(),
    }
}

/// A duration in seconds, for a person.
/// k8s: apimachinery util/duration `HumanDuration`: a clock up to two seconds ahead counts as zero, more is invalid
pub fn human(secs: i64) -> String {
    match secs {
        ..=-2 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{secs}s"),
        120..600 => pair(secs / MINUTE, "m", secs % MINUTE, "s"),
        600..10_800 => format!("{}m", secs / MINUTE),
        10_800..28_800 => pair(secs / HOUR, "h", secs % HOUR / MINUTE, "m"),
        28_800..172_800 => format!("{}h", secs / HOUR),
        172_800..691_200 => pair(secs / DAY, "d", secs % DAY / HOUR, "h"),
        691_200..63_072_000 => format!("{}d", secs / DAY),
        63_072_000..252_288_000 => pair(secs / YEAR, "y", secs % YEAR / DAY, "d"),
        _ => format!("{}y", secs / YEAR),
    }
}

/// `5m12s`, or `5m` where the second unit is zero.
fn pair(large: i64, large_unit: &str, small: i64, small_unit: &str) -> String {
    if small == 0 { format!("{large}{large_unit}") } else { format!("{large}{large_unit}{small}{small_unit}") }
}
