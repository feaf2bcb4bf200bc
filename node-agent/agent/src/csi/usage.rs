//! What a storage driver says that a published volume holds.

use super::record;
use super::volume::{abilities, blocking, said};
use super::{Error, client};
use crate::node::Node;
use crate::volume::usage::Usage;
use proto::csi::NodeGetVolumeStatsRequest;
use proto::csi::volume_usage::Unit;
use std::path::{Path, PathBuf};

/// Whether a driver, or the file system, counts what is at a path.
pub enum Counted {
    ByDriver(Option<Usage>),
    ByFileSystem,
}

/// Of a volume of a pod that is at `path`.
pub async fn usage(node: &Node, pod_uid: &str, path: &Path) -> Result<Counted, Error> {
    let (places, of, at) = (node.places.clone(), pod_uid.to_owned(), PathBuf::from(path));
    let find = move || {
        let all = record::of_pod(&places, &of).into_iter().map(|record| (record.spots(&places, &of), record));
        Ok(all.into_iter().find(|(spots, _)| spots.target == at))
    };
    let Some((spots, record)) = blocking(find).await? else { return Ok(Counted::ByFileSystem) };
    let driver = node.drivers.get(&record.driver_name)?;
    if !abilities(&driver, &record.driver_name).await?.stats {
        return Ok(Counted::ByDriver(None));
    }
    let staging = if record.staged { spots.staging.to_string_lossy().into_owned() } else { String::new() };
    let request = NodeGetVolumeStatsRequest {
        volume_id: record.volume_handle.clone(),
        volume_path: spots.target.to_string_lossy().into_owned(),
        staging_target_path: staging,
    };
    let answer = client(&driver).node_get_volume_stats(request).await;
    let answer = answer.map_err(said(&record.driver_name, "NodeGetVolumeStats"))?.into_inner();
    let mut found = Usage::default();
    // k8s: what is less than nothing was not counted
    let count = |number: i64| u64::try_from(number).ok();
    for one in &answer.usage {
        match one.unit() {
            Unit::Bytes => {
                found.capacity_bytes = count(one.total);
                found.available_bytes = count(one.available);
                found.used_bytes = count(one.used);
            }
            Unit::Inodes => {
                found.inodes = count(one.total);
                found.inodes_free = count(one.available);
                found.inodes_used = count(one.used);
            }
            Unit::Unknown => {}
        }
    }
    Ok(Counted::ByDriver(Some(found)))
}
