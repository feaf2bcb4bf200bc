//! How often a changed file came into force, when it did last, and which content does, under upstream's names.
//! k8s: `apiserver/pkg/server/options/{authentication,authorization}config/metrics`

use client::clock::Clock;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use sha2::{Digest, Sha256};
use std::sync::Arc;

type Labels = [(&'static str, String); 2];

/// Of one file.
#[derive(Clone)]
pub(crate) struct Reloads {
    /// The word in the metrics' names.
    about: &'static str,
    server: String,
    clock: Arc<dyn Clock>,
    count: Family<Labels, Counter>,
    last: Family<Labels, Gauge>,
    content: Family<Labels, Gauge>,
}

impl Reloads {
    /// `server` is the name by which an API server is known.
    pub(crate) fn new(about: &'static str, server: &str, clock: &Arc<dyn Clock>) -> Self {
        let (count, last, content) = Default::default();
        Self { about, server: hash(server), clock: Arc::clone(clock), count, last, content }
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        let about = registry.sub_registry_with_prefix(format!("apiserver_{}_config_controller", self.about));
        about.register("automatic_reloads", "Changed configurations by what became of them", self.count.clone());
        let help = "Time of the last changed configuration by what became of it";
        about.register("automatic_reload_last_timestamp_seconds", help, self.last.clone());
        about.register("last_config_info", "Hash of the configuration in force", self.content.clone());
    }

    /// What is in force from now on.
    pub(crate) fn in_force(&self, text: &str) {
        self.content.clear();
        let labels = [("apiserver_id_hash", self.server.clone()), ("hash", hash(text))];
        self.content.get_or_create(&labels).set(1);
    }

    pub(super) fn taken(&self, text: &str) {
        self.ended("success");
        self.in_force(text);
    }

    pub(super) fn refused(&self) {
        self.ended("failure");
    }

    fn ended(&self, status: &str) {
        let labels = [("status", status.to_owned()), ("apiserver_id_hash", self.server.clone())];
        self.count.get_or_create(&labels).inc();
        self.last.get_or_create(&labels).set(self.clock.now().as_second());
    }
}

fn hash(text: &str) -> String {
    format!("sha256:{}", crate::publish::hex(&Sha256::digest(text)).to_lowercase())
}
