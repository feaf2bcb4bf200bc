//! The words of an instruction: split at blanks that no quote protects, and with variables replaced. Pure.

/// The character that takes the meaning of the next one away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Escape(pub(crate) char);

/// Replacements within replacements; deeper ones are refused.
const DEPTH_MAX: usize = 16;

pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Splits at blanks, keeping quotes and escapes in the words.
pub(crate) fn split(text: &str, escape: Escape) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, None) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            (c, Some('"') | None) if c == escape.0 => {
                word.push(c);
                word.extend(chars.next());
                continue;
            }
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
        word.push(c);
    }
    if let Some(quote) = quote {
        return Err(format!("a quote {quote} is not closed"));
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

/// The word that was meant: quotes and escapes taken off, `$NAME` and `${NAME...}` replaced by what `get` knows.
pub(crate) fn expand(text: &str, escape: Escape, get: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    expand_at(text, escape, get, 0)
}

fn expand_at(text: &str, escape: Escape, get: &dyn Fn(&str) -> Option<String>, depth: usize) -> Result<String, String> {
    if depth > DEPTH_MAX {
        return Err("variables are nested too deeply".into());
    }
    let mut out = String::new();
    let mut double = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\'' if !double => {
                let end = rest.find('\'').ok_or("a quote ' is not closed")?;
                out.push_str(&rest[..end]);
                rest = &rest[end + 1..];
            }
            '"' => double = !double,
            c if c == escape.0 => {
                let Some(next) = rest.chars().next() else {
                    out.push(c);
                    break;
                };
                rest = &rest[next.len_utf8()..];
                if double && !matches!(next, '"' | '$') && next != escape.0 {
                    out.push(c);
                }
                out.push(next);
            }
            '$' => {
                let (value, after) = variable(rest, escape, get, depth)?;
                out.push_str(&value);
                rest = after;
            }
            c => out.push(c),
        }
    }
    if double { Err("a quote \" is not closed".into()) } else { Ok(out) }
}

/// What stands behind a `$`: its value, and what follows it.
fn variable<'t>(
    rest: &'t str,
    escape: Escape,
    get: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) -> Result<(String, &'t str), String> {
    let name_end = |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let Some(inner) = rest.strip_prefix('{') else {
        let end = name_end(rest);
        return if is_name(&rest[..end]) {
            Ok((get(&rest[..end]).unwrap_or_default(), &rest[end..]))
        } else {
            Ok(("$".into(), rest))
        };
    };
    let close = closing(inner, escape).ok_or("a ${ is not closed")?;
    let (body, after) = (&inner[..close], &inner[close + 1..]);
    let end = name_end(body);
    let (name, modifier) = body.split_at(end);
    if !is_name(name) {
        return Err(format!("${{{body}}} names no variable"));
    }
    let value = get(name);
    let other = |text: &str| expand_at(text, escape, get, depth + 1);
    let full = value.clone().filter(|v| !v.is_empty());
    let found = if modifier.is_empty() {
        value.unwrap_or_default()
    } else if let Some(word) = modifier.strip_prefix(":-") {
        full.map_or_else(|| other(word), Ok)?
    } else if let Some(word) = modifier.strip_prefix('-') {
        value.map_or_else(|| other(word), Ok)?
    } else if let Some(word) = modifier.strip_prefix(":+") {
        if full.is_some() { other(word)? } else { String::new() }
    } else if let Some(word) = modifier.strip_prefix('+') {
        if value.is_some() { other(word)? } else { String::new() }
    } else if let Some(word) = modifier.strip_prefix(":?") {
        full.ok_or(()).or_else(|()| Err(format!("{name}: {}", other(word)?)))?
    } else if let Some(word) = modifier.strip_prefix('?') {
        value.ok_or(()).or_else(|()| Err(format!("{name}: {}", other(word)?)))?
    } else {
        return Err(format!("${{{body}}} is not supported (:-, :+ and :? are)"));
    };
    Ok((found, after))
}

/// Where the brace that is open closes.
fn closing(text: &str, escape: Escape) -> Option<usize> {
    let mut depth = 0_usize;
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            c if c == escape.0 => drop(chars.next()),
            '{' => depth += 1,
            '}' if depth == 0 => return Some(i),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn get(name: &str) -> Option<String> {
        match name {
            "A" => Some("a b".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_replaced_and_quotes_taken_off() {
        for (text, expect) in [
            ("x$A", "xa b"),
            ("${A}y", "a by"),
            ("$A.c", "a b.c"),
            ("\\$A", "$A"),
            ("'$A'", "$A"),
            ("\"$A\"", "a b"),
            ("\"\\$A \\n\"", "$A \\n"),
            ("$NO|", "|"),
            ("${NO:-d}", "d"),
            ("${NO:-${A}}", "a b"),
            ("${EMPTY:-d}${EMPTY-e}", "d"),
            ("${A:+yes}${NO:+no}${EMPTY+set}", "yesset"),
            ("100$ $1", "100$ $1"),
            ("x\\ y", "x y"),
        ] {
            assert_eq!(expand(text, Escape('\\'), &get).as_deref(), Ok(expect), "{text}");
        }
        for bad in ["${A", "${}", "${NO:?is needed}", "${A%x}", "\"x", "'x"] {
            assert!(expand(bad, Escape('\\'), &get).is_err(), "{bad}");
        }
        assert_eq!(expand("${NO:?is needed}", Escape('\\'), &get).unwrap_err(), "NO: is needed");
    }

    proptest! {
        #[test]
        fn no_word_makes_the_expansion_panic(text in "[$\\{\\}A:+?\"'\\\\` -]{0,60}") {
            let words = split(&text, Escape('\\'));
            let whole = expand(&text, Escape('\\'), &get);
            prop_assert!(words.is_ok() || words.is_err());
            prop_assert!(whole.is_ok() || whole.is_err());
        }

        #[test]
        fn what_is_quoted_stays_as_it_was(text in "[a-z $]{0,20}") {
            let quoted = format!("'{text}'");
            let expanded = expand(&quoted, Escape('\\'), &get);
            prop_assert_eq!(expanded.as_deref(), Ok(text.as_str()));
            prop_assert_eq!(split(&quoted, Escape('\\')), Ok(vec![quoted.clone()]));
        }
    }
}
