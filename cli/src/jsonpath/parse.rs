//! The parser of JSONPath templates. Errors are reasons in words; the caller adds the template.

use super::{Comparison, Filter, Node, Operand, Step};
use serde_json::Value;

type Parsed<T> = Result<T, String>;

pub(super) fn template(text: &str) -> Parsed<Vec<Node>> {
    // Nodes of each open range, the outermost first; `None` for the template itself.
    let mut open: Vec<(Option<Vec<Step>>, Vec<Node>)> = vec![(None, vec![])];
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        if start > 0 {
            push(&mut open, Node::Text(rest[..start].to_owned()));
        }
        let (action, after) = action(&rest[start + 1..])?;
        rest = after;
        let trimmed = action.trim();
        if trimmed == "end" {
            let (Some(steps), body) = open.pop().expect("the template itself is always open") else {
                return Err("end without a range".to_owned());
            };
            push(&mut open, Node::Range(steps, body));
        } else if let Some(path) = trimmed.strip_prefix("range ") {
            open.push((Some(path_of(path.trim())?), vec![]));
        } else {
            for node in expressions(trimmed)? {
                push(&mut open, node);
            }
        }
    }
    if !rest.is_empty() {
        push(&mut open, Node::Text(rest.to_owned()));
    }
    match (open.len(), open.pop()) {
        (1, Some((_, nodes))) => Ok(nodes),
        _ => Err("unterminated range".to_owned()),
    }
}

fn push(open: &mut [(Option<Vec<Step>>, Vec<Node>)], node: Node) {
    open.last_mut().expect("the template itself is always open").1.push(node);
}

/// The text up to the closing brace, and what follows it.
fn action(text: &str) -> Parsed<(&str, &str)> {
    let mut quote = None;
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            _ if escaped => escaped = false,
            (_, '\\') => escaped = true,
            (Some(open), letter) if open == letter => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '}') => return Ok((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    Err(if quote.is_some() { "unterminated quoted string" } else { "unclosed action" }.to_owned())
}

/// Literals and paths inside one pair of braces.
fn expressions(text: &str) -> Parsed<Vec<Node>> {
    if text.starts_with(['"', '\'']) {
        let (literal, rest) = quoted(text)?;
        let mut nodes = vec![Node::Text(literal)];
        if !rest.trim().is_empty() {
            nodes.extend(expressions(rest.trim())?);
        }
        return Ok(nodes);
    }
    if text.parse::<f64>().is_ok() || text == "true" || text == "false" {
        return Ok(vec![Node::Text(text.to_owned())]);
    }
    Ok(vec![Node::Path(path_of(text)?)])
}

/// A quoted string at the begin of `text`, and what follows it.
fn quoted(text: &str) -> Parsed<(String, &str)> {
    let mut letters = text.char_indices();
    let Some((_, open)) = letters.next() else { return Err("a quoted string is missing".to_owned()) };
    let mut value = String::new();
    let mut escaped = false;
    for (at, letter) in letters {
        if escaped {
            value.push(match letter {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            });
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if letter == open {
            return Ok((value, &text[at + letter.len_utf8()..]));
        } else {
            value.push(letter);
        }
    }
    Err("unterminated quoted string".to_owned())
}

/// A whole path, with or without `$` or `@` before it.
fn path_of(text: &str) -> Parsed<Vec<Step>> {
    let (steps, rest) = path(text)?;
    if rest.is_empty() { Ok(steps) } else { Err(format!("unexpected \"{rest}\"")) }
}

/// The path at the begin of `text`, and what follows it.
fn path(text: &str) -> Parsed<(Vec<Step>, &str)> {
    let mut rest = text.strip_prefix(['$', '@']).unwrap_or(text);
    let mut steps = vec![];
    loop {
        if let Some(after) = rest.strip_prefix("..") {
            let (name, after) = name(after);
            steps.push(Step::Descend(Some(name).filter(|name| name != "*")));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('.') {
            let (name, after) = name(after);
            match name.as_str() {
                "" => {}
                "*" => steps.push(Step::Wildcard),
                _ => steps.push(Step::Field(name)),
            }
            rest = after;
        } else if let Some(after) = rest.strip_prefix('[') {
            let (step, after) = bracket(after)?;
            steps.push(step);
            rest = after;
        } else {
            return Ok((steps, rest));
        }
    }
}

/// A field's name; `\.` stands for a dot in it.
fn name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => name.extend(letters.next().map(|(_, letter)| letter)),
            '.' | '[' | ']' | ')' | ' ' | '=' | '!' | '<' | '>' | '&' | '|' | ',' => return (name, &text[at..]),
            letter => name.push(letter),
        }
    }
    (name, "")
}

/// What follows `[`, to the closing bracket.
fn bracket(text: &str) -> Parsed<(Step, &str)> {
    if let Some(after) = text.strip_prefix("?(") {
        let (filter, rest) = any(after)?;
        let rest = rest.trim_start().strip_prefix(')').and_then(|rest| rest.trim_start().strip_prefix(']'));
        return rest.map(|rest| (Step::Filter(Box::new(filter)), rest)).ok_or_else(|| "unterminated filter".to_owned());
    }
    let mut steps = vec![];
    let mut rest = text.trim_start();
    loop {
        let step;
        (step, rest) = subscript(rest)?;
        steps.push(step);
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix(',') {
            rest = after.trim_start();
        } else if let Some(after) = rest.strip_prefix(']') {
            let only = if steps.len() == 1 { steps.pop() } else { None };
            return Ok((only.unwrap_or(Step::Union(steps)), after));
        } else {
            return Err("unterminated array".to_owned());
        }
    }
}

fn subscript(text: &str) -> Parsed<(Step, &str)> {
    if text.starts_with(['"', '\'']) {
        let (name, rest) = quoted(text)?;
        return Ok((Step::Field(name), rest));
    }
    if let Some(rest) = text.strip_prefix('*') {
        return Ok((Step::Wildcard, rest));
    }
    let end = text.find([',', ']']).ok_or("unterminated array")?;
    let (inside, rest) = text.split_at(end);
    let number = |part: &str| part.trim().parse::<i64>().map_err(|_| format!("invalid array index {inside}"));
    let parts: Vec<&str> = inside.split(':').collect();
    let optional = |part: Option<&&str>| match part {
        Some(part) if !part.trim().is_empty() => number(part).map(Some),
        _ => Ok(None),
    };
    let step = match parts.len() {
        1 => Step::Index(number(inside)?),
        2 | 3 => {
            let step = optional(parts.get(2))?.unwrap_or(1);
            if step < 1 {
                return Err(format!("the step of {inside} must be positive"));
            }
            Step::Slice { from: optional(parts.first())?, to: optional(parts.get(1))?, step }
        }
        _ => return Err(format!("invalid array index {inside}")),
    };
    Ok((step, rest))
}

/// `a || b`
fn any(text: &str) -> Parsed<(Filter, &str)> {
    joined(text, "||", all, Filter::Any)
}

/// `a && b`
fn all(text: &str) -> Parsed<(Filter, &str)> {
    joined(text, "&&", condition, Filter::All)
}

fn joined<'a>(
    text: &'a str,
    operator: &str,
    part: fn(&'a str) -> Parsed<(Filter, &'a str)>,
    join: fn(Vec<Filter>) -> Filter,
) -> Parsed<(Filter, &'a str)> {
    let (first, mut rest) = part(text)?;
    let mut filters = vec![first];
    while let Some(after) = rest.trim_start().strip_prefix(operator) {
        let next;
        (next, rest) = part(after)?;
        filters.push(next);
    }
    let only = if filters.len() == 1 { filters.pop() } else { None };
    Ok((only.unwrap_or_else(|| join(filters)), rest))
}

fn condition(text: &str) -> Parsed<(Filter, &str)> {
    let (left, rest) = operand(text.trim_start())?;
    let after = rest.trim_start();
    let operators = [
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
        ("=", Comparison::Equal),
    ];
    for (sign, comparison) in operators {
        if let Some(after) = after.strip_prefix(sign) {
            let (right, rest) = operand(after.trim_start())?;
            return Ok((Filter::Compare(left, comparison, right), rest));
        }
    }
    Ok((Filter::Exists(left), rest))
}

fn operand(text: &str) -> Parsed<(Operand, &str)> {
    if text.starts_with(['"', '\'']) {
        let (literal, rest) = quoted(text)?;
        return Ok((Operand::Literal(literal.into()), rest));
    }
    if text.starts_with(['@', '$', '.', '[']) {
        let (steps, rest) = path(text)?;
        return Ok((Operand::Item(steps), rest));
    }
    let end = text.find([')', ' ', '=', '!', '<', '>', '&', '|']).ok_or("unterminated filter")?;
    let (word, rest) = text.split_at(end);
    let literal: Value = serde_json::from_str(word).map_err(|_| format!("unrecognized \"{word}\" in a filter"))?;
    Ok((Operand::Literal(literal), rest))
}
