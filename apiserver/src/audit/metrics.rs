//! How many events there were, and how many nobody will read, under upstream's names.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Plugin {
    plugin: &'static str,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    events: Counter,
    lost: Family<Plugin, Counter>,
}

impl Metrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("apiserver_audit_event", "Audit events that were made", self.events.clone());
        registry.register("apiserver_audit_error", "Audit events that a backend has lost", self.lost.clone());
    }

    pub(super) fn event(&self) {
        self.events.inc();
    }

    /// `buffered`: there was no room; `log` and `webhook`: they could not be written.
    pub(super) fn lost(&self, plugin: &'static str, count: u64) {
        self.lost.get_or_create(&Plugin { plugin }).inc_by(count);
    }
}
