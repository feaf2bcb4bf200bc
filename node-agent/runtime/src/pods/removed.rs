//! Folders of what has been removed. Taking a container's folder apart costs some milliseconds on a disk, and nobody has to
//! wait for that: it is set aside with one rename, and taken apart in the background, by the next runtime if need be.

use super::{PodError, doing};
use crate::image::remove_tree;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Folders that may wait. Whoever removes more than the disk follows takes them apart himself.
const WAITING_MAX: usize = 256;
/// Folders that are taken apart in one go.
const BATCH: usize = 16;

#[derive(Debug)]
pub(super) struct Removed {
    /// On the file system of the pods' folders.
    folder: PathBuf,
    waiting: mpsc::Sender<PathBuf>,
}

impl Removed {
    /// Begins with what an earlier run has left. Once `closing`, what waits is finished and nothing else.
    pub(super) fn open(folder: PathBuf, tasks: &TaskTracker, closing: CancellationToken) -> Result<Self, PodError> {
        fs::create_dir_all(&folder).map_err(doing("open the folder of what was removed"))?;
        let left = fs::read_dir(&folder).map_err(doing("read the folder of what was removed"))?;
        let left: Vec<PathBuf> = left.flatten().map(|entry| entry.path()).collect();
        let (waiting, work) = mpsc::channel(WAITING_MAX);
        tasks.spawn(take_apart(left, work, closing));
        Ok(Self { folder, waiting })
    }

    /// The folder is not where it was when this returns. What is not there is removed already. Blocking.
    pub(super) fn set_aside(&self, dir: &Path) -> io::Result<()> {
        let Some(name) = dir.file_name() else { return remove_tree(dir) };
        let aside = self.folder.join(name);
        match fs::rename(dir, &aside) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(_) => return remove_tree(dir),
        }
        match self.waiting.try_send(aside) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(aside) | mpsc::error::TrySendError::Closed(aside)) => {
                remove_tree(&aside)
            }
        }
    }
}

async fn take_apart(left: Vec<PathBuf>, mut work: mpsc::Receiver<PathBuf>, closing: CancellationToken) {
    let mut batch = left;
    loop {
        if !batch.is_empty() {
            let taken = std::mem::take(&mut batch);
            tokio::task::spawn_blocking(move || taken.iter().for_each(|dir| remove(dir)))
                .await
                .expect("removing folders does not panic");
        }
        tokio::select! {
            biased;
            count = work.recv_many(&mut batch, BATCH) => if count == 0 { return },
            () = closing.cancelled() => return,
        }
    }
}

fn remove(dir: &Path) {
    if let Err(error) = remove_tree(dir) {
        tracing::warn!(dir = %dir.display(), %error, "a removed folder is left to the next start");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(root: &Path, name: &str) -> PathBuf {
        let dir = root.join(name);
        fs::create_dir_all(dir.join("upper/etc")).unwrap();
        fs::write(dir.join("upper/etc/hosts"), "").unwrap();
        dir
    }

    fn count(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[tokio::test]
    async fn what_is_removed_is_gone_at_once_and_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let (folder, tasks, closing) = (root.path().join("removed"), TaskTracker::new(), CancellationToken::new());
        made(&folder, "of an earlier run");
        let removed = Removed::open(folder.clone(), &tasks, closing.clone()).unwrap();
        let dirs: Vec<PathBuf> = (0..WAITING_MAX + 9).map(|n| made(root.path(), &format!("c{n}"))).collect();
        // The one that works in the background has no turn meanwhile: the last ones do not wait for it.
        for dir in &dirs {
            removed.set_aside(dir).unwrap();
            assert!(!dir.exists());
        }
        assert_eq!(count(&folder), WAITING_MAX + 1);
        removed.set_aside(&dirs[0]).unwrap();
        closing.cancel();
        tasks.close();
        tasks.wait().await;
        assert_eq!(count(&folder), 0);
        let late = made(root.path(), "late");
        removed.set_aside(&late).unwrap();
        assert!(!late.exists() && count(&folder) == 0);
    }
}
