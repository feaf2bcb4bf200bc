//! Which addresses may be dialled on somebody's behalf: none that lead to this machine or to a cloud's metadata
//! (CVE-2021-25737, CVE-2022-3172). k8s: `proxyutil.IsProxyableIP`

use std::net::IpAddr;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("address not allowed")]
pub struct NotAllowed;

pub fn check(ip: IpAddr) -> Result<(), NotAllowed> {
    // An IPv4 address in IPv6 clothes is what it wears underneath.
    let ip = ip.to_canonical();
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    if ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || link_local { Err(NotAllowed) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_are_refused() {
        for (ip, allowed) in [
            ("10.42.0.7", true),
            ("127.0.0.1", false),
            ("::ffff:127.0.0.1", false),
            ("169.254.169.254", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("::1", false),
            ("fe80::1", false),
            ("fd00::7", true),
        ] {
            assert_eq!(check(ip.parse().unwrap()).is_ok(), allowed, "{ip}");
        }
    }
}
