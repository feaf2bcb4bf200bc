//! What calls of functions cost beside their arguments, and how large what they yield may be.

use super::sizes::{Size, by_factor};
use super::{Estimate, Place, TEXT_FACTOR};
use crate::cel::calls::Style;
use crate::cel::ty::Ty;

/// k8s: RegexStringLengthCostFactor
const REGEX_FACTOR: f64 = 0.25;
/// Two in an expression are as many as there may be.
const AUTHORIZATION: u64 = 350_000;
/// Bytes of an address, read twice.
const ADDRESSES: u64 = 32;

type Known = (u64, Option<Size>);

pub(super) fn estimate(
    name: &str,
    style: Style,
    target: Option<&Estimate<'_, '_>>,
    args: &[Estimate<'_, '_>],
) -> Known {
    match (style, target, args) {
        (Style::Member, Some(target), args) => of_member(name, target, args),
        (Style::Global, _, [arg]) => of_global(name, arg),
        (Style::In("sets"), _, [a, b]) => {
            let factor = if name == "equivalent" { 2 } else { 1 };
            let pairs = a.size().times(b.size()).max.saturating_mul(factor);
            (pairs.saturating_add(1), None)
        }
        _ => (1, None),
    }
}

fn of_global(name: &str, arg: &Estimate<'_, '_>) -> Known {
    let size = arg.size();
    match (name, &arg.ty) {
        ("string", Ty::Bytes) => (arg.text_cost(), Some(Size { min: size.min / 4, max: size.max })),
        ("string", Ty::Dyn) => (arg.text_cost().max(1), None),
        ("bytes", Ty::Text | Ty::Dyn) => {
            (arg.text_cost(), Some(Size { min: size.min, max: size.max.saturating_mul(4) }))
        }
        ("url", _) => (arg.text_cost(), None),
        _ => (1, None),
    }
}

fn of_member(name: &str, target: &Estimate<'_, '_>, args: &[Estimate<'_, '_>]) -> Known {
    let size = target.size();
    match (name, args) {
        ("check", _) => (AUTHORIZATION, None),
        ("startsWith" | "endsWith", [part]) => (part.text_cost(), None),
        ("contains", [part]) => (target.text_cost().saturating_mul(part.text_cost()), None),
        ("matches", [pattern]) => (searched(size, pattern), None),
        ("find" | "findAll", [pattern, ..]) => (searched(size, pattern), Some(Size { min: 0, max: size.max })),
        ("lowerAscii" | "upperAscii" | "substring" | "trim", _) => (target.text_cost(), Some(size)),
        ("replace", [old, new, ..]) => (twice(size), Some(replaced(size, old.size(), new.size()))),
        ("split", _) => (twice(size), Some(Size { min: 0, max: size.max })),
        ("join", args) => {
            let made = joined(target, args.first());
            (by_factor(made.max, TEXT_FACTOR), Some(made))
        }
        ("isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf", _) if target.ty != Ty::Text => {
            (size.max.saturating_mul(item_cost(target)), None)
        }
        ("indexOf" | "lastIndexOf" | "format", _) => (target.text_cost(), None),
        ("containsIP", [other]) => (by_factor(ADDRESSES, TEXT_FACTOR).saturating_add(parsed(other)), None),
        ("containsCIDR", [other]) => {
            let compared = by_factor(ADDRESSES, TEXT_FACTOR) + by_factor(ADDRESSES / 2, TEXT_FACTOR) + 1;
            (compared.saturating_add(parsed(other)), None)
        }
        _ => (1, None),
    }
}

/// Reading a text and writing another.
fn twice(size: Size) -> u64 {
    by_factor(size.max, 2.0 * TEXT_FACTOR)
}

/// One more character than there are: an empty text costs something with an expensive pattern.
fn searched(size: Size, pattern: &Estimate<'_, '_>) -> u64 {
    let text = by_factor(size.plus(Size::ONE).max, TEXT_FACTOR);
    text.saturating_mul(by_factor(pattern.size().max, REGEX_FACTOR))
}

/// An address that is given as a text.
fn parsed(other: &Estimate<'_, '_>) -> u64 {
    if other.ty == Ty::Text { other.text_cost() } else { 0 }
}

/// The items of a list: their type, and their size. Of lists that are no part of the input, it is not known.
fn item<'a>(list: &Estimate<'a, '_>) -> (Ty<'a>, Size) {
    let size = match list.place {
        Place::At(decl) => decl.items().map(|items| Size { min: 0, max: items.most }),
        Place::Nowhere | Place::Undeclared => None,
    };
    (list.ty.items().1, size.unwrap_or(Size::UNKNOWN))
}

fn item_cost(list: &Estimate<'_, '_>) -> u64 {
    match item(list) {
        (Ty::Text | Ty::Bytes, size) => by_factor(size.max, TEXT_FACTOR).saturating_add(1),
        _ => 1,
    }
}

fn joined(list: &Estimate<'_, '_>, separator: Option<&Estimate<'_, '_>>) -> Size {
    let count = list.size();
    let items = count.times(item(list).1);
    let gaps = Size { min: count.min.saturating_sub(1), max: count.max.saturating_sub(1) };
    separator.map_or(items, |separator| items.plus(separator.size().times(gaps)))
}

/// The longest that a text becomes; the shortest does not matter to anybody.
fn replaced(size: Size, old: Size, new: Size) -> Size {
    let max = if old.min == 0 {
        // What replaces nothing stands around every character.
        size.max.saturating_add(1).saturating_mul(new.max).saturating_add(size.max)
    } else if new.max <= old.min {
        size.max
    } else {
        size.max.div_ceil(old.min).saturating_mul(new.max)
    };
    Size { min: 0, max }
}
