//! The API servers of one store: each says now and then that it lives, and all of them lead clients in pods to the living
//! ones only. k8s: `pkg/controlplane/reconcilers/lease.go`
//!
//! Clocks of servers need not agree: one lives while its mark changes, on the clock of who looks.

mod lease;

pub(crate) use lease::ServerLease;

use crate::bootstrap::{self, Api, BootstrapError, Params};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use store::{Expect, RangeRequest, ReadError, Rest, Rev, Store, TxnError, Write};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Outside of `/registry`, so that no request reaches it.
const PREFIX: &str = "/drover/servers/";
const MARK_EVERY: Duration = Duration::from_secs(2);
/// A server whose mark has not changed for so long is gone.
const SILENT_MAX: Duration = Duration::from_secs(7);
/// More servers than anybody runs; the list is read every two seconds.
const SERVERS_MAX: usize = 100;

#[derive(Debug, thiserror::Error)]
enum MembersError {
    #[error("cannot read the marks of the API servers")]
    Read(#[from] ReadError),
    #[error("cannot write this API server's mark")]
    Write(#[from] TxnError),
    #[error("cannot announce the API servers")]
    Announce(#[from] BootstrapError),
}

pub(crate) struct Members {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) api: Api,
    pub(crate) params: Params,
}

/// The last mark of each server, and when it was first seen.
type Seen = BTreeMap<IpAddr, (Rev, Instant)>;

/// Until `drain`.
pub(crate) async fn keep(members: Members, drain: CancellationToken) {
    let mut seen = Seen::new();
    let mut announced = BTreeSet::new();
    loop {
        if let Err(error) = members.round(&mut seen, &mut announced).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot look after the addresses of the API servers"
            );
        }
        tokio::select! {
            () = drain.cancelled() => break,
            () = tokio::time::sleep(MARK_EVERY) => {}
        }
    }
    if let Err(error) = members.leave().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "this API server's address stays until others notice");
    }
}

impl Members {
    fn own(&self) -> IpAddr {
        self.params.advertise
    }

    async fn round(&self, seen: &mut Seen, announced: &mut BTreeSet<IpAddr>) -> Result<(), MembersError> {
        let key = format!("{PREFIX}{}", self.own());
        let mark = Write { key, expect: Expect::Any, value: Some(Bytes::from_static(b"alive")) };
        self.store.txn(vec![mark]).await?;
        let all =
            RangeRequest { prefix: PREFIX.to_owned(), after: None, limit: SERVERS_MAX, at: None, rest: Rest::Whether };
        let now = Instant::now();
        let page = self.store.range(all).await?;
        let marks = page
            .entries
            .iter()
            .filter_map(|entry| Some((entry.key.strip_prefix(PREFIX)?.parse::<IpAddr>().ok()?, entry.mod_rev)));
        let living = living(marks, seen, now);
        if living != *announced {
            let addresses: Vec<IpAddr> = living.iter().copied().collect();
            bootstrap::announce(&self.api, &self.params, &addresses).await?;
            tracing::info!(servers = ?addresses, "API servers that live");
            *announced = living;
        }
        Ok(())
    }

    /// Takes the mark away; the others see that with their next look.
    async fn leave(&self) -> Result<(), MembersError> {
        let key = format!("{PREFIX}{}", self.own());
        self.store.txn(vec![Write { key, expect: Expect::Any, value: None }]).await?;
        Ok(())
    }
}

/// Servers whose mark has changed lately.
fn living(marks: impl Iterator<Item = (IpAddr, Rev)>, seen: &mut Seen, now: Instant) -> BTreeSet<IpAddr> {
    let mut living = BTreeSet::new();
    let mut next = Seen::new();
    for (ip, rev) in marks {
        let since = seen.get(&ip).filter(|known| known.0 == rev).map_or(now, |known| known.1);
        next.insert(ip, (rev, since));
        if now.duration_since(since) < SILENT_MAX {
            living.insert(ip);
        }
    }
    *seen = next;
    living
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_lives_while_its_mark_changes() {
        let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let start = Instant::now();
        let mut seen = Seen::new();
        let mut look =
            |marks: [(IpAddr, Rev); 2], secs| living(marks.into_iter(), &mut seen, start + Duration::from_secs(secs));
        assert_eq!(look([(a, 1), (b, 2)], 0), [a, b].into());
        assert_eq!(look([(a, 3), (b, 2)], 6), [a, b].into());
        assert_eq!(look([(a, 4), (b, 2)], 8), [a].into());
        assert_eq!(look([(a, 5), (b, 6)], 9), [a, b].into());
    }
}
