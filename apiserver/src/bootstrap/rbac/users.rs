//! Roles for people and for everybody: cluster-admin, admin, edit, view, discovery.

use super::{ALL, ClusterRole, READ, To, WRITE, paths, rule};
use crate::auth::rbac::Rule;

const TO_ADMIN: &str = "rbac.authorization.k8s.io/aggregate-to-admin";
const TO_EDIT: &str = "rbac.authorization.k8s.io/aggregate-to-edit";
const TO_VIEW: &str = "rbac.authorization.k8s.io/aggregate-to-view";

const WORKLOADS: &str = "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale \
                         statefulsets statefulsets/scale";

pub(super) fn cluster_roles() -> Vec<ClusterRole> {
    let everything = vec![rule(ALL, ALL, ALL), paths(ALL, ALL)];
    let aggregated =
        |name: &str, aggregates, labels| ClusterRole { labels, aggregates, ..ClusterRole::new(name, vec![]) };
    let part = |name: &str, rules, labels| ClusterRole { labels, ..ClusterRole::new(name, rules) };
    vec![
        ClusterRole::new("cluster-admin", everything).to(To::Group("system:masters")),
        aggregated("admin", &[TO_ADMIN, TO_EDIT, TO_VIEW], &[]),
        aggregated("edit", &[TO_EDIT, TO_VIEW], &[]),
        aggregated("view", &[TO_VIEW], &[]),
        part("system:aggregate-to-admin", admin(), &[(TO_ADMIN, "true")]),
        part("system:aggregate-to-edit", edit(), &[(TO_EDIT, "true")]),
        part("system:aggregate-to-view", view(), &[(TO_VIEW, "true")]),
        // k8s: the role of this name in metrics-server's manifest
        part(
            "system:aggregated-metrics-reader",
            vec![rule(READ, kinds::metrics::GROUP, "nodes pods")],
            &[(TO_ADMIN, "true"), (TO_EDIT, "true"), (TO_VIEW, "true")],
        ),
        ClusterRole::new(
            "system:discovery",
            vec![paths(
                "get",
                "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/",
            )],
        )
        .to(To::Group("system:authenticated")),
        ClusterRole::new(
            "system:basic-user",
            vec![
                rule("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
                rule("create", "authentication.k8s.io", "selfsubjectreviews"),
            ],
        )
        .to(To::Group("system:authenticated")),
        ClusterRole::new(
            "system:public-info-viewer",
            vec![paths("get", "/healthz /livez /readyz /version /version/ /healthz/* /livez/* /readyz/*")],
        )
        .to(To::Group("system:authenticated"))
        .to(To::Group("system:unauthenticated")),
        ClusterRole::new(
            "system:monitoring",
            vec![paths(
                "get",
                "/flagz /healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/* /statusz",
            )],
        )
        .to(To::Group("system:monitoring")),
        ClusterRole::new(
            "system:service-account-issuer-discovery",
            vec![paths(
                "get",
                "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/",
            )],
        )
        .to(To::Group("system:serviceaccounts")),
    ]
}

fn admin() -> Vec<Rule> {
    vec![
        rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
        rule(
            "create delete deletecollection get list patch update watch",
            "rbac.authorization.k8s.io",
            "rolebindings roles",
        ),
    ]
}

fn edit() -> Vec<Rule> {
    vec![
        rule("get list watch", "core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
        rule("impersonate", "core", "serviceaccounts"),
        rule(WRITE, "core", "pods pods/attach pods/exec pods/portforward pods/proxy"),
        rule("create", "core", "pods/eviction"),
        rule("update patch", "core", "pods/resize pods/ephemeralcontainers"),
        rule(
            WRITE,
            "core",
            "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale \
                             secrets serviceaccounts services services/proxy",
        ),
        rule("create", "core", "serviceaccounts/token"),
        rule(WRITE, "apps", WORKLOADS),
        rule(WRITE, "autoscaling", "horizontalpodautoscalers"),
        rule(WRITE, "batch", "cronjobs jobs"),
        rule(WRITE, "policy", "poddisruptionbudgets"),
        rule(WRITE, "networking.k8s.io", "ingresses networkpolicies"),
        rule("create delete deletecollection get list patch update watch", "coordination.k8s.io", "leases"),
        rule(WRITE, "resource.k8s.io", "resourceclaims resourceclaimtemplates"),
    ]
}

fn view() -> Vec<Rule> {
    vec![
        rule(
            READ,
            "core",
            "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods \
                            replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status",
        ),
        rule(
            READ,
            "core",
            "bindings events limitranges namespaces/status pods/log pods/status \
                            replicationcontrollers/status resourcequotas resourcequotas/status",
        ),
        rule(READ, "core", "namespaces"),
        rule(READ, "discovery.k8s.io", "endpointslices"),
        rule(
            READ,
            "apps",
            "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status \
                            replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
        ),
        rule(READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
        rule(READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
        rule(READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
        rule(READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
        rule(READ, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
    ]
}
