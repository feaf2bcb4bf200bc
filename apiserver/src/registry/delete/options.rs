//! `DeleteOptions`: from the body where there is one, from the query otherwise.

use crate::error::{ApiError, Qualified};
use crate::request::{Options, Propagation};
use kinds::errors::{FieldError, FieldErrors};
use kinds::schema::decode::Strictness;
use kinds::schema::lookup;
use serde_json::Value;

const SCHEMA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";

const KIND: &str = "DeleteOptions";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    pub grace_seconds: Option<i64>,
    pub propagation: Option<Propagation>,
    /// The client asked by the deprecated `orphanDependents: false` for its dependents to go first: it is told with a 202
    /// that they are not gone yet.
    pub cascades_explicitly: bool,
    pub uid: Option<String>,
    pub resource_version: Option<String>,
    pub dry_run: bool,
}

impl DeleteOptions {
    /// Options of a body count alone, as upstream has it; only a dry run stays one whoever asked for it.
    pub fn of(query: &Options, body: Option<&Value>) -> Result<Self, ApiError> {
        let mut options = match body {
            Some(body) => Self::of_body(body)?,
            None => Self::of_query(query)?,
        };
        options.dry_run |= query.dry_run;
        Ok(options)
    }

    fn of_query(query: &Options) -> Result<Self, ApiError> {
        let orphan = query.raw("orphanDependents").filter(|text| !text.is_empty()).map(|text| text != "false");
        let mut options = Self { grace_seconds: query.grace_period_seconds, ..Self::default() };
        let policy = query.raw("propagationPolicy").filter(|text| !text.is_empty());
        options.set_propagation(orphan, policy, FieldErrors::new())?;
        Ok(options)
    }

    fn of_body(body: &Value) -> Result<Self, ApiError> {
        check_type(body)?;
        let schema = lookup(SCHEMA).ok_or_else(|| ApiError::internal("the schema table has no DeleteOptions"))?;
        let body = schema.decode_tree(body.clone(), Strictness::Ignore).map_err(|error| {
            ApiError::bad_request(format!(
                "DeleteOptions in version \"v1\" cannot be handled as a DeleteOptions: {error}"
            ))
        })?;
        let body = body.object;
        let text = |path| body.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let dry_run = body.get("dryRun").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut errors = FieldErrors::new();
        if dry_run.iter().any(|stage| stage != "All") {
            errors.push(FieldError::not_supported("dryRun", dry_run, &["All"]));
        }
        let mut options = Self {
            grace_seconds: body.get("gracePeriodSeconds").and_then(Value::as_i64),
            uid: text("/preconditions/uid"),
            resource_version: text("/preconditions/resourceVersion"),
            dry_run: !dry_run.is_empty(),
            ..Self::default()
        };
        let orphan = body.get("orphanDependents").and_then(Value::as_bool);
        let policy = body.get("propagationPolicy").and_then(Value::as_str);
        options.set_propagation(orphan, policy, errors)?;
        Ok(options)
    }

    /// k8s: ValidateDeleteOptions
    fn set_propagation(
        &mut self,
        orphan: Option<bool>,
        policy: Option<&str>,
        mut errors: FieldErrors,
    ) -> Result<(), ApiError> {
        const FIELD: &str = "propagationPolicy";
        if let (Some(_), Some(policy)) = (orphan, policy) {
            let why = "orphanDependents and deletionPropagation cannot be both set";
            errors.insert(0, FieldError::invalid(FIELD, policy, why));
        }
        self.propagation = policy.and_then(Propagation::parse);
        if let (Some(policy), None) = (policy, self.propagation) {
            let known = ["Foreground", "Background", "Orphan", "nil"];
            errors.push(FieldError::not_supported(FIELD, policy, &known));
        }
        if !errors.is_empty() {
            let kind = Qualified::new("meta.k8s.io", "DeleteOptions");
            return Err(ApiError::Invalid { kind, name: String::new(), errors });
        }
        self.cascades_explicitly = orphan == Some(false);
        match orphan {
            Some(true) => self.propagation = Some(Propagation::Orphan),
            Some(false) => self.propagation = Some(Propagation::Background),
            None => {}
        }
        Ok(())
    }
}

/// Every built-in group knows options of that name; what is left out is what is meant.
/// k8s: AddToGroupVersion, and the scheme of `metainternalversion`
fn check_type(body: &Value) -> Result<(), ApiError> {
    let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or("");
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let is_known = |version: &str| {
        matches!(version, "" | "v1" | "meta.k8s.io/v1")
            || kinds::table::builtin().iter().any(|kind| kind.row().api_version() == version)
    };
    if matches!(kind, "" | KIND) && is_known(api_version) {
        return Ok(());
    }
    let (kind, version) =
        (if kind.is_empty() { KIND } else { kind }, if api_version.is_empty() { "v1" } else { api_version });
    let scheme = "pkg/apis/meta/internalversion/scheme/register.go:27";
    let why = format!("no kind {kind:?} is registered for version {version:?} in scheme {scheme:?}");
    Err(ApiError::bad_request(why))
}
