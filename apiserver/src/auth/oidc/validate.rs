//! What is wrong with an AuthenticationConfiguration, and what its rules come to where nothing is.
//! k8s: `apis/apiserver/validation`, ValidateAuthenticationConfiguration; paths and texts are upstream's

use super::claims::{Rule, Rules, Source};
use super::config::{
    AuthenticationConfiguration, ClaimMappings, ClaimValidationRule, Issuer, JwtAuthenticator,
    PrefixedClaimOrExpression, UserValidationRule,
};
use super::key_set::ALGORITHMS;
use crate::backend::tls;
use kinds::errors::{FieldError, FieldErrors};
use kinds::expression::{About, Expression, Yields};
use kinds::validate::domain_prefixed_path;
use kinds::validate::path::Path;
use std::collections::BTreeSet;

/// k8s: of one configuration
const AUTHENTICATORS_MAX: usize = 64;

const ANY: &str = "MatchAny";

/// The rules of each authenticator, in order.
pub(super) fn compile(config: &AuthenticationConfiguration, own_issuer: &str) -> Result<Vec<Rules>, FieldErrors> {
    let root = Path::new("jwt");
    let mut errors = FieldErrors::new();
    if config.jwt.len() > AUTHENTICATORS_MAX {
        return Err(vec![FieldError::too_many(root, config.jwt.len(), AUTHENTICATORS_MAX)]);
    }
    let (mut urls, mut discovery_urls) = (BTreeSet::new(), BTreeSet::new());
    let mut all = Vec::new();
    for (at, one) in config.jwt.iter().enumerate() {
        let path = root.index(at);
        let issuer = path.child("issuer");
        check_issuer(&one.issuer, own_issuer, &issuer, &mut errors);
        all.extend(rules(one, &path, &mut errors));
        let Issuer { url, discovery_url, .. } = &one.issuer;
        if !urls.insert(url) {
            errors.push(FieldError::duplicate(issuer.child("url"), url));
        }
        if !discovery_url.is_empty() && !discovery_urls.insert(discovery_url) {
            errors.push(FieldError::duplicate(issuer.child("discoveryURL"), discovery_url));
        }
    }
    if let Some(anonymous) = config.anonymous.as_ref().filter(|it| !it.enabled && !it.conditions.is_empty()) {
        let why = "enabled should be set to true when conditions are defined";
        errors.push(FieldError::invalid("anonymous.conditions", &anonymous.conditions, why));
    }
    if errors.is_empty() { Ok(all) } else { Err(errors) }
}

fn check_issuer(issuer: &Issuer, own: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("url");
    if issuer.url.is_empty() {
        errors.push(FieldError::required(at, ""));
    } else {
        if issuer.url == own {
            let why = format!("URL must not overlap with disallowed issuers: [{own}]");
            errors.push(FieldError::invalid(at, &issuer.url, why));
        }
        check_url(&issuer.url, &at, errors);
    }
    let at = path.child("discoveryURL");
    if !issuer.discovery_url.is_empty() {
        let same = issuer.url.trim_end_matches('/') == issuer.discovery_url.trim_end_matches('/');
        if same && !issuer.url.is_empty() {
            errors.push(FieldError::invalid(at, &issuer.discovery_url, "discoveryURL must be different from URL"));
        }
        check_url(&issuer.discovery_url, &at, errors);
    }
    check_audiences(issuer, path, errors);
    if !issuer.certificate_authority.is_empty() && tls::roots(issuer.certificate_authority.as_bytes()).is_err() {
        let why = "data does not contain any valid RSA or ECDSA certificates";
        errors.push(FieldError::invalid(path.child("certificateAuthority"), "<omitted>", why));
    }
    if !issuer.egress_selector_type.is_empty() {
        let why = "egress selector is not supported";
        errors.push(FieldError::invalid(path.child("egressSelectorType"), &issuer.egress_selector_type, why));
    }
    for algorithm in issuer.algorithms.iter().filter(|name| !ALGORITHMS.contains(&name.as_str())) {
        errors.push(FieldError::not_supported("--oidc-signing-algs", algorithm, &ALGORITHMS));
    }
}

fn check_url(url: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    let mut wrong = |why: &str| errors.push(FieldError::invalid(path, url, why));
    let (before_fragment, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (plain, query) = before_fragment.split_once('?').unwrap_or((before_fragment, ""));
    let Ok(uri) = plain.parse::<http::Uri>() else {
        return wrong(&format!("parse {url:?}: invalid URL"));
    };
    if uri.scheme_str() != Some("https") {
        wrong("URL scheme must be https");
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        wrong("URL must not contain a username or password");
    }
    if !query.is_empty() {
        wrong("URL must not contain a query");
    }
    if !fragment.is_empty() {
        wrong("URL must not contain a fragment");
    }
}

fn check_audiences(issuer: &Issuer, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("audiences");
    if issuer.audiences.is_empty() {
        errors.push(FieldError::required(at, format!("at least one {at} is required")));
        return;
    }
    let mut seen = BTreeSet::new();
    for (place, audience) in issuer.audiences.iter().enumerate() {
        if audience.is_empty() {
            errors.push(FieldError::required(at.index(place), ""));
        }
        if !seen.insert(audience) {
            errors.push(FieldError::duplicate(at.index(place), audience));
        }
    }
    let policy = issuer.audience_match_policy.as_str();
    let why = match issuer.audiences.len() {
        1 if policy.is_empty() || policy == ANY => return,
        1 => "audienceMatchPolicy must be empty or MatchAny for single audience",
        _ if policy == ANY => return,
        _ => "audienceMatchPolicy must be MatchAny for multiple audiences",
    };
    errors.push(FieldError::invalid(path.child("audienceMatchPolicy"), policy, why));
}

/// `None` where something is wrong, which `errors` then say.
fn rules(one: &JwtAuthenticator, path: &Path<'_>, errors: &mut FieldErrors) -> Option<Rules> {
    let of_claims = claim_rules(&one.claim_validation_rules, &path.child("claimValidationRules"), errors);
    let mappings = path.child("claimMappings");
    let ClaimMappings { username, groups, uid, .. } = &one.claim_mappings;
    if username.claim.is_empty() && username.expression.is_empty() {
        errors.push(FieldError::required(mappings.child("username"), "claim or expression is required"));
    }
    let username = source(username, &mappings.child("username"), errors);
    let groups = source(groups, &mappings.child("groups"), errors);
    let prefix = (!uid.claim.is_empty()).then(String::new);
    let uid = PrefixedClaimOrExpression { claim: uid.claim.clone(), expression: uid.expression.clone(), prefix };
    let uid = source(&uid, &mappings.child("uid"), errors);
    let extra = extra(&one.claim_mappings, &mappings.child("extra"), errors);
    check_email(username.as_ref(), &extra, &of_claims, &mappings, errors);
    let of_user = user_rules(&one.user_validation_rules, &path.child("userValidationRules"), errors);
    let required = one.claim_validation_rules.iter().filter(|rule| !rule.claim.is_empty());
    let required = required.map(|rule| (rule.claim.clone(), rule.required_value.clone())).collect();
    Some(Rules { username: username?, groups, uid, extra, required, of_claims, of_user })
}

/// Who takes a name from an address has to look at whether the address is the user's.
fn check_email(
    username: Option<&Source>,
    extra: &[(String, Expression)],
    of_claims: &[Rule],
    mappings: &Path<'_>,
    errors: &mut FieldErrors,
) {
    let Some(Source::Expression(username)) = username else { return };
    let all = extra.iter().map(|(_, expression)| expression).chain(of_claims.iter().map(|rule| &rule.expression));
    if username.selects("email") && !std::iter::once(username).chain(all).any(|it| it.selects("email_verified")) {
        let why = "claims.email_verified must be used in claimMappings.username.expression or \
                   claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in \
                   claimMappings.username.expression";
        errors.push(FieldError::invalid(mappings.child("username").child("expression"), username.source(), why));
    }
}

/// `None`: nothing is said, or something wrong.
fn source(mapping: &PrefixedClaimOrExpression, path: &Path<'_>, errors: &mut FieldErrors) -> Option<Source> {
    let PrefixedClaimOrExpression { claim, prefix, expression } = mapping;
    match (claim.as_str(), expression.as_str()) {
        ("", "") => None,
        ("", expression) => {
            if let Some(prefix) = prefix {
                let why = "may not be specified when expression is set";
                errors.push(FieldError::invalid(path.child("prefix"), prefix, why));
            }
            compiled(expression, About::Claims, Yields::Anything, &path.child("expression"), errors)
                .map(Source::Expression)
        }
        (claim, "") => {
            if prefix.is_none() {
                let why = "prefix is required when claim is set. It can be set to an empty string to disable prefixing";
                errors.push(FieldError::required(path.child("prefix"), why));
            }
            Some(Source::Claim { name: claim.to_owned(), prefix: prefix.clone().unwrap_or_default() })
        }
        _ => {
            errors.push(FieldError::invalid(path, "", "claim and expression can't both be set"));
            None
        }
    }
}

fn extra(mappings: &ClaimMappings, path: &Path<'_>, errors: &mut FieldErrors) -> Vec<(String, Expression)> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for (at, mapping) in mappings.extra.iter().enumerate() {
        let (path, key) = (path.index(at), mapping.key.as_str());
        let at = path.child("key");
        if key.is_empty() {
            errors.push(FieldError::required(at, ""));
        } else {
            domain_prefixed_path(key, &at, errors);
        }
        if key != key.to_lowercase() {
            errors.push(FieldError::invalid(at, key, "must be lowercase"));
        }
        if is_reserved(key) {
            let why = "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use";
            errors.push(FieldError::invalid(at, key, why));
        }
        if !seen.insert(key) {
            errors.push(FieldError::duplicate(at, key));
            continue;
        }
        let at = path.child("valueExpression");
        if mapping.value_expression.is_empty() {
            errors.push(FieldError::required(at, ""));
            continue;
        }
        let expression = compiled(&mapping.value_expression, About::Claims, Yields::Anything, &at, errors);
        all.extend(expression.map(|expression| (key.to_owned(), expression)));
    }
    all
}

fn is_reserved(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    ["kubernetes.io", "k8s.io"].into_iter().any(|reserved| match domain.strip_suffix(reserved) {
        Some(rest) => rest.is_empty() || rest.ends_with('.'),
        None => false,
    })
}

fn claim_rules(rules: &[ClaimValidationRule], path: &Path<'_>, errors: &mut FieldErrors) -> Vec<Rule> {
    let (mut claims, mut expressions) = (BTreeSet::new(), BTreeSet::new());
    let mut all = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let path = path.index(at);
        match (rule.claim.as_str(), rule.expression.as_str()) {
            ("", "") => errors.push(FieldError::required(path, "claim or expression is required")),
            (claim, "") => {
                if !rule.message.is_empty() {
                    let why = "may not be specified when claim is set";
                    errors.push(FieldError::invalid(path.child("message"), &rule.message, why));
                }
                if !claims.insert(claim) {
                    errors.push(FieldError::duplicate(path.child("claim"), claim));
                }
            }
            ("", expression) => {
                if !rule.required_value.is_empty() {
                    let why = "may not be specified when expression is set";
                    errors.push(FieldError::invalid(path.child("requiredValue"), &rule.required_value, why));
                }
                all.extend(condition(expression, &rule.message, About::Claims, &mut expressions, &path, errors));
            }
            (claim, _) => {
                errors.push(FieldError::invalid(path, claim, "claim and expression can't both be set"));
            }
        }
    }
    all
}

fn user_rules(rules: &[UserValidationRule], path: &Path<'_>, errors: &mut FieldErrors) -> Vec<Rule> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let path = path.index(at);
        if rule.expression.is_empty() {
            errors.push(FieldError::required(path.child("expression"), ""));
            continue;
        }
        all.extend(condition(&rule.expression, &rule.message, About::User, &mut seen, &path, errors));
    }
    all
}

fn condition<'r>(
    source: &'r str,
    message: &str,
    about: About,
    seen: &mut BTreeSet<&'r str>,
    path: &Path<'_>,
    errors: &mut FieldErrors,
) -> Option<Rule> {
    let at = path.child("expression");
    if !seen.insert(source) {
        errors.push(FieldError::duplicate(at, source));
        return None;
    }
    let expression = compiled(source, about, Yields::Bool, &at, errors)?;
    Some(Rule { expression, message: message.to_owned() })
}

fn compiled(
    source: &str,
    about: About,
    yields: Yields,
    path: &Path<'_>,
    errors: &mut FieldErrors,
) -> Option<Expression> {
    match Expression::compile(source, about, yields) {
        Ok(expression) => Some(expression),
        Err(why) => {
            errors.push(FieldError::invalid(path, source, why));
            None
        }
    }
}
