//! `/flagz`: with which flags the process was started, those that were not typed included.
//! k8s: component-base's zpages/flagz

use super::zpage;
use axum::body::Body;
use http::Response;
use parking_lot::RwLock;
use serde_json::json;
use std::collections::BTreeMap;

const KIND: &str = "Flagz";

/// Flags and their values; none where nobody has told them, as in tests.
#[derive(Default)]
pub struct Flagz {
    flags: RwLock<BTreeMap<String, String>>,
}

impl Flagz {
    pub fn set(&self, flags: BTreeMap<String, String>) {
        *self.flags.write() = flags;
    }

    pub(super) fn respond(&self, accept: &str) -> Response<Body> {
        zpage::respond(accept, KIND, || self.text(), || json!({"flags": *self.flags.read()}))
    }

    /// k8s: with a separator by chance, so that nobody parses it; here it is one of those
    fn text(&self) -> String {
        let lines: String = self.flags.read().iter().map(|(flag, value)| format!("{flag}={value}\n")).collect();
        zpage::heading("flagz") + &lines
    }
}
