//! Sources of volumes that live outside of the node, as pods and PersistentVolumes name them alike. Whether a driver for
//! one is there is the node agent's to say; here each must be whole.
//!
//! The rules read the JSON form: the types of the two differ in little more than their names.

use super::path::Path;
use super::{one_of, volume};
use crate::errors::{FieldError, FieldErrors};
use crate::tree::{boolean, count, list, text};
use serde_json::Value;

/// Where a source stands: a PersistentVolume has no namespace, so its secrets must name theirs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum In {
    Pod,
    PersistentVolume,
}

/// Fields that a source cannot be without, by the source's field.
const REQUIRED: &[(&str, &[&str])] = &[
    ("awsElasticBlockStore", &["volumeID"]),
    ("azureDisk", &["diskName", "diskURI"]),
    ("azureFile", &["secretName", "shareName"]),
    ("cephfs", &["monitors"]),
    ("cinder", &["volumeID"]),
    ("flexVolume", &["driver"]),
    ("gcePersistentDisk", &["pdName"]),
    ("gitRepo", &["repository"]),
    ("glusterfs", &["endpoints", "path"]),
    ("iscsi", &["targetPortal", "iqn"]),
    ("nfs", &["server", "path"]),
    ("photonPersistentDisk", &["pdID"]),
    ("portworxVolume", &["volumeID"]),
    ("quobyte", &["volume"]),
    ("rbd", &["monitors", "image"]),
    ("scaleIO", &["gateway", "system", "volumeName"]),
    ("storageos", &["volumeName"]),
    ("vsphereVolume", &["volumePath"]),
];
const LUN_MAX: i64 = 255;
const PARTITION_TEXT: &str = "must be between 0 and 255, inclusive";
const REGISTRY_TEXT: &str = "must be a host:port pair or multiple pairs separated by commas";
const QUOBYTE_TENANT_MAX: usize = 64;

/// `name` is the source's field in its volume; `path` is where it stands.
pub fn check(name: &str, source: &Value, at: In, path: &Path<'_>, errors: &mut FieldErrors) {
    let required = REQUIRED.iter().find(|(source, _)| *source == name).map_or(&[][..], |(_, fields)| *fields);
    for field in required.iter().filter(|field| text(source, field).is_empty() && count(source, field) == 0) {
        errors.push(FieldError::required(path.child(field), ""));
    }
    match name {
        "awsElasticBlockStore" | "gcePersistentDisk" => in_byte(source, "partition", PARTITION_TEXT, path, errors),
        "azureDisk" => azure_disk(source, path, errors),
        "cinder" | "storageos" => secret(source, at, path, errors),
        "fc" => fibre_channel(source, path, errors),
        "flexVolume" => flex_options(source, path, errors),
        "flocker" => flocker(source, path, errors),
        "gitRepo" => volume::descending(text(source, "directory"), &path.child("directory"), errors),
        "iscsi" => iscsi(source, at, path, errors),
        "nfs" => {
            let exported = text(source, "path");
            if !exported.starts_with('/') {
                errors.push(FieldError::invalid(path.child("path"), exported, "must be an absolute path"));
            }
        }
        "quobyte" => quobyte(source, path, errors),
        _ => {}
    }
}

fn in_byte(source: &Value, field: &str, detail: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(number) = source.get(field).and_then(Value::as_i64)
        && !(0..=LUN_MAX).contains(&number)
    {
        errors.push(FieldError::invalid(path.child(field), number, detail));
    }
}

fn lun(source: &Value, path: &Path<'_>, errors: &mut FieldErrors) {
    in_byte(source, "lun", &format!("must be between 0 and {LUN_MAX}, inclusive"), path, errors);
}

fn secret(source: &Value, at: In, path: &Path<'_>, errors: &mut FieldErrors) {
    let Some(secret) = source.get("secretRef") else { return };
    let path = path.child("secretRef");
    let wanted: &[&str] = if at == In::PersistentVolume { &["name", "namespace"] } else { &["name"] };
    for field in wanted.iter().filter(|field| text(secret, field).is_empty()) {
        errors.push(FieldError::required(path.child(field), ""));
    }
}

fn azure_disk(source: &Value, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(mode) = source.get("cachingMode").and_then(Value::as_str) {
        one_of(mode, &["None", "ReadOnly", "ReadWrite"], &path.child("cachingMode"), errors);
    }
    let Some(kind) = source.get("kind").and_then(Value::as_str) else { return };
    one_of(kind, &["Dedicated", "Managed", "Shared"], &path.child("kind"), errors);
    let uri = text(source, "diskURI");
    let (start, form) = match kind {
        "Managed" => (
            "/subscriptions/",
            "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
        ),
        _ => ("https://", "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"),
    };
    if !uri.starts_with(start) {
        errors.push(FieldError::not_supported(path.child("diskURI"), uri, &[form]));
    }
}

fn fibre_channel(source: &Value, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("targetWWNs");
    match (count(source, "targetWWNs"), count(source, "wwids")) {
        (0, 0) => errors.push(FieldError::required(at, "must specify either targetWWNs or wwids, but not both")),
        (0, _) => return,
        (_, 0) => {}
        (_, _) => {
            let detail = "targetWWNs and wwids can not be specified simultaneously";
            errors.push(FieldError::invalid(at, list(source, "targetWWNs"), detail));
        }
    }
    if count(source, "targetWWNs") > 0 && source.get("lun").is_none() {
        errors.push(FieldError::required(path.child("lun"), "lun is required if targetWWNs is specified"));
    }
    lun(source, path, errors);
}

fn flex_options(source: &Value, path: &Path<'_>, errors: &mut FieldErrors) {
    for key in source.get("options").and_then(Value::as_object).into_iter().flat_map(|options| options.keys()) {
        let domain = format!(".{}", key.split('/').next().unwrap_or(key).to_lowercase());
        if domain.ends_with(".kubernetes.io") || domain.ends_with(".k8s.io") {
            let detail = "kubernetes.io and k8s.io namespaces are reserved";
            errors.push(FieldError::invalid(path.child("options").key(key), key, detail));
        }
    }
}

fn flocker(source: &Value, path: &Path<'_>, errors: &mut FieldErrors) {
    let name = text(source, "datasetName");
    match (name.is_empty(), text(source, "datasetUUID").is_empty()) {
        (true, true) => errors.push(FieldError::required(path, "one of datasetName and datasetUUID is required")),
        (false, false) => {
            let detail = "datasetName and datasetUUID can not be specified simultaneously";
            errors.push(FieldError::invalid(path, "resource", detail));
        }
        (true, false) | (false, true) => {}
    }
    if name.contains('/') {
        errors.push(FieldError::invalid(path.child("datasetName"), name, "must not contain '/'"));
    }
}

fn iscsi(source: &Value, at: In, path: &Path<'_>, errors: &mut FieldErrors) {
    // k8s: `initiatorname` is how upstream spells the path of that field.
    for (field, shown) in [("iqn", "iqn"), ("initiatorName", "initiatorname")] {
        let name = text(source, field);
        if !name.is_empty() && !is_iscsi_name(name) {
            let known = ["iqn", "eui", "naa"].iter().any(|kind| name.starts_with(kind));
            let detail = match at {
                In::Pod if !known => "must be valid format starting with iqn, eui, or naa",
                In::Pod | In::PersistentVolume => "must be valid format",
            };
            errors.push(FieldError::invalid(path.child(shown), name, detail));
        }
    }
    lun(source, path, errors);
    let authenticates = boolean(source, "chapAuthDiscovery") || boolean(source, "chapAuthSession");
    let secret = source.get("secretRef");
    if authenticates && secret.is_none() {
        errors.push(FieldError::required(path.child("secretRef"), ""));
    }
    if at == In::PersistentVolume && secret.is_some_and(|secret| text(secret, "name").is_empty()) {
        errors.push(FieldError::required(path.child("secretRef").child("name"), ""));
    }
}

/// `iqn.2001-04.com.example:disk`, `eui.` with 16 letters or digits, `naa.` with 32.
fn is_iscsi_name(name: &str) -> bool {
    let alphanumeric =
        |text: &str, length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if let Some(rest) = name.strip_prefix("eui.") {
        return alphanumeric(rest, 16);
    }
    if let Some(rest) = name.strip_prefix("naa.") {
        return alphanumeric(rest, 32);
    }
    let Some((authority, unique)) = name.strip_prefix("iqn.").and_then(|rest| rest.split_once(':')) else {
        return false;
    };
    let dated = |date: &[u8]| {
        date.iter().enumerate().all(|(i, b)| match i {
            4 => *b == b'-',
            7 => *b == b'.',
            _ => b.is_ascii_digit(),
        })
    };
    let authority = authority.as_bytes();
    authority.len() > 8
        && dated(&authority[..8])
        && authority[8..].iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
        && !unique.is_empty()
        && !unique.contains(|c: char| c.is_ascii_whitespace() || ",;*&$|".contains(c))
}

fn quobyte(source: &Value, path: &Path<'_>, errors: &mut FieldErrors) {
    let registry = text(source, "registry");
    if registry.is_empty() {
        errors.push(FieldError::required(path.child("registry"), REGISTRY_TEXT));
    } else if text(source, "tenant").len() > QUOBYTE_TENANT_MAX {
        let detail = "must be a UUID and may not exceed a length of 64 characters";
        errors.push(FieldError::required(path.child("tenant"), detail));
    } else if registry.split(',').any(|pair| !is_host_and_port(pair)) {
        errors.push(FieldError::invalid(path.child("registry"), registry, REGISTRY_TEXT));
    }
}

fn is_host_and_port(pair: &str) -> bool {
    pair.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || (host.starts_with('[') && host.ends_with(']')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use serde_json::json;

    #[expect(clippy::needless_pass_by_value, reason = "tables read better with values")]
    fn source(name: &str, source: Value, want: Expect) {
        let mut errors = FieldErrors::new();
        check(name, &source, In::Pod, &Path::new(name), &mut errors);
        want.assert_eq(&errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn a_source_says_all_that_its_driver_must_know() {
        source("nfs", json!({"server": "s", "path": "/"}), expect![[""]]);
        source(
            "nfs",
            json!({"server": "", "path": "x"}),
            expect![[r#"
            nfs.server: Required value
            nfs.path: Invalid value: "x": must be an absolute path"#]],
        );
        source("rbd", json!({"image": "i", "monitors": []}), expect!["rbd.monitors: Required value"]);
        source(
            "fc",
            json!({}),
            expect!["fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both"],
        );
        source(
            "fc",
            json!({"targetWWNs": ["a"]}),
            expect!["fc.lun: Required value: lun is required if targetWWNs is specified"],
        );
        source(
            "fc",
            json!({"targetWWNs": ["a"], "lun": 256}),
            expect!["fc.lun: Invalid value: 256: must be between 0 and 255, inclusive"],
        );
        source(
            "flexVolume",
            json!({"driver": "a/b", "options": {"x.k8s.io/y": "z"}}),
            expect![[
                r#"flexVolume.options[x.k8s.io/y]: Invalid value: "x.k8s.io/y": kubernetes.io and k8s.io namespaces are reserved"#
            ]],
        );
        source(
            "gitRepo",
            json!({"repository": "r", "directory": "../up"}),
            expect![[r#"gitRepo.directory: Invalid value: "../up": must not contain '..'"#]],
        );
    }

    #[test]
    fn names_of_iscsi_have_one_of_three_forms() {
        let named = |iqn: &str| json!({"targetPortal": "p", "iqn": iqn, "lun": 0});
        source("iscsi", named("iqn.2001-04.com.example:storage:disk1"), expect![[""]]);
        source("iscsi", named("eui.0123456789abcdef"), expect![[""]]);
        source(
            "iscsi",
            named("disk"),
            expect![[r#"iscsi.iqn: Invalid value: "disk": must be valid format starting with iqn, eui, or naa"#]],
        );
        source(
            "iscsi",
            named("iqn.2001-04.com.example:a;b"),
            expect![[r#"iscsi.iqn: Invalid value: "iqn.2001-04.com.example:a;b": must be valid format"#]],
        );
        let mut chap = named("eui.0123456789abcdef");
        chap["chapAuthSession"] = true.into();
        source("iscsi", chap, expect!["iscsi.secretRef: Required value"]);
    }
}
