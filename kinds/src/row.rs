//! The const row of a kind: names, scope, subresources, printer columns, selectable fields; and the macros that keep a
//! row short in its kind's file. It does not know any kind.

use crate::schema::{self, Schema};
use std::borrow::Cow;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Namespaced,
    Cluster,
}

type Str = Cow<'static, str>;

/// Verbs of the main resource, in discovery's order.
pub const ALL_VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// [`ALL_VERBS`] as rows hold them.
pub(crate) const STORED: &[Str] =
    names!["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// Verbs of a review: asked, answered, not kept.
pub(crate) const CREATE_ONLY: &[Str] = names!["create"];

/// Verbs of `status`, `scale` and their like.
pub(crate) const GET_PATCH_UPDATE: &[Str] = names!["get", "patch", "update"];

/// A subresource that the registry serves generically or by a handler of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subresource {
    /// `status`, `scale`, `binding`, `eviction`, `log`, `exec`, ..
    pub name: Cow<'static, str>,
    /// Group, version and kind of the body where it differs from the parent (`autoscaling/v1 Scale`, `policy/v1 Eviction`).
    pub body: Option<(Cow<'static, str>, Cow<'static, str>, Cow<'static, str>)>,
    pub verbs: Cow<'static, [Cow<'static, str>]>,
}

impl Subresource {
    /// The type of [`Self::body`].
    pub fn body_schema(&self) -> Option<Schema> {
        let (group, version, kind) = self.body.as_ref()?;
        schema::lookup(&schema::definition(group, version, kind))
    }
}

/// `status`, as nearly every kind has it.
pub(crate) const STATUS: Subresource = sub!("status", GET_PATCH_UPDATE);

/// `scale`: the same `Scale` for every workload.
pub(crate) const SCALE: Subresource = sub!("scale", "autoscaling" "v1" "Scale", GET_PATCH_UPDATE);

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

impl Column {
    /// A built-in's column shown always.
    pub(crate) const fn new(name: &'static str, kind: &'static str) -> Self {
        Column {
            name: Cow::Borrowed(name),
            kind: Cow::Borrowed(kind),
            format: Cow::Borrowed(""),
            description: Cow::Borrowed(""),
            priority: 0,
            path: None,
        }
    }

    /// A built-in's column shown with `-o wide` only.
    pub(crate) const fn wide(name: &'static str, kind: &'static str) -> Self {
        let mut column = Self::new(name, kind);
        column.priority = 1;
        column
    }
}

/// The first column of every kind.
pub(crate) const NAME: Column = {
    let mut column = Column::new("Name", "string");
    replace(&mut column.format, Cow::Borrowed("name"));
    replace(&mut column.description, Cow::Borrowed("Name of the object, unique in its namespace."));
    column
};

/// The time since creation.
pub(crate) const AGE: Column = {
    let mut column = Column::new("Age", "string");
    replace(&mut column.description, Cow::Borrowed("Time since the object was created."));
    column
};

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
    /// Field selectors beyond `metadata.name` and `metadata.namespace`: label and dotted path, `spec.nodeName`; or several
    /// paths, [apart](paths) by `|`.
    pub fields: Cow<'static, [(Cow<'static, str>, Cow<'static, str>)]>,
    /// Segment(s) under `/registry/`: two rows that share it are two views of one store (core and events.k8s.io Event).
    pub storage: Cow<'static, str>,
    /// Definition name in the schema table, `io.k8s.api.core.v1.Pod`.
    pub schema: Cow<'static, str>,
    /// Whether `metadata.generation` counts changes outside metadata and status.
    pub generation: bool,
    /// Whether a PUT to a missing name creates it (Lease, Endpoints, .. as upstream's AllowCreateOnUpdate).
    pub create_on_update: bool,
    /// Whether a create may bring a status (Node: a node agent registers with one).
    pub status_on_create: bool,
    /// What every answer about this version tells its client.
    pub deprecation: Option<Cow<'static, str>>,
}

/// The paths of a selectable field: its value is the first that is not empty.
pub fn paths(field: &str) -> impl Iterator<Item = &str> {
    field.split('|')
}

impl Row {
    /// A stored resource with every verb and nothing special; [`row!`] fills in the rest.
    pub(crate) const fn base(
        group: &'static str,
        version: &'static str,
        names: [&'static str; 4],
        scope: Scope,
        schema: &'static str,
    ) -> Self {
        let [kind, list_kind, plural, singular] = names;
        Row {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            kind: Cow::Borrowed(kind),
            list_kind: Cow::Borrowed(list_kind),
            plural: Cow::Borrowed(plural),
            singular: Cow::Borrowed(singular),
            short_names: Cow::Borrowed(&[]),
            categories: Cow::Borrowed(&[]),
            scope,
            verbs: Cow::Borrowed(STORED),
            subresources: Cow::Borrowed(&[]),
            columns: Cow::Borrowed(DEFAULT_COLUMNS),
            fields: Cow::Borrowed(&[]),
            storage: Cow::Borrowed(plural),
            schema: Cow::Borrowed(schema),
            generation: false,
            create_on_update: false,
            status_on_create: false,
            deprecation: None,
        }
    }

    /// The `apiVersion` of its objects: `v1`, `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_string() } else { format!("{}/{}", self.group, self.version) }
    }

    pub fn namespaced(&self) -> bool {
        self.scope == Scope::Namespaced
    }

    pub fn has_verb(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }

    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|known| known.name == name)
    }
}

/// k8s: the generic table convertor's columns, for kinds without a printer of their own
const DEFAULT_COLUMNS: &[Column] = &[NAME, {
    let mut column = Column::new("Created At", "date");
    replace(&mut column.description, Cow::Borrowed("Time at which the object was created."));
    column
}];

/// Assignment in const code: a plain one would have to run a destructor, which const evaluation refuses.
pub(crate) const fn replace<T>(slot: &mut T, value: T) {
    std::mem::forget(std::mem::replace(slot, value));
}

/// `&[Cow<'static, str>]` from literals.
macro_rules! names {
    ($($name:literal),* $(,)?) => {{
        const NAMES: &[std::borrow::Cow<'static, str>] = &[$(std::borrow::Cow::Borrowed($name)),*];
        NAMES
    }};
}
pub(crate) use names;

/// One [`Subresource`]: `sub!("status", VERBS)` or `sub!("scale", "autoscaling" "v1" "Scale", VERBS)`.
macro_rules! sub {
    ($name:literal, $verbs:expr) => {
        $crate::row::Subresource {
            name: std::borrow::Cow::Borrowed($name),
            body: None,
            verbs: std::borrow::Cow::Borrowed($verbs),
        }
    };
    ($name:literal, $group:literal $version:literal $kind:literal, $verbs:expr) => {
        $crate::row::Subresource {
            name: std::borrow::Cow::Borrowed($name),
            body: Some((
                std::borrow::Cow::Borrowed($group),
                std::borrow::Cow::Borrowed($version),
                std::borrow::Cow::Borrowed($kind),
            )),
            verbs: std::borrow::Cow::Borrowed($verbs),
        }
    };
}
pub(crate) use sub;

/// A const [`Row`]. After the names come the parts that differ from a plain stored resource:
///
/// ```text
/// const ROW: Row = row! {
///     "io.k8s.api.core.v1.Pod" "" "v1" "Pod" "pods" "pod" Namespaced,
///     short: ["po"], categories: ["all"],
///     subresources: [STATUS, sub!("log", names!["get"])],
///     columns: [NAME, Column::new("Ready", "string"), AGE],
///     fields: ["spec.nodeName" = "spec.nodeName"],
///     storage: "pods", generation: true, create_on_update: false,
/// };
/// ```
macro_rules! row {
    ($schema:literal "" $version:literal $kind:literal $plural:literal $singular:literal $scope:ident $($parts:tt)*) => {
        $crate::row::row!(@ $schema "" $version $kind $plural $singular $scope $plural; $($parts)*)
    };
    ($schema:literal $group:literal $version:literal $kind:literal $plural:literal $singular:literal $scope:ident
     $($parts:tt)*) => {
        $crate::row::row!(@ $schema $group $version $kind $plural $singular $scope (concat!($group, "/", $plural)); $($parts)*)
    };
    (@ $schema:literal $group:literal $version:literal $kind:literal $plural:literal $singular:literal $scope:ident
     $storage:tt; $(, $key:ident : $value:tt)* $(,)?) => {{
        let mut row = $crate::row::Row::base(
            $group,
            $version,
            [$kind, concat!($kind, "List"), $plural, $singular],
            $crate::row::Scope::$scope,
            $schema,
        );
        $crate::row::replace(&mut row.storage, std::borrow::Cow::Borrowed($storage));
        $( $crate::row::row_part!(row $key $value); )*
        row
    }};
}
pub(crate) use row;

macro_rules! row_part {
    ($row:ident short [$($name:literal),*]) => {
        $crate::row::replace(&mut $row.short_names, std::borrow::Cow::Borrowed($crate::row::names![$($name),*]))
    };
    ($row:ident categories [$($name:literal),*]) => {
        $crate::row::replace(&mut $row.categories, std::borrow::Cow::Borrowed($crate::row::names![$($name),*]))
    };
    ($row:ident verbs $verbs:tt) => {
        $crate::row::replace(&mut $row.verbs, std::borrow::Cow::Borrowed($verbs))
    };
    ($row:ident subresources [$($sub:expr),* $(,)?]) => {{
        const SUBRESOURCES: &[$crate::row::Subresource] = &[$($sub),*];
        $crate::row::replace(&mut $row.subresources, std::borrow::Cow::Borrowed(SUBRESOURCES))
    }};
    ($row:ident columns [$($column:expr),* $(,)?]) => {{
        const COLUMNS: &[$crate::row::Column] = &[$($column),*];
        $crate::row::replace(&mut $row.columns, std::borrow::Cow::Borrowed(COLUMNS))
    }};
    ($row:ident columns $shared:tt) => {
        $crate::row::replace(&mut $row.columns, std::borrow::Cow::Borrowed($shared))
    };
    ($row:ident fields [$($label:literal = $path:literal),* $(,)?]) => {{
        const FIELDS: &[(std::borrow::Cow<'static, str>, std::borrow::Cow<'static, str>)] =
            &[$((std::borrow::Cow::Borrowed($label), std::borrow::Cow::Borrowed($path))),*];
        $crate::row::replace(&mut $row.fields, std::borrow::Cow::Borrowed(FIELDS))
    }};
    ($row:ident storage $storage:literal) => {
        $crate::row::replace(&mut $row.storage, std::borrow::Cow::Borrowed($storage))
    };
    ($row:ident generation $on:literal) => { $row.generation = $on };
    ($row:ident create_on_update $on:literal) => { $row.create_on_update = $on };
    ($row:ident status_on_create $on:literal) => { $row.status_on_create = $on };
    ($row:ident deprecation $text:literal) => {
        $crate::row::replace(&mut $row.deprecation, Some(std::borrow::Cow::Borrowed($text)))
    };
}
pub(crate) use row_part;
