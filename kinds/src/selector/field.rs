//! Field selectors: `status.phase=Running,spec.nodeName!=a`.

use super::SelectorError;
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRequirement {
    pub field: String,
    /// Whether the value must be equal (`=`, `==`) or different (`!=`).
    pub equal: bool,
    pub value: String,
}

/// A conjunction of requirements; an empty one matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    requirements: Vec<FieldRequirement>,
}

impl FieldSelector {
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut requirements = Vec::new();
        for term in split_terms(text) {
            if term.is_empty() {
                continue;
            }
            let Some((field, equal, value)) = split_term(term) else {
                let text = format!("invalid selector: '{text}'; can't understand '{term}'");
                return Err(SelectorError::Syntax(text));
            };
            requirements.push(FieldRequirement { field: field.to_owned(), equal, value: unescape(value, text)? });
        }
        Ok(FieldSelector { requirements })
    }

    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }

    pub fn requirements(&self) -> &[FieldRequirement] {
        &self.requirements
    }

    /// What it says of the fields that `is` picks.
    pub fn only(&self, is: impl Fn(&str) -> bool) -> Self {
        Self { requirements: self.requirements.iter().filter(|it| is(&it.field)).cloned().collect() }
    }

    /// The value that a field must have, where the selector fixes it: how a read of one name or one node is recognized.
    pub fn exact(&self, field: &str) -> Option<&str> {
        let fixed = self.requirements.iter().find(|requirement| requirement.equal && requirement.field == field);
        fixed.map(|requirement| requirement.value.as_str())
    }

    /// `get` gives a field's value; a field that the kind does not have counts as empty.
    pub fn matches(&self, get: impl Fn(&str) -> Option<String>) -> bool {
        self.requirements.iter().all(|requirement| {
            let found = get(&requirement.field).unwrap_or_default();
            (found == requirement.value) == requirement.equal
        })
    }
}

impl FromIterator<FieldRequirement> for FieldSelector {
    fn from_iter<I: IntoIterator<Item = FieldRequirement>>(requirements: I) -> Self {
        Self { requirements: requirements.into_iter().collect() }
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let operator = if requirement.equal { "=" } else { "!=" };
            write!(f, "{comma}{}{operator}{}", requirement.field, escape(&requirement.value))?;
        }
        Ok(())
    }
}

/// At commas that no backslash precedes.
fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b',' => {
                terms.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

/// At the first operator.
fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    for (index, _) in term.char_indices() {
        let rest = &term[index..];
        for (operator, equal) in [("!=", false), ("==", true), ("=", true)] {
            if let Some(value) = rest.strip_prefix(operator) {
                return Some((&term[..index], equal, value));
            }
        }
    }
    None
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=")
}

fn unescape(value: &str, whole: &str) -> Result<String, SelectorError> {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some(next @ ('\\' | ',' | '=')) => plain.push(next),
                Some(next) => {
                    return Err(SelectorError::Syntax(format!(
                        "invalid field selector: invalid escape sequence: \\{next}"
                    )));
                }
                None => {
                    let text = format!("invalid selector: '{whole}'; ends with an unfinished escape");
                    return Err(SelectorError::Syntax(text));
                }
            },
            ',' | '=' => {
                let text = format!("invalid field selector: unescaped character in value: {char}");
                return Err(SelectorError::Syntax(text));
            }
            other => plain.push(other),
        }
    }
    Ok(plain)
}
