//! Deletes PodCertificateRequests: whatever became of them, the node that asked has taken it in by then.
//! k8s: `controller/certificates/cleaner`, PCRCleanerController

use crate::write;
use client::action::{Action, Key};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::v1::PodCertificateRequest;
use kinds::moment::later;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "podcertificaterequest-cleaner",
    watches,
    reconcile: Reconcile::Cached(reconcile),
    refused: None,
};

/// Every request is decided sooner.
const KEPT: SignedDuration = SignedDuration::from_mins(15);

fn watches(watches: &mut Watches) {
    watches.primary::<PodCertificateRequest>();
}

fn reconcile(key: &Key, caches: &Caches, now: Timestamp) -> Vec<Action> {
    let Some(request) = caches.of::<PodCertificateRequest>().get(&key.ns, &key.name) else { return Vec::new() };
    if request.deleting() {
        return Vec::new();
    }
    let Some(created) = request.metadata.creation_timestamp.as_ref() else { return Vec::new() };
    let end = later(created.0, KEPT);
    if end <= now { vec![write::delete(request.as_ref())] } else { vec![Action::RequeueAt(end)] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, caches, lines};

    #[test]
    fn requests_are_kept_for_a_quarter_of_an_hour() {
        let yaml = "apiVersion: certificates.k8s.io/v1\nkind: PodCertificateRequest\n\
             metadata: {name: r, namespace: shop, creationTimestamp: '1970-01-01T00:00:00Z'}\n\
             spec: {signerName: a.b/c, podName: p, podUID: u, serviceAccountName: s, serviceAccountUID: u, nodeName: n, nodeUID: u, stubPKCS10Request: eA==}";
        let run = |now: i64| lines(&reconcile(&Key::new("shop", "r"), &caches(watches, yaml), at(now)));
        assert_eq!(run(10), "again at 900\n");
        assert_eq!(run(900), "delete PodCertificateRequest r\n");
    }
}
