//! Whether the rules of a hook name an operation, and in which version the hook then wants to see it.
//! k8s: `plugin/webhook/predicates/rules`, and the Equivalent policy

use super::hook::{Hook, Rule};
use super::{Call, operation};
use kinds::kind::Kind;
use std::sync::Arc;

const ALL: &str = "*";

/// What is written, as a rule sees it.
#[derive(Clone, Copy)]
struct Asked<'a> {
    group: &'a str,
    version: &'a str,
    resource: &'a str,
    subresource: &'a str,
    operation: &'a str,
    namespaced: bool,
}

/// The same objects in other versions.
pub(super) type Equivalents = fn(&Arc<dyn Kind>) -> Vec<Arc<dyn Kind>>;

/// The kind in whose version the hook is asked; `None` where no rule matches.
pub(super) fn matching(hook: &Hook, call: &Call<'_>, equivalents: Equivalents) -> Option<Arc<dyn Kind>> {
    let own = call.request.kind.as_ref()?;
    let itself = call.group().is_empty() && call.resource() == "namespaces";
    let asked = |kind: &Arc<dyn Kind>| -> bool {
        let row = kind.row();
        let asked = Asked {
            group: &row.group,
            version: &row.version,
            resource: &row.plural,
            subresource: call.subresource(),
            operation: operation(call),
            namespaced: !call.ns().is_empty() && !itself,
        };
        hook.rules.iter().any(|rule| rule.names(asked))
    };
    if asked(own) {
        return Some(Arc::clone(own));
    }
    if !hook.equivalent {
        return None;
    }
    equivalents(own).into_iter().find(asked)
}

impl Rule {
    fn names(&self, asked: Asked<'_>) -> bool {
        has(&self.operations, asked.operation)
            && has(&self.api_groups, asked.group)
            && has(&self.api_versions, asked.version)
            && self.names_scope(asked.namespaced)
            && self.resources.iter().any(|pattern| names_resource(pattern, asked.resource, asked.subresource))
    }

    fn names_scope(&self, namespaced: bool) -> bool {
        match self.scope.as_deref() {
            Some("Namespaced") => namespaced,
            Some("Cluster") => !namespaced,
            Some(_) | None => true,
        }
    }
}

/// `pods`, `pods/*`, `*/status`, `*`, `*/*`
fn names_resource(pattern: &str, resource: &str, subresource: &str) -> bool {
    let (parent, sub) = pattern.split_once('/').unwrap_or((pattern, ""));
    (parent == ALL || parent == resource) && (sub == ALL || sub == subresource)
}

fn has(values: &[String], asked: &str) -> bool {
    values.iter().any(|value| value == ALL || value == asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_resources_and_subresources_apart() {
        for (pattern, resource, subresource, named) in [
            ("pods", "pods", "", true),
            ("pods", "pods", "status", false),
            ("pods/*", "pods", "", true),
            ("pods/*", "pods", "exec", true),
            ("pods/exec", "pods", "attach", false),
            ("*", "pods", "", true),
            ("*", "pods", "status", false),
            ("*/status", "pods", "status", true),
            ("*/*", "nodes", "status", true),
        ] {
            assert_eq!(names_resource(pattern, resource, subresource), named, "{pattern} {resource}/{subresource}");
        }
    }

    #[test]
    fn a_rule_names_operation_group_version_and_scope() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let rule = Rule {
            operations: words("CREATE UPDATE"),
            api_groups: words("apps"),
            api_versions: words("v1"),
            resources: words("deployments"),
            scope: Some("Namespaced".to_owned()),
        };
        let asked = Asked {
            group: "apps",
            version: "v1",
            resource: "deployments",
            subresource: "",
            operation: "CREATE",
            namespaced: true,
        };
        assert!(rule.names(asked));
        assert!(!rule.names(Asked { operation: "DELETE", ..asked }));
        assert!(!rule.names(Asked { version: "v2", ..asked }));
        assert!(!rule.names(Asked { namespaced: false, ..asked }));
    }
}
