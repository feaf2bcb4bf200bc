//! The JSONPath of printer columns, `scale` and `selectableFields`: fields, indexes, `[*]`, filters that compare one field.
//! What it does not know is an error where the path is written.

use serde_json::Value;
use thiserror::Error;

/// Steps of one path at most; a sane one has five.
const STEPS_MAX: usize = 64;

/// A parsed path, `.status.conditions[?(@.type=="Ready")].status`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    /// Negative: from the end.
    Index(i64),
    All,
    /// Items whose field equals the value, or does not.
    Where {
        path: Vec<String>,
        test: Test,
    },
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Exists,
    Equal(Value),
    Unequal(Value),
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum PathError {
    #[error("must be a simple json path starting with .")]
    NoDot,
    #[error("is a syntax that is not supported: {0}")]
    Syntax(String),
    #[error("has more than {STEPS_MAX} steps")]
    Long,
}

impl JsonPath {
    /// Parses `.a.b[0]`; braces around it are allowed.
    pub(crate) fn parse(text: &str) -> Result<Self, PathError> {
        let text = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
        if !text.starts_with(['.', '[']) {
            return Err(PathError::NoDot);
        }
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() && rest != "." {
            if steps.len() == STEPS_MAX {
                return Err(PathError::Long);
            }
            let (step, after) = match rest.as_bytes()[0] {
                b'.' => field(&rest[1..])?,
                b'[' => bracket(rest)?,
                _ => return Err(PathError::Syntax(rest.to_owned())),
            };
            steps.extend(step);
            rest = after;
        }
        Ok(Self(steps))
    }

    /// Every value that the path leads to.
    pub(crate) fn find<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![root];
        for step in &self.0 {
            found = found.into_iter().flat_map(|value| step.of(value)).collect();
        }
        found
    }

    /// The names, where the path is nothing but fields.
    pub(crate) fn fields(&self) -> Option<Vec<&str>> {
        self.0.iter().map(Step::name).collect()
    }
}

impl Step {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Field(name) => Some(name),
            Self::Index(_) | Self::All | Self::Where { .. } => None,
        }
    }

    fn of<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match self {
            Self::Field(name) => value.get(name).into_iter().collect(),
            Self::Index(at) => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                let at = if *at < 0 { items.len() as i64 + at } else { *at };
                usize::try_from(at).ok().and_then(|at| items.get(at)).into_iter().collect()
            }
            Self::All => match value {
                Value::Array(items) => items.iter().collect(),
                Value::Object(fields) => fields.values().collect(),
                _ => Vec::new(),
            },
            Self::Where { path, test } => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                items
                    .iter()
                    .filter(|item| test.holds(path.iter().try_fold(*item, |value, name| value.get(name))))
                    .collect()
            }
        }
    }
}

impl Test {
    fn holds(&self, found: Option<&Value>) -> bool {
        match self {
            Self::Exists => found.is_some(),
            Self::Equal(wanted) => found == Some(wanted),
            Self::Unequal(other) => found.is_some_and(|found| found != other),
        }
    }
}

/// A name after a dot; `\.` is a dot in it.
fn field(text: &str) -> Result<(Option<Step>, &str), PathError> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    let mut end = text.len();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, escaped)| escaped)),
            '.' if at == 0 => return Err(PathError::Syntax(format!(".{text}"))),
            '.' | '[' => {
                end = at;
                break;
            }
            '(' | ')' | '{' | '}' | '?' | '@' | ' ' => return Err(PathError::Syntax(text.to_owned())),
            c => name.push(c),
        }
    }
    let step = match name.as_str() {
        "" => None,
        "*" => Some(Step::All),
        _ => Some(Step::Field(name)),
    };
    Ok((step, &text[end..]))
}

fn bracket(text: &str) -> Result<(Option<Step>, &str), PathError> {
    let bad = || PathError::Syntax(text.to_owned());
    if let Some(filter) = text.strip_prefix("[?(") {
        let (inside, rest) = filter.split_once(")]").ok_or_else(bad)?;
        return Ok((Some(condition(inside).ok_or_else(bad)?), rest));
    }
    let (inside, rest) = text[1..].split_once(']').ok_or_else(bad)?;
    let inside = inside.trim();
    let step = match (inside, quoted(inside)) {
        ("*", _) => Step::All,
        (_, Some(name)) => Step::Field(name.to_owned()),
        (number, None) => Step::Index(number.parse().map_err(|_| bad())?),
    };
    Ok((Some(step), rest))
}

fn quoted(text: &str) -> Option<&str> {
    ['\'', '"'].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
}

/// `@.type=="Ready"`
fn condition(text: &str) -> Option<Step> {
    let (path, test) = match (text.split_once("=="), text.split_once("!=")) {
        (Some((path, value)), _) => (path, Test::Equal(literal(value.trim())?)),
        (None, Some((path, value))) => (path, Test::Unequal(literal(value.trim())?)),
        (None, None) => (text, Test::Exists),
    };
    let path = path.trim().strip_prefix("@.")?;
    let plain = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-/".contains(c));
    let path: Vec<String> = path.split('.').map(str::to_owned).collect();
    path.iter().all(|name| plain(name)).then_some(Step::Where { path, test })
}

fn literal(text: &str) -> Option<Value> {
    match quoted(text) {
        Some(text) => Some(Value::String(text.to_owned())),
        None => serde_json::from_str(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_to_values() {
        let object = json!({"metadata": {"annotations": {"a.b/c": "x"}}, "spec": {"list": [1, 2, 3]},
            "status": {"conditions": [{"type": "A", "status": "False"}, {"type": "Ready", "status": "True"}]}});
        let table = [
            (".spec.list[0]", json!([1])),
            (".spec.list[-1]", json!([3])),
            (".spec.list[*]", json!([1, 2, 3])),
            ("{.spec.list}", json!([[1, 2, 3]])),
            (r".metadata.annotations.a\.b/c", json!(["x"])),
            (".metadata.annotations['a.b/c']", json!(["x"])),
            (r#".status.conditions[?(@.type=="Ready")].status"#, json!(["True"])),
            (".status.conditions[?(@.type=='Ready')].status", json!(["True"])),
            (r#".status.conditions[?(@.type != "Ready")].type"#, json!(["A"])),
            (".spec.unheard.of", json!([])),
            (".", json!([object])),
        ];
        for (path, expected) in table {
            assert_eq!(json!(JsonPath::parse(path).unwrap().find(&object)), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        assert_eq!(JsonPath::parse("spec"), Err(PathError::NoDot));
        for path in ["..a", ".a[", ".a[x]", ".a[?(@.b < 3)]", ".a[?(b)]", &".a".repeat(100)] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
