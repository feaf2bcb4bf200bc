//! An APIService that leads to a Service.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use parking_lot::RwLock;
use serde_json::Value;
use std::sync::Arc;

const PORT: u16 = 443;
/// Whole OpenAPI v2 documents are large, and where there is no v3 nothing says that one has changed.
const V2_EVERY: SignedDuration = SignedDuration::from_mins(5);

pub(crate) struct Remote {
    /// `v1alpha1.wardle.example.com`
    pub name: String,
    pub group: String,
    pub version: String,
    pub ns: String,
    pub service: String,
    pub port: u16,
    pub ca_pem: Option<Vec<u8>>,
    pub insecure: bool,
    /// The object, for its status.
    pub uid: String,
    state: Arc<RwLock<State>>,
}

/// What became of a document that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Read<T> {
    Has(T),
    HasNone,
    /// It did not say; what is known of it stays.
    Failed,
}

/// What is known of the server: all of the last time that it said so.
#[derive(Default)]
struct State {
    available: bool,
    /// `APIResourceList`
    resources: Option<Value>,
    /// Where its OpenAPI v3 document of this version is; `None`: it has none.
    openapi: Option<String>,
    /// Of its OpenAPI v2 document what is about the group.
    openapi_v2: Option<Arc<Value>>,
    /// When that is to be read; `None`: now.
    v2_next: Option<Timestamp>,
}

impl Remote {
    /// `None`: the APIService is a local one.
    pub(super) fn of(api_service: &Value) -> Option<Self> {
        let spec = &api_service["spec"];
        let service = spec.get("service").filter(|service| service.is_object())?;
        let text = |tree: &Value, field: &str| tree[field].as_str().unwrap_or_default().to_owned();
        let bundle = STANDARD.decode(spec["caBundle"].as_str().unwrap_or_default()).unwrap_or_default();
        Some(Self {
            name: text(&api_service["metadata"], "name"),
            group: text(spec, "group"),
            version: text(spec, "version"),
            ns: text(service, "namespace"),
            service: text(service, "name"),
            port: service["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or(PORT),
            ca_pem: (!bundle.is_empty()).then_some(bundle),
            insecure: spec["insecureSkipTLSVerify"] == true,
            uid: text(&api_service["metadata"], "uid"),
            state: Arc::default(),
        })
    }

    /// Its name in TLS and in `Host`.
    pub(super) fn host(&self) -> String {
        format!("{}.{}.svc", self.service, self.ns)
    }

    pub(super) fn path(&self) -> String {
        format!("/apis/{}/{}", self.group, self.version)
    }

    pub(super) fn is_available(&self) -> bool {
        self.state.read().available
    }

    pub(super) fn resources(&self) -> Option<Value> {
        self.state.read().resources.clone()
    }

    /// The URL of its OpenAPI v3 document, below this server's as below its own.
    pub(super) fn openapi(&self) -> Option<String> {
        let state = self.state.read();
        state.openapi.clone().filter(|_| state.available)
    }

    pub(super) fn openapi_v2(&self) -> Option<Arc<Value>> {
        let state = self.state.read();
        state.openapi_v2.clone().filter(|_| state.available)
    }

    /// Whether it can be reached, and what it serves where it said so. Whether that changed what discovery shows.
    pub(super) fn set(&self, available: bool, resources: Option<Value>) -> bool {
        let mut state = self.state.write();
        let changed = state.available != available || (resources.is_some() && state.resources != resources);
        state.available = available;
        if resources.is_some() {
            state.resources = resources;
        }
        if changed {
            state.v2_next = None;
        }
        changed
    }

    /// Takes where its v3 document is. Whether that was not known.
    pub(super) fn set_openapi(&self, read: Read<String>) -> bool {
        let mut state = self.state.write();
        let openapi = match read {
            Read::Has(place) => Some(place),
            Read::HasNone => None,
            Read::Failed => return false,
        };
        let changed = state.openapi != openapi;
        if changed {
            // The URL changes with the content, which v2 says in other words.
            state.v2_next = None;
        }
        state.openapi = openapi;
        changed
    }

    /// Whether its v2 document may be another than what is known.
    pub(super) fn wants_v2(&self, now: Timestamp) -> bool {
        self.state.read().v2_next.is_none_or(|next| next <= now)
    }

    /// Takes its v2 document. Whether that changed what is known.
    pub(super) fn set_v2(&self, read: Read<Value>, now: Timestamp) -> bool {
        let mut state = self.state.write();
        let is_told_of_changes = state.openapi.is_some() && read != Read::Failed;
        state.v2_next = Some(if is_told_of_changes {
            Timestamp::MAX
        } else {
            now.saturating_add(V2_EVERY).unwrap_or(Timestamp::MAX)
        });
        let openapi_v2 = match read {
            Read::Has(document) => Some(Arc::new(document)),
            Read::HasNone => None,
            Read::Failed => return false,
        };
        let changed = state.openapi_v2 != openapi_v2;
        state.openapi_v2 = openapi_v2;
        changed
    }

    /// The same service as before keeps what is known of it, also what is being read now.
    pub(super) fn inherit(&mut self, old: &Self) {
        if (&self.ns, &self.service, self.port) == (&old.ns, &old.service, old.port) {
            self.state = Arc::clone(&old.state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn remote() -> Remote {
        Remote::of(&json!({"spec": {"group": "g", "version": "v1", "service": {"name": "s", "namespace": "n"}}}))
            .unwrap()
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    #[test]
    fn the_v2_document_is_read_again_when_something_changed_and_without_v3_after_minutes() {
        let remote = remote();
        assert!(remote.set(true, Some(json!(["a"]))) && remote.wants_v2(at(0)));
        assert!(remote.set_v2(Read::Has(json!(1)), at(0)));
        assert_eq!(
            (remote.wants_v2(at(4)), remote.wants_v2(at(5))),
            (false, true),
            "without v3 nothing says that it changed"
        );
        assert!(!remote.set(true, Some(json!(["a"]))) && !remote.wants_v2(at(4)));
        assert!(remote.set(true, Some(json!(["b"]))) && remote.wants_v2(at(4)), "it serves something else");
        remote.set_v2(Read::Has(json!(1)), at(4));
        assert!(remote.set_openapi(Read::Has("?hash=1".to_owned())) && remote.wants_v2(at(4)));
        remote.set_v2(Read::Has(json!(1)), at(4));
        assert!(!remote.set_openapi(Read::Has("?hash=1".to_owned())) && !remote.wants_v2(at(9_000)));
        assert!(remote.set_openapi(Read::Has("?hash=2".to_owned())) && remote.wants_v2(at(4)));
        remote.set_v2(Read::Failed, at(4));
        assert_eq!((remote.wants_v2(at(8)), remote.wants_v2(at(9))), (false, true), "it may answer later");
    }

    #[test]
    fn documents_that_cannot_be_read_stay_as_they_were() {
        let remote = remote();
        remote.set(true, Some(json!([])));
        remote.set_openapi(Read::Has("?hash=1".to_owned()));
        remote.set_v2(Read::Has(json!(1)), at(0));
        assert!(!remote.set_openapi(Read::Failed) && !remote.set_v2(Read::Failed, at(0)));
        assert_eq!((remote.openapi().as_deref(), remote.openapi_v2()), (Some("?hash=1"), Some(Arc::new(json!(1)))));
        assert!(remote.set(false, None) && remote.openapi().is_none() && remote.openapi_v2().is_none());
        assert!(remote.set(true, Some(json!([]))) && remote.openapi_v2().is_some(), "it is back");
        assert!(remote.set_openapi(Read::HasNone) && remote.set_v2(Read::HasNone, at(0)));
        assert_eq!((remote.openapi(), remote.openapi_v2()), (None, None));
    }
}
