//! Which events are new, which are repeats, and which are too many. Sans-io, bounded.

use crate::action::Event;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// Remembered events and objects; beyond it the oldest half is forgotten and repeats start new counts (k8s: 4096).
const REMEMBERED_MAX: usize = 4096;
/// Different messages for one object and reason within [`SIMILAR_WINDOW`] before they are combined (k8s: 10 in 600 s).
const SIMILAR_MAX: usize = 10;
const SIMILAR_WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Events about one object: a burst, then one each five minutes (k8s: 25, 1/300 s).
const BURST: f64 = 25.0;
const REFILL_PER_SEC: f64 = 1.0 / 300.0;

/// What to send.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    Create {
        ns: String,
        event: Value,
    },
    /// A repeat: `patch` raises the count; `event` is to be created if the first has expired.
    Count {
        ns: String,
        name: String,
        patch: Value,
        event: Value,
    },
}

impl Write {
    /// Namespace and name of the event.
    pub(super) fn key(&self) -> (String, String) {
        match self {
            Self::Create { ns, event } => {
                (ns.clone(), event["metadata"]["name"].as_str().unwrap_or_default().to_owned())
            }
            Self::Count { ns, name, .. } => (ns.clone(), name.clone()),
        }
    }
}

/// Object, type and reason: events that differ only in their message.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Similar {
    kind: String,
    ns: String,
    name: String,
    uid: String,
    field_path: String,
    type_: &'static str,
    reason: String,
}

struct Seen {
    event_name: String,
    first: Timestamp,
    last: Timestamp,
    count: u32,
}

struct Messages {
    since: Timestamp,
    different: HashSet<String>,
}

struct Budget {
    tokens: f64,
    at: Timestamp,
}

pub struct Correlator {
    component: String,
    instance: String,
    seen: HashMap<(Similar, String), Seen>,
    similar: HashMap<Similar, Messages>,
    budgets: HashMap<(String, String, String), Budget>,
    /// Nanosecond that the last event is named after.
    named_after: i128,
}

impl Correlator {
    pub fn new(component: &str, instance: &str) -> Self {
        Self {
            component: component.to_owned(),
            instance: instance.to_owned(),
            seen: HashMap::new(),
            similar: HashMap::new(),
            budgets: HashMap::new(),
            named_after: i128::MIN,
        }
    }

    /// Takes an event in; `None` when there are too many about its object.
    pub fn take(&mut self, event: &Event, now: Timestamp) -> Option<Write> {
        let similar = similar(event);
        if !self.spend(&similar, now) {
            return None;
        }
        let (message, dedup) = self.combine(&similar, event, now);
        let ns = namespace(event);
        let key = (similar, dedup);
        if let Some(seen) = self.seen.get_mut(&key) {
            seen.count += 1;
            seen.last = now;
            let (name, first, count) = (seen.event_name.clone(), seen.first, seen.count);
            let mut patch = json!({"count": count, "lastTimestamp": seconds(now), "message": message});
            if !event.action.is_empty() {
                patch["series"] = json!({"count": count, "lastObservedTime": micros(now)});
            }
            let event = self.body(event, &message, &name, (first, now), count);
            return Some(Write::Count { ns, name, patch, event });
        }
        // Events about one object that are taken in at one moment have names of their own.
        self.named_after = now.as_nanosecond().max(self.named_after.saturating_add(1));
        let name = event_name(event, self.named_after);
        self.bound();
        self.seen.insert(key, Seen { event_name: name.clone(), first: now, last: now, count: 1 });
        let event = self.body(event, &message, &name, (now, now), 1);
        Some(Write::Create { ns, event })
    }

    /// Takes a token from the object's budget.
    fn spend(&mut self, similar: &Similar, now: Timestamp) -> bool {
        let object = (similar.kind.clone(), similar.ns.clone(), similar.name.clone());
        let budget = self.budgets.entry(object).or_insert(Budget { tokens: BURST, at: now });
        let elapsed = now.duration_since(budget.at).as_secs_f64().max(0.0);
        budget.tokens = (budget.tokens + elapsed * REFILL_PER_SEC).min(BURST);
        budget.at = now;
        if budget.tokens < 1.0 {
            return false;
        }
        budget.tokens -= 1.0;
        true
    }

    /// The message to show and the text by which repeats are recognized.
    fn combine(&mut self, similar: &Similar, event: &Event, now: Timestamp) -> (String, String) {
        let fresh = || Messages { since: now, different: HashSet::new() };
        let messages = self.similar.entry(similar.clone()).or_insert_with(fresh);
        if now.duration_since(messages.since) > SIMILAR_WINDOW {
            *messages = fresh();
        }
        messages.since = now;
        if messages.different.len() < SIMILAR_MAX {
            messages.different.insert(event.message.clone());
        }
        if messages.different.len() < SIMILAR_MAX || messages.different.contains(&event.message) {
            return (event.message.clone(), event.message.clone());
        }
        (format!("(combined from similar events): {}", event.message), String::new())
    }

    fn body(
        &self,
        event: &Event,
        message: &str,
        name: &str,
        (first, last): (Timestamp, Timestamp),
        count: u32,
    ) -> Value {
        let mut body = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace(event)},
            "involvedObject": event.regarding,
            "type": event.type_,
            "reason": event.reason,
            "message": message,
            "source": {"component": self.component},
            "firstTimestamp": seconds(first),
            "lastTimestamp": seconds(last),
            "count": count,
            "reportingComponent": self.component,
            "reportingInstance": "",
        });
        // k8s: only recorders of events.k8s.io give an action, and with it the new fields
        if !event.action.is_empty() {
            body["action"] = json!(event.action);
            body["eventTime"] = json!(micros(first));
            body["reportingInstance"] = json!(format!("{}-{}", self.component, self.instance));
        }
        body
    }

    /// Forgets the older half when there is too much to remember.
    fn bound(&mut self) {
        if self.seen.len() >= REMEMBERED_MAX {
            let mut times: Vec<Timestamp> = self.seen.values().map(|seen| seen.last).collect();
            times.sort_unstable();
            let median = times[times.len() / 2];
            self.seen.retain(|_, seen| seen.last > median);
        }
        if self.similar.len() >= REMEMBERED_MAX {
            self.similar.clear();
        }
        if self.budgets.len() >= REMEMBERED_MAX {
            self.budgets.retain(|_, budget| budget.tokens < BURST - 1.0);
        }
        if self.budgets.len() >= REMEMBERED_MAX {
            self.budgets.clear();
        }
    }
}

fn similar(event: &Event) -> Similar {
    let of = |field: &Option<String>| field.clone().unwrap_or_default();
    Similar {
        kind: of(&event.regarding.kind),
        ns: of(&event.regarding.namespace),
        name: of(&event.regarding.name),
        uid: of(&event.regarding.uid),
        field_path: of(&event.regarding.field_path),
        type_: event.type_,
        reason: event.reason.to_string(),
    }
}

/// Events about cluster-scoped objects live in `default`.
fn namespace(event: &Event) -> String {
    let ns = event.regarding.namespace.as_deref().filter(|ns| !ns.is_empty());
    ns.unwrap_or("default").to_owned()
}

/// k8s: the object's name and the time in hexadecimal nanoseconds
fn event_name(event: &Event, nanosecond: i128) -> String {
    format!("{}.{nanosecond:x}", event.regarding.name.as_deref().unwrap_or("unknown"))
}

fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn micros(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ObjectReference;

    fn event(message: &str) -> Event {
        Event {
            regarding: ObjectReference {
                kind: Some("Pod".into()),
                namespace: Some("a".into()),
                name: Some("web".into()),
                ..ObjectReference::default()
            },
            type_: "Warning",
            reason: "BackOff".into(),
            message: message.to_owned(),
            action: "",
        }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    #[test]
    fn a_repeat_raises_the_count_of_the_first() {
        let mut correlator = Correlator::new("kubelet", "n1");
        let Some(Write::Create { event: first, .. }) = correlator.take(&event("x"), at(100)) else {
            panic!("no event")
        };
        let Some(Write::Count { name, patch, .. }) = correlator.take(&event("x"), at(160)) else { panic!("no repeat") };
        assert_eq!(first["metadata"]["name"], name);
        assert_eq!(first["firstTimestamp"], "1970-01-01T00:01:40Z");
        assert_eq!(patch, json!({"count": 2, "lastTimestamp": "1970-01-01T00:02:40Z", "message": "x"}));
    }

    #[test]
    fn events_of_one_moment_have_names_of_their_own() {
        let mut correlator = Correlator::new("kubelet", "n1");
        let names: HashSet<String> = ["x", "y", "z"]
            .iter()
            .filter_map(|message| correlator.take(&event(message), at(100)))
            .map(|write| write.key().1)
            .collect();
        assert_eq!(names.len(), 3);
    }

    #[test]
    fn many_messages_of_one_reason_are_combined() {
        let mut correlator = Correlator::new("kubelet", "n1");
        let messages: Vec<String> = (0..12)
            .filter_map(|i| correlator.take(&event(&format!("m{i}")), at(100)))
            .map(|write| match write {
                Write::Create { event, .. } => event["message"].as_str().unwrap().to_owned(),
                Write::Count { patch, .. } => format!("count {}", patch["message"].as_str().unwrap()),
            })
            .collect();
        assert_eq!(messages[8], "m8");
        assert_eq!(messages[10], "(combined from similar events): m10");
        assert_eq!(messages[11], "count (combined from similar events): m11");
    }

    #[test]
    fn a_flood_about_one_object_is_cut_and_trickles_afterwards() {
        let mut correlator = Correlator::new("kubelet", "n1");
        let written = (0..100).filter(|_| correlator.take(&event("x"), at(100)).is_some()).count();
        assert_eq!(written, 25);
        assert!(correlator.take(&event("x"), at(100 + 299)).is_none());
        assert!(correlator.take(&event("x"), at(100 + 601)).is_some());
    }
}
