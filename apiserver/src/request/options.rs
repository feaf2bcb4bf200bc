//! Query parameters of all verbs, parsed once. Unknown parameters are ignored, as upstream does; malformed ones are a 400.

use crate::cache::Object;
use crate::error::{ApiError, Qualified};
use http::Method;
use kinds::errors::{FieldError, FieldErrors};
use kinds::row::Row;
use kinds::selector::{FieldSelector, LabelSelector};
use percent_encoding::percent_decode_str;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevisionMatch {
    Exact,
    NotOlderThan,
    /// What is neither; refused where it counts.
    Other(String),
}

/// What happens to unknown and duplicate fields of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    Ignore,
    #[default]
    Warn,
    Strict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    Background,
    Foreground,
    Orphan,
}

impl Propagation {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "Background" => Some(Self::Background),
            "Foreground" => Some(Self::Foreground),
            "Orphan" => Some(Self::Orphan),
            _ => None,
        }
    }
}

/// Which objects of a collection are meant.
#[derive(Clone, Debug)]
pub struct Selection {
    pub labels: LabelSelector,
    pub fields: FieldSelector,
}

impl Default for Selection {
    fn default() -> Self {
        Self { labels: LabelSelector::everything(), fields: FieldSelector::default() }
    }
}

impl Selection {
    pub fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything()
    }

    pub fn matches(&self, object: &Object) -> bool {
        let field = |field| object.field(field).unwrap_or_default();
        self.labels.matches(object)
            && self.fields.requirements().iter().all(|rule| (field(&rule.field) == rule.value) == rule.equal)
    }

    /// Fails where a field is asked for that the kind cannot be selected by.
    pub fn check(&self, row: &Row) -> Result<(), ApiError> {
        let known = |field: &str| {
            matches!(field, "metadata.name" | "metadata.namespace")
                || row.fields.iter().any(|(label, _)| label == field)
        };
        match self.fields.requirements().iter().find(|rule| !known(&rule.field)) {
            Some(rule) => Err(ApiError::bad_request(format!("field label not supported: {}", rule.field))),
            None => Ok(()),
        }
    }

    /// Adds the rule that only this name matches.
    pub(super) fn narrow(&mut self, name: &str) -> Result<(), ApiError> {
        if name.contains([',', '=', '\\']) {
            return Err(ApiError::bad_request(format!("Name parameter invalid: {name:?}")));
        }
        let all = match self.fields.to_string().as_str() {
            "" => format!("metadata.name={name}"),
            fields => format!("{fields},metadata.name={name}"),
        };
        self.fields = FieldSelector::parse(&all).map_err(|why| unparsable("fieldSelector", &why))?;
        Ok(())
    }

    /// The only name that can match, where the field selector says so.
    pub fn single_name(&self) -> Option<String> {
        self.fields.exact("metadata.name").map(str::to_owned)
    }
}

/// All query parameters of the API, with their defaults.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are upstream's query parameters")]
pub struct Options {
    pub selection: Selection,
    /// `None` where unset or empty.
    pub resource_version: Option<u64>,
    /// A resourceVersion that is no number: refused by the verbs that look at it.
    pub bad_resource_version: Option<FieldError>,
    pub resource_version_match: Option<RevisionMatch>,
    /// Objects a page; 0 = all.
    pub limit: usize,
    pub continue_token: String,
    pub watch: bool,
    /// At most [`TIMEOUT_SECONDS_MAX`].
    pub timeout_seconds: Option<u64>,
    pub allow_watch_bookmarks: bool,
    pub send_initial_events: Option<bool>,
    pub dry_run: bool,
    pub field_manager: String,
    pub field_validation: FieldValidation,
    pub force: bool,
    pub pretty: Option<bool>,
    pub grace_period_seconds: Option<i64>,
    /// Every parameter as sent, decoded, for subresources with their own (`log`, `exec`, `port_forward`).
    pub raw: Vec<(String, String)>,
}

/// Parameters of one request; upstream's clients send fewer than 20.
const PARAMETERS_MAX: usize = 256;
/// A watch that ends after a year asks for the next one; a longer time is no time that anything can be added to.
const TIMEOUT_SECONDS_MAX: u64 = 365 * 24 * 3600;
/// k8s: fieldManager is at most 128 characters (metav1 validation).
const FIELD_MANAGER_MAX: usize = 128;

impl Options {
    pub fn parse(method: &Method, query: Option<&str>) -> Result<Self, ApiError> {
        let mut options = Self { raw: pairs(query.unwrap_or_default())?, ..Self::default() };
        let raw = std::mem::take(&mut options.raw);
        for (key, value) in &raw {
            options.set(key, value, options_of(method))?;
        }
        options.raw = raw;
        Ok(options)
    }

    fn set(&mut self, key: &str, value: &str, kind: &str) -> Result<(), ApiError> {
        match key {
            "labelSelector" => {
                self.selection.labels = LabelSelector::parse(value).map_err(|why| unparsable(key, &why))?;
            }
            "fieldSelector" => {
                self.selection.fields = FieldSelector::parse(value).map_err(|why| unparsable(key, &why))?;
            }
            "resourceVersion" => match revision(value) {
                Ok(rev) => self.resource_version = rev,
                Err(error) => self.bad_resource_version = Some(error),
            },
            "resourceVersionMatch" => self.resource_version_match = revision_match(value),
            "limit" => self.limit = number::<i64>(key, value)?.unwrap_or(0).max(0) as usize,
            "continue" => value.clone_into(&mut self.continue_token),
            "watch" => self.watch = truth(value),
            "timeoutSeconds" => self.timeout_seconds = timeout(key, value)?,
            "allowWatchBookmarks" => self.allow_watch_bookmarks = truth(value),
            "sendInitialEvents" => self.send_initial_events = Some(truth(value)),
            "dryRun" => self.dry_run = dry_run(value, kind)?,
            "fieldManager" => self.field_manager = field_manager(value, kind)?,
            "fieldValidation" => self.field_validation = field_validation(value, kind)?,
            "force" => self.force = truth(value),
            "pretty" => self.pretty = Some(truth(value)),
            "gracePeriodSeconds" => self.grace_period_seconds = number(key, value)?,
            _ => {}
        }
        Ok(())
    }

    /// The last value of a parameter that only one subresource knows.
    pub fn raw(&self, key: &str) -> Option<&str> {
        self.raw.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Every value of a repeated parameter (`command` of exec, `ports` of port-forward).
    pub fn raw_all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.raw.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Rules between the parameters of a LIST.
    /// k8s: pkg/apis/meta/internalversion/validation ValidateListOptions, then storage.ListReadConsistency
    pub fn check_list(&self) -> Result<(), ApiError> {
        let mut errors = FieldErrors::new();
        if let Some(rule) = &self.resource_version_match {
            if self.resource_version.is_none() && self.bad_resource_version.is_none() {
                errors.push(forbidden_match("resourceVersionMatch is forbidden unless resourceVersion is provided"));
            }
            if !self.continue_token.is_empty() {
                errors.push(forbidden_match("resourceVersionMatch is forbidden when continue is provided"));
            }
            match rule {
                RevisionMatch::Other(other) => {
                    errors.push(FieldError::not_supported(MATCH, other.as_str(), &["Exact", "NotOlderThan", ""]));
                }
                RevisionMatch::Exact if self.resource_version == Some(0) => errors
                    .push(forbidden_match("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"")),
                RevisionMatch::Exact | RevisionMatch::NotOlderThan => {}
            }
        }
        if self.send_initial_events.is_some() {
            errors.push(FieldError::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
        }
        list_errors(errors)?;
        if !self.continue_token.is_empty() && self.resource_version.is_some_and(|rev| rev != 0) {
            return Err(ApiError::bad_request("specifying resource version is not allowed when using continue"));
        }
        self.check_revision()
    }

    /// k8s: the store's own words, a 400
    pub fn check_revision(&self) -> Result<(), ApiError> {
        match &self.bad_resource_version {
            Some(error) => Err(ApiError::bad_request(format!("invalid resource version: {error}"))),
            None => Ok(()),
        }
    }

    /// Rules between the parameters of a WATCH.
    /// k8s: validateWatchOptions, then InterpretWatchError
    pub fn check_watch(&self, row: &Row) -> Result<(), ApiError> {
        let mut errors = FieldErrors::new();
        let rule = self.resource_version_match.as_ref();
        if self.send_initial_events.is_some() && rule != Some(&RevisionMatch::NotOlderThan) {
            errors.push(forbidden_match("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
        }
        if let Some(rule) = rule {
            if self.send_initial_events.is_none() {
                errors.push(forbidden_match(
                    "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
                ));
            }
            match rule {
                RevisionMatch::NotOlderThan => {}
                RevisionMatch::Exact => errors.push(FieldError::not_supported(MATCH, "Exact", &["NotOlderThan"])),
                RevisionMatch::Other(other) => {
                    errors.push(FieldError::not_supported(MATCH, other.as_str(), &["NotOlderThan"]));
                }
            }
            if !self.continue_token.is_empty() {
                errors.push(forbidden_match("resourceVersionMatch is forbidden when continue is provided"));
            }
        }
        list_errors(errors)?;
        match &self.bad_resource_version {
            Some(error) => {
                let kind = Qualified::resource(row);
                Err(ApiError::Invalid { kind, name: String::new(), errors: vec![error.clone()] })
            }
            None => Ok(()),
        }
    }
}

const MATCH: &str = "resourceVersionMatch";

fn forbidden_match(why: &str) -> FieldError {
    FieldError::forbidden(MATCH, why)
}

fn list_errors(errors: FieldErrors) -> Result<(), ApiError> {
    if errors.is_empty() {
        return Ok(());
    }
    let kind = Qualified::new("meta.k8s.io", "ListOptions");
    Err(ApiError::Invalid { kind, name: String::new(), errors })
}

/// The options that a method takes in upstream's words.
fn options_of(method: &Method) -> &'static str {
    match *method {
        Method::POST => "CreateOptions",
        Method::PUT => "UpdateOptions",
        Method::PATCH => "PatchOptions",
        Method::DELETE => "DeleteOptions",
        _ => "ListOptions",
    }
}

fn invalid(kind: &str, error: FieldError) -> ApiError {
    ApiError::Invalid { kind: Qualified::new("meta.k8s.io", kind), name: String::new(), errors: vec![error] }
}

/// The first value of a query parameter that every path knows.
pub fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| decoded(value))
}

fn pairs(query: &str) -> Result<Vec<(String, String)>, ApiError> {
    let pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key), decoded(value))
        })
        .take(PARAMETERS_MAX + 1)
        .collect();
    match pairs.len() {
        n if n > PARAMETERS_MAX => Err(ApiError::bad_request("too many query parameters")),
        _ => Ok(pairs),
    }
}

fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

/// Go's reading of booleans in queries: present and not false.
fn truth(value: &str) -> bool {
    !matches!(value, "false" | "0" | "False" | "FALSE" | "f" | "F")
}

fn number<N: std::str::FromStr>(key: &str, value: &str) -> Result<Option<N>, ApiError> {
    if value.is_empty() {
        return Ok(None);
    }
    value.parse().map(Some).map_err(|_| unparsable(key, &format!("{value:?} is not a number")))
}

/// No limit where unset or 0; what is negative is over at once, as upstream has it.
fn timeout(key: &str, value: &str) -> Result<Option<u64>, ApiError> {
    let seconds = number::<i64>(key, value)?.filter(|&seconds| seconds != 0);
    Ok(seconds.map(|seconds| u64::try_from(seconds).unwrap_or(0).min(TIMEOUT_SECONDS_MAX)))
}

fn unparsable(key: &str, why: &dyn std::fmt::Display) -> ApiError {
    ApiError::bad_request(format!("unable to parse the query parameter {key}: {why}"))
}

fn revision(value: &str) -> Result<Option<u64>, FieldError> {
    if value.is_empty() {
        return Ok(None);
    }
    let detail = |error: &std::num::ParseIntError| match error.kind() {
        std::num::IntErrorKind::PosOverflow => format!("strconv.ParseUint: parsing {value:?}: value out of range"),
        _ => format!("strconv.ParseUint: parsing {value:?}: invalid syntax"),
    };
    // Go's parser takes no sign.
    let digits = value.strip_prefix('+').map_or(value, |_| "+");
    digits.parse().map(Some).map_err(|error| FieldError::invalid("resourceVersion", value, detail(&error)))
}

fn revision_match(value: &str) -> Option<RevisionMatch> {
    match value {
        "" => None,
        "Exact" => Some(RevisionMatch::Exact),
        "NotOlderThan" => Some(RevisionMatch::NotOlderThan),
        other => Some(RevisionMatch::Other(other.to_owned())),
    }
}

fn dry_run(value: &str, kind: &str) -> Result<bool, ApiError> {
    match value {
        "" => Ok(false),
        "All" => Ok(true),
        other => Err(invalid(kind, FieldError::not_supported("dryRun", other, &["All"]))),
    }
}

fn field_manager(value: &str, kind: &str) -> Result<String, ApiError> {
    if value.len() > FIELD_MANAGER_MAX {
        return Err(invalid(kind, FieldError::too_long("fieldManager", FIELD_MANAGER_MAX)));
    }
    match value.chars().position(char::is_control) {
        Some(at) => Err(invalid(
            kind,
            FieldError::invalid(
                "fieldManager",
                value,
                format!("invalid character at position {at}: should be printable"),
            ),
        )),
        None => Ok(value.to_owned()),
    }
}

fn field_validation(value: &str, kind: &str) -> Result<FieldValidation, ApiError> {
    match value {
        "" | "Warn" => Ok(FieldValidation::Warn),
        "Ignore" => Ok(FieldValidation::Ignore),
        "Strict" => Ok(FieldValidation::Strict),
        other => Err(invalid(kind, FieldError::not_supported("fieldValidation", other, &["Ignore", "Strict", "Warn"]))),
    }
}
