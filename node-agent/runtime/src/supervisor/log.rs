//! Container logs as the node's tools read them: `<time> <stream> <F|P> <line>`, one line an entry, long lines cut into
//! parts of which only the last is marked F. Output that ends without a line break is such a part.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A line longer than this is written in parts, so that a program that never ends its line cannot hold memory.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// Entries gathered before they are written.
const WRITE_BYTES: usize = 32 * 1024;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn name(self) -> &'static [u8] {
        match self {
            Stream::Stdout => b"stdout",
            Stream::Stderr => b"stderr",
        }
    }
}

/// A container's log file. A disk that is full loses lines, never stops the container.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: Option<File>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Log {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: Some(create(path)?), stdout: Vec::new(), stderr: Vec::new() })
    }

    /// Goes on in a new file under the old name.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        self.file = Some(create(&self.path)?);
        Ok(())
    }

    /// Takes what a program wrote at `now_ns`; an unfinished line waits for its end.
    pub(super) fn write(&mut self, stream: Stream, bytes: &[u8], now_ns: i64) -> io::Result<()> {
        let waiting = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let entries = format(stream, waiting, bytes, now_ns);
        self.put(&entries)
    }

    /// Writes what waits for a line's end that will not come: a part, so that readers show it without a line break.
    pub(super) fn finish(&mut self, now_ns: i64) -> io::Result<()> {
        let mut entries = Vec::new();
        for (stream, waiting) in [(Stream::Stdout, &mut self.stdout), (Stream::Stderr, &mut self.stderr)] {
            if !waiting.is_empty() {
                entry(&mut entries, stream, now_ns, b'P', waiting);
                *waiting = Vec::new();
            }
        }
        self.put(&entries)
    }

    fn put(&mut self, entries: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        entries.chunks(WRITE_BYTES).try_for_each(|chunk| file.write_all(chunk))
    }
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // A link in the log folder must not make root write somewhere else.
    OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// The entries that `bytes` complete, with `waiting` the start of the line; what is left of it afterwards waits again.
fn format(stream: Stream, waiting: &mut Vec<u8>, bytes: &[u8], now_ns: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 64);
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|b| *b == b'\n') {
        waiting.extend_from_slice(&rest[..end]);
        rest = &rest[end + 1..];
        cut(&mut out, stream, waiting, now_ns);
        entry(&mut out, stream, now_ns, b'F', waiting);
        waiting.clear();
    }
    waiting.extend_from_slice(rest);
    cut(&mut out, stream, waiting, now_ns);
    if waiting.is_empty() {
        // A quiet stream holds no memory.
        *waiting = Vec::new();
    }
    out
}

/// Writes full parts of a line that is too long.
fn cut(out: &mut Vec<u8>, stream: Stream, waiting: &mut Vec<u8>, now_ns: i64) {
    while waiting.len() > LINE_BYTES_MAX {
        let rest = waiting.split_off(LINE_BYTES_MAX);
        entry(out, stream, now_ns, b'P', waiting);
        *waiting = rest;
    }
}

fn entry(out: &mut Vec<u8>, stream: Stream, now_ns: i64, tag: u8, line: &[u8]) {
    out.extend_from_slice(rfc3339(now_ns).as_bytes());
    out.push(b' ');
    out.extend_from_slice(stream.name());
    out.extend_from_slice(&[b' ', tag, b' ']);
    out.extend_from_slice(line);
    out.push(b'\n');
}

/// `2026-11-20T12:00:00.123456789Z`, from nanoseconds since the epoch.
fn rfc3339(ns: i64) -> String {
    let (seconds, nanos) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Civil date from a day count, by eras of 400 years that begin in March.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_nine_digits() {
        for (ns, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
            (1_795_176_001_120_000_000, "2026-11-20T12:00:01.120000000Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
        ] {
            assert_eq!(rfc3339(ns), text);
        }
    }

    fn lines(waiting: &mut Vec<u8>, bytes: &[u8]) -> Vec<String> {
        let out = String::from_utf8(format(Stream::Stdout, waiting, bytes, 0)).unwrap();
        out.lines().map(|l| l.strip_prefix("1970-01-01T00:00:00.000000000Z stdout ").unwrap().to_owned()).collect()
    }

    #[test]
    fn a_line_is_written_when_it_ends() {
        let mut waiting = Vec::new();
        assert_eq!(lines(&mut waiting, b"one\ntw"), ["F one"]);
        assert_eq!(lines(&mut waiting, b"o\n\nthree\n"), ["F two", "F ", "F three"]);
        assert!(waiting.is_empty());
    }

    #[test]
    fn a_long_line_is_written_in_parts() {
        let mut waiting = Vec::new();
        let found = lines(&mut waiting, &vec![b'x'; LINE_BYTES_MAX * 2 + 1]);
        assert_eq!(
            found.iter().map(|l| (&l[..1], l.len() - 2)).collect::<Vec<_>>(),
            [("P", LINE_BYTES_MAX), ("P", LINE_BYTES_MAX)]
        );
        assert_eq!(lines(&mut waiting, b"y\n"), ["F xy"]);
    }
}
