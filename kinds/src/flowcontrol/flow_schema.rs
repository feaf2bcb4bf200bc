//! FlowSchema (flowcontrol.apiserver.k8s.io/v1).

use super::bootstrap::{fixed_spec, flow_schemas};
use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, format, invalid_each, one_of};
use k8s_openapi::api::flowcontrol::v1::{
    FlowSchema, FlowSchemaSpec, NonResourcePolicyRule, PolicyRulesWithSubjects, ResourcePolicyRule, Subject,
};
use serde_json::Value;

const PRECEDENCE: i32 = 1000;
const PRECEDENCE_MAX: i32 = 10_000;
const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];

pub(crate) struct FlowSchemaKind;

impl TypedKind for FlowSchemaKind {
    type Object = FlowSchema;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn default(schema: &mut FlowSchema) {
        let spec = &mut schema.spec;
        if spec.matching_precedence.unwrap_or_default() == 0 {
            spec.matching_precedence = Some(PRECEDENCE);
        }
    }

    fn validate(schema: &FlowSchema) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let name = schema.metadata.name.as_deref().unwrap_or_default();
        let spec = &schema.spec;
        precedence(spec, name, &path.child("matchingPrecedence"), &mut errors);
        if let Some(method) = &spec.distinguisher_method {
            one_of(
                &method.type_,
                &["ByNamespace", "ByUser"],
                &path.child("distinguisherMethod").child("type"),
                &mut errors,
            );
        }
        let at = path.child("priorityLevelConfiguration");
        match spec.priority_level_configuration.name.as_str() {
            "" => errors.push(FieldError::required(at.child("name"), "must reference a priority level")),
            level => invalid_each(level, format::dns_subdomain(level), &at.child("name"), &mut errors),
        }
        let list = path.child("rules");
        for (i, rule) in each(&spec.rules).enumerate() {
            self::rule(rule, &list.index(i), &mut errors);
        }
        if let Some(fixed) = fixed_spec(name, flow_schemas)
            && serde_json::to_value(spec).is_ok_and(|spec| spec != fixed)
        {
            errors.push(FieldError::invalid(path, spec, format!("spec of '{name}' must equal the fixed value")));
        }
        errors
    }
}

fn precedence(spec: &FlowSchemaSpec, name: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    let value = spec.matching_precedence.unwrap_or_default();
    if value <= 0 {
        errors.push(FieldError::invalid(path, value, "must be a positive value"));
    }
    if value > PRECEDENCE_MAX {
        errors.push(FieldError::invalid(path, value, format!("must not be greater than {PRECEDENCE_MAX}")));
    }
    if value == 1 && name != "exempt" {
        let detail = "only the schema named 'exempt' may have matchingPrecedence 1";
        errors.push(FieldError::invalid(path, value, detail));
    }
}

fn rule(rule: &PolicyRulesWithSubjects, path: &Path<'_>, errors: &mut FieldErrors) {
    let subjects = path.child("subjects");
    if rule.subjects.is_empty() {
        errors.push(FieldError::required(subjects, "subjects must contain at least one value"));
    }
    for (i, subject) in rule.subjects.iter().enumerate() {
        self::subject(subject, &subjects.index(i), errors);
    }
    if each(&rule.resource_rules).len() == 0 && each(&rule.non_resource_rules).len() == 0 {
        let detail = "at least one of resourceRules and nonResourceRules has to be non-empty";
        errors.push(FieldError::required(path, detail));
    }
    let (resources, urls) = (path.child("resourceRules"), path.child("nonResourceRules"));
    for (i, rule) in each(&rule.resource_rules).enumerate() {
        resource_rule(rule, &resources.index(i), errors);
    }
    for (i, rule) in each(&rule.non_resource_rules).enumerate() {
        non_resource_rule(rule, &urls.index(i), errors);
    }
}

fn subject(subject: &Subject, path: &Path<'_>, errors: &mut FieldErrors) {
    let parts = [
        ("ServiceAccount", "serviceAccount", subject.service_account.as_ref().map(|account| account.name.as_str())),
        ("User", "user", subject.user.as_ref().map(|user| user.name.as_str())),
        ("Group", "group", subject.group.as_ref().map(|group| group.name.as_str())),
    ];
    let kind = subject.kind.as_str();
    if !parts.iter().any(|(known, _, _)| *known == kind) {
        one_of(kind, &["Group", "ServiceAccount", "User"], &path.child("kind"), errors);
        return;
    }
    for (known, field, name) in parts {
        let at = path.child(field);
        match name {
            None if known == kind => {
                errors.push(FieldError::required(at, format!("{field} is required when subject kind is '{known}'")));
            }
            Some("") if known == kind => errors.push(FieldError::required(at.child("name"), "")),
            Some(_) if known != kind => {
                let detail = format!("{field} is forbidden when subject kind is not '{known}'");
                errors.push(FieldError::forbidden(at, detail));
            }
            Some(_) | None => {}
        }
    }
    if let Some(account) = subject.service_account.as_ref().filter(|_| kind == "ServiceAccount") {
        let at = path.child("serviceAccount");
        if !matches!(account.name.as_str(), "" | "*") {
            invalid_each(&account.name, format::dns_subdomain(&account.name), &at.child("name"), errors);
        }
        match account.namespace.as_str() {
            "" => {
                let detail = "must specify namespace for service account";
                errors.push(FieldError::required(at.child("namespace"), detail));
            }
            ns => invalid_each(ns, format::dns_label(ns), &at.child("namespace"), errors),
        }
    }
}

fn is_wild(list: &[String]) -> bool {
    list.iter().any(|item| item == "*")
}

fn verbs(all: &[String], path: &Path<'_>, errors: &mut FieldErrors) {
    if all.is_empty() {
        errors.push(FieldError::required(path, "verbs must contain at least one value"));
    } else if is_wild(all) {
        alone(all, "verbs", path, errors);
    } else if !all.iter().all(|verb| VERBS.contains(&verb.as_str())) {
        errors.push(FieldError::not_supported(path, all, VERBS));
    }
}

/// `*` must stand alone.
fn alone(all: &[String], words: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    if all.len() > 1 && is_wild(all) {
        let detail = format!("if '*' is present, must not specify other {words}");
        errors.push(FieldError::invalid(path, all, detail));
    }
}

fn resource_rule(rule: &ResourcePolicyRule, path: &Path<'_>, errors: &mut FieldErrors) {
    verbs(&rule.verbs, &path.child("verbs"), errors);
    let lists = [
        ("apiGroups", &rule.api_groups, "resource rules must supply at least one api group", "api groups"),
        ("resources", &rule.resources, "resource rules must supply at least one resource", "resources"),
    ];
    for (field, list, missing, words) in lists {
        let at = path.child(field);
        if list.is_empty() {
            errors.push(FieldError::required(at, missing));
        }
        alone(list, words, &at, errors);
    }
    let (at, namespaces) = (path.child("namespaces"), each(&rule.namespaces).as_slice());
    if namespaces.is_empty() && rule.cluster_scope != Some(true) {
        let detail = "resource rules that are not cluster scoped must supply at least one namespace";
        errors.push(FieldError::required(at, detail));
    }
    if is_wild(namespaces) {
        alone(namespaces, "namespaces", &at, errors);
        return;
    }
    for (i, ns) in namespaces.iter().enumerate() {
        for detail in format::dns_label(ns) {
            let detail = format!("each member of this list must be '*' or a DNS-1123 label; {detail}");
            errors.push(FieldError::invalid(at.index(i), ns, detail));
        }
    }
}

fn non_resource_rule(rule: &NonResourcePolicyRule, path: &Path<'_>, errors: &mut FieldErrors) {
    verbs(&rule.verbs, &path.child("verbs"), errors);
    let (at, urls) = (path.child("nonResourceURLs"), rule.non_resource_urls.as_slice());
    if urls.is_empty() {
        errors.push(FieldError::required(at, "nonResourceURLs must contain at least one value"));
    }
    if is_wild(urls) {
        alone(urls, "non-resource URLs", &at, errors);
        return;
    }
    for (i, url) in urls.iter().enumerate() {
        let wild = url.matches('*').count();
        let detail = match url.as_str() {
            "" => "must not be empty",
            _ if !url.starts_with('/') => "must start with slash",
            _ if url.contains(' ') => "must not contain white-space",
            _ if url.contains("//") => "must not contain double slash",
            _ if wild > 1 || (wild == 1 && !url.ends_with("/*")) => "wildcard can only do suffix matching",
            _ => continue,
        };
        errors.push(FieldError::invalid(at.index(i), url, detail));
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.flowcontrol.v1.FlowSchema" "flowcontrol.apiserver.k8s.io" "v1" "FlowSchema" "flowschemas" "flowschema" Cluster,
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("PriorityLevel", "string"),
        Column::new("MatchingPrecedence", "integer"),
        Column::new("DistinguisherMethod", "string"),
        AGE,
        Column::new("MissingPL", "string"),
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        cells::or_none(Some(tree::text(object, "spec.priorityLevelConfiguration.name"))).into(),
        tree::integer(object, "spec.matchingPrecedence").into(),
        cells::or_none(Some(tree::text(object, "spec.distinguisherMethod.type"))).into(),
        cells::of::age(object, now_unix_secs),
        cells::of::condition(object, "Dangling").unwrap_or("?").into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn every_schema_of_a_new_cluster_is_valid_and_complete() {
        for schema in flow_schemas() {
            let stored = check::defaulted::<FlowSchemaKind>(schema.clone());
            assert_eq!(stored["spec"], schema["spec"], "{}", schema["metadata"]["name"]);
            assert_eq!(check::create::<FlowSchemaKind>(schema), "");
        }
    }

    #[test]
    fn a_schema_names_who_asks_what() {
        expect![[r#"
            spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1
            spec.priorityLevelConfiguration.name: Required value: must reference a priority level
            spec.rules[0].subjects[0].user: Required value: user is required when subject kind is 'User'
            spec.rules[0].subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'
            spec.rules[0].resourceRules[0].verbs: Unsupported value: ["fetch"]: supported values: "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"
            spec.rules[0].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace
            spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "/a*b": wildcard can only do suffix matching"#]]
        .assert_eq(&check::create::<FlowSchemaKind>(json!({"spec": {"matchingPrecedence": 1, "rules": [{
            "subjects": [{"kind": "User", "group": {"name": "g"}}],
            "resourceRules": [{"verbs": ["fetch"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["/a*b"]}],
        }]}})));
        let mut fixed = flow_schemas().remove(1);
        fixed["spec"]["matchingPrecedence"] = 9999.into();
        assert!(check::create::<FlowSchemaKind>(fixed).ends_with("spec of 'catch-all' must equal the fixed value"));
    }
}
