//! A log as a stream of bytes: what is there, and with `follow` what comes, across rotation, until the container ends.
//! New lines are noticed through inotify on the log's folder.

use super::read::{Filter, Flow, Options, plan};
use bytes::Bytes;
use futures::Stream;
use rustix::fs::inotify;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::fs::File;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncBufReadExt, AsyncSeekExt, BufReader};

/// Sent to the client at once when this much has been read.
const CHUNK_BYTES: usize = 32 << 10;
/// At the end of the log the container is asked this often whether it still runs.
const ALIVE_EVERY: Duration = Duration::from_secs(1);
/// A CRI log line has at most 16 KiB of content; a line beyond this is not one and is dropped.
const LINE_BYTES_MAX: usize = 64 << 10;

struct Reader<A> {
    log: PathBuf,
    files: VecDeque<(PathBuf, u64)>,
    current: Option<BufReader<File>>,
    inode: u64,
    filter: Filter,
    follow: bool,
    notify: Option<AsyncFd<OwnedFd>>,
    alive: A,
    raw: Vec<u8>,
    ended: bool,
}

/// `alive` says whether the container still writes.
pub fn stream<A, F>(
    log: &Path,
    options: Options,
    alive: A,
) -> io::Result<impl Stream<Item = io::Result<Bytes>> + use<A, F>>
where
    A: FnMut() -> F + Send,
    F: Future<Output = bool> + Send,
{
    let follow = options.follow;
    let notify = if follow { Some(watch(log)?) } else { None }; // before reading: nothing falls between
    let reader = Reader {
        log: log.to_owned(),
        files: plan(log, &options)?.into(),
        current: None,
        inode: 0,
        filter: Filter::new(options),
        follow,
        notify,
        alive,
        raw: Vec::new(),
        ended: false,
    };
    Ok(futures::stream::unfold(reader, |mut reader| async move {
        match reader.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), reader)),
            Ok(None) => None,
            Err(error) => {
                reader.ended = true;
                Some((Err(error), reader))
            }
        }
    }))
}

fn watch(log: &Path) -> io::Result<AsyncFd<OwnedFd>> {
    let fd = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
    let dir = log.parent().unwrap_or(log);
    let events = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO;
    inotify::add_watch(&fd, dir, events)?;
    #[expect(
        deprecated,
        reason = "the AsyncFd owns the descriptor, which is what its replacement makes the caller promise"
    )]
    AsyncFd::new(fd)
}

impl<A, F> Reader<A>
where
    A: FnMut() -> F + Send,
    F: Future<Output = bool> + Send,
{
    /// The next bytes for the client; `None` at the end.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        let mut out = Vec::new();
        let mut last_round = false;
        loop {
            let flow = self.fill(&mut out).await?;
            if flow == Flow::Enough {
                self.ended = true;
            }
            if self.ended || out.len() >= CHUNK_BYTES {
                return Ok(Some(Bytes::from(out)));
            }
            // Everything that is there has been read.
            if self.open_next().await? {
                continue;
            }
            if !out.is_empty() {
                return Ok(Some(Bytes::from(out)));
            }
            if !self.follow || last_round {
                return Ok(None);
            }
            self.wait().await?;
            if self.rotated().await {
                self.files.push_back((self.log.clone(), 0));
            } else {
                last_round = !(self.alive)().await;
            }
        }
    }

    /// Reads complete lines until the end of the file or a full chunk.
    async fn fill(&mut self, out: &mut Vec<u8>) -> io::Result<Flow> {
        let Some(file) = &mut self.current else { return Ok(Flow::More) };
        while out.len() < CHUNK_BYTES {
            let read = file.read_until(b'\n', &mut self.raw).await?;
            if read == 0 {
                return Ok(Flow::More);
            }
            if self.raw.last() != Some(&b'\n') {
                if self.raw.len() > LINE_BYTES_MAX {
                    self.raw.clear();
                }
                continue; // the rest of the line is still to come; kept in `raw`
            }
            let flow = self.filter.take(&self.raw, out);
            self.raw.clear();
            if flow == Flow::Enough {
                return Ok(flow);
            }
        }
        Ok(Flow::More)
    }

    async fn open_next(&mut self) -> io::Result<bool> {
        let Some((path, offset)) = self.files.pop_front() else { return Ok(false) };
        let mut file = match File::open(&path).await {
            Ok(file) => file,
            // Rotated away or removed between the plan and now.
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(e) => return Err(e),
        };
        self.inode = file.metadata().await?.ino();
        file.seek(io::SeekFrom::Start(offset)).await?;
        self.raw.clear();
        self.current = Some(BufReader::new(file));
        Ok(true)
    }

    /// Whether the name now stands for another file than the one that was read to its end.
    async fn rotated(&self) -> bool {
        tokio::fs::metadata(&self.log).await.is_ok_and(|m| m.ino() != self.inode)
    }

    async fn wait(&self) -> io::Result<()> {
        let Some(notify) = &self.notify else { return Ok(()) };
        let mut ready = tokio::select! {
            ready = notify.readable() => ready?,
            () = tokio::time::sleep(ALIVE_EVERY) => return Ok(()),
        };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(notify.get_ref(), &mut buffer);
        while events.next().is_ok() {}
        ready.clear_ready();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;
    use std::fs;
    use std::io::Write;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn row(text: &str) -> String {
        format!("2026-01-01T00:00:00Z stdout F {text}\n")
    }

    #[tokio::test]
    async fn a_followed_log_continues_across_rotation_until_the_container_ends() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("0.log");
        fs::write(&log, row("one")).unwrap();
        let running = Arc::new(AtomicBool::new(true));
        let options = Options { follow: true, ..Options::default() };
        let flag = Arc::clone(&running);
        let alive = move || std::future::ready(flag.load(Ordering::SeqCst));
        let mut lines = std::pin::pin!(stream(&log, options, alive).unwrap());
        assert_eq!(lines.next().await.unwrap().unwrap(), "one\n");
        fs::OpenOptions::new().append(true).open(&log).unwrap().write_all(row("two").as_bytes()).unwrap();
        assert_eq!(lines.next().await.unwrap().unwrap(), "two\n");
        fs::rename(&log, dir.path().join("0.log.20260101-000000")).unwrap();
        fs::write(&log, row("three")).unwrap();
        assert_eq!(lines.next().await.unwrap().unwrap(), "three\n");
        running.store(false, Ordering::SeqCst);
        assert!(lines.next().await.is_none());
    }

    #[tokio::test]
    async fn without_follow_the_log_ends_where_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("0.log");
        fs::write(&log, row("one") + &row("two")).unwrap();
        let all: Vec<_> = stream(&log, Options::default(), || std::future::ready(true)).unwrap().collect().await;
        let text: Vec<u8> = all.into_iter().flat_map(|b| b.unwrap().to_vec()).collect();
        assert_eq!(String::from_utf8(text).unwrap(), "one\ntwo\n");
    }
}
