//! The generic registry: create, get, list, watch, update, patch, delete for every kind, over `dyn Kind`.
//!
//! It owns the life of `metadata` (uid, generation, deletion, finalizers, managed fields), optimistic concurrency and
//! dry run. What is special to a kind comes from its hooks (`kinds`), from admission, or from an [`Effect`]; nothing here
//! names a kind except the few tables of upstream's exceptions, which say so.

pub mod admit;
pub mod apply;
mod charge;
pub mod commit;
pub mod create;
pub mod decode;
pub mod delete;
pub mod delete_collection;
pub mod effect;
pub mod exceptions;
mod expire;
pub mod get;
mod heartbeat;
pub mod list;
pub mod managed;
pub mod metadata;
pub mod operations;
pub mod patch;
mod protect;
pub mod update;
pub mod view;
pub mod watch;

pub use effect::{Effect, Effects};

use crate::admission;
use crate::auth::{Attributes, Authorizer, Decision};
use crate::cache::{Caches, KindCache, ROOT};
use crate::custom::convert::Conversions;
use crate::error::ApiError;
use crate::request::{Options, Request, Verb};
use bytes::Bytes;
use client::clock::Clock;
use jiff::Timestamp;
use kinds::custom::Custom;
use kinds::kind::Kind;
use kinds::row::{Row, Scope};
use serde_json::Value;
use std::sync::Arc;
use store::{Rev, Store};

/// What an operation works on, and for whom. Names in it are safe as parts of keys.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub request: &'a Request,
    pub kind: &'a Arc<dyn Kind>,
    pub subresource: &'a str,
    /// `""` for cluster-scoped kinds, also for namespaces themselves.
    pub ns: &'a str,
    pub name: &'a str,
    pub options: &'a Options,
    /// The object comes from a server-side apply, which has settled who owns what.
    applied: bool,
    /// Admission has judged what this carries out (a binding, an eviction), and is not asked about the steps.
    admitted: bool,
}

impl<'a> Call<'a> {
    /// The call that a request asks for; a resource that is not served is a 404.
    pub fn of(request: &'a Request) -> Result<Self, ApiError> {
        let kind = request.kind.as_ref().ok_or(ApiError::NoSuchResource)?;
        Ok(Self {
            request,
            kind,
            subresource: &request.subresource,
            ns: if kind.row().scope == Scope::Cluster { "" } else { &request.ns },
            name: &request.name,
            options: &request.options,
            applied: false,
            admitted: false,
        })
    }

    pub fn row(&self) -> &'a Row {
        self.kind.row()
    }

    pub fn manager(&self) -> &'a str {
        match self.options.field_manager.as_str() {
            "" => &self.request.agent,
            manager => manager,
        }
    }

    /// The same call as a step of something that admission has let through.
    pub(crate) fn admitted(self) -> Self {
        Self { admitted: true, ..self }
    }

    /// The same call for another object of the collection.
    pub fn named(self, ns: &'a str, name: &'a str) -> Self {
        Self { ns, name, ..self }
    }

    fn key(&self) -> String {
        key(self.row(), self.ns, self.name)
    }

    fn not_found(&self) -> ApiError {
        ApiError::not_found(self.row(), self.name)
    }
}

/// Where an object lives in the store. `ns` and `name` have passed `request` or the kind's name rule.
pub fn key(row: &Row, ns: &str, name: &str) -> String {
    let storage = &row.storage;
    match ns {
        "" => format!("{ROOT}{storage}/{name}"),
        ns => format!("{ROOT}{storage}/{ns}/{name}"),
    }
}

/// An object after a write.
#[derive(Clone, Debug)]
pub struct Written {
    /// JSON with its resourceVersion.
    pub json: Bytes,
    pub created: bool,
    /// For the client, as `Warning` headers.
    pub warnings: Vec<String>,
}

impl Written {
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.json).unwrap_or_default()
    }
}

/// One version of an object as the store has it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// With `metadata.resourceVersion`.
    pub tree: Value,
    pub json: Bytes,
    pub rev: Rev,
    /// Kept in another version than the one that is kept today: the next write moves it, even one that changes nothing.
    pub outdated: bool,
    /// Out of a cache: a newer version may be stored. A write that names its revision finds that out; nothing else may be
    /// concluded from it.
    pub maybe_old: bool,
}

pub struct Registry {
    caches: Arc<Caches>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    admission: admission::Chain,
    authorizer: Arc<Authorizer>,
    effects: Effects,
    turns: charge::Turns,
    heartbeats: heartbeat::Heartbeats,
    conversions: Arc<Conversions>,
}

impl Registry {
    pub fn new(
        caches: Arc<Caches>,
        clock: Arc<dyn Clock>,
        admission: admission::Chain,
        authorizer: Arc<Authorizer>,
        effects: Effects,
        conversions: Arc<Conversions>,
    ) -> Self {
        let store = Arc::clone(caches.store());
        let turns = charge::Turns::default();
        let heartbeats = heartbeat::Heartbeats::new();
        Self { caches, store, clock, admission, authorizer, effects, turns, heartbeats, conversions }
    }

    /// An update or apply that turns out to create was authorized as something else.
    /// k8s: withAuthorization of the create attributes
    async fn check_may_create(&self, call: &Call<'_>) -> Result<(), ApiError> {
        let row = call.row();
        let attributes = Attributes {
            verb: Verb::Create.as_str(),
            group: &row.group,
            version: &row.version,
            resource: &row.plural,
            namespace: call.ns,
            name: call.name,
            ..Attributes::default()
        };
        match self.authorizer.authorize(&call.request.identity, &attributes).await {
            Decision::Allow { .. } => Ok(()),
            Decision::Deny { error: Some(error), .. } => Err(ApiError::internal(error)),
            Decision::Deny { message, .. } => Err(ApiError::forbidden(row, call.name, message)),
        }
    }

    /// The kind's watch cache, started if need be. Reads from it never wait for the store.
    pub async fn cache(&self, kind: &Arc<dyn Kind>) -> Result<Arc<KindCache>, ApiError> {
        self.caches.of(kind).await
    }

    pub fn caches(&self) -> &Arc<Caches> {
        &self.caches
    }

    pub(crate) fn conversions(&self) -> &Arc<Conversions> {
        &self.conversions
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The newest version, or `None`.
    async fn read(&self, call: &Call<'_>) -> Result<Option<Stored>, ApiError> {
        let (entry, _) = self.store.get(&call.key(), None).await?;
        let Some(entry) = entry else { return Ok(None) };
        let kind = call.kind.as_ref();
        let json = view::entry_json(kind, &entry.value, entry.mod_rev);
        let json = self.in_version(kind, json, entry.mod_rev).await?;
        let kept = kind.custom().map(Custom::stored_api_version);
        let outdated = kept.is_some_and(|kept| !view::is_of_version(&entry.value, &kept));
        let tree = serde_json::from_slice(&json).unwrap_or_default();
        Ok(Some(Stored { tree, json, rev: entry.mod_rev, outdated, maybe_old: false }))
    }

    /// What the watch cache has, for a first try of a change.
    fn read_cached(&self, call: &Call<'_>) -> Option<Stored> {
        // Only the store knows in which version a custom resource is kept.
        if call.kind.custom().is_some() {
            return None;
        }
        let object = self.caches.started(call.kind.as_ref())?.get(call.ns, call.name)?;
        let (json, rev) = (object.json(), object.rev);
        Some(Stored { tree: object.value(), json, rev, outdated: false, maybe_old: true })
    }
}
