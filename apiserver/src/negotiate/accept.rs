//! An Accept header cut into clauses, best first. Any text is a header; what is no clause is passed over.

/// Clauses that are looked at; clients send at most four.
const CLAUSES_MAX: usize = 32;

#[derive(Debug, PartialEq)]
pub(super) struct Clause<'a> {
    kind: &'a str,
    subtype: &'a str,
    quality: f32,
    /// `as`
    pub(super) shape: &'a str,
    /// `g`
    pub(super) group: &'a str,
    /// `v`
    pub(super) version: &'a str,
    pub(super) stream: &'a str,
    pub(super) pretty: bool,
}

/// By quality, then the more definite ones first, then as written.
/// k8s: goautoneg.ParseAccept
pub(super) fn clauses(header: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<Clause<'_>> = header.split(',').take(CLAUSES_MAX).filter_map(Clause::of).collect();
    clauses.sort_by(|a, b| b.quality.total_cmp(&a.quality).then(a.wildcards().cmp(&b.wildcards())));
    clauses
}

impl<'a> Clause<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = match parts.next()? {
            "*" => ("*", "*"),
            media => media.split_once('/').map(|(kind, subtype)| (kind.trim(), subtype.trim()))?,
        };
        let mut clause =
            Self { kind, subtype, quality: 1.0, shape: "", group: "", version: "", stream: "", pretty: false };
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim();
            match key.trim() {
                "q" => clause.quality = value.parse().ok().filter(|quality: &f32| quality.is_finite())?,
                "as" => clause.shape = value,
                "g" => clause.group = value,
                "v" => clause.version = value,
                "stream" => clause.stream = value,
                "pretty" => clause.pretty = value == "1",
                _ => {}
            }
        }
        Some(clause)
    }

    fn wildcards(&self) -> usize {
        usize::from(self.kind == "*") + usize::from(self.subtype == "*")
    }

    /// Whether the clause is about this media type.
    pub(super) fn names(&self, media: &str) -> bool {
        match (self.kind, self.subtype) {
            ("*", "*") => true,
            (kind, "*") => media.split_once('/').is_some_and(|(known, _)| known == kind),
            (kind, subtype) => media.split_once('/') == Some((kind, subtype)),
        }
    }
}
