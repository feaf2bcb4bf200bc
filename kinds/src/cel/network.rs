//! Kubernetes' libraries of quantities, URLs, addresses and named formats. `None`: no function of that name here.

use super::eval::EvalError;
use super::library::Answer;
use super::value::Val;
use crate::custom::values::Format;
use crate::quantity::Quantity;
use std::net::IpAddr;
use std::rc::Rc;

/// A parsed absolute URL or path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    scheme: String,
    host: String,
    path: String,
    query: String,
}

impl Url {
    /// k8s: `url.ParseRequestURI`
    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return None;
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) => {
                (scheme, rest)
            }
            _ if text.starts_with('/') => ("", text),
            _ => return None,
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = match (scheme, place.find('/')) {
            ("", _) => ("", place),
            (_, Some(at)) => place.split_at(at),
            (_, None) => (place, ""),
        };
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        Some(Self { scheme: scheme.to_lowercase(), host: host.into(), path: path.into(), query: query.into() })
    }

    fn host_and_port(&self) -> (&str, &str) {
        if let Some((inside, rest)) = self.host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            return (inside, rest.strip_prefix(':').unwrap_or_default());
        }
        self.host.rsplit_once(':').unwrap_or((&self.host, ""))
    }

    fn query<'a>(&self) -> Vec<(Val<'a>, Val<'a>)> {
        let mut all: Vec<(String, Vec<Val<'a>>)> = Vec::new();
        for pair in self.query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match all.iter_mut().find(|(known, _)| known == key) {
                Some((_, values)) => values.push(Val::text(value)),
                None => all.push((key.to_owned(), vec![Val::text(value)])),
            }
        }
        all.into_iter().map(|(key, values)| (Val::text(key), Val::list(values))).collect()
    }
}

/// k8s: addresses with leading zeros or IPv4 inside IPv6 are no addresses here
fn ip(text: &str) -> Option<IpAddr> {
    text.parse().ok().filter(|ip| !matches!(ip, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()))
}

fn cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/')?;
    let address = ip(address)?;
    let bits: u8 = bits.parse().ok().filter(|_| bits.bytes().all(|byte| byte.is_ascii_digit()))?;
    (u32::from(bits) <= width(address)).then_some((address, bits))
}

fn width(ip: IpAddr) -> u32 {
    if ip.is_ipv4() { 32 } else { 128 }
}

/// The address as a number whose first bit is the highest.
fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => u128::from(u32::from(v4)) << 96,
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn masked(ip: IpAddr, bits: u8) -> IpAddr {
    let mask = if bits == 0 { 0 } else { u128::MAX << (128 - u32::from(bits)) };
    let kept = number(ip) & mask;
    match ip {
        IpAddr::V4(_) => IpAddr::V4(((kept >> 96) as u32).into()),
        IpAddr::V6(_) => IpAddr::V6(kept.into()),
    }
}

fn holds((net, bits): (IpAddr, u8), ip: IpAddr) -> bool {
    net.is_ipv4() == ip.is_ipv4() && masked(net, bits) == masked(ip, bits)
}

pub(super) fn global<'a>(name: &str, args: &[Val<'a>]) -> Answer<'a> {
    if let Some(answer) = super::semver::global(name, args) {
        return Some(answer);
    }
    let [Val::Str(text)] = args else { return None };
    let bad = |what: &str| EvalError::new(format!("{what} parse error: {text:?}"));
    Some(match name {
        "quantity" => Quantity::parse(text).map(Val::Quantity).map_err(|error| EvalError::new(error.to_string())),
        "isQuantity" => Ok(Val::Bool(Quantity::parse(text).is_ok())),
        "url" => Url::parse(text).map(|url| Val::Url(Rc::new(url))).ok_or_else(|| bad("URL")),
        "isURL" => Ok(Val::Bool(Url::parse(text).is_some())),
        "ip" => ip(text).map(Val::Ip).ok_or_else(|| bad("IP address")),
        "isIP" => Ok(Val::Bool(ip(text).is_some())),
        "cidr" => cidr(text).map(|(ip, bits)| Val::Cidr(ip, bits)).ok_or_else(|| bad("CIDR")),
        "isCIDR" => Ok(Val::Bool(cidr(text).is_some())),
        _ => return None,
    })
}

pub(super) fn namespaced<'a>(space: &str, name: &str, args: &[Val<'a>]) -> Answer<'a> {
    Some(match (space, name, args) {
        ("ip", "isCanonical", [Val::Str(text)]) => match ip(text) {
            Some(ip) => Ok(Val::Bool(ip.to_string() == text.as_ref())),
            None => Err(EvalError::new(format!("IP address parse error: {text:?}"))),
        },
        ("format", "named", [Val::Str(name)]) => Ok(Val::Optional(format(name).map(|it| Box::new(Val::Format(it))))),
        ("format", name, []) => format(name).map(Val::Format).ok_or_else(EvalError::overload),
        _ => return None,
    })
}

fn format(name: &str) -> Option<Format> {
    Some(match name {
        "dns1123Label" => Format::ShortName,
        "dns1123Subdomain" => Format::LongName,
        "uri" => Format::Uri,
        "uuid" => Format::Uuid,
        "byte" => Format::Byte,
        "date" => Format::Date,
        "datetime" => Format::DateTime,
        _ => return None,
    })
}

pub(super) fn member<'a>(name: &str, args: &[Val<'a>]) -> Answer<'a> {
    let (target, args) = args.split_first()?;
    match target {
        Val::Quantity(quantity) => of_quantity(quantity, name, args),
        Val::Url(url) => of_url(url, name, args),
        Val::Ip(ip) => of_ip(*ip, name, args),
        Val::Cidr(ip, bits) => of_cidr((*ip, *bits), name, args),
        Val::Semver(version) => super::semver::member(version, name, args),
        Val::Format(format) => match (name, args) {
            ("validate", [Val::Str(text)]) => Some(Ok(if format.holds_text(text) {
                Val::Optional(None)
            } else {
                Val::some(Val::list(vec![Val::text(format!("must be of type {}", format.name()))]))
            })),
            _ => None,
        },
        _ => None,
    }
}

fn of_quantity<'a>(quantity: &Quantity, name: &str, args: &[Val<'a>]) -> Answer<'a> {
    let order = |other: &Quantity| quantity.partial_cmp(other).ok_or_else(EvalError::overload);
    Some(match (name, args) {
        ("isInteger", []) => Ok(Val::Bool(quantity.is_integer())),
        ("asInteger", []) if quantity.is_integer() => Ok(Val::Int(quantity.value())),
        ("asInteger", []) => Err(EvalError::new("cannot convert value to integer")),
        ("asApproximateFloat", []) => Ok(Val::Double(quantity.as_f64())),
        ("sign", []) => order(&Quantity::ZERO).map(|order| Val::Int(order as i64)),
        ("isLessThan", [Val::Quantity(other)]) => order(other).map(|order| Val::Bool(order.is_lt())),
        ("isGreaterThan", [Val::Quantity(other)]) => order(other).map(|order| Val::Bool(order.is_gt())),
        ("add", [Val::Quantity(other)]) => Ok(Val::Quantity(*quantity + *other)),
        ("add", [Val::Int(other)]) => Ok(Val::Quantity(*quantity + Quantity::from_int(*other))),
        ("sub", [Val::Quantity(other)]) => Ok(Val::Quantity(*quantity - *other)),
        ("sub", [Val::Int(other)]) => Ok(Val::Quantity(*quantity - Quantity::from_int(*other))),
        ("compareTo", [Val::Quantity(other)]) => order(other).map(|order| Val::Int(order as i64)),
        _ => return None,
    })
}

fn of_url<'a>(url: &Url, name: &str, args: &[Val<'a>]) -> Answer<'a> {
    if !args.is_empty() {
        return None;
    }
    Some(Ok(match name {
        "getScheme" => Val::text(url.scheme.as_str()),
        "getHost" => Val::text(url.host.as_str()),
        "getHostname" => Val::text(url.host_and_port().0),
        "getPort" => Val::text(url.host_and_port().1),
        "getEscapedPath" => Val::text(url.path.as_str()),
        "getQuery" => Val::Map(Rc::new(url.query())),
        _ => return None,
    }))
}

fn of_ip<'a>(ip: IpAddr, name: &str, args: &[Val<'a>]) -> Answer<'a> {
    if !args.is_empty() {
        return None;
    }
    let link_local = match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    let link_multicast = match ip {
        IpAddr::V4(v4) => v4.octets()[..3] == [224, 0, 0],
        IpAddr::V6(v6) => v6.segments()[0] & 0xff0f == 0xff02,
    };
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    Some(Ok(match name {
        "family" => Val::Int(if ip.is_ipv4() { 4 } else { 6 }),
        "isUnspecified" => Val::Bool(ip.is_unspecified()),
        "isLoopback" => Val::Bool(ip.is_loopback()),
        "isLinkLocalUnicast" => Val::Bool(link_local),
        "isLinkLocalMulticast" => Val::Bool(link_multicast),
        "isGlobalUnicast" => {
            Val::Bool(!ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast() && !link_local && !broadcast)
        }
        _ => return None,
    }))
}

fn of_cidr<'a>(net: (IpAddr, u8), name: &str, args: &[Val<'a>]) -> Answer<'a> {
    let inside = |inner: Option<IpAddr>| {
        inner.map(|ip| Val::Bool(holds(net, ip))).ok_or_else(|| EvalError::new("IP address parse error"))
    };
    let covers = |inner: Option<(IpAddr, u8)>| {
        let covered = |(ip, bits): (IpAddr, u8)| Val::Bool(bits >= net.1 && holds(net, ip));
        inner.map(covered).ok_or_else(|| EvalError::new("CIDR parse error"))
    };
    Some(match (name, args) {
        ("containsIP", [Val::Ip(ip)]) => inside(Some(*ip)),
        ("containsIP", [Val::Str(text)]) => inside(ip(text)),
        ("containsCIDR", [Val::Cidr(ip, bits)]) => covers(Some((*ip, *bits))),
        ("containsCIDR", [Val::Str(text)]) => covers(cidr(text)),
        ("ip", []) => Ok(Val::Ip(net.0)),
        ("masked", []) => Ok(Val::Cidr(masked(net.0, net.1), net.1)),
        ("prefixLength", []) => Ok(Val::Int(net.1.into())),
        _ => return None,
    })
}
