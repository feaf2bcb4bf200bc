//! Ranges of the node's user ids for pods in user namespaces (`hostUsers: false`): one of 65,536 a pod, never shared, kept
//! in the pod's folder as long as that exists.

use crate::pod::member::{spec, uid};
use crate::pod::sandbox::Places;
use crate::whole_file;
use k8s_openapi::api::core::v1::Pod;
use parking_lot::Mutex;
use proto::cri::{IdMapping, NamespaceMode, UserNamespace};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;

/// k8s: a pod gets so many ids.
const RANGE: u32 = 65_536;
/// The first range is the node's own.
const FIRST: u32 = 1;
/// The last whole range below the ids that the kernel keeps for itself.
const LAST: u32 = 65_534;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("all ranges of user ids are in use")]
    Exhausted,
    #[error("cannot keep the pod's range of user ids in {}", path.display())]
    Keep {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// The ids of a pod that asks for its own; asking again gives the same.
pub fn of(pod: &Pod, places: &Places) -> Result<Option<UserNamespace>, Error> {
    /// Two pods must not choose at the same time.
    static CHOOSING: Mutex<()> = Mutex::new(());
    if spec(pod).host_users != Some(false) {
        return Ok(None);
    }
    let path = places.user_range(uid(pod));
    let _turn = CHOOSING.lock();
    if let Some(range) = read(&path) {
        return Ok(Some(namespace(range)));
    }
    let entries = fs::read_dir(places.pods()).into_iter().flatten().flatten();
    let taken: BTreeSet<u32> = entries.filter_map(|e| read(&e.path().join("user-range"))).collect();
    let range = (FIRST..=LAST).find(|n| !taken.contains(n)).ok_or(Error::Exhausted)?;
    let keep = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        whole_file::write(&path, range.to_string().as_bytes())
    };
    keep().map_err(|source| Error::Keep { path: path.clone(), source })?;
    Ok(Some(namespace(range)))
}

fn read(path: &std::path::Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn namespace(range: u32) -> UserNamespace {
    let ids = vec![IdMapping { host_id: range * RANGE, container_id: 0, length: RANGE }];
    UserNamespace { mode: NamespaceMode::Pod.into(), uids: ids.clone(), gids: ids }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::pod_yaml;

    #[test]
    fn pods_get_ranges_of_their_own_and_keep_them() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places { data_dir: dir.path().into(), log_dir: dir.path().into(), cgroup_root: String::new() };
        let base = |name: &str, spec: &str| {
            let pod = pod_yaml(&format!("metadata: {{uid: {name}}}\nspec: {spec}"));
            of(&pod, &places).unwrap().map(|u| u.uids[0].host_id)
        };
        assert_eq!(base("a", "{}"), None);
        assert_eq!(base("a", "{hostUsers: false}"), Some(65_536));
        assert_eq!(base("b", "{hostUsers: false}"), Some(131_072));
        assert_eq!(base("a", "{hostUsers: false}"), Some(65_536));
        fs::remove_dir_all(places.pod("a")).unwrap();
        assert_eq!(base("c", "{hostUsers: false}"), Some(65_536));
    }
}
