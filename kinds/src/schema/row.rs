//! The shape of the generated table's rows. They are plain numbers, so that the table lies in read-only memory as it is.

/// What a value is where it is not a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Leaf {
    /// An object with declared fields.
    Object,
    String,
    /// Base64 in JSON.
    Bytes,
    Boolean,
    Int32,
    Int64,
    Double,
    /// RFC 3339 in whole seconds.
    Time,
    /// RFC 3339 with six digits.
    MicroTime,
    Quantity,
    IntOrString,
    /// Anything, kept as it is.
    Any,
    /// The three unions inside a JSON schema: the schema, or a boolean, a list of schemas, a list of strings.
    SchemaOrBool,
    SchemaOrArray,
    SchemaOrStrings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Shape {
    One,
    List,
    Map,
    MapOfLists,
}

/// How server-side apply treats a list or map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topology {
    /// Not marked: lists are atomic, maps and objects go key by key.
    Unmarked,
    Atomic,
    Set,
    /// A list whose items are told apart by [`super::Field::list_keys`].
    Map,
    /// An object that goes key by key although its type is atomic elsewhere.
    Granular,
}

#[derive(Clone, Copy)]
pub(super) struct DefinitionRow {
    pub(super) name: u16,
    pub(super) first: u16,
    pub(super) count: u16,
    pub(super) leaf: Leaf,
    pub(super) atomic: bool,
}

#[derive(Clone, Copy)]
pub(super) struct FieldRow {
    pub(super) name: u16,
    pub(super) target: u16,
    pub(super) tag: u16,
    pub(super) via: u16,
    pub(super) default: u16,
    pub(super) merging: u8,
    pub(super) leaf: Leaf,
    pub(super) shape: Shape,
    pub(super) required: bool,
    pub(super) zero_counts: bool,
}

#[derive(Clone, Copy)]
pub(super) struct MergingRow {
    pub(super) list_keys: [u16; 4],
    pub(super) merge_key: u16,
    pub(super) topology: u8,
    pub(super) merge: bool,
    pub(super) retain_keys: bool,
}

/// Short names, because the generated file has thousands of rows.
pub(super) const fn d(name: u16, first: u16, count: u16, leaf: Leaf, atomic: bool) -> DefinitionRow {
    DefinitionRow { name, first, count, leaf, atomic }
}

#[expect(clippy::too_many_arguments, reason = "one argument a column of the table")]
pub(super) const fn f(
    name: u16,
    leaf: Leaf,
    shape: Shape,
    target: u16,
    required: bool,
    zero_counts: bool,
    tag: u16,
    via: u16,
    merging: u8,
    default: u16,
) -> FieldRow {
    FieldRow { name, target, tag, via, default, merging, leaf, shape, required, zero_counts }
}

pub(super) const fn m(topology: u8, list_keys: [u16; 4], merge_key: u16, merge: bool, retain_keys: bool) -> MergingRow {
    MergingRow { list_keys, merge_key, topology, merge, retain_keys }
}
