//! A kernel that takes transactions of nftables, and complains of what the real one would refuse.

use std::collections::{BTreeMap, BTreeSet};

/// As much of nftables as our transactions use: chains with their rules, sets with their elements.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Kernel {
    chains: BTreeMap<String, Vec<String>>,
    sets: BTreeMap<String, BTreeSet<String>>,
}

impl Kernel {
    pub(crate) fn take(&mut self, transaction: &str) {
        for line in transaction.lines() {
            let words: Vec<&str> = line.splitn(6, ' ').collect();
            let name = words.get(4).copied().unwrap_or_default().to_owned();
            let rest = words.get(5).copied().unwrap_or_default();
            let elements = || rest.trim_matches(['{', '}', ' ']).split(", ").map(str::to_owned);
            match (words[0], words[1]) {
                ("add", "table") => {}
                ("delete", "table") => *self = Self::default(),
                ("add", "chain") => assert_eq!(self.chains.insert(name, Vec::new()), None, "{line}"),
                ("flush", "chain") => self.chains.get_mut(&name).unwrap().clear(),
                ("delete", "chain") => {
                    assert_eq!(self.chains.remove(&name), Some(Vec::new()), "{line}");
                    let users = self.chains.values().flatten().chain(self.sets.values().flatten());
                    let end = format!(" {name}");
                    assert!(users.into_iter().all(|user| !user.ends_with(&end)), "{line}: still used");
                }
                ("add", "set" | "map") => assert_eq!(self.sets.insert(name, BTreeSet::new()), None, "{line}"),
                ("delete", "set" | "map") => {
                    self.sets.remove(&name).unwrap();
                    assert!(self.chains.values().flatten().all(|rule| !rule.contains(&format!("@{name} "))), "{line}");
                }
                ("add", "rule") => self.chains.get_mut(&name).unwrap().push(rest.to_owned()),
                ("add", "element") => self.sets.get_mut(&name).unwrap().extend(elements()),
                ("delete", "element") => {
                    elements().for_each(|e| assert!(self.sets.get_mut(&name).unwrap().remove(&e), "{e}"));
                }
                _ => panic!("unknown: {line}"),
            }
        }
    }
}
