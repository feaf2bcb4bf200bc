//! Sets of numbers as ranges: addresses with exceptions, ports with ends. Pure.

use k8s_openapi::api::networking::v1::IPBlock;
use kinds::ip::{Cidr, Family, number};
use std::net::IpAddr;

/// First and last.
pub(super) type Range = (u128, u128);

/// The same numbers in ascending ranges that neither overlap nor touch.
pub(super) fn merge(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// The addresses of a block; none of one that is of the other family.
pub(super) fn of_block(block: &IPBlock, family: Family) -> Vec<Range> {
    let Some(whole) = of_cidr(&block.cidr, family) else { return Vec::new() };
    let excepted = merge(block.except.iter().flatten().filter_map(|except| of_cidr(except, family)).collect());
    let mut rest = Vec::new();
    let mut first = Some(whole.0);
    for (from, to) in excepted {
        let Some(start) = first.filter(|start| *start <= whole.1) else { break };
        if from > start {
            rest.push((start, (from - 1).min(whole.1)));
        }
        first = to.checked_add(1).map(|after| after.max(start));
    }
    rest.extend(first.filter(|start| *start <= whole.1).map(|start| (start, whole.1)));
    rest
}

fn of_cidr(text: &str, family: Family) -> Option<Range> {
    let cidr: Cidr = text.parse().ok().filter(|cidr: &Cidr| cidr.family() == family)?;
    Some((number(cidr.first()), number(cidr.last())))
}

pub(super) fn addresses((first, last): Range, family: Family) -> (IpAddr, IpAddr) {
    (family.address(first), family.address(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(cidr: &str, except: &[&str]) -> Vec<String> {
        block_of(Family::V4, cidr, except)
    }

    fn block_of(family: Family, cidr: &str, except: &[&str]) -> Vec<String> {
        let except = Some(except.iter().map(ToString::to_string).collect());
        let ranges = of_block(&IPBlock { cidr: cidr.to_owned(), except }, family);
        ranges
            .into_iter()
            .map(|range| addresses(range, family))
            .map(|(first, last)| format!("{first}-{last}"))
            .collect()
    }

    #[test]
    fn a_block_is_its_addresses_without_the_excepted_ones() {
        assert_eq!(block("10.1.2.3/32", &[]), ["10.1.2.3-10.1.2.3"]);
        assert_eq!(block("0.0.0.0/0", &[]), ["0.0.0.0-255.255.255.255"]);
        assert_eq!(block("10.0.0.0/30", &["10.0.0.1/32"]), ["10.0.0.0-10.0.0.0", "10.0.0.2-10.0.0.3"]);
        assert_eq!(block("10.0.0.0/24", &["10.0.0.0/25", "10.0.0.128/25"]), [""; 0]);
        assert_eq!(block("0.0.0.0/0", &["255.0.0.0/8", "0.0.0.0/8"]), ["1.0.0.0-254.255.255.255"]);
        assert_eq!(block("10.0.0.0/24", &["10.0.0.64/26", "10.0.0.64/27"]).len(), 2);
        assert_eq!(block("10.0.0.0/24", &["10.0.0.0/8"]), [""; 0], "an exception wider than its block");
        assert_eq!(block("fd00::/8", &[]), [""; 0]);
        let six = |cidr, except| block_of(Family::V6, cidr, except);
        assert_eq!(six("fd00::/126", &["fd00::1/128"]), ["fd00::-fd00::", "fd00::2-fd00::3"]);
        assert_eq!(six("::/0", &["8000::/1"]), ["::-7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]);
        assert_eq!(six("10.0.0.0/8", &[]), [""; 0]);
    }

    #[test]
    fn ranges_that_meet_become_one() {
        assert_eq!(merge(vec![(80, 80), (1, 79), (90, 95), (92, 99), (90, 91)]), [(1, 80), (90, 99)]);
        assert_eq!(merge(vec![(5, u128::MAX), (7, 9)]), [(5, u128::MAX)]);
    }
}
