//! The const row of a kind: names, scope, subresources, printer columns, selectable fields.

use std::borrow::Cow;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Namespaced,
    Cluster,
}

/// Verbs of the main resource, in discovery's order.
pub const ALL_VERBS: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// A subresource that the registry serves generically or by a handler of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subresource {
    /// `status`, `scale`, `binding`, `eviction`, `log`, `exec`, ..
    pub name: Cow<'static, str>,
    /// Group, version and kind of the body where it differs from the parent (`autoscaling/v1 Scale`, `policy/v1 Eviction`).
    pub body: Option<(Cow<'static, str>, Cow<'static, str>, Cow<'static, str>)>,
    pub verbs: Cow<'static, [Cow<'static, str>]>,
}

/// One column of the Table form. `path` is a JSONPath for custom resources; built-ins compute cells in a hook, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: Cow<'static, str>,
    /// OpenAPI type: `string`, `integer`, `number`, `boolean`, `date`.
    pub kind: Cow<'static, str>,
    pub format: Cow<'static, str>,
    pub description: Cow<'static, str>,
    /// 0 is shown always, 1 with `-o wide`.
    pub priority: i32,
    pub path: Option<Cow<'static, str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `""` for the core group.
    pub group: Cow<'static, str>,
    pub version: Cow<'static, str>,
    pub kind: Cow<'static, str>,
    pub list_kind: Cow<'static, str>,
    pub plural: Cow<'static, str>,
    pub singular: Cow<'static, str>,
    pub short_names: Cow<'static, [Cow<'static, str>]>,
    pub categories: Cow<'static, [Cow<'static, str>]>,
    pub scope: Scope,
    /// Verbs of the main resource (most: [`ALL_VERBS`]; reviews only `create`).
    pub verbs: Cow<'static, [Cow<'static, str>]>,
    pub subresources: Cow<'static, [Subresource]>,
    pub columns: Cow<'static, [Column]>,
    /// Field selectors beyond `metadata.name` and `metadata.namespace`: label and JSON pointer-like dotted path, `spec.nodeName`.
    pub fields: Cow<'static, [(Cow<'static, str>, Cow<'static, str>)]>,
    /// Segment(s) under `/registry/`: two rows that share it are two views of one store (core and events.k8s.io Event).
    pub storage: Cow<'static, str>,
    /// Definition name in the schema table, `io.k8s.api.core.v1.Pod`.
    pub schema: Cow<'static, str>,
    /// Whether `metadata.generation` counts changes outside metadata and status.
    pub generation: bool,
    /// Whether a PUT to a missing name creates it (Lease, Endpoints, .. as upstream's AllowCreateOnUpdate).
    pub create_on_update: bool,
}
