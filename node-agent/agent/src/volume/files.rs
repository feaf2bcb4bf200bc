//! configMap, secret, downwardAPI and projected volumes as file trees. Pure: everything they are made from comes in.

use super::{Error, File, Tree};
use crate::material::{BundleNeed, Materials, Spot, TokenNeed};
use crate::pod::downward::{self, Surroundings};
use crate::pod::member::{Role, spec};
use crate::pod_certificate::{CERTIFICATE, block};
use k8s_openapi::api::core::v1::{
    ClusterTrustBundleProjection, ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, PodCertificateProjection, Secret,
    Volume, VolumeProjection,
};
use kinds::selector::LabelSelector;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

/// k8s: files are readable by all unless a mode is given.
const MODE_DEFAULT: i32 = 0o644;
/// k8s: tokens, keys and trust anchors are for their reader alone, and for the group of the pod's volumes where there is
/// one, which the writer lets read.
const CREDENTIAL_MODE: u32 = 0o600;

/// The files of a volume of one of the four kinds; `None` for every other kind.
pub fn tree(pod: &Pod, volume: &Volume, with: &Materials, around: &Surroundings) -> Result<Option<Tree>, Error> {
    let mut tree = Tree::default();
    if let Some(source) = &volume.config_map {
        let default = source.default_mode.unwrap_or(MODE_DEFAULT);
        let found = config_map(&source.name, source.optional, with)?;
        select(&found, source.items.as_deref(), source.optional, default, "configmap", &mut tree)?;
    } else if let Some(source) = &volume.secret {
        let default = source.default_mode.unwrap_or(MODE_DEFAULT);
        let found = secret(source.secret_name.as_deref().unwrap_or_default(), source.optional, with)?;
        select(&found, source.items.as_deref(), source.optional, default, "secret", &mut tree)?;
    } else if let Some(source) = &volume.downward_api {
        let default = source.default_mode.unwrap_or(MODE_DEFAULT);
        downward_files(pod, source.items.as_deref().unwrap_or_default(), default, around, &mut tree)?;
    } else if let Some(source) = &volume.projected {
        let default = source.default_mode.unwrap_or(MODE_DEFAULT);
        for (at, part) in source.sources.iter().flatten().enumerate() {
            let spot = Spot { volume: volume.name.clone(), source: at };
            projection(pod, (&spot, part), default, with, around, &mut tree)?;
        }
    } else {
        return Ok(None);
    }
    Ok(Some(tree))
}

fn projection(
    pod: &Pod,
    (spot, part): (&Spot, &VolumeProjection),
    default: i32,
    with: &Materials,
    around: &Surroundings,
    tree: &mut Tree,
) -> Result<(), Error> {
    if let Some(source) = &part.config_map {
        let found = config_map(&source.name, source.optional, with)?;
        select(&found, source.items.as_deref(), source.optional, default, "configmap", tree)?;
    }
    if let Some(source) = &part.secret {
        let found = secret(&source.name, source.optional, with)?;
        select(&found, source.items.as_deref(), source.optional, default, "secret", tree)?;
    }
    if let Some(source) = &part.downward_api {
        downward_files(pod, source.items.as_deref().unwrap_or_default(), default, around, tree)?;
    }
    if let Some(source) = &part.service_account_token {
        let need = TokenNeed::of(source);
        let token = with.tokens.get(&need).ok_or(Error::Token { audience: need.audience })?;
        put(tree, &source.path, token.clone().into_bytes(), guarded(pod, default))?;
    }
    if let Some(source) = &part.cluster_trust_bundle {
        put(tree, &source.path, anchors(source, with)?.into_bytes(), guarded(pod, default))?;
    }
    if let Some(source) = &part.pod_certificate {
        certificate(source, spot, with, guarded(pod, default), tree)?;
    }
    Ok(())
}

/// The trust anchors of all bundles that are meant, each once. Their order depends on nothing but themselves.
/// k8s: `pkg/kubelet/clustertrustbundle`
fn anchors(source: &ClusterTrustBundleProjection, with: &Materials) -> Result<String, Error> {
    let selector = match (&source.name, &source.label_selector) {
        (Some(_), _) => LabelSelector::everything(),
        (None, selector) => LabelSelector::from_optional_meta(selector.as_ref())
            .map_err(|error| Error::Bundle { what: format!("label selector: {error}") })?,
    };
    let need = BundleNeed::of(source);
    let found = need.as_ref().and_then(|need| with.bundles.get(need)).into_iter().flatten();
    let labels = BTreeMap::new();
    let meant: Vec<_> =
        found.filter(|bundle| selector.matches(bundle.metadata.labels.as_ref().unwrap_or(&labels))).collect();
    if meant.is_empty() && source.optional != Some(true) {
        return Err(match need {
            Some(BundleNeed::Named(name)) => Error::Missing { kind: "clustertrustbundle", name },
            Some(BundleNeed::OfSigner(_)) | None => Error::NoBundles,
        });
    }
    let mut anchors = BTreeSet::new();
    for bundle in meant {
        let blocks = pem::parse_many(&bundle.spec.trust_bundle);
        let broken =
            |error| Error::Bundle { what: format!("{}: {error}", bundle.metadata.name.as_deref().unwrap_or_default()) };
        anchors.extend(blocks.map_err(broken)?.into_iter().map(pem::Pem::into_contents));
    }
    Ok(anchors.into_iter().map(|anchor| block(CERTIFICATE, anchor)).collect())
}

fn certificate(
    source: &PodCertificateProjection,
    spot: &Spot,
    with: &Materials,
    access: Access,
    tree: &mut Tree,
) -> Result<(), Error> {
    let pair =
        with.certificates.get(spot).ok_or_else(|| Error::NoCertificate { signer: source.signer_name.clone() })?;
    let bundle = || format!("{}{}", pair.key, pair.chain);
    let files = [
        (&source.credential_bundle_path, bundle()),
        (&source.key_path, pair.key.clone()),
        (&source.certificate_chain_path, pair.chain.clone()),
    ];
    for (path, text) in files {
        if let Some(path) = path.as_deref().filter(|path| !path.is_empty()) {
            put(tree, path, text.into_bytes(), access)?;
        }
    }
    Ok(())
}

/// Who may do what with a file.
#[derive(Clone, Copy, Debug)]
struct Access {
    mode: u32,
    user: Option<u32>,
}

/// The access that all files of a volume have for which nothing else is said.
fn open(mode: i32) -> Access {
    Access { mode: mode as u32, user: None }
}

// k8s: 0600 and of the one user that all containers run as, where there is one; else the default mode. A group of the
// pod's volumes changes the mode, not the owner.
fn guarded(pod: &Pod, default: i32) -> Access {
    let fs_group = spec(pod).security_context.as_ref().and_then(|s| s.fs_group);
    let user = single_user(pod);
    let for_reader = user.is_some() || fs_group.is_some();
    Access { mode: if for_reader { CREDENTIAL_MODE } else { default as u32 }, user }
}

/// The one user that all containers of the pod are told to run as. k8s: ephemeral containers are not asked: they come
/// when the others have the file.
fn single_user(pod: &Pod) -> Option<u32> {
    let of_pod = spec(pod).security_context.as_ref().and_then(|s| s.run_as_user);
    let members = crate::pod::member::members(pod);
    let lasting = members.iter().filter(|m| m.role != Role::Ephemeral);
    let mut users = lasting.map(|m| m.spec.security_context.as_ref().and_then(|s| s.run_as_user).or(of_pod));
    let first = users.next()??;
    users.all(|user| user == Some(first)).then_some(first as u32)
}

fn config_map(name: &str, optional: Option<bool>, with: &Materials) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    match with.config_maps.get(name) {
        Some(map) => Ok(config_map_bytes(map)),
        None if optional == Some(true) => Ok(BTreeMap::new()),
        None => Err(Error::Missing { kind: "configmap", name: name.to_owned() }),
    }
}

fn config_map_bytes(map: &ConfigMap) -> BTreeMap<String, Vec<u8>> {
    let text = map.data.iter().flatten().map(|(k, v)| (k.clone(), v.clone().into_bytes()));
    let binary = map.binary_data.iter().flatten().map(|(k, v)| (k.clone(), v.0.clone()));
    text.chain(binary).collect()
}

fn secret(name: &str, optional: Option<bool>, with: &Materials) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let bytes = |secret: &Secret| secret.data.iter().flatten().map(|(k, v)| (k.clone(), v.0.clone())).collect();
    match with.secrets.get(name) {
        Some(found) => Ok(bytes(found)),
        None if optional == Some(true) => Ok(BTreeMap::new()),
        None => Err(Error::Missing { kind: "secret", name: name.to_owned() }),
    }
}

/// All keys under their own names, or the listed ones under the given paths.
fn select(
    data: &BTreeMap<String, Vec<u8>>,
    items: Option<&[KeyToPath]>,
    optional: Option<bool>,
    default: i32,
    kind: &'static str,
    tree: &mut Tree,
) -> Result<(), Error> {
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        for (key, bytes) in data {
            put(tree, key, bytes.clone(), open(default))?;
        }
        return Ok(());
    };
    for item in items {
        match data.get(&item.key) {
            Some(bytes) => put(tree, &item.path, bytes.clone(), open(item.mode.unwrap_or(default)))?,
            None if optional == Some(true) => {}
            None => return Err(Error::Key { kind, key: item.key.clone() }),
        }
    }
    Ok(())
}

fn downward_files(
    pod: &Pod,
    items: &[DownwardAPIVolumeFile],
    default: i32,
    around: &Surroundings,
    tree: &mut Tree,
) -> Result<(), Error> {
    for item in items {
        let value = match (&item.field_ref, &item.resource_field_ref) {
            (Some(field), _) => downward::field(pod, &field.field_path, around)?,
            (None, Some(resource)) => downward::resource(pod, resource, None, around)?,
            (None, None) => continue,
        };
        put(tree, &item.path, value.into_bytes(), open(item.mode.unwrap_or(default)))?;
    }
    Ok(())
}

/// The API server has validated the path; a node does not take its word for it.
fn put(tree: &mut Tree, path: &str, bytes: Vec<u8>, access: Access) -> Result<(), Error> {
    let plain = !path.is_empty() && Path::new(path).components().all(|c| matches!(c, Component::Normal(_)));
    if !plain || path.starts_with("..") {
        return Err(Error::Path { path: path.to_owned() });
    }
    tree.files.insert(path.to_owned(), File { bytes, mode: access.mode & 0o777, user: access.user });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::pod_yaml;
    use serde_json::json;
    use std::sync::Arc;

    fn materials() -> Materials {
        let map = json!({ "data": { "a": "1", "b": "2" }, "binaryData": { "c": "AAE=" } });
        let secret = json!({ "data": { "password": "aHVudGVyMg==" } });
        let need = TokenNeed { audience: String::new(), seconds: 3607 };
        Materials {
            config_maps: [("cm".to_owned(), Arc::new(serde_json::from_value(map).unwrap()))].into(),
            secrets: [("s".to_owned(), Arc::new(serde_json::from_value(secret).unwrap()))].into(),
            tokens: [(need, "jwt".to_owned())].into(),
            ..Materials::default()
        }
    }

    /// `a=1 644` for each file.
    fn shown(volume: &str) -> Result<Vec<String>, String> {
        let pod = pod_yaml(&format!("spec: {{volumes: [{volume}]}}"));
        let volume = &spec(&pod).volumes.as_ref().unwrap()[0];
        let tree = tree(&pod, volume, &materials(), &Surroundings::default()).map_err(|e| e.to_string())?.unwrap();
        let row =
            |(path, file): (&String, &File)| format!("{path}={} {:o}", String::from_utf8_lossy(&file.bytes), file.mode);
        Ok(tree.files.iter().map(row).collect())
    }

    #[test]
    fn config_maps_become_files_whole_or_by_item() {
        assert_eq!(shown("{name: v, configMap: {name: cm}}").unwrap(), ["a=1 644", "b=2 644", "c=\0\u{1} 644"]);
        let items = "{name: v, configMap: {name: cm, defaultMode: 256, items: [{key: a, path: x/y}, {key: b, path: z, mode: 511}]}}";
        assert_eq!(shown(items).unwrap(), ["x/y=1 400", "z=2 777"]);
    }

    #[test]
    fn missing_sources_are_errors_unless_optional() {
        assert_eq!(shown("{name: v, configMap: {name: no}}").unwrap_err(), "configmap \"no\" not found");
        assert!(shown("{name: v, configMap: {name: no, optional: true}}").unwrap().is_empty());
        let item = "{name: v, secret: {secretName: s, items: [{key: k, path: p}]}}";
        assert_eq!(shown(item).unwrap_err(), "secret references non-existent config key: k");
    }

    #[test]
    fn paths_cannot_leave_the_volume() {
        for path in ["../x", "/etc/x", "a/../../x", "..data"] {
            let item = format!("{{name: v, secret: {{secretName: s, items: [{{key: password, path: '{path}'}}]}}}}");
            assert!(shown(&item).is_err(), "{path}");
        }
    }

    /// `token 600 1000` for each file: mode, and user if it is not root's.
    fn accessible(spec: &str) -> Vec<String> {
        let volume = "{name: v, projected: {sources: [{serviceAccountToken: {path: token, expirationSeconds: 3607}}, {configMap: {name: cm, items: [{key: a, path: ca.crt}]}}]}}";
        let pod = pod_yaml(&format!("spec: {{{spec}, volumes: [{volume}]}}"));
        let volume = &super::spec(&pod).volumes.as_ref().unwrap()[0];
        let tree = tree(&pod, volume, &materials(), &Surroundings::default()).unwrap().unwrap();
        let user = |file: &File| file.user.map(|user| format!(" {user}")).unwrap_or_default();
        tree.files.iter().map(|(path, file)| format!("{path} {:o}{}", file.mode, user(file))).collect()
    }

    #[test]
    fn a_token_is_the_pods_one_users_and_what_lies_beside_it_is_not() {
        let shared = ["ca.crt 644", "token 644"];
        assert_eq!(accessible("containers: [{name: a}]"), shared);
        assert_eq!(
            accessible("securityContext: {runAsUser: 7}, containers: [{name: a}]"),
            ["ca.crt 644", "token 600 7"]
        );
        assert_eq!(accessible("containers: [{name: a, securityContext: {runAsUser: 7}}, {name: b}]"), shared);
        let two =
            "securityContext: {runAsUser: 7}, containers: [{name: a}, {name: b, securityContext: {runAsUser: 8}}]";
        assert_eq!(accessible(two), shared);
        assert_eq!(accessible("securityContext: {fsGroup: 9}, containers: [{name: a}]"), ["ca.crt 644", "token 600"]);
        let both = "securityContext: {fsGroup: 9, runAsUser: 7}, containers: [{name: a}]";
        assert_eq!(accessible(both), ["ca.crt 644", "token 600 7"]);
        // One that is added later takes nothing from those that run.
        let debugged = "securityContext: {runAsUser: 7}, containers: [{name: a}], ephemeralContainers: [{name: d, securityContext: {runAsUser: 0}}]";
        assert_eq!(accessible(debugged), ["ca.crt 644", "token 600 7"]);
    }

    #[test]
    fn projections_lie_side_by_side() {
        let volume = "{name: v, projected: {sources: [{serviceAccountToken: {path: token, expirationSeconds: 3607}}, {configMap: {name: cm, items: [{key: a, path: ca.crt}]}}, {downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}}]}}";
        assert_eq!(shown(volume).unwrap(), ["ca.crt=1 644", "namespace=default 644", "token=jwt 644"]);
    }
}
