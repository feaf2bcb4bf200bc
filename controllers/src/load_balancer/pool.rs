//! The addresses that load balancers may have: networks and ranges, as they were typed.

use kinds::ip::{Cidr, Family, number};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use thiserror::Error;

/// Addresses for Services of type LoadBalancer: `192.168.1.240-192.168.1.250`, `192.168.2.0/28`, `2001:db8::100/120`,
/// several with commas between them. Of a network, the first address is left out and, of IPv4, the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool(Vec<(IpAddr, IpAddr)>);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PoolError {
    #[error("`{0}` is no range of addresses, such as 192.168.1.240-192.168.1.250, 192.168.2.0/28 or 2001:db8::100/120")]
    NotARange(String),
    #[error("`{0}` ends before it begins")]
    Backwards(String),
}

impl Pool {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|(first, last)| Family::of(*first) == Family::of(ip) && (first..=last).contains(&&ip))
    }

    /// All of a family, as given.
    pub fn addresses(&self, family: Family) -> impl Iterator<Item = IpAddr> {
        let ranges = self.0.iter().filter(move |(first, _)| Family::of(*first) == family);
        ranges.flat_map(move |(first, last)| (number(*first)..=number(*last)).map(move |number| family.address(number)))
    }

    /// First and last addresses.
    pub fn ranges(&self) -> &[(IpAddr, IpAddr)] {
        &self.0
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (first, last)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{first}-{last}")?;
        }
        Ok(())
    }
}

impl FromStr for Pool {
    type Err = PoolError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(range).collect::<Result<_, _>>().map(Self)
    }
}

/// Networks with more addresses than this are not what people mean to give away.
const HOST_BITS_MAX: u8 = 64;
const HOST_BITS_MAX_V4: u8 = 24;

fn range(text: &str) -> Result<(IpAddr, IpAddr), PoolError> {
    let wrong = || PoolError::NotARange(text.to_owned());
    if text.contains('/') {
        let network: Cidr = text.parse().map_err(|_| wrong())?;
        let (first, last, family) = (network.first(), network.last(), network.family());
        let host_bits = family.bits() - network.length();
        let inner = |from, until| (family.address(number(first) + from), family.address(number(last) - until));
        return match (family, host_bits) {
            // No room for a network's own address and that of all.
            (_, 0 | 1) => Ok((first, last)),
            (Family::V4, ..=HOST_BITS_MAX_V4) => Ok(inner(1, 1)),
            // RFC 4291: the first one is that of any router; there is none of all.
            (Family::V6, ..=HOST_BITS_MAX) => Ok(inner(1, 0)),
            _ => Err(wrong()),
        };
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let ip = |text: &str| text.trim().parse::<IpAddr>().map_err(|_| wrong());
    let (first, last) = (ip(first)?, ip(last)?);
    match Family::of(first) == Family::of(last) {
        false => Err(wrong()),
        true if first > last => Err(PoolError::Backwards(text.to_owned())),
        true => Ok((first, last)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_are_read_strictly() {
        for (text, wanted) in [
            ("192.0.2.240-192.0.2.250", "192.0.2.240-192.0.2.250"),
            ("192.0.2.0/28, 198.51.100.7", "192.0.2.1-192.0.2.14,198.51.100.7-198.51.100.7"),
            ("192.0.2.4/31", "192.0.2.4-192.0.2.5"),
            ("", ""),
            ("192.0.2.9-192.0.2.1", "`192.0.2.9-192.0.2.1` ends before it begins"),
            (
                "0.0.0.0/0",
                "`0.0.0.0/0` is no range of addresses, such as 192.168.1.240-192.168.1.250, 192.168.2.0/28 or 2001:db8::100/120",
            ),
            ("fd00::1,fd00::10/126", "fd00::1-fd00::1,fd00::11-fd00::13"),
            (
                "192.0.2.1-fd00::1",
                "`192.0.2.1-fd00::1` is no range of addresses, such as 192.168.1.240-192.168.1.250, 192.168.2.0/28 or 2001:db8::100/120",
            ),
        ] {
            let said = text.parse::<Pool>().map_or_else(|error| error.to_string(), |pool| pool.to_string());
            assert_eq!(said, wanted);
        }
    }
}
