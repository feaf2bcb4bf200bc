//! `'%s has %d'.format([name, count])`. k8s: cel-go's ext.Strings

use super::eval::EvalError;
use super::library::text_of;
use super::value::Val;

/// Digits behind the point where none are asked for.
const PRECISION: usize = 6;
const PRECISION_MAX: usize = 1000;

pub(super) fn format(template: &str, args: &[Val<'_>]) -> Result<String, EvalError> {
    let mut made = String::with_capacity(template.len());
    let mut args = args.iter().enumerate();
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            made.push(c);
            continue;
        }
        if chars.next_if_eq(&'%').is_some() {
            made.push('%');
            continue;
        }
        let mut precision = None;
        if chars.next_if_eq(&'.').is_some() {
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            precision = Some(digits.parse().unwrap_or(PRECISION).min(PRECISION_MAX));
        }
        let clause = chars.next().ok_or_else(|| EvalError::new("unexpected end of string"))?;
        let (at, arg) = args.next().ok_or_else(|| EvalError::new("index out of range"))?;
        let shown = one(clause, arg, precision.unwrap_or(PRECISION));
        made.push_str(&shown.ok_or_else(|| {
            let ty = arg.type_name();
            EvalError::new(format!("error during formatting: %{clause} cannot be used on {ty} (argument {at})"))
        })?);
    }
    Ok(made)
}

fn one(clause: char, arg: &Val<'_>, precision: usize) -> Option<String> {
    Some(match (clause, arg) {
        ('s', arg) => shown(arg),
        ('d', Val::Int(n)) => n.to_string(),
        ('d', Val::Uint(n)) => n.to_string(),
        ('f', Val::Double(n)) => format!("{n:.precision$}"),
        ('f', Val::Int(n)) => format!("{:.precision$}", *n as f64),
        ('e', Val::Double(n)) => format!("{n:.precision$e}"),
        ('b', Val::Bool(flag)) => u8::from(*flag).to_string(),
        ('b', Val::Int(n)) => format!("{n:b}"),
        ('b', Val::Uint(n)) => format!("{n:b}"),
        ('o', Val::Int(n)) => format!("{n:o}"),
        ('o', Val::Uint(n)) => format!("{n:o}"),
        ('x', Val::Int(n)) => format!("{n:x}"),
        ('x', Val::Uint(n)) => format!("{n:x}"),
        ('X', Val::Int(n)) => format!("{n:X}"),
        ('X', Val::Uint(n)) => format!("{n:X}"),
        ('x', Val::Str(text)) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ('X', Val::Str(text)) => text.bytes().map(|byte| format!("{byte:02X}")).collect(),
        _ => return None,
    })
}

fn shown(value: &Val<'_>) -> String {
    if let Ok(Val::Str(text)) = text_of(value) {
        return text.into_owned();
    }
    if let Some(items) = value.items() {
        return format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", "));
    }
    if let Some(entries) = value.entries() {
        let mut entries: Vec<String> =
            entries.iter().map(|(key, value)| format!("{}: {}", shown(key), shown(value))).collect();
        entries.sort_unstable();
        return format!("{{{}}}", entries.join(", "));
    }
    match value {
        Val::Null => "null".to_owned(),
        Val::Type(name) => (*name).to_owned(),
        Val::Quantity(quantity) => quantity.to_string(),
        other => other.type_name().to_owned(),
    }
}
