//! Leads the links of a proxied HTML page back through the proxy, as it comes in. Pure: bytes in, bytes out.
//!
//! A page behind a proxy does not know its own path: `href="/a"` would leave it. k8s: `proxy.Transport.rewriteHTML`

use super::redirect::Proxied;

/// Which attributes of which elements are addresses. k8s: `atomsToAttrs`
const ADDRESSES: &[(&str, &[&str])] = &[
    ("a", &["href"]),
    ("applet", &["codebase"]),
    ("area", &["href"]),
    ("audio", &["src"]),
    ("base", &["href"]),
    ("blockquote", &["cite"]),
    ("body", &["background"]),
    ("button", &["formaction"]),
    ("command", &["icon"]),
    ("del", &["cite"]),
    ("embed", &["src"]),
    ("form", &["action"]),
    ("frame", &["longdesc", "src"]),
    ("head", &["profile"]),
    ("html", &["manifest"]),
    ("iframe", &["longdesc", "src"]),
    ("img", &["longdesc", "src", "usemap"]),
    ("input", &["src", "usemap", "formaction"]),
    ("ins", &["cite"]),
    ("link", &["href"]),
    ("object", &["classid", "codebase", "data", "usemap"]),
    ("q", &["cite"]),
    ("script", &["src"]),
    ("source", &["src"]),
    ("video", &["poster", "src"]),
];

/// Elements whose content is text up to their end tag, whatever it looks like.
const RAW: &[&str] =
    &["iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style", "textarea", "title", "xmp"];

/// Longest tag or comment that is waited for; a longer one passes as it is, so that a page cannot fill the memory.
const MARKUP_MAX: usize = 64 << 10;

pub(super) struct Links {
    proxied: Proxied,
    /// Markup that has begun and not ended yet.
    held: Vec<u8>,
    /// The element whose raw content this is.
    raw: Option<&'static str>,
}

impl Links {
    pub(super) fn new(proxied: Proxied) -> Self {
        Self { proxied, held: Vec::new(), raw: None }
    }

    /// The next part of the page; what cannot be judged yet comes out of a later call.
    pub(super) fn push(&mut self, part: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(part);
        let page = std::mem::take(&mut self.held);
        let mut out = Vec::with_capacity(page.len());
        let mut rest = page.as_slice();
        while let Some(at) = rest.iter().position(|byte| *byte == b'<') {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            let Some(length) = self.markup(rest) else {
                if rest.len() <= MARKUP_MAX {
                    self.held = rest.to_vec();
                    return out;
                }
                break;
            };
            self.take(&rest[..length], &mut out);
            rest = &rest[length..];
        }
        out.extend_from_slice(rest);
        out
    }

    /// What is left: markup that never ended.
    pub(super) fn finish(self) -> Vec<u8> {
        self.held
    }

    /// Length of the piece of markup that `text` begins with; `None` if it does not end in it.
    fn markup(&self, text: &[u8]) -> Option<usize> {
        if let Some(element) = self.raw {
            return if ends(text, element)? { tag_length(text) } else { Some(1) };
        }
        if b"<!--".starts_with(&text[..text.len().min(4)]) {
            return find(text, b"-->").map(|at| at + 3);
        }
        match text.get(1)? {
            b'!' | b'?' => find(text, b">").map(|at| at + 1),
            b'/' => tag_length(text),
            letter if letter.is_ascii_alphabetic() => tag_length(text),
            _ => Some(1),
        }
    }

    fn take(&mut self, markup: &[u8], out: &mut Vec<u8>) {
        if markup.starts_with(b"</") {
            self.raw = None;
        }
        match std::str::from_utf8(markup) {
            Ok(tag) if markup.get(1).is_some_and(u8::is_ascii_alphabetic) => self.start_tag(tag, out),
            Ok(_) | Err(_) => out.extend_from_slice(markup),
        }
    }

    fn start_tag(&mut self, tag: &str, out: &mut Vec<u8>) {
        let name_end = tag.find(is_between).unwrap_or(tag.len());
        let name = tag[1..name_end].to_ascii_lowercase();
        self.raw = RAW.iter().copied().find(|element| *element == name);
        let addresses = ADDRESSES.iter().find(|(element, _)| *element == name).map_or(&[][..], |(_, names)| names);
        let mut written = 0;
        for attribute in attributes(tag, name_end) {
            if addresses.iter().any(|address| address.eq_ignore_ascii_case(&tag[attribute.name.clone()])) {
                out.extend_from_slice(&tag.as_bytes()[written..attribute.value.start]);
                // Names of the proxy's path are those of objects, so that nothing in it could end the value.
                out.extend_from_slice(self.proxied.location(&tag[attribute.value.clone()]).as_bytes());
                written = attribute.value.end;
            }
        }
        out.extend_from_slice(&tag.as_bytes()[written..]);
    }
}

fn is_between(letter: char) -> bool {
    letter.is_ascii_whitespace() || letter == '/' || letter == '>'
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// Whether `text` begins with the end tag of `element`; `None` while that cannot be told.
fn ends(text: &[u8], element: &str) -> Option<bool> {
    let begins = text.iter().zip(b"</".iter().chain(element.as_bytes()));
    if !begins.into_iter().all(|(found, wanted)| found.eq_ignore_ascii_case(wanted)) {
        return Some(false);
    }
    text.get(element.len() + 2).map(|next| is_between(char::from(*next)))
}

/// Up to and with the `>` that is in no quoted value.
fn tag_length(text: &[u8]) -> Option<usize> {
    let mut quote = None;
    let mut after_equals = false;
    for (at, byte) in text.iter().enumerate() {
        match (quote, *byte) {
            (Some(open), close) if open == close => quote = None,
            (None, b'>') => return Some(at + 1),
            (None, mark @ (b'"' | b'\'')) if after_equals => quote = Some(mark),
            (Some(_) | None, _) => {}
        }
        after_equals = *byte == b'=' || (after_equals && byte.is_ascii_whitespace());
    }
    None
}

/// Where in a tag an attribute's name and its value without quotes are.
struct Attribute {
    name: std::ops::Range<usize>,
    value: std::ops::Range<usize>,
}

/// The attributes of a whole start tag, from the end of its name on.
fn attributes(tag: &str, from: usize) -> Vec<Attribute> {
    let bytes = tag.as_bytes();
    let skip = |at: usize, skipped: fn(u8) -> bool| {
        at + bytes[at.min(bytes.len())..].iter().take_while(|byte| skipped(**byte)).count()
    };
    let mut found = Vec::new();
    let mut at = from;
    loop {
        let start = skip(at, |byte| byte.is_ascii_whitespace() || byte == b'/');
        let end = skip(start, |byte| !is_between(char::from(byte)) && byte != b'=');
        let equals = skip(end, |byte| byte.is_ascii_whitespace());
        if bytes.get(equals) != Some(&b'=') {
            if start == end {
                return found;
            }
            at = end; // an attribute without a value
            continue;
        }
        let value = skip(equals + 1, |byte| byte.is_ascii_whitespace());
        let (value, after) = if let Some(quote @ (b'"' | b'\'')) = bytes.get(value) {
            let closed = bytes[value + 1..].iter().position(|byte| byte == quote);
            let close = closed.map_or(bytes.len(), |length| value + 1 + length);
            (value + 1..close, close + 1)
        } else {
            let close = skip(value, |byte| !byte.is_ascii_whitespace() && byte != b'>');
            (value..close, close)
        };
        found.push(Attribute { name: start..end, value });
        at = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "/api/v1/namespaces/a/pods/p/proxy";

    fn links() -> Links {
        let (backend, own) = ("10.1.2.3:80".to_owned(), "api:6443".to_owned());
        Links::new(Proxied { prefix: PREFIX.to_owned(), backend, own })
    }

    /// The page as it comes out when it goes in as `parts` of this many bytes.
    fn rewritten(page: &str, part: usize) -> String {
        let mut links = links();
        let mut out = Vec::new();
        for part in page.as_bytes().chunks(part) {
            out.extend(links.push(part));
        }
        out.extend(links.finish());
        String::from_utf8(out).unwrap()
    }

    fn check(page: &str, expected: &str) {
        let expected = expected.replace('~', PREFIX);
        for part in 1..=page.len() {
            assert_eq!(rewritten(page, part), expected, "in parts of {part} bytes");
        }
    }

    #[test]
    fn links_of_a_page_stay_below_the_proxy() {
        check(r#"<a href="/rewriteme">test</a>"#, r#"<a href="~/rewriteme">test</a>"#);
        check("<A class=x HREF='/a?b=1&amp;c' >", "<A class=x HREF='~/a?b=1&amp;c' >");
        check("<img src=/a.png longdesc = /b/>", "<img src=~/a.png longdesc = ~/b/>");
        check("<form\n action=\"http://10.1.2.3:80/x\">", "<form\n action=\"~/x\">");
        check("<video poster='/p' controls src='/v'></video>", "<video poster='~/p' controls src='~/v'></video>");
    }

    #[test]
    fn what_is_no_link_of_the_page_stays_as_it_is() {
        for page in [
            "<a href=\"https://example.com/a\">",
            "<a href='next'>",
            "<a href=''>",
            "<a name='/a' title=\"/b\">",
            "<p href='/a'>1 < 2 </p>",
            "<!-- <a href='/a'> -->",
            "<script>x = \"<a href='/a'>\"</script>",
            "<a title=\"a > b href='/c'\">",
            "<a href",
            "<!DOCTYPE html>",
        ] {
            check(page, page);
        }
        check(
            "<script src='/s'>'<a href=/a>'</scripty></script><a href='/b'>",
            "<script src='~/s'>'<a href=/a>'</scripty></script><a href='~/b'>",
        );
    }

    #[test]
    fn a_tag_without_an_end_passes_once_it_is_too_long() {
        let mut links = links();
        assert!(links.push(b"<a href='/a").is_empty());
        let endless = vec![b'x'; MARKUP_MAX];
        assert_eq!(links.push(&endless).len(), MARKUP_MAX + 11);
        assert!(links.finish().is_empty());
    }
}
