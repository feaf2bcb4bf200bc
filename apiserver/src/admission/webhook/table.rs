//! The cluster's webhooks in the order in which they are asked: by the name of their configuration, then as it lists them.

use super::hook::Hook;
use parking_lot::RwLock;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
pub struct WebhookTable {
    mutating: Ordered,
    validating: Ordered,
}

#[derive(Default)]
struct Ordered {
    by_name: RwLock<BTreeMap<String, Vec<Hook>>>,
    all: RwLock<Arc<[Hook]>>,
}

impl Ordered {
    fn apply(&self, name: &str, configuration: Option<&Value>) {
        let mut by_name = self.by_name.write();
        match configuration {
            Some(configuration) => by_name.insert(name.to_owned(), Hook::of_configuration(configuration)),
            None => by_name.remove(name),
        };
        *self.all.write() = by_name.values().flatten().cloned().collect();
    }
}

impl WebhookTable {
    /// A MutatingWebhookConfiguration came, changed or went.
    pub fn apply_mutating(&self, name: &str, configuration: Option<&Value>) {
        self.mutating.apply(name, configuration);
    }

    /// A ValidatingWebhookConfiguration came, changed or went.
    pub fn apply_validating(&self, name: &str, configuration: Option<&Value>) {
        self.validating.apply(name, configuration);
    }

    pub(super) fn mutating(&self) -> Arc<[Hook]> {
        Arc::clone(&self.mutating.all.read())
    }

    pub(super) fn validating(&self) -> Arc<[Hook]> {
        Arc::clone(&self.validating.all.read())
    }
}
