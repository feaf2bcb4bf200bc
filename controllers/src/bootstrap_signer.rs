//! Signs `kube-public/cluster-info` with every bootstrap token that may sign, so that who holds a token can tell that the
//! cluster in it is the token's. k8s: `controller/bootstrap/bootstrapsigner.go`

use crate::token_cleaner::{NAMESPACE, TYPE};
use crate::write;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use client::action::{Action, Key};
use client::cache::{Caches, Tracked as _, WatchOptions};
use client::controller::{Controller, Look, Reconcile, Sight, Watches};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde_json::json;
use std::collections::BTreeMap;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "bootstrap-signer",
    watches,
    reconcile: Reconcile::Looking { look, reconcile: |_, caches, sights, now| reconcile(caches, sights, now) },
    refused: None,
};

const PUBLIC: &str = "kube-public";
const NAME: &str = "cluster-info";
const CONTENT: &str = "kubeconfig";
/// Where the server could not be asked.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);
const SIGNATURE: &str = "jws-kubeconfig-";

fn watches(watches: &mut Watches) {
    let only = WatchOptions { fields: Some(format!("type={TYPE}")), ..WatchOptions::default() };
    watches.mapped_with::<Secret>(only, |_, _| vec![Key::new(PUBLIC, NAME)]);
}

/// Not watched: all ConfigMaps of the cluster would be kept for the one.
fn look(_: &Key, _: &Caches, _: Timestamp) -> Vec<Look> {
    vec![Look::Document { path: format!("/api/v1/namespaces/{PUBLIC}/configmaps/{NAME}") }]
}

fn reconcile(caches: &Caches, sights: &[Sight], now: Timestamp) -> Vec<Action> {
    let found = match sights {
        [Sight::Object(found)] => found,
        [Sight::Unknown(_)] => return vec![Action::RequeueAt(now + AGAIN)],
        _ => return Vec::new(),
    };
    let Ok(map) = serde_json::from_value::<ConfigMap>(found.clone()) else { return Vec::new() };
    let held = map.data.clone().unwrap_or_default();
    let Some(content) = held.get(CONTENT) else { return Vec::new() };
    let mut data: BTreeMap<String, String> = held
        .iter()
        .filter(|(key, _)| !key.starts_with(SIGNATURE))
        .map(|(key, text)| (key.clone(), text.clone()))
        .collect();
    for secret in caches.of::<Secret>().list() {
        if let Some((id, key)) = signing(&secret, now) {
            data.insert(format!("{SIGNATURE}{id}"), signature(content, &id, &key));
        }
    }
    if data == held { Vec::new() } else { vec![write::update(&ConfigMap { data: Some(data), ..map }, "")] }
}

/// Id and key of a token that may sign.
fn signing(secret: &Secret, now: Timestamp) -> Option<(String, String)> {
    let text = |key: &str| String::from_utf8(secret.data.as_ref()?.get(key)?.0.clone()).ok();
    let valid = secret.ns() == NAMESPACE && secret.type_.as_deref() == Some(TYPE) && !secret.deleting();
    let expired = text("expiration").is_some_and(|at| at.parse::<Timestamp>().is_ok_and(|at| at <= now));
    let may = text("usage-bootstrap-signing").as_deref() == Some("true");
    (valid && !expired && may).then(|| Some((text("token-id")?, text("token-secret")?))).flatten()
}

/// A detached JWS: the content is where the signature is.
fn signature(content: &str, id: &str, key: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "HS256", "kid": id }).to_string());
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(content));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_bytes());
    format!("{header}..{}", URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, signed.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, caches};
    use serde_json::Value;

    // id abcdef, key 0123456789abcdef
    const TOKEN: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: bootstrap-token-abcdef, namespace: kube-system}\n\
        type: bootstrap.kubernetes.io/token\n\
        data: {token-id: YWJjZGVm, token-secret: MDEyMzQ1Njc4OWFiY2RlZg==, usage-bootstrap-signing: dHJ1ZQ==}";

    fn data(yaml: &str, held: Value) -> Option<Value> {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME, "namespace": PUBLIC}, "data": held});
        match reconcile(&caches(watches, yaml), &[Sight::Object(map)], at(0)).pop() {
            Some(Action::Update { object, .. }) => Some(object["data"].clone()),
            _ => None,
        }
    }

    #[test]
    fn every_token_signs_and_a_revoked_one_signs_no_more() {
        let signed = data(TOKEN, json!({"kubeconfig": "payload"})).unwrap();
        let jws = signed["jws-kubeconfig-abcdef"].as_str().unwrap();
        // The header and HMAC that `openssl dgst -sha256 -hmac 0123456789abcdef` gives for header.payload.
        assert!(jws.starts_with("eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9.."), "{jws}");
        assert_eq!(data(TOKEN, signed.clone()), None);
        assert_eq!(data("", signed), Some(json!({"kubeconfig": "payload"})));
    }
}
