//! ResourceQuota: what a write adds is charged to the quotas that pick it, or refused. Pure; `registry::charge` reads the
//! quotas and commits them together with the object, so that a quota never says what is not so.
//! k8s: `pkg/quota/v1` and the plugin `resourcequota`

use super::Operation;
use k8s_openapi::api::core::v1::{ResourceQuota, ResourceQuotaSpec};
use kinds::pod_resources::{Amounts, amounts};
use kinds::quantity::Quantity;
use kinds::quota::{Counted, enforced, unspecified};
use serde_json::Value;
use std::collections::BTreeSet;

/// Resources that no quota counts. k8s: DefaultIgnoredResources
const UNCOUNTED: &[(&str, &str)] = &[("", "events"), ("events.k8s.io", "events"), ("", "bindings")];

/// Whether the write may add to what a quota counts.
pub fn concerns(group: &str, plural: &str, subresource: &str, operation: Operation) -> bool {
    if UNCOUNTED.contains(&(group, plural)) {
        return false;
    }
    match (operation, group, plural, subresource) {
        (Operation::Create, _, _, "")
        | (Operation::Update, "", "pods", "resize")
        | (Operation::Update, "", "services" | "persistentvolumeclaims", "") => true,
        (Operation::Create | Operation::Update | Operation::Delete | Operation::Connect, ..) => false,
    }
}

/// What is written.
pub struct Entry<'a> {
    pub group: &'a str,
    pub plural: &'a str,
    pub object: &'a Value,
    /// The version before, which is paid for already.
    pub old: Option<&'a Value>,
}

/// Charges `entry` to one quota: its new `status.used`, `None` where it is not concerned. The error is the reason of the
/// refusal.
pub fn charge(quota: &ResourceQuota, entry: &Entry<'_>, now_unix_secs: i64) -> Result<Option<Amounts>, String> {
    let name = quota.metadata.name.as_deref().unwrap_or_default();
    let empty = ResourceQuotaSpec::default();
    let counted = Counted::of(entry.group, entry.plural, entry.object);
    let hard_texts = enforced(quota);
    let concerned = counted.concerned(hard_texts.keys());
    if concerned.is_empty() || !counted.is_in_scope(quota.spec.as_ref().unwrap_or(&empty)) {
        return Ok(None);
    }
    if let Counted::Pod(pod) = &counted
        && let Some(missing) = unspecified(pod, &concerned)
    {
        return Err(format!("failed quota: {name}: {missing}"));
    }
    let hard = amounts(Some(&hard_texts));
    let mut used = amounts(quota.status.as_ref().and_then(|status| status.used.as_ref()));
    let unknown: Vec<&str> = concerned.iter().copied().filter(|name| !used.contains_key(*name)).collect();
    if !unknown.is_empty() {
        return Err(format!("status unknown for quota: {name}, resources: {}", unknown.join(",")));
    }
    let added = added(&counted, entry, &concerned, now_unix_secs);
    let exceeded: BTreeSet<&str> = added
        .iter()
        .filter(|(name, more)| **more > Quantity::ZERO && used[*name] + **more > hard[*name])
        .map(|(name, _)| name.as_str())
        .collect();
    if !exceeded.is_empty() {
        let shown = |all: &Amounts| -> String {
            let of = |name: &&str| all.get(*name).map(|amount| format!("{name}={amount}"));
            exceeded.iter().filter_map(of).collect::<Vec<_>>().join(",")
        };
        let (requested, before, limited) = (shown(&added), shown(&used), shown(&hard));
        return Err(format!("exceeded quota: {name}, requested: {requested}, used: {before}, limited: {limited}"));
    }
    if added.is_empty() {
        return Ok(None);
    }
    for (name, more) in &added {
        used.entry(name.clone()).and_modify(|sum| *sum += *more);
    }
    Ok(Some(used))
}

/// The difference that the write makes, without what stays as it is.
fn added(counted: &Counted<'_>, entry: &Entry<'_>, concerned: &BTreeSet<&str>, now_unix_secs: i64) -> Amounts {
    let mut usage = counted.usage(now_unix_secs);
    if let Some(old) = entry.old {
        for (name, before) in Counted::of(entry.group, entry.plural, old).usage(now_unix_secs) {
            usage.entry(name).and_modify(|sum| *sum -= before).or_insert(-before);
        }
    }
    usage.retain(|name, amount| *amount != Quantity::ZERO && concerned.contains(name.as_str()));
    usage
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn charged(hard: Value, used: Value, plural: &str, object: Value, old: Option<Value>) -> String {
        let quota = json!({"metadata": {"name": "q"}, "status": {"hard": hard, "used": used}});
        let quota: ResourceQuota = serde_json::from_value(quota).unwrap();
        let entry = Entry { group: "", plural, object: &object, old: old.as_ref() };
        match charge(&quota, &entry, 0) {
            Ok(None) => "not concerned".to_owned(),
            Ok(Some(used)) => {
                used.iter().map(|(name, amount)| format!("{name}={amount}")).collect::<Vec<_>>().join(",")
            }
            Err(why) => why,
        }
    }

    fn pod(cpu: &str) -> Value {
        json!({"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]}})
    }

    #[test]
    fn what_a_write_adds_is_charged_or_refused() {
        let hard = json!({"pods": "2", "requests.cpu": "1", "configmaps": "1"});
        let used = json!({"pods": "1", "requests.cpu": "500m", "configmaps": "1"});
        let run = |plural, object, old| charged(hard.clone(), used.clone(), plural, object, old);
        assert_eq!(run("pods", pod("500m"), None), "configmaps=1,pods=2,requests.cpu=1");
        assert_eq!(
            run("pods", pod("600m"), None),
            "exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=500m, limited: requests.cpu=1"
        );
        assert_eq!(run("pods", pod("900m"), Some(pod("500m"))), "configmaps=1,pods=1,requests.cpu=900m");
        assert_eq!(
            run("pods", json!({"spec": {"containers": [{"name": "c"}]}}), None),
            "failed quota: q: must specify requests.cpu for: c"
        );
        assert_eq!(
            run("configmaps", json!({}), None),
            "exceeded quota: q, requested: configmaps=1, used: configmaps=1, limited: configmaps=1"
        );
        assert_eq!(run("secrets", json!({}), None), "not concerned");
        assert_eq!(
            charged(json!({"secrets": "3"}), json!({}), "secrets", json!({}), None),
            "status unknown for quota: q, resources: secrets"
        );
    }
}
