//! Tells of each ServiceCIDR whether addresses come from it, and keeps it while Services have some that no other range
//! covers. k8s: pkg/controller/servicecidrs

use crate::write::{self, time};
use client::action::{Action, Key};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::networking::v1::{IPAddress, ServiceCIDR};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kinds::ip::Cidr;
use kinds::moment::later;
use std::net::IpAddr;
use std::sync::Arc;

pub(crate) const CONTROLLER: Controller =
    Controller { name: "service-cidrs", watches, reconcile: Reconcile::Cached(reconcile), refused: None };

const FINALIZER: &str = "networking.k8s.io/service-cidr-finalizer";
const READY: &str = "Ready";
/// Allocators of other API servers see a range go a moment later: it stays as long (k8s: deletionGracePeriod).
const GRACE: SignedDuration = SignedDuration::from_secs(10);

fn watches(watches: &mut Watches) {
    watches.primary::<ServiceCIDR>();
    // A range that comes or goes may free another; an address that goes may free its range.
    watches.mapped::<ServiceCIDR>(|_, caches| all(caches));
    watches.mapped_change::<IPAddress>(|change, caches| if change.new.is_none() { all(caches) } else { Vec::new() });
}

fn all(caches: &Caches) -> Vec<Key> {
    caches.of::<ServiceCIDR>().list().iter().map(|range| range.key()).collect()
}

fn reconcile(key: &Key, caches: &Caches, now: Timestamp) -> Vec<Action> {
    let Some(range) = caches.of::<ServiceCIDR>().get("", &key.name) else { return Vec::new() };
    let held = range.finalizers().iter().any(|name| name == FINALIZER);
    if !range.deleting() {
        let mut actions = Vec::new();
        if !held {
            let mut changed = range.as_ref().clone();
            changed.metadata.finalizers.get_or_insert_default().push(FINALIZER.to_owned());
            return vec![write::update(&changed, "")]; // its status by the next run
        }
        actions.extend(with_ready(&range, "True", "", "Kubernetes Service CIDR is ready", now));
        return actions;
    }
    if !held {
        return Vec::new();
    }
    if is_needed(&range, caches) {
        let message =
            "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR";
        return with_ready(&range, "False", "Terminating", message, now).into_iter().collect();
    }
    let since = range.metadata.deletion_timestamp.as_ref().map_or(now, |time| time.0);
    let free_at = later(since, GRACE);
    if now < free_at {
        let told = with_ready(&range, "False", "Terminating", "The ServiceCIDR is being deleted", now);
        return told.into_iter().chain([Action::RequeueAt(free_at)]).collect();
    }
    let mut changed = range.as_ref().clone();
    changed.metadata.finalizers.get_or_insert_default().retain(|name| name != FINALIZER);
    vec![write::update(&changed, "")]
}

fn networks(range: &ServiceCIDR) -> impl Iterator<Item = Cidr> {
    let cidrs = range.spec.iter().flat_map(|spec| spec.cidrs.iter().flatten());
    cidrs.filter_map(|cidr| cidr.parse().ok())
}

/// Whether there is an address that only this range has.
fn is_needed(range: &ServiceCIDR, caches: &Caches) -> bool {
    let others: Vec<Arc<ServiceCIDR>> = caches
        .of::<ServiceCIDR>()
        .list()
        .into_iter()
        .filter(|one| one.uid() != range.uid() && !one.deleting())
        .collect();
    let others: Vec<Cidr> = others.iter().flat_map(|one| networks(one)).collect();
    let own: Vec<Cidr> = networks(range).collect();
    let addresses = caches.of::<IPAddress>().list();
    addresses
        .iter()
        .filter_map(|address| address.name().parse::<IpAddr>().ok())
        .any(|ip| own.iter().any(|network| network.contains(ip)) && !others.iter().any(|network| network.contains(ip)))
}

fn with_ready(range: &ServiceCIDR, truth: &str, reason: &str, message: &str, now: Timestamp) -> Option<Action> {
    let mut changed = range.clone();
    let conditions = changed.status.get_or_insert_default().conditions.get_or_insert_default();
    let held = conditions.iter().find(|one| one.type_ == READY);
    if held.is_some_and(|one| one.status == truth && one.reason == reason && one.message == message) {
        return None;
    }
    let since =
        held.filter(|one| one.status == truth).map_or_else(|| time(now), |one| one.last_transition_time.clone());
    conditions.retain(|one| one.type_ != READY);
    conditions.push(Condition {
        type_: READY.to_owned(),
        status: truth.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: None,
        last_transition_time: since,
    });
    Some(write::update(&changed, "status"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, caches, lines};

    fn range(name: &str, cidr: &str, meta: &str) -> String {
        format!(
            "\n---\napiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {{name: {name}, uid: {name}, {meta}}}\nspec: {{cidrs: [{cidr}]}}"
        )
    }

    fn run(yaml: &str, secs: i64) -> String {
        lines(&reconcile(&Key::new("", "r"), &caches(watches, yaml), at(secs)))
    }

    const HELD: &str = "finalizers: [networking.k8s.io/service-cidr-finalizer]";
    const GOING: &str =
        "deletionTimestamp: '1970-01-01T00:01:40Z', finalizers: [networking.k8s.io/service-cidr-finalizer]";
    const ADDRESS: &str =
        "\n---\napiVersion: networking.k8s.io/v1\nkind: IPAddress\nmetadata: {name: 10.1.0.7, uid: i}";

    #[test]
    fn a_range_is_held_and_then_ready() {
        assert!(run(&range("r", "10.1.0.0/24", ""), 100).starts_with("update ServiceCIDR r  "));
        let text = run(&range("r", "10.1.0.0/24", HELD), 100);
        assert!(text.contains(r#""status":"True","type":"Ready""#), "{text}");
    }

    #[test]
    fn a_range_with_addresses_of_its_own_stays() {
        let going = range("r", "10.1.0.0/24", GOING);
        let text = run(&(going.clone() + ADDRESS), 200);
        assert!(text.contains("There are still IPAddresses referencing the ServiceCIDR"), "{text}");
        let covered = going.clone() + ADDRESS + &range("wide", "10.1.0.0/16", HELD);
        assert!(run(&covered, 200).starts_with("update ServiceCIDR r  "));
        assert!(run(&going, 105).contains("again at 110"));
    }
}
