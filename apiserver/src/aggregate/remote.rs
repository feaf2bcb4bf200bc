//! An APIService that leads to a Service.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::RwLock;
use serde_json::Value;
use std::sync::Arc;

const PORT: u16 = 443;

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
    state: RwLock<State>,
}

/// What another server says of itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    /// `APIResourceList`
    pub resources: Value,
    /// Where its OpenAPI v3 document of this version is; `None`: it has none.
    pub openapi: Option<String>,
    /// Of its OpenAPI v2 document what is about the group.
    pub openapi_v2: Option<Arc<Value>>,
}

#[derive(Clone, Default)]
struct State {
    available: bool,
    /// Of the last time that it answered.
    told: Option<Told>,
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
            state: RwLock::default(),
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
        self.state.read().told.as_ref().map(|told| told.resources.clone())
    }

    /// The URL of its OpenAPI v3 document, below this server's as below its own.
    pub(super) fn openapi(&self) -> Option<String> {
        let state = self.state.read();
        state.told.as_ref().filter(|_| state.available)?.openapi.clone()
    }

    pub(super) fn openapi_v2(&self) -> Option<Arc<Value>> {
        let state = self.state.read();
        state.told.as_ref().filter(|_| state.available)?.openapi_v2.clone()
    }

    /// What it said of v2 when its v3 document was this one, whose URL changes with its content.
    pub(super) fn known_v2(&self, openapi: Option<&str>) -> Option<Arc<Value>> {
        let state = self.state.read();
        state.told.as_ref().filter(|told| openapi.is_some() && told.openapi.as_deref() == openapi)?.openapi_v2.clone()
    }

    /// Whether that changed what discovery shows.
    pub(super) fn set(&self, available: bool, told: Option<Told>) -> bool {
        let mut state = self.state.write();
        let changed = state.available != available || (told.is_some() && state.told != told);
        state.available = available;
        if told.is_some() {
            state.told = told;
        }
        changed
    }

    /// The same service as before keeps what is known of it.
    pub(super) fn inherit(&self, old: &Self) {
        if (&self.ns, &self.service, self.port) == (&old.ns, &old.service, old.port) {
            *self.state.write() = old.state.read().clone();
        }
    }
}
