//! VolumeAttachment (storage.k8s.io/v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::given;
use crate::validate::path::Path;
use crate::validate::storage::driver_name;
use k8s_openapi::api::storage::v1::VolumeAttachment;
use serde_json::Value;

pub(crate) struct VolumeAttachmentKind;

impl TypedKind for VolumeAttachmentKind {
    type Object = VolumeAttachment;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn validate(attachment: &VolumeAttachment) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let spec = &attachment.spec;
        driver_name(&spec.attacher, &path.child("attacher"), &mut errors);
        let source = path.child("source");
        match (&spec.source.inline_volume_spec, given(spec.source.persistent_volume_name.as_ref())) {
            (None, None) => {
                let detail = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
                errors.push(FieldError::required(source, detail));
            }
            (Some(_), Some(_)) => {
                let detail = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
                errors.push(FieldError::forbidden(source, detail));
            }
            (Some(volume), None) if volume.csi.is_none() => {
                let detail = "must specify a CSI volume source";
                errors.push(FieldError::required(source.child("inlineVolumeSpec"), detail));
            }
            (Some(_), None) | (None, Some(_)) => {}
        }
        if spec.node_name.is_empty() {
            errors.push(FieldError::required(path.child("nodeName"), ""));
        }
        errors
    }

    fn validate_update(attachment: &VolumeAttachment, old: &VolumeAttachment) -> FieldErrors {
        let mut errors = FieldErrors::new();
        if attachment.spec != old.spec {
            errors.push(FieldError::invalid("spec", &attachment.spec, crate::validate::FIELD_IMMUTABLE));
        }
        errors
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.storage.v1.VolumeAttachment" "storage.k8s.io" "v1" "VolumeAttachment" "volumeattachments" "volumeattachment" Cluster,
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Attacher", "string"),
        Column::new("PV", "string"),
        Column::new("Node", "string"),
        Column::new("Attached", "boolean"),
        AGE,
    ],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        tree::text(object, "spec.attacher").into(),
        tree::text(object, "spec.source.persistentVolumeName").into(),
        tree::text(object, "spec.nodeName").into(),
        tree::boolean(object, "status.attached").into(),
        cells::of::age(object, now_unix_secs),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn an_attachment_says_what_goes_where() {
        let attachment = json!({"spec": {"attacher": "csi.example.com", "nodeName": "n1", "source": {"persistentVolumeName": "pv"}}});
        assert_eq!(check::create::<VolumeAttachmentKind>(attachment.clone()), "");
        expect![[r#"
            spec.attacher: Required value
            spec.attacher: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName
            spec.nodeName: Required value"#]]
        .assert_eq(&check::create::<VolumeAttachmentKind>(
            json!({"spec": {"attacher": "", "nodeName": "", "source": {}}}),
        ));
        assert!(
            check::update::<VolumeAttachmentKind>(attachment, &json!({"spec": {"nodeName": "n2"}}))
                .ends_with("field is immutable")
        );
    }
}
