//! Which flow schema a request belongs to, and which flow of it. Pure.
//! k8s: `apiserver/pkg/util/flowcontrol/rule.go`

use crate::request::Target;
use client::identity::Identity;
use k8s_openapi::api::flowcontrol::v1::{
    FlowSchemaSpec, NonResourcePolicyRule, PolicyRulesWithSubjects, ResourcePolicyRule, Subject,
};
use kinds::validate::each;

const ALL: &str = "*";
const ACCOUNT_PREFIX: &str = "system:serviceaccount:";

/// A request in the words of flow schemas.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    identity: &'a Identity,
    verb: &'a str,
    what: What<'a>,
}

#[derive(Clone, Copy)]
enum What<'a> {
    Resource { group: &'a str, resource: &'a str, subresource: &'a str, ns: &'a str },
    Path(&'a str),
}

impl<'a> Asked<'a> {
    pub(crate) fn of(target: &'a Target) -> Self {
        match target {
            Target::Resource(request) => Self {
                identity: &request.identity,
                verb: request.verb.as_str(),
                what: What::Resource {
                    group: &request.group,
                    resource: &request.resource,
                    subresource: &request.subresource,
                    ns: &request.ns,
                },
            },
            Target::NonResource(request) => {
                Self { identity: &request.identity, verb: &request.verb, what: What::Path(&request.path) }
            }
        }
    }

    /// What tells the flows of a schema apart.
    pub(super) fn distinguisher(&self, spec: &FlowSchemaSpec) -> &'a str {
        match (spec.distinguisher_method.as_ref().map(|method| method.type_.as_str()), self.what) {
            (Some("ByUser"), _) => &self.identity.user,
            (Some("ByNamespace"), What::Resource { ns, .. }) => ns,
            _ => "",
        }
    }
}

pub(super) fn matches(spec: &FlowSchemaSpec, asked: &Asked<'_>) -> bool {
    each(&spec.rules).any(|rule| rule_matches(rule, asked))
}

fn rule_matches(rule: &PolicyRulesWithSubjects, asked: &Asked<'_>) -> bool {
    if !rule.subjects.iter().any(|subject| is(subject, asked.identity)) {
        return false;
    }
    match asked.what {
        What::Resource { group, resource, subresource, ns } => each(&rule.resource_rules).any(|rule| {
            has(&rule.verbs, asked.verb)
                && has(&rule.api_groups, group)
                && names(&rule.resources, resource, subresource)
                && reaches(rule, ns)
        }),
        What::Path(path) => {
            each(&rule.non_resource_rules).any(|rule| has(&rule.verbs, asked.verb) && leads(rule, path))
        }
    }
}

fn is(subject: &Subject, identity: &Identity) -> bool {
    match subject.kind.as_str() {
        "User" => subject.user.as_ref().is_some_and(|user| user.name == ALL || user.name == identity.user),
        "Group" => {
            subject.group.as_ref().is_some_and(|group| group.name == ALL || identity.groups.contains(&group.name))
        }
        "ServiceAccount" => subject.service_account.as_ref().is_some_and(|account| {
            let own = identity.user.strip_prefix(ACCOUNT_PREFIX).and_then(|rest| rest.split_once(':'));
            own.is_some_and(|(ns, name)| ns == account.namespace && (account.name == ALL || account.name == name))
        }),
        _ => false,
    }
}

fn has(list: &[String], word: &str) -> bool {
    list.iter().any(|known| known == ALL || known == word)
}

/// `pods` or `pods/log`
fn names(list: &[String], resource: &str, subresource: &str) -> bool {
    list.iter().any(|known| match (known.as_str(), subresource) {
        (ALL, _) => true,
        (known, "") => known == resource,
        (known, subresource) => known.split_once('/') == Some((resource, subresource)),
    })
}

fn reaches(rule: &ResourcePolicyRule, ns: &str) -> bool {
    match ns {
        "" => rule.cluster_scope == Some(true),
        ns => has(each(&rule.namespaces).as_slice(), ns),
    }
}

fn leads(rule: &NonResourcePolicyRule, path: &str) -> bool {
    rule.non_resource_urls.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => known == path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::parse;
    use http::Method;
    use k8s_openapi::api::flowcontrol::v1::FlowSchema;
    use kinds::flowcontrol::bootstrap;
    use serde::Deserialize;

    /// The suggested schema that takes a request.
    fn taken(user: &str, groups: &[&str], method: &Method, uri: &str) -> (String, String) {
        let mut schemas: Vec<FlowSchema> =
            bootstrap::flow_schemas().iter().map(|schema| FlowSchema::deserialize(schema).unwrap()).collect();
        super::super::sort(&mut schemas);
        let identity = Identity::new(user, groups.iter().copied());
        let (path, query) = uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
        let target = parse(method, path, query, identity, |_, _, _| None).unwrap();
        let asked = Asked::of(&target);
        let found = schemas.iter().find(|schema| matches(&schema.spec, &asked)).expect("catch-all takes everything");
        (found.metadata.name.clone().unwrap(), asked.distinguisher(&found.spec).to_owned())
    }

    /// User, groups, method, URI; the schema, and what tells the flow apart.
    type Row<'a> = (&'a str, &'a [&'a str], &'a Method, &'a str, &'a str, &'a str);

    #[test]
    fn the_suggested_schemas_take_what_they_are_meant_for() {
        let everyone = "system:authenticated";
        let rows: &[Row<'_>] = &[
            ("admin", &["system:masters", everyone], &Method::GET, "/api/v1/pods", "exempt", ""),
            ("system:anonymous", &["system:unauthenticated"], &Method::GET, "/healthz", "probes", ""),
            ("u", &[everyone], &Method::GET, "/healthz/ping", "global-default", "u"),
            ("u", &[everyone], &Method::GET, "/api/v1/pods", "global-default", "u"),
            (
                "system:kube-scheduler",
                &[everyone],
                &Method::PUT,
                "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/s",
                "system-leader-election",
                "system:kube-scheduler",
            ),
            ("system:kube-scheduler", &[everyone], &Method::GET, "/api/v1/namespaces/a/pods", "kube-scheduler", "a"),
            (
                "system:node:n",
                &["system:nodes", everyone],
                &Method::PATCH,
                "/api/v1/nodes/n/status",
                "system-node-high",
                "system:node:n",
            ),
            (
                "system:node:n",
                &["system:nodes", everyone],
                &Method::GET,
                "/api/v1/nodes/n/proxy",
                "system-nodes",
                "system:node:n",
            ),
            (
                "system:serviceaccount:kube-system:x",
                &["system:serviceaccounts", everyone],
                &Method::GET,
                "/api/v1/namespaces/kube-system/pods?watch=1",
                "kube-system-service-accounts",
                "kube-system",
            ),
            (
                "system:serviceaccount:a:x",
                &["system:serviceaccounts", everyone],
                &Method::GET,
                "/version",
                "service-accounts",
                "system:serviceaccount:a:x",
            ),
        ];
        for (user, groups, method, uri, schema, flow) in rows {
            assert_eq!(taken(user, groups, method, uri), ((*schema).to_owned(), (*flow).to_owned()), "{user} {uri}");
        }
    }

    #[test]
    fn a_rule_for_a_resource_is_none_for_its_subresources_nor_for_all_namespaces() {
        let list = ["pods".to_owned(), "nodes/status".to_owned()];
        assert!(names(&list, "pods", "") && names(&list, "nodes", "status"));
        assert!(!names(&list, "pods", "log") && !names(&list, "nodes", ""));
        let rule = ResourcePolicyRule { namespaces: Some(vec![ALL.to_owned()]), ..ResourcePolicyRule::default() };
        assert!(reaches(&rule, "a") && !reaches(&rule, ""));
        let paths =
            NonResourcePolicyRule { non_resource_urls: vec!["/a/*".to_owned(), "/b".to_owned()], verbs: vec![] };
        assert!(leads(&paths, "/a/b") && leads(&paths, "/b") && !leads(&paths, "/b/c") && !leads(&paths, "/a"));
    }
}
