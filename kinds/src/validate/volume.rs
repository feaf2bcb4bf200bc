//! Rules of pod volumes. Paths that end up on a node are checked here first: relative ones stay relative, nothing climbs.

use super::path::Path;
use super::{certificate, each, env, format, given, invalid_each, metadata, one_of, selector, storage, volume_source};
use crate::core::persistent_volume_claim;
use crate::errors::{FieldError, FieldErrors};
use k8s_openapi::api::core::v1::{
    ClusterTrustBundleProjection, DownwardAPIVolumeFile, HostPathVolumeSource, KeyToPath,
    PersistentVolumeClaimTemplate, PodCertificateProjection, ProjectedVolumeSource, ServiceAccountTokenProjection,
    Volume, VolumeProjection,
};
use std::collections::BTreeSet;

const FILE_MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
const ONE_TYPE: &str = "may not specify more than 1 volume type";
/// A token that lives shorter would be refreshed without pause.
const TOKEN_SECS_MIN: i64 = 10 * 60;
const TOKEN_SECS_MAX: i64 = 1 << 32;
const HOST_PATH_TYPES: [&str; 8] =
    ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

/// Checks the volumes and returns their names, for the mounts that refer to them.
pub fn volumes<'a>(volumes: &'a [Volume], path: &Path<'_>, errors: &mut FieldErrors) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    for (i, volume) in volumes.iter().enumerate() {
        let at = path.index(i);
        source(volume, &at, errors);
        let name = at.child("name");
        if volume.name.is_empty() {
            errors.push(FieldError::required(name, ""));
        } else {
            invalid_each(&volume.name, format::dns_label(&volume.name), &name, errors);
        }
        if !names.insert(volume.name.as_str()) {
            errors.push(FieldError::duplicate(name, &volume.name));
        }
    }
    names
}

/// How many sources a volume names; more than one is an error, none means an empty folder.
pub fn sources(volume: &Volume) -> usize {
    set_sources(volume).len()
}

fn set_sources(v: &Volume) -> Vec<&'static str> {
    let all = [
        ("emptyDir", v.empty_dir.is_some()),
        ("hostPath", v.host_path.is_some()),
        ("gitRepo", v.git_repo.is_some()),
        ("gcePersistentDisk", v.gce_persistent_disk.is_some()),
        ("awsElasticBlockStore", v.aws_elastic_block_store.is_some()),
        ("secret", v.secret.is_some()),
        ("nfs", v.nfs.is_some()),
        ("iscsi", v.iscsi.is_some()),
        ("glusterfs", v.glusterfs.is_some()),
        ("flocker", v.flocker.is_some()),
        ("persistentVolumeClaim", v.persistent_volume_claim.is_some()),
        ("rbd", v.rbd.is_some()),
        ("cinder", v.cinder.is_some()),
        ("cephfs", v.cephfs.is_some()),
        ("quobyte", v.quobyte.is_some()),
        ("downwardAPI", v.downward_api.is_some()),
        ("fc", v.fc.is_some()),
        ("flexVolume", v.flex_volume.is_some()),
        ("configMap", v.config_map.is_some()),
        ("azureFile", v.azure_file.is_some()),
        ("vsphereVolume", v.vsphere_volume.is_some()),
        ("photonPersistentDisk", v.photon_persistent_disk.is_some()),
        ("portworxVolume", v.portworx_volume.is_some()),
        ("azureDisk", v.azure_disk.is_some()),
        ("storageos", v.storageos.is_some()),
        ("projected", v.projected.is_some()),
        ("scaleIO", v.scale_io.is_some()),
        ("csi", v.csi.is_some()),
        ("ephemeral", v.ephemeral.is_some()),
        ("image", v.image.is_some()),
    ];
    all.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect()
}

fn source(volume: &Volume, path: &Path<'_>, errors: &mut FieldErrors) {
    let set = set_sources(volume);
    let Some(first) = set.first() else {
        errors.push(FieldError::required(path, "must specify a volume type"));
        return;
    };
    for extra in &set[1..] {
        errors.push(FieldError::forbidden(path.child(extra), ONE_TYPE));
    }
    let at = path.child(first);
    match *first {
        "emptyDir" | "hostPath" | "persistentVolumeClaim" | "csi" | "ephemeral" | "image" => {
            mounted(volume, &at, errors);
        }
        "configMap" | "downwardAPI" | "projected" | "secret" => files(volume, &at, errors),
        remote => {
            let tree = serde_json::to_value(volume).expect("a volume has string keys");
            volume_source::check(remote, &tree[remote], volume_source::In::Pod, &at, errors);
        }
    }
}

/// Volumes that are a folder or a device as they are.
fn mounted(volume: &Volume, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(dir) = &volume.empty_dir
        && let Some(limit) = &dir.size_limit
        && limit.0.starts_with('-')
    {
        let detail = "SizeLimit field must be a valid resource quantity";
        errors.push(FieldError::forbidden(path.child("sizeLimit"), detail));
    } else if let Some(host) = &volume.host_path {
        host_path(host, path, errors);
    } else if let Some(claim) = &volume.persistent_volume_claim {
        required(&claim.claim_name, &path.child("claimName"), errors);
    } else if let Some(csi) = &volume.csi {
        storage::driver_name(&csi.driver, &path.child("driver"), errors);
        if let Some(secret) = &csi.node_publish_secret_ref {
            if secret.name.is_empty() {
                errors.push(FieldError::required(path.child("nodePublishSecretRef").child("name"), ""));
            } else {
                invalid_each(&secret.name, format::dns_subdomain(&secret.name), &path.child("name"), errors);
            }
        }
    } else if let Some(ephemeral) = &volume.ephemeral {
        let at = path.child("volumeClaimTemplate");
        match &ephemeral.volume_claim_template {
            None => errors.push(FieldError::required(at, "")),
            Some(template) => claim_template(template, &at, errors),
        }
    } else if let Some(image) = &volume.image {
        if given(image.reference.as_ref()).is_none() {
            errors.push(FieldError::required(path.child("reference"), ""));
        }
        if let Some(policy) = given(image.pull_policy.as_ref()) {
            one_of(policy, &super::container::PULL_POLICIES, &path.child("pullPolicy"), errors);
        }
    }
}

/// A claim that is made with the pod: of its metadata only labels and annotations are its own.
/// k8s: ValidatePersistentVolumeClaimTemplate
fn claim_template(template: &PersistentVolumeClaimTemplate, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(meta) = &template.metadata {
        let at = path.child("metadata");
        metadata::annotations(meta.annotations.as_ref(), &at.child("annotations"), errors);
        metadata::labels(meta.labels.as_ref(), &at.child("labels"), errors);
        let tree = serde_json::to_value(meta).expect("metadata has string keys");
        for field in tree.as_object().into_iter().flat_map(|fields| fields.keys()) {
            // A template that was read and written again may say that its creation is not known.
            if !matches!(field.as_str(), "annotations" | "creationTimestamp" | "labels") {
                errors.push(FieldError::forbidden(at.child(field), "cannot be set"));
            }
        }
    }
    persistent_volume_claim::spec(&template.spec, &path.child("spec"), errors);
}

/// Volumes that the node agent writes file by file.
fn files(volume: &Volume, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(secret) = &volume.secret {
        if given(secret.secret_name.as_ref()).is_none() {
            errors.push(FieldError::required(path.child("secretName"), ""));
        }
        mode(secret.default_mode, &path.child("defaultMode"), errors);
        keys(secret.items.as_deref().unwrap_or_default(), &path.child("items"), errors);
    } else if let Some(map) = &volume.config_map {
        required(&map.name, &path.child("name"), errors);
        mode(map.default_mode, &path.child("defaultMode"), errors);
        keys(map.items.as_deref().unwrap_or_default(), &path.child("items"), errors);
    } else if let Some(downward) = &volume.downward_api {
        mode(downward.default_mode, &path.child("defaultMode"), errors);
        downward_files(downward.items.as_deref().unwrap_or_default(), path, errors);
    } else if let Some(all) = &volume.projected {
        projected(all, path, errors);
    }
}

fn required(value: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    if value.is_empty() {
        errors.push(FieldError::required(path, ""));
    }
}

fn mode(mode: Option<i32>, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(mode) = mode
        && !(0..=0o777).contains(&mode)
    {
        errors.push(FieldError::invalid(path, mode, FILE_MODE));
    }
}

/// k8s: validateHostPathVolumeSource
pub fn host_path(host: &HostPathVolumeSource, path: &Path<'_>, errors: &mut FieldErrors) {
    if host.path.is_empty() {
        errors.push(FieldError::required(path.child("path"), ""));
    } else {
        no_backsteps(&host.path, &path.child("path"), errors);
    }
    if let Some(kind) = &host.type_ {
        one_of(kind, &HOST_PATH_TYPES, &path.child("type"), errors);
    }
}

fn keys(items: &[KeyToPath], path: &Path<'_>, errors: &mut FieldErrors) {
    for (i, item) in items.iter().enumerate() {
        let at = path.index(i);
        required(&item.key, &at.child("key"), errors);
        file_path(&item.path, &at.child("path"), errors);
        mode(item.mode, &at.child("mode"), errors);
    }
}

fn file_path(file: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    required(file, path, errors);
    descending(file, path, errors);
    if file.starts_with("..") && !file.starts_with("../") {
        errors.push(FieldError::invalid(path, file, "must not start with '..'"));
    }
}

/// A path below some folder: relative, and never upwards.
pub fn descending(target: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    if target.starts_with('/') {
        errors.push(FieldError::invalid(path, target, "must be a relative path"));
    }
    no_backsteps(target, path, errors);
}

pub fn no_backsteps(target: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    if target.split('/').any(|part| part == "..") {
        errors.push(FieldError::invalid(path, target, "must not contain '..'"));
    }
    // No kernel path holds a NUL; refusing it here keeps it from truncating a path later.
    if target.contains('\0') {
        errors.push(FieldError::invalid(path, target, "must not contain NUL"));
    }
}

fn downward_files(files: &[DownwardAPIVolumeFile], path: &Path<'_>, errors: &mut FieldErrors) {
    // k8s: the items of a downward volume are reported without their index.
    for file in files {
        file_path(&file.path, &path.child("path"), errors);
        match (&file.field_ref, &file.resource_field_ref) {
            (Some(field), resource) => {
                env::field_ref(field, &env::VOLUME_FIELDS, &path.child("fieldRef"), errors);
                if resource.is_some() {
                    let detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
                    errors.push(FieldError::invalid(path, "resource", detail));
                }
            }
            (None, Some(resource)) => {
                env::resource_ref(resource, env::Of::Volume, &path.child("resourceFieldRef"), errors);
            }
            (None, None) => {
                errors.push(FieldError::required(path, "one of fieldRef and resourceFieldRef is required"));
            }
        }
        mode(file.mode, &path.child("mode"), errors);
    }
}

fn projected(all: &ProjectedVolumeSource, path: &Path<'_>, errors: &mut FieldErrors) {
    mode(all.default_mode, &path.child("defaultMode"), errors);
    let sources = path.child("sources");
    let mut taken = BTreeSet::new();
    for (i, item) in each(&all.sources).enumerate() {
        let at = sources.index(i);
        projection(item, &at, errors);
        for file in projected_paths(item) {
            if !file.is_empty() && !taken.insert(file) {
                errors.push(FieldError::invalid(at, file, "conflicting duplicate paths"));
            }
        }
    }
}

fn projected_paths(item: &VolumeProjection) -> Vec<&str> {
    let keys = [
        item.config_map.as_ref().and_then(|source| source.items.as_ref()),
        item.secret.as_ref().and_then(|source| source.items.as_ref()),
    ];
    let mut paths: Vec<&str> = keys.into_iter().flatten().flatten().map(|key| key.path.as_str()).collect();
    if let Some(downward) = &item.downward_api {
        paths.extend(each(&downward.items).map(|file| file.path.as_str()));
    }
    paths.extend(item.service_account_token.as_ref().map(|token| token.path.as_str()));
    paths.extend(item.cluster_trust_bundle.as_ref().map(|bundle| bundle.path.as_str()));
    paths.extend(item.pod_certificate.iter().flat_map(certificate_paths).map(|(_, file)| file));
    paths
}

fn projection(item: &VolumeProjection, path: &Path<'_>, errors: &mut FieldErrors) {
    let mut set = 0;
    if let Some(source) = &item.secret {
        set += 1;
        let at = path.child("secret");
        required(&source.name, &at.child("name"), errors);
        keys(source.items.as_deref().unwrap_or_default(), &at.child("items"), errors);
    }
    if let Some(source) = &item.config_map {
        set += 1;
        let at = path.child("configMap");
        required(&source.name, &at.child("name"), errors);
        keys(source.items.as_deref().unwrap_or_default(), &at.child("items"), errors);
    }
    if let Some(source) = &item.downward_api {
        set += 1;
        downward_files(source.items.as_deref().unwrap_or_default(), &path.child("downwardAPI"), errors);
    }
    if let Some(source) = &item.service_account_token {
        set += 1;
        token(source, &path.child("serviceAccountToken"), errors);
    }
    if let Some(source) = &item.cluster_trust_bundle {
        set += 1;
        trust_bundle(source, &path.child("clusterTrustBundle"), errors);
    }
    if let Some(source) = &item.pod_certificate {
        set += 1;
        pod_certificate(source, &path.child("podCertificate"), errors);
    }
    match set {
        0 => errors.push(FieldError::required(path, "must specify a volume type")),
        1 => {}
        _ => errors.push(FieldError::forbidden(path, ONE_TYPE)),
    }
}

/// One bundle by its name, or all of a signer that a selector leaves.
fn trust_bundle(source: &ClusterTrustBundleProjection, path: &Path<'_>, errors: &mut FieldErrors) {
    match (&source.name, &source.signer_name) {
        (Some(_), Some(_)) => {
            errors.push(FieldError::invalid(path, source, "only one of name and signerName may be used"));
        }
        (Some(name), None) => {
            let at = path.child("name");
            if name.is_empty() {
                errors.push(FieldError::required(at, "must be a valid object name"));
            }
            for detail in certificate::bundle_name(name) {
                let detail = format!("not a valid clustertrustbundlename: {detail}");
                errors.push(FieldError::invalid(at, name, detail));
            }
            if let Some(selector) = &source.label_selector {
                let detail = "labelSelector must be unset if name is specified";
                errors.push(FieldError::invalid(path.child("labelSelector"), selector, detail));
            }
        }
        (None, Some(signer)) => {
            let at = path.child("signerName");
            if signer.is_empty() {
                errors.push(FieldError::required(at, "must be a valid signer name"));
            }
            certificate::signer_name(signer, &at, errors);
            if let Some(selector) = &source.label_selector {
                selector::label_selector(selector, &path.child("labelSelector"), errors);
            }
        }
        (None, None) => errors.push(FieldError::required(path, "either name or signerName must be specified")),
    }
    file_path(&source.path, &path.child("path"), errors);
}

/// The files that a certificate's projection writes, by the field that names each.
fn certificate_paths(source: &PodCertificateProjection) -> impl Iterator<Item = (&'static str, &str)> {
    let named = [
        ("credentialBundlePath", &source.credential_bundle_path),
        ("keyPath", &source.key_path),
        ("certificateChainPath", &source.certificate_chain_path),
    ];
    named.into_iter().filter_map(|(field, file)| Some((field, given(file.as_ref())?)))
}

fn pod_certificate(source: &PodCertificateProjection, path: &Path<'_>, errors: &mut FieldErrors) {
    certificate::signer_name(&source.signer_name, &path.child("signerName"), errors);
    one_of(&source.key_type, &certificate::KEY_TYPES, &path.child("keyType"), errors);
    if let Some(seconds) = source.max_expiration_seconds {
        certificate::expiration(seconds, &source.signer_name, &path.child("maxExpirationSeconds"), errors);
    }
    certificate::user_annotations(source.user_annotations.as_ref(), &path.child("userAnnotations"), errors);
    let mut written = 0;
    for (field, file) in certificate_paths(source) {
        written += 1;
        file_path(file, &path.child(field), errors);
    }
    if written == 0 {
        let detail = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath";
        errors.push(FieldError::required(path, detail));
    }
}

fn token(token: &ServiceAccountTokenProjection, path: &Path<'_>, errors: &mut FieldErrors) {
    token_seconds(token.expiration_seconds, &path.child("expirationSeconds"), errors);
    file_path(&token.path, &path.child("path"), errors);
}

/// For how long a token may live.
pub fn token_seconds(seconds: Option<i64>, at: &Path<'_>, errors: &mut FieldErrors) {
    match seconds {
        Some(secs) if secs < TOKEN_SECS_MIN => {
            errors.push(FieldError::invalid(at, secs, "may not specify a duration less than 10 minutes"));
        }
        Some(secs) if secs > TOKEN_SECS_MAX => {
            errors.push(FieldError::invalid(at, secs, "may not specify a duration larger than 2^32 seconds"));
        }
        Some(_) | None => {}
    }
}
