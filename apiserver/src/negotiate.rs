//! Which format a body has and which one the client wants. Protobuf is read but not written: clients that accept JSON as
//! well get JSON, the others a 406 that names what is.

use crate::error::ApiError;
use crate::request::Options;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};

/// Format of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Yaml,
}

/// Format of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFormat {
    Json,
    Yaml,
    Protobuf,
}

impl Format {
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
        }
    }
}

/// What the answer shows of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As it is.
    Object,
    /// `meta.k8s.io/v1 Table`
    Table,
    /// `meta.k8s.io/v1 PartialObjectMetadata(List)`
    Metadata,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub format: Format,
    pub shape: Shape,
    /// Indented, for people.
    pub pretty: bool,
}

/// What answers can be.
pub const SUPPORTED: &[&str] = &["application/json", "application/yaml"];
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const BODIES: &[&str] = &["application/json", "application/yaml", PROTOBUF];

/// Clauses of an Accept header that are looked at; clients send at most four.
const CLAUSES_MAX: usize = 32;

impl Answer {
    pub fn of(headers: &HeaderMap, options: &Options) -> Result<Self, ApiError> {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
        let (format, shape) = accepted(accept).ok_or_else(|| ApiError::not_acceptable(SUPPORTED))?;
        let pretty = options.pretty.unwrap_or_else(|| is_typed_by_hand(headers));
        Ok(Self { format, shape, pretty })
    }
}

/// The first clause that can be served, best quality first.
fn accepted(accept: &str) -> Option<(Format, Shape)> {
    if accept.trim().is_empty() {
        return Some((Format::Json, Shape::Object));
    }
    let mut clauses: Vec<Clause<'_>> = accept.split(',').take(CLAUSES_MAX).map(Clause::of).collect();
    clauses.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    clauses.iter().filter(|clause| clause.quality > 0.0).find_map(Clause::served)
}

struct Clause<'a> {
    media: &'a str,
    quality: f32,
    shape: &'a str,
    group: &'a str,
    version: &'a str,
}

impl<'a> Clause<'a> {
    fn of(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let mut clause = Self { media: parts.next().unwrap_or(""), quality: 1.0, shape: "", group: "", version: "" };
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            match key.trim() {
                "q" => clause.quality = value.trim().parse().unwrap_or(0.0),
                "as" => clause.shape = value.trim(),
                "g" => clause.group = value.trim(),
                "v" => clause.version = value.trim(),
                _ => {}
            }
        }
        clause
    }

    fn served(&self) -> Option<(Format, Shape)> {
        let format = match self.media {
            "application/json" | "application/*" | "*/*" => Format::Json,
            "application/yaml" | "application/x-yaml" | "text/yaml" => Format::Yaml,
            _ => return None,
        };
        let meta = self.group == "meta.k8s.io" && self.version == "v1";
        let shape = match self.shape {
            "" => Shape::Object,
            "Table" if meta => Shape::Table,
            "PartialObjectMetadata" | "PartialObjectMetadataList" if meta => Shape::Metadata,
            _ => return None,
        };
        Some((format, shape))
    }
}

/// k8s: isPrettyPrint
fn is_typed_by_hand(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("");
    ["curl", "Wget", "Mozilla/5.0"].iter().any(|prefix| agent.starts_with(prefix))
}

/// Media type of a body without its parameters; JSON where the client does not say.
pub fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    match value.split(';').next().unwrap_or("").trim() {
        "" => "application/json",
        media => media,
    }
}

/// Format of an object in a body.
pub fn body_format(headers: &HeaderMap) -> Result<BodyFormat, ApiError> {
    match content_type(headers) {
        "application/json" => Ok(BodyFormat::Json),
        "application/yaml" | "application/x-yaml" | "text/yaml" => Ok(BodyFormat::Yaml),
        PROTOBUF => Ok(BodyFormat::Protobuf),
        _ => Err(ApiError::unsupported_media_type(BODIES)),
    }
}

/// The field manager of a client that names none: its user agent up to the first `/`.
/// k8s: managerOrUserAgent
pub fn agent(headers: &HeaderMap) -> String {
    const AGENT_MAX: usize = 128;
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let name = agent.split('/').next().unwrap_or("").trim();
    let name: String = name.chars().filter(|c| !c.is_control()).take(AGENT_MAX).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_clause_that_can_be_served_wins() {
        use {Format::*, Shape::*};
        let table = [
            ("", Some((Json, Object))),
            ("*/*", Some((Json, Object))),
            ("application/vnd.kubernetes.protobuf,application/json", Some((Json, Object))),
            ("application/vnd.kubernetes.protobuf", None),
            ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Some((Json, Table))),
            ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Some((Json, Object))),
            ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", Some((Json, Metadata))),
            ("application/json;q=0.5,application/yaml", Some((Yaml, Object))),
            ("text/html", None),
        ];
        for (accept, expected) in table {
            assert_eq!(accepted(accept), expected, "{accept}");
        }
    }
}
