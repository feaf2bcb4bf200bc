//! A line of a CRI log: `2026-01-01T00:00:00.000000000Z stdout F text`.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    pub time: &'a str,
    pub stream: &'a str,
    /// More of the same line follows.
    pub partial: bool,
    /// Without the line break.
    pub content: &'a [u8],
}

/// `None` for a line that is not complete, or not one of ours.
pub fn parse(raw: &[u8]) -> Option<Line<'_>> {
    let raw = raw.strip_suffix(b"\n")?;
    let mut parts = raw.splitn(4, |b| *b == b' ');
    let time = std::str::from_utf8(parts.next()?).ok()?;
    let stream = std::str::from_utf8(parts.next()?).ok()?;
    let tag = parts.next()?;
    let content = parts.next().unwrap_or_default();
    let known = matches!(stream, "stdout" | "stderr") && time.len() >= 20;
    known.then_some(Line { time, stream, partial: tag.first() == Some(&b'P'), content })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_their_prefix() {
        let line = parse(b"2026-01-01T00:00:00.1Z stderr P a b \n").unwrap();
        assert_eq!((line.stream, line.partial, line.content), ("stderr", true, &b"a b "[..]));
        assert_eq!(parse(b"2026-01-01T00:00:00.1Z stdout F\n").unwrap().content, b"");
        assert_eq!(parse(b"2026-01-01T00:00:00.1Z stdout F cut"), None);
        assert_eq!(parse(b"garbage\n"), None);
    }
}
