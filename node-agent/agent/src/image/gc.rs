//! Removes images that nothing uses when the disk gets full, the longest unused first. What to remove is decided by
//! [`plan`], which is pure.

use super::ensure::inspect;
use crate::node::Node;
use jiff::Timestamp;
use proto::cri::{Image, ImageFsInfoRequest, ImageSpec, ListContainersRequest, ListImagesRequest, RemoveImageRequest};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// k8s: imageGCHighThresholdPercent and imageGCLowThresholdPercent.
const HIGH_PERCENT: u64 = 85;
const LOW_PERCENT: u64 = 80;
const LOOK_EVERY: Duration = Duration::from_mins(5);
/// A runtime has heard by then that a pull is not wanted any more.
const DROPPED_AFTER: Duration = Duration::from_secs(2);
/// k8s: an image younger than this may be waiting for its pod.
const AGE_MIN: jiff::SignedDuration = jiff::SignedDuration::from_mins(2);

/// How full the disk with the images is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Disk {
    capacity: u64,
    available: u64,
}

pub async fn run(node: Arc<Node>, drain: CancellationToken) {
    let work = async { tokio::join!(watch(&node), settle(&node)) };
    tokio::select! {
        () = drain.cancelled() => {}
        ((), ()) = work => {}
    }
}

async fn watch(node: &Node) {
    let mut used_at: HashMap<String, Timestamp> = HashMap::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if let Err(status) = look(node, &mut used_at).await {
            debug!(said = status.message(), "cannot look at the images");
        }
    }
}

/// Asks for the images of pulls that nobody saw the end of: at first those of an agent that died.
async fn settle(node: &Node) {
    loop {
        forget_unfinished(node).await;
        node.image_records.dropped().await;
        tokio::time::sleep(DROPPED_AFTER).await;
    }
}

async fn forget_unfinished(node: &Node) {
    let ends = node.image_records.ends();
    for image in node.image_records.unfinished() {
        match inspect(&node.cri, &image).await {
            Ok(Some(_)) => {}
            Ok(None) => {
                if let Err(error) = node.image_records.absent(&image, ends).await {
                    warn!(image, %error, "cannot write down that a pull has brought nothing");
                }
            }
            Err(error) => debug!(image, said = error.said(), "cannot ask for the image of an unfinished pull"),
        }
    }
}

async fn look(node: &Node, used_at: &mut HashMap<String, Timestamp>) -> Result<(), tonic::Status> {
    let mut client = node.cri.images();
    forget_unfinished(node).await;
    let ends = node.image_records.ends();
    let images = client.list_images(ListImagesRequest { filter: None }).await?.into_inner().images;
    let present = images.iter().map(|image| image.id.as_str()).collect();
    if let Err(error) = node.image_records.keep(&present, ends).await {
        warn!(%error, "cannot write down which images are gone");
    }
    let in_use = in_use(node).await?;
    let now = node.clock.now();
    used_at.retain(|id, _| images.iter().any(|i| &i.id == id));
    for image in &images {
        let last = used_at.entry(image.id.clone()).or_insert(now);
        if is_used(image, &in_use) {
            *last = now;
        }
    }
    let Some(disk) = disk(node).await? else { return Ok(()) };
    let victims = plan(&images, &in_use, used_at, disk, now);
    for image in &victims {
        let spec = Some(ImageSpec { image: image.id.clone(), ..ImageSpec::default() });
        client.remove_image(RemoveImageRequest { image: spec }).await?;
        info!(image = image.id, bytes = image.size, "unused image removed");
    }
    if excess(disk) > 0 && victims.is_empty() {
        let text = format!(
            "Failed to garbage collect required amount of images. Attempted to free {} bytes, but only found 0 bytes eligible to free.",
            excess(disk)
        );
        warn!(text);
        node.about_node("Warning", "FreeDiskSpaceFailed", text);
    }
    Ok(())
}

/// Removes every image that no container uses, where the disk is needed at once; says how many.
pub async fn remove_unused(node: &Node) -> Result<usize, tonic::Status> {
    let mut client = node.cri.images();
    let images = client.list_images(ListImagesRequest { filter: None }).await?.into_inner().images;
    let in_use = in_use(node).await?;
    let mut removed = 0;
    for image in images.iter().filter(|i| !is_used(i, &in_use)) {
        let spec = Some(ImageSpec { image: image.id.clone(), ..ImageSpec::default() });
        client.remove_image(RemoveImageRequest { image: spec }).await?;
        info!(image = image.id, bytes = image.size, "unused image removed");
        removed += 1;
    }
    Ok(removed)
}

async fn in_use(node: &Node) -> Result<HashSet<String>, tonic::Status> {
    let containers =
        node.cri.runtime().list_containers(ListContainersRequest { filter: None }).await?.into_inner().containers;
    Ok(containers.into_iter().flat_map(|c| [c.image_ref, c.image_id, c.image.unwrap_or_default().image]).collect())
}

async fn disk(node: &Node) -> Result<Option<Disk>, tonic::Status> {
    let info = node.cri.images().image_fs_info(ImageFsInfoRequest {}).await?.into_inner();
    let first = info.image_filesystems.into_iter().next();
    let Some(mountpoint) = first.and_then(|f| f.fs_id).map(|id| id.mountpoint) else { return Ok(None) };
    let found = rustix::fs::statvfs(Path::new(&mountpoint)).ok();
    // Blocks that nobody may use are not a part of the disk.
    let usable = |s: &rustix::fs::StatVfs| (s.f_blocks - s.f_bfree + s.f_bavail) * s.f_frsize;
    Ok(found.map(|s| Disk { capacity: usable(&s), available: s.f_bavail * s.f_frsize }))
}

/// Bytes to free so that the disk is at the low threshold; none below the high one.
fn excess(disk: Disk) -> u64 {
    let used = disk.capacity - disk.available.min(disk.capacity);
    if used * 100 < disk.capacity * HIGH_PERCENT { 0 } else { used - disk.capacity / 100 * LOW_PERCENT }
}

fn is_used(image: &Image, in_use: &HashSet<String>) -> bool {
    let names = image.repo_tags.iter().chain(&image.repo_digests).chain([&image.id]);
    image.pinned || names.into_iter().any(|n| in_use.contains(n))
}

fn plan<'a>(
    images: &'a [Image],
    in_use: &HashSet<String>,
    used_at: &HashMap<String, Timestamp>,
    disk: Disk,
    now: Timestamp,
) -> Vec<&'a Image> {
    let last = |image: &Image| used_at.get(&image.id).copied().unwrap_or(now);
    let old = |image: &&Image| now.duration_since(last(image)) >= AGE_MIN;
    let mut unused: Vec<&Image> = images.iter().filter(|i| !is_used(i, in_use)).filter(old).collect();
    unused.sort_by_key(|i| last(i));
    let mut left = excess(disk);
    let enough = |image: &&Image| {
        let take = left > 0;
        left = left.saturating_sub(image.size);
        take
    };
    unused.into_iter().take_while(enough).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::at;

    #[test]
    fn the_longest_unused_images_go_until_there_is_room() {
        let image = |id: &str| Image { id: id.to_owned(), size: 10, ..Image::default() };
        let images = [image("used"), image("old"), image("older"), image("new"), image("oldest")];
        let used_at = [("used", 0), ("old", 300), ("older", 200), ("new", 990), ("oldest", 100)]
            .map(|(id, s)| (id.to_owned(), at(s)))
            .into();
        let in_use = HashSet::from(["used".to_owned()]);
        let victims = |available| {
            let disk = Disk { capacity: 100, available };
            plan(&images, &in_use, &used_at, disk, at(1000)).into_iter().map(|i| i.id.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(victims(16), Vec::<&str>::new());
        assert_eq!(victims(10), ["oldest"]);
        assert_eq!(victims(5), ["oldest", "older"]);
        assert_eq!(victims(0), ["oldest", "older"]);
    }
}
