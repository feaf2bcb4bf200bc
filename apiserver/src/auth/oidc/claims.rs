//! From the claims of a verified token to a user, or to the reason why there is none.
//! k8s: AuthenticateToken of `oidc.go`, from getUsername on

use crate::auth::review::user_info;
use client::identity::Identity;
use kinds::expression::Expression;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    #[error("parse {what} claims {claim:?}: {why}")]
    Claim { what: &'static str, claim: String, why: &'static str },
    #[error("email not verified")]
    EmailNotVerified,
    #[error("error evaluating {what} claim expression: {why}")]
    Expression { what: &'static str, why: String },
    #[error("the username is empty")]
    NoName,
    #[error("required claim {0} not present in ID token")]
    Missing(String),
    #[error("required claim {claim} value does not match. Got = {found}, want = {wanted}")]
    Differs { claim: String, found: String, wanted: String },
    #[error("error evaluating {what}: {why}")]
    Rule { what: &'static str, why: String },
    #[error("claim {0:?} is neither in the token nor at an endpoint that it names")]
    Elsewhere(String),
}

/// Where a part of the user comes from.
#[derive(Debug)]
pub(super) enum Source {
    Claim { name: String, prefix: String },
    Expression(Expression),
}

/// An expression that has to hold, and what is said where it does not.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) expression: Expression,
    pub(super) message: String,
}

#[derive(Debug)]
pub(super) struct Rules {
    pub(super) username: Source,
    pub(super) groups: Option<Source>,
    pub(super) uid: Option<Source>,
    pub(super) extra: Vec<(String, Expression)>,
    /// Claims, and the only value that each may have.
    pub(super) required: Vec<(String, String)>,
    pub(super) of_claims: Vec<Rule>,
    pub(super) of_user: Vec<Rule>,
}

impl Rules {
    pub(super) fn identity(&self, claims: &Value) -> Result<Identity, ClaimsError> {
        let identity = Identity {
            user: self.user(claims)?,
            groups: self.groups(claims)?,
            uid: self.uid.as_ref().map(|source| text("uid", source, claims)).transpose()?.unwrap_or_default(),
            extra: self.extra(claims)?,
        };
        self.check_required(claims)?;
        check("claim validation expression", &self.of_claims, claims)?;
        if !self.of_user.is_empty() {
            check("user info validation rule", &self.of_user, &all_fields(&identity))?;
        }
        Ok(identity)
    }

    /// The claim that groups are taken from as it is.
    pub(super) fn groups_claim(&self) -> Option<&str> {
        match &self.groups {
            Some(Source::Claim { name, .. }) => Some(name),
            Some(Source::Expression(_)) | None => None,
        }
    }

    fn user(&self, claims: &Value) -> Result<String, ClaimsError> {
        let name = text("username", &self.username, claims)?;
        if let Source::Claim { name: claim, .. } = &self.username
            && claim == "email"
            && let Some(verified) = claims.get("email_verified")
        {
            match verified.as_bool() {
                Some(true) => {}
                Some(false) => return Err(ClaimsError::EmailNotVerified),
                None => {
                    let (what, claim) = ("username", "email_verified".to_owned());
                    return Err(ClaimsError::Claim { what, claim, why: "not a bool" });
                }
            }
        }
        if name.is_empty() { Err(ClaimsError::NoName) } else { Ok(name) }
    }

    fn groups(&self, claims: &Value) -> Result<Vec<String>, ClaimsError> {
        match &self.groups {
            None => Ok(Vec::new()),
            Some(Source::Expression(expression)) => texts("group", expression, claims),
            Some(Source::Claim { name, prefix }) => {
                let bad = || ClaimsError::Claim { what: "groups", claim: name.clone(), why: "not texts" };
                let found = match claims.get(name) {
                    Some(Value::Null) => Vec::new(),
                    // Some providers say "role" where others say a list of groups.
                    Some(Value::String(one)) => vec![one.as_str()],
                    Some(Value::Array(many)) => {
                        many.iter().map(|item| item.as_str().ok_or_else(bad)).collect::<Result<_, _>>()?
                    }
                    Some(_) => return Err(bad()),
                    // Whom groups are kept from may be somebody whom they forbid something.
                    None if claims["_claim_names"].get(name).is_some() => {
                        return Err(ClaimsError::Elsewhere(name.clone()));
                    }
                    None => Vec::new(),
                };
                Ok(found.into_iter().map(|group| format!("{prefix}{group}")).collect())
            }
        }
    }

    fn extra(&self, claims: &Value) -> Result<BTreeMap<String, Vec<String>>, ClaimsError> {
        let mut extra = BTreeMap::new();
        for (key, expression) in &self.extra {
            let values = texts("extra", expression, claims)?;
            if !values.is_empty() {
                extra.insert(key.clone(), values);
            }
        }
        Ok(extra)
    }

    fn check_required(&self, claims: &Value) -> Result<(), ClaimsError> {
        for (claim, wanted) in &self.required {
            let found = claims.get(claim).ok_or_else(|| ClaimsError::Missing(claim.clone()))?;
            match found.as_str() {
                Some(found) if found == wanted => {}
                Some(found) => {
                    let (claim, wanted) = (claim.clone(), wanted.clone());
                    return Err(ClaimsError::Differs { claim, found: found.to_owned(), wanted });
                }
                None => {
                    return Err(ClaimsError::Claim { what: "required", claim: claim.clone(), why: "not a text" });
                }
            }
        }
        Ok(())
    }
}

/// The user as rules see him: every field is there.
fn all_fields(identity: &Identity) -> Value {
    let mut user = json!({"username": "", "uid": "", "groups": [], "extra": {}});
    if let (Value::Object(all), Value::Object(known)) = (&mut user, user_info(identity)) {
        all.extend(known);
    }
    user
}

fn text(what: &'static str, source: &Source, claims: &Value) -> Result<String, ClaimsError> {
    match source {
        Source::Claim { name, prefix } => {
            let bad = |why| ClaimsError::Claim { what, claim: name.clone(), why };
            let found = claims.get(name).ok_or_else(|| bad("claim not present"))?;
            let found = found.as_str().ok_or_else(|| bad("not a text"))?;
            // A prefix alone is nobody's name.
            Ok(if found.is_empty() { String::new() } else { format!("{prefix}{found}") })
        }
        Source::Expression(expression) => {
            let failed = |why| ClaimsError::Expression { what, why };
            match expression.evaluate(claims).map_err(failed)? {
                Value::String(text) => Ok(text),
                _ => Err(failed(format!("{what} claim expression must return a string"))),
            }
        }
    }
}

/// One text, or a list of them; empty ones are none.
fn texts(what: &'static str, expression: &Expression, claims: &Value) -> Result<Vec<String>, ClaimsError> {
    let failed = |why| ClaimsError::Expression { what, why };
    let other = || failed("expression must return a string or a list of strings".to_owned());
    let found = match expression.evaluate(claims).map_err(failed)? {
        Value::Null => Vec::new(),
        Value::String(one) => vec![one],
        Value::Array(many) => {
            let text = |item| if let Value::String(text) = item { Ok(text) } else { Err(other()) };
            many.into_iter().map(text).collect::<Result<_, _>>()?
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => return Err(other()),
    };
    Ok(found.into_iter().filter(|text| !text.is_empty()).collect())
}

fn check(what: &'static str, rules: &[Rule], value: &Value) -> Result<(), ClaimsError> {
    for Rule { expression, message } in rules {
        let failed = |why| ClaimsError::Rule { what, why };
        match expression.evaluate(value).map_err(failed)? {
            Value::Bool(true) => {}
            Value::Bool(false) => {
                return Err(failed(format!("validation expression '{}' failed: {message}", expression.source())));
            }
            _ => return Err(failed("validation expression must return a boolean".to_owned())),
        }
    }
    Ok(())
}
