//! A table of nftables as a value, and the difference of two as one transaction for `nft -f -`. Pure.
//!
//! What changed is all that a transaction names: rules of a chain are replaced together, elements of sets and maps one by
//! one. The kernel takes a transaction whole or not at all, so no packet meets half of a change.

use kinds::ip::Family;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// So many elements go into one command: nft's parser takes longer lines, people who read a log do not.
const ELEMENTS_MAX: usize = 1000;

/// One table of an address family; names are unique within it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub family: Family,
    pub chains: BTreeMap<String, Chain>,
    pub sets: BTreeMap<String, Set>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// `type filter hook forward priority filter; policy accept;` where packets enter here.
    pub hook: Option<&'static str>,
    pub rules: Vec<String>,
}

/// A set, or a map where elements have values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    pub kind: SetKind,
    /// `type ipv4_addr;`, `type ipv4_addr : verdict;`
    pub form: String,
    /// Element -> value, empty in sets.
    pub elements: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetKind {
    Set,
    Map,
    /// A set that packets fill; its elements are none of ours.
    Dynamic,
}

impl Set {
    pub fn new(kind: SetKind, form: impl Into<String>) -> Self {
        Self { kind, form: form.into(), elements: BTreeMap::new() }
    }

    fn keyword(&self) -> &'static str {
        match self.kind {
            SetKind::Set | SetKind::Dynamic => "set",
            SetKind::Map => "map",
        }
    }

    /// Another set of the same name, as far as the kernel is concerned.
    fn is_like(&self, other: &Self) -> bool {
        self.kind == other.kind && self.form == other.form
    }
}

impl Table {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.chains.is_empty() && self.sets.is_empty()
    }

    /// Appends a rule to a chain without a hook, which it makes where it is missing.
    pub fn rule(&mut self, chain: &str, rule: impl Into<String>) {
        self.chains.entry(chain.to_owned()).or_default().rules.push(rule.into());
    }

    /// A chain without a hook whose name says all that is in it; written where it is missing. Returns its name.
    pub fn chain(&mut self, name: String, rules: impl FnOnce() -> Vec<String>) -> String {
        self.chains.entry(name.clone()).or_insert_with(|| Chain { hook: None, rules: rules() });
        name
    }

    /// Puts an element into a set that is there.
    ///
    /// # Panics
    /// If no set has that name: a mistake in the renderer.
    pub fn element(&mut self, set: &str, element: impl Into<String>, value: impl Into<String>) {
        let set = self.sets.get_mut(set).expect("renderers declare their sets first");
        set.elements.insert(element.into(), value.into());
    }
}

/// A transaction that leads from `old` to `new`; `None` where nothing changed. Without `old` the table is made anew,
/// whatever the kernel has under that name.
pub fn difference(name: &str, old: Option<&Table>, new: &Table) -> Option<String> {
    let mut text = String::new();
    if let Some(old) = old {
        change(&mut text, name, old, new);
    } else {
        text = removal(new.family, name);
        let ip = keyword(new.family);
        line(&mut text, format_args!("add table {ip} {name}"));
        change(&mut text, name, &Table::default(), new);
    }
    (!text.is_empty()).then_some(text)
}

/// A transaction after which there is no such table, whether there was one or not.
pub fn removal(family: Family, name: &str) -> String {
    let ip = keyword(family);
    format!("add table {ip} {name}\ndelete table {ip} {name}\n")
}

/// What nftables calls an address family: of tables, and in front of fields of its packets.
pub fn keyword(family: Family) -> &'static str {
    match family {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    }
}

/// The type of its addresses.
pub fn address_type(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4_addr",
        Family::V6 => "ipv6_addr",
    }
}

fn change(text: &mut String, name: &str, old: &Table, new: &Table) {
    let table = &*format!("{} {name}", keyword(new.family));
    let remade: BTreeSet<&String> = old
        .sets
        .iter()
        .filter(|(name, set)| new.sets.get(*name).is_some_and(|new| !new.is_like(set)))
        .map(|(name, _)| name)
        .collect();
    assert!(remade.is_empty(), "a set's name says its form: {remade:?}");
    let chains: Vec<_> = new.chains.iter().filter(|(name, chain)| old.chains.get(*name) != Some(*chain)).collect();
    let gone: Vec<_> = old.chains.iter().filter(|(name, _)| !new.chains.contains_key(*name)).collect();
    for (name, set) in new.sets.iter().filter(|(name, _)| !old.sets.contains_key(*name)) {
        line(text, format_args!("add {} {table} {name} {{ {} }}", set.keyword(), set.form));
    }
    for (name, chain) in &chains {
        match (chain.hook, old.chains.contains_key(*name)) {
            (_, true) => line(text, format_args!("flush chain {table} {name}")),
            (Some(hook), false) => line(text, format_args!("add chain {table} {name} {{ {hook} }}")),
            (None, false) => line(text, format_args!("add chain {table} {name}")),
        }
    }
    // Before the elements: the kernel walks all that a map has for each rule that comes to use it.
    for (name, chain) in chains {
        chain.rules.iter().for_each(|rule| line(text, format_args!("add rule {table} {name} {rule}")));
    }
    // An element whose value changed has to go first.
    elements(text, table, "delete", &new.sets, &old.sets);
    elements(text, table, "add", &old.sets, &new.sets);
    // All are emptied first: one may be the target of another.
    gone.iter().for_each(|(name, _)| line(text, format_args!("flush chain {table} {name}")));
    gone.iter().for_each(|(name, _)| line(text, format_args!("delete chain {table} {name}")));
    for (name, set) in old.sets.iter().filter(|(name, _)| !new.sets.contains_key(*name)) {
        line(text, format_args!("delete {} {table} {name}", set.keyword()));
    }
}

/// One command for the elements that `to` has and `from` has not, set by set.
fn elements(text: &mut String, table: &str, verb: &str, from: &BTreeMap<String, Set>, to: &BTreeMap<String, Set>) {
    for (name, set) in to {
        let there = from.get(name).map(|set| &set.elements);
        let missing: Vec<String> = set
            .elements
            .iter()
            .filter(|(element, value)| there.and_then(|there| there.get(*element)) != Some(*value))
            .map(|(element, value)| if value.is_empty() { element.clone() } else { format!("{element} : {value}") })
            .collect();
        for some in missing.chunks(ELEMENTS_MAX) {
            line(text, format_args!("{verb} element {table} {name} {{ {} }}", some.join(", ")));
        }
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("a String takes all that is written");
}
