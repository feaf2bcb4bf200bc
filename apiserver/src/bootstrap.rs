//! The objects that a cluster has from its first second: namespaces, priority classes, roles, the service range, and the
//! Service by which pods reach this API server.
//!
//! Everything goes through the API server's own router, as `system:apiserver`: authentication, admission and validation
//! see these writes like any other. Idempotent; one LIST a collection at the start, then only the writes that are missing.

mod api;
mod api_services;
mod objects;
pub mod rbac;
mod reconcile;

pub use api::{Api, BootstrapError};
pub use objects::{Membership, Params};

use futures::stream::{StreamExt, TryStreamExt};
use reconcile::{Step, plan};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Writes in flight: enough to share the store's group commits, few enough not to crowd out other requests.
const WRITES_IN_FLIGHT: usize = 32;
/// k8s: the reconciler of the Service `kubernetes` looks as often.
const KEEP_EVERY: Duration = Duration::from_secs(10);
/// Another API server may start at the same time; its writes make ours conflict.
const ATTEMPTS_MAX: usize = 5;

/// Namespaces and cluster-scoped objects first, because the rest lives in those namespaces.
pub async fn run(api: &Api, params: &Params) -> Result<(), BootstrapError> {
    for wave in [objects::cluster_scoped(params), objects::namespaced(params)] {
        converge(api, &wave).await?;
    }
    Ok(())
}

/// Leads clients to these API servers and no others, and names to the DNS servers beside them.
pub async fn announce(api: &Api, params: &Params, living: &[IpAddr]) -> Result<(), BootstrapError> {
    for wanted in objects::living_servers(params, living) {
        let found = api.list(&wanted.collection).await?;
        let observed = reconcile::Observed::from([(wanted.collection.clone(), found)]);
        for step in plan(std::slice::from_ref(&wanted), &observed) {
            execute(api, &step).await?;
        }
    }
    let slices = api.list(DNS_SLICES).await?;
    for slice in slices.values().filter(|slice| is_of_lost_machine(slice, living)) {
        api.delete(DNS_SLICES, slice).await?;
    }
    Ok(())
}

const DNS_SLICES: &str = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices";

/// Those on nodes go with their nodes; those on servers' machines have nobody else who looks after them.
fn is_of_lost_machine(slice: &Value, living: &[IpAddr]) -> bool {
    let label = slice.pointer("/metadata/labels/endpointslice.kubernetes.io~1managed-by");
    let address = slice.pointer("/endpoints/0/addresses/0").and_then(Value::as_str);
    let address = address.and_then(|address| address.parse().ok());
    label.is_some_and(|label| label == "dns.drover")
        && slice.pointer("/metadata/ownerReferences").is_none()
        && address.is_some_and(|address| !living.contains(&address))
}

/// Puts back what the cluster cannot do without, should somebody delete or change it, until `drain`. `at_hand` is what the
/// watch cache shows at a path: mostly nothing is to be done, and an idle server should not keep itself busy with requests.
pub async fn keep(api: Api, params: Params, at_hand: impl Fn(&str) -> Option<Value>, drain: CancellationToken) {
    let wanted = objects::indispensable(&params);
    loop {
        tokio::select! {
            () = drain.cancelled() => return,
            () = tokio::time::sleep(KEEP_EVERY) => {}
        }
        // One by one: a namespace that is still going must not keep the Service `kubernetes` from coming back.
        for one in &wanted {
            let found = at_hand(&api::path_of(&one.collection, &one.object));
            if found.is_some() && is_as_wanted(one, found) {
                continue;
            }
            if let Err(error) = put_back(&api, one).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "cannot put back yet");
            }
        }
    }
}

/// Reads that one object and no collection: whole namespaces may be long.
async fn put_back(api: &Api, wanted: &objects::Wanted) -> Result<(), BootstrapError> {
    let found = api.get(&wanted.collection, &wanted.object).await?;
    if is_as_wanted(wanted, found) { Ok(()) } else { converge(api, std::slice::from_ref(wanted)).await }
}

fn is_as_wanted(wanted: &objects::Wanted, found: Option<Value>) -> bool {
    let named = found.and_then(|found| Some((api::name(&found)?.to_owned(), found)));
    let observed = reconcile::Observed::from([(wanted.collection.clone(), named.into_iter().collect())]);
    plan(std::slice::from_ref(wanted), &observed).is_empty()
}

async fn converge(api: &Api, wanted: &[objects::Wanted]) -> Result<(), BootstrapError> {
    let mut attempt = 1;
    loop {
        let steps = plan(wanted, &observe(api, wanted).await?);
        let writes = futures::stream::iter(steps.into_iter().map(|step| async move { execute(api, &step).await }));
        let outcome: Result<Vec<()>, BootstrapError> = writes.buffer_unordered(WRITES_IN_FLIGHT).try_collect().await;
        match outcome {
            Ok(_) => return Ok(()),
            Err(BootstrapError::Conflict { .. }) if attempt < ATTEMPTS_MAX => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Existing objects by collection and name.
async fn observe(api: &Api, wanted: &[objects::Wanted]) -> Result<reconcile::Observed, BootstrapError> {
    let collections: BTreeSet<String> = wanted.iter().map(|wanted| wanted.collection.clone()).collect();
    let lists = collections.into_iter().map(|collection| async move {
        let found: BTreeMap<String, Value> = api.list(&collection).await?;
        Ok::<_, BootstrapError>((collection, found))
    });
    futures::future::try_join_all(lists).await.map(|lists| lists.into_iter().collect())
}

async fn execute(api: &Api, step: &Step) -> Result<(), BootstrapError> {
    match step {
        Step::Create { collection, object } => api.create(collection, object).await,
        Step::Update { collection, object } => api.update(collection, object).await,
        Step::Recreate { collection, object } => {
            api.delete(collection, object).await?;
            api.create(collection, object).await
        }
    }
}
