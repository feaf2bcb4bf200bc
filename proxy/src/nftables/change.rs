//! From one rule set to the next, by the ports that differ. Chains and elements are shared (a chain that chooses among ten
//! endpoints, a door that two Services have for a moment), so it is kept how many ports need a chain and what each says of
//! an element. Pure.

use super::{TABLE, frame, maps, service};
use crate::nft::{Table, difference};
use crate::ruleset::{Node, PortKey, Ruleset};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// By set and element, the value that each port gives it, in the order of ports. The last one's is written.
type Claims = BTreeMap<String, BTreeMap<String, Vec<(Arc<PortKey>, String)>>>;

/// What the kernel holds, as far as the next change has to know it.
#[derive(Debug, Default)]
pub struct Programmed {
    node: Node,
    claims: Claims,
    /// How many ports need each chain.
    users: BTreeMap<String, usize>,
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
        let old = if known { old } else { &nothing };
        let before = parts(old, &self.node);
        let mut after = parts(new, node);
        let (mut was, mut is) = (before.table, after.table);
        self.count(&before.users, &after.users, (&mut was, &mut is));
        let mut touched: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
        for (set, elements) in before.claims.iter().chain(&after.claims) {
            touched.entry(set).or_default().extend(elements.keys());
        }
        let touched: Vec<(String, Vec<String>)> =
            touched.into_iter().map(|(set, elements)| (set.clone(), elements.into_iter().cloned().collect())).collect();
        for (set, elements) in touched {
            let mut theirs = after.claims.remove(&set).unwrap_or_default();
            let of_set = self.claims.entry(set.clone()).or_default();
            for element in elements {
                let claims = of_set.entry(element.clone()).or_default();
                put(&mut was, &set, &element, claims);
                claims.retain(|(key, _)| !old.contains_key(key.as_ref()));
                claims.extend(theirs.remove(&element).unwrap_or_default());
                claims.sort_unstable();
                put(&mut is, &set, &element, claims);
                if claims.is_empty() {
                    of_set.remove(&element);
                }
            }
        }
        self.node.clone_from(node);
        self.state = State::Known;
        if known {
            return difference(TABLE, Some(&was), &is);
        }
        is.chains.extend(frame(node.family).chains);
        difference(TABLE, None, &is)
    }

    /// Takes chains out of both tables that other ports keep in the kernel.
    fn count(
        &mut self,
        before: &BTreeMap<String, usize>,
        after: &BTreeMap<String, usize>,
        (was, is): (&mut Table, &mut Table),
    ) {
        let chains: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for chain in chains {
            let [gone, new] = [before, after].map(|users| users.get(chain).copied().unwrap_or_default());
            let others = self.users.get(chain).copied().unwrap_or_default() - gone;
            match (others, gone, new) {
                (0, _, 0) => drop(self.users.remove(chain)),
                (_, _, new) => drop(self.users.insert(chain.clone(), others + new)),
            }
            if others > 0 && gone == 0 {
                is.chains.remove(chain);
            } else if others > 0 && new == 0 {
                was.chains.remove(chain);
            }
        }
    }
}

/// Some ports' chains and sets, and what they put into sets of all.
struct Parts {
    table: Table,
    users: BTreeMap<String, usize>,
    claims: Claims,
}

fn parts(rules: &Ruleset, node: &Node) -> Parts {
    let mut parts = Parts {
        table: Table { family: node.family, sets: maps(node.family), ..Table::default() },
        users: BTreeMap::new(),
        claims: BTreeMap::new(),
    };
    for (key, port) in rules {
        let mut own = Table { family: node.family, sets: std::mem::take(&mut parts.table.sets), ..Table::default() };
        service::write(&mut own, key, port, node);
        let key = Arc::new(key.clone());
        for (set, contents) in own.sets.iter_mut().filter(|(_, contents)| !contents.elements.is_empty()) {
            let claims = parts.claims.entry(set.clone()).or_default();
            for (element, value) in std::mem::take(&mut contents.elements) {
                claims.entry(element).or_default().push((Arc::clone(&key), value));
            }
        }
        parts.table.sets = own.sets;
        for (name, chain) in own.chains {
            *parts.users.entry(name.clone()).or_default() += 1;
            parts.table.chains.insert(name, chain);
        }
    }
    parts
}

/// Writes an element as the last of its claims has it.
fn put(table: &mut Table, set: &str, element: &str, claims: &[(Arc<PortKey>, String)]) {
    if let Some((_, value)) = claims.last() {
        table.element(set, element, value.as_str());
    }
}
