//! Addresses of a node's pods: which network, which is the gateway, which is free. Pure.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An IPv4 network with room for a gateway and at least one pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cidr4 {
    base: u32,
    pub(super) prefix: u8,
}

impl FromStr for Cidr4 {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        // Of a dual-stack list the IPv4 network is what this node uses.
        let text = text.split(',').find(|part| part.contains('.')).ok_or(())?;
        let (address, prefix) = text.trim().split_once('/').ok_or(())?;
        let address: Ipv4Addr = address.parse().map_err(drop)?;
        let prefix: u8 = prefix.parse().map_err(drop)?;
        if !(8..=30).contains(&prefix) {
            return Err(());
        }
        Ok(Self { base: u32::from(address) & (u32::MAX << (32 - prefix)), prefix })
    }
}

impl fmt::Display for Cidr4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.prefix)
    }
}

impl Cidr4 {
    pub(super) fn base(self) -> Ipv4Addr {
        Ipv4Addr::from(self.base)
    }

    /// The first address, which the bridge has.
    pub(super) fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(self.base + 1)
    }

    /// The next address after `last` that is free, round and round: an address rests as long as it can before it is
    /// somebody else's.
    pub(super) fn next_free(self, last: Option<Ipv4Addr>, used: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
        let size = 1_u32 << (32 - self.prefix);
        // Without the network, the gateway and the broadcast address.
        let (first, count) = (self.base + 2, size - 3);
        let start = match last.map(u32::from) {
            Some(last) if last >= first && last < first + count => last - first + 1,
            Some(_) | None => 0,
        };
        (0..count).map(|i| Ipv4Addr::from(first + (start + i) % count)).find(|ip| !used(*ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_strictly() {
        let read = |text: &str| text.parse::<Cidr4>().map(|c| (c.to_string(), c.gateway().to_string()));
        assert_eq!(read("10.42.3.7/24"), Ok(("10.42.3.0/24".into(), "10.42.3.1".into())));
        assert_eq!(read("fd00::/64,10.1.0.0/16"), Ok(("10.1.0.0/16".into(), "10.1.0.1".into())));
        for bad in ["", "10.0.0.0", "10.0.0.0/31", "10.0.0.0/4", "10.0.0/24", "fd00::/64", "10.0.0.0/x"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_are_given_out_in_turn_and_never_twice() {
        let cidr: Cidr4 = "10.0.0.0/29".parse().unwrap();
        let mut used = std::collections::BTreeSet::new();
        let mut last = None;
        let mut given = Vec::new();
        while let Some(ip) = cidr.next_free(last, |ip| used.contains(&ip)) {
            used.insert(ip);
            last = Some(ip);
            given.push(ip.octets()[3]);
        }
        assert_eq!(given, [2, 3, 4, 5, 6]);
        used.remove(&Ipv4Addr::new(10, 0, 0, 3));
        used.remove(&Ipv4Addr::new(10, 0, 0, 5));
        let next = |last| cidr.next_free(Some(Ipv4Addr::new(10, 0, 0, last)), |ip| used.contains(&ip));
        assert_eq!(next(3), Some(Ipv4Addr::new(10, 0, 0, 5)));
        assert_eq!(next(6), Some(Ipv4Addr::new(10, 0, 0, 3)));
    }
}
