//! Audit events as lines of a file that is cut into parts of a bounded size, or of the standard output.
//! k8s: `plugin/pkg/audit/log`, with lumberjack's names of parts

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where events go, and how much of them stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// `-`: the standard output.
    pub path: PathBuf,
    /// A file that would grow beyond so many bytes is put aside. 0: the default of 100 MB.
    pub megabytes_max: u64,
    /// Files put aside are deleted after so many days; 0: never.
    pub days_max: u32,
    /// So many files put aside are kept; 0: all.
    pub backups_max: usize,
}

const MEGABYTE: u64 = 1 << 20;
const MEGABYTES_DEFAULT: u64 = 100;
/// In names of files that were put aside.
const TIME_FORM: &str = "%Y-%m-%dT%H-%M-%S%.3f";

pub(super) struct Log {
    options: LogOptions,
    target: Mutex<Target>,
}

enum Target {
    Stdout,
    File { file: File, bytes: u64 },
}

impl Log {
    pub(super) fn open(options: LogOptions) -> io::Result<Self> {
        let target = if options.path == Path::new("-") { Target::Stdout } else { append_to(&options.path)? };
        Ok(Self { options, target: Mutex::new(target) })
    }

    /// Appends a line. It waits for the operating system to take it, and for nothing else.
    pub(super) fn write(&self, line: &[u8], now: Timestamp) -> io::Result<()> {
        let mut target = self.target.lock();
        let megabytes = if self.options.megabytes_max == 0 { MEGABYTES_DEFAULT } else { self.options.megabytes_max };
        if let Target::File { bytes, .. } = &*target
            && *bytes > 0
            && *bytes + line.len() as u64 > megabytes * MEGABYTE
        {
            std::fs::rename(&self.options.path, self.aside(now))?;
            *target = append_to(&self.options.path)?;
            self.forget(now)?;
        }
        match &mut *target {
            Target::Stdout => io::stdout().lock().write_all(line),
            Target::File { file, bytes } => {
                file.write_all(line)?;
                *bytes += line.len() as u64;
                Ok(())
            }
        }
    }

    /// `audit-2026-11-30T06-00-00.000.log` of `audit.log`.
    fn aside(&self, now: Timestamp) -> PathBuf {
        let (stem, end) = self.name();
        self.options.path.with_file_name(format!("{stem}{}{end}", now.strftime(TIME_FORM)))
    }

    /// What names of files that were put aside begin and end with.
    fn name(&self) -> (String, String) {
        let text = |part: Option<&std::ffi::OsStr>| part.map(|it| it.to_string_lossy().into_owned());
        let end = text(self.options.path.extension()).map(|end| format!(".{end}")).unwrap_or_default();
        (format!("{}-", text(self.options.path.file_stem()).unwrap_or_default()), end)
    }

    /// Deletes what is too old or too much.
    fn forget(&self, now: Timestamp) -> io::Result<()> {
        let (stem, end) = self.name();
        let folder = self.options.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut aside: Vec<(Timestamp, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(folder.unwrap_or(Path::new(".")))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let time = name.strip_prefix(&stem).and_then(|rest| rest.strip_suffix(&end));
            let time =
                time.and_then(|time| Timestamp::strptime("%Y-%m-%dT%H-%M-%S%.f %z", format!("{time} +0000")).ok());
            aside.extend(time.map(|time| (time, entry.path())));
        }
        aside.sort_unstable();
        let too_many = match self.options.backups_max {
            0 => 0,
            max => aside.len().saturating_sub(max),
        };
        let age = SignedDuration::from_hours(24 * i64::from(self.options.days_max));
        let is_old = |time: Timestamp| self.options.days_max > 0 && now.duration_since(time) > age;
        for (at, (time, path)) in aside.into_iter().enumerate() {
            if at < too_many || is_old(time) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<Target> {
    use std::os::unix::fs::OpenOptionsExt;
    // Events hold what requests held.
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let bytes = file.metadata()?.len();
    Ok(Target::File { file, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_full_file_is_put_aside_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let options = LogOptions { path: path.clone(), megabytes_max: 1, days_max: 0, backups_max: 2 };
        let log = Log::open(options).unwrap();
        let line = vec![b'x'; 600 << 10];
        for day in 1..=5 {
            log.write(&line, format!("2026-01-0{day}T10:11:12.5Z").parse().unwrap()).unwrap();
        }
        let wanted = ["audit-2026-01-04T10-11-12.500.log", "audit-2026-01-05T10-11-12.500.log", "audit.log"];
        assert_eq!(names(folder.path()), wanted);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 600 << 10);
    }

    #[test]
    fn files_put_aside_go_after_their_days_and_a_file_is_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit");
        let options = LogOptions { path: path.clone(), megabytes_max: 1, days_max: 2, backups_max: 0 };
        let line = vec![b'x'; 600 << 10];
        for time in ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "2026-01-05T00:00:01Z"] {
            Log::open(options.clone()).unwrap().write(&line, time.parse().unwrap()).unwrap();
        }
        assert_eq!(names(folder.path()), ["audit", "audit-2026-01-05T00-00-01.000"]);
    }
}
