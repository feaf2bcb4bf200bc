//! The addresses that load balancers may have: networks and ranges, as they were typed.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use thiserror::Error;

/// Addresses for Services of type LoadBalancer: `192.168.1.240-192.168.1.250`, `192.168.2.0/28`, several with commas
/// between them. Of a network, its first and last address are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool(Vec<(Ipv4Addr, Ipv4Addr)>);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PoolError {
    #[error("`{0}` is no range of IPv4 addresses, such as 192.168.1.240-192.168.1.250 or 192.168.2.0/28")]
    NotARange(String),
    #[error("`{0}` ends before it begins")]
    Backwards(String),
}

impl Pool {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, ip: Ipv4Addr) -> bool {
        self.0.iter().any(|(first, last)| (first..=last).contains(&&ip))
    }

    /// All of them, as given.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.0.iter().flat_map(|(first, last)| (first.to_bits()..=last.to_bits()).map(Ipv4Addr::from_bits))
    }

    /// First and last addresses.
    pub fn ranges(&self) -> &[(Ipv4Addr, Ipv4Addr)] {
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

fn range(text: &str) -> Result<(Ipv4Addr, Ipv4Addr), PoolError> {
    let wrong = || PoolError::NotARange(text.to_owned());
    if let Some((network, length)) = text.split_once('/') {
        let (network, length): (Ipv4Addr, u32) =
            (network.parse().map_err(|_| wrong())?, length.parse().map_err(|_| wrong())?);
        let size = u32::MAX.checked_shr(length).unwrap_or_default();
        let (first, last) = (network.to_bits() & !size, network.to_bits() | size);
        return match length {
            // No room for a network's own address and that of all.
            31 | 32 => Ok((Ipv4Addr::from_bits(first), Ipv4Addr::from_bits(last))),
            8..=30 => Ok((Ipv4Addr::from_bits(first + 1), Ipv4Addr::from_bits(last - 1))),
            _ => Err(wrong()),
        };
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let address = |text: &str| text.trim().parse::<Ipv4Addr>().map_err(|_| wrong());
    let (first, last) = (address(first)?, address(last)?);
    if first > last { Err(PoolError::Backwards(text.to_owned())) } else { Ok((first, last)) }
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
                "`0.0.0.0/0` is no range of IPv4 addresses, such as 192.168.1.240-192.168.1.250 or 192.168.2.0/28",
            ),
            (
                "fd00::1",
                "`fd00::1` is no range of IPv4 addresses, such as 192.168.1.240-192.168.1.250 or 192.168.2.0/28",
            ),
        ] {
            let said = text.parse::<Pool>().map_or_else(|error| error.to_string(), |pool| pool.to_string());
            assert_eq!(said, wanted);
        }
    }
}
