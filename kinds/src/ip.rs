//! Address families and networks, for IPv4 and IPv6 alike: what ranges of pods and Services are, and whose address is
//! in which. Pure.

use crate::validate::format;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    #[default]
    V4,
    V6,
}

impl Family {
    pub const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// As the API writes it, in `ipFamilies` of Services and as `addressType` of EndpointSlices.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    /// The family of that name in the API.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::V4, Self::V6].into_iter().find(|family| family.name() == name)
    }

    pub const fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }

    /// How long an address is, which is also the longest prefix.
    pub const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// The largest address, as a [`number`].
    pub const fn most(self) -> u128 {
        match self {
            Self::V4 => u32::MAX as u128,
            Self::V6 => u128::MAX,
        }
    }

    /// The address of a [`number`]; what is beyond the family's largest is cut off.
    pub fn address(self, number: u128) -> IpAddr {
        match self {
            // Numbers of this family are made from 32 bits.
            Self::V4 => Ipv4Addr::from_bits(number as u32).into(),
            Self::V6 => Ipv6Addr::from_bits(number).into(),
        }
    }
}

/// An address as its place among all of its family.
pub fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// A network of either family, `10.42.0.0/16` or `fd00:42::/56`. What an address has behind the prefix is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    first: IpAddr,
    length: u8,
}

impl Cidr {
    /// The network of that prefix which an address lies in; `None` where the family has no prefix as long.
    pub fn new(ip: IpAddr, length: u8) -> Option<Self> {
        let family = Family::of(ip);
        let hosts = hosts(family, length)?;
        Some(Self { first: family.address(number(ip) & !hosts), length })
    }

    /// An address alone.
    pub fn only(ip: IpAddr) -> Self {
        Self { first: ip, length: Family::of(ip).bits() }
    }

    pub const fn family(self) -> Family {
        Family::of(self.first)
    }

    /// The network's own address.
    pub const fn first(self) -> IpAddr {
        self.first
    }

    pub fn last(self) -> IpAddr {
        let family = self.family();
        family.address(number(self.first) | hosts(family, self.length).unwrap_or_default())
    }

    /// Bits of the prefix.
    pub const fn length(self) -> u8 {
        self.length
    }

    pub fn contains(self, ip: IpAddr) -> bool {
        Family::of(ip) == self.family() && (self.first..=self.last()).contains(&ip)
    }

    /// Whether an address from `first` to `last` (of one family) lies in it.
    pub fn meets(self, first: IpAddr, last: IpAddr) -> bool {
        Family::of(first) == self.family() && first <= self.last() && last >= self.first
    }

    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.first) || other.contains(self.first)
    }

    /// The address at that place of the network; its last one where there are not so many.
    pub fn nth(self, place: u128) -> IpAddr {
        let (first, last) = (number(self.first), number(self.last()));
        self.family().address(first.saturating_add(place).min(last))
    }

    /// The networks of a longer prefix that it consists of, ascending; itself where the prefix is not longer.
    pub fn parts(self, length: u8) -> impl Iterator<Item = Self> {
        let family = self.family();
        let length = length.clamp(self.length, family.bits());
        let step = hosts(family, length).unwrap_or_default();
        let last = number(self.last());
        let mut next = Some(number(self.first));
        std::iter::from_fn(move || {
            let first = next?;
            next = first.checked_add(step).and_then(|end| end.checked_add(1)).filter(|next| *next <= last);
            Some(Self { first: family.address(first), length })
        })
    }
}

/// The bits behind a prefix; `None` where it is too long.
fn hosts(family: Family, length: u8) -> Option<u128> {
    let rest = family.bits().checked_sub(length)?;
    Some(family.most().checked_shr((family.bits() - rest).into()).unwrap_or(0))
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.length)
    }
}

impl FromStr for Cidr {
    type Err = &'static str;

    /// By the API's rules, spaces around it allowed.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (ip, length) = format::cidr(text.trim())?;
        Self::new(ip, length).ok_or("the prefix is too long")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_is_its_addresses_in_either_family() {
        for (text, shown, last) in [
            ("10.42.7.9/16", "10.42.0.0/16", "10.42.255.255"),
            ("0.0.0.0/0", "0.0.0.0/0", "255.255.255.255"),
            ("192.0.2.1/32", "192.0.2.1/32", "192.0.2.1"),
            (" fd00:42::9/56 ", "fd00:42::/56", "fd00:42:0:ff:ffff:ffff:ffff:ffff"),
            ("::/0", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fd00::1/128", "fd00::1/128", "fd00::1"),
        ] {
            let network = cidr(text);
            assert_eq!((network.to_string(), network.last().to_string()), (shown.to_owned(), last.to_owned()));
            assert!(network.contains(network.first()) && network.contains(network.last()));
        }
        for wrong in ["10.0.0.0", "10.0.0.0/33", "fd00::/129", "10.0.0/8", "fd00::/-1", ""] {
            assert!(wrong.parse::<Cidr>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn families_do_not_meet() {
        let (all, all6) = (cidr("0.0.0.0/0"), cidr("::/0"));
        assert!(!all.overlaps(all6) && !all.contains("::1".parse().unwrap()));
        assert!(
            cidr("10.0.0.0/8").overlaps(cidr("10.43.0.0/16")) && !cidr("10.0.0.0/16").overlaps(cidr("10.1.0.0/16"))
        );
        assert!(cidr("fd00::/16").overlaps(cidr("fd00:1::/32")));
    }

    #[test]
    fn a_network_is_divided_into_all_of_its_parts() {
        let parts = |text: &str, length| cidr(text).parts(length).map(|part| part.to_string()).collect::<Vec<_>>();
        assert_eq!(parts("10.42.0.0/23", 24), ["10.42.0.0/24", "10.42.1.0/24"]);
        assert_eq!(parts("255.255.255.0/25", 26), ["255.255.255.0/26", "255.255.255.64/26"]);
        assert_eq!(parts("fd00:42::/63", 64), ["fd00:42::/64", "fd00:42:0:1::/64"]);
        assert_eq!(parts("fd00:42::/80", 64), ["fd00:42::/80"]);
        assert_eq!(cidr("::/0").parts(1).count(), 2);
        assert_eq!(cidr("fd00:43::/112").nth(10).to_string(), "fd00:43::a");
    }
}
