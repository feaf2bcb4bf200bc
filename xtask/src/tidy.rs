//! The style rules that a machine can hold (style.md): file and function length, names, words that do not belong.
//!
//! Length rules are ratchets: `xtask/tidy-ratchet.txt` lists what was already too long; a listed place may shrink, never
//! grow, and a line that is no longer needed is a finding too.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;
use walkdir::WalkDir;

/// A longer file is two files.
const FILE_LINES_MAX: usize = 800;

/// A function should fit on one screen.
const FUNCTION_LINES_MAX: usize = 70;

const RATCHET: &str = "xtask/tidy-ratchet.txt";

/// File names that say nothing about the domain.
const EMPTY_NAMES: &[&str] =
    &["mod.rs", "utils.rs", "util.rs", "helpers.rs", "helper.rs", "common.rs", "manager.rs", "misc.rs"];

/// Text that may not stand in code, and why.
const BANNED: &[(&str, &str)] = &[
    (concat!("#[", "ignore"), "a test that does not run is not a test"),
    (concat!("#[", "allow("), "use #[expect(.., reason = \"..\")]"),
    (concat!("#![", "allow("), "use #![expect(.., reason = \"..\")]"),
    (concat!("let _", " = "), "handle the result or log it"),
    (concat!("todo", "!("), "what is not built answers with an error that says so"),
    (concat!("unimplemented", "!("), "what is not built answers with an error that says so"),
];

/// Findings over all Rust files of the workspace, generated ones aside.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let ratchet = std::fs::read_to_string(root.join(RATCHET)).with_context(|| format!("cannot read {RATCHET}"))?;
    let mut allowance = parse_ratchet(&ratchet)?;
    let mut findings = Vec::new();
    for entry in WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(|entry| {
        !matches!(entry.file_name().to_str(), Some("target" | ".git" | "generated" | "corpus" | "artifacts"))
    }) {
        let entry = entry?;
        let path = entry.path().strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
        if entry.path().extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(entry.path())?;
            findings.extend(file_findings(&path, &text, &mut allowance));
        }
        if entry.file_name() == "Cargo.toml" && path != "Cargo.toml" {
            let text = std::fs::read_to_string(entry.path())?;
            if !text.contains("[lints]\nworkspace = true") {
                findings.push(format!("{path}: no `[lints] workspace = true`"));
            }
        }
    }
    findings.extend(allowance.keys().map(|place| format!("{RATCHET}: {place} is no longer too long; delete its line")));
    Ok(findings)
}

/// `path lines` or `path::function lines` -> lines allowed.
fn parse_ratchet(text: &str) -> Result<BTreeMap<String, usize>> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (place, lines) = line.rsplit_once(' ').with_context(|| format!("{RATCHET}: `{line}`"))?;
            Ok((place.to_owned(), lines.parse().with_context(|| format!("{RATCHET}: `{line}`"))?))
        })
        .collect()
}

fn file_findings(path: &str, text: &str, allowance: &mut BTreeMap<String, usize>) -> Vec<String> {
    let mut findings = Vec::new();
    let name = path.rsplit('/').next().unwrap_or(path);
    if EMPTY_NAMES.contains(&name) {
        findings.push(format!("{path}: the name says nothing; a file is a noun of the domain"));
    }
    if !text.starts_with("//!") && !text.starts_with("/*!") {
        findings.push(format!("{path}: starts without a //! paragraph that says what it owns"));
    }
    let lines = text.lines().count();
    findings.extend(over(path.to_owned(), lines, FILE_LINES_MAX, allowance));
    for (function, lines) in functions(text) {
        findings.extend(over(format!("{path}::{function}"), lines, FUNCTION_LINES_MAX, allowance));
    }
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (banned, why) in BANNED.iter().filter(|(banned, _)| code.contains(banned)) {
            findings.push(format!("{path}:{}: `{banned}`: {why}", number + 1));
        }
    }
    findings
}

fn over(place: String, lines: usize, max: usize, allowance: &mut BTreeMap<String, usize>) -> Option<String> {
    if lines <= max {
        return None;
    }
    match allowance.remove(&place) {
        Some(allowed) if lines <= allowed => None,
        Some(allowed) => Some(format!("{place}: {lines} lines, grown from {allowed}")),
        None => Some(format!("{place}: {lines} lines, more than {max}")),
    }
}

/// Name and length of each function, by indentation as rustfmt lays it out. The lines of an expected text are data and do
/// not count.
fn functions(text: &str) -> Vec<(String, usize)> {
    let mut open: Vec<(String, usize, usize)> = Vec::new();
    let mut done = Vec::new();
    let mut expected = false;
    let code = text.lines().filter(|line| {
        let inside = expected;
        expected =
            if inside { !line.contains("\"#]]") } else { line.contains("expect![[r#\"") && !line.contains("\"#]]") };
        !inside
    });
    for (number, line) in code.enumerate() {
        let indent = line.len() - line.trim_start().len();
        if let Some(name) = function_name(line.trim_start()) {
            if !line.trim_end().ends_with(['}', ';']) {
                open.push((name, indent, number));
            }
        } else if line.trim_start().starts_with('}')
            && let Some(at) = open.iter().rposition(|(_, of, _)| *of == indent)
        {
            let (name, _, start) = open.remove(at);
            done.push((name, number - start + 1));
        }
    }
    done
}

fn function_name(line: &str) -> Option<String> {
    let mut rest = line;
    for word in ["pub(crate) ", "pub(super) ", "pub ", "const ", "async ", "unsafe ", "extern \"C\" "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let rest = rest.strip_prefix("fn ")?;
    Some(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(text: &str, ratchet: &str) -> Vec<String> {
        file_findings("x/src/y.rs", text, &mut parse_ratchet(ratchet).unwrap())
    }

    #[test]
    fn a_long_function_is_found_unless_it_was_already_that_long() {
        let text = format!("//! Doc.\npub async fn long() {{\n{}}}\n", "    work();\n".repeat(80));
        assert_eq!(check_text(&text, ""), ["x/src/y.rs::long: 82 lines, more than 70"]);
        assert_eq!(check_text(&text, "x/src/y.rs::long 82"), Vec::<String>::new());
        assert_eq!(check_text(&text, "x/src/y.rs::long 81"), ["x/src/y.rs::long: 82 lines, grown from 81"]);
    }

    #[test]
    fn banned_words_and_missing_paragraphs_are_found() {
        let text = format!("fn f() {{\n    {}g();\n}}\n", concat!("let _", " = "));
        let findings = check_text(&text, "");
        assert!(findings[0].contains("//! paragraph"), "{findings:?}");
        assert!(findings[1].starts_with("x/src/y.rs:2:"), "{findings:?}");
    }

    #[test]
    fn the_tree_is_tidy() {
        assert_eq!(check(&crate::root()).unwrap(), Vec::<String>::new());
    }
}
