//! A page of titled values and nested tables, aligned when it is printed.

use crate::print::grid;
use crate::print::table::labels;
use serde_json::Value;

#[derive(Debug)]
enum Line {
    /// `Title:  value`, aligned with its neighbours.
    Pair { indent: usize, title: String, value: String },
    /// As it is.
    Plain(String),
}

#[derive(Debug, Default)]
pub(super) struct Page {
    lines: Vec<Line>,
    indent: usize,
}

impl Page {
    pub(super) fn pair(&mut self, title: &str, value: impl std::fmt::Display) {
        self.lines.push(Line::Pair { indent: self.indent, title: format!("{title}:"), value: value.to_string() });
    }

    /// A pair, unless the value is missing or empty.
    pub(super) fn maybe(&mut self, title: &str, value: &Value) {
        let text = crate::jsonpath::plain(value);
        if !value.is_null() && !text.is_empty() {
            self.pair(title, text);
        }
    }

    /// `a=b` pairs, one a line.
    pub(super) fn map(&mut self, title: &str, map: &Value) {
        let text = labels(map);
        let mut parts: Vec<String> = vec![text.clone()];
        if let Some(fields) = map.as_object().filter(|fields| !fields.is_empty()) {
            parts = fields.iter().map(|(key, value)| format!("{key}={}", crate::jsonpath::plain(value))).collect();
        }
        for (at, part) in parts.into_iter().enumerate() {
            let title = if at == 0 { format!("{title}:") } else { String::new() };
            self.lines.push(Line::Pair { indent: self.indent, title, value: part });
        }
    }

    pub(super) fn plain(&mut self, text: impl Into<String>) {
        self.lines.push(Line::Plain(format!("{}{}", "  ".repeat(self.indent), text.into())));
    }

    /// What `fill` adds, under a title and indented.
    pub(super) fn section(&mut self, title: &str, fill: impl FnOnce(&mut Self)) {
        self.plain(format!("{title}:"));
        self.indent += 1;
        fill(self);
        self.indent -= 1;
    }

    /// A table under a title; `<none>` where it has no rows.
    pub(super) fn table(&mut self, title: &str, titles: &[&str], rows: Vec<Vec<String>>) {
        if rows.is_empty() {
            return self.pair(title, "<none>");
        }
        let rule = titles.iter().map(|title| "-".repeat(title.len())).collect();
        let titles = titles.iter().map(ToString::to_string).collect();
        let all: Vec<Vec<String>> = [titles, rule].into_iter().chain(rows).collect();
        self.section(title, |page| {
            for line in grid::lines(&all) {
                page.plain(line);
            }
        });
    }

    /// Values of one run of pairs begin in one column.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut run: Vec<&Line> = vec![];
        for line in &self.lines {
            let joins = matches!((run.last(), line), (Some(Line::Pair { indent: a, .. }), Line::Pair { indent: b, .. }) if a == b);
            if !joins {
                flush(&mut run, &mut text);
            }
            run.push(line);
        }
        flush(&mut run, &mut text);
        text
    }
}

fn flush(run: &mut Vec<&Line>, text: &mut String) {
    let widest =
        run.iter().map(|line| if let Line::Pair { title, .. } = line { title.chars().count() } else { 0 }).max();
    let widest = widest.unwrap_or(0) + 2;
    for line in run.drain(..) {
        match line {
            Line::Plain(plain) => text.push_str(plain.trim_end()),
            Line::Pair { indent, title, value } => {
                let line = format!("{}{title:<widest$}{value}", "  ".repeat(*indent));
                text.push_str(line.trim_end());
            }
        }
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn values_of_neighbours_are_aligned_and_sections_indented() {
        let mut page = Page::default();
        page.pair("Name", "web");
        page.map("Labels", &json!({"a": "b", "c": "d"}));
        page.section("Containers", |page| {
            page.pair("Image", "x");
            page.pair("Ready", true);
        });
        page.table("Events", &["Type", "Reason"], vec![vec!["Normal".into(), "Pulled".into()]]);
        page.table("None", &["A"], vec![]);
        expect![[r"
            Name:    web
            Labels:  a=b
                     c=d
            Containers:
              Image:  x
              Ready:  true
            Events:
              Type     Reason
              ----     ------
              Normal   Pulled
            None:  <none>
        "]]
        .assert_eq(&page.text());
    }
}
