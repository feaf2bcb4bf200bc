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

#[cfg(test)]
mod tests {
    use super::*;

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
