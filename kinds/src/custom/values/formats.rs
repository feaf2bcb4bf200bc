//! Formats of strings and numbers. A format that is not known is no rule, as with upstream.

use jiff::Timestamp;
use regex::Regex;
use serde_json::Number;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    BsonObjectId,
    Byte,
    Cidr,
    CreditCard,
    Date,
    DateTime,
    Duration,
    Email,
    HexColor,
    Hostname,
    Int32,
    Int64,
    Ipv4,
    Ipv6,
    Isbn,
    Isbn10,
    Isbn13,
    LongName,
    Mac,
    Password,
    RgbColor,
    ShortName,
    Ssn,
    Uri,
    Uuid,
    Uuid3,
    Uuid4,
    Uuid5,
}

/// Names as they are written in messages; `-` is left out of them before they are looked up.
const NAMES: &[(&str, Format)] = &[
    ("bsonobjectid", Format::BsonObjectId),
    ("byte", Format::Byte),
    ("cidr", Format::Cidr),
    ("creditcard", Format::CreditCard),
    ("date", Format::Date),
    ("date-time", Format::DateTime),
    ("datetime", Format::DateTime),
    ("duration", Format::Duration),
    ("email", Format::Email),
    ("hexcolor", Format::HexColor),
    ("hostname", Format::Hostname),
    ("int32", Format::Int32),
    ("int64", Format::Int64),
    ("ipv4", Format::Ipv4),
    ("ipv6", Format::Ipv6),
    ("isbn", Format::Isbn),
    ("isbn10", Format::Isbn10),
    ("isbn13", Format::Isbn13),
    ("k8s-long-name", Format::LongName),
    ("k8s-short-name", Format::ShortName),
    ("mac", Format::Mac),
    ("password", Format::Password),
    ("rgbcolor", Format::RgbColor),
    ("ssn", Format::Ssn),
    ("uri", Format::Uri),
    ("uuid", Format::Uuid),
    ("uuid3", Format::Uuid3),
    ("uuid4", Format::Uuid4),
    ("uuid5", Format::Uuid5),
];

macro_rules! pattern {
    ($text:literal) => {{
        static PATTERN: LazyLock<Regex> = LazyLock::new(|| Regex::new($text).expect("a constant pattern"));
        &*PATTERN
    }};
}

impl Format {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }

    pub(super) fn holds_number(self, number: &Number) -> bool {
        match self {
            Self::Int32 => number.as_f64().is_some_and(|n| (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&n)),
            Self::Int64 => !number.is_u64() || number.is_i64(),
            _ => true,
        }
    }

    pub(crate) fn holds_text(self, text: &str) -> bool {
        let digits = || text.chars().filter(|c| !matches!(c, '-' | ' ')).collect::<String>();
        match self {
            Self::BsonObjectId => pattern!("^[0-9a-fA-F]{24}$").is_match(text),
            Self::Byte => is_base64(text),
            Self::Cidr => is_cidr(text),
            Self::CreditCard => {
                pattern!(r"^(4\d{12}(\d{3})?|5[1-5]\d{14}|3[47]\d{13}|6(011|5\d\d)\d{12})$").is_match(&digits())
            }
            Self::Date => text.parse::<jiff::civil::Date>().is_ok() && text.len() == 10,
            Self::DateTime => text.parse::<Timestamp>().is_ok(),
            Self::Duration => is_duration(text),
            Self::Email => pattern!(r"^[^@\s]+@[^@\s]+$").is_match(text),
            Self::HexColor => pattern!("^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$").is_match(text),
            Self::Hostname => is_hostname(text),
            Self::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Self::Isbn => is_isbn(&digits(), &[10, 13]),
            Self::Isbn10 => is_isbn(&digits(), &[10]),
            Self::Isbn13 => is_isbn(&digits(), &[13]),
            Self::LongName => crate::validate::format::dns_subdomain(text).is_empty(),
            Self::Mac => pattern!("^([0-9a-fA-F]{2}[:-]){5}([0-9a-fA-F]{2})$").is_match(text),
            Self::RgbColor => pattern!(r"^rgb\(\s*\d{1,3}\s*,\s*\d{1,3}\s*,\s*\d{1,3}\s*\)$").is_match(text),
            Self::ShortName => crate::validate::format::dns_label(text).is_empty(),
            Self::Ssn => pattern!(r"^\d{3}[- ]?\d{2}[- ]?\d{4}$").is_match(text),
            Self::Uri => pattern!(r"^[a-zA-Z][a-zA-Z0-9+.-]*:.|^/").is_match(text),
            Self::Uuid => is_uuid(text, None),
            Self::Uuid3 => is_uuid(text, Some('3')),
            Self::Uuid4 => is_uuid(text, Some('4')),
            Self::Uuid5 => is_uuid(text, Some('5')),
            Self::Password | Self::Int32 | Self::Int64 => true,
        }
    }
}

fn is_base64(text: &str) -> bool {
    text.len().is_multiple_of(4) && pattern!("^[A-Za-z0-9+/]*={0,2}$").is_match(text)
}

pub(crate) fn is_cidr(text: &str) -> bool {
    let Some((ip, bits)) = text.split_once('/') else { return false };
    let max = match ip.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.bytes().all(|byte| byte.is_ascii_digit()) && bits.parse::<u8>().is_ok_and(|bits| bits <= max)
}

/// Go's `time.ParseDuration`, and words for days and weeks.
fn is_duration(text: &str) -> bool {
    pattern!(r"^[+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*$").is_match(text)
        || text == "0"
        || pattern!(r"^\s*\d+(\.\d+)?\s*(ns|nano|nanosecond|us|micro|microsecond|ms|milli|millisecond|s|sec|second|m|min|minute|h|hr|hour|d|day|w|wk|week)s?\s*$")
            .is_match(text)
}

fn is_hostname(text: &str) -> bool {
    let label = pattern!("^[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?$");
    !text.is_empty() && text.len() <= 255 && text.trim_end_matches('.').split('.').all(|part| label.is_match(part))
}

fn is_isbn(digits: &str, lengths: &[usize]) -> bool {
    let values: Option<Vec<u32>> =
        digits.char_indices().map(|(at, c)| if c == 'X' && at == 9 { Some(10) } else { c.to_digit(10) }).collect();
    let Some(values) = values.filter(|values| lengths.contains(&values.len())) else { return false };
    match values.len() {
        10 => values.iter().zip(1..).map(|(value, weight)| value * weight).sum::<u32>().is_multiple_of(11),
        _ => values.iter().zip([1, 3].into_iter().cycle()).map(|(v, w)| v * w).sum::<u32>().is_multiple_of(10),
    }
}

fn is_uuid(text: &str, version: Option<char>) -> bool {
    let shape = pattern!("^(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$");
    let third = text.chars().filter(|c| *c != '-').nth(12);
    shape.is_match(text) && version.is_none_or(|version| third == Some(version))
}
