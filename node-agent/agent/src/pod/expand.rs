//! `$(NAME)` references in environment values, commands, arguments and subPathExpr.

/// Replaces `$(NAME)` by what `lookup` says, leaves unknown references as they are, and turns `$$` into `$`.
pub fn expand(input: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(input.len());
    let mut rest = input;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(next) = after.strip_prefix('$') {
            out.push('$');
            rest = next;
        } else if let Some((name, next)) = after.strip_prefix('(').and_then(|reference| reference.split_once(')')) {
            match lookup(name) {
                Some(value) => out.push_str(&value),
                None => out.extend(["$(", name, ")"]),
            }
            rest = next;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// Like [`expand`], but names the first reference that is not known.
// k8s: a bad subPathExpr keeps the container from starting, other bad references stay as text.
pub fn expand_strict(input: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let missing = std::cell::RefCell::new(None);
    let out = expand(input, |name| {
        let value = lookup(name);
        if value.is_none() {
            missing.borrow_mut().get_or_insert_with(|| name.to_owned());
        }
        value
    });
    missing.into_inner().map_or(Ok(out), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_expand_and_double_dollars_escape() {
        let lookup = |name: &str| (name == "A").then(|| "x".to_owned());
        let rows = [
            ("$(A)", "x"),
            ("a$(A)b$(A)", "axbx"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$x"),
            ("$(B)", "$(B)"),
            ("$A", "$A"),
            ("$(A", "$(A"),
            ("100$", "100$"),
            ("$$", "$"),
            ("", ""),
        ];
        for (input, want) in rows {
            assert_eq!(expand(input, lookup), want, "{input}");
        }
        assert_eq!(expand_strict("$(A)/$(B)", lookup), Err("B".to_owned()));
    }
}
