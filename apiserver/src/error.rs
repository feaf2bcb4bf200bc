//! Everything that can go wrong with a request, as data. How it looks on the wire is `respond`'s work alone.
//!
//! Constructors carry upstream's texts (k8s: apimachinery `errors.New*`), because clients and people match on them.

use kinds::errors::FieldErrors;
use kinds::row::Row;
use store::{ReadError, TxnError};

/// Group and plural (or kind) as they appear in messages: `pods`, `deployments.apps`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Qualified {
    pub group: String,
    pub name: String,
}

impl Qualified {
    pub fn new(group: &str, name: &str) -> Self {
        Self { group: group.to_owned(), name: name.to_owned() }
    }

    /// The resource of a row: what most messages name.
    pub fn resource(row: &Row) -> Self {
        Self::new(&row.group, &row.plural)
    }

    /// The kind of a row: what validation messages name.
    pub fn kind(row: &Row) -> Self {
        Self::new(&row.group, &row.kind)
    }
}

impl std::fmt::Display for Qualified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.group.as_str() {
            "" => f.write_str(&self.name),
            group => write!(f, "{}.{group}", self.name),
        }
    }
}

/// One entry of `details.causes`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusCause {
    pub reason: String,
    pub message: String,
    pub field: String,
}

/// What a policy says of a request that it refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    pub resource: Qualified,
    pub name: String,
    pub message: String,
    pub code: u16,
    pub reason: String,
    /// `details.causes`.
    pub causes: Vec<StatusCause>,
}

/// A failed request. One variant for each `reason` that clients tell apart.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ApiError {
    #[error("{resource} \"{name}\" not found")]
    NotFound { resource: Qualified, name: String },
    /// The path names no resource that is served.
    #[error("the server could not find the requested resource")]
    NoSuchResource,
    #[error("{resource} \"{name}\" already exists")]
    AlreadyExists { resource: Qualified, name: String },
    /// No free name was found for a `generateName`.
    #[error("{resource} \"{name}\" already exists, the server was not able to generate a unique name for the object")]
    NameExhausted { resource: Qualified, name: String },
    #[error("Operation cannot be fulfilled on {resource} \"{name}\": {why}")]
    Conflict { resource: Qualified, name: String, why: String },
    /// Server-side apply met fields of other managers.
    #[error("Apply failed with {}: {message}", plural(causes.len(), "conflict"))]
    ApplyConflict { message: String, causes: Vec<StatusCause> },
    #[error("{kind} \"{name}\" is invalid: {}", kinds::errors::aggregate(errors))]
    Invalid { kind: Qualified, name: String, errors: FieldErrors },
    /// A patch that does not apply. Upstream's answer says no more than that, and clients print it.
    #[error("the server rejected our request due to an error in our request")]
    Unprocessable { why: String },
    #[error("{}", forbidden_text(resource, name, why))]
    Forbidden { resource: Qualified, name: String, why: String },
    /// A policy's verdict, with the code and reason that it chose.
    #[error("{}", .0.message)]
    Denied(Box<Denial>),
    /// k8s: NamespaceTerminatingCause, by which controllers know that retrying is in vain.
    #[error("{}", forbidden_text(resource, name, &format!("unable to create new content in namespace {ns} because it is being terminated")))]
    NamespaceTerminating { resource: Qualified, name: String, ns: String },
    #[error("forbidden: {why}")]
    ForbiddenPath { why: String },
    #[error("Unauthorized")]
    Unauthorized,
    #[error("{message}")]
    BadRequest { message: String },
    #[error("the server does not allow this method on the requested resource")]
    MethodNotAllowed { resource: Qualified },
    #[error("only the following media types are accepted: {}", supported.join(", "))]
    NotAcceptable { supported: Vec<String> },
    /// The object has no such form: the metadata of a list, a list of one object.
    #[error("{message}")]
    WrongShape { message: String },
    #[error("the body of the request was in an unknown format - accepted media types include: {}", supported.join(", "))]
    UnsupportedMediaType { supported: Vec<String> },
    #[error("Request entity too large: {why}")]
    TooLarge { why: String },
    /// The revision asked for is compacted; `continue_token` lets a pager go on, inconsistently.
    #[error("{message}")]
    Expired { message: String, continue_token: Option<String> },
    #[error("Timeout: {message}")]
    Timeout { message: String, retry_after_s: u32, causes: Vec<StatusCause> },
    #[error("{message}")]
    ServerTimeout { message: String, retry_after_s: u32 },
    #[error("{message}")]
    TooManyRequests { message: String, retry_after_s: u32, causes: Vec<StatusCause> },
    #[error("{message}")]
    ServiceUnavailable { message: String },
    #[error("Internal error occurred: {message}")]
    Internal { message: String },
    /// An answer of another component that is passed on as it is (a webhook's or a node's verdict).
    #[error("{message}")]
    Passed { code: u16, reason: String, message: String },
}

fn plural(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

fn forbidden_text(resource: &Qualified, name: &str, why: &str) -> String {
    match name {
        "" => format!("{resource} is forbidden: {why}"),
        name => format!("{resource} \"{name}\" is forbidden: {why}"),
    }
}

/// What clients retry on after a stale write.
pub const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

/// Seconds that a client should wait after a failure that passes by itself.
const RETRY_AFTER_S: u32 = 1;

impl ApiError {
    pub fn not_found(row: &Row, name: &str) -> Self {
        Self::NotFound { resource: Qualified::resource(row), name: name.to_owned() }
    }

    pub fn already_exists(row: &Row, name: &str) -> Self {
        Self::AlreadyExists { resource: Qualified::resource(row), name: name.to_owned() }
    }

    pub fn conflict(row: &Row, name: &str, why: impl Into<String>) -> Self {
        Self::Conflict { resource: Qualified::resource(row), name: name.to_owned(), why: why.into() }
    }

    /// A write against an older version than the stored one.
    pub fn modified(row: &Row, name: &str) -> Self {
        Self::conflict(row, name, MODIFIED)
    }

    pub fn invalid(row: &Row, name: &str, errors: FieldErrors) -> Self {
        Self::Invalid { kind: Qualified::kind(row), name: name.to_owned(), errors }
    }

    pub fn forbidden(row: &Row, name: &str, why: impl Into<String>) -> Self {
        Self::Forbidden { resource: Qualified::resource(row), name: name.to_owned(), why: why.into() }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::BadRequest { message: message.into() }
    }

    pub fn method_not_allowed(group: &str, resource: &str) -> Self {
        Self::MethodNotAllowed { resource: Qualified::new(group, resource) }
    }

    pub fn not_acceptable(supported: &[&str]) -> Self {
        Self::NotAcceptable { supported: supported.iter().map(|&media| media.to_owned()).collect() }
    }

    pub fn unsupported_media_type(supported: &[&str]) -> Self {
        Self::UnsupportedMediaType { supported: supported.iter().map(|&media| media.to_owned()).collect() }
    }

    pub fn too_large(limit: usize) -> Self {
        Self::TooLarge { why: format!("limit is {limit}") }
    }

    pub fn expired(message: impl Into<String>) -> Self {
        Self::Expired { message: message.into(), continue_token: None }
    }

    pub fn too_many_requests(message: impl Into<String>, retry_after_s: u32) -> Self {
        Self::TooManyRequests { message: message.into(), retry_after_s, causes: Vec::new() }
    }

    pub fn timeout(message: impl Into<String>) -> Self {
        Self::Timeout { message: message.into(), retry_after_s: RETRY_AFTER_S, causes: Vec::new() }
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::ServiceUnavailable { message: message.into() }
    }

    /// Others keep changing what has to change together with the object.
    pub fn contended(key: &str) -> Self {
        Self::ServerTimeout { message: format!("{key} keeps changing; try again"), retry_after_s: RETRY_AFTER_S }
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal { message: message.into() }
    }

    /// A revision that this server has not reached.
    /// k8s: storage.NewTooLargeResourceVersionError
    pub fn future_revision(asked: u64, newest: u64) -> Self {
        Self::Timeout {
            message: format!("Too large resource version: {asked}, current: {newest}"),
            retry_after_s: RETRY_AFTER_S,
            causes: vec![StatusCause {
                reason: "ResourceVersionTooLarge".into(),
                message: "Too large resource version".into(),
                field: String::new(),
            }],
        }
    }

    /// HTTP status.
    pub fn code(&self) -> u16 {
        match self {
            Self::BadRequest { .. } => 400,
            Self::Unauthorized => 401,
            Self::Forbidden { .. } | Self::NamespaceTerminating { .. } | Self::ForbiddenPath { .. } => 403,
            Self::NotFound { .. } | Self::NoSuchResource => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::NotAcceptable { .. } | Self::WrongShape { .. } => 406,
            Self::AlreadyExists { .. }
            | Self::NameExhausted { .. }
            | Self::Conflict { .. }
            | Self::ApplyConflict { .. } => 409,
            Self::Expired { .. } => 410,
            Self::TooLarge { .. } => 413,
            Self::UnsupportedMediaType { .. } => 415,
            Self::Invalid { .. } | Self::Unprocessable { .. } => 422,
            Self::TooManyRequests { .. } => 429,
            Self::Internal { .. } | Self::ServerTimeout { .. } => 500,
            Self::ServiceUnavailable { .. } => 503,
            Self::Timeout { .. } => 504,
            Self::Passed { code, .. } => *code,
            Self::Denied(denial) => denial.code,
        }
    }

    /// `reason` of the Status.
    pub fn reason(&self) -> &str {
        match self {
            Self::BadRequest { .. } => "BadRequest",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden { .. } | Self::NamespaceTerminating { .. } | Self::ForbiddenPath { .. } => "Forbidden",
            Self::NotFound { .. } | Self::NoSuchResource => "NotFound",
            Self::MethodNotAllowed { .. } => "MethodNotAllowed",
            Self::NotAcceptable { .. } | Self::WrongShape { .. } => "NotAcceptable",
            Self::AlreadyExists { .. } | Self::NameExhausted { .. } => "AlreadyExists",
            Self::Conflict { .. } | Self::ApplyConflict { .. } => "Conflict",
            Self::Expired { .. } => "Expired",
            Self::TooLarge { .. } => "RequestEntityTooLarge",
            Self::UnsupportedMediaType { .. } => "UnsupportedMediaType",
            Self::Invalid { .. } | Self::Unprocessable { .. } => "Invalid",
            Self::TooManyRequests { .. } => "TooManyRequests",
            Self::Internal { .. } => "InternalError",
            Self::ServerTimeout { .. } => "ServerTimeout",
            Self::ServiceUnavailable { .. } => "ServiceUnavailable",
            Self::Timeout { .. } => "Timeout",
            Self::Passed { reason, .. } => reason,
            Self::Denied(denial) => &denial.reason,
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Compacted { .. } => Self::expired(
                "The provided resource version is too old: the history of that time is no longer kept. \
                 Start over without it.",
            ),
            ReadError::Future { asked, newest } => Self::future_revision(asked, newest),
            ReadError::Unavailable(why) => Self::unavailable(format!("the store does not answer: {why}")),
        }
    }
}

impl From<TxnError> for ApiError {
    /// For transactions whose caller has already dealt with `Conflict`.
    fn from(error: TxnError) -> Self {
        match error {
            TxnError::Conflict { key, .. } => Self::contended(&key),
            TxnError::Full(why) => Self::internal(format!("the store cannot write: {why}")),
            // No code that clients take as a call to ask again: the second time it would be refused for what the first one did.
            TxnError::Unknown(why) => {
                Self::internal(format!("the store did not confirm the write, it may have happened: {why}"))
            }
            TxnError::Unavailable(why) => Self::unavailable(format!("the store does not answer: {why}")),
        }
    }
}
