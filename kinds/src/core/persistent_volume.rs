//! PersistentVolume (v1).

use crate::cells;
use crate::core::persistent_volume_claim::{VOLUME_MODES, access_modes};
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{
    FIELD_IMMUTABLE, format, given, immutable, invalid_each, one_of, resources, selector, semantically_equal, storage,
    volume, volume_source,
};
use k8s_openapi::api::core::v1::{
    CSIPersistentVolumeSource, PersistentVolume, PersistentVolumeSpec, PersistentVolumeStatus, VolumeNodeAffinity,
};
use serde_json::Value;

pub(crate) struct PersistentVolumeKind;

impl TypedKind for PersistentVolumeKind {
    type Object = PersistentVolume;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn default(volume: &mut PersistentVolume) {
        let spec = volume.spec.get_or_insert_default();
        spec.persistent_volume_reclaim_policy.get_or_insert_with(|| "Retain".to_owned());
        spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
        if let Some(host) = &mut spec.host_path {
            host.type_.get_or_insert_default();
        }
        let status = volume.status.get_or_insert_default();
        status.phase.get_or_insert_with(|| "Pending".to_owned());
    }

    fn prepare_create(volume: &mut PersistentVolume) {
        let phase = Some("Pending".to_owned());
        volume.status = Some(PersistentVolumeStatus { phase, ..PersistentVolumeStatus::default() });
    }

    fn validate(volume: &PersistentVolume) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let empty = PersistentVolumeSpec::default();
        spec(volume.spec.as_ref().unwrap_or(&empty), &mut errors);
        errors
    }

    fn validate_update(volume: &PersistentVolume, old: &PersistentVolume) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let (Some(new), Some(before)) = (&volume.spec, &old.spec) else { return errors };
        if !semantically_equal(&source_of(new, before), &source_of(before, before)) {
            let detail = "spec.persistentvolumesource is immutable after creation";
            errors.push(FieldError::forbidden("spec.persistentvolumesource", detail));
        }
        immutable(&new.volume_mode, &before.volume_mode, &Path::new("volumeMode"), &mut errors);
        // k8s: an affinity may be given later, once; and labels of old may become those that took their place.
        let renamed = before.node_affinity.as_ref().map(renamed_labels);
        if renamed.is_some() && !semantically_equal(&new.node_affinity.as_ref().map(renamed_labels), &renamed) {
            errors.push(FieldError::invalid("nodeAffinity", &new.node_affinity, FIELD_IMMUTABLE));
        }
        if before.volume_attributes_class_name.is_some() && new.volume_attributes_class_name.is_none() {
            let detail = "update from non-nil value to nil is forbidden";
            errors.push(FieldError::forbidden(SPEC.child("volumeAttributesClassName"), detail));
        }
        errors
    }
}

const SPEC: Path<'static> = Path::new("spec");

fn spec(spec: &PersistentVolumeSpec, errors: &mut FieldErrors) {
    access_modes(spec.access_modes.as_deref(), "", &SPEC.child("accessModes"), errors);
    capacity(spec, errors);
    let policy = given(spec.persistent_volume_reclaim_policy.as_ref()).unwrap_or("Retain");
    let policy_at = SPEC.child("persistentVolumeReclaimPolicy");
    one_of(policy, &["Delete", "Recycle", "Retain"], &policy_at, errors);
    if let Some(affinity) = &spec.node_affinity {
        let at = SPEC.child("nodeAffinity");
        let at = at.child("required");
        match &affinity.required {
            Some(required) => selector::node_selector(required, &at, errors),
            None => errors.push(FieldError::required(at, "must specify required node constraints")),
        }
    }
    sources(spec, errors);
    // To recycle a volume is to remove all that is in it.
    let whole_node = spec.host_path.as_ref().is_some_and(|host| is_root(&host.path));
    if policy == "Recycle" && whole_node {
        errors.push(FieldError::forbidden(policy_at, "may not be 'recycle' for a hostPath mount of '/'"));
    }
    if let Some(class) = given(spec.storage_class_name.as_ref()) {
        invalid_each(class, format::dns_subdomain(class), &SPEC.child("storageClassName"), errors);
    }
    if let Some(mode) = given(spec.volume_mode.as_ref()) {
        one_of(mode, &VOLUME_MODES, &SPEC.child("volumeMode"), errors);
    }
    if let Some(class) = &spec.volume_attributes_class_name {
        let at = SPEC.child("volumeAttributesClassName");
        if class.is_empty() {
            errors.push(FieldError::required(at, "an empty string is disallowed"));
        } else {
            invalid_each(class, format::dns_subdomain(class), &at, errors);
        }
        if spec.csi.is_none() {
            let detail = "has to be specified when using volumeAttributesClassName";
            errors.push(FieldError::required(SPEC.child("csi"), detail));
        }
    }
}

fn capacity(spec: &PersistentVolumeSpec, errors: &mut FieldErrors) {
    let at = SPEC.child("capacity");
    let capacity = spec.capacity.clone().unwrap_or_default();
    if capacity.is_empty() {
        errors.push(FieldError::required(at, ""));
    }
    if capacity.len() != 1 || !capacity.contains_key("storage") {
        errors.push(FieldError::not_supported(at, &capacity, &["storage"]));
    }
    for (name, size) in &capacity {
        resources::positive(size, &at.key(name), errors);
    }
}

/// Whether a path is the root once its empty and `.` parts are gone.
fn is_root(path: &str) -> bool {
    path.starts_with('/') && path.split('/').all(|part| part.is_empty() || part == ".")
}

/// Sources in the order in which upstream looks at them: the first is checked, the others are too many.
const SOURCES: [&str; 22] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
];

fn sources(spec: &PersistentVolumeSpec, errors: &mut FieldErrors) {
    let tree = encoded(spec);
    let mut set = SOURCES.iter().filter_map(|name| Some((*name, tree.get(*name)?)));
    let Some((first, source)) = set.next() else {
        errors.push(FieldError::required(SPEC, "must specify a volume type"));
        return;
    };
    let at = SPEC.child(first);
    if let Some(host) = &spec.host_path {
        volume::host_path(host, &at, errors);
    } else if first == "local" {
        local(spec, source, &at, errors);
    } else if let Some(csi) = spec.csi.as_ref().filter(|_| first == "csi") {
        driver(csi, &at, errors);
    } else {
        volume_source::check(first, source, volume_source::In::PersistentVolume, &at, errors);
    }
    for (extra, _) in set {
        errors.push(FieldError::forbidden(SPEC.child(extra), "may not specify more than 1 volume type"));
    }
}

fn local(spec: &PersistentVolumeSpec, source: &Value, path: &Path<'_>, errors: &mut FieldErrors) {
    let folder = tree::text(source, "path");
    let at = path.child("path");
    if folder.is_empty() {
        errors.push(FieldError::required(at, ""));
    } else {
        volume::no_backsteps(folder, &at, errors);
    }
    if spec.node_affinity.is_none() {
        errors.push(FieldError::required(SPEC.child("nodeAffinity"), "Local volume requires node affinity"));
    }
}

/// k8s: validateCSIPersistentVolumeSource
fn driver(csi: &CSIPersistentVolumeSource, path: &Path<'_>, errors: &mut FieldErrors) {
    storage::driver_name(&csi.driver, &path.child("driver"), errors);
    if csi.volume_handle.is_empty() {
        errors.push(FieldError::required(path.child("volumeHandle"), ""));
    }
    // k8s: the secret of nodeStageSecretRef is the one that is not looked at.
    let secrets = [
        ("controllerPublishSecretRef", &csi.controller_publish_secret_ref),
        ("controllerExpandSecretRef", &csi.controller_expand_secret_ref),
        ("nodePublishSecretRef", &csi.node_publish_secret_ref),
        ("nodeExpandSecretRef", &csi.node_expand_secret_ref),
    ];
    for (field, secret) in secrets {
        secret.iter().for_each(|secret| storage::secret_ref(secret, &path.child(field), errors));
    }
}

fn encoded(spec: &PersistentVolumeSpec) -> Value {
    serde_json::to_value(spec).expect("a volume's spec has string keys")
}

/// What a volume is made of, to compare an update with. The secret to expand it may be added where there was none.
fn source_of(spec: &PersistentVolumeSpec, old: &PersistentVolumeSpec) -> Value {
    let mut tree = encoded(spec);
    let expands = old.csi.as_ref().is_none_or(|csi| csi.controller_expand_secret_ref.is_some());
    if let Some(fields) = tree.as_object_mut() {
        fields.retain(|name, _| !is_common(name));
        if let Some(csi) = fields.get_mut("csi").and_then(Value::as_object_mut).filter(|_| !expands) {
            csi.remove("controllerExpandSecretRef");
        }
    }
    tree
}

/// Labels of nodes that were beta, and their names since.
const RENAMED_LABELS: [(&str, &str); 5] = [
    ("beta.kubernetes.io/arch", "kubernetes.io/arch"),
    ("beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"),
    ("beta.kubernetes.io/os", "kubernetes.io/os"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
];

/// k8s: validatePvNodeAffinity
fn renamed_labels(affinity: &VolumeNodeAffinity) -> VolumeNodeAffinity {
    let mut affinity = affinity.clone();
    let terms = affinity.required.iter_mut().flat_map(|required| &mut required.node_selector_terms);
    for requirement in terms.flat_map(|term| term.match_expressions.iter_mut().flatten()) {
        if let Some((_, now)) = RENAMED_LABELS.iter().find(|(old, _)| *old == requirement.key) {
            (*now).clone_into(&mut requirement.key);
        }
    }
    affinity
}

/// Fields of a volume's spec that are not its source.
fn is_common(field: &str) -> bool {
    matches!(
        field,
        "accessModes"
            | "capacity"
            | "claimRef"
            | "mountOptions"
            | "nodeAffinity"
            | "persistentVolumeReclaimPolicy"
            | "storageClassName"
            | "volumeAttributesClassName"
            | "volumeMode"
    )
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.PersistentVolume" "" "v1" "PersistentVolume" "persistentvolumes" "persistentvolume" Cluster,
    short: ["pv"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Capacity", "string"),
        Column::new("Access Modes", "string"),
        Column::new("Reclaim Policy", "string"),
        Column::new("Status", "string"),
        Column::new("Claim", "string"),
        Column::new("StorageClass", "string"),
        Column::new("VolumeAttributesClass", "string"),
        Column::new("Reason", "string"),
        AGE,
        Column::wide("VolumeMode", "string"),
    ],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        tree::text(object, "spec.capacity.storage").into(),
        cells::of::access_modes(tree::list(object, "spec.accessModes")).into(),
        tree::text(object, "spec.persistentVolumeReclaimPolicy").into(),
        cells::of::phase(object).into(),
        claim(object).into(),
        cells::of::storage_class(object).into(),
        cells::of::or_unset(object, "spec.volumeAttributesClassName").into(),
        tree::text(object, "status.reason").into(),
        cells::of::age(object, now_unix_secs),
        cells::of::or_unset(object, "spec.volumeMode").into(),
    ]
}

fn claim(volume: &Value) -> String {
    match tree::at(volume, "spec.claimRef") {
        Some(claim) => format!("{}/{}", tree::text(claim, "namespace"), tree::text(claim, "name")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_volume_has_one_source_that_never_climbs() {
        let volume = |source: Value| {
            let mut volume = json!({"spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}});
            check::merge(&mut volume["spec"], &source);
            check::create::<PersistentVolumeKind>(volume)
        };
        assert_eq!(volume(json!({"hostPath": {"path": "/data"}})), "");
        assert_eq!(volume(json!({})), "spec: Required value: must specify a volume type");
        expect![[r#"
            spec.hostPath.path: Invalid value: "/a/../b": must not contain '..'
            spec.nfs: Forbidden: may not specify more than 1 volume type"#]]
        .assert_eq(&volume(json!({"hostPath": {"path": "/a/../b"}, "nfs": {"server": "s", "path": "/"}})));
        assert_eq!(
            volume(json!({"local": {"path": "/x"}})),
            "spec.nodeAffinity: Required value: Local volume requires node affinity"
        );
    }

    /// A volume of a driver, of which a part is another.
    fn volume(part: &Value) -> Value {
        let csi = json!({"driver": "csi.example.com", "volumeHandle": "1"});
        let mut volume =
            json!({"spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "csi": csi}});
        check::merge(&mut volume["spec"], part);
        volume
    }

    #[test]
    fn a_volume_is_whole() {
        let create = |part: Value| check::create::<PersistentVolumeKind>(volume(&part));
        assert_eq!(create(json!({"volumeAttributesClassName": "gold", "storageClassName": "fast"})), "");
        expect!["spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"]
            .assert_eq(&create(json!({"accessModes": ["ReadWriteOncePod", "ReadWriteOnce"]})));
        expect![[r"
            spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'
            spec.volumeAttributesClassName: Required value: an empty string is disallowed
            spec.csi: Required value: has to be specified when using volumeAttributesClassName"]]
        .assert_eq(&create(json!({"csi": null, "hostPath": {"path": "/./"}, "persistentVolumeReclaimPolicy": "Recycle", "volumeAttributesClassName": ""})));
        expect![[r"
            spec.csi.driver: Too long: may not be more than 63 bytes
            spec.csi.nodePublishSecretRef.namespace: Required value"]]
        .assert_eq(&create(json!({"csi": {"driver": "d".repeat(64), "nodePublishSecretRef": {"name": "s"}}})));
        expect![[r#"spec.capacity: Unsupported value: {"cpu":"1"}: supported values: "storage""#]]
            .assert_eq(&create(json!({"capacity": {"storage": null, "cpu": "1"}})));
        expect!["spec.nodeAffinity.required: Required value: must specify required node constraints"]
            .assert_eq(&create(json!({"nodeAffinity": {}})));
        expect!["spec.iscsi.secretRef.name: Required value"].assert_eq(&create(json!({"csi": null, "iscsi": {"targetPortal": "p", "iqn": "eui.0123456789abcdef", "lun": 0, "secretRef": {}}})));
    }

    #[test]
    fn a_volume_stays_what_and_where_it_is() {
        let update =
            |old: Value, patch: Value| check::update::<PersistentVolumeKind>(volume(&old), &json!({"spec": patch}));
        let fixed = "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation";
        assert_eq!(update(json!({}), json!({"csi": {"fsType": "ext4"}})), fixed);
        assert_eq!(
            update(json!({"csi": null, "rbd": {"monitors": ["m"], "image": "i"}}), json!({"rbd": {"image": "j"}})),
            fixed
        );
        let secret = json!({"controllerExpandSecretRef": {"name": "s", "namespace": "n"}});
        assert_eq!(update(json!({}), json!({"csi": secret})), "");
        assert_eq!(update(json!({"csi": secret}), json!({"csi": {"controllerExpandSecretRef": null}})), fixed);
        expect![[r#"volumeMode: Invalid value: "Block": field is immutable"#]]
            .assert_eq(&update(json!({}), json!({"volumeMode": "Block"})));
        let zone = |key: &str| json!({"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": key, "operator": "Exists"}]}]}}});
        let beta = "failure-domain.beta.kubernetes.io/zone";
        assert_eq!(update(json!({}), zone(beta)), "");
        assert_eq!(update(zone(beta), zone("topology.kubernetes.io/zone")), "");
        assert!(update(zone(beta), zone("zone")).starts_with("nodeAffinity: Invalid value: "));
        assert!(update(zone(beta), json!({"nodeAffinity": null})).ends_with("field is immutable"));
    }
}
