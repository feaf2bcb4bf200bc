//! Expressions over one value, as the files have them that configure an API server: `claims` of a token, the `user` that
//! is made of them, and the `request` that somebody is to allow. Expressions of objects are elsewhere (`admission`, `custom`).
//! k8s: `apiserver/pkg/authentication/cel`, `apiserver/pkg/authorization/cel`

use crate::cel::{Budget, Environment, EvalError, Program, Ty, Val};
use crate::custom::structural::Structural;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Steps that an expression may take for one value.
/// k8s: RuntimeCELCostBudget
const COST_MAX: u64 = 10_000_000;

static USER: LazyLock<Structural> = LazyLock::new(|| {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": text});
    Structural::compile(&json!({"type": "object", "properties": {
        "username": text, "uid": text, "groups": texts,
        "extra": {"type": "object", "additionalProperties": texts},
    }}))
});

/// The spec of a SubjectAccessReview. k8s: buildRequestType
static REVIEW: LazyLock<Structural> = LazyLock::new(|| {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": text});
    let requirement = json!({"type": "object", "properties": {"key": text, "operator": text, "values": texts}});
    let selector = json!({"type": "object", "properties": {
        "rawSelector": text, "requirements": {"type": "array", "items": requirement},
    }});
    Structural::compile(&json!({"type": "object", "properties": {
        "resourceAttributes": {"type": "object", "properties": {
            "namespace": text, "verb": text, "group": text, "version": text, "resource": text, "subresource": text,
            "name": text, "fieldSelector": selector, "labelSelector": selector,
        }},
        "nonResourceAttributes": {"type": "object", "properties": {"path": text, "verb": text}},
        "user": text, "groups": texts, "uid": text,
        "extra": {"type": "object", "additionalProperties": texts},
    }}))
});

/// What an expression is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// `claims`: a map of anything.
    Claims,
    /// `user`: `username`, `uid`, `groups` and `extra`, all of which are there.
    User,
    /// `request`: the spec of a SubjectAccessReview; of its attributes, those of a resource or the others are there.
    Review,
}

impl About {
    const fn name(self) -> &'static str {
        match self {
            Self::Claims => "claims",
            Self::User => "user",
            Self::Review => "request",
        }
    }

    fn schema(self) -> Option<&'static Structural> {
        match self {
            Self::Claims => None,
            Self::User => Some(&USER),
            Self::Review => Some(&REVIEW),
        }
    }
}

/// What an expression has to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yields {
    Bool,
    Anything,
}

/// One that compiles.
#[derive(Debug)]
pub struct Expression {
    about: About,
    program: Program,
    source: String,
}

impl Expression {
    /// The error is upstream's text.
    pub fn compile(source: &str, about: About, yields: Yields) -> Result<Self, String> {
        let ty = about.schema().map_or(Ty::Dyn, Ty::of);
        let program = Program::compile(source, &Environment::new([(about.name(), ty)]))?;
        if yields == Yields::Bool && *program.result() != Ty::Bool {
            return Err(match about {
                About::Claims | About::User => "must evaluate to bool".to_owned(),
                About::Review => format!("must evaluate to bool but got {}", program.result().shown()),
            });
        }
        Ok(Self { about, program, source: source.to_owned() })
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it looks at a field of what it is about.
    pub fn selects(&self, field: &str) -> bool {
        self.program.selects(self.about.name(), field)
    }

    pub fn evaluate(&self, value: &Value) -> Result<Value, String> {
        let names = [(self.about.name(), Val::of(value, self.about.schema()))];
        let found = self.program.evaluate(&names, &mut Budget::new(COST_MAX));
        let found = found.map_err(|error| match error {
            EvalError::Failed(why) => why,
            EvalError::CallCost | EvalError::TotalCost => "operation cancelled: actual cost limit exceeded".to_owned(),
        });
        found.and_then(|found| found.to_json(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(source: &str) -> Expression {
        Expression::compile(source, About::Claims, Yields::Anything).unwrap()
    }

    #[test]
    fn claims_are_whatever_the_token_has() {
        let token = json!({"sub": "ann", "roles": ["a", "b"], "age": 7, "address": {"city": "x"}});
        for (source, wanted) in [
            ("'u:' + claims.sub", json!("u:ann")),
            ("claims.roles.map(r, 'g:' + r)", json!(["g:a", "g:b"])),
            ("claims.?email.orValue('none')", json!("none")),
            ("has(claims.age) && claims.age < 8", json!(true)),
            ("claims.address.city", json!("x")),
            ("claims['sub'].startsWith('a') ? claims.roles : []", json!(["a", "b"])),
        ] {
            assert_eq!(claims(source).evaluate(&token), Ok(wanted), "{source}");
        }
        assert_eq!(claims("claims.nobody").evaluate(&token), Err("no such key: nobody".to_owned()));
    }

    #[test]
    fn a_condition_has_to_be_one() {
        let condition = |source| Expression::compile(source, About::Claims, Yields::Bool).map(|_| ());
        for source in
            ["claims.a == 'b'", "claims.a.startsWith('b')", "claims.roles.exists(r, r == 'a')", "'a' in claims"]
        {
            assert_eq!(condition(source), Ok(()), "{source}");
        }
        assert_eq!(condition("claims.sub"), Err("must evaluate to bool".to_owned()));
        assert!(condition("clams.sub == 'a'").unwrap_err().contains("undeclared reference to 'clams'"));
    }

    #[test]
    fn a_user_has_four_fields_and_no_others() {
        let user = json!({"username": "ann", "uid": "", "groups": ["a"], "extra": {"k/x": ["v"]}});
        let rule = |source| Expression::compile(source, About::User, Yields::Bool);
        let holds = |source| rule(source).unwrap().evaluate(&user);
        assert_eq!(holds("!user.username.startsWith('system:')"), Ok(json!(true)));
        assert_eq!(holds("user.groups.all(g, g != 'a')"), Ok(json!(false)));
        assert_eq!(holds("user.extra['k/x'] == ['v']"), Ok(json!(true)));
        assert!(rule("user.name == ''").unwrap_err().contains("undefined field 'name'"));
    }

    #[test]
    fn a_review_is_about_a_resource_or_about_a_path() {
        let review = json!({"user": "ann", "groups": ["a"], "uid": "", "extra": {}, "resourceAttributes": {
            "namespace": "n", "verb": "list", "group": "", "version": "v1", "resource": "pods", "subresource": "", "name": "",
            "labelSelector": {"requirements": [{"key": "app", "operator": "In", "values": ["web"]}]},
        }});
        let rule = |source| Expression::compile(source, About::Review, Yields::Bool);
        let holds = |source| rule(source).unwrap().evaluate(&review);
        for (source, wanted) in [
            ("has(request.resourceAttributes)", true),
            ("has(request.nonResourceAttributes)", false),
            ("request.resourceAttributes.namespace == 'n' && !('system:masters' in request.groups)", true),
            (
                "request.resourceAttributes.labelSelector.requirements.exists(r, r.key == 'app' && 'web' in r.values)",
                true,
            ),
            ("has(request.resourceAttributes.fieldSelector)", false),
            ("request.?extra['x'].hasValue()", false),
        ] {
            assert_eq!(holds(source), Ok(json!(wanted)), "{source}");
        }
        assert!(holds("request.nonResourceAttributes.path == '/x'").unwrap_err().contains("no such key"));
        assert_eq!(rule("request.user").unwrap_err(), "must evaluate to bool but got string");
        assert!(rule("request.group == ''").unwrap_err().contains("undefined field 'group'"));
    }

    #[test]
    fn fields_are_found_wherever_an_expression_looks_at_them() {
        for source in ["claims.email", "has(claims.email)", "claims.?email.orValue('')", "['x', claims.email][0] + 'a'"]
        {
            assert!(claims(source).selects("email"), "{source}");
        }
        for source in ["claims.sub", "claims.a.email", "'email'", "claims.email_verified"] {
            assert!(!claims(source).selects("email"), "{source}");
        }
    }
}
