//! Reading a container's log for a user: which lines, from where, in what form.

use super::files::rotated;
use super::line;
use jiff::Timestamp;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Read at a time, forwards and backwards.
const BLOCK_BYTES: u64 = 64 << 10;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub follow: bool,
    pub tail_lines: Option<u64>,
    pub since: Option<Timestamp>,
    pub timestamps: bool,
    pub limit_bytes: Option<u64>,
    /// `stdout` or `stderr`; both where absent.
    pub stream: Option<String>,
}

/// Whether the user wants more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    More,
    Enough,
}

/// Turns raw lines into what the user sees.
#[derive(Debug)]
pub struct Filter {
    options: Options,
    left: Option<u64>,
    at_line_start: bool,
}

impl Filter {
    pub fn new(options: Options) -> Self {
        Self { left: options.limit_bytes, options, at_line_start: true }
    }

    /// Appends what is visible of one raw line.
    pub fn take(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Flow {
        let Some(line) = line::parse(raw) else { return Flow::More };
        if self.options.stream.as_deref().is_some_and(|wanted| wanted != line.stream) {
            return Flow::More;
        }
        if let Some(since) = self.options.since
            && line.time.parse::<Timestamp>().is_ok_and(|time| time < since)
        {
            return Flow::More;
        }
        let before = out.len();
        if self.options.timestamps && self.at_line_start {
            out.extend_from_slice(line.time.as_bytes());
            out.push(b' ');
        }
        out.extend_from_slice(line.content);
        if !line.partial {
            out.push(b'\n');
        }
        self.at_line_start = !line.partial;
        if let Some(left) = &mut self.left {
            let added = (out.len() - before) as u64;
            if added >= *left {
                out.truncate(before + *left as usize);
                return Flow::Enough;
            }
            *left -= added;
        }
        Flow::More
    }
}

/// The files to read and where to begin: rotated ones first, the live one last.
pub fn plan(log: &Path, options: &Options) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut files: Vec<PathBuf> = rotated(log);
    files.retain(|f| f.extension().is_none_or(|e| e != "gz" && e != "tmp"));
    files.push(log.to_owned());
    let Some(mut wanted) = options.tail_lines else {
        return Ok(files.into_iter().map(|f| (f, 0)).collect());
    };
    let mut chosen = Vec::new();
    for file in files.into_iter().rev() {
        let (offset, found) = tail_offset(&file, wanted)?;
        chosen.push((file, offset));
        wanted -= found.min(wanted);
        if wanted == 0 {
            break;
        }
    }
    chosen.reverse();
    Ok(chosen)
}

/// Where the last `wanted` lines of a file begin, and how many there are. Parts of one long line count once, and a part
/// at the end of the file is a line whose break never came.
fn tail_offset(path: &Path, wanted: u64) -> io::Result<(u64, u64)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    if wanted == 0 {
        return Ok((length, 0));
    }
    let mut found = 0;
    let mut end = length;
    let mut carry: Vec<u8> = Vec::new();
    // Offset of the start of the earliest line that is wanted so far.
    let mut start = length;
    while end > 0 {
        let from = end.saturating_sub(BLOCK_BYTES);
        let mut block = vec![0; (end - from) as usize];
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut block)?;
        block.extend_from_slice(&carry);
        let mut line_end = block.len();
        // Lines end with a break; the search begins before the last one.
        while let Some(at) = block[..line_end.saturating_sub(1)].iter().rposition(|b| *b == b'\n') {
            let raw = &block[at + 1..line_end];
            if is_end_of_line(raw) || (start == length && line::parse(raw).is_some()) {
                if found == wanted {
                    return Ok((start, found));
                }
                found += 1;
            }
            start = from + at as u64 + 1;
            line_end = at + 1;
        }
        carry = block[..line_end].to_vec();
        end = from;
    }
    if is_end_of_line(&carry) || (start == length && line::parse(&carry).is_some()) {
        if found == wanted {
            return Ok((start, found));
        }
        found += 1;
    }
    Ok((0, found))
}

fn is_end_of_line(raw: &[u8]) -> bool {
    line::parse(raw).is_some_and(|l| !l.partial)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const LOG: &str = "2026-01-01T00:00:01Z stdout F one\n2026-01-01T00:00:02Z stderr P tw\n2026-01-01T00:00:02Z stderr F o\n2026-01-01T00:00:03Z stdout F three\n";

    fn shown(options: Options) -> String {
        let mut filter = Filter::new(options);
        let mut out = Vec::new();
        for raw in LOG.as_bytes().split_inclusive(|b| *b == b'\n') {
            if filter.take(raw, &mut out) == Flow::Enough {
                break;
            }
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_are_chosen_and_cut_as_asked() {
        assert_eq!(shown(Options::default()), "one\ntwo\nthree\n");
        assert_eq!(shown(Options { limit_bytes: Some(6), ..Options::default() }), "one\ntw");
        assert_eq!(shown(Options { stream: Some("stderr".into()), ..Options::default() }), "two\n");
        let since = Some("2026-01-01T00:00:02Z".parse().unwrap());
        assert_eq!(
            shown(Options { since, timestamps: true, ..Options::default() }),
            "2026-01-01T00:00:02Z two\n2026-01-01T00:00:03Z three\n"
        );
    }

    #[test]
    fn output_without_a_last_line_break_is_a_line_of_the_tail() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("0.log");
        fs::write(&log, "2026-01-01T00:00:00Z stdout F one\n2026-01-01T00:00:00Z stdout P DONE\n").unwrap();
        let options = Options { tail_lines: Some(1), ..Options::default() };
        let (path, offset) = plan(&log, &options).unwrap().remove(0);
        assert!(fs::read_to_string(path).unwrap()[offset as usize..].contains("P DONE"));
        assert!(!fs::read_to_string(&log).unwrap()[offset as usize..].contains("F one"));
    }

    #[test]
    fn the_tail_reaches_into_rotated_files_and_keeps_long_lines_whole() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("0.log");
        fs::write(dir.path().join("0.log.20260101-000000"), "2026-01-01T00:00:00Z stdout F zero\n").unwrap();
        fs::write(&log, LOG).unwrap();
        let tail = |n: u64| {
            let files = plan(&log, &Options { tail_lines: Some(n), ..Options::default() }).unwrap();
            let read =
                |(path, offset): &(PathBuf, u64)| fs::read_to_string(path).unwrap()[*offset as usize..].to_owned();
            let text: String = files.iter().map(read).collect();
            let mut out = Vec::new();
            let mut filter = Filter::new(Options::default());
            for raw in text.as_bytes().split_inclusive(|b| *b == b'\n') {
                assert_eq!(filter.take(raw, &mut out), Flow::More);
            }
            String::from_utf8(out).unwrap()
        };
        let want =
            ["", "three\n", "two\nthree\n", "one\ntwo\nthree\n", "zero\none\ntwo\nthree\n", "zero\none\ntwo\nthree\n"];
        for (n, want) in want.iter().enumerate() {
            assert_eq!(tail(n as u64), *want, "{n}");
        }
    }
}
