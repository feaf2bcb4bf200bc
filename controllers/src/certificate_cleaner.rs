//! Deletes certificate requests that nobody will look at again. k8s: `controller/certificates/cleaner`

use crate::write;
use client::action::{Action, Key};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use kinds::moment::later;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "certificatesigningrequest-cleaner",
    watches,
    reconcile: Reconcile::Cached(reconcile),
    refused: None,
};

/// A decision, and the certificate where there is one, can be fetched for so long.
const DECIDED: SignedDuration = SignedDuration::from_hours(1);
/// Somebody should have decided within this time.
const PENDING: SignedDuration = SignedDuration::from_hours(24);

fn watches(watches: &mut Watches) {
    watches.primary::<CertificateSigningRequest>();
}

fn reconcile(key: &Key, caches: &Caches, now: Timestamp) -> Vec<Action> {
    let Some(request) = caches.of::<CertificateSigningRequest>().get("", &key.name) else { return Vec::new() };
    if request.deleting() {
        return Vec::new();
    }
    let Some(end) = end(&request) else { return Vec::new() };
    if end <= now { vec![write::delete(request.as_ref())] } else { vec![Action::RequeueAt(end)] }
}

fn end(request: &CertificateSigningRequest) -> Option<Timestamp> {
    let conditions = request.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut decided =
        conditions.filter(|condition| matches!(condition.type_.as_str(), "Approved" | "Denied" | "Failed"));
    let decided = decided.find_map(|condition| condition.last_update_time.as_ref().map(|time| time.0));
    let created = request.metadata.creation_timestamp.as_ref().map(|time| time.0);
    decided.map(|at| later(at, DECIDED)).or_else(|| created.map(|at| later(at, PENDING)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, caches, lines};

    fn run(status: &str, now: i64) -> String {
        let yaml = format!(
            "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\n\
             metadata: {{name: r, creationTimestamp: '1970-01-01T00:00:00Z'}}\n\
             spec: {{request: eA==, signerName: a.b/c}}\nstatus: {status}"
        );
        lines(&reconcile(&Key::new("", "r"), &caches(watches, &yaml), at(now)))
    }

    #[test]
    fn pending_requests_have_a_day_and_decided_ones_an_hour() {
        assert_eq!(run("{}", 10), "again at 86400\n");
        assert_eq!(run("{}", 86_400), "delete CertificateSigningRequest r\n");
        let denied = "{conditions: [{type: Denied, status: 'True', lastUpdateTime: '1970-01-01T01:00:00Z'}]}";
        assert_eq!(run(denied, 3_600), "again at 7200\n");
        assert_eq!(run(denied, 7_200), "delete CertificateSigningRequest r\n");
    }
}
