//! ServiceAccount: every pod runs as an account that exists, gets its pull secrets, and (unless declined) a token volume.
//! k8s: `plugin/pkg/admission/serviceaccount`.

use super::{Call, Context, pod};
use crate::auth::objects::{SERVICE_ACCOUNTS, find};
use crate::error::ApiError;
use rand::RngExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const DEFAULT: &str = "default";
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const VOLUME_PREFIX: &str = "kube-api-access-";
/// An hour and the seven seconds by which upstream tells these tokens from others.
const TOKEN_SECONDS: u32 = 3607;
/// A new namespace's `default` account is made by a controller within this many tries.
const DEFAULT_ACCOUNT_TRIES: u32 = 10;
const DEFAULT_ACCOUNT_PAUSE: Duration = Duration::from_millis(100);
/// The alphabet of upstream's generated names: no vowels, nothing that reads like another character.
const SUFFIX_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LEN: usize = 5;

pub(super) async fn mutate(context: &Context, call: &Call<'_>, object: &mut Value) -> Result<(), ApiError> {
    if pod::is_mirror(object) {
        return mirror(call, object);
    }
    let spec = &mut object["spec"];
    let name = spec["serviceAccountName"].as_str().filter(|name| !name.is_empty()).unwrap_or(DEFAULT).to_owned();
    spec["serviceAccountName"] = json!(name);
    spec["serviceAccount"] = json!(name);
    let Some(account) = look_up(context, call.ns(), &name).await? else {
        let ns = call.ns();
        let why = format!("error looking up service account {ns}/{name}: serviceaccount \"{name}\" not found");
        return Err(call.forbidden(call.name_of(object), why));
    };
    let spec = &mut object["spec"];
    let declined = [&*spec, &*account].into_iter().find_map(|source| source["automountServiceAccountToken"].as_bool());
    if declined != Some(false) {
        mount_token(spec, &suffix());
    }
    let has_own = spec["imagePullSecrets"].as_array().is_some_and(|secrets| !secrets.is_empty());
    if let (false, Some(secrets)) =
        (has_own, account["imagePullSecrets"].as_array().filter(|secrets| !secrets.is_empty()))
    {
        spec["imagePullSecrets"] = json!(secrets);
    }
    Ok(())
}

/// A node's own pods may not use accounts or secrets.
fn mirror(call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    let refused = |why: &str| Err(call.forbidden(call.name_of(object), why));
    if object["spec"]["serviceAccountName"].as_str().is_some_and(|name| !name.is_empty()) {
        return refused("a mirror pod may not reference service accounts");
    }
    let volumes = object["spec"]["volumes"].as_array();
    if volumes.into_iter().flatten().any(|volume| volume.get("secret").is_some()) {
        return refused("a mirror pod may not reference secrets");
    }
    Ok(())
}

async fn look_up(context: &Context, ns: &str, name: &str) -> Result<Option<Arc<Value>>, ApiError> {
    for _ in 1..DEFAULT_ACCOUNT_TRIES {
        let found = find(context.objects.as_ref(), SERVICE_ACCOUNTS, ns, name).await?;
        if found.is_some() || name != DEFAULT {
            return Ok(found);
        }
        tokio::time::sleep(DEFAULT_ACCOUNT_PAUSE).await;
    }
    Ok(find(context.objects.as_ref(), SERVICE_ACCOUNTS, ns, name).await?)
}

fn suffix() -> String {
    let mut random = rand::rng();
    let pick = |_| char::from(SUFFIX_ALPHABET[random.random_range(0..SUFFIX_ALPHABET.len())]);
    (0..SUFFIX_LEN).map(pick).collect()
}

/// Whether a volume is one that this plugin adds.
pub(super) fn is_token(volume: &Value) -> bool {
    volume["name"].as_str().is_some_and(|name| name.starts_with(VOLUME_PREFIX))
}

fn mount_token(spec: &mut Value, suffix: &str) {
    let mut volumes = spec["volumes"].as_array().into_iter().flatten();
    let existing =
        volumes.find(|volume| is_token(volume)).and_then(|volume| volume["name"].as_str()).map(str::to_owned);
    let volume = existing.clone().unwrap_or_else(|| format!("{VOLUME_PREFIX}{suffix}"));
    let mut mounted = false;
    for list in ["initContainers", "containers"] {
        for container in pod::containers(spec, list) {
            let mounts = pod::array(container, "volumeMounts");
            if mounts.iter().any(|mount| mount["mountPath"] == MOUNT_PATH) {
                continue;
            }
            mounts.push(json!({"name": volume, "readOnly": true, "mountPath": MOUNT_PATH}));
            mounted = true;
        }
    }
    if mounted && existing.is_none() {
        pod::array(spec, "volumes").push(json!({"name": volume, "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [
                {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}},
            ]}},
        ]}}));
    }
}
