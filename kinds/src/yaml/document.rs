//! Trees as YAML that YAML 1.1 and 1.2 readers understand alike: `on`, `1:30` and dates are quoted, because kubectl and
//! PyYAML would otherwise read them as something else than text. Written as kubectl writes it.

use serde_json::{Map, Value};
use std::fmt::Write as _;

/// The document of a tree: fields in their order, a line end at its end.
pub fn document(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(fields) if !fields.is_empty() => mapping(fields, 0, &mut text),
        Value::Array(items) if !items.is_empty() => sequence(items, 0, &mut text),
        scalar => {
            self::scalar(scalar, 0, &mut text);
            text.push('\n');
        }
    }
    text
}

/// The fields of a mapping; the first begins where the caller stands.
fn mapping(fields: &Map<String, Value>, indent: usize, text: &mut String) {
    for (at, (key, value)) in fields.iter().enumerate() {
        if at > 0 {
            pad(indent, text);
        }
        // A key of several lines would need another form; quoted, it is one line.
        text.push_str(&if key.contains('\n') { double_quoted(key) } else { inline(key) });
        text.push(':');
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                text.push('\n');
                pad(indent + 1, text);
                mapping(fields, indent + 1, text);
            }
            Value::Array(items) if !items.is_empty() => {
                text.push('\n');
                pad(indent, text);
                // Lists stand below their key, not to its right.
                sequence(items, indent, text);
            }
            value => {
                text.push(' ');
                scalar(value, indent + 1, text);
                text.push('\n');
            }
        }
    }
}

fn sequence(items: &[Value], indent: usize, text: &mut String) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            pad(indent, text);
        }
        text.push_str("- ");
        match item {
            Value::Object(fields) if !fields.is_empty() => mapping(fields, indent + 1, text),
            Value::Array(items) if !items.is_empty() => sequence(items, indent + 1, text),
            value => {
                scalar(value, indent + 1, text);
                text.push('\n');
            }
        }
    }
}

fn pad(indent: usize, text: &mut String) {
    text.extend(std::iter::repeat_n("  ", indent));
}

fn scalar(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::String(value) if is_block(value) => block(value, indent, text),
        Value::String(value) => text.push_str(&inline(value)),
        // JSON's other forms are YAML's: null, true, 1, [], {}
        other => write!(text, "{other}").expect("strings take everything"),
    }
}

/// Whether a literal block shows the text as it is.
fn is_block(value: &str) -> bool {
    value.contains('\n')
        && !value.trim_matches('\n').is_empty()
        && value.chars().all(|letter| letter == '\n' || letter == '\t' || is_printable(letter))
}

fn is_printable(letter: char) -> bool {
    !letter.is_control() && !matches!(letter, '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{85}')
}

fn block(value: &str, indent: usize, text: &mut String) {
    text.push('|');
    // A first line that begins with a space or is empty would hide how deep the block stands.
    if value.starts_with([' ', '\n', '\t']) {
        text.push('2');
    }
    let body = value.trim_end_matches('\n');
    match value.len() - body.len() {
        0 => text.push('-'),
        1 => {}
        _ => text.push('+'),
    }
    let lines = value.strip_suffix('\n').unwrap_or(value);
    for line in lines.split('\n') {
        text.push('\n');
        if !line.is_empty() {
            pad(indent, text);
            text.push_str(line);
        }
    }
}

/// A text in one line: plain where every reader takes it for a text.
fn inline(value: &str) -> String {
    if !value.chars().all(is_printable) || resolves(value) {
        return double_quoted(value);
    }
    if is_plain(value) { value.to_owned() } else { format!("'{}'", value.replace('\'', "''")) }
}

fn double_quoted(value: &str) -> String {
    let mut text = Value::from(value).to_string();
    // JSON leaves these as they are; YAML takes them for line ends or for nothing.
    for letter in ['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}', '\u{7f}'] {
        if text.contains(letter) {
            text = text.replace(letter, &format!("\\u{:04x}", u32::from(letter)));
        }
    }
    text
}

/// Whether a reader of YAML 1.1 or 1.2 would take the bare text for a number, boolean, null, date or merge key.
fn resolves(value: &str) -> bool {
    const WORDS: [&str; 11] = ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let lower = value.to_lowercase();
    if WORDS.contains(&lower.as_str()) || matches!(value, "=" | "<<") {
        return true;
    }
    let unsigned = lower.strip_prefix(['+', '-']).unwrap_or(&lower);
    if matches!(unsigned, ".inf" | ".nan") {
        return true;
    }
    // Numbers of every base, with underscores, exponents, and in base sixty; dates and times.
    let begins = unsigned.starts_with(|letter: char| letter.is_ascii_digit())
        || unsigned.strip_prefix('.').is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()));
    let numeric = |letter: char| {
        letter.is_ascii_hexdigit() || matches!(letter, '.' | '_' | ':' | '-' | '+' | 'x' | 'o' | 't' | 'z' | ' ')
    };
    begins && unsigned.chars().all(numeric) && !is_name(unsigned)
}

/// Hexadecimal names such as the hash `7479779744d5` or the address `10.42.0.2` begin like numbers and are none.
fn is_name(text: &str) -> bool {
    let dots = text.matches('.').count();
    let digits_and_dots = text.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
    if digits_and_dots {
        return dots > 1;
    }
    let letters = text.chars().filter(char::is_ascii_alphabetic).count();
    let other_than_exponent =
        text.chars().any(|letter| letter.is_ascii_alphabetic() && !matches!(letter, 'e' | 't' | 'z' | 'x' | 'o'));
    letters > 0
        && other_than_exponent
        && !text.starts_with("0x")
        && !text.starts_with("0b")
        && !text.contains([':', '_'])
}

/// Whether the text can stand without quotes.
fn is_plain(value: &str) -> bool {
    let Some(first) = value.chars().next() else { return false };
    let indicator = matches!(
        first,
        '-' | '?'
            | ':'
            | ','
            | '['
            | ']'
            | '{'
            | '}'
            | '#'
            | '&'
            | '*'
            | '!'
            | '|'
            | '>'
            | '\''
            | '"'
            | '%'
            | '@'
            | '`'
    );
    // `-a` and `:a` are plain; `- a` is a list.
    let second = value.chars().nth(1);
    let harmless = matches!(first, '-' | '?' | ':') && second.is_some_and(char::is_alphanumeric);
    (!indicator || harmless)
        && !value.starts_with(' ')
        && !value.ends_with([' ', ':'])
        && !value.contains(": ")
        && !value.contains(" #")
        && !value.starts_with("---")
        && !value.starts_with("...")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn trees_are_written_as_kubectl_writes_them() {
        let object = json!({
            "apiVersion": "v1", "kind": "A", "data": {"on": "yes", "x.y/z": "a: b", "empty": "", "text": "one\n\n  two\n", "bare": "a\nb"},
            "spec": {"list": [{"a": "1", "b": true, "c": [1, [2]]}, "x", []], "none": {}, "null": null, "port": 80},
        });
        expect![[r#"
            apiVersion: v1
            data:
              bare: |-
                a
                b
              empty: ""
              "on": "yes"
              text: |
                one

                  two
              x.y/z: 'a: b'
            kind: A
            spec:
              list:
              - a: "1"
                b: true
                c:
                - 1
                - - 2
              - x
              - []
              none: {}
              "null": null
              port: 80
        "#]]
        .assert_eq(&document(&object));
    }

    #[test]
    fn texts_that_look_like_something_else_are_quoted_and_others_are_not() {
        for quoted in [
            "on",
            "Yes",
            "y",
            "NO",
            "2026-11-20",
            "2026-11-20T13:29:19Z",
            "0x1f",
            "1_000",
            "012",
            "1e3",
            ".5",
            "1:30",
            "~",
            "=",
            "-1",
            "+.inf",
            "0o7",
            "0b1",
            "12e03",
            "",
        ] {
            assert_eq!(inline(quoted), format!("\"{quoted}\""));
        }
        for plain in [
            "web",
            "1.2.3",
            "10.42.0.2",
            "v1",
            "7479779744d5",
            "25%",
            "100m",
            "32Mi",
            "a b",
            "/healthz",
            "http://x:80/y",
            "-a",
            "n1",
        ] {
            assert_eq!(inline(plain), plain);
        }
        for single in ["*", "a: b", "{x}", "- a", "a #b", "@x", "it:", "#a", " a", "a "] {
            assert_eq!(inline(single), format!("'{single}'"));
        }
        assert_eq!(inline("a\tb"), "\"a\\tb\"");
    }

    #[test]
    fn every_text_is_read_back_as_it_was() {
        let parts = [
            "", " ", "\n", "\t", "a", ": ", "#", " #", "'", "\"", "\\", "- ", "|", "é", "\u{85}", "\u{2028}", "\r",
            "0", "e", "-", "\u{7f}", "{",
        ];
        for first in parts {
            for second in parts {
                for third in parts {
                    let text = format!("{first}{second}{third}");
                    let tree = json!({"k": {text.clone(): text.clone()}, "l": [text.clone(), [text]]});
                    let written = document(&tree);
                    let read: Value =
                        serde_norway::from_str(&written).unwrap_or_else(|error| panic!("{error}: {written:?}"));
                    assert_eq!(read, tree, "{written:?}");
                }
            }
        }
    }
}
