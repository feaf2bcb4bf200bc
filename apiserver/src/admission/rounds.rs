//! Who is asked again because the object changed after them. k8s: `reinvocationcontext.go`, of webhooks and of policies

use serde_json::Value;
use std::collections::HashSet;

/// The rounds of one mutating plugin in one operation.
#[derive(Default)]
pub(super) struct Rounds {
    /// Asked since the last change, and willing to be asked again.
    asked: HashSet<String>,
    /// The object changed after these were asked.
    stale: HashSet<String>,
    /// What the plugin left behind in the first round.
    left: Option<Value>,
    second: bool,
    changed: bool,
}

impl Rounds {
    /// The plugin's turn comes: what changed in between makes all of its own stale.
    pub(super) fn begin(&mut self, object: &Value) {
        if self.second && self.left.take().is_some_and(|left| left != *object) {
            self.stale.extend(self.asked.drain());
        }
    }

    /// Its turn ends.
    pub(super) fn end(&mut self, object: &Value) {
        if !self.second && !self.asked.is_empty() {
            self.left = Some(object.clone());
        }
        self.second = true;
    }

    /// Whether this one is asked in this round.
    pub(super) fn is_due(&self, id: &str) -> bool {
        !self.second || self.stale.contains(id)
    }

    /// It was asked, and wants to see later changes.
    pub(super) fn asked_again(&mut self, id: &str) {
        self.asked.insert(id.to_owned());
    }

    /// Somebody changed the object.
    pub(super) fn changed(&mut self) {
        self.changed = true;
        self.stale.extend(self.asked.drain());
    }

    /// Whether anybody changed the object, so that everybody sees it again.
    pub(super) fn any_changed(&self) -> bool {
        self.changed
    }
}
