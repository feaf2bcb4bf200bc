//! What containers were given, written down before they start: a plugin is asked once for each container, and its answer
//! is needed at every start of it, also by the agent's successor.

use proto::deviceplugin::ContainerAllocateResponse;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The devices of one container, and what it needs to use them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Grant {
    /// Ids by resource.
    pub devices: BTreeMap<String, BTreeSet<String>>,
    pub envs: BTreeMap<String, String>,
    pub mounts: Vec<Mount>,
    pub nodes: Vec<DeviceNode>,
    pub annotations: BTreeMap<String, String>,
    /// Names in the Container Device Interface.
    pub cdi: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Mount {
    pub container_path: String,
    pub host_path: String,
    pub read_only: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeviceNode {
    pub container_path: String,
    pub host_path: String,
    /// Of `r`, `w` and `m`.
    pub permissions: String,
}

impl Grant {
    /// Adds devices of one resource, with the answer of its plugin.
    pub(super) fn add(&mut self, resource: &str, ids: BTreeSet<String>, answer: ContainerAllocateResponse) {
        self.devices.insert(resource.to_owned(), ids);
        self.envs.extend(answer.envs);
        self.annotations.extend(answer.annotations);
        self.mounts.extend(answer.mounts.into_iter().map(|m| Mount {
            container_path: m.container_path,
            host_path: m.host_path,
            read_only: m.read_only,
        }));
        self.nodes.extend(answer.devices.into_iter().map(|d| DeviceNode {
            container_path: d.container_path,
            host_path: d.host_path,
            permissions: d.permissions,
        }));
        self.cdi.extend(answer.cdi_devices.into_iter().map(|d| d.name));
    }
}

/// All grants of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Books {
    /// Resources that plugins have registered: the node reports none of them until their plugins are back.
    pub(super) resources: BTreeSet<String>,
    /// By pod uid and container name.
    pub(super) pods: BTreeMap<String, BTreeMap<String, Grant>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::deviceplugin::{self, CdiDevice, DeviceSpec};

    #[test]
    fn what_a_plugin_said_is_read_back_as_it_was_written() {
        let answer = ContainerAllocateResponse {
            envs: [("GPU".to_owned(), "a".to_owned())].into(),
            mounts: vec![deviceplugin::Mount {
                container_path: "/lib/gpu".into(),
                host_path: "/opt/gpu".into(),
                read_only: true,
            }],
            devices: vec![DeviceSpec {
                container_path: "/dev/gpu".into(),
                host_path: "/dev/gpu0".into(),
                permissions: "rw".into(),
            }],
            annotations: [("gpu".to_owned(), "a".to_owned())].into(),
            cdi_devices: vec![CdiDevice { name: "v.io/gpu=a".into() }],
        };
        let mut grant = Grant::default();
        grant.add("v.io/gpu", ["a".to_owned()].into(), answer);
        let mut books = Books { resources: ["v.io/gpu".to_owned()].into(), ..Books::default() };
        books.pods.entry("uid".into()).or_default().insert("c".into(), grant);
        let text = serde_json::to_string(&books).unwrap();
        assert_eq!(serde_json::from_str::<Books>(&text).unwrap(), books);
    }
}
