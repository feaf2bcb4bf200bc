//! Addresses of a node's pods: which networks, which is the gateway, which is free. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Of an address, and of the tables that rules for it are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// How long an address is, which is also the longest prefix.
    pub(super) const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    fn address(self, number: u128) -> IpAddr {
        match self {
            // Made from 32 bits.
            Self::V4 => Ipv4Addr::from_bits(number as u32).into(),
            Self::V6 => Ipv6Addr::from_bits(number).into(),
        }
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// A network with room for a gateway and at least one pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cidr {
    base: IpAddr,
    pub(super) prefix: u8,
}

impl FromStr for Cidr {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = text.trim().split_once('/').ok_or(())?;
        let address: IpAddr = address.parse().map_err(drop)?;
        let prefix: u8 = prefix.parse().map_err(drop)?;
        let family = Family::of(address);
        if !(8..=family.bits() - 2).contains(&prefix) {
            return Err(());
        }
        let hosts = (1_u128 << (family.bits() - prefix)) - 1;
        Ok(Self { base: family.address(number(address) & !hosts), prefix })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

/// One network, or one of each family with a comma between them: the first is that of the pods' first addresses.
pub(super) fn networks(text: &str) -> Result<Vec<Cidr>, ()> {
    let all: Vec<Cidr> = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
    match all[..] {
        [_] => Ok(all),
        [first, second] if first.family() != second.family() => Ok(all),
        _ => Err(()),
    }
}

/// Networks as [`networks`] reads them.
pub(super) fn listed(networks: &[Cidr]) -> String {
    networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

impl Cidr {
    pub(super) fn family(self) -> Family {
        Family::of(self.base)
    }

    pub(super) fn base(self) -> IpAddr {
        self.base
    }

    /// The first address, which the bridge has.
    pub(super) fn gateway(self) -> IpAddr {
        self.family().address(number(self.base) + 1)
    }

    /// The next address after `last` that is free, round and round: an address rests as long as it can before it is
    /// somebody else's.
    pub(super) fn next_free(self, last: Option<IpAddr>, used: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        let family = self.family();
        let size = 1_u128 << (family.bits() - self.prefix);
        // Without the network, the gateway and IPv4's broadcast address.
        let (first, count) = match family {
            Family::V4 => (number(self.base) + 2, size - 3),
            Family::V6 => (number(self.base) + 2, size - 2),
        };
        let start = match last.map(number) {
            Some(last) if last >= first && last - first < count => last - first + 1,
            Some(_) | None => 0,
        };
        (0..count).map(|i| family.address(first + (start + i) % count)).find(|ip| !used(*ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_strictly() {
        let read = |text: &str| networks(text).map(|all| (listed(&all), all[0].gateway().to_string()));
        assert_eq!(read("10.42.3.7/24"), Ok(("10.42.3.0/24".into(), "10.42.3.1".into())));
        assert_eq!(read("fd00:1::/64,10.1.0.0/16"), Ok(("fd00:1::/64,10.1.0.0/16".into(), "fd00:1::1".into())));
        for bad in [
            "",
            "10.0.0.0",
            "10.0.0.0/31",
            "10.0.0.0/4",
            "10.0.0/24",
            "fd00::/127",
            "10.0.0.0/x",
            "10.0.0.0/24,10.0.1.0/24",
            "10.0.0.0/24,",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_are_given_out_in_turn_and_never_twice() {
        for (text, expected) in [("10.0.0.0/29", [2_u128, 3, 4, 5, 6].as_slice()), ("fd00::/125", &[2, 3, 4, 5, 6, 7])]
        {
            let cidr: Cidr = text.parse().unwrap();
            let mut used = std::collections::BTreeSet::new();
            let mut last = None;
            let mut given = Vec::new();
            while let Some(ip) = cidr.next_free(last, |ip| used.contains(&ip)) {
                used.insert(ip);
                last = Some(ip);
                given.push(number(ip) - number(cidr.base()));
            }
            assert_eq!(given, expected);
            let at = |place: u128| cidr.family().address(number(cidr.base()) + place);
            used.remove(&at(3));
            used.remove(&at(5));
            let next = |last| cidr.next_free(Some(at(last)), |ip| used.contains(&ip));
            assert_eq!((next(3), next(6)), (Some(at(5)), Some(at(3))));
        }
    }
}
