//! What a cache must know of the objects it holds.

use crate::action::Key;
use k8s_openapi::Metadata;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// An object that a [`super::Cache`] can hold.
pub trait Tracked: DeserializeOwned + Send + Sync + 'static {
    fn ns(&self) -> &str;
    fn name(&self) -> &str;
    fn uid(&self) -> &str;
    /// `metadata.resourceVersion` as a number, 0 where there is none.
    fn rev(&self) -> u64;
    fn deleting(&self) -> bool;
    fn owners(&self) -> Vec<Owner>;
    fn controller_uid(&self) -> Option<&str>;
    fn finalizers(&self) -> &[String];
    /// Drops what no reader of a cache needs.
    fn slim(&mut self);

    /// The same in no more memory than it takes: what has just been decoded has room for more in every list.
    #[must_use]
    fn compact(self) -> Self {
        self
    }

    fn key(&self) -> Key {
        Key::new(self.ns(), self.name())
    }
}

/// An object of a kind known at compile time.
pub trait Typed: Tracked + k8s_openapi::Resource {}
impl<K: Tracked + k8s_openapi::Resource> Typed for K {}

impl<K> Tracked for K
where
    K: k8s_openapi::Resource + Metadata<Ty = ObjectMeta> + DeserializeOwned + Clone + Send + Sync + 'static,
{
    fn ns(&self) -> &str {
        self.metadata().namespace.as_deref().unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }

    fn uid(&self) -> &str {
        self.metadata().uid.as_deref().unwrap_or_default()
    }

    fn rev(&self) -> u64 {
        self.metadata().resource_version.as_deref().and_then(|rev| rev.parse().ok()).unwrap_or(0)
    }

    fn deleting(&self) -> bool {
        self.metadata().deletion_timestamp.is_some()
    }

    fn owners(&self) -> Vec<Owner> {
        self.metadata().owner_references.iter().flatten().map(Owner::from).collect()
    }

    fn controller_uid(&self) -> Option<&str> {
        let owners = self.metadata().owner_references.as_deref().unwrap_or_default();
        owners.iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str())
    }

    fn finalizers(&self) -> &[String] {
        self.metadata().finalizers.as_deref().unwrap_or_default()
    }

    fn slim(&mut self) {
        self.metadata_mut().managed_fields = None;
    }

    fn compact(self) -> Self {
        Self::clone(&self)
    }
}

/// An owner reference, as the garbage collector needs it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub uid: String,
    #[serde(default)]
    pub block_owner_deletion: Option<bool>,
    #[serde(default)]
    pub controller: Option<bool>,
}

impl From<&OwnerReference> for Owner {
    fn from(reference: &OwnerReference) -> Self {
        Self {
            api_version: reference.api_version.clone(),
            kind: reference.kind.clone(),
            name: reference.name.clone(),
            uid: reference.uid.clone(),
            block_owner_deletion: reference.block_owner_deletion,
            controller: reference.controller,
        }
    }
}

/// The little that the garbage collector needs of an object of any kind.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "MetaWire")]
pub struct Meta {
    pub key: Key,
    pub uid: String,
    pub rev: u64,
    pub deleting: bool,
    pub finalizers: Vec<String>,
    pub owners: Vec<Owner>,
}

impl Meta {
    pub fn of<K: Tracked>(object: &K) -> Self {
        Self {
            key: object.key(),
            uid: object.uid().to_owned(),
            rev: object.rev(),
            deleting: object.deleting(),
            finalizers: object.finalizers().to_vec(),
            owners: object.owners(),
        }
    }
}

#[derive(Deserialize)]
struct MetaWire {
    metadata: MetaFields,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetaFields {
    #[serde(default)]
    namespace: Option<String>,
    name: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    deletion_timestamp: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    finalizers: Option<Vec<String>>,
    #[serde(default)]
    owner_references: Option<Vec<Owner>>,
}

impl From<MetaWire> for Meta {
    fn from(wire: MetaWire) -> Self {
        let fields = wire.metadata;
        Self {
            key: Key::new(fields.namespace.unwrap_or_default(), fields.name),
            uid: fields.uid,
            rev: fields.resource_version.parse().unwrap_or(0),
            deleting: fields.deletion_timestamp.is_some(),
            finalizers: fields.finalizers.unwrap_or_default(),
            owners: fields.owner_references.unwrap_or_default(),
        }
    }
}

impl Tracked for Meta {
    fn ns(&self) -> &str {
        &self.key.ns
    }

    fn name(&self) -> &str {
        &self.key.name
    }

    fn uid(&self) -> &str {
        &self.uid
    }

    fn rev(&self) -> u64 {
        self.rev
    }

    fn deleting(&self) -> bool {
        self.deleting
    }

    fn owners(&self) -> Vec<Owner> {
        self.owners.clone()
    }

    fn controller_uid(&self) -> Option<&str> {
        self.owners.iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str())
    }

    fn finalizers(&self) -> &[String] {
        &self.finalizers
    }

    fn slim(&mut self) {}
}
