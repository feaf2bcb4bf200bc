//! kubectl's JSONPath templates: `{.items[*].metadata.name}`, `{range ..}..{end}`, filters, literals. Parsing is in
//! `parse`, evaluation in `eval`; both are pure.

mod eval;
mod parse;

pub(crate) use eval::order;

use serde_json::Value;
use thiserror::Error;

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum JsonPathError {
    #[error("cannot parse the jsonpath \"{template}\": {reason}")]
    Parse { template: String, reason: String },
    #[error("{0} is not found")]
    Missing(String),
}

/// Whether a key that an object lacks is an error or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    Empty,
    Error,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Template(Vec<Node>);

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Text(String),
    Path(Vec<Step>),
    Range(Vec<Step>, Vec<Node>),
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    Wildcard,
    /// `..name`, `..*`
    Descend(Option<String>),
    Index(i64),
    Slice {
        from: Option<i64>,
        to: Option<i64>,
        step: i64,
    },
    /// `[0,2]`, `['a','b']`
    Union(Vec<Step>),
    Filter(Box<Filter>),
}

#[derive(Clone, Debug, PartialEq)]
enum Filter {
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
    All(Vec<Filter>),
    Any(Vec<Filter>),
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    /// `@.a.b`
    Item(Vec<Step>),
    Literal(Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Template {
    pub fn parse(template: &str) -> Result<Self, JsonPathError> {
        parse::template(template)
            .map(Self)
            .map_err(|reason| JsonPathError::Parse { template: template.to_owned(), reason })
    }

    /// A single path as `--sort-by`, custom columns and `wait` take it: braces and the leading dot may be missing.
    pub fn relaxed(path: &str) -> Result<Self, JsonPathError> {
        if path.starts_with('{') != path.ends_with('}') {
            return Err(JsonPathError::Parse { template: path.to_owned(), reason: "unclosed action".to_owned() });
        }
        let inner = path.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(path);
        let dot = if inner.starts_with(['.', '[', '$', '@']) { "" } else { "." };
        Self::parse(&format!("{{{dot}{inner}}}"))
    }

    /// The text of the template over a tree.
    pub fn render(&self, tree: &Value, missing: Missing) -> Result<String, JsonPathError> {
        let mut text = String::new();
        eval::render(&self.0, tree, missing, &mut text)?;
        Ok(text)
    }

    /// The values of the first path in the template.
    pub fn values<'a>(&self, tree: &'a Value, missing: Missing) -> Result<Vec<&'a Value>, JsonPathError> {
        match self.0.iter().find_map(|node| if let Node::Path(steps) = node { Some(steps) } else { None }) {
            Some(steps) => eval::values(steps, tree, missing),
            None => Ok(vec![]),
        }
    }
}

/// A value as a template prints it: strings bare, the rest as JSON.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tree() -> Value {
        json!({
            "kind": "List",
            "items": [
                {"metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "x"}}, "n": 1, "ok": true, "ports": [80, 443]},
                {"metadata": {"name": "b"}, "n": 20, "ok": false, "conditions": [
                    {"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
                {"metadata": {"name": "c"}, "n": 3, "ports": [8080]},
            ],
        })
    }

    #[test]
    fn templates_render_as_in_kubectl() {
        for (template, expected) in [
            ("{.kind}", "List"),
            ("kind is {.kind}!", "kind is List!"),
            ("{$.kind}{@.kind}", "ListList"),
            ("{.items[*].metadata.name}", "a b c"),
            ("{.items[0].metadata.name}", "a"),
            ("{.items[-1].metadata.name}", "c"),
            ("{.items[0:2].metadata.name}", "a b"),
            ("{.items[::2].metadata.name}", "a c"),
            ("{.items[0,2].metadata.name}", "a c"),
            ("{.items[0].ports}", "[80,443]"),
            ("{.items[0].metadata['name']}", "a"),
            ("{.items[0].metadata.labels.app\\.kubernetes\\.io/name}", "x"),
            ("{.items[0]['n','ok']}", "1 true"),
            ("{..name}", "a b c"),
            ("{.missing.deep}", ""),
            ("{.items[*].missing}", ""),
            (r"{.items[?(@.n>2)].metadata.name}", "b c"),
            (r#"{.items[?(@.metadata.name=="b")].n}"#, "20"),
            (r"{.items[?(@.metadata.name!='b')].n}", "1 3"),
            (r"{.items[?(@.ok)].n}", "1 20"),
            (r"{.items[?(@.ok==true)].n}", "1"),
            (r"{.items[?(@.n>=3 && @.n<20)].n}", "3"),
            (r"{.items[?(@.n==1 || @.n==3)].n}", "1 3"),
            (r#"{.items[1].conditions[?(@.type=="Ready")].status}"#, "True"),
            (r#"{range .items[*]}{.metadata.name}{"\t"}{.n}{"\n"}{end}"#, "a\t1\nb\t20\nc\t3\n"),
            (r"{range .items[*]}{.metadata.name}:{range .ports[*]}<{@}>{end};{end}", "a:<80><443>;b:;c:<8080>;"),
            (r#"{"a\"b"}{'c'}"#, "a\"bc"),
            (r"{.items[0].metadata.name}{'\n'}", "a\n"),
        ] {
            let parsed = Template::parse(template).unwrap();
            assert_eq!(parsed.render(&tree(), Missing::Empty).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn relaxed_paths_need_no_braces() {
        for path in ["{.items[0].n}", ".items[0].n", "items[0].n"] {
            assert_eq!(Template::relaxed(path).unwrap().values(&tree(), Missing::Error), Ok(vec![&json!(1)]), "{path}");
        }
        let missing = Template::relaxed(".foo").unwrap();
        assert_eq!(missing.values(&tree(), Missing::Error), Err(JsonPathError::Missing("foo".into())));
    }

    #[test]
    fn bad_templates_are_refused_with_a_reason() {
        for (template, reason) in [
            ("{.a", "unclosed action"),
            ("{.a[}", "unterminated array"),
            ("{range .a}", "unterminated range"),
            ("{end}", "end without a range"),
            ("{.a[?(@.b=='c']}", "unterminated filter"),
            ("{'a}", "unterminated quoted string"),
            ("{a b}", "unexpected \"a b\""),
        ] {
            let Err(JsonPathError::Parse { reason: found, .. }) = Template::parse(template) else {
                panic!("{template} was accepted");
            };
            assert_eq!(found, reason, "{template}");
        }
    }
}
