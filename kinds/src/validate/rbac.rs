//! Rules that the four RBAC kinds share: policy rules, role references, subjects, and their defaults.

use super::path::Path;
use super::{each, format, given, invalid_each, one_of};
use crate::errors::{FieldError, FieldErrors};
use crate::row::Scope;
use k8s_openapi::api::rbac::v1::{PolicyRule, RoleRef, Subject};

const GROUP: &str = "rbac.authorization.k8s.io";
const ROLE_REF: Path<'static> = Path::new("roleRef");

pub fn default_binding(role: &mut RoleRef, subjects: Option<&mut Vec<Subject>>) {
    if given(role.api_group.as_ref()).is_none() {
        role.api_group = Some(GROUP.to_owned());
    }
    for subject in subjects.into_iter().flatten() {
        if matches!(subject.kind.as_str(), "User" | "Group") && given(subject.api_group.as_ref()).is_none() {
            subject.api_group = Some(GROUP.to_owned());
        }
    }
}

pub fn rules(rules: &[PolicyRule], scope: Scope, errors: &mut FieldErrors) {
    let list = Path::new("rules");
    for (i, rule) in rules.iter().enumerate() {
        self::rule(rule, scope, &list.index(i), errors);
    }
}

fn rule(rule: &PolicyRule, scope: Scope, path: &Path<'_>, errors: &mut FieldErrors) {
    if rule.verbs.is_empty() {
        errors.push(FieldError::required(path.child("verbs"), "verbs must contain at least one value"));
    }
    let urls = each(&rule.non_resource_urls).as_slice();
    let groups = each(&rule.api_groups).as_slice();
    let resources = each(&rule.resources).as_slice();
    if !urls.is_empty() {
        let at = path.child("nonResourceURLs");
        if scope == Scope::Namespaced {
            let detail = "namespaced rules cannot apply to non-resource URLs";
            errors.push(FieldError::invalid(at, urls, detail));
        }
        if !groups.is_empty() || !resources.is_empty() || each(&rule.resource_names).next().is_some() {
            let detail = "rules cannot apply to both regular resources and non-resource URLs";
            errors.push(FieldError::invalid(at, urls, detail));
        }
        return;
    }
    if groups.is_empty() {
        let detail = "resource rules must supply at least one api group";
        errors.push(FieldError::required(path.child("apiGroups"), detail));
    }
    if resources.is_empty() {
        let detail = "resource rules must supply at least one resource";
        errors.push(FieldError::required(path.child("resources"), detail));
    }
}

/// `scope` is that of the binding: a cluster-wide one names only cluster roles, and accounts with their namespace.
pub fn binding(role: &RoleRef, subjects: &[Subject], scope: Scope, errors: &mut FieldErrors) {
    let group = role.api_group.as_deref().unwrap_or_default();
    one_of(group, &[GROUP], &ROLE_REF.child("apiGroup"), errors);
    let kinds: &[&str] = match scope {
        Scope::Namespaced => &["ClusterRole", "Role"],
        Scope::Cluster => &["ClusterRole"],
    };
    one_of(&role.kind, kinds, &ROLE_REF.child("kind"), errors);
    if role.name.is_empty() {
        errors.push(FieldError::required(ROLE_REF.child("name"), ""));
    } else {
        invalid_each(&role.name, format::path_segment(&role.name), &ROLE_REF.child("name"), errors);
    }
    let list = Path::new("subjects");
    for (i, subject) in subjects.iter().enumerate() {
        self::subject(subject, scope, &list.index(i), errors);
    }
}

fn subject(subject: &Subject, scope: Scope, path: &Path<'_>, errors: &mut FieldErrors) {
    if subject.name.is_empty() {
        errors.push(FieldError::required(path.child("name"), ""));
    }
    let group = subject.api_group.as_deref().unwrap_or_default();
    match subject.kind.as_str() {
        "ServiceAccount" => {
            if !subject.name.is_empty() {
                invalid_each(&subject.name, format::dns_subdomain(&subject.name), &path.child("name"), errors);
            }
            one_of(group, &[""], &path.child("apiGroup"), errors);
            if scope == Scope::Cluster && given(subject.namespace.as_ref()).is_none() {
                errors.push(FieldError::required(path.child("namespace"), ""));
            }
        }
        "User" | "Group" => one_of(group, &[GROUP], &path.child("apiGroup"), errors),
        other => {
            let known = ["ServiceAccount", "User", "Group"];
            errors.push(FieldError::not_supported(path.child("kind"), other, &known));
        }
    }
}

/// A binding is for one role for life: changing it would hand out other rights under an old name.
pub fn same_role(new: &RoleRef, old: &RoleRef, errors: &mut FieldErrors) {
    if new != old {
        errors.push(FieldError::invalid(ROLE_REF, new, "cannot change roleRef"));
    }
}
