//! Operators, conversions, strings, lists, regular expressions, optionals and times. `None`: no function of that name here.

use super::eval::{Budget, EvalError};
use super::value::Val;
use crate::custom::values::pattern;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::cmp::Ordering;
use std::rc::Rc;

pub(super) type Answer<'a> = Option<Result<Val<'a>, EvalError>>;

/// Items or characters that one call may make: `replace` and `join` multiply.
const MADE_MAX: usize = 4 << 20;

pub(super) fn operator<'a>(name: &str, args: &[Val<'a>]) -> Answer<'a> {
    let overflow = || EvalError::new("integer overflow");
    Some(match (name, args) {
        ("!_", [Val::Bool(flag)]) => Ok(Val::Bool(!flag)),
        ("-_", [Val::Int(n)]) => n.checked_neg().map(Val::Int).ok_or_else(overflow),
        ("-_", [Val::Double(n)]) => Ok(Val::Double(-n)),
        ("_==_", [a, b]) => Ok(Val::Bool(a.equals(b))),
        ("_!=_", [a, b]) => Ok(Val::Bool(!a.equals(b))),
        ("_<_", [a, b]) => a.compare(b).map(|order| Val::Bool(order == Ordering::Less)),
        ("_<=_", [a, b]) => a.compare(b).map(|order| Val::Bool(order != Ordering::Greater)),
        ("_>_", [a, b]) => a.compare(b).map(|order| Val::Bool(order == Ordering::Greater)),
        ("_>=_", [a, b]) => a.compare(b).map(|order| Val::Bool(order != Ordering::Less)),
        ("_[_]", [a, key]) => a.get(key).and_then(|found| {
            found.ok_or_else(|| EvalError::new(format!("no such key: {}", key.as_str().unwrap_or("?"))))
        }),
        ("_?._" | "_[?_]", [a, key]) => Ok(match a.get(key) {
            Ok(Some(inner @ Val::Optional(_))) if matches!(a, Val::Optional(_)) => inner,
            Ok(found) => Val::Optional(found.map(Box::new)),
            Err(_) => Val::Optional(None),
        }),
        ("@in" | "_in_", [item, list]) => match (list.items(), list.entries()) {
            (Some(items), _) => Ok(Val::Bool(items.iter().any(|known| known.equals(item)))),
            (None, Some(entries)) => Ok(Val::Bool(entries.iter().any(|(key, _)| key.equals(item)))),
            (None, None) => Err(EvalError::overload()),
        },
        ("_+_" | "_-_" | "_*_" | "_/_" | "_%_", [a, b]) => arithmetic(name, a, b),
        ("!_" | "-_", [_]) => Err(EvalError::overload()),
        _ => return None,
    })
}

/// An operator on two integers of one kind; both kinds have these methods, and no trait has them.
macro_rules! checked {
    ($name:expr, $a:expr, $b:expr) => {
        match $name {
            "_+_" => $a.checked_add($b),
            "_-_" => $a.checked_sub($b),
            "_*_" => $a.checked_mul($b),
            "_/_" => $a.checked_div($b),
            _ => $a.checked_rem($b),
        }
    };
}

fn arithmetic<'a>(name: &str, a: &Val<'a>, b: &Val<'a>) -> Result<Val<'a>, EvalError> {
    let overflow = || EvalError::new("integer overflow");
    let zero = || EvalError::new(if name == "_%_" { "modulus by zero" } else { "division by zero" });
    Ok(match (name, a, b) {
        ("_/_" | "_%_", Val::Int(_), Val::Int(0)) | ("_/_" | "_%_", Val::Uint(_), Val::Uint(0)) => return Err(zero()),
        (_, Val::Int(a), Val::Int(b)) => Val::Int(checked!(name, *a, *b).ok_or_else(overflow)?),
        (_, Val::Uint(a), Val::Uint(b)) => Val::Uint(checked!(name, *a, *b).ok_or_else(overflow)?),
        ("_+_", Val::Double(a), Val::Double(b)) => Val::Double(a + b),
        ("_-_", Val::Double(a), Val::Double(b)) => Val::Double(a - b),
        ("_*_", Val::Double(a), Val::Double(b)) => Val::Double(a * b),
        ("_/_", Val::Double(a), Val::Double(b)) => Val::Double(a / b),
        ("_+_", Val::Str(a), Val::Str(b)) => Val::text(format!("{a}{b}")),
        ("_+_", Val::Bytes(a), Val::Bytes(b)) => Val::Bytes([a.as_ref(), b.as_ref()].concat().into()),
        ("_+_", Val::Duration(a), Val::Duration(b)) => Val::Duration(a.checked_add(*b).ok_or_else(overflow)?),
        ("_-_", Val::Duration(a), Val::Duration(b)) => Val::Duration(a.checked_sub(*b).ok_or_else(overflow)?),
        ("_+_", Val::Timestamp(at), Val::Duration(by)) | ("_+_", Val::Duration(by), Val::Timestamp(at)) => {
            Val::Timestamp(at.checked_add(*by).map_err(|_| overflow())?)
        }
        ("_-_", Val::Timestamp(at), Val::Duration(by)) => Val::Timestamp(at.checked_sub(*by).map_err(|_| overflow())?),
        ("_-_", Val::Timestamp(a), Val::Timestamp(b)) => Val::Duration(a.duration_since(*b)),
        ("_+_", a, b) => match (a.items(), b.items()) {
            (Some(mut items), Some(more)) => {
                items.extend(more);
                Val::list(items)
            }
            _ => return Err(EvalError::overload()),
        },
        _ => return Err(EvalError::overload()),
    })
}

pub(super) fn global<'a>(name: &str, args: &[Val<'a>]) -> Answer<'a> {
    Some(match (name, args) {
        ("size", [value]) => size(value),
        ("dyn", [value]) => Ok(value.clone()),
        ("type", [value]) => Ok(Val::Type(value.type_name())),
        ("int", [value]) => int(value),
        ("uint", [value]) => match int(value) {
            Ok(Val::Int(n)) => u64::try_from(n).map(Val::Uint).map_err(|_| EvalError::new("unsigned integer overflow")),
            _ => Err(EvalError::overload()),
        },
        ("double", [value]) => match value {
            Val::Int(n) => Ok(Val::Double(*n as f64)),
            Val::Uint(n) => Ok(Val::Double(*n as f64)),
            Val::Double(n) => Ok(Val::Double(*n)),
            Val::Str(text) => {
                text.parse().map(Val::Double).map_err(|_| EvalError::new("type conversion error from string to double"))
            }
            _ => Err(EvalError::overload()),
        },
        ("string", [value]) => text_of(value),
        ("bytes", [Val::Str(text)]) => Ok(Val::Bytes(text.as_bytes().into())),
        ("bytes", [bytes @ Val::Bytes(_)]) => Ok(bytes.clone()),
        ("bool", [Val::Bool(flag)]) => Ok(Val::Bool(*flag)),
        ("bool", [Val::Str(text)]) => match text.as_ref() {
            "true" | "True" | "TRUE" | "t" | "1" => Ok(Val::Bool(true)),
            "false" | "False" | "FALSE" | "f" | "0" => Ok(Val::Bool(false)),
            _ => Err(EvalError::new("type conversion error from string to bool")),
        },
        ("timestamp", [at @ Val::Timestamp(_)]) => Ok(at.clone()),
        ("timestamp", [Val::Str(text)]) => text
            .parse()
            .map(Val::Timestamp)
            .map_err(|_| EvalError::new("type conversion error from string to timestamp")),
        ("duration", [it @ Val::Duration(_)]) => Ok(it.clone()),
        ("duration", [Val::Str(text)]) => crate::duration::parse(text)
            .map(Val::Duration)
            .ok_or_else(|| EvalError::new("type conversion error from string to duration")),
        ("matches", [Val::Str(text), Val::Str(pattern)]) => matches(text, pattern),
        _ => return None,
    })
}

fn size<'a>(value: &Val<'a>) -> Result<Val<'a>, EvalError> {
    value.size().map(|size| Val::Int(size as i64)).ok_or_else(EvalError::overload)
}

fn int<'a>(value: &Val<'a>) -> Result<Val<'a>, EvalError> {
    let overflow = || EvalError::new("integer overflow");
    match value {
        Val::Int(n) => Ok(Val::Int(*n)),
        Val::Uint(n) => i64::try_from(*n).map(Val::Int).map_err(|_| overflow()),
        Val::Double(n) if n.abs() < i64::MAX as f64 => Ok(Val::Int(*n as i64)),
        Val::Double(_) => Err(overflow()),
        Val::Str(text) => {
            text.parse().map(Val::Int).map_err(|_| EvalError::new("type conversion error from string to int"))
        }
        Val::Timestamp(at) => Ok(Val::Int(at.as_second())),
        _ => Err(EvalError::overload()),
    }
}

pub(super) fn text_of<'a>(value: &Val<'a>) -> Result<Val<'a>, EvalError> {
    Ok(Val::text(match value {
        Val::Str(_) => return Ok(value.clone()),
        Val::Int(n) => n.to_string(),
        Val::Uint(n) => n.to_string(),
        Val::Double(n) => n.to_string(),
        Val::Bool(flag) => flag.to_string(),
        Val::Bytes(bytes) => String::from_utf8(bytes.to_vec()).map_err(|_| EvalError::new("invalid UTF-8 in bytes"))?,
        Val::Timestamp(at) => at.to_string(),
        Val::Duration(it) => format!("{}s", it.as_secs_f64()),
        Val::Ip(ip) => ip.to_string(),
        Val::Cidr(ip, bits) => format!("{ip}/{bits}"),
        _ => return Err(EvalError::overload()),
    }))
}

fn matches<'a>(text: &str, with: &str) -> Result<Val<'a>, EvalError> {
    let regex = pattern(with).map_err(|error| EvalError::new(format!("error parsing regexp: {error}")))?;
    Ok(Val::Bool(regex.is_match(text)))
}

pub(super) fn namespaced<'a>(space: &str, name: &str, args: &[Val<'a>]) -> Answer<'a> {
    let in_list = |list: &[Val<'a>], item: &Val<'a>| list.iter().any(|known| known.equals(item));
    Some(match (space, name, args) {
        ("optional", "of", [value]) => Ok(Val::some(value.clone())),
        ("optional", "none", []) => Ok(Val::Optional(None)),
        ("optional", "ofNonZeroValue", [value]) => {
            let zero = match value {
                Val::Null | Val::Bool(false) | Val::Int(0) | Val::Uint(0) => true,
                Val::Double(n) => *n == 0.0,
                value => value.size() == Some(0),
            };
            Ok(if zero { Val::Optional(None) } else { Val::some(value.clone()) })
        }
        ("strings", "quote", [Val::Str(text)]) => Ok(Val::text(format!("{text:?}"))),
        ("jsonpatch", "escapeKey", [Val::Str(key)]) => Ok(Val::text(key.replace('~', "~0").replace('/', "~1"))),
        ("sets", name, [a, b]) => {
            let (Some(a), Some(b)) = (a.items(), b.items()) else { return Some(Err(EvalError::overload())) };
            Ok(Val::Bool(match name {
                "contains" => b.iter().all(|item| in_list(&a, item)),
                "intersects" => b.iter().any(|item| in_list(&a, item)),
                "equivalent" => b.iter().all(|item| in_list(&a, item)) && a.iter().all(|item| in_list(&b, item)),
                _ => return None,
            }))
        }
        _ => return None,
    })
}

pub(super) fn member<'a>(name: &str, args: &[Val<'a>], budget: &mut Budget) -> Answer<'a> {
    let (target, args) = args.split_first()?;
    match target {
        Val::Str(text) => of_text(text, name, args),
        Val::Optional(inner) => of_optional(inner.as_deref(), name, args),
        Val::Timestamp(at) => of_timestamp(*at, name, args),
        Val::Duration(it) => of_duration(*it, name, args),
        target => match target.items() {
            Some(items) => of_list(&items, name, args, budget),
            None if name == "size" && args.is_empty() => Some(size(target)),
            None => None,
        },
    }
}

fn of_text<'a>(text: &str, name: &str, args: &[Val<'a>]) -> Answer<'a> {
    let found = |at: Option<usize>| Ok(Val::Int(at.map_or(-1, |at| text[..at].chars().count() as i64)));
    let chars = || text.chars().collect::<Vec<char>>();
    let texts = |list: Vec<&str>| Val::list(list.into_iter().map(Val::text).collect());
    Some(match (name, args) {
        ("size", []) => Ok(Val::Int(text.chars().count() as i64)),
        ("contains", [Val::Str(part)]) => Ok(Val::Bool(text.contains(part.as_ref()))),
        ("startsWith", [Val::Str(part)]) => Ok(Val::Bool(text.starts_with(part.as_ref()))),
        ("endsWith", [Val::Str(part)]) => Ok(Val::Bool(text.ends_with(part.as_ref()))),
        ("matches", [Val::Str(pattern)]) => matches(text, pattern),
        ("charAt", [Val::Int(at)]) => {
            let chars = chars();
            let at = usize::try_from(*at).ok().filter(|at| *at <= chars.len());
            at.map(|at| Val::text(chars.get(at).map(char::to_string).unwrap_or_default()))
                .ok_or_else(|| EvalError::new("index out of range"))
        }
        ("indexOf", [Val::Str(part)]) => found(text.find(part.as_ref())),
        ("lastIndexOf", [Val::Str(part)]) => found(text.rfind(part.as_ref())),
        ("lowerAscii", []) => Ok(Val::text(text.to_ascii_lowercase())),
        ("upperAscii", []) => Ok(Val::text(text.to_ascii_uppercase())),
        ("trim", []) => Ok(Val::text(text.trim())),
        ("replace", [Val::Str(from), Val::Str(to)]) => made(text.replace(from.as_ref(), to)),
        ("replace", [Val::Str(from), Val::Str(to), Val::Int(n)]) => match usize::try_from(*n) {
            Ok(n) => made(text.replacen(from.as_ref(), to, n)),
            Err(_) => made(text.replace(from.as_ref(), to)),
        },
        ("format", [list]) => match list.items() {
            Some(args) => super::format::format(text, &args).and_then(made),
            None => Err(EvalError::overload()),
        },
        ("split", [Val::Str(by)]) => Ok(texts(split(text, by, usize::MAX))),
        ("split", [Val::Str(by), Val::Int(n)]) => Ok(match n {
            0 => Val::list(Vec::new()),
            n => texts(split(text, by, usize::try_from(*n).unwrap_or(usize::MAX))),
        }),
        ("substring", [Val::Int(from)]) => substring(&chars(), *from, None),
        ("substring", [Val::Int(from), Val::Int(to)]) => substring(&chars(), *from, Some(*to)),
        ("find", [Val::Str(with)]) => {
            pattern_of(with).map(|regex| Val::text(regex.find(text).map_or("", |found| &text[found.range()])))
        }
        ("findAll", [Val::Str(with)]) => {
            pattern_of(with).map(|regex| texts(regex.find_iter(text).map(|found| &text[found.range()]).collect()))
        }
        ("findAll", [Val::Str(with), Val::Int(n)]) => pattern_of(with).map(|regex| {
            let n = usize::try_from(*n).unwrap_or(usize::MAX);
            texts(regex.find_iter(text).take(n).map(|found| &text[found.range()]).collect())
        }),
        _ => return None,
    })
}

fn pattern_of(with: &str) -> Result<regex::Regex, EvalError> {
    pattern(with).map_err(|error| EvalError::new(format!("error parsing regexp: {error}")))
}

fn made<'a>(text: String) -> Result<Val<'a>, EvalError> {
    if text.len() > MADE_MAX { Err(EvalError::new("the text is too long")) } else { Ok(Val::text(text)) }
}

fn split<'t>(text: &'t str, by: &str, n: usize) -> Vec<&'t str> {
    if by.is_empty() {
        return text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]).take(n).collect();
    }
    text.splitn(n, by).collect()
}

fn substring<'a>(chars: &[char], from: i64, to: Option<i64>) -> Result<Val<'a>, EvalError> {
    let to = to.unwrap_or(chars.len() as i64);
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok()).filter(|(from, to)| from <= to);
    match range.and_then(|(from, to)| chars.get(from..to)) {
        Some(part) => Ok(Val::text(part.iter().collect::<String>())),
        None => Err(EvalError::new("index out of range")),
    }
}

fn of_list<'a>(items: &[Val<'a>], name: &str, args: &[Val<'a>], budget: &mut Budget) -> Answer<'a> {
    if let Err(error) = budget.spend(items.len() as u64) {
        return Some(Err(error));
    }
    let extreme = |wanted: Ordering| -> Result<Val<'a>, EvalError> {
        let empty = || EvalError::new(format!("{name} called on empty list"));
        let mut items = items.iter();
        let mut best = items.next().ok_or_else(empty)?;
        for item in items {
            if item.compare(best)? == wanted {
                best = item;
            }
        }
        Ok(best.clone())
    };
    let place = |at: Option<usize>| Ok(Val::Int(at.map_or(-1, |at| at as i64)));
    Some(match (name, args) {
        ("size", []) => Ok(Val::Int(items.len() as i64)),
        ("isSorted", []) => {
            let mut sorted = true;
            for pair in items.windows(2) {
                match pair[0].compare(&pair[1]) {
                    Ok(order) => sorted &= order != Ordering::Greater,
                    Err(error) => return Some(Err(error)),
                }
            }
            Ok(Val::Bool(sorted))
        }
        ("sum", []) => items
            .iter()
            .skip(1)
            .try_fold(items.first().cloned().unwrap_or(Val::Int(0)), |sum, item| arithmetic("_+_", &sum, item)),
        ("min", []) => extreme(Ordering::Less),
        ("max", []) => extreme(Ordering::Greater),
        ("indexOf", [item]) => place(items.iter().position(|known| known.equals(item))),
        ("lastIndexOf", [item]) => place(items.iter().rposition(|known| known.equals(item))),
        ("join", by) => {
            let by = match by {
                [] => "",
                [Val::Str(by)] => by.as_ref(),
                _ => return Some(Err(EvalError::overload())),
            };
            let texts: Option<Vec<&str>> = items.iter().map(Val::as_str).collect();
            texts.map_or_else(|| Err(EvalError::overload()), |texts| made(texts.join(by)))
        }
        _ => return None,
    })
}

fn of_optional<'a>(inner: Option<&Val<'a>>, name: &str, args: &[Val<'a>]) -> Answer<'a> {
    Some(match (name, args) {
        ("hasValue", []) => Ok(Val::Bool(inner.is_some())),
        ("value", []) => inner.cloned().ok_or_else(|| EvalError::new("optional.none() dereference")),
        ("orValue", [other]) => Ok(inner.unwrap_or(other).clone()),
        ("or", [other]) => Ok(inner.map_or_else(|| other.clone(), |inner| Val::some(inner.clone()))),
        _ => return None,
    })
}

fn of_timestamp<'a>(at: Timestamp, name: &str, args: &[Val<'a>]) -> Answer<'a> {
    if !args.is_empty() {
        return None;
    }
    let at = at.to_zoned(TimeZone::UTC);
    Some(Ok(Val::Int(match name {
        "getFullYear" => at.year().into(),
        "getMonth" => i64::from(at.month()) - 1,
        "getDayOfMonth" => i64::from(at.day()) - 1,
        "getDayOfWeek" => at.weekday().to_sunday_zero_offset().into(),
        "getHours" => at.hour().into(),
        "getMinutes" => at.minute().into(),
        "getSeconds" => at.second().into(),
        "getMilliseconds" => at.millisecond().into(),
        _ => return None,
    })))
}

fn of_duration<'a>(it: SignedDuration, name: &str, args: &[Val<'a>]) -> Answer<'a> {
    if !args.is_empty() {
        return None;
    }
    Some(Ok(Val::Int(match name {
        "getHours" => it.as_hours(),
        "getMinutes" => it.as_mins(),
        "getSeconds" => it.as_secs(),
        "getMilliseconds" => (it.as_millis() % 1000) as i64,
        _ => return None,
    })))
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let index = (bits >> (18 - 6 * at)) & 63;
            text.push(if at <= chunk.len() { char::from(BASE64[index as usize]) } else { '=' });
        }
    }
    text
}

/// Standard base64.
pub(super) fn base64(text: &str) -> Option<Rc<[u8]>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    for c in text.trim_end_matches('=').bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes.into())
}
