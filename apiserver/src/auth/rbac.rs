//! Role-based access control over an index that roles and bindings are fed into one change at a time.
//!
//! A decision looks at the bindings of the caller's own user and groups, never at all bindings. Aggregation of cluster
//! roles is a controller's work; the rules here are those that a role carries.

mod rule;

pub use rule::Rule;

use super::Attributes;
use client::identity::Identity;
use parking_lot::RwLock;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// Namespace (empty for cluster roles and their bindings) and name.
pub type Key = (String, String);

/// Whom a binding names. Service accounts are users here, as they are in an [`Identity`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    User(String),
    Group(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct RoleRef {
    /// Key of the role: the namespace is empty for a ClusterRole.
    role: Key,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Binding {
    role: RoleRef,
    subjects: Vec<Subject>,
}

#[derive(Default)]
struct Index {
    roles: HashMap<Key, Arc<[Rule]>>,
    bindings: HashMap<Key, Arc<Binding>>,
    /// Bindings that name a subject, by the binding's namespace.
    by_subject: HashMap<(String, Subject), Vec<Key>>,
}

#[derive(Default)]
pub struct Rbac {
    index: RwLock<Index>,
}

/// A grant that reaches the caller, for reasons and rule reviews.
struct Grant<'a> {
    /// `None`: the role that is bound does not exist.
    rules: Option<&'a Arc<[Rule]>>,
    binding: &'a Key,
    role: &'a RoleRef,
}

impl Grant<'_> {
    fn reason(&self, identity: &Identity) -> String {
        let (ns, name) = self.binding;
        let binding =
            if ns.is_empty() { format!("ClusterRoleBinding {name:?}") } else { format!("RoleBinding \"{name}/{ns}\"") };
        format!("RBAC: allowed by {binding} of {} {:?} to {}", self.role.kind, self.role.role.1, describe(identity))
    }
}

impl RoleRef {
    fn not_found(&self) -> String {
        format!("{}.rbac.authorization.k8s.io {:?} not found", self.kind.to_lowercase(), self.role.1)
    }
}

impl Rbac {
    /// A Role (`ns` set) or ClusterRole came, changed or went.
    pub fn apply_role(&self, ns: &str, name: &str, object: Option<&Value>) {
        let key = (ns.to_owned(), name.to_owned());
        let mut index = self.index.write();
        match object {
            Some(object) => index.roles.insert(key, rule::rules_of(object).into()),
            None => index.roles.remove(&key),
        };
    }

    /// A RoleBinding (`ns` set) or ClusterRoleBinding came, changed or went.
    pub fn apply_binding(&self, ns: &str, name: &str, object: Option<&Value>) {
        let key = (ns.to_owned(), name.to_owned());
        let mut index = self.index.write();
        if let Some(old) = index.bindings.remove(&key) {
            for subject in &old.subjects {
                let slot = (ns.to_owned(), subject.clone());
                if let Some(keys) = index.by_subject.get_mut(&slot) {
                    keys.retain(|other| *other != key);
                    if keys.is_empty() {
                        index.by_subject.remove(&slot);
                    }
                }
            }
        }
        let Some(binding) = object.and_then(|object| binding_of(ns, object)) else { return };
        for subject in &binding.subjects {
            index.by_subject.entry((ns.to_owned(), subject.clone())).or_default().push(key.clone());
        }
        index.bindings.insert(key, Arc::new(binding));
    }

    /// The reason where some rule allows it; otherwise what kept a binding from counting, mostly nothing.
    pub fn authorize(&self, identity: &Identity, attributes: &Attributes<'_>) -> Result<String, String> {
        let index = self.index.read();
        let mut missing = Vec::new();
        for grant in index.grants(identity, attributes.namespace) {
            let Some(rules) = grant.rules else {
                missing.push(grant.role.not_found());
                continue;
            };
            if rules.iter().any(|rule| rule.allows(attributes)) {
                return Ok(grant.reason(identity));
            }
        }
        missing.sort_unstable();
        missing.dedup();
        match missing.as_slice() {
            [] => Err(String::new()),
            [only] => Err(format!("RBAC: {only}")),
            many => Err(format!("RBAC: [{}]", many.join(", "))),
        }
    }

    /// Everything that the caller may do in `namespace` (empty: cluster-wide only).
    pub fn rules_for(&self, identity: &Identity, namespace: &str) -> Vec<Rule> {
        let index = self.index.read();
        let rules = index.grants(identity, namespace).filter_map(|grant| grant.rules);
        rules.flat_map(|rules| rules.iter().cloned()).collect()
    }

    /// Rules of a role by its reference, `None` where it does not exist.
    pub fn role(&self, ns: &str, name: &str) -> Option<Arc<[Rule]>> {
        self.index.read().roles.get(&(ns.to_owned(), name.to_owned())).cloned()
    }

    /// Rules of `wanted` that `identity` does not itself hold in `namespace`: writing them would escalate.
    /// k8s: `rbac/validation.ConfirmNoEscalation`
    pub fn missing(&self, identity: &Identity, namespace: &str, wanted: &[Rule]) -> Vec<Rule> {
        let owned = self.rules_for(identity, namespace);
        let parts = wanted.iter().flat_map(Rule::breakdown);
        rule::compact(parts.filter(|part| !owned.iter().any(|rule| rule.covers(part))))
    }
}

impl Index {
    /// Cluster-wide grants first, then those of the namespace.
    fn grants<'a>(&'a self, identity: &'a Identity, namespace: &'a str) -> impl Iterator<Item = Grant<'a>> {
        let scopes = std::iter::once("").chain((!namespace.is_empty()).then_some(namespace));
        scopes
            .flat_map(move |scope| {
                let user = std::iter::once(Subject::User(identity.user.clone()));
                let subjects = user.chain(identity.groups.iter().cloned().map(Subject::Group));
                subjects
                    .flat_map(move |subject| self.by_subject.get(&(scope.to_owned(), subject)).into_iter().flatten())
            })
            .filter_map(|key| {
                let binding = self.bindings.get(key)?;
                let rules = self.roles.get(&binding.role.role);
                Some(Grant { rules, binding: key, role: &binding.role })
            })
    }
}

fn describe(identity: &Identity) -> String {
    match super::service_account::split_user(&identity.user) {
        Some((ns, name)) => format!("ServiceAccount \"{name}/{ns}\""),
        None => format!("User {:?}", identity.user),
    }
}

fn binding_of(ns: &str, object: &Value) -> Option<Binding> {
    let reference = object.get("roleRef")?;
    let name = reference.get("name")?.as_str()?.to_owned();
    let role = match reference.get("kind")?.as_str()? {
        "ClusterRole" => RoleRef { role: (String::new(), name), kind: "ClusterRole" },
        "Role" if !ns.is_empty() => RoleRef { role: (ns.to_owned(), name), kind: "Role" },
        _ => return None,
    };
    let subjects = object.get("subjects").and_then(Value::as_array).into_iter().flatten();
    Some(Binding { role, subjects: subjects.filter_map(|subject| subject_of(ns, subject)).collect() })
}

fn subject_of(binding_ns: &str, subject: &Value) -> Option<Subject> {
    let text = |field: &str| subject.get(field).and_then(Value::as_str);
    let name = text("name")?;
    match text("kind")? {
        "User" => Some(Subject::User(name.to_owned())),
        "Group" => Some(Subject::Group(name.to_owned())),
        "ServiceAccount" => {
            let ns = text("namespace").filter(|ns| !ns.is_empty()).unwrap_or(binding_ns);
            (!ns.is_empty()).then(|| Subject::User(super::service_account::identity_of(ns, name).user))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
