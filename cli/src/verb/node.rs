//! Nodes: `cordon`, `uncordon`, `drain`, `taint`.

use super::delete::{until_gone, within};
use crate::chosen::Chosen;
use crate::failure;
use crate::high::{self, DryRun};
use crate::low;
use crate::resource;
use crate::server::{MERGE_PATCH, Query};
use crate::session::{Failures, Session};
use anyhow::{Result, bail};
use futures::future::try_join_all;
use kinds::opt_in::SURGE_ON_EVICTION;
use kube::core::Status;
use serde_json::{Value, json};
use std::time::Duration;

/// k8s: kubectl drain tries an eviction that a disruption budget holds back again after this time
const EVICT_AGAIN: Duration = Duration::from_secs(5);

const MIRROR: &str = "kubernetes.io/config.mirror";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cordon {
    On,
    Off,
}

fn node(word: &str) -> Chosen {
    let name = word.strip_prefix("node/").or_else(|| word.strip_prefix("nodes/")).unwrap_or(word);
    let resource = resource::known("", "nodes");
    Chosen { resource, namespace: String::new(), name: name.to_owned(), listed: None }
}

pub(super) async fn cordon(session: &Session, nodes: &[String], cordon: Cordon) -> Result<()> {
    let mut failures = Failures::default();
    for word in nodes {
        failures.take(session, cordon_one(session, &node(word), cordon).await)?;
    }
    failures.end()
}

async fn cordon_one(session: &Session, node: &Chosen, cordon: Cordon) -> Result<()> {
    let (wanted, word) = match cordon {
        Cordon::On => (true, "cordoned"),
        Cordon::Off => (false, "uncordoned"),
    };
    let object = node.object(session).await?;
    if object["spec"]["unschedulable"].as_bool().unwrap_or(false) == wanted {
        return Ok(session.screen.line(&format!("{} already {word}", node.title()))?);
    }
    let patch = json!({"spec": {"unschedulable": if wanted { json!(true) } else { Value::Null }}});
    session.server.patch(&node.write_path(DryRun::No), MERGE_PATCH, &patch).await?;
    Ok(session.screen.line(&format!("{} {word}", node.title()))?)
}

pub(super) async fn drain(session: &Session, typed: &low::Drain) -> Result<()> {
    let limit = high::timeout(&typed.timeout)?;
    let mut failures = Failures::default();
    for word in &typed.nodes {
        let node = node(word);
        let drained = async {
            cordon_one(session, &node, Cordon::On).await?;
            within(limit, drain_one(session, typed, &node)).await
        };
        failures.take(session, drained.await)?;
    }
    failures.end()
}

async fn drain_one(session: &Session, typed: &low::Drain, node: &Chosen) -> Result<()> {
    let query = Query::new().set("fieldSelector", format!("spec.nodeName={}", node.name));
    let pods = session.server.list(&resource::known("", "pods").path(None), &query).await?;
    let mut going = vec![];
    let mut reasons = vec![];
    for pod in &pods {
        match judge(pod, typed) {
            Verdict::Evict => going.push(chosen(pod)),
            Verdict::Leave(note) => {
                if let Some(note) = note {
                    session.screen.note(&format!("Warning: ignoring {note}: {}", full_name(pod)))?;
                }
            }
            Verdict::Refuse(reason) => reasons.push(format!("cannot delete {reason}: {}", full_name(pod))),
        }
    }
    if !reasons.is_empty() {
        bail!("unable to drain node \"{}\": {}", node.name, reasons.join(", "));
    }
    // Side by side: one that waits for its replacement or its budget does not hold the others up.
    try_join_all(going.iter().map(|(pod, uid)| evict(session, typed, pod, uid))).await?;
    for (pod, uid) in &going {
        until_gone(session, pod, uid).await?;
        session.screen.line(&format!("{} evicted", pod.title()))?;
    }
    Ok(session.screen.line(&format!("{} drained", node.title()))?)
}

fn full_name(pod: &Value) -> String {
    let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}

fn chosen(pod: &Value) -> (Chosen, String) {
    let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default().to_owned();
    let (namespace, name, uid) = (text("namespace"), text("name"), text("uid"));
    (Chosen { resource: resource::known("", "pods"), namespace, name, listed: None }, uid)
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Evict,
    /// Stays, with a note where that is worth one.
    Leave(Option<&'static str>),
    /// Holds the drain up until a flag allows it.
    Refuse(&'static str),
}

// k8s: kubectl drain filters
fn judge(pod: &Value, typed: &low::Drain) -> Verdict {
    if !pod["metadata"]["annotations"][MIRROR].is_null() {
        return Verdict::Leave(None);
    }
    let finished = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let owners = pod["metadata"]["ownerReferences"].as_array();
    let owner = owners.into_iter().flatten().find(|owner| owner["controller"] == true);
    let of_daemon_set = owner.is_some_and(|owner| owner["kind"] == "DaemonSet");
    if of_daemon_set && !finished {
        return if typed.ignore_daemonsets {
            Verdict::Leave(Some("DaemonSet-managed Pods"))
        } else {
            Verdict::Refuse("DaemonSet-managed Pods (use --ignore-daemonsets to ignore)")
        };
    }
    let volumes = pod["spec"]["volumes"].as_array();
    let loses_data = volumes.into_iter().flatten().any(|volume| !volume["emptyDir"].is_null());
    if loses_data && !finished && !typed.delete_emptydir_data {
        return Verdict::Refuse("Pods with local storage (use --delete-emptydir-data to override)");
    }
    if owner.is_none() && !finished && !typed.force {
        return Verdict::Refuse("Pods that declare no controller (use --force to override)");
    }
    Verdict::Evict
}

/// What was being done when a pod was held back, in kubectl's words.
fn held_back(pod: &Chosen, again: Duration) -> failure::During {
    let (name, namespace) = (&pod.name, &pod.namespace);
    let seconds = again.as_secs();
    failure::During(format!("error when evicting pods/{name:?} -n {namespace:?} (will retry after {seconds}s)"))
}

/// When to ask again: at the time that the server names, if it does.
fn again(status: &Status) -> Duration {
    let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    if seconds > 0 { Duration::from_secs(seconds.into()) } else { EVICT_AGAIN }
}

fn eviction(typed: &low::Drain, pod: &Chosen, uid: &str) -> Value {
    let mut options = json!({"preconditions": {"uid": uid}});
    if typed.grace_period >= 0 {
        options["gracePeriodSeconds"] = typed.grace_period.into();
    }
    let mut metadata = json!({"name": pod.name, "namespace": pod.namespace});
    if typed.surge {
        metadata["annotations"] = json!({SURGE_ON_EVICTION: "true"});
    }
    json!({"apiVersion": "policy/v1", "kind": "Eviction", "deleteOptions": options, "metadata": metadata})
}

async fn evict(session: &Session, typed: &low::Drain, pod: &Chosen, uid: &str) -> Result<()> {
    let eviction = eviction(typed, pod, uid);
    session.screen.line(&format!("evicting pod {}/{}", pod.namespace, pod.name))?;
    let mut told = String::new();
    loop {
        let error = match session.server.post(&format!("{}/eviction", pod.path()), &eviction).await {
            Ok(_) => return Ok(()),
            Err(error) if failure::is_not_found(&error) => return Ok(()),
            Err(error) => error,
        };
        let Some(status) = failure::status(&error).filter(|status| status.code == 429) else { return Err(error) };
        let (wait, why) = (again(status), status.message.clone());
        if why != told {
            session.complain(&error.context(held_back(pod, wait)))?;
            told = why;
        }
        tokio::time::sleep(wait).await;
    }
}

pub(super) async fn taint(session: &Session, typed: &low::Taint) -> Result<()> {
    let is_change = |word: &String| word.contains([':', '=']) || word.ends_with('-');
    let begin = typed.words.iter().position(is_change).unwrap_or(typed.words.len());
    let (words, changes) = typed.words.split_at(begin);
    let names: Vec<&String> =
        words.iter().skip_while(|word| matches!(word.as_str(), "node" | "nodes" | "no")).collect();
    anyhow::ensure!(!names.is_empty(), "name the nodes to taint: `kctl taint node NAME KEY=VALUE:EFFECT`");
    anyhow::ensure!(!changes.is_empty(), "at least one taint is required (KEY=VALUE:EFFECT, or KEY- to remove)");
    let mut failures = Failures::default();
    for word in names {
        let node = node(word);
        let changed = async {
            let object = node.object(session).await?;
            let taints = taints(&object["spec"]["taints"], changes, typed.overwrite)?;
            // The list as a whole, and only if nobody changed it meanwhile.
            let revision = &object["metadata"]["resourceVersion"];
            let patch = json!({"metadata": {"resourceVersion": revision}, "spec": {"taints": taints}});
            session.server.patch(&node.write_path(DryRun::No), MERGE_PATCH, &patch).await
        };
        if failures.take(session, changed.await)?.is_some() {
            session.screen.line(&format!("{} tainted", node.title()))?;
        }
    }
    failures.end()
}

fn taints(now: &Value, changes: &[String], overwrite: bool) -> Result<Vec<Value>> {
    let mut taints = now.as_array().cloned().unwrap_or_default();
    for change in changes {
        if let Some(removed) = change.strip_suffix('-') {
            let (key, effect) = removed.split_once(':').map_or((removed, None), |(key, effect)| (key, Some(effect)));
            let key = key.split('=').next().unwrap_or(key);
            let before = taints.len();
            taints.retain(|taint| taint["key"] != key || effect.is_some_and(|effect| taint["effect"] != effect));
            anyhow::ensure!(taints.len() < before, "taint \"{removed}\" not found");
            continue;
        }
        let Some((pair, effect)) = change.split_once(':') else { bail!("invalid taint spec: {change}") };
        if !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect) {
            bail!("invalid taint effect: {effect}, unsupported taint effect");
        }
        let (key, value) = pair.split_once('=').map_or((pair, None), |(key, value)| (key, Some(value)));
        let mut taint = json!({"key": key, "effect": effect});
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            taint["value"] = value.into();
        }
        let same = |known: &Value| known["key"] == key && known["effect"] == effect;
        match taints.iter_mut().find(|known| same(known)) {
            Some(known) if *known == taint || overwrite => *known = taint,
            Some(_) => bail!("the node already has {key} taint(s) with same effect(s) and --overwrite is false"),
            None => taints.push(taint),
        }
    }
    Ok(taints)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(flags: &[&str]) -> low::Drain {
        low::Drain {
            nodes: vec![],
            ignore_daemonsets: flags.contains(&"daemonsets"),
            delete_emptydir_data: flags.contains(&"emptydir"),
            force: flags.contains(&"force"),
            grace_period: -1,
            timeout: "0s".into(),
            surge: !flags.contains(&"no surge"),
        }
    }

    #[test]
    fn a_drain_asks_for_replacements_first_unless_told_not_to() {
        let resource = resource::known("", "pods");
        let pod = Chosen { resource, namespace: "shop".into(), name: "web-1".into(), listed: None };
        let asks = |flags: &[&str]| eviction(&drain(flags), &pod, "u")["metadata"]["annotations"].clone();
        assert_eq!(asks(&[]), json!({"drover.dev/surge-on-eviction": "true"}));
        assert_eq!(asks(&["no surge"]), Value::Null);
    }

    #[test]
    fn a_pod_that_a_budget_holds_back_is_named() {
        let resource = resource::known("", "pods");
        let pod = Chosen { resource, namespace: "shop".into(), name: "web-1".into(), listed: None };
        let told = "error when evicting pods/\"web-1\" -n \"shop\" (will retry after 5s)";
        assert_eq!(held_back(&pod, again(&Status::default())).to_string(), told);
    }

    #[test]
    fn a_drain_stops_at_what_would_be_lost() {
        let owned = |kind: &str| json!({"metadata": {"ownerReferences": [{"kind": kind, "controller": true}]}});
        let mut with_data = owned("ReplicaSet");
        with_data["spec"]["volumes"] = json!([{"emptyDir": {}}]);
        let mirror = json!({"metadata": {"annotations": {MIRROR: "x"}}});
        assert_eq!(judge(&owned("ReplicaSet"), &drain(&[])), Verdict::Evict);
        assert!(matches!(judge(&owned("DaemonSet"), &drain(&[])), Verdict::Refuse(_)));
        assert!(matches!(judge(&owned("DaemonSet"), &drain(&["daemonsets"])), Verdict::Leave(Some(_))));
        assert!(matches!(judge(&with_data, &drain(&[])), Verdict::Refuse(_)));
        assert_eq!(judge(&with_data, &drain(&["emptydir"])), Verdict::Evict);
        assert!(matches!(judge(&json!({}), &drain(&[])), Verdict::Refuse(_)));
        assert_eq!(judge(&json!({}), &drain(&["force"])), Verdict::Evict);
        assert_eq!(judge(&mirror, &drain(&[])), Verdict::Leave(None));
    }

    #[test]
    fn taints_are_added_changed_and_removed() {
        let now = json!([{"key": "a", "value": "1", "effect": "NoSchedule"}, {"key": "a", "effect": "NoExecute"}]);
        let change = |words: &[&str], overwrite| {
            taints(&now, &words.iter().map(ToString::to_string).collect::<Vec<_>>(), overwrite)
        };
        assert_eq!(change(&["a-"], false).unwrap(), Vec::<Value>::new());
        assert_eq!(change(&["a:NoExecute-"], false).unwrap().len(), 1);
        assert!(change(&["a=2:NoSchedule"], false).is_err());
        assert_eq!(change(&["a=2:NoSchedule"], true).unwrap()[0]["value"], "2");
        assert_eq!(change(&["b:NoSchedule"], false).unwrap().len(), 3);
        assert!(change(&["b:Never"], false).is_err());
    }
}
