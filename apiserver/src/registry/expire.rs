//! Events are kept for an hour. Everything else lives until somebody deletes it.
//! k8s: `--event-ttl`, there a lease of etcd.

use super::{Registry, metadata};
use crate::cache::ROOT;
use crate::error::ApiError;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use store::{Expect, RangeRequest, Rest, TXN_WRITES_MAX, TxnError, Write};

const EVENT_LIFE: SignedDuration = SignedDuration::from_hours(1);
const EVENTS: &str = "events/";
/// Entries looked at together; bounds the memory of a sweep.
const PAGE: usize = 500;

impl Registry {
    /// Deletes the events that are over. Costs a walk over all events: to be called every few minutes.
    pub async fn expire_events(&self) -> Result<usize, ApiError> {
        let now = self.now();
        let mut gone = 0;
        let mut after = None;
        loop {
            let request =
                RangeRequest { prefix: format!("{ROOT}{EVENTS}"), after, limit: PAGE, at: None, rest: Rest::Whether };
            let page = self.store.range(request).await?;
            let old = page.entries.iter().filter(|entry| {
                let event: Value = serde_json::from_slice(&entry.value).unwrap_or_default();
                is_over(&event, now)
            });
            let writes: Vec<Write> = old
                .map(|entry| Write { key: entry.key.to_string(), expect: Expect::Rev(entry.mod_rev), value: None })
                .collect();
            for batch in writes.chunks(TXN_WRITES_MAX) {
                match self.store.txn(batch.to_vec()).await {
                    Ok(_) => gone += batch.len(),
                    // One of them happened again just now; the next sweep takes the others.
                    Err(TxnError::Conflict { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            match page.entries.last() {
                Some(last) if page.remaining > 0 => after = Some(last.key.to_string()),
                _ => return Ok(gone),
            }
        }
    }
}

/// The last time that the event is known to have happened is long ago.
fn is_over(event: &Value, now: Timestamp) -> bool {
    let times = ["/lastTimestamp", "/deprecatedLastTimestamp", "/series/lastObservedTime", "/eventTime"];
    let given = times.iter().filter_map(|at| event.pointer(at)?.as_str());
    let last = given
        .chain([metadata::text(event, "creationTimestamp")])
        .filter_map(|text| text.parse::<Timestamp>().ok())
        .max();
    last.is_some_and(|last| now.duration_since(last) > EVENT_LIFE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_that_goes_on_lives_on() {
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let event =
            |last: &str| json!({"metadata": {"creationTimestamp": "2026-01-01T10:00:00Z"}, "lastTimestamp": last});
        assert!(is_over(&event("2026-01-01T10:59:59Z"), now));
        assert!(!is_over(&event("2026-01-01T11:30:00Z"), now));
        assert!(!is_over(&json!({}), now), "an event without a time is left alone");
    }
}
