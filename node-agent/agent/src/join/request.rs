//! One certificate: the request with its key, posted, and waited for until the cluster has decided.

use super::discover::chain;
use super::{JoinError, Pair, Place};
use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::{CertificateSigningRequest, CertificateSigningRequestSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::PostParams;
use rcgen::{CertificateParams, DnType, KeyPair, PublicKeyData as _};
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// A cluster decides within milliseconds; a person who has to may take longer, and the request is found again.
const DECIDED_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks at the request.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(super) struct Asked {
    object: CertificateSigningRequest,
    key_pem: String,
    node: String,
}

impl Asked {
    pub(super) fn client(place: &Place, key: KeyPair) -> Result<Self, JoinError> {
        Self::new(place, key, "kubernetes.io/kube-apiserver-client-kubelet", "client auth", Vec::new())
    }

    pub(super) fn serving(place: &Place, key: KeyPair) -> Result<Self, JoinError> {
        let names =
            [place.node_name.clone()].into_iter().chain(place.node_ips.iter().map(ToString::to_string)).collect();
        Self::new(place, key, "kubernetes.io/kubelet-serving", "server auth", names)
    }

    fn new(place: &Place, key: KeyPair, signer: &str, usage: &str, sans: Vec<String>) -> Result<Self, JoinError> {
        let mut params = CertificateParams::new(sans)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "system:nodes");
        params.distinguished_name.push(DnType::CommonName, place.user());
        let pem = params.serialize_request(&key)?.pem()?;
        // One object for a key and what it asks for, however often somebody starts: a retry finds its answer.
        let mut digest = Sha256::new();
        let addresses: Vec<String> = place.node_ips.iter().map(ToString::to_string).collect();
        for part in [
            signer.as_bytes(),
            &key.subject_public_key_info(),
            place.node_name.as_bytes(),
            addresses.join(",").as_bytes(),
        ] {
            digest.update(part);
        }
        let digits: String = digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let object = CertificateSigningRequest {
            metadata: ObjectMeta { name: Some(format!("node-csr-{digits}")), ..ObjectMeta::default() },
            spec: CertificateSigningRequestSpec {
                request: ByteString(pem.into_bytes()),
                signer_name: signer.to_owned(),
                usages: Some(vec!["digital signature".to_owned(), usage.to_owned()]),
                ..CertificateSigningRequestSpec::default()
            },
            status: None,
        };
        Ok(Self { object, key_pem: key.serialize_pem(), node: place.node_name.clone() })
    }
}

/// Asks and waits. `server` is for messages.
pub(super) async fn obtain(client: &kube::Client, asked: &Asked, server: &str) -> Result<Pair, JoinError> {
    let api: Api<CertificateSigningRequest> = Api::all(client.clone());
    let name = asked.object.metadata.name.clone().unwrap_or_default();
    match api.create(&PostParams::default(), &asked.object).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => return Err(refusal(&error, server)),
    }
    let decided = async {
        loop {
            let found = api.get(&name).await.map_err(|error| refusal(&error, server))?;
            if let Some(outcome) = outcome(&found, asked) {
                return outcome;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    match tokio::time::timeout(DECIDED_WITHIN, decided).await {
        Ok(outcome) => outcome,
        Err(_) => Err(JoinError::NotApproved { name: name.clone() }),
    }
}

fn outcome(found: &CertificateSigningRequest, asked: &Asked) -> Option<Result<Pair, JoinError>> {
    let status = found.status.as_ref()?;
    let refused = status.conditions.iter().flatten().find(|held| held.type_ == "Denied" || held.type_ == "Failed");
    if let Some(refused) = refused {
        let why = refused.message.clone().or_else(|| refused.reason.clone()).unwrap_or_default();
        return Some(Err(JoinError::Denied { node: asked.node.clone(), why }));
    }
    let certificate = String::from_utf8(status.certificate.as_ref()?.0.clone()).ok()?;
    Some(Ok(Pair { cert_pem: certificate, key_pem: asked.key_pem.clone() }))
}

fn refusal(error: &kube::Error, server: &str) -> JoinError {
    match error {
        kube::Error::Api(status) if status.code == 401 => JoinError::TokenRefused { server: server.to_owned() },
        kube::Error::Api(status) => JoinError::Refused(status.message.clone()),
        other => JoinError::Unreachable { server: server.to_owned(), why: chain(other) },
    }
}
