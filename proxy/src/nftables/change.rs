//! From one rule set to the next, by the ports that differ: chains of a port are its own, and of the elements that ports
//! share (a door that two Services have, an endpoint that reaches itself) it is kept whose they are. Pure.

use super::{TABLE, frame, service};
use crate::nft::{Table, difference};
use crate::ruleset::{Node, PortKey, Ruleset};
use std::collections::{BTreeMap, BTreeSet};

/// Element of a set or map, by the name of the latter.
type Element = (String, String);

/// What the kernel holds, as far as the next change has to know it.
#[derive(Debug, Default)]
pub struct Programmed {
    node: Node,
    /// The value that each port gives to an element; the last one's is written.
    claims: BTreeMap<Element, BTreeMap<PortKey, String>>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nobody knows what the kernel holds.
    #[default]
    Unknown,
    Known,
}

impl Programmed {
    /// Whether the next change has to name all ports, whichever differ: always the first one.
    pub fn takes_all(&self, node: &Node) -> bool {
        self.state == State::Unknown || *node != self.node
    }

    /// A transaction for `nft -f -`; `None` where nothing differs. `old` and `new` hold the ports that may differ, as they
    /// were programmed and as they are to be.
    pub fn change(&mut self, old: &Ruleset, new: &Ruleset, node: &Node) -> Option<String> {
        let known = self.state == State::Known;
        let nothing = Ruleset::new();
        let before = parts(if known { old } else { &nothing }, &self.node);
        let after = parts(new, node);
        let elements: BTreeSet<&Element> = before.claims.keys().chain(after.claims.keys()).collect();
        let elements: Vec<Element> = elements.into_iter().cloned().collect();
        let (mut was, mut is) = (before.table, after.table);
        for element in elements {
            let claims = self.claims.entry(element.clone()).or_default();
            put(&mut was, &element, claims);
            if let Some(gone) = before.claims.get(&element) {
                claims.retain(|key, _| !gone.contains_key(key));
            }
            claims.extend(
                after.claims.get(&element).into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())),
            );
            put(&mut is, &element, claims);
            if claims.is_empty() {
                self.claims.remove(&element);
            }
        }
        self.node.clone_from(node);
        self.state = State::Known;
        if known {
            return difference(TABLE, Some(&was), &is);
        }
        is.chains.extend(frame().chains);
        difference(TABLE, None, &is)
    }
}

/// Some ports' chains and sets, and what they put into sets of all.
struct Parts {
    table: Table,
    claims: BTreeMap<Element, BTreeMap<PortKey, String>>,
}

fn parts(rules: &Ruleset, node: &Node) -> Parts {
    let mut parts = Parts { table: Table { sets: frame().sets, ..Table::default() }, claims: BTreeMap::new() };
    for (key, port) in rules {
        service::write(&mut parts.table, key, port, node);
        for (set, contents) in &mut parts.table.sets {
            for (element, value) in std::mem::take(&mut contents.elements) {
                parts.claims.entry((set.clone(), element)).or_default().insert(key.clone(), value);
            }
        }
    }
    parts
}

/// Writes an element as the last of its claims has it.
fn put(table: &mut Table, (set, element): &Element, claims: &BTreeMap<PortKey, String>) {
    if let Some(value) = claims.values().next_back() {
        table.element(set, element.as_str(), value.as_str());
    }
}
