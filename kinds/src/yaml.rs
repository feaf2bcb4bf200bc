//! YAML: how trees are written ([`document`]), what is a number in what is read ([`with_octals`]), and how deep it nests.
//!
//! How deep the flow collections (`[..]`, `{..}`) of a YAML text nest. The parser's time grows with their depth at every
//! token, so whoever takes YAML from others asks here first. Block collections and aliases cost the parser nothing of
//! the kind; it bounds those itself.
//!
//! Only the parser knows for certain where a quoted or a block scalar begins. Therefore every bracket outside a flow
//! collection is followed as if it opened one, all these readings at once: what is told is never less than the truth.

mod document;
mod octal;

pub use document::document;
pub use octal::with_octals;

/// Flow collections open at once that a document may have. Real ones open a dozen.
pub const FLOW_DEPTH_MAX: u32 = 1_000;

/// Sum of the open flow collections over all bytes that a request may have: about a tenth of a second of parsing.
pub const FLOW_WORK_MAX: u64 = 64 << 20;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Collections that are open at once, at most.
    pub deepest: u32,
    /// The open collections at each byte, added up.
    pub work: u64,
}

/// What a byte inside a flow collection may be part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Between tokens.
    Gap,
    Plain,
    /// White space in or after a plain scalar.
    PlainGap,
    Double,
    Escape,
    Single,
    Comment,
    /// A tag, an anchor or an alias.
    Property,
}

const PARTS: [Part; 8] =
    [Part::Gap, Part::Plain, Part::PlainGap, Part::Double, Part::Escape, Part::Single, Part::Comment, Part::Property];

/// The greatest depth of the readings that are in each part; 0 where none is.
type Depths = [u32; PARTS.len()];

/// Measures a text.
pub fn flow(text: &[u8]) -> Flow {
    let mut depths = Depths::default();
    let mut found = Flow::default();
    for (at, &byte) in text.iter().enumerate() {
        let opens = matches!(byte, b'[' | b'{');
        let mut next = Depths::default();
        if found.deepest > 0 {
            let follower = text.get(at + 1).copied().unwrap_or(b'\n');
            for part in PARTS.into_iter().filter(|part| depths[*part as usize] > 0) {
                read(part, byte, follower, depths[part as usize], &mut next);
            }
        }
        if opens {
            raise(&mut next, Part::Gap, 1);
        }
        depths = next;
        let open = depths.into_iter().max().unwrap_or(0);
        found.deepest = found.deepest.max(open);
        found.work += u64::from(open);
    }
    found
}

fn raise(depths: &mut Depths, part: Part, depth: u32) {
    let held = &mut depths[part as usize];
    *held = (*held).max(depth);
}

/// Where a byte takes a reading that is `depth` deep. Where the parser's choice depends on more, both ways are taken.
fn read(part: Part, byte: u8, follower: u8, depth: u32, next: &mut Depths) {
    let mut go = |part, depth| raise(next, part, depth);
    match (part, byte) {
        (Part::Double, b'"') | (Part::Single, b'\'') | (Part::Comment, b'\n' | b'\r') => go(Part::Gap, depth),
        (Part::Double, b'\\') => go(Part::Escape, depth),
        (Part::Double | Part::Escape, _) => go(Part::Double, depth),
        (Part::Single, _) => go(Part::Single, depth),
        (Part::Comment, _) => {
            go(Part::Comment, depth);
            if ends_wide_break(byte) {
                go(Part::Gap, depth);
            }
        }
        (_, b'[' | b'{' | b']' | b'}' | b',') => {
            match byte {
                b'[' | b'{' => go(Part::Gap, depth + 1),
                b',' => go(Part::Gap, depth),
                _ => go(Part::Gap, depth - 1),
            }
            if part == Part::Property {
                go(Part::Property, depth); // a tag may contain them
            }
        }
        (Part::Gap, _) => go(begun(byte, follower), depth),
        (Part::Property, _) if is_blank(byte) => go(Part::Gap, depth),
        (Part::Property, _) => {
            go(Part::Property, depth);
            if ends_wide_break(byte) {
                go(Part::Gap, depth);
            }
        }
        (Part::PlainGap, b'#') => go(Part::Comment, depth),
        (Part::Plain | Part::PlainGap, _) if is_blank(byte) => go(Part::PlainGap, depth),
        (Part::Plain | Part::PlainGap, b':') if is_blank(follower) => go(Part::Gap, depth),
        (Part::Plain | Part::PlainGap, _) => {
            go(Part::Plain, depth);
            if ends_wide_break(byte) {
                go(Part::PlainGap, depth);
            }
        }
    }
}

/// What a byte between tokens begins.
fn begun(byte: u8, follower: u8) -> Part {
    match byte {
        b'"' => Part::Double,
        b'\'' => Part::Single,
        b'#' => Part::Comment,
        b'!' | b'&' | b'*' => Part::Property,
        b'?' | b':' => Part::Gap,
        b'-' if is_blank(follower) => Part::Gap,
        byte if is_blank(byte) => Part::Gap,
        _ => Part::Plain,
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The last byte of the line breaks outside ASCII: NEL, LS, PS. Other letters end so too.
fn ends_wide_break(byte: u8) -> bool {
    matches!(byte, 0x85 | 0xa8 | 0xa9)
}

#[cfg(test)]
mod tests {
    use super::flow;

    #[test]
    fn collections_are_counted_where_they_are_open() {
        let rows: &[(&str, u32)] = &[
            ("a: b\n", 0),
            ("a: []\nb: {c: [1, 2]}\n", 2),
            ("[[[", 3),
            ("[\"]\", [\"]\", [\"\\\"]\", [']', ['it''s ]', [", 6),
            ("[don't, [it's, [\"x\" ] ] ]\n[", 3),
            ("[ # ]\n[ # ]\n[a#]", 3),
            ("[a:\"]\", [", 1),
            ("[a: \"]\", [", 2),
            ("[!<tag:]> x, [&a ], b], [", 2),
            ("[# ]\u{85}[# ]\u{2028}[", 3),
        ];
        for (text, deepest) in rows {
            assert_eq!(flow(text.as_bytes()).deepest, *deepest, "{text:?}");
        }
    }

    #[test]
    fn a_bracket_in_a_string_before_does_not_hide_those_that_follow() {
        let text = format!("a: \"[\"\nb: \"{{'\"\nc: |\n  [\" '\nd: {}", "[".repeat(100));
        assert!(flow(text.as_bytes()).deepest >= 100);
    }

    #[test]
    fn many_balanced_collections_are_not_deep() {
        let json = "  {\"expr\": \"sum(rate(x{job=\\\"[a\\\"}[5m])) by (le)\", \"legend\": [\"{{pod}}\", {}]},\n";
        let text = format!("data:\n  dashboard: |\n    [\n{}    ]\n", json.repeat(5_000));
        assert!(flow(text.as_bytes()).deepest < 20);
    }

    #[test]
    fn work_is_the_depth_over_all_bytes() {
        assert_eq!(flow(b"a: [b]").work, 2);
        assert_eq!(flow(b"[[a]]").work, 1 + 2 + 2 + 1);
    }
}
