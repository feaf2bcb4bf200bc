//! Where a pod's resolver would look next: the rest of its search path, for names below its own namespace that do not exist.
//! Pure but for reading the caches.
//!
//! k8s: CoreDNS, autopath @kubernetes

use crate::question::Question;
use client::cache::{Builder, Caches, WatchOptions};
use hickory_server::proto::rr::Name;
use k8s_openapi::api::core::v1::Pod;
use std::net::IpAddr;
use std::sync::Arc;

const BY_ADDRESS: &str = "pod-address";

/// Declares what [`SearchPaths`] reads.
pub fn watches(builder: &mut Builder, node: &str) {
    let here = WatchOptions { fields: Some(format!("spec.nodeName={node}")), ..WatchOptions::default() };
    builder.watch_with::<Pod>(here);
    builder.index::<Pod>(BY_ADDRESS, addresses);
}

/// The addresses at which nobody else than this pod is, of one whose search path begins with its namespace.
fn addresses(pod: &Pod) -> Vec<String> {
    let (Some(spec), Some(status)) = (&pod.spec, &pod.status) else { return Vec::new() };
    let lives = matches!(status.phase.as_deref(), Some("Pending" | "Running"));
    let own_network = spec.host_network != Some(true);
    let clusters = spec.dns_policy.as_deref().is_none_or(|policy| policy == "ClusterFirst");
    let own_domains = spec.dns_config.as_ref().is_some_and(|config| config.searches.iter().flatten().next().is_some());
    if !lives || !own_network || !clusters || own_domains {
        return Vec::new();
    }
    let mut all: Vec<String> = status.pod_ips.iter().flatten().map(|at| at.ip.clone()).collect();
    all.extend(status.pod_ip.iter().filter(|_| status.pod_ips.is_none()).cloned());
    all
}

pub struct SearchPaths {
    caches: Arc<Caches>,
    /// `cluster.local.`
    domain: Name,
    /// `svc.cluster.local.`, the cluster's domain and those of the node, in the order in which resolvers take them.
    rest: Vec<Name>,
}

impl SearchPaths {
    /// `domains` are the node's own.
    pub fn new(caches: Arc<Caches>, domain: Name, domains: &[String]) -> Self {
        let services = domain.prepend_label("svc").unwrap_or_else(|_| domain.clone());
        let mut rest = vec![services, domain.clone()];
        for own in domains {
            let Ok(mut own) = Name::from_str_relaxed(own) else { continue };
            own.set_fqdn(true);
            if !own.is_root() && !rest.contains(&own) {
                rest.push(own);
            }
        }
        // At last the name as it was given.
        rest.push(Name::root());
        Self { caches, domain, rest }
    }

    /// The names that a client asks for after `name`, in their order; none where it is no pod of ours, or `name` is not the
    /// first that it asks for.
    pub fn after(&self, name: &Name, client: IpAddr) -> Vec<Name> {
        let Some((given, ns)) = self.given(name) else { return Vec::new() };
        let pods = self.caches.of::<Pod>().by_index(BY_ADDRESS, &client.to_string());
        let theirs =
            |pod: &Arc<Pod>| pod.metadata.namespace.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(&ns));
        if !pods.iter().any(theirs) {
            return Vec::new();
        }
        // One that gets too long is none that a resolver would ask for.
        self.rest.iter().filter_map(|domain| given.clone().append_domain(domain).ok()).collect()
    }

    /// `www.example` and `ns` of `www.example.ns.svc.cluster.local.`
    fn given(&self, name: &Name) -> Option<(Name, String)> {
        if !self.domain.zone_of(name) {
            return None;
        }
        let depth = (name.iter().len() - self.domain.iter().len()).checked_sub(2).filter(|depth| *depth > 0)?;
        let parent = Name::from_labels(name.iter().skip(depth)).ok()?;
        let Question::Namespace { ns } = Question::of(&parent, &self.domain) else { return None };
        let mut labels = name.iter().skip(depth + 1);
        let below_services = labels.next().is_some_and(|label| label.eq_ignore_ascii_case(b"svc"));
        let given = Name::from_labels(name.iter().take(depth)).ok()?;
        below_services.then_some((given, ns))
    }
}
