//! Actions on typed objects: the few lines that every controller would repeat.

use client::action::{Action, Event, PatchKind, Propagation, Resource};
use client::cache::Typed;
use jiff::Timestamp;
use k8s_openapi::Metadata;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use serde::Serialize;
use serde_json::{Value, json};
use std::borrow::Cow;

/// A typed API object that can be written.
pub(crate) trait Object: Typed + Serialize + Metadata<Ty = ObjectMeta> {}
impl<K: Typed + Serialize + Metadata<Ty = ObjectMeta>> Object for K {}

fn tree<K: Serialize>(object: &K) -> Value {
    serde_json::to_value(object).expect("an API object can always be written")
}

pub(crate) fn create<K: Object>(object: &K) -> Action {
    Action::Create { resource: Resource::of::<K>(), ns: object.ns().to_owned(), object: tree(object) }
}

/// PUT with the resourceVersion that was seen; `subresource` may be empty.
pub(crate) fn update<K: Object>(object: &K, subresource: &'static str) -> Action {
    Action::Update { resource: Resource::of::<K>(), key: object.key(), subresource, object: tree(object) }
}

pub(crate) fn patch<K: Object>(object: &K, subresource: &'static str, kind: PatchKind, body: Value) -> Action {
    Action::Patch { resource: Resource::of::<K>(), key: object.key(), subresource, kind, body }
}

/// With the object's uid as precondition; grace and propagation are the kind's defaults.
pub(crate) fn delete<K: Object>(object: &K) -> Action {
    delete_within(object, None, None)
}

pub(crate) fn delete_within<K: Object>(
    object: &K,
    grace_seconds: Option<i64>,
    propagation: Option<Propagation>,
) -> Action {
    Action::Delete {
        resource: Resource::of::<K>(),
        key: object.key(),
        uid: object.uid().to_owned(),
        grace_seconds,
        propagation,
    }
}

pub(crate) fn event<K: Object>(
    about: &K,
    type_: &'static str,
    reason: impl Into<Cow<'static, str>>,
    message: String,
) -> Action {
    let meta = about.metadata();
    let regarding = ObjectReference {
        api_version: Some(K::API_VERSION.to_owned()),
        kind: Some(K::KIND.to_owned()),
        name: meta.name.clone(),
        namespace: meta.namespace.clone(),
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        field_path: None,
    };
    Action::Event(Event { regarding, type_, reason: reason.into(), message, action: "" })
}

/// The reference by which `owner` controls an object.
pub(crate) fn controller_reference<K: Object>(owner: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::API_VERSION.to_owned(),
        kind: K::KIND.to_owned(),
        name: owner.name().to_owned(),
        uid: owner.uid().to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Adds `owner`, and its finalizer if it has one, to an orphan. The uid makes it fail on another object of that name.
pub(crate) fn adopt<K: Object, O: Object>(object: &K, owner: &O, finalizer: Option<&'static str>) -> Action {
    let mut body = json!({"metadata": {"uid": object.uid(), "ownerReferences": [controller_reference(owner)]}});
    if let Some(finalizer) = finalizer {
        body["metadata"]["finalizers"] = json!([finalizer]);
    }
    patch(object, "", PatchKind::Strategic, body)
}

/// Takes `owner`, and its finalizer if it has one, away from an object that is no longer its own.
pub(crate) fn release<K: Object, O: Object>(object: &K, owner: &O, finalizer: Option<&'static str>) -> Action {
    let gone = json!({"$patch": "delete", "uid": owner.uid()});
    let mut body = json!({"metadata": {"uid": object.uid(), "ownerReferences": [gone]}});
    if let Some(finalizer) = finalizer {
        body["metadata"]["$deleteFromPrimitiveList/finalizers"] = json!([finalizer]);
    }
    patch(object, "", PatchKind::Strategic, body)
}

/// API times have whole seconds: what is written must equal what is read back.
pub(crate) fn time(now: Timestamp) -> Time {
    Time(Timestamp::from_second(now.as_second()).expect("a second within the range of the timestamp it comes from"))
}

/// Zero counts are left out of statuses (k8s: omitempty).
pub(crate) fn nonzero(count: i32) -> Option<i32> {
    (count != 0).then_some(count)
}

const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// A name's random-looking end, without vowels so that it spells nothing. A function of its input: the same creation
/// asked for twice has the same name, so the second is refused.
pub(crate) fn suffix(seed: &[&[u8]]) -> String {
    let mut hash = fnv64(seed);
    let letter = |hash: &mut u64| {
        let at = (*hash % ALPHABET.len() as u64) as usize;
        *hash /= ALPHABET.len() as u64;
        ALPHABET[at] as char
    };
    (0..5).map(|_| letter(&mut hash)).collect()
}

pub(crate) fn fnv64(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.iter().chain(&[0xff]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    // FNV's low bits mix badly on short inputs
    hash ^ (hash >> 29)
}

/// k8s: FNV-1a with 32 bits, its decimal digits mapped to letters that spell nothing (rand.SafeEncodeString)
pub(crate) fn safe_hash(bytes: impl IntoIterator<Item = u8>) -> String {
    let hash = bytes.into_iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.to_string().bytes().map(|digit| ALPHABET[digit as usize % ALPHABET.len()] as char).collect()
}
