//! Files of environment variables, as upstream reads them: `NAME='value'`, the value always in single quotes and taken as
//! it stands, over several lines if need be. Pure and strict: what is not understood is an error, never a guess.
//! k8s: kubelet util/env ParseEnv

use thiserror::Error;

#[derive(Debug, Error, PartialEq, Eq)]
pub enum Error {
    #[error("invalid environment variable format at line {line}: {what}")]
    Line { line: usize, what: &'static str },
    #[error("invalid environment variable format starting at line {0}: unclosed single quote")]
    Unclosed(usize),
}

const BLANK: [char; 2] = [' ', '\t'];

/// The value of `key`, where the file has it. Nothing behind it is looked at.
pub fn value(text: &str, key: &str) -> Result<Option<String>, Error> {
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let line = line.trim_start_matches(BLANK);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |what| Err(Error::Line { line: number, what });
        let Some((name, rest)) = line.split_once('=') else { return wrong("missing '='") };
        let bare = name.trim_end_matches(BLANK);
        if bare.is_empty() {
            return wrong("empty variable name");
        }
        if bare != name {
            return wrong("whitespace before '=' is not allowed");
        }
        let value = if rest.starts_with(BLANK) {
            String::new() // as a shell reads it
        } else if let Some(quoted) = rest.strip_prefix('\'') {
            quotation(quoted, number, &mut lines)?
        } else {
            return wrong("value must be enclosed in single quotes");
        };
        if name == key {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// What is quoted from `rest` on, and the lines behind it where the quote is not closed before.
fn quotation<'a>(
    rest: &'a str,
    start: usize,
    lines: &mut impl Iterator<Item = (&'a str, usize)>,
) -> Result<String, Error> {
    let (mut value, mut rest, mut number) = (String::new(), rest, start);
    loop {
        if let Some((last, after)) = rest.split_once('\'') {
            let after = after.trim_start_matches(BLANK);
            if !after.is_empty() && !after.starts_with('#') {
                return Err(Error::Line { line: number, what: "unexpected content after closing quote" });
            }
            value.push_str(last);
            return Ok(value);
        }
        value.push_str(rest);
        value.push('\n');
        (rest, number) = lines.next().ok_or(Error::Unclosed(start))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_stands_between_single_quotes() {
        let text = "# about\n\n  A='1' # one\nEMPTY=''\nBARE= 'x'\nLINES='a\n # b\n\"c$X'\nA='2'\n";
        let read = |key| value(text, key).unwrap();
        assert_eq!(read("A").as_deref(), Some("1"));
        assert_eq!(read("EMPTY").as_deref(), Some(""));
        assert_eq!(read("BARE").as_deref(), Some(""));
        assert_eq!(read("LINES").as_deref(), Some("a\n # b\n\"c$X"));
        assert_eq!(read("a"), None);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let line = |line, what| Err(Error::Line { line, what });
        assert_eq!(value("\nA\n", "A"), line(2, "missing '='"));
        assert_eq!(value("='1'", "A"), line(1, "empty variable name"));
        assert_eq!(value("A ='1'", "A"), line(1, "whitespace before '=' is not allowed"));
        assert_eq!(value("A=1", "A"), line(1, "value must be enclosed in single quotes"));
        assert_eq!(value("A=\"1\"", "A"), line(1, "value must be enclosed in single quotes"));
        assert_eq!(value("A='1\n2'3", "A"), line(2, "unexpected content after closing quote"));
        assert_eq!(value("A='1\n2\n", "A"), Err(Error::Unclosed(1)));
        assert_eq!(value("A='1'\nB", "A"), Ok(Some("1".to_owned())));
    }
}
