//! Resource quantities (`100m`, `1.5Gi`, `12e6`): exact, and written as Kubernetes writes them. Never a float.

use std::cmp::Ordering;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;
use thiserror::Error;

/// Units of the inside number in one whole: the finest suffix is `n`, and nothing finer is kept.
const NANOS: i128 = 1_000_000_000;

/// The largest magnitude: 10^28 wholes. More is capped; the bound leaves room to add two and to read one more digit.
const NANO_MAX: i128 = 10i128.pow(37);

/// k8s: a quantity with a binary suffix is capped at 2^63-1 wholes
const BINARY_MAX: i128 = (i64::MAX as i128) * NANOS;

/// A longer text cannot be a sensible quantity; the bound keeps parsing linear in something small.
const TEXT_BYTES_MAX: usize = 512;

/// Decimal exponents beyond this are zero or the cap whatever the digits (given [`TEXT_BYTES_MAX`]).
const EXPONENT_MAX: i64 = 1_000;

/// The family of suffixes that a quantity was written with, kept when it is written again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `m`, none, `k`, `M`, ..
    #[default]
    DecimalSi,
    /// `Ki`, `Mi`, ..
    BinarySi,
    /// `e3`, `e6`, ..
    DecimalExponent,
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum QuantityError {
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// An exact number with the suffix family it prints in. Equality and order look at the number alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quantity {
    nano: i128,
    format: Format,
}

impl Quantity {
    pub const ZERO: Quantity = Quantity { nano: 0, format: Format::DecimalSi };

    pub fn from_int(value: i64) -> Self {
        Self::from_nano(i128::from(value) * NANOS, Format::DecimalSi)
    }

    pub fn from_milli(milli: i64) -> Self {
        Self::from_nano(i128::from(milli) * (NANOS / 1000), Format::DecimalSi)
    }

    /// Billionths.
    pub fn from_nanos(nanos: i64) -> Self {
        Self::from_nano(i128::from(nanos), Format::DecimalSi)
    }

    /// Bytes, printed with `Ki`, `Mi`, ..
    pub fn from_bytes(bytes: i64) -> Self {
        Self::from_nano(i128::from(bytes) * NANOS, Format::BinarySi)
    }

    fn from_nano(nano: i128, format: Format) -> Self {
        Quantity { nano: nano.clamp(-NANO_MAX, NANO_MAX), format }
    }

    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        parse(text)
    }

    pub const fn format(&self) -> Format {
        self.format
    }

    pub const fn is_zero(&self) -> bool {
        self.nano == 0
    }

    pub const fn is_negative(&self) -> bool {
        self.nano < 0
    }

    /// Wholes, rounded away from zero (0.1 of a thing needs one).
    pub fn value(&self) -> i64 {
        saturate(div_away(self.nano, NANOS))
    }

    /// Thousandths, rounded away from zero; capped at what an `i64` holds.
    pub fn milli_value(&self) -> i64 {
        saturate(div_away(self.nano, NANOS / 1000))
    }

    /// Whether it is a whole number.
    pub const fn is_integer(&self) -> bool {
        self.nano % NANOS == 0
    }

    /// For ratios and scores, where exactness does not matter.
    pub fn as_f64(&self) -> f64 {
        self.nano as f64 / NANOS as f64
    }

    /// `count` times as much.
    pub fn times(&self, count: i64) -> Self {
        Self::from_nano(self.nano.saturating_mul(i128::from(count)), self.format)
    }
}

fn saturate(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

fn div_away(value: i128, unit: i128) -> i128 {
    let quotient = value / unit;
    if value % unit == 0 { quotient } else { quotient + value.signum() }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nano == other.nano
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nano.cmp(&other.nano)
    }
}

impl Add for Quantity {
    type Output = Quantity;

    /// k8s: a zero takes the format of what is added to it
    fn add(self, other: Self) -> Self {
        let format = if self.is_zero() { other.format } else { self.format };
        Self::from_nano(self.nano + other.nano, format)
    }
}

impl Sub for Quantity {
    type Output = Quantity;

    fn sub(self, other: Self) -> Self {
        let format = if self.is_zero() { other.format } else { self.format };
        Self::from_nano(self.nano - other.nano, format)
    }
}

impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Quantity {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Neg for Quantity {
    type Output = Quantity;

    fn neg(self) -> Self {
        Quantity { nano: -self.nano, format: self.format }
    }
}

impl Sum for Quantity {
    fn sum<I: Iterator<Item = Quantity>>(quantities: I) -> Self {
        quantities.fold(Quantity::ZERO, Add::add)
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        parse(text)
    }
}

impl TryFrom<&k8s_openapi::apimachinery::pkg::api::resource::Quantity> for Quantity {
    type Error = QuantityError;

    fn try_from(quantity: &k8s_openapi::apimachinery::pkg::api::resource::Quantity) -> Result<Self, QuantityError> {
        parse(&quantity.0)
    }
}

impl From<Quantity> for k8s_openapi::apimachinery::pkg::api::resource::Quantity {
    fn from(quantity: Quantity) -> Self {
        k8s_openapi::apimachinery::pkg::api::resource::Quantity(quantity.to_string())
    }
}

// === writing ===

const BINARY_SUFFIXES: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL_SUFFIXES: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];

/// The canonical form: no fraction, no precision lost, the largest suffix that allows both.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // k8s: below 1024, and where a fraction would be lost, binary quantities print as decimal ones
        let binary = self.format == Format::BinarySi && self.is_integer() && self.nano.abs() >= 1024 * NANOS;
        if binary {
            let (number, steps) = factor_out(self.nano / NANOS, 1024, BINARY_SUFFIXES.len() - 1);
            return write!(f, "{number}{}", BINARY_SUFFIXES[steps]);
        }
        if self.nano == 0 {
            return f.write_str("0");
        }
        let (number, steps) = factor_out(self.nano, 1000, DECIMAL_SUFFIXES.len() - 1);
        match (self.format, 3 * steps as i64 - 9) {
            (Format::DecimalExponent, 0) => write!(f, "{number}"),
            (Format::DecimalExponent, exponent) => write!(f, "{number}e{exponent}"),
            (Format::DecimalSi | Format::BinarySi, _) => write!(f, "{number}{}", DECIMAL_SUFFIXES[steps]),
        }
    }
}

/// Divides by `base` as long as nothing remains; what is left, and how often.
fn factor_out(mut number: i128, base: i128, steps_max: usize) -> (i128, usize) {
    let mut steps = 0;
    while steps < steps_max && number % base == 0 {
        number /= base;
        steps += 1;
    }
    (number, steps)
}

// === reading ===

/// What a suffix multiplies with.
enum Scale {
    Binary(u32),
    Decimal(i64),
}

fn parse(text: &str) -> Result<Quantity, QuantityError> {
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(QuantityError::Format);
    }
    let (negative, unsigned) = match text.as_bytes()[0] {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let whole = digits(unsigned);
    let rest = &unsigned[whole.len()..];
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(after) => {
            let fraction = digits(after);
            (fraction, &after[fraction.len()..])
        }
        None => ("", rest),
    };
    check_suffix_shape(suffix)?;
    // k8s: no digits at all, before a point or a suffix, are zero
    let (scale, format) = parse_suffix(suffix)?;
    let nano = match scale {
        Scale::Binary(shift) => binary(whole, fraction, 1i128 << shift),
        Scale::Decimal(exponent) => decimal(whole, fraction, 9 + exponent),
    };
    Ok(Quantity::from_nano(if negative { -nano } else { nano }, format))
}

fn digits(text: &str) -> &str {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

/// Suffix letters, then maybe a sign, then digits.
fn check_suffix_shape(suffix: &str) -> Result<(), QuantityError> {
    let rest = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    if digits(rest).len() == rest.len() { Ok(()) } else { Err(QuantityError::Format) }
}

fn parse_suffix(suffix: &str) -> Result<(Scale, Format), QuantityError> {
    if let Some(step) = DECIMAL_SUFFIXES.iter().position(|known| *known == suffix) {
        return Ok((Scale::Decimal(3 * step as i64 - 9), Format::DecimalSi));
    }
    if let Some(step) = BINARY_SUFFIXES.iter().position(|known| *known == suffix) {
        return Ok((Scale::Binary(10 * step as u32), Format::BinarySi));
    }
    let exponent = suffix.strip_prefix(['e', 'E']).ok_or(QuantityError::Suffix)?;
    let exponent: i64 = exponent.parse().map_err(|_| QuantityError::Suffix)?;
    Ok((Scale::Decimal(exponent.clamp(-EXPONENT_MAX, EXPONENT_MAX)), Format::DecimalExponent))
}

/// `whole.fraction * 10^exponent`, rounded up to an integer and capped.
fn decimal(whole: &str, fraction: &str, exponent: i64) -> i128 {
    let kept = whole.len() as i64 + exponent;
    let mut value: i128 = 0;
    let mut inexact = false;
    for (index, digit) in whole.bytes().chain(fraction.bytes()).enumerate() {
        if (index as i64) < kept {
            value = push_digit(value, digit);
        } else {
            inexact |= digit != b'0';
        }
    }
    let missing = kept - (whole.len() + fraction.len()) as i64;
    for _ in 0..missing.max(0) {
        value = push_digit(value, b'0');
    }
    (value + i128::from(inexact)).min(NANO_MAX)
}

/// `whole.fraction * multiplier` in nanos, rounded up and capped. Fraction digits after the 18th only round up.
fn binary(whole: &str, fraction: &str, multiplier: i128) -> i128 {
    const FRACTION_DIGITS: usize = 18;
    let wholes = whole.bytes().fold(0, push_digit);
    let padded = fraction.bytes().chain(std::iter::repeat(b'0')).take(FRACTION_DIGITS);
    // At most 2^60 * 10^18 < 2^127; dividing by 10^18 and multiplying by 10^9 is dividing by 10^9.
    let product = padded.fold(0, push_digit) * multiplier;
    let inexact = product % NANOS != 0 || fraction.bytes().skip(FRACTION_DIGITS).any(|digit| digit != b'0');
    let nano = wholes.saturating_mul(multiplier).saturating_mul(NANOS).saturating_add(product / NANOS);
    nano.saturating_add(i128::from(inexact)).min(BINARY_MAX)
}

/// Appends a decimal digit; stops growing above the cap, where more digits change nothing.
fn push_digit(value: i128, digit: u8) -> i128 {
    if value > NANO_MAX { value } else { value * 10 + i128::from(digit - b'0') }
}
