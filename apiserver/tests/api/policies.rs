//! Admission policies from the outside: what they refuse, what they warn of, and what they make of objects.

use crate::custom::define;
use crate::server::{Answer, Client, Server};
use serde_json::{Value, json};
use std::time::Duration;

const GROUP: &str = "/apis/admissionregistration.k8s.io/v1";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// Creates, changes or deletes, to be applied to a collection of a group.
fn rules(group: &str, resources: &str, operations: &[&str]) -> Value {
    json!({"resourceRules": [{"apiGroups": [group], "apiVersions": ["v1"], "operations": operations, "resources": [resources]}]})
}

async fn write(client: &Client, kind: &str, name: &str, spec: &Value) {
    client.post(&format!("{GROUP}/{kind}"), &json!({"metadata": {"name": name}, "spec": spec})).await.expect(201);
}

/// A validating policy and a binding of the same name.
async fn validate(client: &Client, name: &str, spec: &Value, binding: &Value) {
    write(client, "validatingadmissionpolicies", name, spec).await;
    let mut bound = json!({"policyName": name, "validationActions": ["Deny"]});
    json_patch::merge(&mut bound, binding);
    write(client, "validatingadmissionpolicybindings", name, &bound).await;
}

/// A mutating policy and a binding of the same name.
async fn mutate(client: &Client, name: &str, spec: &Value) {
    write(client, "mutatingadmissionpolicies", name, spec).await;
    write(client, "mutatingadmissionpolicybindings", name, &json!({"policyName": name})).await;
}

fn deployment(name: &str, replicas: i64) -> Value {
    json!({"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "nginx"}},
        "template": {"metadata": {"labels": {"app": "nginx"}}, "spec": {"containers": [{"name": "nginx", "image": "nginx:latest"}]}}}})
}

fn map(name: &str, data: Value) -> Value {
    json!({"metadata": {"name": name}, "data": data})
}

/// A dry run, repeated until what was written before counts.
async fn until(client: &Client, collection: &str, object: &Value, is: impl Fn(&Answer) -> bool) -> Answer {
    let patience = async {
        loop {
            let answer = client.post(&format!("{collection}?dryRun=All"), object).await;
            if is(&answer) {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), patience).await.expect("what was written counts soon")
}

fn message(answer: &Answer) -> &str {
    answer.body["message"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_policy_refuses_with_its_own_words_and_only_what_it_is_about() {
    let server = Server::start().await;
    let client = server.admin();
    let spec = json!({"matchConstraints": rules("apps", "deployments", &["CREATE", "UPDATE"]),
        "variables": [{"name": "replicas", "expression": "object.spec.replicas"}, {"name": "odd", "expression": "variables.replicas % 2 == 1"}],
        "validations": [
            {"expression": "variables.replicas > 1", "messageExpression": "'wants replicas > 1, got ' + object.spec.replicas"},
            {"expression": "variables.odd", "messageExpression": "'not odd: ' + string(variables.replicas)", "reason": "Forbidden"}]});
    validate(&client, "odd", &spec, &json!({})).await;
    let refused = until(&client, DEPLOYMENTS, &deployment("web", 1), |answer| answer.code != 201).await.expect(422);
    assert_eq!(refused.reason(), "Invalid");
    let why =
        "ValidatingAdmissionPolicy 'odd' with binding 'odd' denied request: failed expression: variables.replicas > 1";
    assert_eq!(message(&refused), format!("deployments.apps \"web\" is forbidden: {why}"));
    assert_eq!(
        refused.body["details"],
        json!({"name": "web", "group": "apps", "kind": "deployments", "causes": [{"message": why}]})
    );
    let even = client.post(DEPLOYMENTS, &deployment("web", 2)).await.expect(403);
    assert!(message(&even).ends_with("denied request: not odd: 2"), "{}", even.text);
    client.post(DEPLOYMENTS, &deployment("web", 3)).await.expect(201);
    let scaled = client.patch(&format!("{DEPLOYMENTS}/web"), "merge", &json!({"spec": {"replicas": 4}})).await;
    assert_eq!(scaled.code, 403, "{}", scaled.text);
    // A Scale is not the Deployment, a ReplicaSet is not one either, and a delete is not named.
    client.patch(&format!("{DEPLOYMENTS}/web/scale"), "merge", &json!({"spec": {"replicas": 4}})).await.expect(200);
    let mut set = deployment("set", 1);
    set["spec"]["replicas"] = json!(1);
    client.post("/apis/apps/v1/namespaces/default/replicasets", &set).await.expect(201);
    client.delete(&format!("{DEPLOYMENTS}/web")).await.expect(200);
}

#[tokio::test]
async fn parameters_come_by_name_or_selector_and_may_be_missing() {
    let server = Server::start().await;
    let client = server.admin();
    let spec = json!({"matchConstraints": rules("apps", "deployments", &["CREATE"]),
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "validations": [{"expression": "object.spec.replicas <= int(params.data.max)", "messageExpression": "'at most ' + params.data.max"}]});
    validate(&client, "named", &spec, &json!({"paramRef": {"name": "limit", "parameterNotFoundAction": "Deny"}})).await;
    let missing = until(&client, DEPLOYMENTS, &deployment("web", 1), |answer| answer.code != 201).await;
    let why = "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction";
    assert!(message(&missing).ends_with(why), "{}", missing.text);
    client.post(MAPS, &map("limit", json!({"max": "3"}))).await.expect(201);
    client.post(&format!("{DEPLOYMENTS}?dryRun=All"), &deployment("web", 3)).await.expect(201);
    let four = client.post(DEPLOYMENTS, &deployment("web", 4)).await.expect(422);
    assert!(message(&four).ends_with("denied request: at most 3"), "{}", four.text);
    client.delete(&format!("{GROUP}/validatingadmissionpolicybindings/named")).await.expect(200);
    until(&client, DEPLOYMENTS, &deployment("web", 4), |answer| answer.code == 201).await;
    let selected = json!({"policyName": "named", "validationActions": ["Deny"],
        "paramRef": {"selector": {"matchLabels": {"limit": "yes"}}, "parameterNotFoundAction": "Allow"}});
    write(&client, "validatingadmissionpolicybindings", "selected", &selected).await;
    let mut other = map("other", json!({"max": "2"}));
    other["metadata"]["labels"] = json!({"limit": "yes"});
    client.post(MAPS, &other).await.expect(201);
    let three = until(&client, DEPLOYMENTS, &deployment("web", 3), |answer| answer.code != 201).await;
    assert!(message(&three).ends_with("denied request: at most 2"), "{}", three.text);
    client.delete(&format!("{MAPS}/other")).await.expect(200);
    until(&client, DEPLOYMENTS, &deployment("web", 3), |answer| answer.code == 201).await;
}

fn widgets() -> Value {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "max": {"type": "integer"}, "whole": {"type": "array", "items": {"type": "string"}},
        "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "port": {"type": "integer"}}}}}}}});
    let version = |name: &str, storage: bool| json!({"name": name, "served": true, "storage": storage, "schema": {"openAPIV3Schema": schema}});
    json!({"metadata": {"name": "widgets.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget"}, "versions": [version("v1", true), version("v2", false)]}})
}

#[tokio::test]
async fn custom_resources_are_parameters_and_subjects_in_every_version() {
    let server = Server::start().await;
    let client = server.admin();
    define(&client, &widgets()).await;
    let widgets = |version: &str| format!("/apis/example.com/{version}/namespaces/default/widgets");
    let widget = |version: &str, max: i64| json!({"apiVersion": format!("example.com/{version}"), "kind": "Widget", "metadata": {"name": "w"}, "spec": {"max": max}});
    client.post(&widgets("v1"), &widget("v1", 2)).await.expect(201);
    let spec = json!({"matchConstraints": rules("", "configmaps", &["CREATE"]), "paramKind": {"apiVersion": "example.com/v2", "kind": "Widget"},
        "validations": [{"expression": "size(object.data) <= params.spec.max && params.apiVersion == 'example.com/v2'"}]});
    validate(
        &client,
        "by-widget",
        &spec,
        &json!({"paramRef": {"name": "w", "namespace": "default", "parameterNotFoundAction": "Deny"}}),
    )
    .await;
    until(&client, MAPS, &map("m", json!({"a": "", "b": "", "c": ""})), |answer| answer.code == 422).await;
    client.post(MAPS, &map("m", json!({"a": "", "b": ""}))).await.expect(201);
    // Rules for one version mean the others, and expressions see that version.
    let spec = json!({"matchConstraints": rules("example.com", "widgets", &["CREATE"]),
        "validations": [{"expression": "object.spec.max < 9 && object.apiVersion == 'example.com/v1' && request.kind.version == 'v1' && request.requestKind.version == 'v2'"}]});
    validate(&client, "widgets", &spec, &json!({})).await;
    let mut other = widget("v2", 9);
    other["metadata"]["name"] = json!("other");
    until(&client, &widgets("v2"), &other, |answer| answer.code == 422).await;
    other["spec"]["max"] = json!(8);
    client.post(&widgets("v2"), &other).await.expect(201);
}

#[tokio::test]
async fn a_binding_may_warn_and_choose_and_a_policy_may_exclude() {
    let server = Server::start().await;
    let client = server.admin();
    let mut constraints = rules("", "configmaps", &["*"]);
    constraints["excludeResourceRules"] = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"], "resourceNames": ["free"]}]);
    let spec = json!({"matchConstraints": constraints, "validations": [{"expression": "has(object.data)", "message": "no data"}],
        "matchConditions": [{"name": "no-deletes", "expression": "request.operation != 'DELETE'"}, {"name": "not-nodes", "expression": "!('system:nodes' in request.userInfo.groups)"}]});
    let chosen = json!({"validationActions": ["Warn", "Audit"], "matchResources": {"objectSelector": {"matchLabels": {"mind": "yes"}}}});
    validate(&client, "data", &spec, &chosen).await;
    let empty = |name: &str, mind: &str| json!({"metadata": {"name": name, "labels": {"mind": mind}}});
    let warned =
        until(&client, MAPS, &empty("m", "yes"), |answer| answer.headers.contains_key("warning")).await.expect(201);
    assert_eq!(
        warned.headers["warning"],
        "299 - \"Validation failed for ValidatingAdmissionPolicy 'data' with binding 'data': no data\""
    );
    for (name, mind) in [("m", "no"), ("free", "yes")] {
        let quiet = client.post(&format!("{MAPS}?dryRun=All"), &empty(name, mind)).await.expect(201);
        assert!(!quiet.headers.contains_key("warning"), "{name} {mind}");
    }
    client.post(MAPS, &empty("m", "yes")).await.expect(201);
    let deleted = client.delete(&format!("{MAPS}/m")).await.expect(200);
    assert!(!deleted.headers.contains_key("warning"), "the condition leaves deletes out");
}

#[tokio::test]
async fn what_cannot_be_evaluated_refuses_unless_it_may_be_ignored() {
    let server = Server::start().await;
    let client = server.admin();
    let marker = json!({"matchConstraints": rules("", "configmaps", &["CREATE"]), "validations": [{"expression": "object.metadata.name != 'marker'"}]});
    for (name, policy, code) in [("a", "Ignore", 201), ("b", "Fail", 422)] {
        let spec = json!({"matchConstraints": rules("", "configmaps", &["CREATE"]), "failurePolicy": policy,
            "validations": [{"expression": "object.spec.nothing == 1 || object.metadata.name == 'marker'"}]});
        validate(&client, name, &spec, &json!({})).await;
        validate(&client, &format!("{name}-marker"), &marker, &json!({})).await;
        until(&client, MAPS, &map("marker", json!({})), |answer| answer.text.contains(&format!("{name}-marker"))).await;
        let answer = until(&client, MAPS, &map("m", json!({})), |answer| answer.code.as_u16() == code).await;
        if code != 201 {
            assert!(message(&answer).ends_with("resulted in error: no such key: spec"), "{}", answer.text);
        }
        for name in [name.to_owned(), format!("{name}-marker")] {
            // Who may write policies is never locked out by them.
            client.delete(&format!("{GROUP}/validatingadmissionpolicybindings/{name}")).await.expect(200);
        }
        until(&client, MAPS, &map("marker", json!({})), |answer| answer.code == 201).await;
    }
}

fn mutation(expression: &str) -> Value {
    if expression.starts_with('[') {
        json!({"patchType": "JSONPatch", "jsonPatch": {"expression": expression}})
    } else {
        json!({"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}})
    }
}

#[tokio::test]
async fn mutations_merge_as_apply_does_and_see_each_other() {
    let server = Server::start().await;
    let client = server.admin();
    let first = r#"Object{
        metadata: Object.metadata{annotations: {"mutated-by": "admission-policy"}},
        spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{
            containers: object.spec.template.spec.containers.map(c, Object.spec.template.spec.containers{name: c.name, imagePullPolicy: "Never"})
                + [Object.spec.template.spec.containers{name: "side", image: "side:1"}]}}}}"#;
    let second = "[JSONPatch{op: 'test', path: '/metadata/annotations/mutated-by', value: 'admission-policy'}, \
                  JSONPatch{op: 'add', path: '/metadata/annotations/' + jsonpatch.escapeKey('example.com/seen'), \
                  value: string(size(object.spec.template.spec.containers))}]";
    let never =
        "[JSONPatch{op: 'test', path: '/metadata/name', value: 'no'}, JSONPatch{op: 'remove', path: '/spec/replicas'}]";
    let spec = json!({"matchConstraints": rules("apps", "deployments", &["CREATE"]), "reinvocationPolicy": "Never",
        "matchConditions": [{"name": "once", "expression": "!has(object.metadata.annotations)"}],
        "mutations": [mutation(first), mutation(second), mutation(never)]});
    mutate(&client, "side", &spec).await;
    let made =
        until(&client, DEPLOYMENTS, &deployment("web", 2), |answer| answer.body["metadata"]["annotations"].is_object())
            .await
            .expect(201);
    assert_eq!(
        made.body["metadata"]["annotations"],
        json!({"mutated-by": "admission-policy", "example.com/seen": "2"})
    );
    assert_eq!(made.body["spec"]["replicas"], 2);
    let containers = made.body["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    let seen: Vec<_> = containers
        .iter()
        .map(|c| [&c["name"], &c["image"], &c["imagePullPolicy"], &c["terminationMessagePath"]])
        .collect();
    let log = json!("/dev/termination-log");
    assert_eq!(
        seen,
        [
            [&json!("nginx"), &json!("nginx:latest"), &json!("Never"), &log],
            [&json!("side"), &json!("side:1"), &json!("IfNotPresent"), &log]
        ]
    );
}

#[tokio::test]
async fn a_policy_that_wants_to_sees_what_changed_after_it() {
    let server = Server::start().await;
    let client = server.admin();
    let add = |name: &str, when: &str| format!("Object{{data: {{'{name}': {when}}}}}");
    let count = "string(has(object.data) ? size(object.data) : 0)";
    let spec = |reinvocation: &str, expression: &str| json!({"matchConstraints": rules("", "configmaps", &["CREATE"]), "reinvocationPolicy": reinvocation, "mutations": [mutation(expression)]});
    mutate(&client, "a", &spec("IfNeeded", &add("a", count))).await;
    mutate(&client, "b", &spec("Never", &add("b", count))).await;
    let made = until(&client, MAPS, &map("m", json!({})), |answer| {
        answer.body["data"]["b"].is_string() && answer.body["data"]["a"].is_string()
    })
    .await;
    // The first is asked again once the second has changed the object; the second is not.
    assert_eq!(made.body["data"], json!({"a": "2", "b": "1"}));
}

#[tokio::test]
async fn a_mutation_that_cannot_be_made_refuses_the_request() {
    let server = Server::start().await;
    let client = server.admin();
    define(&client, &widgets()).await;
    let widgets = "/apis/example.com/v1/namespaces/default/widgets";
    let widget = json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"ports": [{"name": "a", "port": 1}]}});
    let spec = |expression: &str| json!({"matchConstraints": rules("example.com", "widgets", &["CREATE"]), "reinvocationPolicy": "Never", "mutations": [mutation(expression)]});
    for (name, expression, why) in [
        (
            "a",
            "Object{spec: Object.spec{whole: ['x']}}",
            "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.whole",
        ),
        (
            "b",
            "Object{spec: Object.spec{unheard: 1}}",
            "error applying patch: failed to convert patch object to typed object: .spec.unheard: field not declared in schema",
        ),
        (
            "c",
            "Object{spec: Object.other{max: 1}}",
            "type mismatch: unexpected type name \"Object.other\", expected \"Object.spec\", which matches field name path from root Object type",
        ),
        (
            "d",
            "Object{spec: Object.spec{max: object.spec.max}}",
            "expression 'Object{spec: Object.spec{max: object.spec.max}}' resulted in error: no such key: max",
        ),
        ("e", "[JSONPatch{op: 'remove', path: '/spec/nothing'}]", "JSONPath: "),
    ] {
        mutate(&client, name, &spec(expression)).await;
        let refused = until(&client, widgets, &widget, |answer| answer.code != 201).await.expect(403);
        assert_eq!(refused.reason(), "Invalid");
        let start = format!("policy '{name}' with binding '{name}' denied request: {why}");
        assert!(message(&refused).starts_with(&start), "{start}\n{}", refused.text);
        client.delete(&format!("{GROUP}/mutatingadmissionpolicies/{name}")).await.expect(200);
        until(&client, widgets, &widget, |answer| answer.code == 201).await;
    }
    let merges =
        "Object{spec: Object.spec{ports: [Object.spec.ports{name: 'a', port: 2}, Object.spec.ports{name: 'b'}]}}";
    mutate(&client, "f", &spec(merges)).await;
    let made = until(&client, widgets, &widget, |answer| answer.body["spec"]["ports"][1].is_object()).await;
    assert_eq!(made.body["spec"]["ports"], json!([{"name": "a", "port": 2}, {"name": "b"}]));
}

#[tokio::test]
async fn what_does_not_compile_is_not_written() {
    let server = Server::start().await;
    let client = server.admin();
    let spec = json!({"matchConstraints": rules("", "configmaps", &["CREATE"]), "validations": [{"expression": "object.data.size( > 1"}]});
    let policy = json!({"metadata": {"name": "p"}, "spec": spec});
    let refused = client.post(&format!("{GROUP}/validatingadmissionpolicies"), &policy).await.expect(422);
    assert!(
        message(&refused)
            .contains("spec.validations[0].expression: Invalid value: \"object.data.size( > 1\": compilation failed: "),
        "{}",
        refused.text
    );
    for kind in ["validating", "mutating"] {
        let webhooks = |expression: &str| {
            json!({"metadata": {"name": "w"}, "webhooks": [{"name": "a.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
                "clientConfig": {"url": "https://example.com/"}, "matchConditions": [{"name": "c", "expression": expression}]}]})
        };
        let path = format!("{GROUP}/{kind}webhookconfigurations");
        let refused = client.post(&path, &webhooks("... [] bad expression")).await.expect(422);
        let part =
            "webhooks[0].matchConditions[0].expression: Invalid value: \"... [] bad expression\": compilation failed: ";
        assert!(message(&refused).contains(part), "{}", refused.text);
        client
            .post(&path, &webhooks("request.name != 'x' && !('system:nodes' in request.userInfo.groups)"))
            .await
            .expect(201);
    }
}

#[tokio::test]
async fn who_writes_a_policy_can_read_its_parameters() {
    let server = Server::start().await;
    let admin = server.admin();
    let rules_of = |rules: Value, name: &str| json!({"metadata": {"name": name}, "rules": rules});
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    let author = json!([{"verbs": ["*"], "apiGroups": ["admissionregistration.k8s.io"], "resources": ["*"]},
        {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["configmaps"]}]);
    admin.post(roles, &rules_of(author, "author")).await.expect(201);
    let binding = json!({"metadata": {"name": "author"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "author"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "ann"}]});
    admin.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding).await.expect(201);
    let ann = server.user("ann", &[]);
    let policies = format!("{GROUP}/validatingadmissionpolicies");
    let policy = |name: &str, kind: &str| {
        json!({"metadata": {"name": name}, "spec": {"matchConstraints": rules("", "configmaps", &["CREATE"]),
            "paramKind": {"apiVersion": "v1", "kind": kind}, "validations": [{"expression": "params == null"}]}})
    };
    let patience = async {
        while ann.post(&policies, &policy("maps", "ConfigMap")).await.code != 201 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), patience).await.expect("the role counts soon");
    let refused = ann.post(&policies, &policy("secrets", "Secret")).await.expect(422);
    let why = "spec.paramKind: Forbidden: user ann must have \"get\" permission on all objects of the referenced paramKind (kind=Secret, apiVersion=v1)";
    assert!(message(&refused).ends_with(why), "{}", refused.text);
    admin.post(&policies, &policy("secrets", "Secret")).await.expect(201);
    let bound = json!({"metadata": {"name": "b"}, "spec": {"policyName": "secrets", "validationActions": ["Deny"],
        "paramRef": {"name": "s", "namespace": "default", "parameterNotFoundAction": "Deny"}}});
    let refused = ann.post(&format!("{GROUP}/validatingadmissionpolicybindings"), &bound).await.expect(422);
    let why =
        "spec.paramRef: Forbidden: user ann does not have \"get\" permission on the object referenced by paramRef";
    assert!(message(&refused).ends_with(why), "{}", refused.text);
}
