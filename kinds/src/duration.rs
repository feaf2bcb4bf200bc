//! Durations as Go writes them, in CEL and in query parameters.

use jiff::SignedDuration;

/// Go's `time.ParseDuration`: `1h30m`.
pub fn parse(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut nanos: f64 = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let units = [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 6e10), ("h", 3.6e12)];
        let (unit, factor) = units.into_iter().find(|(unit, _)| {
            let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
            rest[..letters] == **unit
        })?;
        nanos += number * factor;
        rest = &rest[unit.len()..];
    }
    let nanos = if negative { -nanos } else { nanos };
    (nanos.abs() < i64::MAX as f64).then(|| SignedDuration::from_nanos(nanos as i64))
}

/// As Go writes a duration, in milliseconds: `15.02s`, `1m0.5s`.
pub fn written(duration: SignedDuration) -> String {
    if duration.is_negative() {
        return format!("-{}", written(duration.saturating_mul(-1)));
    }
    let millis = duration.as_millis();
    let (minutes, millis) = (millis / 60_000, millis % 60_000);
    let seconds = match millis % 1000 {
        0 => format!("{}s", millis / 1000),
        part => format!("{}.{}s", millis / 1000, format!("{part:03}").trim_end_matches('0')),
    };
    match (minutes / 60, minutes % 60) {
        (0, 0) if (1..1000).contains(&millis) => format!("{millis}ms"),
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_does() {
        for (millis, text) in [
            (0, "0s"),
            (500, "500ms"),
            (15_000, "15s"),
            (15_020, "15.02s"),
            (60_500, "1m0.5s"),
            (3_600_000, "1h0m0s"),
            (-5, "-5ms"),
        ] {
            assert_eq!(written(SignedDuration::from_millis(millis)), text);
        }
    }

    #[test]
    fn durations_are_numbers_with_units() {
        let millis = |text| parse(text).map(|it| it.as_millis());
        for (text, wanted) in [
            ("0", Some(0)),
            ("30s", Some(30_000)),
            ("1h2m", Some(3_720_000)),
            ("-1.5s", Some(-1500)),
            ("10", None),
            ("", None),
            ("soon", None),
        ] {
            assert_eq!(millis(text), wanted, "{text}");
        }
    }
}
