//! Configurations that are refused, in upstream's words, and what claims come to under those that are not.

use super::*;
use client::clock::SystemClock;
use serde_json::json;
use tokio_util::sync::CancellationToken;

const OWN: &str = "https://kubernetes.default.svc.cluster.local";

fn reach() -> Reach {
    let backends = Backends::new(CancellationToken::new());
    Reach { backends, clock: Arc::new(SystemClock), own_issuer: OWN.to_owned() }
}

/// One authenticator of which `change` says what is special.
fn config(change: &Value) -> Value {
    let mut one = json!({
        "issuer": {"url": "https://id.example", "audiences": ["kube"]},
        "claimMappings": {"username": {"claim": "sub", "prefix": "id:"}},
    });
    for (pointer, value) in change.as_object().into_iter().flatten() {
        let (parent, field) = pointer.rsplit_once('.').unwrap_or(("", pointer));
        let parent = parent.split('.').filter(|step| !step.is_empty()).fold(&mut one, |tree, step| &mut tree[step]);
        parent[field] = value.clone();
    }
    json!({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "jwt": [one]})
}

fn taken(config: &Value) -> Result<Issuers, String> {
    let issuers = Issuers::default();
    let set = issuers.set_text(Path::new("f"), &config.to_string(), &reach());
    set.map(|()| issuers).map_err(|error| error.to_string())
}

fn refused(change: &Value, told: &str) {
    let refused = taken(&config(change)).map(|_| ()).unwrap_err();
    assert!(refused.contains(told), "{change}: {refused}");
}

#[test]
fn an_issuer_that_cannot_work_is_refused_by_its_field() {
    for (change, told) in [
        (json!({"issuer.url": ""}), "jwt[0].issuer.url: Required value"),
        (
            json!({"issuer.url": "http://id.example"}),
            "jwt[0].issuer.url: Invalid value: \"http://id.example\": URL scheme must be https",
        ),
        (json!({"issuer.url": "https://a:b@id.example"}), "URL must not contain a username or password"),
        (json!({"issuer.url": "https://id.example?a=b#c"}), "URL must not contain a query"),
        (
            json!({"issuer.url": OWN}),
            "URL must not overlap with disallowed issuers: [https://kubernetes.default.svc.cluster.local]",
        ),
        (
            json!({"issuer.discoveryURL": "https://id.example/"}),
            "jwt[0].issuer.discoveryURL: Invalid value: \"https://id.example/\": discoveryURL must be different from URL",
        ),
        (
            json!({"issuer.audiences": []}),
            "jwt[0].issuer.audiences: Required value: at least one jwt[0].issuer.audiences is required",
        ),
        (
            json!({"issuer.audiences": ["a", "a"], "issuer.audienceMatchPolicy": "MatchAny"}),
            "jwt[0].issuer.audiences[1]: Duplicate value: \"a\"",
        ),
        (
            json!({"issuer.audiences": ["a", "b"]}),
            "jwt[0].issuer.audienceMatchPolicy: Invalid value: \"\": audienceMatchPolicy must be MatchAny for multiple audiences",
        ),
        (
            json!({"issuer.certificateAuthority": "x"}),
            "jwt[0].issuer.certificateAuthority: Invalid value: \"<omitted>\": data does not contain any valid",
        ),
        (
            json!({"issuer.egressSelectorType": "cluster"}),
            "jwt[0].issuer.egressSelectorType: Invalid value: \"cluster\"",
        ),
    ] {
        refused(&change, told);
    }
}

#[test]
fn mappings_and_rules_that_cannot_be_meant_are_refused_by_their_field() {
    for (change, told) in [
        (
            json!({"claimMappings.username": {}}),
            "jwt[0].claimMappings.username: Required value: claim or expression is required",
        ),
        (
            json!({"claimMappings.username": {"claim": "sub"}}),
            "jwt[0].claimMappings.username.prefix: Required value: prefix is required when claim is set",
        ),
        (
            json!({"claimMappings.groups": {"claim": "a", "expression": "claims.b"}}),
            "jwt[0].claimMappings.groups: Invalid value: \"\": claim and expression can't both be set",
        ),
        (
            json!({"claimMappings.username": {"expression": "claims.a +"}}),
            "jwt[0].claimMappings.username.expression: Invalid value: \"claims.a +\": compilation failed: ",
        ),
        (
            json!({"claimMappings.username": {"expression": "claims.email"}}),
            "claims.email_verified must be used in claimMappings.username.expression or",
        ),
        (
            json!({"claimMappings.extra": [{"key": "a.kubernetes.io/x", "valueExpression": "'a'"}]}),
            "jwt[0].claimMappings.extra[0].key: Invalid value: \"a.kubernetes.io/x\": k8s.io, kubernetes.io and their subdomains are reserved",
        ),
        (
            json!({"claimMappings.extra": [{"key": "x", "valueExpression": "'a'"}]}),
            "must be a domain-prefixed path (such as \"acme.io/foo\")",
        ),
        (
            json!({"claimMappings.extra": [{"key": "a.b/X", "valueExpression": ""}]}),
            "[jwt[0].claimMappings.extra[0].key: Invalid value: \"a.b/X\": must be lowercase, jwt[0].claimMappings.extra[0].valueExpression: Required value]",
        ),
        (
            json!({"claimValidationRules": [{}]}),
            "jwt[0].claimValidationRules[0]: Required value: claim or expression is required",
        ),
        (
            json!({"claimValidationRules": [{"expression": "claims.a"}]}),
            "jwt[0].claimValidationRules[0].expression: Invalid value: \"claims.a\": must evaluate to bool",
        ),
        (
            json!({"claimValidationRules": [{"claim": "a"}, {"claim": "a"}]}),
            "jwt[0].claimValidationRules[1].claim: Duplicate value: \"a\"",
        ),
        (
            json!({"userValidationRules": [{"message": "m"}]}),
            "jwt[0].userValidationRules[0].expression: Required value",
        ),
        (json!({"claimMappings.nickname": {}}), "unknown field `nickname`"),
    ] {
        refused(&change, told);
    }
}

#[test]
fn issuers_are_told_apart_and_a_refused_configuration_changes_nothing() {
    let mut twice = config(&json!({}));
    let one = twice["jwt"][0].clone();
    twice["jwt"].as_array_mut().unwrap().push(one);
    let refused = taken(&twice).map(|_| ()).unwrap_err();
    assert_eq!(refused, "f: jwt[1].issuer.url: Duplicate value: \"https://id.example\"");
    let issuers = taken(&config(&json!({}))).unwrap();
    assert!(issuers.set_text(Path::new("f"), &twice.to_string(), &reach()).is_err());
    assert!(issuers.find("https://id.example").is_some() && issuers.find("https://other.example").is_none());
}

#[test]
fn who_may_come_unknown_is_said_by_path() {
    let with = |anonymous: Value| {
        let mut config = config(&json!({}));
        config["anonymous"] = anonymous;
        taken(&config).map(|issuers| issuers.anonymous().as_ref().clone())
    };
    let reads = |access: &AnonymousAccess, path: &str| access.allows(&Method::GET, path);
    let own = AnonymousAccess::default();
    let document = "/api/v1/namespaces/kube-public/configmaps/cluster-info";
    for (method, expected) in [
        (Method::GET, true),
        (Method::HEAD, true),
        (Method::PUT, false),
        (Method::PATCH, false),
        (Method::DELETE, false),
        (Method::POST, false),
    ] {
        assert_eq!(own.allows(&method, document), expected, "{method}");
    }
    assert!(reads(&own, "/healthz/ping") && reads(&own, "/version") && !reads(&own, "/api"));
    let paths = with(json!({"enabled": true, "conditions": [{"path": "/livez"}]})).unwrap();
    assert!(reads(&paths, "/livez") && !reads(&paths, "/livez/ping") && !reads(&paths, "/version"));
    let everywhere = with(json!({"enabled": true})).unwrap();
    assert!(reads(&everywhere, "/api/v1/pods") && everywhere.allows(&Method::POST, "/api/v1/pods"));
    assert!(!reads(&with(json!({"enabled": false})).unwrap(), "/healthz"));
    let refused = with(json!({"enabled": false, "conditions": [{"path": "/x"}]})).unwrap_err();
    assert!(
        refused.contains("anonymous.conditions: Invalid value: [{\"path\":\"/x\"}]: enabled should be set"),
        "{refused}"
    );
}

/// User, groups, uid and extra, or why there is no user.
fn user(change: &Value, claims: &Value) -> Result<String, String> {
    let issuer = taken(&config(change)).unwrap().find("https://id.example").unwrap();
    let identity = issuer.rules.identity(claims).map_err(|error| error.to_string())?;
    Ok(format!("{} {:?} {:?} {:?}", identity.user, identity.groups, identity.uid, identity.extra))
}

#[test]
fn claims_become_a_user_as_the_mappings_say() {
    let claims =
        json!({"sub": "ann", "roles": ["a", ""], "role": "b", "id": "7", "email": "a@b", "email_verified": false});
    for (change, wanted) in [
        (json!({}), Ok("id:ann [] \"\" {}")),
        (
            json!({"claimMappings.groups": {"claim": "roles", "prefix": "g:"}, "claimMappings.uid": {"claim": "id"}}),
            Ok("id:ann [\"g:a\", \"g:\"] \"7\" {}"),
        ),
        (json!({"claimMappings.groups": {"claim": "role", "prefix": ""}}), Ok("id:ann [\"b\"] \"\" {}")),
        (json!({"claimMappings.groups": {"expression": "claims.roles"}}), Ok("id:ann [\"a\"] \"\" {}")),
        (json!({"claimMappings.username": {"expression": "claims.sub + '@' + claims.id"}}), Ok("ann@7 [] \"\" {}")),
        (
            json!({"claimMappings.extra": [{"key": "b.c/r", "valueExpression": "claims.role"}, {"key": "b.c/n", "valueExpression": "''"}]}),
            Ok("id:ann [] \"\" {\"b.c/r\": [\"b\"]}"),
        ),
        (
            json!({"claimMappings.username": {"claim": "name", "prefix": ""}}),
            Err("parse username claims \"name\": claim not present"),
        ),
        (json!({"claimMappings.username": {"claim": "email", "prefix": ""}}), Err("email not verified")),
        (
            json!({"claimMappings.username": {"expression": "claims.roles"}}),
            Err("error evaluating username claim expression: username claim expression must return a string"),
        ),
        (json!({"claimMappings.username": {"expression": "''"}}), Err("the username is empty")),
        (
            json!({"claimMappings.groups": {"claim": "email_verified", "prefix": ""}}),
            Err("parse groups claims \"email_verified\": not texts"),
        ),
        (json!({"claimValidationRules": [{"claim": "role", "requiredValue": "b"}]}), Ok("id:ann [] \"\" {}")),
        (
            json!({"claimValidationRules": [{"claim": "role", "requiredValue": "c"}]}),
            Err("required claim role value does not match. Got = b, want = c"),
        ),
        (json!({"claimValidationRules": [{"claim": "hd"}]}), Err("required claim hd not present in ID token")),
        (
            json!({"claimValidationRules": [{"expression": "claims.role == 'c'", "message": "only c"}]}),
            Err(
                "error evaluating claim validation expression: validation expression 'claims.role == 'c'' failed: only c",
            ),
        ),
        (
            json!({"userValidationRules": [{"expression": "!user.username.startsWith('id:')", "message": "no"}]}),
            Err(
                "error evaluating user info validation rule: validation expression '!user.username.startsWith('id:')' failed: no",
            ),
        ),
        (
            json!({"userValidationRules": [{"expression": "user.groups.size() == 0 && user.uid == ''"}]}),
            Ok("id:ann [] \"\" {}"),
        ),
    ] {
        assert_eq!(user(&change, &claims), wanted.map(str::to_owned).map_err(str::to_owned), "{change}");
    }
    let elsewhere = json!({"sub": "ann", "_claim_names": {"roles": "src"}});
    let refused = user(&json!({"claimMappings.groups": {"claim": "roles", "prefix": ""}}), &elsewhere).unwrap_err();
    assert_eq!(refused, "claim \"roles\" is neither in the token nor at an endpoint that it names");
}

#[test]
fn a_token_counts_between_its_times_and_for_its_audiences() {
    let issuer = taken(&config(&json!({"issuer.audiences": ["kube", "k2"], "issuer.audienceMatchPolicy": "MatchAny"})))
        .unwrap()
        .find("https://id.example")
        .unwrap();
    let at = |claims: Value| issuer.check(&claims, Timestamp::from_second(1000).unwrap()).map_err(|e| e.to_string());
    assert_eq!(at(json!({"exp": 1001, "aud": "kube"})), Ok(()));
    assert_eq!(at(json!({"exp": 1000.5, "aud": ["x", "k2"], "nbf": 1299})), Ok(()));
    assert_eq!(at(json!({"exp": 1000, "aud": "kube"})), Err("oidc: token is expired".to_owned()));
    assert_eq!(at(json!({"aud": "kube"})), Err("oidc: token is expired".to_owned()));
    assert_eq!(at(json!({"exp": 2000, "nbf": 1301, "aud": "kube"})), Err("oidc: token is not valid yet".to_owned()));
    let refused = at(json!({"exp": 2000, "aud": "x"})).unwrap_err();
    assert_eq!(refused, "oidc: expected audience in [\"kube\", \"k2\"] got [\"x\"]");
}
