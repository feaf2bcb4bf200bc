//! Nodes renew leases so that it is known that they live, and nobody waits for the answer. A thousand nodes make a
//! hundred such writes a second, and each by itself costs the store a sync, ten times what the write costs: those that
//! come within the same short while are written together.

use super::Call;
use kinds::row::Row;
use std::time::Duration;
use store::Expect;
use tokio::time::Instant;

/// Far below any time after which a node counts as lost, and long enough for ten of 5,000 nodes.
const TOGETHER: Duration = Duration::from_millis(20);

const GROUP: &str = "coordination.k8s.io";
const NAMESPACE: &str = "kube-node-lease";

/// What all heartbeats of a server take their time from.
pub(super) struct Heartbeats {
    since: Instant,
}

impl Heartbeats {
    pub(super) fn new() -> Self {
        Self { since: Instant::now() }
    }

    /// Lets a heartbeat wait for those that come soon after it; anything else goes at once.
    pub(super) async fn gather(&self, call: &Call<'_>, expect: Expect) {
        if is_heartbeat(call.row(), call.ns, expect) {
            tokio::time::sleep_until(next(self.since, Instant::now())).await;
        }
    }
}

/// The first lease of a node is waited for: the node is not there before.
fn is_heartbeat(row: &Row, namespace: &str, expect: Expect) -> bool {
    namespace == NAMESPACE && row.group == GROUP && row.plural == "leases" && matches!(expect, Expect::Rev(_))
}

/// The end of the while in which `now` is.
fn next(since: Instant, now: Instant) -> Instant {
    let whiles = now.duration_since(since).as_nanos() / TOGETHER.as_nanos() + 1;
    since + TOGETHER * u32::try_from(whiles).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeats_of_the_same_while_go_at_its_end() {
        let since = Instant::now();
        let at = |millis| next(since, since + Duration::from_millis(millis)).duration_since(since).as_millis();
        assert_eq!([at(0), at(1), at(19), at(20), at(21), at(1_000_007)], [20, 20, 20, 40, 40, 1_000_020]);
    }

    #[test]
    fn only_what_renews_a_nodes_lease_may_wait() {
        let of = |group, plural| kinds::table::find(group, "v1", plural).expect("a kind of every cluster").row();
        let (leases, pods) = (of(GROUP, "leases"), of("", "pods"));
        assert!(is_heartbeat(leases, NAMESPACE, Expect::Rev(7)));
        assert!(!is_heartbeat(leases, NAMESPACE, Expect::Absent), "the node is not there before");
        assert!(!is_heartbeat(leases, "kube-system", Expect::Rev(7)), "who leads is waited for");
        assert!(!is_heartbeat(pods, NAMESPACE, Expect::Rev(7)));
    }
}
