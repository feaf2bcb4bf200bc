//! Reads k8s-openapi's sources: each file of a type carries its JSON schema as a literal. Only that literal is parsed;
//! the rest of the Rust is skipped.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::Path;
use walkdir::WalkDir;

const DEFINITION_COMMENT: &str = "// Generated from definition ";
const SCHEMA_START: &str = "crate::schemars::json_schema!(";

/// One definition of the OpenAPI document.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) description: String,
    /// `None` where the type is not an object with fields.
    pub(super) fields: Option<BTreeMap<String, Property>>,
    pub(super) required: Vec<String>,
    /// The path of the Rust type without `crate::`, `api::core::v1::Pod`; what k8s-pb's messages are found by.
    pub(super) rust_path: String,
    /// Whether it is a stable API object or request body of its own.
    pub(super) resource: bool,
}

#[derive(Debug)]
pub(super) struct Property {
    pub(super) description: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Bytes,
    Boolean,
    Int32,
    Int64,
    Double,
    /// An object without declared fields.
    Open,
    /// A definition's name.
    Ref(String),
    List(Box<Kind>),
    Map(Box<Kind>),
}

/// All definitions by name.
pub(super) fn read(source: &Path) -> Result<BTreeMap<String, Definition>> {
    let mut files = Vec::new();
    let mut names = BTreeMap::new();
    for entry in WalkDir::new(source).sort_by_file_name() {
        let entry = entry.context("cannot walk k8s-openapi's sources")?;
        if entry.path().extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(entry.path())?;
        let Some(name) = text.strip_prefix(DEFINITION_COMMENT).and_then(|rest| rest.lines().next()) else { continue };
        let Some(rust_path) = rust_path(source, entry.path(), &text) else { continue };
        names.insert(format!("crate::{rust_path}"), name.to_owned());
        files.push((name.to_owned(), rust_path, text));
    }
    let mut definitions = BTreeMap::new();
    for (name, rust_path, text) in files {
        let Some((_, schema)) = text.split_once(SCHEMA_START) else { continue };
        let resource = text.contains("impl crate::Resource for ") && is_stable(&rust_path);
        let definition = Parser { tokens: tokens(schema)?, at: 0, names: &names }
            .definition(rust_path, resource)
            .with_context(|| format!("cannot read the schema of {name}"))?;
        definitions.insert(name, definition);
    }
    Ok(definitions)
}

/// Alpha and beta versions are not served, but stable types refer to a few of their types.
fn is_stable(rust_path: &str) -> bool {
    !rust_path.contains("alpha") && !rust_path.contains("beta")
}

fn rust_path(source: &Path, file: &Path, text: &str) -> Option<String> {
    let kind = text.lines().find_map(|line| line.strip_prefix("pub struct ").or(line.strip_prefix("pub enum ")))?;
    let kind = kind.split(|c: char| !c.is_alphanumeric()).next()?;
    let folder = file.strip_prefix(source).ok()?.parent()?;
    let mut path: Vec<String> = folder.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    path.push(kind.to_owned());
    Some(path.join("::"))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Text(String),
    Mark(char),
    Word(String),
}

/// The tokens up to the parenthesis that closes the schema.
fn tokens(source: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = source.chars().peekable();
    let mut depth = 1;
    while let Some(char) = chars.next() {
        match char {
            '"' => tokens.push(Token::Text(literal(&mut chars)?)),
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        match char {
            ')' if depth == 0 => return Ok(tokens),
            _ if char.is_alphanumeric() || char == '_' => {
                let mut word = char.to_string();
                while let Some(next) = chars.next_if(|next| next.is_alphanumeric() || *next == '_') {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
            '"' => {}
            _ if char.is_whitespace() => {}
            _ => tokens.push(Token::Mark(char)),
        }
    }
    bail!("the schema does not end")
}

fn literal(chars: &mut impl Iterator<Item = char>) -> Result<String> {
    let mut text = String::new();
    loop {
        match chars.next().context("a string does not end")? {
            '"' => return Ok(text),
            '\\' => match chars.next().context("an escape does not end")? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                same @ ('"' | '\\' | '\'') => text.push(same),
                other => bail!("unknown escape \\{other}"),
            },
            char => text.push(char),
        }
    }
}

/// One schema as written: an object literal, or a call that names another type.
#[derive(Default)]
struct Node {
    description: String,
    kind: Option<String>,
    format: Option<String>,
    properties: Option<BTreeMap<String, Property>>,
    required: Vec<String>,
    items: Option<Box<Node>>,
    values: Option<Box<Node>>,
    refers_to: Option<String>,
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    names: &'a BTreeMap<String, String>,
}

impl Parser<'_> {
    fn definition(mut self, rust_path: String, resource: bool) -> Result<Definition> {
        let node = self.node()?;
        Ok(Definition {
            description: node.description,
            fields: node.properties,
            required: node.required,
            rust_path,
            resource,
        })
    }

    fn next(&mut self) -> Result<Token> {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned().context("the schema ends early")
    }

    fn accept(&mut self, mark: char) -> bool {
        let found = self.tokens.get(self.at) == Some(&Token::Mark(mark));
        self.at += usize::from(found);
        found
    }

    fn node(&mut self) -> Result<Node> {
        match self.next()? {
            Token::Mark('{') => self.object(),
            Token::Mark('(') | Token::Word(_) => {
                self.at -= 1;
                self.call()
            }
            other => bail!("unexpected {other:?}"),
        }
    }

    fn object(&mut self) -> Result<Node> {
        let mut node = Node::default();
        while !self.accept('}') {
            let Token::Text(key) = self.next()? else { bail!("a key is no string") };
            if !self.accept(':') {
                bail!("no colon after {key}");
            }
            match key.as_str() {
                "description" => node.description = self.text()?,
                "type" => node.kind = Some(self.text()?),
                "format" => node.format = Some(self.text()?),
                "properties" => node.properties = Some(self.properties()?),
                "required" => node.required = self.texts()?,
                "items" => node.items = Some(Box::new(self.node()?)),
                "additionalProperties" => node.values = Some(Box::new(self.node()?)),
                _ => self.skip()?,
            }
            self.accept(',');
        }
        Ok(node)
    }

    fn properties(&mut self) -> Result<BTreeMap<String, Property>> {
        let mut properties = BTreeMap::new();
        if !self.accept('{') {
            bail!("properties are no object");
        }
        while !self.accept('}') {
            let name = self.text()?;
            self.accept(':');
            let node = self.node().with_context(|| format!("at {name}"))?;
            let description = node.description.clone();
            properties.insert(
                name.clone(),
                Property { description, kind: kind(node).with_context(|| format!("at {name}"))? },
            );
            self.accept(',');
        }
        Ok(properties)
    }

    fn text(&mut self) -> Result<String> {
        match self.next()? {
            Token::Text(text) => Ok(text),
            other => bail!("{other:?} is no string"),
        }
    }

    fn texts(&mut self) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        if !self.accept('[') {
            bail!("no list");
        }
        while !self.accept(']') {
            texts.push(self.text()?);
            self.accept(',');
        }
        Ok(texts)
    }

    /// `__gen.subschema_for::<T>()`, alone, in parentheses, or in a block that also inserts a description.
    fn call(&mut self) -> Result<Node> {
        let start = self.at;
        self.skip()?;
        let tokens = &self.tokens[start..self.at];
        let in_type = tokens.iter().skip_while(|token| **token != Token::Mark('<')).skip(1);
        let mut path = String::new();
        for token in in_type.take_while(|token| **token != Token::Mark('>')) {
            match token {
                Token::Mark(mark) => path.push(*mark),
                Token::Word(word) => path.push_str(word),
                Token::Text(text) => bail!("unexpected {text:?}"),
            }
        }
        let mut texts = tokens.iter().filter_map(|token| if let Token::Text(text) = token { Some(text) } else { None });
        Ok(Node {
            // The first text is the key "description".
            description: texts.nth(1).cloned().unwrap_or_default(),
            refers_to: Some(self.names.get(&path).with_context(|| format!("unknown type {path}"))?.clone()),
            ..Node::default()
        })
    }

    /// Passes over one value that is not looked at.
    fn skip(&mut self) -> Result<()> {
        let mut depth = 0;
        loop {
            match self.tokens.get(self.at).context("the schema ends early")? {
                Token::Mark('}' | ']' | ')' | ',') if depth == 0 => return Ok(()),
                Token::Mark('{' | '[' | '(') => depth += 1,
                Token::Mark('}' | ']' | ')') => depth -= 1,
                Token::Text(_) | Token::Mark(_) | Token::Word(_) => {}
            }
            self.at += 1;
        }
    }
}

fn kind(node: Node) -> Result<Kind> {
    if let Some(name) = node.refers_to {
        return Ok(Kind::Ref(name));
    }
    Ok(match (node.kind.as_deref(), node.format.as_deref()) {
        (Some("string"), Some("byte")) => Kind::Bytes,
        (Some("string"), _) => Kind::String,
        (Some("boolean"), _) => Kind::Boolean,
        (Some("integer"), Some("int32")) => Kind::Int32,
        (Some("integer"), _) => Kind::Int64,
        (Some("number"), _) => Kind::Double,
        (Some("array"), _) => Kind::List(Box::new(kind(*node.items.context("an array without items")?)?)),
        (Some("object"), _) => match node.values {
            Some(values) => Kind::Map(Box::new(kind(*values)?)),
            None => Kind::Open,
        },
        (other, _) => bail!("unknown type {other:?}"),
    })
}
