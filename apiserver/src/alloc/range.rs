//! The ranges: which part is for requests by name, which for picking at random.

use kinds::ip::Family;
use rand::RngExt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RangeError {
    #[error("{0:?} is not a CIDR such as 10.43.0.0/16")]
    Cidr(String),
    #[error("{0:?} is neither one range nor one of each address family")]
    Families(String),
    #[error("{0:?} has room for fewer than {1} services; choose a wider range")]
    Narrow(String, u64),
    #[error("{0:?} is not a port range such as 30000-32767")]
    Ports(String),
}

/// Larger ranges are cut: nobody has more Services, and offsets stay small numbers (k8s: maxSize of the allocator).
const ADDRESSES_MAX: u64 = 1 << 20;
const ADDRESSES_MIN: u64 = 8;

/// A service CIDR. Its network address (and IPv4's broadcast address) are not handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRange {
    text: String,
    base: IpAddr,
    /// Addresses `base + 1 ..= base + size`.
    size: u64,
}

impl AddressRange {
    pub fn parse(text: &str) -> Result<Self, RangeError> {
        let malformed = || RangeError::Cidr(text.to_owned());
        let (address, bits) = text.split_once('/').ok_or_else(malformed)?;
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let bits: u32 = bits.parse().map_err(|_| malformed())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let host_bits = u32::checked_sub(width, bits).ok_or_else(malformed)?;
        let total = 1u64.checked_shl(host_bits).filter(|_| host_bits < 64).unwrap_or(u64::MAX);
        if total < ADDRESSES_MIN {
            return Err(RangeError::Narrow(text.to_owned(), ADDRESSES_MIN));
        }
        let base = match address {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from((u64::from(u32::from(v4)) & !(total - 1)) as u32)),
            IpAddr::V6(v6) if host_bits < 128 => {
                IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !((1u128 << host_bits) - 1)))
            }
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let reserved = if base.is_ipv4() { 2 } else { 1 };
        Ok(Self { text: text.to_owned(), base, size: (total - reserved).min(ADDRESSES_MAX) })
    }

    pub fn cidr(&self) -> &str {
        &self.text
    }

    pub fn family(&self) -> Family {
        Family::of(self.base)
    }

    /// One range, or one of each family, `10.43.0.0/16,fd00:43::/112`: the first is the primary one.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, RangeError> {
        let ranges: Vec<Self> = text.split(',').map(|part| Self::parse(part.trim())).collect::<Result<_, _>>()?;
        match &ranges[..] {
            [_] => Ok(ranges),
            [first, second] if first.family() != second.family() => Ok(ranges),
            _ => Err(RangeError::Families(text.to_owned())),
        }
    }

    /// The first address, of the Service `kubernetes`.
    pub fn first(&self) -> IpAddr {
        self.at(0)
    }

    pub fn contains(&self, ip: IpAddr) -> bool {
        let offset = match (ip, self.base) {
            (IpAddr::V4(ip), IpAddr::V4(base)) => u128::from(u32::from(ip).wrapping_sub(u32::from(base))),
            (IpAddr::V6(ip), IpAddr::V6(base)) => u128::from(ip).wrapping_sub(u128::from(base)),
            _ => return false,
        };
        offset >= 1 && offset <= u128::from(self.size)
    }

    pub(super) fn len(&self) -> u64 {
        self.size
    }

    pub(super) fn at(&self, index: u64) -> IpAddr {
        match self.base {
            IpAddr::V4(base) => IpAddr::V4(Ipv4Addr::from(u32::from(base).wrapping_add(index as u32 + 1))),
            IpAddr::V6(base) => IpAddr::V6(Ipv6Addr::from(u128::from(base).wrapping_add(u128::from(index) + 1))),
        }
    }

    /// Addresses below this index are for Services that ask for one by name.
    /// k8s: KEP-3070, min(max(16, size / 16), 256)
    pub(super) fn reserved(&self) -> u64 {
        reserved(self.size, 16, 256)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    pub first: u16,
    pub last: u16,
}

impl PortRange {
    pub fn parse(text: &str) -> Result<Self, RangeError> {
        let malformed = || RangeError::Ports(text.to_owned());
        let (first, last) = text.split_once('-').ok_or_else(malformed)?;
        let (first, last) = (first.parse().map_err(|_| malformed())?, last.parse().map_err(|_| malformed())?);
        if first == 0 || last < first { Err(malformed()) } else { Ok(Self { first, last }) }
    }

    pub(super) fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    pub(super) fn len(self) -> u64 {
        u64::from(self.last - self.first) + 1
    }

    pub(super) fn at(self, index: u64) -> u16 {
        self.first + index as u16
    }

    /// k8s: KEP-3668, min(max(16, size / 32), 128)
    pub(super) fn reserved(self) -> u64 {
        reserved(self.len(), 32, 128)
    }
}

fn reserved(size: u64, part: u64, max: u64) -> u64 {
    // A small range has no band of its own for either.
    if size < 16 { 0 } else { (size / part).clamp(16, max).min(size) }
}

/// An index to try, from the band that is for picking.
pub(super) fn random_index(len: u64, reserved: u64) -> u64 {
    let from = if reserved < len { reserved } else { 0 };
    rand::rng().random_range(from..len)
}

/// Indexes in the order in which the last free ones are looked for: the upper band first.
pub(super) fn in_order(len: u64, reserved: u64) -> impl Iterator<Item = u64> {
    (reserved..len).chain(0..reserved.min(len))
}

impl std::fmt::Display for PortRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}
