//! Patterns of paths: those of COPY's sources and those of a .dockerignore. Pure.

/// Whether a name matches a pattern of one component: `*`, `?`, `[a-z]`, `[^a-z]`, and `\` before what is meant as it is.
pub(crate) fn name_matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    chars_match(&pattern, &name)
}

fn chars_match(pattern: &[char], name: &[char]) -> bool {
    // Where to go on when what follows the last star does not fit.
    let (mut p, mut n, mut retry) = (0, 0, None);
    loop {
        let step = match pattern.get(p) {
            None if n == name.len() => return true,
            None => None,
            Some('*') => {
                retry = Some((p, n));
                p += 1;
                continue;
            }
            Some(_) => name.get(n).and_then(|c| one(&pattern[p..], *c)),
        };
        match (step, retry) {
            (Some(used), _) => (p, n) = (p + used, n + 1),
            (None, Some((star, from))) if from < name.len() => {
                retry = Some((star, from + 1));
                (p, n) = (star + 1, from + 1);
            }
            (None, _) => return false,
        }
    }
}

/// How much of the pattern matched this character.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern[0] {
        '?' => Some(1),
        '\\' => (*pattern.get(1)? == c).then_some(2),
        '[' => {
            let end = pattern.iter().skip(2).position(|x| *x == ']')? + 2;
            let class = &pattern[1..end];
            let (negated, class) = match class[0] {
                '^' | '!' => (true, &class[1..]),
                _ => (false, class),
            };
            let mut found = false;
            let mut at = 0;
            while at < class.len() {
                if at + 2 < class.len() && class[at + 1] == '-' {
                    found |= (class[at]..=class[at + 2]).contains(&c);
                    at += 3;
                } else {
                    found |= class[at] == c;
                    at += 1;
                }
            }
            (found != negated).then_some(end + 1)
        }
        literal => (literal == c).then_some(1),
    }
}

pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// What a .dockerignore leaves out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Ignored {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    /// Takes in again what an earlier rule left out.
    back: bool,
    components: Vec<String>,
}

impl Ignored {
    pub(crate) fn parse(text: &str) -> Self {
        let rule = |line: &str| {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                return None;
            }
            let (back, pattern) = match line.strip_prefix('!') {
                Some(pattern) => (true, pattern.trim()),
                None => (false, line),
            };
            let mut components: Vec<String> = Vec::new();
            for part in pattern.split('/').filter(|c| !c.is_empty() && *c != ".") {
                if part == ".." {
                    components.pop();
                } else {
                    components.push(part.to_owned());
                }
            }
            (!components.is_empty()).then_some(Rule { back, components })
        };
        Self { rules: text.lines().filter_map(rule).collect() }
    }

    /// Whether the path, relative to the context, is left out: the last rule that matches it or a folder above it says.
    pub(crate) fn ignores(&self, path: &str) -> bool {
        let components: Vec<&str> = path.split('/').filter(|c| !c.is_empty()).collect();
        let mut ignored = false;
        for rule in &self.rules {
            if rule.back != ignored {
                continue;
            }
            if (1..=components.len()).any(|n| path_matches(&rule.components, &components[..n])) {
                ignored = !rule.back;
            }
        }
        ignored
    }

    /// Whether something below an ignored folder may have been taken in again.
    pub(crate) fn has_exceptions(&self) -> bool {
        self.rules.iter().any(|r| r.back)
    }
}

/// Most components that a pattern is matched against; deeper paths match no `**`.
const COMPONENTS_MAX: usize = 256;

fn path_matches(pattern: &[String], path: &[&str]) -> bool {
    if path.len() > COMPONENTS_MAX {
        return false;
    }
    // reached[n]: the pattern so far can have used n components.
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for part in pattern {
        let mut next = vec![false; path.len() + 1];
        for n in 0..=path.len() {
            if part == "**" {
                next[n] = reached[n] || (n > 0 && next[n - 1]);
            } else if n > 0 {
                next[n] = reached[n - 1] && name_matches(part, path[n - 1]);
            }
        }
        reached = next;
    }
    reached[path.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_match_as_in_a_shell() {
        for (pattern, name, expect) in [
            ("*.rs", "main.rs", true),
            ("*.rs", "main.rc", false),
            ("?x", "ax", true),
            ("[a-c]1", "b1", true),
            ("[^a-c]1", "b1", false),
            ("a*b*c", "aXbYbc", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("*", "", true),
            ("[", "[", false),
        ] {
            assert_eq!(name_matches(pattern, name), expect, "{pattern} {name}");
        }
    }

    #[test]
    fn the_last_rule_that_matches_decides() {
        let ignored = Ignored::parse("# x\n*.md\n!README.md\n/target/\n**/tmp\ndocs/**/*.png\n");
        for (path, expect) in [
            ("x.md", true),
            ("README.md", false),
            ("sub/x.md", false),
            ("target/debug/x", true),
            ("a/b/tmp", true),
            ("tmp/x", true),
            ("docs/a/b/c.png", true),
            ("docs/c.png", true),
            ("src/main.rs", false),
        ] {
            assert_eq!(ignored.ignores(path), expect, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_is_slow_or_panics(pattern in "[*?\\[\\]a^!/\\\\-]{0,40}", path in "[ab/]{0,80}") {
            Ignored::parse(&pattern).ignores(&path);
        }
    }
}
