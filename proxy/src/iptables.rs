//! A [`Ruleset`] in iptables' language, and the difference of two renderings as one `iptables-restore --noflush` input.
//!
//! Chains have upstream's names and shape (KUBE-SERVICES, KUBE-SVC-*, KUBE-SEP-*, ..), because people and tools look for
//! them. Top-level chains are written whole; the chains of a Service only when they changed. IPv6 has the same chains in
//! tables of its own. Pure.

mod change;
mod frame;
mod names;
mod service;

pub use change::Programmed;
pub use frame::JUMPS;

use crate::ruleset::{Node, Ruleset};
use kinds::ip::Family;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The mark that asks for masquerading; upstream's bit 14.
const MARK: &str = "0x4000";

/// Above so many endpoints their rules carry no comments, as upstream: the restore's time is proportional to its text.
const COMMENTED_ENDPOINTS_MAX: usize = 1000;

/// So many chains go into one transaction: iptables-restore keeps the names of all chains that are written or led to in a
/// list that it walks for each line.
const CHAINS_MAX: usize = 128;

/// Chain -> its rules, without the leading `-A CHAIN`.
pub type Chains = BTreeMap<String, Vec<String>>;

/// The chains that belong to the proxy, by table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    pub nat: Chains,
    pub filter: Chains,
}

/// Input of `iptables-restore --noflush` that takes the proxy's chains and the jumps to them out of a table, given the
/// output of `iptables-save -t TABLE`; `None` where there are none.
pub fn removal(table: &str, saved: &str) -> Option<String> {
    let chains: Vec<String> = leftovers(saved).into_keys().collect();
    let is_jump = |rule: &&str| !rule.starts_with("KUBE-") && rule.contains(" -j KUBE-");
    let jumps = saved.lines().filter_map(|line| line.strip_prefix("-A ")).filter(is_jump);
    let mut text = format!("*{table}\n");
    jumps.for_each(|jump| line(&mut text, format_args!("-D {jump}")));
    text.push_str("COMMIT\n");
    text.push_str(&transactions(table, Vec::new(), chains.iter().collect())?);
    Some(text)
}

/// All chains for a rule set.
pub fn render(rules: &Ruleset, node: &Node) -> Tables {
    let mut tables = frame::chains(node.family);
    let commented = are_commented(rules);
    for (key, port) in rules {
        service::write(&mut tables, key, port, node, commented);
    }
    for (table, chain, rule) in frame::last(node.family) {
        let chains = if table == "nat" { &mut tables.nat } else { &mut tables.filter };
        push(chains, chain, rule.to_owned());
    }
    tables
}

/// Whether rules of endpoints carry comments.
pub fn are_commented(rules: &Ruleset) -> bool {
    rules.values().map(|port| port.endpoints.len()).sum::<usize>() <= COMMENTED_ENDPOINTS_MAX
}

/// Input of `iptables-restore --noflush` that fails unless every rule that is there without any Service is in place, and
/// changes nothing. Somebody who flushes a table or reloads a firewall takes these with the others.
pub fn inspection(family: Family) -> String {
    let frame = render(&Ruleset::new(), &Node { family, ..Node::default() });
    [("nat", &frame.nat), ("filter", &frame.filter)]
        .into_iter()
        .map(|(table, chains)| {
            let jumps = JUMPS.iter().filter(|(of, ..)| *of == table).map(|(_, chain, rule)| (*chain, *rule));
            let rules =
                chains.iter().flat_map(|(chain, rules)| rules.iter().map(|rule| (chain.as_str(), rule.as_str())));
            let checks: String = jumps.chain(rules).map(|(chain, rule)| format!("-C {chain} {rule}\n")).collect();
            format!("*{table}\n{checks}COMMIT\n")
        })
        .collect()
}

fn push(chains: &mut Chains, chain: &str, rule: String) {
    chains.entry(chain.to_owned()).or_default().push(rule);
}

/// Input of `iptables-restore --noflush` that leads from `old` to `new`; `None` where nothing changed. A chain that is
/// named is emptied and written again, one that is gone is emptied and deleted, all others are not mentioned. A large
/// difference is several transactions.
pub fn difference(old: &Tables, new: &Tables) -> Option<String> {
    let parts: Vec<String> = [("nat", &old.nat, &new.nat), ("filter", &old.filter, &new.filter)]
        .into_iter()
        .filter_map(|(table, old, new)| table_difference(table, old, new))
        .collect();
    (!parts.is_empty()).then(|| parts.concat())
}

fn table_difference(table: &str, old: &Chains, new: &Chains) -> Option<String> {
    let changed = new.iter().filter(|(chain, rules)| old.get(*chain) != Some(*rules)).collect();
    let gone = old.keys().filter(|chain| !new.contains_key(*chain)).collect();
    transactions(table, changed, gone)
}

/// One transaction, or several where there is so much to do that the program's bookkeeping would tell. What a chain leads
/// to is written before it, and the chains that packets come through last, all at once: no packet meets half of a Service.
fn transactions(table: &str, mut changed: Vec<(&String, &Vec<String>)>, mut gone: Vec<&String>) -> Option<String> {
    // The list of names that iptables-restore walks for each line is sorted: backwards, the one it looks for is in front.
    changed.sort_by_key(|&(chain, _)| (depth(chain), Reverse(chain)));
    gone.sort_by_key(|&chain| (Reverse(depth(chain)), Reverse(chain)));
    match changed.len() + gone.len() {
        0 => return None,
        1..=CHAINS_MAX => return Some(restore(table, &changed, &gone)),
        _ => {}
    }
    let doors = changed.partition_point(|(chain, _)| depth(chain) < Depth::NodePorts);
    let (inner, doors) = changed.split_at(doors);
    let inner = inner.chunks(CHAINS_MAX).map(|some| restore(table, some, &[]));
    let doors = (!doors.is_empty()).then(|| restore(table, doors, &[]));
    let gone = gone.chunks(CHAINS_MAX).map(|some| restore(table, &[], some));
    Some(inner.chain(doors).chain(gone).collect())
}

/// One transaction.
fn restore(table: &str, changed: &[(&String, &Vec<String>)], gone: &[&String]) -> String {
    let mut text = format!("*{table}\n");
    for (chain, rules) in changed {
        line(&mut text, format_args!(":{chain} - [0:0]"));
        rules.iter().for_each(|rule| line(&mut text, format_args!("-A {chain} {rule}")));
    }
    // All are emptied first: one may be the target of another.
    gone.iter().for_each(|chain| line(&mut text, format_args!(":{chain} - [0:0]")));
    gone.iter().for_each(|chain| line(&mut text, format_args!("-X {chain}")));
    text.push_str("COMMIT\n");
    text
}

/// How far a chain is from the last rule that a packet meets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    /// Leads nowhere.
    End,
    Endpoint,
    Endpoints,
    External,
    Firewall,
    /// The last rule of KUBE-SERVICES leads here.
    NodePorts,
    /// Built-in chains lead here.
    Door,
}

fn depth(chain: &str) -> Depth {
    let kind = chain.strip_prefix("KUBE-").and_then(|rest| rest.split_once('-'));
    match kind {
        Some(("MARK", _)) => Depth::End,
        Some(("SEP", _)) => Depth::Endpoint,
        Some(("SVC" | "SVL", _)) => Depth::Endpoints,
        Some(("EXT", _)) => Depth::External,
        Some(("FW", _)) => Depth::Firewall,
        Some(_) | None if chain == "KUBE-NODEPORTS" => Depth::NodePorts,
        Some(_) | None => Depth::Door,
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("a String takes all that is written");
}

/// The proxy's chains in the output of `iptables-save -t TABLE`, with rules that no rendering equals: what a
/// process before this one left, to be written again or deleted.
pub fn leftovers(saved: &str) -> Chains {
    saved
        .lines()
        .filter_map(|line| line.strip_prefix(':')?.split(' ').next())
        .filter(|chain| chain.starts_with("KUBE-"))
        .map(|chain| (chain.to_owned(), vec!["(unknown)".to_owned()]))
        .collect()
}
