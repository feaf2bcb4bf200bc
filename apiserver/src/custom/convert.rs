//! Conversion by webhook: what is kept in one version and asked for in another. The caches and the store hold objects in the
//! version that they were written in; here they become what a reader wants, a page at a time.
//! k8s: apiextensions' webhook converter

use crate::cache::{Delivery, Event, EventType, Object};
use crate::error::ApiError;
use crate::registry::create::new_uid;
use crate::registry::{Registry, metadata, view};
use crate::stored;
use crate::webhook::{ClientConfig, WebhookClient};
use bytes::Bytes;
use kinds::custom::{Conversion, Custom};
use kinds::kind::Kind;
use kinds::tree;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use store::Rev;

/// k8s: the webhook client's default
const WAIT: Duration = Duration::from_secs(30);
const REVIEW_VERSIONS: &[&str] = &["v1", "v1beta1"];
/// Metadata that a webhook may change.
const CONVERTED_METADATA: &[&str] = &["labels", "annotations"];

/// The kind's webhook, if it has one.
fn webhook_of(kind: &dyn Kind) -> Option<(&Custom, &Value)> {
    let custom = kind.custom()?;
    match custom.conversion() {
        Conversion::Webhook(webhook) => Some((custom, webhook)),
        Conversion::None => None,
    }
}

/// Whether objects of the kind may be kept in a form that only a webhook can turn into the kind's.
pub(crate) fn is_needed(kind: &dyn Kind) -> bool {
    webhook_of(kind).is_some()
}

impl Registry {
    /// The JSON of an object, in the version of `kind`.
    pub(crate) async fn in_version(&self, kind: &dyn Kind, json: Bytes, rev: Rev) -> Result<Bytes, ApiError> {
        let Some((custom, webhook)) = webhook_of(kind) else { return Ok(json) };
        let wanted = kind.row().api_version();
        if view::is_of_version(&json, &wanted) {
            return Ok(json);
        }
        let tree = serde_json::from_slice(&json).unwrap_or_default();
        let converted = Box::pin(convert(self.webhooks(), webhook, vec![tree], &wanted)).await?;
        let object = custom.settled(converted.into_iter().next().unwrap_or_default());
        Ok(stored::with_revision(&stored::encode(&object), rev))
    }

    /// The same of many, with one call.
    pub(crate) async fn all_in_version(
        &self,
        kind: &dyn Kind,
        mut objects: Vec<Arc<Object>>,
    ) -> Result<Vec<Arc<Object>>, ApiError> {
        let Some((_, webhook)) = webhook_of(kind) else { return Ok(objects) };
        let wanted = kind.row().api_version();
        let others: Vec<usize> =
            (0..objects.len()).filter(|at| !view::is_of_version(objects[*at].json_slice(), &wanted)).collect();
        if others.is_empty() {
            return Ok(objects);
        }
        let trees = others.iter().map(|at| objects[*at].value()).collect();
        let converted = Box::pin(convert(self.webhooks(), webhook, trees, &wanted)).await?;
        for (at, tree) in others.into_iter().zip(converted) {
            let object = &objects[at];
            objects[at] = Arc::new(object.as_version(&stored::encode(&tree), object.rev, EventType::Added));
        }
        Ok(objects)
    }

    /// An object of `kind`, in the version that is kept; `None` where it is that already.
    pub(crate) async fn kept_form(&self, kind: &dyn Kind, object: &Value) -> Result<Option<Value>, ApiError> {
        let Some(custom) = kind.custom() else { return Ok(None) };
        let kept = custom.stored_api_version();
        if kept == kind.row().api_version() {
            return Ok(None);
        }
        match custom.conversion() {
            Conversion::None => {
                let mut object = object.clone();
                object["apiVersion"] = Value::String(kept);
                Ok(Some(object))
            }
            Conversion::Webhook(webhook) => {
                let converted = Box::pin(convert(self.webhooks(), webhook, vec![object.clone()], &kept)).await?;
                Ok(converted.into_iter().next())
            }
        }
    }
}

/// A delivery with its object in the version of `kind`.
pub(crate) async fn delivery(client: &WebhookClient, kind: &dyn Kind, it: &Delivery) -> Result<Delivery, ApiError> {
    let object = it.object();
    let wanted = kind.row().api_version();
    let Some((_, webhook)) = webhook_of(kind).filter(|_| !view::is_of_version(object.json_slice(), &wanted)) else {
        return Ok(it.clone());
    };
    let converted = Box::pin(convert(client, webhook, vec![object.value()], &wanted)).await?;
    let tree = converted.into_iter().next().unwrap_or_default();
    let object = Arc::new(object.as_version(&stored::encode(&tree), it.rev(), it.ty()));
    Ok(match it {
        Delivery::Initial(_) => Delivery::Initial(object),
        Delivery::Change(_, ty) => Delivery::Change(Arc::new(Event::new(*ty, object, None)), *ty),
    })
}

/// Asks the webhook; its answer is held to what a conversion may do. Callers box it: it is rare, and every write would
/// carry its size.
async fn convert(
    client: &WebhookClient,
    webhook: &Value,
    objects: Vec<Value>,
    wanted: &str,
) -> Result<Vec<Value>, ApiError> {
    let kind = objects.first().map(|object| tree::text(object, "kind").to_owned()).unwrap_or_default();
    let from = objects.first().map(|object| tree::text(object, "apiVersion").to_owned()).unwrap_or_default();
    let failed = |why: &dyn std::fmt::Display| {
        ApiError::internal(format!("conversion webhook for {from}, Kind={kind} failed: {why}"))
    };
    let offered = tree::list(webhook, "conversionReviewVersions").iter().filter_map(Value::as_str);
    let version = offered.into_iter().find(|version| REVIEW_VERSIONS.contains(version)).unwrap_or("v1");
    let uid = new_uid();
    let review = json!({"apiVersion": format!("apiextensions.k8s.io/{version}"), "kind": "ConversionReview",
        "request": {"uid": uid, "desiredAPIVersion": wanted, "objects": objects}});
    let config = ClientConfig::deserialize(webhook.get("clientConfig").unwrap_or(&Value::Null));
    let config = config.map_err(|error| failed(&error))?;
    let answer = client.call(&config, &review, WAIT).await.map_err(|error| failed(&error))?;
    let response = answer.get("response").ok_or_else(|| failed(&"no response provided"))?;
    if tree::text(response, "uid") != uid {
        return Err(failed(&format!("expected response.uid {uid:?}, got {:?}", tree::text(response, "uid"))));
    }
    match tree::text(response, "result.status") {
        "Success" => {}
        "" => return Err(failed(&"response.result.status was '', not 'Success'")),
        _ => return Err(failed(&tree::text(response, "result.message"))),
    }
    let converted = tree::list(response, "convertedObjects");
    if converted.len() != objects.len() {
        return Err(failed(&format!("webhook returned {} objects, expected {}", converted.len(), objects.len())));
    }
    let pairs = objects.iter().zip(converted).enumerate();
    pairs.map(|(at, (old, new))| accepted(old, new, wanted, at).map_err(|why| failed(&why))).collect()
}

/// Nothing of an object's identity changes with its version.
fn accepted(old: &Value, new: &Value, wanted: &str, at: usize) -> Result<Value, String> {
    let text = |object: &Value, path: &str| tree::text(object, path).to_owned();
    if text(new, "apiVersion") != wanted {
        return Err(format!(
            "invalid groupVersion returned at index {at}: {}, expected: {wanted}",
            text(new, "apiVersion")
        ));
    }
    for path in ["kind", "metadata.name", "metadata.namespace", "metadata.uid"] {
        let (before, after) = (text(old, path), text(new, path));
        if before != after {
            return Err(format!("invalid {path} returned at index {at}: {after:?}, expected: {before:?}"));
        }
    }
    let mut object = new.clone();
    let sent = object.get("metadata").cloned().unwrap_or_default();
    object["metadata"] = old.get("metadata").cloned().unwrap_or_default();
    for field in CONVERTED_METADATA {
        match sent.get(*field).filter(|value| !value.is_null()) {
            Some(value) => metadata::set(&mut object, field, value.clone()),
            None => metadata::unset(&mut object, field),
        }
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversion_changes_labels_and_content_and_nothing_else() {
        let old = json!({"apiVersion": "e.com/v1", "kind": "K", "metadata": {"name": "a", "uid": "u", "labels": {"x": "1"}}, "host": "h"});
        let new = json!({"apiVersion": "e.com/v2", "kind": "K", "metadata": {"name": "a", "uid": "u", "labels": {"y": "2"}, "generation": 9}, "h": "h"});
        let expected = json!({"apiVersion": "e.com/v2", "kind": "K", "metadata": {"name": "a", "uid": "u", "labels": {"y": "2"}}, "h": "h"});
        assert_eq!(accepted(&old, &new, "e.com/v2", 0), Ok(expected));
        let mut other = new.clone();
        other["metadata"]["name"] = json!("b");
        assert!(accepted(&old, &other, "e.com/v2", 0).unwrap_err().contains("invalid metadata.name"));
        assert!(accepted(&old, &old, "e.com/v2", 0).unwrap_err().contains("invalid groupVersion"));
    }
}
