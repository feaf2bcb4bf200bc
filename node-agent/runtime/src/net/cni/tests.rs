//! Plugins that are shell scripts: what they are told, in which order, and what becomes of what they answer.

use super::*;
use std::os::unix::fs::PermissionsExt;

/// Writes down what it is told; answers with an address of each family, and what the one before it made.
const FIRST: &str = r#"#!/bin/sh
echo "$CNI_COMMAND first $CNI_CONTAINERID $CNI_NETNS $CNI_IFNAME $CNI_ARGS" >> "${0%/*}/log"
cat > "${0%/*}/first-$CNI_COMMAND.json"
[ "$CNI_COMMAND" = ADD ] && echo '{"cniVersion": "1.0.0", "interfaces": [{"name": "veth1"}, {"name": "eth0", "sandbox": "/ns"}],
 "ips": [{"address": "192.0.2.1/24", "interface": 0}, {"address": "10.9.0.5/24", "interface": 1}, {"address": "fd09::5/64", "interface": 1}]}'
exit 0
"#;

/// Changes nothing; fails where a file says so.
const SECOND: &str = r#"#!/bin/sh
echo "$CNI_COMMAND second" >> "${0%/*}/log"
cat > "${0%/*}/second-$CNI_COMMAND.json"
if [ "$CNI_COMMAND" = ADD ] && [ -e "${0%/*}/broken" ]; then
  echo '{"cniVersion": "1.0.0", "code": 11, "msg": "out of order", "details": "come back later"}'
  exit 1
fi
[ "$CNI_COMMAND" = ADD ] && sed -n 's/.*"prevResult":\({.*}\),"runtimeConfig".*/\1/p' "${0%/*}/second-ADD.json"
exit 0
"#;

const LIST: &str = r#"{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "first", "mtu": 1400},
  {"type": "second", "capabilities": {"portMappings": true, "bandwidth": true}}]}"#;

struct Folder {
    folder: tempfile::TempDir,
    config: CniConfig,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in [("first", FIRST), ("second", SECOND)] {
            let path = folder.path().join(name);
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(folder.path().join("10-pods.conflist"), LIST).unwrap();
        fs::write(folder.path().join("20-later.conflist"), "nonsense").unwrap();
        let dir = folder.path().to_owned();
        Self { folder, config: CniConfig { conf_dir: dir.clone(), bin_dirs: vec!["/nonexistent".into(), dir] } }
    }

    fn told(&self, name: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.folder.path().join(name)).unwrap()).unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn plan(&self) -> Attachment {
        let metadata =
            cri::PodSandboxMetadata { name: "web".into(), uid: "u1".into(), namespace: "shop".into(), attempt: 0 };
        let config = cri::PodSandboxConfig {
            metadata: Some(metadata),
            annotations: [("kubernetes.io/egress-bandwidth".to_owned(), "10M".to_owned())].into(),
            ..Default::default()
        };
        let ports = [PortMap { protocol: "tcp".into(), host_ip: None, host_port: 8080, container_port: 80 }];
        self.config.plan("box", &config, &ports).unwrap()
    }
}

#[tokio::test]
async fn plugins_of_a_list_are_called_in_turn_and_undone_backwards() {
    let folder = Folder::new();
    let mut attachment = folder.plan();
    let ips = folder.config.add("box", Path::new("/ns"), &mut attachment).await.unwrap();
    assert_eq!(ips, ["10.9.0.5".parse::<IpAddr>().unwrap(), "fd09::5".parse().unwrap()]);
    let kept: Attachment = serde_json::from_str(&serde_json::to_string(&attachment).unwrap()).unwrap();
    folder.config.delete("box", None, &kept).await.unwrap();
    let arguments =
        "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=box;K8S_POD_UID=u1";
    let wanted =
        format!("ADD first box /ns eth0 {arguments}\nADD second\nDEL second\nDEL first box  eth0 {arguments}\n");
    assert_eq!(folder.log(), wanted);
    let first = folder.told("first-ADD.json");
    assert_eq!(first, json!({"cniVersion": "1.0.0", "name": "pods", "type": "first", "mtu": 1400}));
    let second = folder.told("second-ADD.json");
    assert_eq!(second["prevResult"]["ips"][1]["address"], "10.9.0.5/24");
    let mapping = json!([{"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": ""}]);
    let bandwidth = json!({"egressRate": 10_000_000, "egressBurst": BURST});
    assert_eq!(second["runtimeConfig"], json!({"portMappings": mapping, "bandwidth": bandwidth}));
    assert!(second.get("capabilities").is_none());
    assert_eq!(folder.told("first-DEL.json")["prevResult"]["ips"][2]["address"], "fd09::5/64");
}

/// As other runtimes have it.
const BURST: u32 = u32::MAX;

#[tokio::test]
async fn what_was_made_before_a_plugin_failed_is_undone() {
    let folder = Folder::new();
    fs::write(folder.folder.path().join("broken"), "").unwrap();
    let error = folder.config.add("box", Path::new("/ns"), &mut folder.plan()).await.unwrap_err();
    assert_eq!(error.to_string(), "plugin \"second\" failed: out of order: come back later");
    let commands: Vec<String> = folder.log().lines().map(|line| line.chars().take(9).collect()).collect();
    assert_eq!(commands, ["ADD first", "ADD secon", "DEL secon", "DEL first"]);
}

#[test]
fn a_list_is_read_strictly_and_a_single_plugin_is_a_list_too() {
    let why = |text: &str| parse(text).unwrap_err();
    assert_eq!(why(r#"{"cniVersion": "1.0.0", "plugins": [{"type": "a"}]}"#), "it has no name");
    assert!(why(r#"{"cniVersion": "9.0.0", "name": "n", "type": "a"}"#).starts_with("cniVersion \"9.0.0\" is none of"));
    let need = "every plugin needs a type, and there has to be one";
    assert_eq!(why(r#"{"cniVersion": "1.0.0", "name": "n", "plugins": []}"#), need);
    assert_eq!(parse(r#"{"cniVersion": "0.4.0", "name": "n", "type": "a"}"#).unwrap().plugins.len(), 1);
    let empty = tempfile::tempdir().unwrap();
    let config = CniConfig { conf_dir: empty.path().to_owned(), bin_dirs: Vec::new() };
    assert!(matches!(config.list(), Err(CniError::NoList(_))));
}
