//! The priority levels and flow schemas that every cluster starts with: two of each that are mandatory and fixed, and the
//! suggested ones. As data, in one place: the API server makes them and validation holds the mandatory ones to them.
//! k8s: `apiserver/pkg/apis/flowcontrol/bootstrap`

use serde_json::{Value, json};

const API_VERSION: &str = "flowcontrol.apiserver.k8s.io/v1";
/// Upstream's mark of objects whose spec the server keeps as released.
const AUTO_UPDATE: &str = "apf.kubernetes.io/autoupdate-spec";

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": API_VERSION, "kind": kind,
        "metadata": {"name": name, "annotations": {AUTO_UPDATE: "true"}},
        "spec": spec,
    })
}

/// What a limited level does with requests beyond its seats.
enum Queuing {
    Reject,
    /// Queues, hand size, length.
    Queue(u32, u32, u32),
}

fn limited(shares: u32, lendable: u32, queuing: &Queuing) -> Value {
    let response = match queuing {
        Queuing::Reject => json!({"type": "Reject"}),
        Queuing::Queue(queues, hand, length) => json!({"type": "Queue", "queuing": {
            "queues": queues, "handSize": hand, "queueLengthLimit": length,
        }}),
    };
    json!({"type": "Limited", "limited": {
        "nominalConcurrencyShares": shares, "lendablePercent": lendable, "limitResponse": response,
    }})
}

pub fn priority_levels() -> Vec<Value> {
    let level = |name: &str, spec: Value| object("PriorityLevelConfiguration", name, &spec);
    vec![
        level("exempt", json!({"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}})),
        level("catch-all", limited(5, 0, &Queuing::Reject)),
        level("system", limited(30, 33, &Queuing::Queue(64, 6, 50))),
        level("node-high", limited(40, 25, &Queuing::Queue(64, 6, 50))),
        level("leader-election", limited(10, 0, &Queuing::Queue(16, 4, 50))),
        level("workload-high", limited(40, 50, &Queuing::Queue(128, 6, 50))),
        level("workload-low", limited(100, 90, &Queuing::Queue(128, 6, 50))),
        level("global-default", limited(20, 50, &Queuing::Queue(128, 6, 50))),
    ]
}

fn group(name: &str) -> Value {
    json!({"kind": "Group", "group": {"name": name}})
}

fn user(name: &str) -> Value {
    json!({"kind": "User", "user": {"name": name}})
}

fn system_account(name: &str) -> Value {
    json!({"kind": "ServiceAccount", "serviceAccount": {"name": name, "namespace": "kube-system"}})
}

fn everything() -> Value {
    json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": true}])
}

fn all_paths() -> Value {
    json!([{"verbs": ["*"], "nonResourceURLs": ["*"]}])
}

/// Level, precedence, what tells flows apart, and rules.
fn schema(name: &str, level: &str, precedence: u32, distinguisher: Option<&str>, rule: Value) -> Value {
    let mut spec = json!({
        "priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence, "rules": [rule],
    });
    if let Some(distinguisher) = distinguisher {
        spec["distinguisherMethod"] = json!({"type": distinguisher});
    }
    object("FlowSchema", name, &spec)
}

/// A schema for everything that its subjects ask.
fn all_of(name: &str, level: &str, precedence: u32, distinguisher: Option<&str>, subjects: &[Value]) -> Value {
    let rule = json!({"subjects": subjects, "resourceRules": everything(), "nonResourceRules": all_paths()});
    schema(name, level, precedence, distinguisher, rule)
}

/// A schema for a few verbs on a few resources.
fn some_of(name: &str, level: &str, precedence: u32, subjects: &[Value], rules: &[Value]) -> Value {
    schema(name, level, precedence, Some("ByUser"), json!({"subjects": subjects, "resourceRules": rules}))
}

pub fn flow_schemas() -> Vec<Value> {
    let everyone = [group("system:unauthenticated"), group("system:authenticated")];
    let (manager, scheduler) = (user("system:kube-controller-manager"), user("system:kube-scheduler"));
    let rule = |verbs: &[&str], group: &str, resources: &[&str], namespaces: &[&str], cluster: bool| {
        let mut rule = json!({"verbs": verbs, "apiGroups": [group], "resources": resources, "namespaces": namespaces});
        if cluster {
            rule["clusterScope"] = true.into();
        }
        rule
    };
    let leases = rule(&["get", "create", "update"], "coordination.k8s.io", &["leases"], &["*"], false);
    let probes = json!({
        "subjects": everyone,
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}],
    });
    let nodes = [
        rule(&["*"], "", &["nodes", "nodes/status"], &["*"], true),
        rule(&["*"], "coordination.k8s.io", &["leases"], &["*"], false),
    ];
    vec![
        all_of("exempt", "exempt", 1, None, &[group("system:masters")]),
        all_of("catch-all", "catch-all", 10_000, Some("ByUser"), &everyone),
        schema("probes", "exempt", 2, None, probes),
        some_of(
            "system-leader-election",
            "leader-election",
            100,
            &[manager.clone(), scheduler.clone(), system_account("*")],
            std::slice::from_ref(&leases),
        ),
        some_of(
            "endpoint-controller",
            "workload-high",
            150,
            &[
                manager.clone(),
                system_account("endpoint-controller"),
                system_account("endpointslicemirroring-controller"),
            ],
            &[rule(&["get", "create", "update"], "", &["endpoints"], &["*"], false)],
        ),
        some_of("workload-leader-election", "leader-election", 200, &[system_account("*")], &[leases]),
        some_of("system-node-high", "node-high", 400, &[group("system:nodes")], &nodes),
        all_of("system-nodes", "system", 500, Some("ByUser"), &[group("system:nodes")]),
        all_of("kube-controller-manager", "workload-high", 800, Some("ByNamespace"), &[manager]),
        all_of("kube-scheduler", "workload-high", 800, Some("ByNamespace"), &[scheduler]),
        all_of("kube-system-service-accounts", "workload-high", 900, Some("ByNamespace"), &[system_account("*")]),
        all_of("service-accounts", "workload-low", 9000, Some("ByUser"), &[group("system:serviceaccounts")]),
        all_of("global-default", "global-default", 9900, Some("ByUser"), &everyone),
    ]
}

/// Names of the objects that are always there, whose spec nobody may change.
pub const MANDATORY: [&str; 2] = ["exempt", "catch-all"];

/// The fixed spec of a mandatory object among `all`.
pub(super) fn fixed_spec(name: &str, all: fn() -> Vec<Value>) -> Option<Value> {
    let named = |object: &Value| object["metadata"]["name"] == name;
    MANDATORY.contains(&name).then(|| all().into_iter().find(named)).flatten().map(|object| object["spec"].clone())
}
