//! Table tests: objects as YAML in, actions as one line each out.

use client::action::Action;
use client::cache::Caches;
use client::controller::Watches;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// Offline caches of what a controller watches, holding the documents of `yaml`.
pub(crate) fn caches(watches: fn(&mut Watches), yaml: &str) -> Arc<Caches> {
    caches_of(watches, yaml, |_| {})
}

/// Of a cluster that is configured in another way.
pub(crate) fn caches_of(
    watches: fn(&mut Watches),
    yaml: &str,
    configure: impl FnOnce(&mut crate::Config),
) -> Arc<Caches> {
    let mut declared = Watches::default();
    watches(&mut declared);
    let mut builder = Caches::offline();
    declared.declare_offline(&mut builder);
    let mut config = crate::Config::new("CA".to_owned());
    config.terminated_pods_max = 2;
    config.load_balancer_pool = "192.0.2.1-192.0.2.3".parse().expect("a pool");
    configure(&mut config);
    builder.fact(config);
    builder.fact(crate::horizontal_pod_autoscaler::Recent::default());
    builder.fact(crate::node_lifecycle::Heard::default());
    builder.fact(crate::pod_gc::Missing::default());
    builder.offline_with(documents(yaml)).expect("objects of declared kinds")
}

pub(crate) fn documents(yaml: &str) -> Vec<Value> {
    yaml.split("\n---")
        .filter(|text| !text.trim().is_empty())
        .map(|text| serde_norway::from_str(text).expect("valid YAML"))
        .collect()
}

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(secs).expect("in range")
}

/// One line an action.
pub(crate) fn lines(actions: &[Action]) -> String {
    actions.iter().map(|action| format!("{}\n", line(action))).collect()
}

fn line(action: &Action) -> String {
    match action {
        Action::Create { resource, object, .. } => {
            format!("create {} {}", resource.kind, object["metadata"]["name"].as_str().unwrap_or("?"))
        }
        Action::Update { resource, key, subresource, object } => {
            let part = match *subresource {
                "status" => object["status"].to_string(),
                _ => object["spec"].to_string(),
            };
            format!("update {} {} {subresource} {part}", resource.kind, key.name)
        }
        Action::Patch { resource, key, subresource, body, .. } => {
            format!("patch {} {} {subresource} {body}", resource.kind, key.name)
        }
        Action::Delete { resource, key, grace_seconds, propagation, .. } => {
            let grace = grace_seconds.map_or(String::new(), |grace| format!(" grace={grace}"));
            let propagation = propagation.map_or(String::new(), |policy| format!(" {policy:?}"));
            format!("delete {} {}{grace}{propagation}", resource.kind, key.name)
        }
        Action::DeleteCollection { resource, ns } => format!("delete all {} in {ns}", resource.plural),
        Action::Post { resource, key, subresource, .. } => format!("post {} {} {subresource}", resource.kind, key.name),
        Action::Event(event) => format!("event {} {}: {}", event.type_, event.reason, event.message),
        Action::RequeueAt(at) => format!("again at {}", at.as_second()),
    }
}
