//! Keeps container logs from filling the disk: a log that has grown too large is moved aside, the runtime goes on in a
//! new file, and the oldest ones go.

use super::files;
use crate::node::Node;
use crate::pod::label;
use jiff::Timestamp;
use proto::cri::{
    Container, ContainerFilter, ContainerState, ContainerStateValue, ListContainersRequest, ReopenContainerLogRequest,
};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// k8s: containerLogMaxSize, containerLogMaxFiles (the live one included) and how often they are looked at.
const SIZE_MAX: u64 = 10 << 20;
const FILES_MAX: usize = 5;
const LOOK_EVERY: Duration = Duration::from_secs(10);

pub async fn run(node: Arc<Node>, drain: CancellationToken) {
    loop {
        tokio::select! {
            () = drain.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if let Err(status) = look(&node).await {
            debug!(said = status.message(), "cannot look at the container logs");
        }
    }
}

async fn look(node: &Node) -> Result<(), tonic::Status> {
    let state = Some(ContainerStateValue { state: ContainerState::ContainerRunning.into() });
    let filter = Some(ContainerFilter { state, ..ContainerFilter::default() });
    let listed = node.cri.runtime().list_containers(ListContainersRequest { filter }).await?;
    for container in listed.into_inner().containers {
        let Some(log) = log_of(node, &container) else { continue };
        let large = tokio::fs::metadata(&log).await.is_ok_and(|m| m.len() > SIZE_MAX);
        if large && let Err(error) = rotate(node, &container.id, &log).await {
            warn!(log = %log.display(), %error, "cannot rotate a log");
        }
    }
    Ok(())
}

fn log_of(node: &Node, container: &Container) -> Option<PathBuf> {
    let read = |name: &str| container.labels.get(name);
    let attempt = container.annotations.get(label::RESTART_COUNT)?;
    let pod = format!("{}_{}_{}", read(label::POD_NAMESPACE)?, read(label::POD_NAME)?, read(label::POD_UID)?);
    Some(node.places.log_dir.join(pod).join(read(label::CONTAINER_NAME)?).join(format!("{attempt}.log")))
}

async fn rotate(node: &Node, id: &str, log: &Path) -> io::Result<()> {
    let aside = name_aside(log, node.clock.now());
    tokio::fs::rename(log, &aside).await?;
    let reopened =
        node.cri.runtime().reopen_container_log(ReopenContainerLogRequest { container_id: id.to_owned() }).await;
    if let Err(status) = reopened {
        // The runtime still writes to the old file: it gets its name back.
        tokio::fs::rename(&aside, log).await?;
        return Err(io::Error::other(status.message().to_owned()));
    }
    for old in surplus(files::rotated(log)) {
        tokio::fs::remove_file(old).await?;
    }
    Ok(())
}

/// `0.log.20260101-000000`, which sorts by time.
fn name_aside(log: &Path, now: Timestamp) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(format!(".{}", now.strftime("%Y%m%d-%H%M%S")));
    PathBuf::from(name)
}

/// The rotated files that are too many, oldest first.
fn surplus(mut rotated: Vec<PathBuf>) -> Vec<PathBuf> {
    let keep = rotated.len().min(FILES_MAX - 1);
    rotated.truncate(rotated.len() - keep);
    rotated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_rotated_files_are_surplus() {
        let files = |n: std::ops::Range<i32>| n.map(|n| PathBuf::from(format!("0.log.{n}"))).collect::<Vec<_>>();
        assert_eq!(surplus(files(0..6)), files(0..2));
        assert_eq!(surplus(files(0..4)), files(0..0));
    }

    #[test]
    fn names_of_rotated_files_sort_by_time() {
        let at = |s| name_aside(Path::new("/l/0.log"), Timestamp::from_second(s).unwrap());
        assert_eq!(at(0), Path::new("/l/0.log.19700101-000000"));
        assert!(at(59) < at(3600));
    }
}
