//! What the node says of itself.

use super::*;
use crate::config::{Reserved, Serving, Tls};
use crate::pod::fixture::at;

fn config() -> Config {
    Config {
        node_name: "n1".into(),
        node_ips: vec!["192.0.2.1".parse().unwrap()],
        data_dir: "/d".into(),
        log_dir: "/l".into(),
        cri_endpoint: "/s".into(),
        bind: "0.0.0.0:10250".parse().unwrap(),
        healthz: None,
        cluster_dns: Vec::new(),
        cluster_domain: "cluster.local".into(),
        max_pods: 110,
        reserved: Reserved::default(),
        thresholds: crate::evict::threshold::Thresholds::default(),
        tls: Tls::fixed(Serving { cert_pem: Vec::new(), key_pem: Vec::new() }, Vec::new()),
        cgroup_root: String::new(),
        labels: [("zone".to_owned(), "a".to_owned())].into(),
        taints: Vec::new(),
        shutdown: crate::shutdown::Grace::default(),
        logind: None,
        credential_providers: None,
        lease_seconds: 40,
        resolv_conf: "/etc/resolv.conf".into(),
        static_pod_dir: None,
    }
}

#[test]
fn a_node_registers_with_labels_addresses_and_its_port() {
    let node = new(&config(), &Findings::default(), at(0));
    let labels = node.metadata.labels.unwrap();
    assert_eq!((labels["kubernetes.io/hostname"].as_str(), labels["zone"].as_str()), ("n1", "a"));
    let status = node.status.unwrap();
    assert_eq!(status.daemon_endpoints.unwrap().kubelet_endpoint.unwrap().port, 10250);
    assert_eq!(status.addresses.unwrap()[0].address, "192.0.2.1");
}

#[test]
fn readiness_has_a_transition_time_of_its_own() {
    let unready = Findings { not_ready: vec!["network not ready".into()], ..Findings::default() };
    let first = status(&config(), &unready, &NodeStatus::default(), at(0));
    let second = status(&config(), &unready, &first, at(10));
    let third = status(&config(), &Findings::default(), &second, at(20));
    let ready = |s: &NodeStatus| {
        let c = s.conditions.as_ref().unwrap().iter().find(|c| c.type_ == "Ready").unwrap().clone();
        (c.status, c.last_transition_time.unwrap().0, c.last_heartbeat_time.unwrap().0)
    };
    assert_eq!(ready(&second), ("False".to_owned(), at(0), at(10)));
    assert_eq!(ready(&third), ("True".to_owned(), at(20), at(20)));
    assert!(!differs(&first, &second) && differs(&second, &third));
}

#[test]
fn resources_of_others_are_not_a_difference() {
    let ours = status(
        &config(),
        &Findings { capacity: [("cpu".to_owned(), Quantity("2".to_owned()))].into(), ..Findings::default() },
        &NodeStatus::default(),
        at(0),
    );
    let mut stored = ours.clone();
    stored.capacity.as_mut().unwrap().insert("example.com/gpu".to_owned(), Quantity("1".to_owned()));
    assert!(!differs(&stored, &ours));
}

/// k8s: "Advertise Extended Resources for a Node" patches the capacity alone
#[test]
fn what_somebody_advertises_can_be_had_until_it_is_taken_back() {
    let gpu = || ("example.com/gpu".to_owned(), Quantity("1".to_owned()));
    let findings = Findings {
        capacity: [("cpu".to_owned(), Quantity("2".to_owned()))].into(),
        allocatable: [("cpu".to_owned(), Quantity("1".to_owned()))].into(),
        ..Findings::default()
    };
    let ours = status(&config(), &findings, &NodeStatus::default(), at(0));
    let mut advertised = ours.clone();
    advertised.capacity.as_mut().unwrap().extend([gpu()]);
    let seen = status(&config(), &findings, &advertised, at(1));
    assert!(differs(&advertised, &seen));
    assert_eq!(status_patch(&advertised, &seen)["status"]["allocatable"], json!({"cpu": "1", "example.com/gpu": "1"}));
    advertised.allocatable.as_mut().unwrap().extend([gpu()]);
    assert!(!differs(&advertised, &status(&config(), &findings, &advertised, at(2))));
    let mut taken_back = advertised.clone();
    taken_back.capacity.clone_from(&ours.capacity);
    let seen = status(&config(), &findings, &taken_back, at(3));
    assert!(differs(&taken_back, &seen));
    assert_eq!(status_patch(&taken_back, &seen)["status"]["allocatable"], json!({"cpu": "1", "example.com/gpu": null}));
}

#[test]
fn the_largest_images_come_first() {
    let image =
        |name: &str, size| proto::cri::Image { repo_tags: vec![name.to_owned()], size, ..proto::cri::Image::default() };
    let list = images(&[image("a", 1), image("<none>:<none>", 9), image("b", 5)]);
    let names: Vec<_> = list.iter().map(|i| i.names.clone().unwrap()[0].clone()).collect();
    assert_eq!(names, ["b", "a"]);
}
