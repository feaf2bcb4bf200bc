//! A KubeSchedulerConfiguration: what it changes, and what is refused.

use scheduler::config::KubeSchedulerConfiguration;
use scheduler::cycle::{Decision, Rotation, decide};
use scheduler::pod_info::PodInfo;
use scheduler::profile::Profile;
use scheduler::question::Case;
use scheduler::snapshot::Cluster;
use scheduler::why::explain;
use serde_json::json;
use std::sync::Arc;

fn profile(yaml: &str) -> Result<Profile, String> {
    let text =
        format!("apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles:\n- {yaml}");
    let config = KubeSchedulerConfiguration::parse(&text).map_err(|error| error.to_string())?;
    Ok(config.profiles().map_err(|error| error.to_string())?.remove(0))
}

/// `a` is empty and cordoned, `b` half full.
fn cluster() -> Cluster {
    let mut cluster = Cluster::default();
    for (name, spec) in [("a", json!({"unschedulable": true})), ("b", json!({}))] {
        let node = json!({
            "metadata": {"name": name, "labels": {"disk": name}}, "spec": spec,
            "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "10"}},
        });
        cluster.set_node(Arc::new(serde_json::from_value(node).unwrap()));
    }
    cluster
}

fn pod() -> PodInfo {
    let pod =
        json!({"metadata": {"namespace": "shop", "name": "p", "uid": "p"}, "spec": {"containers": [{"name": "c"}]}});
    PodInfo::new(Arc::new(serde_json::from_value(pod).unwrap()))
}

fn outcome(profile: &Profile) -> String {
    let (cluster, pod) = (cluster(), pod());
    let case = Case { pod: &pod, snapshot: cluster.snapshot(), profile };
    match decide(case, None, &mut Rotation::default(), &mut |_| 0) {
        Decision::Place { node, .. } => node,
        Decision::Refuse(refusal) => refusal.message(),
    }
}

#[test]
fn a_plugin_that_is_off_refuses_nothing() {
    assert_eq!(outcome(&Profile::default()), "b");
    for part in ["multiPoint", "filter"] {
        let off = format!("plugins: {{{part}: {{disabled: [{{name: NodeUnschedulable}}]}}}}");
        assert_eq!(outcome(&profile(&off).unwrap()), "a", "{part}");
    }
    let all_off =
        profile("plugins: {filter: {disabled: [{name: '*'}], enabled: [{name: NodeUnschedulable}]}}").unwrap();
    assert_eq!(outcome(&all_off), "b");
}

#[test]
fn added_affinity_holds_for_every_pod_of_the_profile() {
    let added = "schedulerName: tape
  pluginConfig:
  - name: NodeAffinity
    args:
      addedAffinity:
        requiredDuringSchedulingIgnoredDuringExecution:
          nodeSelectorTerms: [{matchExpressions: [{key: disk, operator: In, values: [tape]}]}]";
    let profile = profile(added).unwrap();
    assert_eq!(profile.scheduler_name, "tape");
    let text = "0/2 nodes are available: 1 node(s) didn't match scheduler-enforced node affinity, 1 node(s) were unschedulable.";
    assert_eq!(outcome(&profile), text);
}

#[test]
fn what_is_not_understood_is_refused() {
    for (yaml, error) in [
        ("plugins: {score: {enabled: [{name: Coscheduling}]}}", "there is no plugin \"Coscheduling\""),
        (
            "pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: Fullest}}}]",
            "NodeResourcesFit cannot be told a scoringStrategy other than LeastAllocated, MostAllocated and RequestedToCapacityRatio",
        ),
        ("schedulerNam: x", "cannot be read"),
    ] {
        assert_eq!(profile(yaml).unwrap_err(), error, "{yaml}");
    }
    assert!(KubeSchedulerConfiguration::parse("{apiVersion: v1, kind: Pod}").is_err());
}

#[test]
fn every_node_says_what_it_thinks_of_a_pod() {
    let (cluster, pod, profile) = (cluster(), pod(), Profile::default());
    let told = explain(Case { pod: &pod, snapshot: cluster.snapshot(), profile: &profile });
    assert_eq!((told.nodes[0].node.as_str(), told.nodes[0].refused_by), ("b", None));
    let scores = &told.nodes[0].scores;
    assert_eq!(told.nodes[0].total, Some(scores.values().sum()));
    assert_eq!(scores["TaintToleration"], 300);
    assert_eq!((told.nodes[1].node.as_str(), told.nodes[1].refused_by), ("a", Some("NodeUnschedulable")));
    assert_eq!(told.nodes[1].reasons, ["node(s) were unschedulable"]);
}

#[test]
fn a_file_of_something_else_is_refused_without_a_word_of_what_is_in_it() {
    let error = KubeSchedulerConfiguration::parse("root:x:0:0:root:/root\nsecret:x:1\n").unwrap_err();
    assert_eq!(error.to_string(), "not a KubeSchedulerConfiguration of kubescheduler.config.k8s.io/v1");
}

#[test]
fn resources_that_a_profile_ignores_are_left_to_others() {
    let asks = |profile: &Profile, name: &str| {
        let pod = json!({"metadata": {"namespace": "shop", "name": "p", "uid": "p"}, "spec": {
            "containers": [{"name": "c", "resources": {"requests": {name: "1"}, "limits": {name: "1"}}}]}});
        let pod = PodInfo::new(Arc::new(serde_json::from_value(pod).unwrap())).under(profile);
        let cluster = cluster();
        let case = Case { pod: &pod, snapshot: cluster.snapshot(), profile };
        matches!(decide(case, None, &mut Rotation::default(), &mut |_| 0), Decision::Place { .. })
    };
    let args = |args: &str| profile(&format!("pluginConfig: [{{name: NodeResourcesFit, args: {{{args}}}}}]"));
    assert!(!asks(&Profile::default(), "example.com/gpu"));
    assert!(asks(&args("ignoredResources: [example.com/gpu]").unwrap(), "example.com/gpu"));
    assert!(asks(&args("ignoredResourceGroups: [example.com]").unwrap(), "example.com/gpu"));
    assert!(!asks(&args("ignoredResourceGroups: [example.org]").unwrap(), "example.com/gpu"));
    // Only what vendors count may be ignored.
    assert!(!asks(&args("ignoredResources: [hugepages-2Mi]").unwrap(), "hugepages-2Mi"));
    assert!(args("ignoredResourceGroups: [a/b]").unwrap_err().contains("slash"));
}

fn with_extenders(yaml: &str) -> Result<KubeSchedulerConfiguration, String> {
    let text =
        format!("apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nextenders:\n- {yaml}");
    KubeSchedulerConfiguration::parse(&text).map_err(|error| error.to_string())
}

#[test]
fn an_extender_is_read_as_upstream_reads_it() {
    let config = with_extenders("{urlPrefix: 'https://gpu:8888/v1', filterVerb: filter, prioritizeVerb: sort, weight: 5, bindVerb: bind, enableHTTPS: true, httpTimeout: 200ms, nodeCacheCapable: true, ignorable: true, managedResources: [{name: example.com/gpu, ignoredByScheduler: true}]}").unwrap();
    let extenders = config.extenders().unwrap();
    let extender = &extenders[0];
    assert_eq!(extender.filter_verb.as_deref(), Some("filter"));
    assert_eq!((extender.weight, extender.timeout.as_millis()), (5, 200));
    assert!(extender.knows_nodes && extender.is_ignorable && extender.tls.is_insecure);
    assert!(extender.preempt_verb.is_none() && extender.resources.contains("example.com/gpu"));
    assert_eq!(config.profiles().unwrap().len(), 1);
}

#[test]
fn an_extender_that_makes_no_sense_is_refused() {
    let refused = |yaml: &str| match with_extenders(yaml) {
        Ok(config) => config.extenders().unwrap_err().to_string(),
        Err(error) => error,
    };
    let text = refused("{urlPrefix: 'http://a', prioritizeVerb: p}");
    assert_eq!(text, "extender \"http://a\": must have a positive weight applied to it");
    assert!(refused("{urlPrefix: a, filterVerb: f}").contains("urlPrefix must begin with"));
    assert!(refused("{urlPrefix: 'http://a', httpTimeout: soon}").contains("no duration"));
    assert!(refused("{urlPrefix: 'http://a', managedResources: [{name: cpu}]}").contains("invalid extended resource"));
    assert!(
        refused("{urlPrefix: 'http://a', bindVerb: b}\n- {urlPrefix: 'http://b', bindVerb: b}")
            .contains("found 2 extenders")
    );
}
