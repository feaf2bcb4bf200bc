//! Which format a body has and which one the client wants: an Accept header is looked through clause by clause, as upstream
//! does it, for the first that can be served.

mod accept;

use crate::error::ApiError;
use crate::request::Options;
use accept::Clause;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, USER_AGENT};
use kinds::row::Row;
use kinds::schema::lookup;

/// Format of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Yaml,
    Protobuf,
}

/// Format of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFormat {
    Json,
    Yaml,
    Protobuf,
}

/// In the order in which a clause that fits several is served.
const FORMATS: [Format; 3] = [Format::Json, Format::Yaml, Format::Protobuf];

impl Format {
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::Yaml => YAML,
            Self::Protobuf => PROTOBUF,
        }
    }

    /// Of a watch; `None` where the format has no stream form.
    /// k8s: serveWatchHandler, JSON goes without the parameter
    pub const fn stream_type(self) -> Option<&'static str> {
        match self {
            Self::Json => Some(JSON),
            Self::Protobuf => Some("application/vnd.kubernetes.protobuf;stream=watch"),
            Self::Yaml => None,
        }
    }
}

/// Which version of `meta.k8s.io` a Table or metadata is shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaVersion {
    V1,
    V1Beta1,
}

impl MetaVersion {
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "meta.k8s.io/v1",
            Self::V1Beta1 => "meta.k8s.io/v1beta1",
        }
    }
}

/// What the answer shows of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As it is.
    Object,
    /// `meta.k8s.io Table`
    Table(MetaVersion),
    /// `meta.k8s.io PartialObjectMetadata`, of one object
    Metadata(MetaVersion),
    /// `meta.k8s.io PartialObjectMetadataList`, of a collection
    MetadataList(MetaVersion),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub format: Format,
    pub shape: Shape,
    /// Indented, for people.
    pub pretty: bool,
}

/// What can be served where a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// A kind of the schema table: everything.
    Builtin,
    /// A custom resource: objects have no protobuf form, their metadata does.
    Custom,
    /// The same, where no table can be.
    CustomUntabled,
    /// Reviews: what has no metadata has no table.
    Untabled,
    /// Statuses and the bodies of subresources: as they are.
    Plain,
}

impl Offer {
    pub fn of(row: &Row) -> Self {
        if lookup(&row.schema).is_none() {
            return Self::Custom;
        }
        if row.has_verb("get") { Self::Builtin } else { Self::Untabled }
    }

    /// The same but for tables.
    pub const fn without_tables(self) -> Self {
        match self {
            Self::Builtin => Self::Untabled,
            Self::Custom => Self::CustomUntabled,
            other => other,
        }
    }

    /// k8s: RequestScope.AllowsMediaTypeTransform
    const fn allows(self, format: Format, shape: Shape) -> bool {
        match (shape, format) {
            (Shape::Object, Format::Protobuf) => !matches!(self, Self::Custom | Self::CustomUntabled),
            (Shape::Object, Format::Json | Format::Yaml) => true,
            (Shape::Table(_), Format::Protobuf) => false,
            (Shape::Table(_), Format::Json | Format::Yaml) => matches!(self, Self::Builtin | Self::Custom),
            (Shape::Metadata(_) | Shape::MetadataList(_), _) => !matches!(self, Self::Plain),
        }
    }
}

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// What answers can be.
pub const SUPPORTED: &[&str] = &[JSON, YAML, PROTOBUF];
/// What watches can be.
pub const STREAMS: &[&str] = &["application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"];
const CUSTOM_BODIES: &[&str] = &[JSON, YAML];

impl Answer {
    pub fn of(headers: &HeaderMap, options: &Options, offer: Offer) -> Result<Self, ApiError> {
        let supported = if matches!(offer, Offer::Custom | Offer::CustomUntabled) { CUSTOM_BODIES } else { SUPPORTED };
        let found = accepted(text(headers.get(ACCEPT)), offer).ok_or_else(|| ApiError::not_acceptable(supported))?;
        let pretty = found.pretty || options.pretty.unwrap_or_else(|| is_typed_by_hand(headers));
        Ok(Self { pretty, ..found })
    }

    /// Of an error: what the client accepts, or JSON where it accepts nothing that is served; indented for people.
    pub fn of_error(accept: Option<&HeaderValue>, by_hand: bool) -> Self {
        let found = accepted(text(accept), Offer::Plain).unwrap_or(Self::JSON);
        Self { pretty: found.pretty || by_hand, ..found }
    }

    pub const JSON: Self = Self { format: Format::Json, shape: Shape::Object, pretty: false };
}

fn text(accept: Option<&HeaderValue>) -> &str {
    accept.and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// The first clause that can be served.
/// k8s: NegotiateMediaTypeOptions
pub fn accepted(header: &str, offer: Offer) -> Option<Answer> {
    if header.is_empty() {
        return Some(Answer::JSON);
    }
    let clauses = accept::clauses(header);
    clauses.iter().find_map(|clause| FORMATS.into_iter().find_map(|format| served(clause, format, offer)))
}

/// Which of the media types the client likes best; the first where it does not say.
pub fn first_media(header: &str, offered: &[&str]) -> Option<usize> {
    if header.is_empty() {
        return Some(0);
    }
    let clauses = accept::clauses(header);
    clauses.iter().find_map(|clause| offered.iter().position(|media| clause.names(media)))
}

/// What pages for people can be.
pub const PAGES: &[&str] = &[PLAIN, JSON, YAML];
const PLAIN: &str = "text/plain";

/// The form of a page for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    Text,
    /// As an object of that version.
    Typed {
        format: Format,
        version: &'static str,
    },
}

/// The first form that a page can have, as text or as a `kind` of the `group` in one of the `versions`.
/// k8s: zpages' negotiation
pub fn page(header: &str, group: &str, kind: &str, versions: &[&'static str]) -> Option<Page> {
    if header.is_empty() {
        return Some(Page::Text);
    }
    accept::clauses(header).iter().find_map(|clause| match (clause.group, clause.version, clause.shape) {
        ("", "", "") => clause.names(PLAIN).then_some(Page::Text),
        (asked, version, shape) if asked == group && shape == kind => {
            let version = *versions.iter().find(|known| **known == version)?;
            let format = [Format::Json, Format::Yaml].into_iter().find(|format| clause.names(format.media_type()))?;
            Some(Page::Typed { format, version })
        }
        _ => None,
    })
}

/// Whether a client would rather have all of discovery in one document than the old form.
pub fn wants_aggregated_discovery(header: &str) -> bool {
    let clauses = accept::clauses(header);
    let mut decided = clauses.iter().filter_map(|clause| match (clause.group, clause.version, clause.shape) {
        ("apidiscovery.k8s.io", "v2", "APIGroupDiscoveryList") if clause.names(JSON) => Some(true),
        (_, _, "") if SUPPORTED.iter().any(|media| clause.names(media)) => Some(false),
        _ => None,
    });
    decided.next().unwrap_or(false)
}

fn served(clause: &Clause<'_>, format: Format, offer: Offer) -> Option<Answer> {
    if !clause.names(format.media_type()) {
        return None;
    }
    if !clause.stream.is_empty() && (clause.stream != "watch" || format.stream_type().is_none()) {
        return None;
    }
    let version = match (clause.group, clause.version) {
        ("meta.k8s.io", "v1") => Some(MetaVersion::V1),
        ("meta.k8s.io", "v1beta1") => Some(MetaVersion::V1Beta1),
        _ => None,
    };
    let shape = match (clause.shape, version) {
        ("", None) if clause.group.is_empty() && clause.version.is_empty() => Shape::Object,
        ("Table", Some(version)) => Shape::Table(version),
        ("PartialObjectMetadata", Some(version)) => Shape::Metadata(version),
        ("PartialObjectMetadataList", Some(version)) => Shape::MetadataList(version),
        _ => return None,
    };
    offer.allows(format, shape).then_some(Answer { format, shape, pretty: clause.pretty })
}

/// k8s: isPrettyPrint
pub fn is_typed_by_hand(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("");
    ["curl", "Wget", "Mozilla/5.0"].iter().any(|prefix| agent.starts_with(prefix))
}

/// Media type of a body without its parameters; JSON where the client does not say.
pub fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    match value.split(';').next().unwrap_or("").trim() {
        "" => JSON,
        media => media,
    }
}

/// Format of an object in a body.
pub fn body_format(headers: &HeaderMap) -> Result<BodyFormat, ApiError> {
    match content_type(headers) {
        JSON => Ok(BodyFormat::Json),
        YAML => Ok(BodyFormat::Yaml),
        PROTOBUF => Ok(BodyFormat::Protobuf),
        _ => Err(ApiError::unsupported_media_type(SUPPORTED)),
    }
}

/// Format of an object of that kind in a body.
pub fn object_format(headers: &HeaderMap, row: &Row) -> Result<BodyFormat, ApiError> {
    match (body_format(headers), Offer::of(row)) {
        (Ok(BodyFormat::Protobuf) | Err(_), Offer::Custom) => Err(ApiError::unsupported_media_type(CUSTOM_BODIES)),
        (format, _) => format,
    }
}

/// The field manager of a client that names none: its user agent up to the first `/`, else the program that runs as `user`.
/// k8s: managerOrUserAgent
pub fn agent(headers: &HeaderMap, user: &str) -> String {
    const AGENT_MAX: usize = 128;
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let name = agent.split('/').next().unwrap_or("").trim();
    let name: String = name.chars().filter(|c| !c.is_control()).take(AGENT_MAX).collect();
    if name.is_empty() { program(user).to_owned() } else { name }
}

/// Our own components send no user agent; fields are theirs under the names of upstream's programs.
fn program(user: &str) -> &'static str {
    match user {
        "system:apiserver" => "kube-apiserver",
        "system:kube-scheduler" => "kube-scheduler",
        "system:kube-controller-manager" => "kube-controller-manager",
        "system:kube-proxy" => "kube-proxy",
        user if user.starts_with("system:node:") => "kubelet",
        user if user.starts_with("system:serviceaccount:kube-system:") && user.ends_with("-controller") => {
            "kube-controller-manager"
        }
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests;
