//! Conversion by webhook: what is kept in one version and asked for in another. The caches and the store hold objects in the
//! version that they were written in; here they become what a reader wants, a page at a time.
//! k8s: apiextensions' webhook converter

use crate::cache::{Delivery, Event, EventType, Object};
use crate::error::ApiError;
use crate::registry::create::new_uid;
use crate::registry::{Call, Registry, metadata, view};
use crate::request::{Options, Selection};
use crate::stored;
use crate::webhook::{ClientConfig, WebhookClient};
use bytes::Bytes;
use kinds::custom::{Conversion, Custom};
use kinds::kind::Kind;
use kinds::tree;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use store::Rev;
use tokio::sync::OnceCell;

/// k8s: the webhook client's default
const WAIT: Duration = Duration::from_secs(30);
/// Bytes of objects that go into one call where there are many: an answer is bounded, and may be longer than the question.
const CALL_BYTES_MAX: usize = 2 << 20;
/// Conversions of shared objects that are remembered: watchers of one kind take an event at about the same time.
const REMEMBERED_MAX: usize = 128;
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

/// With what to read the forms that are kept, where a version's own fields pick among what a webhook makes of them: its
/// fields are nothing that a kept form has. `None`: with the options of the call.
pub(crate) fn kept_options(call: &Call<'_>) -> Result<Option<Options>, ApiError> {
    let is_of_all = |field: &str| field.starts_with("metadata.");
    let fields = &call.options.selection.fields;
    if !is_needed(call.kind.as_ref()) || fields.requirements().iter().all(|rule| is_of_all(&rule.field)) {
        return Ok(None);
    }
    call.options.selection.check(call.row())?;
    let selection = Selection { labels: call.options.selection.labels.clone(), fields: fields.only(is_of_all) };
    Ok(Some(Options { selection, ..call.options.clone() }))
}

/// The way to the webhooks.
pub struct Conversions {
    client: WebhookClient,
    /// Of objects that watchers share: each is converted once, whatever the number of its readers.
    recent: Mutex<VecDeque<Arc<Shared>>>,
}

struct Shared {
    object: Arc<Object>,
    wanted: String,
    converted: OnceCell<Bytes>,
}

impl Conversions {
    pub(crate) fn new(client: WebhookClient) -> Self {
        Self { client, recent: Mutex::default() }
    }

    pub(crate) fn client(&self) -> &WebhookClient {
        &self.client
    }

    async fn shared(&self, webhook: &Value, object: &Arc<Object>, wanted: &str) -> Result<Bytes, ApiError> {
        let shared = self.remember(object, wanted);
        let convert = || async {
            let converted = Box::pin(convert(&self.client, webhook, vec![object.value()], wanted)).await?;
            Ok::<_, ApiError>(stored::encode(&converted.into_iter().next().unwrap_or_default()))
        };
        shared.converted.get_or_try_init(convert).await.cloned()
    }

    fn remember(&self, object: &Arc<Object>, wanted: &str) -> Arc<Shared> {
        let mut recent = self.recent.lock();
        let is_it = |shared: &&Arc<Shared>| Arc::ptr_eq(&shared.object, object) && shared.wanted == wanted;
        if let Some(known) = recent.iter().rev().find(is_it) {
            return Arc::clone(known);
        }
        if recent.len() == REMEMBERED_MAX {
            recent.pop_front();
        }
        let (object, wanted, converted) = (Arc::clone(object), wanted.to_owned(), OnceCell::new());
        let shared = Arc::new(Shared { object, wanted, converted });
        recent.push_back(Arc::clone(&shared));
        shared
    }
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
        let converted = Box::pin(convert(&self.conversions().client, webhook, vec![tree], &wanted)).await?;
        let object = custom.settled(converted.into_iter().next().unwrap_or_default());
        Ok(stored::with_revision(&stored::encode(&object), rev))
    }

    /// The same of many, with few calls.
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
        for run in runs(&others, |at| objects[at].json_slice().len()) {
            let trees = run.iter().map(|at| objects[*at].value()).collect();
            let converted = Box::pin(convert(&self.conversions().client, webhook, trees, &wanted)).await?;
            for (at, tree) in run.iter().zip(converted) {
                let object = &objects[*at];
                objects[*at] = Arc::new(object.as_version(&stored::encode(&tree), object.rev, EventType::Added));
            }
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
                let converted =
                    Box::pin(convert(&self.conversions().client, webhook, vec![object.clone()], &kept)).await?;
                Ok(converted.into_iter().next())
            }
        }
    }
}

/// Cuts `all` so that no run is larger than a call may be, unless it is a single one.
fn runs(all: &[usize], size: impl Fn(usize) -> usize) -> Vec<&[usize]> {
    let mut runs = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (end, at) in all.iter().enumerate() {
        let more = size(*at);
        if bytes + more > CALL_BYTES_MAX && end > start {
            runs.push(&all[start..end]);
            (start, bytes) = (end, 0);
        }
        bytes += more;
    }
    runs.push(&all[start..]);
    runs
}

/// An object in the version of `kind`; `None` where no webhook has to be asked for it.
pub(crate) async fn tree(by: &Conversions, kind: &dyn Kind, object: &Value) -> Result<Option<Value>, ApiError> {
    let Some((custom, webhook)) = webhook_of(kind) else { return Ok(None) };
    let wanted = kind.row().api_version();
    if tree::text(object, "apiVersion") == wanted {
        return Ok(None);
    }
    let converted = Box::pin(convert(&by.client, webhook, vec![object.clone()], &wanted)).await?;
    Ok(Some(custom.settled(converted.into_iter().next().unwrap_or_default())))
}

/// A delivery with its object in the version of `kind`.
pub(crate) async fn delivery(by: &Conversions, kind: &dyn Kind, it: &Delivery) -> Result<Delivery, ApiError> {
    let object = it.object();
    let wanted = kind.row().api_version();
    let Some((_, webhook)) = webhook_of(kind).filter(|_| !view::is_of_version(object.json_slice(), &wanted)) else {
        return Ok(it.clone());
    };
    let converted = by.shared(webhook, object, &wanted).await?;
    let object = Arc::new(object.as_version(&converted, it.rev(), it.ty()));
    Ok(match it {
        Delivery::Initial(_) => Delivery::Initial(object),
        Delivery::Change(_, ty) => Delivery::Change(Arc::new(Event::new(*ty, object, None)), *ty),
    })
}

/// What a delivery of kept forms is to a watcher whose selection needs the version of `kind`; `None`: nothing.
pub(crate) async fn picked(
    by: &Conversions,
    kind: &dyn Kind,
    it: &Delivery,
    selection: &Selection,
) -> Result<Option<Delivery>, ApiError> {
    let Delivery::Change(event, ty) = it else {
        return Ok(Some(delivery(by, kind, it).await?).filter(|it| selection.matches(it.object())));
    };
    let before = match ty {
        EventType::Added => None,
        EventType::Modified | EventType::Deleted => Some(event.prev.as_ref().unwrap_or(&event.object)),
    };
    let before = match before {
        Some(object) => Some(delivery(by, kind, &Delivery::Initial(Arc::clone(object))).await?),
        None => None,
    };
    let before = before.filter(|it| selection.matches(it.object()));
    let after = match ty {
        EventType::Added | EventType::Modified => Some(delivery(by, kind, it).await?),
        EventType::Deleted => None,
    };
    let after = after.filter(|it| selection.matches(it.object()));
    let seen_as = |shown: &Delivery, ty| {
        let encoded = stored::encode(&shown.object().value());
        let object = Arc::new(shown.object().as_version(&encoded, it.rev(), ty));
        Delivery::Change(Arc::new(Event::new(ty, object, None)), ty)
    };
    Ok(match (before, after) {
        (Some(_), Some(after)) => Some(after),
        (None, Some(after)) => Some(seen_as(&after, EventType::Added)),
        (Some(before), None) => Some(seen_as(&before, EventType::Deleted)),
        (None, None) => None,
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
    fn long_lists_take_several_calls() {
        let sizes = [CALL_BYTES_MAX / 2, CALL_BYTES_MAX / 2, 1, 2 * CALL_BYTES_MAX, 1];
        let all: Vec<usize> = (0..sizes.len()).collect();
        assert_eq!(runs(&all, |at| sizes[at]), [&[0, 1][..], &[2], &[3], &[4]]);
    }

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
