//! From one rule set to the next, by the ports that differ: chains of a port are its own, and of the chains that all ports
//! share it is kept which rules are whose. What a change costs does not depend on the number of Services, unless rules in
//! a shared chain are others. Pure.

use super::{Tables, difference, frame, service};
use crate::ruleset::{Node, PortKey, Ruleset};
use kinds::ip::Family;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Table {
    Nat,
    Filter,
}

/// A chain that was there before any Service, and is theirs together.
type Shared = (Table, String);

/// What the kernel holds, as far as the next change has to know it.
#[derive(Debug, Default)]
pub struct Programmed {
    node: Node,
    commented: bool,
    /// Rules in shared chains, by port.
    shared: BTreeMap<Shared, BTreeMap<PortKey, Vec<String>>>,
    /// Until the first change: chains that were found, whose rules are not known.
    found: Option<Tables>,
}

impl Programmed {
    /// Nothing of ours is known to be there but these chains.
    pub fn after(found: Tables) -> Self {
        Self { found: Some(found), ..Self::default() }
    }

    /// Whether the next change has to name all ports, whichever differ: always the first one.
    pub fn takes_all(&self, node: &Node, commented: bool) -> bool {
        self.found.is_some() || *node != self.node || commented != self.commented
    }

    /// Input of `iptables-restore --noflush`; `None` where nothing differs. `old` and `new` hold the ports that may differ,
    /// as they were programmed and as they are to be.
    pub fn change(&mut self, old: &Ruleset, new: &Ruleset, node: &Node, commented: bool) -> Option<String> {
        let fixed = frame::chains(node.family);
        let (mut before, mut after) = (Tables::default(), Tables::default());
        let mut touched: BTreeSet<Shared> = BTreeSet::new();
        if let Some(found) = self.found.take() {
            before = found;
            touched.extend(shared_chains(&fixed));
        } else {
            for (key, port) in old {
                let mut part = Tables::default();
                service::write(&mut part, key, port, &self.node, self.commented);
                let gone = own_chains(part, &fixed, &mut before);
                touched.extend(gone.into_keys());
            }
        }
        let mut written: BTreeMap<Shared, BTreeMap<PortKey, Vec<String>>> = BTreeMap::new();
        for (key, port) in new {
            let mut part = Tables::default();
            service::write(&mut part, key, port, node, commented);
            for (chain, rules) in own_chains(part, &fixed, &mut after) {
                written.entry(chain).or_default().insert(key.clone(), rules);
            }
        }
        touched.extend(written.keys().cloned());
        let is_known = !self.shared.is_empty();
        for chain in touched {
            let mut theirs = written.remove(&chain).unwrap_or_default();
            let all = self.shared.entry(chain.clone()).or_default();
            let keys: BTreeSet<&PortKey> = old.keys().chain(new.keys()).collect();
            if is_known && keys.iter().all(|key| all.get(*key) == theirs.get(*key)) {
                continue;
            }
            keys.into_iter().for_each(|key| drop(all.remove(key)));
            all.append(&mut theirs);
            let rules = whole(&chain, &fixed, all, node.family);
            let (table, name) = chain;
            // Rules that nothing equals: the chain is written anew.
            let unlike = vec![String::new()];
            match table {
                Table::Nat => {
                    before.nat.entry(name.clone()).or_insert(unlike);
                    after.nat.insert(name, rules);
                }
                Table::Filter => {
                    before.filter.entry(name.clone()).or_insert(unlike);
                    after.filter.insert(name, rules);
                }
            }
        }
        self.node.clone_from(node);
        self.commented = commented;
        difference(&before, &after)
    }
}

fn shared_chains(fixed: &Tables) -> impl Iterator<Item = Shared> {
    let nat = fixed.nat.keys().map(|name| (Table::Nat, name.clone()));
    nat.chain(fixed.filter.keys().map(|name| (Table::Filter, name.clone())))
}

/// Puts a port's own chains into `tables`; its rules in shared chains are what is left.
fn own_chains(part: Tables, fixed: &Tables, tables: &mut Tables) -> BTreeMap<Shared, Vec<String>> {
    let mut shared = BTreeMap::new();
    for (table, chains, fixed, own) in [
        (Table::Nat, part.nat, &fixed.nat, &mut tables.nat),
        (Table::Filter, part.filter, &fixed.filter, &mut tables.filter),
    ] {
        for (name, rules) in chains {
            if fixed.contains_key(&name) {
                shared.insert((table, name), rules);
            } else {
                own.insert(name, rules);
            }
        }
    }
    shared
}

/// All rules of a shared chain, in their order.
fn whole(
    (table, name): &Shared,
    fixed: &Tables,
    ports: &BTreeMap<PortKey, Vec<String>>,
    family: Family,
) -> Vec<String> {
    let first = match table {
        Table::Nat => fixed.nat.get(name),
        Table::Filter => fixed.filter.get(name),
    };
    let last = frame::last(family).into_iter().filter(|(of, chain, _)| (*of, *chain) == (table.name(), name));
    let last = last.map(|(.., rule)| rule.to_owned());
    first.into_iter().flatten().cloned().chain(ports.values().flatten().cloned()).chain(last).collect()
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Self::Nat => "nat",
            Self::Filter => "filter",
        }
    }
}
