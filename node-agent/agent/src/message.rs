//! The last words of a container: the file it wrote them to, or the end of its log where the pod asks for that.

use crate::pod::member::Member;
use crate::pod::observed::Record;
use crate::pod::sandbox::Places;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// k8s: longer messages are cut.
const MESSAGE_BYTES_MAX: u64 = 4096;
/// k8s: what the messages of all containers of a pod may take together.
const MESSAGES_OF_POD_BYTES_MAX: usize = 12 << 10;
/// k8s: how much of the log stands in for a message.
const LOG_BYTES_MAX: u64 = 2048;
const LOG_LINES_MAX: usize = 80;

pub fn read(places: &Places, uid: &str, record: &Record, member: Option<&Member<'_>>) -> Option<String> {
    let path = places.message_file(uid, &record.name, record.attempt);
    if let Some(text) = head(&path).filter(|t| !t.is_empty()) {
        return Some(text);
    }
    let policy = member.and_then(|m| m.spec.termination_message_policy.as_deref());
    if policy == Some("FallbackToLogsOnError") && record.exit_code != 0 {
        return tail(Path::new(&record.log_path));
    }
    None
}

/// Cuts a message to what one of so many containers may leave behind.
pub fn cut_to_share(message: &mut String, containers: usize) {
    let mut end = (MESSAGES_OF_POD_BYTES_MAX / containers.max(1)).min(message.len());
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.truncate(end);
}

fn head(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MESSAGE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last lines of a CRI log, without their prefixes.
fn tail(path: &Path) -> Option<String> {
    // A log line carries a prefix of about 45 bytes, and every byte may be a line of its own.
    const READ_MAX: u64 = LOG_BYTES_MAX * 48;
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(READ_MAX))).ok()?;
    let mut bytes = Vec::new();
    file.take(READ_MAX).read_to_end(&mut bytes).ok()?;
    let mut text = String::new();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
    let mut kept: Vec<String> = lines
        .iter()
        .filter_map(|line| crate::log::line::parse(line))
        .map(|line| String::from_utf8_lossy(line.content).into_owned() + if line.partial { "" } else { "\n" })
        .collect();
    let from = kept.len().saturating_sub(LOG_LINES_MAX);
    for line in kept.drain(from..) {
        text.push_str(&line);
    }
    let mut cut = text.len().saturating_sub(LOG_BYTES_MAX as usize);
    while !text.is_char_boundary(cut) {
        cut += 1;
    }
    Some(text.split_off(cut))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::{pod_yaml, record};
    use crate::pod::member::members;
    use std::fs;

    #[test]
    fn the_file_comes_first_and_the_log_stands_in_on_errors() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places { data_dir: dir.path().into(), log_dir: dir.path().into(), cgroup_root: String::new() };
        let pod = pod_yaml("spec: {containers: [{name: a, terminationMessagePolicy: FallbackToLogsOnError}]}");
        let member = &members(&pod)[0];
        let mut record = record("a#0 exited 1");
        let log = dir.path().join("0.log");
        fs::write(
            &log,
            "2026-01-01T00:00:00Z stderr F one\n2026-01-01T00:00:00Z stderr P tw\n2026-01-01T00:00:00Z stderr F o\n",
        )
        .unwrap();
        record.log_path = log.to_string_lossy().into_owned();
        let words = |record: &_| read(&places, "uid-1", record, Some(member));
        assert_eq!(words(&record).unwrap(), "one\ntwo\n");
        let file = places.message_file("uid-1", "a", 0);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "x".repeat(5000)).unwrap();
        assert_eq!(words(&record).unwrap().len(), 4096);
        let mut of_many = words(&record).unwrap();
        cut_to_share(&mut of_many, 6);
        assert_eq!(of_many.len(), 2048);
        fs::remove_file(&file).unwrap();
        record.exit_code = 0;
        assert_eq!(words(&record), None);
    }
}
