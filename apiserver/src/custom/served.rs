//! The kinds that are served: those of the tables, and the versions of every accepted definition. Kept by the feed, asked by
//! every request.

use crate::publish::served::{Provider, Served};
use kinds::custom::{self, condition};
use kinds::kind::Kind;
use kinds::row::Row;
use parking_lot::RwLock;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub struct Kinds {
    state: RwLock<State>,
}

struct State {
    served: Served,
    by_path: HashMap<Place, Arc<dyn Kind>>,
    /// By name of the definition.
    definitions: BTreeMap<String, Compiled>,
}

/// Group, version and plural.
type Place = (String, String, String);

struct Compiled {
    made_of: Ingredients,
    kinds: Vec<Arc<dyn Kind>>,
}

/// What of a definition its kinds depend on: as long as it stays, they do.
#[derive(Clone, Debug, PartialEq)]
struct Ingredients {
    uid: String,
    generation: i64,
    accepted: Value,
    terminating: bool,
}

impl Ingredients {
    fn of(crd: &Value) -> Self {
        let at = |path: &str| kinds::tree::at(crd, path);
        Self {
            uid: kinds::tree::text(crd, "metadata.uid").to_owned(),
            generation: kinds::tree::integer(crd, "metadata.generation"),
            accepted: at("status.acceptedNames").cloned().unwrap_or_default(),
            terminating: at("metadata.deletionTimestamp").is_some(),
        }
    }
}

/// Whether something changed that readers of the kinds have to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Made,
    Unneeded,
}

fn place(row: &Row) -> Place {
    (row.group.to_string(), row.version.to_string(), row.plural.to_string())
}

/// Kinds that no definition can take away.
fn in_tree() -> impl Iterator<Item = Arc<dyn Kind>> {
    kinds::table::builtin().iter().chain(kinds::table::measured()).cloned()
}

impl Default for Kinds {
    fn default() -> Self {
        let served = Served { generation: 0, kinds: in_tree().collect() };
        Self { state: RwLock::new(State { served, by_path: HashMap::new(), definitions: BTreeMap::new() }) }
    }
}

impl Kinds {
    /// The kind behind a path.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<dyn Kind>> {
        if let Some(builtin) = kinds::table::find(group, version, plural) {
            return Some(Arc::clone(builtin));
        }
        if let Some(measured) = kinds::table::find_measured(group, version, plural) {
            return Some(Arc::clone(measured));
        }
        let state = self.state.read();
        if state.by_path.is_empty() {
            return None;
        }
        state.by_path.get(&(group.to_owned(), version.to_owned(), plural.to_owned())).cloned()
    }

    /// The same objects in other groups and versions. k8s: `EquivalentResourceMapper`
    pub fn equivalents(&self, own: &Row) -> Vec<Arc<dyn Kind>> {
        let other = |kind: &&Arc<dyn Kind>| {
            let row = kind.row();
            row.storage == own.storage && (&row.group, &row.version) != (&own.group, &own.version)
        };
        self.state.read().served.kinds.iter().filter(other).cloned().collect()
    }

    /// The kind that an `apiVersion` and `kind` name.
    pub fn find_kind(&self, group: &str, version: &str, kind: &str) -> Option<Arc<dyn Kind>> {
        let is_it = |known: &&Arc<dyn Kind>| {
            let row = known.row();
            row.group == group && row.version == version && row.kind == kind && row.has_verb("get")
        };
        self.state.read().served.kinds.iter().find(is_it).cloned()
    }

    /// Whether a kind is still served as it is.
    pub fn is_current(&self, kind: &dyn Kind) -> bool {
        let Some(custom) = kind.custom() else { return true };
        let found = self.state.read().by_path.get(&place(kind.row())).cloned();
        found.is_some_and(|found| found.custom().is_some_and(|found| found.edition() == custom.edition()))
    }

    /// Takes over a definition as it is now; `None`: it is gone.
    pub fn set(&self, name: &str, crd: Option<&Value>) -> Change {
        let accepted = |crd: &&Value| condition::holds(crd, "NamesAccepted") || condition::holds(crd, "Established");
        let crd = crd.filter(accepted);
        let made_of = crd.map(Ingredients::of);
        if self.state.read().definitions.get(name).map(|known| &known.made_of) == made_of.as_ref() {
            return Change::Unneeded;
        }
        // Compiled outside of the lock: a large schema takes milliseconds.
        let compiled = crd.zip(made_of).map(|(crd, made_of)| Compiled { made_of, kinds: custom::kinds_of(crd) });
        let mut state = self.state.write();
        match compiled {
            Some(compiled) => state.definitions.insert(name.to_owned(), compiled),
            None => state.definitions.remove(name),
        };
        state.rebuild();
        Change::Made
    }
}

impl State {
    fn rebuild(&mut self) {
        let is_in_tree = |row: &Row| in_tree().any(|kind| place(kind.row()) == place(row));
        let all = self.definitions.values().flat_map(|compiled| &compiled.kinds);
        let mut custom: Vec<Arc<dyn Kind>> = all.filter(|kind| !is_in_tree(kind.row())).cloned().collect();
        custom.sort_by(|a, b| {
            let (a, b) = (a.row(), b.row());
            let by_version = || custom::version::compare(&a.version, &b.version);
            a.group.cmp(&b.group).then_with(by_version).then_with(|| a.plural.cmp(&b.plural))
        });
        self.by_path = custom.iter().map(|kind| (place(kind.row()), Arc::clone(kind))).collect();
        self.served = Served { generation: self.served.generation + 1, kinds: in_tree().chain(custom).collect() };
    }
}

impl Provider for Kinds {
    fn served(&self) -> Served {
        self.state.read().served.clone()
    }
}
