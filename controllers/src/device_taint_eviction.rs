//! Drives pods off devices with NoExecute taints that their claims do not tolerate, or tolerate for a while only. Taints are
//! a driver's, in its slices, or an administrator's, in rules. k8s: `pkg/controller/devicetainteviction`

use crate::pod;
use crate::taint_eviction::{Words, evict};
use client::action::{Action, Key};
use client::cache::{Caches, Change, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::resource::v1::{
    Device, DeviceRequestAllocationResult, DeviceTaint, DeviceTaintRule, ResourceClaim, ResourceSlice,
};
use kinds::device::{self, ClaimOfPod};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) const CONTROLLER: Controller =
    Controller { name: "device-taint-eviction", watches, reconcile: Reconcile::Cached(reconcile), refused: None };

const NO_EXECUTE: &str = "NoExecute";

const WORDS: Words = Words {
    event: "DeviceTaintManagerEviction",
    says: |_| "Marking for deletion".to_owned(),
    reason: "DeletionByDeviceTaintManager",
    message: "Device Taint manager: deleting due to NoExecute taint",
};

/// Claims by the pools that their devices are in, and slices by theirs: `driver/pool`.
const BY_POOL: &str = "device pool";

fn watches(watches: &mut Watches) {
    watches.mapped_change::<Pod>(|change, _| match &change.new {
        Some(pod) if claims(pod).next().is_some() => vec![change.key.clone()],
        Some(_) | None => Vec::new(),
    });
    watches.mapped::<ResourceClaim>(|claim, _| consumers(claim));
    watches.mapped_change::<ResourceSlice>(pods_of_changed);
    watches.mapped::<DeviceTaintRule>(|_, caches| {
        caches.of::<ResourceClaim>().list().iter().flat_map(|claim| consumers(claim)).collect()
    });
    watches.index::<ResourceClaim>(BY_POOL, |claim| {
        let pools: BTreeSet<String> = results(claim).map(|result| pool_key(&result.driver, &result.pool)).collect();
        pools.into_iter().collect()
    });
    watches.index::<ResourceSlice>(BY_POOL, |slice| vec![pool_key(&slice.spec.driver, &slice.spec.pool.name)]);
}

fn pool_key(driver: &str, pool: &str) -> String {
    format!("{driver}/{pool}")
}

/// Drivers publish slices again and again, mostly without a word on taints.
fn pods_of_changed(change: &Change<ResourceSlice>, caches: &Caches) -> Vec<Key> {
    let both = [&change.old, &change.new];
    let of = |slice: &Option<Arc<ResourceSlice>>| -> Vec<(i64, String, Vec<DeviceTaint>)> {
        let slices = slice.iter().flat_map(|slice| {
            let devices = slice.spec.devices.iter().flatten();
            devices
                .map(|device| (slice.spec.pool.generation, device.name.clone(), own_taints(device).cloned().collect()))
        });
        slices.filter(|(_, _, taints): &(_, _, Vec<_>)| !taints.is_empty()).collect()
    };
    if of(both[0]) == of(both[1]) {
        return Vec::new();
    }
    let pools: BTreeSet<String> =
        both.into_iter().flatten().map(|slice| pool_key(&slice.spec.driver, &slice.spec.pool.name)).collect();
    let claims = pools.iter().flat_map(|pool| caches.of::<ResourceClaim>().by_index(BY_POOL, pool));
    claims.flat_map(|claim| consumers(&claim)).collect()
}

fn consumers(claim: &ResourceClaim) -> Vec<Key> {
    let reserved = claim.status.iter().flat_map(|status| status.reserved_for.iter().flatten());
    let pods = reserved.filter(|consumer| consumer.resource == "pods");
    pods.map(|consumer| Key::new(claim.ns(), &consumer.name)).collect()
}

fn results(claim: &ResourceClaim) -> impl Iterator<Item = &DeviceRequestAllocationResult> {
    let allocations = claim.status.iter().flat_map(|status| &status.allocation);
    allocations.flat_map(|allocation| &allocation.devices).flat_map(|devices| devices.results.iter().flatten())
}

/// The names of the pod's claims, and whether each was made for it.
fn claims(pod: &Pod) -> impl Iterator<Item = (String, bool)> {
    let named = device::claims_of(pod).into_iter().filter_map(|claim| match claim {
        ClaimOfPod::Named(name) => Some((name, false)),
        ClaimOfPod::Generated(name) => Some((name, true)),
        ClaimOfPod::Awaited | ClaimOfPod::Needless => None,
    });
    let extended = pod.status.iter().flat_map(|status| &status.extended_resource_claim_status);
    named.chain(extended.map(|one| (one.resource_claim_name.clone(), false)).collect::<Vec<_>>())
}

fn reconcile(key: &Key, caches: &Caches, now: Timestamp) -> Vec<Action> {
    let Some(pod) = caches.of::<Pod>().get(&key.ns, &key.name) else { return Vec::new() };
    if pod::node_name(&pod).is_empty() || pod::is_terminating(&pod) {
        return Vec::new();
    }
    let used = claims(&pod).filter_map(|(name, is_own)| {
        let claim = caches.of::<ResourceClaim>().get(pod.ns(), &name)?;
        let is_its = !is_own || device::is_owned_by(&claim, pod.uid());
        let mut reserved = claim.status.iter().flat_map(|status| status.reserved_for.iter().flatten());
        (is_its && reserved.any(|consumer| consumer.uid == pod.uid())).then_some(claim)
    });
    match used.filter_map(|claim| deadline(&claim, caches, now)).min() {
        None => Vec::new(),
        Some(at) if at > now => vec![Action::RequeueAt(at)],
        Some(_) => evict(&pod, &WORDS, now),
    }
}

/// When the claim's pods must go; `None` if they may stay.
fn deadline(claim: &ResourceClaim, caches: &Caches, now: Timestamp) -> Option<Timestamp> {
    let of_result = |result: &DeviceRequestAllocationResult| {
        let rules = caches.of::<DeviceTaintRule>().list();
        let rules = rules.iter().filter(|rule| device::is_ruled(rule, &result.driver, &result.pool, &result.device));
        let slices = caches.of::<ResourceSlice>().by_index(BY_POOL, &pool_key(&result.driver, &result.pool));
        let newest = slices.iter().map(|slice| slice.spec.pool.generation).max();
        let current = slices.iter().filter(|slice| Some(slice.spec.pool.generation) == newest);
        let devices = current.flat_map(|slice| slice.spec.devices.iter().flatten());
        let own = devices.filter(|device| device.name == result.device).flat_map(own_taints);
        let ruled = rules.map(|rule| &rule.spec.taint).filter(|taint| taint.effect == NO_EXECUTE);
        own.chain(ruled).filter_map(|taint| taint_deadline(taint, result, now)).min()
    };
    results(claim).filter_map(of_result).min()
}

fn own_taints(device: &Device) -> impl Iterator<Item = &DeviceTaint> {
    device.taints.iter().flatten().filter(|taint| taint.effect == NO_EXECUTE)
}

/// k8s: of several tolerations the shortest counts, and one without a limit tolerates for ever
fn taint_deadline(taint: &DeviceTaint, result: &DeviceRequestAllocationResult, now: Timestamp) -> Option<Timestamp> {
    let since = taint.time_added.as_ref().map_or(now, |time| time.0);
    let tolerations = result.tolerations.iter().flatten().filter(|toleration| device::tolerates(toleration, taint));
    let limits: Vec<Option<i64>> = tolerations.map(|toleration| toleration.toleration_seconds).collect();
    if limits.contains(&None) {
        return None;
    }
    let seconds = limits.into_iter().flatten().min().unwrap_or(0).max(0);
    Some(since.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, caches, lines};
    use expect_test::{Expect, expect};

    const GONE: &str = "DeviceTaintManagerEviction";

    /// `slice` and `rule` have taints, `tolerations` are the claim's.
    fn check(slice: &str, rule: &str, tolerations: &str, uid: &str, expected: Expect) {
        let yaml = format!(
            "apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: {{name: s}}
spec: {{driver: d, nodeName: n1, pool: {{name: n1, generation: 2, resourceSliceCount: 1}}, devices: [{{name: gpu, taints: [{slice}]}}]}}
---
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: {{name: old}}
spec: {{driver: d, nodeName: n1, pool: {{name: n1, generation: 1, resourceSliceCount: 1}}, devices: [{{name: gpu, taints: [{{key: past, effect: NoExecute}}]}}]}}
---
apiVersion: resource.k8s.io/v1
kind: DeviceTaintRule
metadata: {{name: r}}
spec: {{{rule}}}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {{name: c, namespace: a, uid: c}}
status:
  reservedFor: [{{resource: pods, name: p, uid: {uid}}}]
  allocation: {{devices: {{results: [{{request: r, driver: d, pool: n1, device: gpu, tolerations: [{tolerations}]}}]}}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: p, namespace: a, uid: p}}
spec: {{nodeName: n1, containers: [], resourceClaims: [{{name: gpu, resourceClaimName: c}}]}}"
        );
        let actions = reconcile(&Key::new("a", "p"), &caches(watches, &yaml), at(100));
        expected.assert_eq(&lines(&actions));
    }

    const TAINT: &str = "{key: broken, value: fan, effect: NoExecute, timeAdded: '1970-01-01T00:01:00Z'}";
    const NO_RULE: &str = "taint: {key: k, effect: NoExecute}";

    #[test]
    fn a_pod_whose_claim_does_not_tolerate_its_device_goes_at_once() {
        let said = expect![[r#"
            event Normal DeviceTaintManagerEviction: Marking for deletion
            patch Pod p status {"status":{"conditions":[{"lastTransitionTime":"1970-01-01T00:01:40Z","message":"Device Taint manager: deleting due to NoExecute taint","reason":"DeletionByDeviceTaintManager","status":"True","type":"DisruptionTarget"}]}}
            delete Pod p
        "#]];
        check(TAINT, NO_RULE, "", "p", said);
        let other = "{key: broken, value: heat, effect: NoExecute, operator: Equal}";
        assert!(lines_of(other).contains(GONE));
        check("{key: new, effect: NoSchedule}", NO_RULE, "", "p", expect![""]);
        check(TAINT, NO_RULE, "", "another", expect![""]);
    }

    fn lines_of(toleration: &str) -> String {
        let result = serde_json::json!({"request": "r", "driver": "d", "pool": "n1", "device": "gpu"});
        let mut result: DeviceRequestAllocationResult = serde_json::from_value(result).expect("a result");
        result.tolerations = Some(vec![serde_norway::from_str(toleration).expect("a toleration")]);
        let taint: DeviceTaint = serde_norway::from_str(TAINT).expect("a taint");
        taint_deadline(&taint, &result, at(100)).map_or(String::new(), |at| format!("{GONE} {}", at.as_second()))
    }

    #[test]
    fn tolerations_say_for_how_long() {
        check(
            TAINT,
            NO_RULE,
            "{key: broken, operator: Exists, effect: NoExecute, tolerationSeconds: 300}",
            "p",
            expect![[r#"
            again at 360
        "#]],
        );
        check(TAINT, NO_RULE, "{operator: Exists}", "p", expect![""]);
        let two = "{operator: Exists, tolerationSeconds: 90}, {key: broken, operator: Exists, tolerationSeconds: 50}";
        check(
            TAINT,
            NO_RULE,
            two,
            "p",
            expect![[r#"
            again at 110
        "#]],
        );
    }

    #[test]
    fn a_rule_taints_the_devices_that_it_selects() {
        let rule = |device: &str| format!("deviceSelector: {{driver: d, pool: n1, device: {device}}}, taint: {TAINT}");
        check("", &rule("other"), "", "p", expect![""]);
        check(
            "",
            &rule("gpu"),
            "{operator: Exists, tolerationSeconds: 45}",
            "p",
            expect![[r#"
            again at 105
        "#]],
        );
    }
}
