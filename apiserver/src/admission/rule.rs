//! Whether a rule of a webhook or policy names an operation. k8s: `plugin/webhook/predicates/rules`

use super::Call;
use kinds::kind::Kind;
use serde::Deserialize;

const ALL: &str = "*";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Rule {
    operations: Vec<String>,
    api_groups: Vec<String>,
    api_versions: Vec<String>,
    resources: Vec<String>,
    scope: Option<String>,
    /// Of policies only; empty: every name.
    resource_names: Vec<String>,
}

/// What is written, as a rule sees it.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    group: &'a str,
    version: &'a str,
    resource: &'a str,
    subresource: &'a str,
    operation: &'a str,
    namespaced: bool,
    name: &'a str,
}

impl<'a> Asked<'a> {
    /// The operation, in the version that `kind` is. `name` is that of the object.
    pub(super) fn of(call: &Call<'a>, kind: &'a dyn Kind, name: &'a str) -> Self {
        let row = kind.row();
        Self {
            group: &row.group,
            version: &row.version,
            resource: &row.plural,
            subresource: call.subresource(),
            operation: call.operation.word(),
            namespaced: !call.ns_of_object().is_empty(),
            name,
        }
    }
}

impl Rule {
    pub(super) fn names(&self, asked: Asked<'_>) -> bool {
        has(&self.operations, asked.operation)
            && has(&self.api_groups, asked.group)
            && has(&self.api_versions, asked.version)
            && self.names_scope(asked.namespaced)
            && self.resources.iter().any(|pattern| names_resource(pattern, asked.resource, asked.subresource))
            && (self.resource_names.is_empty() || self.resource_names.iter().any(|name| name == asked.name))
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
    fn a_rule_names_operation_group_version_scope_and_name() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let rule = Rule {
            operations: words("CREATE UPDATE"),
            api_groups: words("apps"),
            api_versions: words("v1"),
            resources: words("deployments"),
            scope: Some("Namespaced".to_owned()),
            resource_names: words("web"),
        };
        let asked = Asked {
            group: "apps",
            version: "v1",
            resource: "deployments",
            subresource: "",
            operation: "CREATE",
            namespaced: true,
            name: "web",
        };
        assert!(rule.names(asked));
        assert!(!rule.names(Asked { operation: "DELETE", ..asked }));
        assert!(!rule.names(Asked { version: "v2", ..asked }));
        assert!(!rule.names(Asked { namespaced: false, ..asked }));
        assert!(!rule.names(Asked { name: "db", ..asked }));
    }
}
