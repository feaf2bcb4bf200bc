//! One entry of `managedFields`, and the list as it is stored.

use super::set::Set;
use crate::registry::{Call, metadata};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// How an entry came to own its fields. Sorted as upstream sorts entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    Apply,
    Update,
}

impl Operation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub manager: String,
    pub operation: Operation,
    pub api_version: String,
    pub subresource: String,
    /// As it is written; times in UTC and whole seconds compare as text.
    pub time: String,
    pub set: Set,
}

impl Entry {
    /// What the call's writer owns from now on.
    pub fn of(call: &Call<'_>, operation: Operation, set: Set, now: Timestamp) -> Self {
        Self {
            manager: call.manager().to_owned(),
            operation,
            api_version: call.row().api_version(),
            subresource: call.subresource.to_owned(),
            time: metadata::time(now),
            set,
        }
    }

    /// An applier stays the same whatever the version it applies.
    pub fn is_same_owner(&self, other: &Self) -> bool {
        self.operation == other.operation
            && self.manager == other.manager
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    /// How upstream spells the owner, by which it sorts.
    pub fn identity(&self) -> String {
        let version = if self.operation == Operation::Update { self.api_version.as_str() } else { "" };
        let part = |name: &str, text: &str| if text.is_empty() { String::new() } else { format!(",{name:?}:{text:?}") };
        let (version, subresource) = (part("apiVersion", version), part("subresource", &self.subresource));
        format!("{{\"manager\":{:?},\"operation\":{:?}{version}{subresource}", self.manager, self.operation.as_str())
    }

    /// How conflicts name the owner: `"kubectl" using apps/v1`.
    /// k8s: printManager
    pub fn shown(&self) -> String {
        let door = match self.subresource.as_str() {
            "" => String::new(),
            door => format!(" with subresource {door:?}"),
        };
        let version = match self.operation {
            Operation::Apply => String::new(),
            Operation::Update => format!(" using {}", self.api_version),
        };
        format!("{:?}{door}{version}", self.manager)
    }

    /// `None` where the entry is not well formed.
    fn read(entry: &Value) -> Option<Self> {
        let text = |field| entry.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
        let operation = match entry.get("operation")?.as_str()? {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        let api_version = text("apiVersion");
        if api_version.is_empty() || text("fieldsType") != "FieldsV1" {
            return None;
        }
        let set = entry.get("fieldsV1").map(Set::of_json).unwrap_or_default();
        Some(Self {
            manager: text("manager"),
            operation,
            api_version,
            subresource: text("subresource"),
            time: text("time"),
            set,
        })
    }

    fn into_json(self) -> Value {
        let mut shown = Map::new();
        let mut put = |field: &str, text: &str| {
            if !text.is_empty() {
                shown.insert(field.to_owned(), text.into());
            }
        };
        put("manager", &self.manager);
        put("operation", self.operation.as_str());
        put("apiVersion", &self.api_version);
        put("time", &self.time);
        put("fieldsType", "FieldsV1");
        put("subresource", &self.subresource);
        shown.insert("fieldsV1".to_owned(), self.set.into_json());
        Value::Object(shown)
    }
}

/// Reads the list; `None` where any entry is not well formed. Of entries that a client has given to one owner the last
/// one counts.
/// k8s: DecodeManagedFields
pub fn read(list: &Value) -> Option<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    for entry in list.as_array()? {
        let entry = Entry::read(entry)?;
        entries.retain(|known| !known.is_same_owner(&entry));
        entries.push(entry);
    }
    Some(entries)
}

/// Writes the list, sorted; nothing where there are no entries.
pub fn write(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.set.is_empty());
    // k8s: sortEncodedManagedFields
    fn key(entry: &Entry) -> (Operation, [&str; 4]) {
        (entry.operation, [&entry.time, &entry.manager, &entry.api_version, &entry.subresource])
    }
    entries.sort_by(|a, b| key(a).cmp(&key(b)));
    if entries.is_empty() {
        metadata::unset(object, "managedFields");
    } else {
        metadata::set(object, "managedFields", entries.into_iter().map(Entry::into_json).collect::<Vec<_>>());
    }
}
