//! Asks signers for the certificates of a pod: reads what became of requests, and makes the ones that are due.

use super::{Asked, Credential, key};
use crate::material::Spot;
use crate::node::Node;
use crate::pod::member::{name, namespace, spec, uid};
use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::{PodCertificateRequest, PodCertificateRequestSpec};
use k8s_openapi::api::core::v1::{self as core, Pod, PodCertificateProjection, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Api;
use kube::api::{ListParams, PostParams};
use std::collections::BTreeMap;
use tracing::warn;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read certificate requests of the pod")]
    Read(#[source] Box<kube::Error>),
    #[error("cannot read service account {name}")]
    Account {
        name: String,
        #[source]
        source: Box<kube::Error>,
    },
    #[error("the node's own object is not known yet")]
    NoNode,
    #[error("cannot ask signer {signer} for a certificate")]
    Create {
        signer: String,
        #[source]
        source: Box<kube::Error>,
    },
    #[error(transparent)]
    Key(#[from] key::Error),
}

/// Brings the pod's credentials as far as they get now. The error is that of one whose first request could not be made;
/// the others have gone on.
pub async fn advance(
    node: &Node,
    pod: &Pod,
    wanted: &BTreeMap<Spot, PodCertificateProjection>,
    credentials: &mut BTreeMap<Spot, Credential>,
) -> Result<(), Error> {
    let now = node.clock.now();
    let are_open = credentials.values().any(|credential| credential.request().is_some());
    let requests = if are_open { requests(node, pod).await? } else { BTreeMap::new() };
    let mut outcome = Ok(());
    for (spot, source) in wanted {
        let credential = credentials.entry(spot.clone()).or_default();
        let found = credential.request().and_then(|name| requests.get(name));
        let notes = [credential.settle(found, now), credential.note_if_late(now)];
        for note in notes.into_iter().flatten() {
            node.warn(pod, None, note.reason, note.message);
        }
        if !credential.is_due(now) {
            continue;
        }
        match ask(node, pod, source).await {
            Ok((key, request)) => credential.was_asked(Asked { key, request, at: now }),
            Err(error) if credential.pair().is_ok() => {
                let pod = crate::pod::member::describe(pod);
                warn!(pod, error = &error as &dyn std::error::Error, "cannot ask for the next certificate yet");
                credential.ask_later(now);
            }
            Err(error) => outcome = Err(error),
        }
    }
    outcome
}

/// Those of the pod, by name. Listed by node, as a node may: the API server's other way to know whose they are lags behind.
async fn requests(node: &Node, pod: &Pod) -> Result<BTreeMap<String, PodCertificateRequest>, Error> {
    let api: Api<PodCertificateRequest> = Api::namespaced(node.client.clone(), namespace(pod));
    let of_pod = ListParams::default().fields(&format!("spec.nodeName={},spec.podName={}", node.name, name(pod)));
    let found = api.list(&of_pod).await.map_err(|error| Error::Read(Box::new(error)))?;
    Ok(found.items.into_iter().map(|r| (r.metadata.name.clone().unwrap_or_default(), r)).collect())
}

/// A new key, and a request for a certificate of it: key and name of the request.
async fn ask(node: &Node, pod: &Pod, source: &PodCertificateProjection) -> Result<(String, String), Error> {
    let made = key::make(&source.key_type)?;
    let account = spec(pod).service_account_name.clone().unwrap_or_else(|| "default".to_owned());
    let accounts: Api<ServiceAccount> = Api::namespaced(node.client.clone(), namespace(pod));
    let failed = |source| Error::Account { name: account.clone(), source: Box::new(source) };
    let account_uid = accounts.get(&account).await.map_err(failed)?.metadata.uid.unwrap_or_default();
    let own = node.caches.of::<core::Node>().get("", &node.name).ok_or(Error::NoNode)?;
    let owner = OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        name: name(pod).to_owned(),
        uid: uid(pod).to_owned(),
        ..OwnerReference::default()
    };
    let request = PodCertificateRequest {
        metadata: ObjectMeta {
            generate_name: Some("req-".to_owned()),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: PodCertificateRequestSpec {
            signer_name: source.signer_name.clone(),
            pod_name: name(pod).to_owned(),
            pod_uid: uid(pod).to_owned(),
            service_account_name: account,
            service_account_uid: account_uid,
            node_name: node.name.clone(),
            node_uid: own.metadata.uid.clone().unwrap_or_default(),
            max_expiration_seconds: source.max_expiration_seconds,
            stub_pkc_s10_request: ByteString(made.request),
            unverified_user_annotations: source.user_annotations.clone(),
        },
        status: None,
    };
    let api: Api<PodCertificateRequest> = Api::namespaced(node.client.clone(), namespace(pod));
    let created = api.create(&PostParams::default(), &request).await;
    let created =
        created.map_err(|error| Error::Create { signer: source.signer_name.clone(), source: Box::new(error) })?;
    Ok((made.pem, created.metadata.name.unwrap_or_default()))
}
