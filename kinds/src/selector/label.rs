//! Label selectors.

use super::SelectorError;
use super::lex::{Context, Lexer, Token};
use crate::name;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Anything that labels can be looked up in.
pub trait Labels {
    fn label(&self, key: &str) -> Option<&str>;
}

impl Labels for BTreeMap<String, String> {
    fn label(&self, key: &str) -> Option<&str> {
        self.get(key).map(String::as_str)
    }
}

impl<T: Labels> Labels for Option<T> {
    fn label(&self, key: &str) -> Option<&str> {
        self.as_ref().and_then(|labels| labels.label(key))
    }
}

impl<T: Labels + ?Sized> Labels for &T {
    fn label(&self, key: &str) -> Option<&str> {
        (**self).label(key)
    }
}

/// The `metadata.labels` of an object tree.
impl Labels for Value {
    fn label(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    Exists,
    DoesNotExist,
    Equals,
    DoubleEquals,
    NotEquals,
    In,
    NotIn,
    GreaterThan,
    LessThan,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    pub key: String,
    pub operator: Operator,
    /// Sorted, without duplicates.
    pub values: Vec<String>,
}

/// A conjunction of requirements; [`LabelSelector::nothing`] matches no object at all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LabelSelector {
    /// `None` matches nothing, an empty list everything.
    requirements: Option<Vec<Requirement>>,
}

impl LabelSelector {
    pub const fn everything() -> Self {
        LabelSelector { requirements: Some(Vec::new()) }
    }

    pub const fn nothing() -> Self {
        LabelSelector { requirements: None }
    }

    /// The form of query strings: `app=web,tier in (a,b),!old`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut requirements = Parser { lexer: Lexer::new(text) }.requirements()?;
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(LabelSelector { requirements: Some(requirements) })
    }

    /// The form of specs. An empty selector matches everything; where a missing one must match nothing, see
    /// [`LabelSelector::from_optional_meta`].
    pub fn from_meta(selector: &meta::LabelSelector) -> Result<Self, SelectorError> {
        let mut requirements = Vec::new();
        for (key, value) in selector.match_labels.iter().flatten() {
            requirements.push(Requirement::new(key, Operator::Equals, vec![value.clone()])?);
        }
        for expression in selector.match_expressions.iter().flatten() {
            let operator = match expression.operator.as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => {
                    return Err(SelectorError::Syntax(format!("{other:?} is not a valid label selector operator")));
                }
            };
            let values = expression.values.clone().unwrap_or_default();
            requirements.push(Requirement::new(&expression.key, operator, values)?);
        }
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(LabelSelector { requirements: Some(requirements) })
    }

    /// Like [`LabelSelector::from_meta`]; a missing selector matches nothing.
    pub fn from_optional_meta(selector: Option<&meta::LabelSelector>) -> Result<Self, SelectorError> {
        selector.map_or(Ok(Self::nothing()), Self::from_meta)
    }

    /// The form of Services and ReplicationControllers: every pair must be there. Values are not checked, as they were
    /// when the object was written.
    pub fn from_map(labels: &BTreeMap<String, String>) -> Self {
        let pairs = labels.iter().map(|(key, value)| Requirement {
            key: key.clone(),
            operator: Operator::Equals,
            values: vec![value.clone()],
        });
        LabelSelector { requirements: Some(pairs.collect()) }
    }

    pub fn is_everything(&self) -> bool {
        self.requirements.as_ref().is_some_and(Vec::is_empty)
    }

    pub const fn is_nothing(&self) -> bool {
        self.requirements.is_none()
    }

    /// Sorted by key; none where nothing matches.
    pub fn requirements(&self) -> &[Requirement] {
        self.requirements.as_deref().unwrap_or(&[])
    }

    pub fn matches(&self, labels: &(impl Labels + ?Sized)) -> bool {
        match &self.requirements {
            Some(requirements) => requirements.iter().all(|requirement| requirement.matches(labels)),
            None => false,
        }
    }
}

impl FromIterator<Requirement> for LabelSelector {
    fn from_iter<I: IntoIterator<Item = Requirement>>(all: I) -> Self {
        let mut requirements: Vec<_> = all.into_iter().collect();
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        LabelSelector { requirements: Some(requirements) }
    }
}

impl Requirement {
    /// Checked as upstream checks it: the key's form, the number of values, and their form.
    pub fn new(key: &str, operator: Operator, mut values: Vec<String>) -> Result<Self, SelectorError> {
        if let Some(detail) = name::qualified_name(key).into_iter().next() {
            // k8s: the key's path prints as Go prints a nil pointer
            return Err(SelectorError::Invalid { path: "<nil>".to_owned(), value: key.to_owned(), detail });
        }
        let complaint = match (operator, values.len()) {
            (Operator::In | Operator::NotIn, 0) => Some("for 'in', 'notin' operators, values set can't be empty"),
            (Operator::Equals | Operator::DoubleEquals | Operator::NotEquals, n) if n != 1 => {
                Some("exact-match compatibility requires one single value")
            }
            (Operator::Exists | Operator::DoesNotExist, n) if n != 0 => {
                Some("values set must be empty for exists and does not exist")
            }
            (Operator::GreaterThan | Operator::LessThan, n) if n != 1 => {
                Some("for 'Gt', 'Lt' operators, exactly one value is required")
            }
            _ => None,
        };
        if let Some(detail) = complaint {
            let (path, value) = ("values".to_owned(), values.join(","));
            return Err(SelectorError::Invalid { path, value, detail: detail.to_owned() });
        }
        for (index, value) in values.iter().enumerate() {
            if matches!(operator, Operator::GreaterThan | Operator::LessThan) && value.parse::<i64>().is_err() {
                let path = format!("values[{index}]");
                let detail = "for 'Gt', 'Lt' operators, the value must be an integer".to_owned();
                return Err(SelectorError::Invalid { path, value: value.clone(), detail });
            }
            if let Some(detail) = name::label_value(value).into_iter().next() {
                let path = format!("values[{index}][{key}]");
                return Err(SelectorError::Invalid { path, value: value.clone(), detail });
            }
        }
        values.sort();
        values.dedup();
        Ok(Requirement { key: key.to_owned(), operator, values })
    }

    pub fn matches(&self, labels: &(impl Labels + ?Sized)) -> bool {
        let found = labels.label(&self.key);
        let among = |value: &str| self.values.iter().any(|wanted| wanted == value);
        match self.operator {
            Operator::Exists => found.is_some(),
            Operator::DoesNotExist => found.is_none(),
            Operator::Equals | Operator::DoubleEquals | Operator::In => found.is_some_and(among),
            Operator::NotEquals | Operator::NotIn => !found.is_some_and(among),
            Operator::GreaterThan => self.compare(found).is_some_and(|(is, wanted)| is > wanted),
            Operator::LessThan => self.compare(found).is_some_and(|(is, wanted)| is < wanted),
        }
    }

    fn compare(&self, found: Option<&str>) -> Option<(i64, i64)> {
        Some((found?.parse().ok()?, self.values.first()?.parse().ok()?))
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements().iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{requirement}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values.join(",");
        let key = &self.key;
        match self.operator {
            Operator::Exists => write!(f, "{key}"),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
}

impl Parser<'_> {
    fn requirements(&mut self) -> Result<Vec<Requirement>, SelectorError> {
        let mut all = Vec::new();
        loop {
            match self.lexer.peek(Context::Values) {
                (Token::Word | Token::Not, _) => {
                    let requirement = self.requirement().map_err(|error| match error {
                        SelectorError::Syntax(text) => syntax(format!("unable to parse requirement: {text}")),
                        invalid @ SelectorError::Invalid { .. } => {
                            syntax(format!("unable to parse requirement: {invalid}"))
                        }
                    })?;
                    all.push(requirement);
                }
                (Token::End, _) => return Ok(all),
                (_, found) => {
                    return Err(syntax(format!("found '{found}', expected: !, identifier, or 'end of string'")));
                }
            }
            match self.lexer.next(Context::Values) {
                (Token::End, _) => return Ok(all),
                (Token::Comma, _) => match self.lexer.peek(Context::Values) {
                    (Token::Word | Token::Not, _) => {}
                    (_, found) => {
                        return Err(syntax(format!("found '{found}', expected: identifier after ','")));
                    }
                },
                (_, found) => return Err(syntax(format!("found '{found}', expected: ',' or 'end of string'"))),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let (mut token, mut literal) = self.lexer.next(Context::Values);
        let absent = token == Token::Not;
        if absent {
            (token, literal) = self.lexer.next(Context::Values);
        }
        if token != Token::Word {
            return Err(syntax(format!("found '{literal}', expected: identifier")));
        }
        if absent {
            return Requirement::new(literal, Operator::DoesNotExist, Vec::new());
        }
        if matches!(self.lexer.peek(Context::Values).0, Token::End | Token::Comma) {
            return Requirement::new(literal, Operator::Exists, Vec::new());
        }
        let operator = self.operator()?;
        let values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            Operator::Exists
            | Operator::DoesNotExist
            | Operator::Equals
            | Operator::DoubleEquals
            | Operator::NotEquals
            | Operator::GreaterThan
            | Operator::LessThan => vec![self.value()?],
        };
        Requirement::new(literal, operator, values)
    }

    fn operator(&mut self) -> Result<Operator, SelectorError> {
        match self.lexer.next(Context::KeyAndOperator) {
            (Token::Equals, _) => Ok(Operator::Equals),
            (Token::DoubleEquals, _) => Ok(Operator::DoubleEquals),
            (Token::NotEquals, _) => Ok(Operator::NotEquals),
            (Token::Greater, _) => Ok(Operator::GreaterThan),
            (Token::Less, _) => Ok(Operator::LessThan),
            (Token::In, _) => Ok(Operator::In),
            (Token::NotIn, _) => Ok(Operator::NotIn),
            (_, found) => Err(syntax(format!("found '{found}', expected: in, notin, =, ==, !=, gt, lt"))),
        }
    }

    /// After `=`: one word, or nothing for the empty value.
    fn value(&mut self) -> Result<String, SelectorError> {
        match self.lexer.peek(Context::Values) {
            (Token::End | Token::Comma, _) => Ok(String::new()),
            (Token::Word, literal) => {
                self.lexer.next(Context::Values);
                Ok(literal.to_owned())
            }
            (_, found) => Err(syntax(format!("found '{found}', expected: identifier"))),
        }
    }

    /// `(a, b)`; a missing value is the empty one.
    fn values(&mut self) -> Result<Vec<String>, SelectorError> {
        match self.lexer.next(Context::Values) {
            (Token::Open, _) => {}
            (_, found) => return Err(syntax(format!("found '{found}' expected: '('"))),
        }
        let mut values = Vec::new();
        let mut wanted = true;
        loop {
            match self.lexer.next(Context::Values) {
                (Token::Word, literal) if wanted => {
                    values.push(literal.to_owned());
                    wanted = false;
                }
                (Token::Comma, _) => {
                    if wanted {
                        values.push(String::new());
                    }
                    wanted = true;
                }
                (Token::Close, _) => {
                    if wanted {
                        values.push(String::new());
                    }
                    return Ok(values);
                }
                (_, found) if wanted => {
                    return Err(syntax(format!("found '{found}', expected: ',', ')' or identifier")));
                }
                (_, found) => return Err(syntax(format!("found '{found}', expected: ',' or ')'"))),
            }
        }
    }
}

fn syntax(text: String) -> SelectorError {
    SelectorError::Syntax(text)
}
