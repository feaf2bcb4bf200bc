//! Tokens of the label selector language.

/// What a word is for: `in` is an operator after a key, but may be a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    KeyAndOperator,
    Values,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    End,
    Comma,
    Open,
    Close,
    Not,
    Equals,
    DoubleEquals,
    NotEquals,
    Greater,
    Less,
    In,
    NotIn,
    Word,
    Error,
}

/// A cursor over the text. Cloning it is looking ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Lexer { text, at: 0 }
    }

    pub(super) fn peek(&self, context: Context) -> (Token, &'a str) {
        let mut ahead = *self;
        ahead.next(context)
    }

    pub(super) fn next(&mut self, context: Context) -> (Token, &'a str) {
        let (token, literal) = self.scan();
        match (token, context) {
            (Token::In | Token::NotIn, Context::Values) => (Token::Word, literal),
            _ => (token, literal),
        }
    }

    fn scan(&mut self) -> (Token, &'a str) {
        let rest = self.text[self.at..].trim_start_matches([' ', '\t', '\r', '\n']);
        self.at = self.text.len() - rest.len();
        let Some(first) = rest.bytes().next() else { return (Token::End, "") };
        let length = if is_symbol(first) { symbol_length(rest) } else { word_length(rest) };
        self.at += length;
        let literal = &rest[..length];
        (classify(literal, first), literal)
    }
}

fn is_symbol(byte: u8) -> bool {
    matches!(byte, b'=' | b'!' | b'(' | b')' | b',' | b'>' | b'<')
}

fn word_length(rest: &str) -> usize {
    rest.bytes().position(|byte| is_symbol(byte) || matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).unwrap_or(rest.len())
}

fn symbol_length(rest: &str) -> usize {
    if rest.starts_with("==") || rest.starts_with("!=") { 2 } else { 1 }
}

fn classify(literal: &str, first: u8) -> Token {
    match literal {
        "," => Token::Comma,
        "(" => Token::Open,
        ")" => Token::Close,
        "!" => Token::Not,
        "=" => Token::Equals,
        "==" => Token::DoubleEquals,
        "!=" => Token::NotEquals,
        ">" => Token::Greater,
        "<" => Token::Less,
        "in" => Token::In,
        "notin" => Token::NotIn,
        _ if is_symbol(first) => Token::Error,
        _ => Token::Word,
    }
}
