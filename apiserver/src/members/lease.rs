//! The lease by which an API server says that it is there and who it is: tools count the servers of a cluster by these.
//! k8s: `pkg/controlplane/apiserver/server.go` (APIServerIdentity), `pkg/controlplane/controller/apiserverleasegc`
//!
//! Nobody here looks at them: how the servers of one store know each other is [`super`].

use crate::bootstrap::{Api, BootstrapError};
use crate::registry::create::new_uid;
use client::clock::Clock;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
const IDENTITY: &str = "apiserver.kubernetes.io/identity";
const COMPONENT: &str = "kube-apiserver";
/// k8s: IdentityLeaseRenewIntervalPeriod
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// k8s: IdentityLeaseDurationSeconds
const DURATION_SECONDS: i64 = 3600;
/// Renewals between two looks for leases of servers that are gone. k8s: IdentityLeaseGCPeriod, an hour
const RENEWALS_A_LOOK: u32 = 360;
/// Letters of a name at most that can be a label's value.
const LABEL_MAX: usize = 63;

pub(crate) struct ServerLease {
    api: Api,
    clock: Arc<dyn Clock>,
    hostname: String,
    /// The same after a restart on the same machine.
    name: String,
    /// Another after each restart.
    holder: String,
}

impl ServerLease {
    pub(crate) fn new(api: Api, clock: Arc<dyn Clock>, hostname: &str) -> Self {
        let name = name_of(hostname);
        let holder = format!("{name}_{}", new_uid());
        Self { api, clock, hostname: hostname.to_owned(), name, holder }
    }

    /// Renews it until `drain`, and deletes those that nobody has renewed for their time.
    pub(crate) async fn keep(self, drain: CancellationToken) {
        // Renewals until the next look, which is tried again until it succeeds.
        let mut until_look = 0_u32;
        loop {
            let looks = until_look == 0;
            let done = self.round(looks).await;
            until_look = until_look.saturating_sub(1);
            match done {
                Ok(()) if looks => until_look = RENEWALS_A_LOOK - 1,
                Ok(()) => {}
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::debug!(error, "cannot renew this API server's lease or look for others yet");
                }
            }
            tokio::select! {
                () = drain.cancelled() => return,
                () = tokio::time::sleep(RENEW_EVERY) => {}
            }
        }
    }

    async fn round(&self, looks: bool) -> Result<(), BootstrapError> {
        let now = self.clock.now();
        let wanted = self.renewed(
            json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"name": self.name, "namespace": "kube-system"},
            }),
            now,
        );
        match self.api.get(LEASES, &wanted).await? {
            None => self.api.create(LEASES, &wanted).await?,
            Some(found) => self.api.update(LEASES, &self.renewed(found, now)).await?,
        }
        if looks { self.forget_the_gone(now).await } else { Ok(()) }
    }

    fn renewed(&self, mut lease: Value, now: Timestamp) -> Value {
        lease["metadata"]["labels"][IDENTITY] = COMPONENT.into();
        if self.hostname.len() <= LABEL_MAX {
            lease["metadata"]["labels"]["kubernetes.io/hostname"] = self.hostname.as_str().into();
        }
        let spec = &mut lease["spec"];
        spec["holderIdentity"] = self.holder.as_str().into();
        spec["leaseDurationSeconds"] = DURATION_SECONDS.into();
        spec["renewTime"] = now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string().into();
        lease
    }

    /// Another server may do the same at this moment: what is not there is what was wanted.
    async fn forget_the_gone(&self, now: Timestamp) -> Result<(), BootstrapError> {
        let leases = self.api.list(&format!("{LEASES}?labelSelector={IDENTITY}%3D{COMPONENT}")).await?;
        for lease in leases.values().filter(|lease| is_over(lease, now)) {
            if let Some(found) = self.api.get(LEASES, lease).await?
                && is_over(&found, now)
            {
                match self.api.delete(LEASES, lease).await {
                    Ok(()) | Err(BootstrapError::Refused { status: StatusCode::NOT_FOUND, .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

/// k8s: isLeaseExpired; what says nothing of its time is none of these leases
fn is_over(lease: &Value, now: Timestamp) -> bool {
    let spec = &lease["spec"];
    let renewed = spec["renewTime"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
    let (Some(renewed), Some(seconds)) = (renewed, spec["leaseDurationSeconds"].as_i64()) else { return true };
    now.duration_since(renewed) > SignedDuration::from_secs(seconds)
}

/// k8s: `apiserver/pkg/server/config.go`, APIServerID: two texts with their lengths before them, hashed
fn name_of(hostname: &str) -> String {
    let mut hash = Sha256::new();
    for part in [hostname, COMPONENT] {
        hash.update((part.len() as u16).to_be_bytes());
        hash.update(part);
    }
    format!("apiserver-{}", base32(&hash.finalize()[..16]))
}

/// RFC 4648 in small letters, without the fillers.
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| (byte >> (7 - at % 8)) & 1);
    let group = |start: usize| (start..start + 5).fold(0, |group, at| (group << 1) | bit(at));
    (0..bytes.len() * 8).step_by(5).map(|start| char::from(LETTERS[usize::from(group(start))])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_upstream_s_for_the_host() {
        assert_eq!(base32(b"foobar"), "mzxw6ytboi");
        assert_eq!(base32(b"f"), "my");
        assert_eq!(name_of("test"), "apiserver-54firu2o2wdlqb3yjao2xmrtiq");
    }

    #[test]
    fn a_lease_is_over_when_nobody_renewed_it_for_its_time() {
        let lease = json!({"spec": {"renewTime": "2026-11-20T12:00:00.000000Z", "leaseDurationSeconds": 3600}});
        assert!(!is_over(&lease, "2026-11-20T13:00:00Z".parse().unwrap()));
        assert!(is_over(&lease, "2026-11-20T13:00:01Z".parse().unwrap()));
        assert!(is_over(&json!({"spec": {}}), Timestamp::UNIX_EPOCH));
    }
}
