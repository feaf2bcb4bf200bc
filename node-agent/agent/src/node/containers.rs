//! How many containers started and ended, by what they were and how they ended, for `/metrics`.

use crate::pod::member::Role;
use k8s_openapi::api::core::v1::{ContainerStatus, PodStatus};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};

/// Ways to end that are told apart. Exit codes and the node's own reasons are fewer; a runtime may invent some.
const ENDS_MAX: usize = 1024;

/// A way to end. k8s: the labels of `kubelet_terminated_containers_total`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    pub container_type: &'static str,
    pub exit_code: i32,
    pub reason: String,
}

#[derive(Debug, Default)]
pub struct Containers {
    started: Mutex<BTreeMap<&'static str, u64>>,
    ended: Mutex<BTreeMap<End, u64>>,
}

impl Containers {
    pub fn count_start(&self, role: Role) {
        *self.started.lock().entry(type_of(role)).or_default() += 1;
    }

    /// Counts what has ended in `new` and neither in `old` nor among `counted`, which becomes what has ended in `new`.
    pub fn count_ends(&self, old: &PodStatus, new: &PodStatus, counted: &mut BTreeSet<String>) {
        let known: BTreeSet<String> = ends(old).map(|(id, _)| id).collect();
        let mut shown = BTreeSet::new();
        for (id, end) in ends(new) {
            if !known.contains(&id) && !counted.contains(&id) && shown.insert(id.clone()) {
                let mut ended = self.ended.lock();
                if ended.len() < ENDS_MAX || ended.contains_key(&end) {
                    *ended.entry(end).or_default() += 1;
                }
            }
            shown.insert(id);
        }
        *counted = shown;
    }

    pub fn each_started(&self, mut show: impl FnMut(&'static str, u64)) {
        self.started.lock().iter().for_each(|(container_type, count)| show(container_type, *count));
    }

    pub fn each_ended(&self, mut show: impl FnMut(&End, u64)) {
        self.ended.lock().iter().for_each(|(end, count)| show(end, *count));
    }
}

fn type_of(role: Role) -> &'static str {
    match role {
        Role::Init | Role::Sidecar => "init_container",
        Role::App => "container",
        Role::Ephemeral => "ephemeral_container",
    }
}

/// Containers of a pod that have ended, by their ids.
fn ends(status: &PodStatus) -> impl Iterator<Item = (String, End)> {
    let of = |container_type: &'static str, all: &Option<Vec<ContainerStatus>>| {
        let all: Vec<(String, End)> = all.iter().flatten().flat_map(|one| ends_of(container_type, one)).collect();
        all
    };
    of("container", &status.container_statuses)
        .into_iter()
        .chain(of("init_container", &status.init_container_statuses))
        .chain(of("ephemeral_container", &status.ephemeral_container_statuses))
}

fn ends_of(container_type: &'static str, status: &ContainerStatus) -> Vec<(String, End)> {
    let states = [&status.state, &status.last_state].into_iter().flatten();
    let ended = states.filter_map(|state| state.terminated.as_ref()).filter_map(|ended| {
        let id = ended.container_id.clone().filter(|id| !id.is_empty())?;
        let reason = ended.reason.clone().unwrap_or_default();
        Some((id, End { container_type, exit_code: ended.exit_code, reason }))
    });
    ended.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(state: &serde_json::Value, last: &serde_json::Value) -> PodStatus {
        let one = json!({"name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state, "lastState": last});
        serde_json::from_value(json!({"containerStatuses": [one]})).unwrap()
    }

    #[test]
    fn a_container_that_ended_is_counted_once() {
        let ended =
            |id: &str, code: i32| json!({"terminated": {"containerID": id, "exitCode": code, "reason": "Error"}});
        let (none, running) = (json!({}), json!({"running": {}}));
        let containers = Containers::default();
        let mut counted = BTreeSet::new();
        let before = status(&running, &none);
        let first = status(&ended("a", 139), &none);
        // A write that failed is repeated from the same old status.
        containers.count_ends(&before, &first, &mut counted);
        containers.count_ends(&before, &first, &mut counted);
        containers.count_ends(&first, &status(&running, &ended("a", 139)), &mut counted);
        containers.count_ends(&first, &status(&ended("b", 0), &ended("a", 139)), &mut counted);
        let mut seen = Vec::new();
        containers.each_ended(|end, count| seen.push((end.container_type, end.exit_code, end.reason.clone(), count)));
        assert_eq!(seen, [("container", 0, "Error".to_owned(), 1), ("container", 139, "Error".to_owned(), 1)]);
    }
}
