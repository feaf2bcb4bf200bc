//! What the cluster is told: a class for those who name none, and in each Ingress's status where it is reached.

use crate::Routes;
use crate::compile::CONTROLLER;
use client::cache::Tracked as _;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const CLASS: &str = "drover";
/// Before another try at a write that failed.
const RETRY: Duration = Duration::from_secs(5);

/// Makes the class where there is none of its name; what people made of it stays.
pub(crate) async fn class(client: &kube::Client) {
    let classes: Api<IngressClass> = Api::all(client.clone());
    let wanted: IngressClass = serde_json::from_value(json!({
        "metadata": {"name": CLASS, "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
        "spec": {"controller": CONTROLLER},
    }))
    .expect("the class has its kind's form");
    loop {
        match classes.create(&PostParams::default(), &wanted).await {
            Ok(_) => return,
            Err(kube::Error::Api(status)) if status.code == 409 => return,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot make the IngressClass; will try again"
                );
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Keeps the statuses of our Ingresses; ends with the routes.
pub(crate) async fn statuses(client: &kube::Client, addresses: &[IpAddr], mut routes: Routes) {
    let wanted: Value = addresses.iter().map(|ip| json!({"ip": ip})).collect();
    loop {
        let ours = Arc::clone(&routes.borrow_and_update());
        let mut failed = false;
        for ingress in ours.ours.iter().filter(|ingress| !says(ingress, addresses) && !ingress.deleting()) {
            let api: Api<Ingress> = Api::namespaced(client.clone(), ingress.ns());
            let patch = Patch::Merge(json!({
                // The object that was seen, not one that took its name.
                "metadata": {"uid": ingress.uid()},
                "status": {"loadBalancer": {"ingress": wanted}},
            }));
            if let Err(error) = api.patch_status(ingress.name(), &PatchParams::default(), &patch).await {
                tracing::debug!(error = &error as &dyn std::error::Error, name = ingress.name(), "status not written");
                failed = true;
            }
        }
        let changed = routes.changed();
        let ended = if failed {
            tokio::time::timeout(RETRY, changed).await.is_ok_and(|changed| changed.is_err())
        } else {
            changed.await.is_err()
        };
        if ended {
            return;
        }
    }
}

fn says(ingress: &Ingress, addresses: &[IpAddr]) -> bool {
    let balancer = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let said = balancer.iter().flat_map(|balancer| balancer.ingress.iter().flatten());
    let said: Vec<Option<IpAddr>> = said.map(|point| point.ip.as_deref().and_then(|ip| ip.parse().ok())).collect();
    said == addresses.iter().copied().map(Some).collect::<Vec<_>>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_written_only_where_it_says_something_else() {
        let ours: Vec<IpAddr> = vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        for (said, same) in [
            (json!([{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}]), true),
            (json!([{"ip": "192.0.2.1"}]), false),
            (json!([{"ip": "192.0.2.1"}, {"hostname": "example.com"}]), false),
            (json!(null), false),
        ] {
            let ingress = json!({"metadata": {}, "status": {"loadBalancer": {"ingress": said}}});
            assert_eq!(says(&serde_json::from_value(ingress).unwrap(), &ours), same, "{said}");
        }
    }
}
