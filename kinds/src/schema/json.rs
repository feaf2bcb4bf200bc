//! JSON text to a tree: as `serde_json` does it, but with a depth of our own choosing, with repeated keys reported by
//! path, and with the error texts that clients know from upstream. Knows no schema.

use serde_json::map::Entry;
use serde_json::{Map, Number, Value};
use thiserror::Error;

/// Brackets inside brackets. Far above what any Kubernetes type or sane custom resource needs, far below what the
/// recursive code that walks and drops trees could not stand.
pub const DEPTH_MAX: usize = 512;

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum JsonError {
    #[error("unexpected end of JSON input")]
    End,
    #[error("invalid character {found} {context}")]
    Character { found: String, context: &'static str, offset: usize },
    #[error("exceeded max depth")]
    Depth,
    #[error("json: cannot unmarshal number {0}: out of range")]
    Number(String),
}

/// A tree, and the path of each key that came twice (the last one counts).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parsed {
    pub(super) tree: Value,
    pub(super) duplicates: Vec<String>,
}

pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, JsonError> {
    let mut parser = Parser { bytes, at: 0, depth: 0, path: Vec::new(), duplicates: Vec::new() };
    let tree = parser.value()?;
    parser.skip_space();
    if parser.at < bytes.len() {
        return Err(parser.unexpected("after top-level value"));
    }
    let duplicates = parser.duplicates;
    Ok(Parsed { tree, duplicates })
}

enum Step {
    Key(String),
    Index(usize),
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    /// Only keys and indexes that lead to the value being read.
    path: Vec<Step>,
    duplicates: Vec<String>,
}

impl Parser<'_> {
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// The next byte that is no space, without passing it.
    fn peek(&mut self) -> Result<u8, JsonError> {
        self.skip_space();
        self.bytes.get(self.at).copied().ok_or(JsonError::End)
    }

    fn unexpected(&self, context: &'static str) -> JsonError {
        let Some(byte) = self.bytes.get(self.at) else { return JsonError::End };
        let found = match byte {
            b'\'' => r"'\''".to_owned(),
            b'"' => "'\"'".to_owned(),
            b'\n' => r"'\n'".to_owned(),
            b'\r' => r"'\r'".to_owned(),
            b'\t' => r"'\t'".to_owned(),
            0x20..0x7f => format!("'{}'", char::from(*byte)),
            _ => format!(r"'\x{byte:02x}'"),
        };
        JsonError::Character { found, context, offset: self.at }
    }

    fn value(&mut self) -> Result<Value, JsonError> {
        match self.peek()? {
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::array),
            b'"' => self.string().map(Value::String),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, JsonError>) -> Result<Value, JsonError> {
        if self.depth == DEPTH_MAX {
            return Err(JsonError::Depth);
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value, JsonError> {
        let mut fields = Map::new();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(Value::Object(fields));
        }
        loop {
            if self.peek()? != b'"' {
                return Err(self.unexpected("looking for beginning of object key string"));
            }
            let key = self.string()?;
            if self.peek()? != b':' {
                return Err(self.unexpected("after object key"));
            }
            self.at += 1;
            self.path.push(Step::Key(key));
            let value = self.value()?;
            let Some(Step::Key(key)) = self.path.pop() else { unreachable!("pushed above, popped in pairs") };
            match fields.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(value);
                }
                Entry::Occupied(mut place) => {
                    self.note_duplicate(place.key());
                    place.insert(value);
                }
            }
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(Value::Object(fields));
                }
                _ => return Err(self.unexpected("after object key:value pair")),
            }
        }
    }

    fn array(&mut self) -> Result<Value, JsonError> {
        let mut items = Vec::new();
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            self.path.push(Step::Index(items.len()));
            let item = self.value()?;
            self.path.pop();
            items.push(item);
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                _ => return Err(self.unexpected("after array element")),
            }
        }
    }

    fn note_duplicate(&mut self, key: &str) {
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Key(key) if path.is_empty() => path.push_str(key),
                Step::Key(key) => {
                    path.push('.');
                    path.push_str(key);
                }
                Step::Index(index) => {
                    path.push('[');
                    path.push_str(&index.to_string());
                    path.push(']');
                }
            }
        }
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
        if !self.duplicates.contains(&path) {
            self.duplicates.push(path);
        }
    }

    fn word(&mut self, word: &'static str, value: Value) -> Result<Value, JsonError> {
        for byte in word.bytes() {
            if self.bytes.get(self.at) != Some(&byte) {
                return Err(self.unexpected(match word {
                    "true" => "in literal true",
                    "false" => "in literal false",
                    _ => "in literal null",
                }));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let start = self.at;
        self.accept(b"-");
        if !self.accept(b"0") && self.digits() == 0 {
            return Err(self.unexpected("in numeric literal"));
        }
        let mut integer = true;
        if self.accept(b".") {
            integer = false;
            if self.digits() == 0 {
                return Err(self.unexpected("after decimal point in numeric literal"));
            }
        }
        if self.accept(b"eE") {
            integer = false;
            self.accept(b"+-");
            if self.digits() == 0 {
                return Err(self.unexpected("in exponent of numeric literal"));
            }
        }
        let text = std::str::from_utf8(&self.bytes[start..self.at]).expect("digits and signs are ASCII");
        if integer {
            if let Ok(number) = text.parse::<i64>() {
                return Ok(number.into());
            }
            if let Ok(number) = text.parse::<u64>() {
                return Ok(number.into());
            }
        }
        let number = text.parse::<f64>().ok().and_then(Number::from_f64);
        number.map(Value::Number).ok_or_else(|| JsonError::Number(text.to_owned()))
    }

    fn accept(&mut self, any: &[u8]) -> bool {
        let found = self.bytes.get(self.at).is_some_and(|byte| any.contains(byte));
        self.at += usize::from(found);
        found
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.at - start
    }

    /// Bytes that are no UTF-8 become U+FFFD, as in Go.
    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).ok_or(JsonError::End)?;
        let text = text_of(&rest[..length]);
        self.at += length;
        match rest[length] {
            b'"' => {
                self.at += 1;
                Ok(text)
            }
            b'\\' => self.string_with_escapes(text),
            _ => Err(self.unexpected("in string literal")),
        }
    }

    fn string_with_escapes(&mut self, mut text: String) -> Result<String, JsonError> {
        let mut start = self.at;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'"' => {
                    text.push_str(&text_of(&self.bytes[start..self.at]));
                    self.at += 1;
                    return Ok(text);
                }
                b'\\' => {
                    text.push_str(&text_of(&self.bytes[start..self.at]));
                    self.at += 1;
                    text.push(self.escape()?);
                    start = self.at;
                }
                0..0x20 => return Err(self.unexpected("in string literal")),
                _ => self.at += 1,
            }
        }
        Err(JsonError::End)
    }

    /// After the backslash.
    fn escape(&mut self) -> Result<char, JsonError> {
        let plain = match self.bytes.get(self.at).ok_or(JsonError::End)? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.unexpected("in string escape code")),
        };
        self.at += 1;
        Ok(plain)
    }

    /// Half of a pair alone becomes U+FFFD, as in Go.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.hex()?;
        if (0xd800..0xdc00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.bytes.get(self.at).and_then(|byte| char::from(*byte).to_digit(16));
            let Some(digit) = digit else { return Err(self.unexpected("in \\u hexadecimal character escape")) };
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }
}

fn text_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    }
}
