//! Formats of names, keys and numbers as checks that return upstream's texts; an empty list means "fine".
//!
//! The checks are written out rather than compiled from regular expressions: names are checked on every write.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::net::IpAddr;

const LABEL_MAX: usize = 63;
const SUBDOMAIN_MAX: usize = 253;
const QUALIFIED_MAX: usize = 63;
/// IANA service names (RFC 6335).
const PORT_NAME_MAX: usize = 15;
const CONFIG_KEY_MAX: usize = 253;

const LABEL_TEXT: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_TEXT: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const DNS_1035_TEXT: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const WILDCARD_TEXT: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const QUALIFIED_NAME_TEXT: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const QUALIFIED_TEXT: &str = "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
const LABEL_VALUE_TEXT: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY_TEXT: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const ENV_NAME_TEXT: &str =
    "a valid environment variable name must consist only of printable ASCII characters other than '='";
const PERCENT_TEXT: &str = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
const HTTP_HEADER_TEXT: &str = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
const IP_TEXT: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const CIDR_TEXT: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

fn too_long(max: usize) -> String {
    format!("must be no more than {max} bytes")
}

fn shape(value: &str, max: usize, ok: bool, text: &str) -> Vec<String> {
    let mut details = Vec::new();
    if value.len() > max {
        details.push(too_long(max));
    }
    if !ok {
        details.push(text.to_owned());
    }
    details
}

fn lower_or_digit(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

fn is_label(value: &str) -> bool {
    let bytes = value.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    lower_or_digit(*first) && lower_or_digit(*last) && bytes.iter().all(|b| lower_or_digit(*b) || *b == b'-')
}

fn is_subdomain(value: &str) -> bool {
    value.split('.').all(is_label)
}

fn is_name_part(value: &str) -> bool {
    let bytes = value.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

pub fn dns_label(value: &str) -> Vec<String> {
    shape(value, LABEL_MAX, is_label(value), LABEL_TEXT)
}

pub fn dns_subdomain(value: &str) -> Vec<String> {
    shape(value, SUBDOMAIN_MAX, is_subdomain(value), SUBDOMAIN_TEXT)
}

pub fn dns_1035_label(value: &str) -> Vec<String> {
    let ok = is_label(value) && value.as_bytes()[0].is_ascii_lowercase();
    shape(value, LABEL_MAX, ok, DNS_1035_TEXT)
}

pub fn wildcard_subdomain(value: &str) -> Vec<String> {
    let ok = value.strip_prefix("*.").is_some_and(is_subdomain);
    shape(value, SUBDOMAIN_MAX, ok, WILDCARD_TEXT)
}

/// A name that is one segment of a URL path (RBAC kinds: `system:node`).
pub fn path_segment(value: &str) -> Vec<String> {
    let mut details = Vec::new();
    if value == "." || value == ".." {
        details.push(format!("may not be '{value}'"));
    }
    details.extend(path_segment_prefix(value));
    details
}

pub fn path_segment_prefix(value: &str) -> Vec<String> {
    ["/", "%"].iter().filter(|c| value.contains(**c)).map(|c| format!("may not contain '{c}'")).collect()
}

/// Keys of labels, annotations, resources, finalizers: `[prefix/]name`.
pub fn qualified_name(value: &str) -> Vec<String> {
    let mut details = Vec::new();
    let (prefix, name) = match value.split_once('/') {
        None => (None, value),
        Some((_, rest)) if rest.contains('/') => return vec![QUALIFIED_TEXT.to_owned()],
        Some((prefix, name)) => (Some(prefix), name),
    };
    match prefix {
        Some("") => details.push("prefix part must be non-empty".to_owned()),
        Some(prefix) => details.extend(dns_subdomain(prefix).into_iter().map(|text| format!("prefix part {text}"))),
        None => {}
    }
    if name.is_empty() {
        details.push("name part must be non-empty".to_owned());
    } else if name.len() > QUALIFIED_MAX {
        details.push(format!("name part {}", too_long(QUALIFIED_MAX)));
    }
    if !is_name_part(name) {
        details.push(QUALIFIED_NAME_TEXT.to_owned());
    }
    details
}

pub fn label_value(value: &str) -> Vec<String> {
    shape(value, QUALIFIED_MAX, value.is_empty() || is_name_part(value), LABEL_VALUE_TEXT)
}

/// Keys of ConfigMaps and Secrets. They become file names, so dots that mean a folder are refused.
pub fn config_key(value: &str) -> Vec<String> {
    let ok = !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let mut details = shape(value, CONFIG_KEY_MAX, ok, CONFIG_KEY_TEXT);
    match value {
        "." => details.push("must not be '.'".to_owned()),
        ".." => details.push("must not be '..'".to_owned()),
        other if other.starts_with("..") => details.push("must not start with '..'".to_owned()),
        _ => {}
    }
    details
}

/// Names of environment variables: any printable ASCII but `=` (KEP-4369).
pub fn env_name(value: &str) -> Vec<String> {
    if !value.is_empty() && value.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=') {
        return Vec::new();
    }
    vec![ENV_NAME_TEXT.to_owned()]
}

pub fn http_header_name(value: &str) -> Vec<String> {
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Vec::new();
    }
    vec![HTTP_HEADER_TEXT.to_owned()]
}

/// An IANA service name, as ports are named.
pub fn port_name(value: &str) -> Vec<String> {
    let mut details = Vec::new();
    if value.len() > PORT_NAME_MAX {
        details.push(too_long(PORT_NAME_MAX));
    }
    if !value.bytes().all(|b| lower_or_digit(b) || b == b'-') {
        details.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !value.bytes().any(|b| b.is_ascii_lowercase()) {
        details.push("must contain at least one letter (a-z)".to_owned());
    }
    if value.contains("--") {
        details.push("must not contain consecutive hyphens".to_owned());
    }
    if value.starts_with('-') || value.ends_with('-') {
        details.push("must not begin or end with a hyphen".to_owned());
    }
    details
}

fn in_range(value: i64, low: i64, high: i64) -> Vec<String> {
    if (low..=high).contains(&value) {
        return Vec::new();
    }
    vec![format!("must be between {low} and {high}, inclusive")]
}

pub fn port_number(value: i32) -> Vec<String> {
    in_range(i64::from(value), 1, 65_535)
}

/// User and group ids: 0 to the largest `int32`.
pub fn id(value: i64) -> Vec<String> {
    in_range(value, 0, i64::from(i32::MAX))
}

pub fn between(value: i64, low: i64, high: i64) -> Vec<String> {
    in_range(value, low, high)
}

/// An address in canonical decimal or colon form: no leading zeros, no IPv4-mapped IPv6, no zone.
pub fn ip(value: &str) -> Result<IpAddr, &'static str> {
    let parsed: IpAddr = value.parse().map_err(|_| IP_TEXT)?;
    match parsed {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Err("must not be an IPv4-mapped IPv6 address"),
        other => Ok(other),
    }
}

pub fn cidr(value: &str) -> Result<(IpAddr, u8), &'static str> {
    let (address, bits) = value.split_once('/').ok_or(CIDR_TEXT)?;
    let address: IpAddr = address.parse().map_err(|_| CIDR_TEXT)?;
    let canonical =
        !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'));
    let bits: u8 = if canonical { bits.parse().map_err(|_| CIDR_TEXT)? } else { return Err(CIDR_TEXT) };
    let most = if address.is_ipv4() { 32 } else { 128 };
    if bits > most { Err(CIDR_TEXT) } else { Ok((address, bits)) }
}

fn is_percent(value: &str) -> bool {
    value.strip_suffix('%').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// The number of a `25%`, if it is one.
pub fn percent(value: &IntOrString) -> Option<i64> {
    match value {
        IntOrString::String(text) if is_percent(text) => text.strip_suffix('%').and_then(|digits| digits.parse().ok()),
        _ => None,
    }
}

/// Text of the error of an int-or-percent, if it has one.
pub fn int_or_percent(value: &IntOrString) -> Option<&'static str> {
    match value {
        IntOrString::Int(number) if *number < 0 => Some(super::IS_NEGATIVE),
        IntOrString::String(text) if !is_percent(text) => Some(PERCENT_TEXT),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_rules() {
        for good in ["a", "a-b", "1a", "a.b-c.d", "0"] {
            assert!(dns_subdomain(good).is_empty(), "{good}");
        }
        for bad in ["", "A", "-a", "a-", "a..b", ".a", "a.", "a_b", "a/b", "../a", "ä", "a\0"] {
            assert_eq!(dns_subdomain(bad), [SUBDOMAIN_TEXT], "{bad}");
        }
        assert!(dns_label("a.b") == [LABEL_TEXT] && dns_1035_label("1a") == [DNS_1035_TEXT]);
        assert_eq!(dns_label(&"a".repeat(64)), ["must be no more than 63 bytes"]);
        assert_eq!(path_segment(".."), ["may not be '..'"]);
        assert_eq!(path_segment("a/b%"), ["may not contain '/'", "may not contain '%'"]);
        assert!(path_segment("system:node").is_empty());
    }

    #[test]
    fn qualified_names_have_an_optional_prefix() {
        for good in ["a", "example.com/Name_1", "a.b/c.d"] {
            assert!(qualified_name(good).is_empty(), "{good}");
        }
        assert_eq!(qualified_name("a/b/c"), [QUALIFIED_TEXT]);
        assert_eq!(qualified_name("/a"), ["prefix part must be non-empty"]);
        assert_eq!(qualified_name("a/"), ["name part must be non-empty", QUALIFIED_NAME_TEXT]);
        assert_eq!(qualified_name("A/b"), [format!("prefix part {SUBDOMAIN_TEXT}")]);
    }

    #[test]
    fn config_keys_cannot_climb() {
        assert!(config_key("a.txt").is_empty() && config_key(".profile").is_empty());
        assert_eq!(config_key(".."), ["must not be '..'"]);
        assert_eq!(config_key("..data"), ["must not start with '..'"]);
        assert_eq!(config_key("a/b"), [CONFIG_KEY_TEXT]);
        assert_eq!(config_key(""), [CONFIG_KEY_TEXT]);
    }

    #[test]
    fn addresses_are_canonical() {
        assert!(ip("10.0.0.1").is_ok() && ip("2001:db8::1").is_ok());
        for bad in ["010.0.0.1", "10.0.0", "", "1.2.3.4/8", "fe80::1%eth0", "host"] {
            assert_eq!(ip(bad), Err(IP_TEXT), "{bad}");
        }
        assert!(ip("::ffff:10.0.0.1").is_err());
        assert!(cidr("10.0.0.0/8").is_ok() && cidr("10.0.0.0/33").is_err() && cidr("10.0.0.0/08").is_err());
    }

    #[test]
    fn percents_are_digits_and_a_sign() {
        assert_eq!(percent(&IntOrString::String("25%".into())), Some(25));
        assert_eq!(int_or_percent(&IntOrString::String("x%".into())), Some(PERCENT_TEXT));
        assert_eq!(int_or_percent(&IntOrString::Int(-1)), Some(super::super::IS_NEGATIVE));
    }
}
