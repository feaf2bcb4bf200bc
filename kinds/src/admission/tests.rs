//! Policies as they are written, over objects as they are sent.

use super::*;
use serde_json::json;

/// Lets everybody read, and nobody do anything else.
struct Readers;

impl Authorize for Readers {
    fn authorize(&self, asked: &Asked) -> Option<Verdict> {
        Some(Verdict { allowed: asked.verb == "get", reason: format!("{:?}", asked.account), error: None })
    }
}

fn deployment(replicas: i64) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {"replicas": replicas}})
}

fn with_inputs<T>(object: &Value, params: &Value, run: impl FnOnce(&Inputs<'_>) -> T) -> T {
    let request = json!({"name": "web", "namespace": "shop", "operation": "CREATE", "userInfo": {"username": "ann", "groups": ["a"]},
        "resource": {"group": "apps", "version": "v1", "resource": "deployments"}, "dryRun": false});
    let namespace =
        json!({"metadata": {"name": "shop", "labels": {"env": "prod"}, "creationTimestamp": "2026-01-02T03:04:05Z"}});
    run(&Inputs { object, old: &Value::Null, request: &request, params, namespace: &namespace, authorizer: &Readers })
}

/// What is said of a deployment with so many replicas.
fn said(spec: &Value, replicas: i64, params: &Value) -> Vec<String> {
    let policy = Policy::compile(spec);
    assert_eq!(policy.errors(), Vec::new());
    let object = deployment(replicas);
    let judgement = with_inputs(&object, params, |inputs| policy.judge(inputs, Failure::of(spec)));
    judgement.denials.into_iter().map(|denial| denial.message).collect()
}

#[test]
fn validations_speak_by_message_expression_message_or_themselves() {
    let spec = json!({"validations": [
        {"expression": "object.spec.replicas > 1", "messageExpression": "'wants replicas > 1, got ' + string(object.spec.replicas)"},
        {"expression": "object.spec.replicas > 2", "messageExpression": "'got ' + object.spec.replicas", "message": "too few"},
        {"expression": "object.spec.replicas > 3"},
        {"expression": "object.spec.paused"}]});
    assert_eq!(
        said(&spec, 1, &Value::Null),
        [
            "wants replicas > 1, got 1",
            "too few",
            "failed expression: object.spec.replicas > 3",
            "expression 'object.spec.paused' resulted in error: no such key: paused"
        ]
    );
    let ignoring = json!({"failurePolicy": "Ignore", "validations": spec["validations"]});
    assert_eq!(said(&ignoring, 4, &Value::Null), [""; 0]);
}

#[test]
fn variables_see_the_ones_before_and_run_when_somebody_looks() {
    let spec = json!({
        "variables": [
            {"name": "replicas", "expression": "object.spec.replicas"},
            {"name": "odd", "expression": "variables.replicas % 2 == 1"},
            {"name": "broken", "expression": "object.none.at.all"}],
        "validations": [{"expression": "variables.replicas > 1"}, {"expression": "variables.odd"},
            {"expression": "variables.replicas < 9 || variables.broken"}]});
    assert_eq!(said(&spec, 3, &Value::Null), [""; 0]);
    assert_eq!(said(&spec, 2, &Value::Null), ["failed expression: variables.odd"]);
    assert_eq!(
        said(&spec, 9, &Value::Null),
        [
            "expression 'variables.replicas < 9 || variables.broken' resulted in error: composited variable \"broken\" fails to evaluate: no such key: none"
        ]
    );
}

#[test]
fn expressions_see_the_request_its_namespace_its_parameters_and_permissions() {
    let spec = json!({"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}, "validations": [
        {"expression": "request.operation == 'CREATE' && request.userInfo.username == 'ann' && 'a' in request.userInfo.groups"},
        {"expression": "request.resource.resource == 'deployments' && !has(request.subResource) && oldObject == null"},
        {"expression": "namespaceObject.metadata.labels['env'] == 'prod' && namespaceObject.metadata.creationTimestamp < timestamp('2027-01-01T00:00:00Z')"},
        {"expression": "object.spec.replicas <= int(params.data.max)"},
        {"expression": "authorizer.group('apps').resource('deployments').namespace('shop').check('get').allowed()"},
        {"expression": "!authorizer.requestResource.check('delete').allowed()"},
        {"expression": "authorizer.serviceAccount('shop', 'robot').path('/metrics').check('get').reason().contains('robot')"}]});
    assert_eq!(said(&spec, 3, &json!({"data": {"max": "3"}})), [""; 0]);
    assert_eq!(
        said(&spec, 4, &json!({"data": {"max": "3"}})),
        ["failed expression: object.spec.replicas <= int(params.data.max)"]
    );
}

#[test]
fn libraries_of_admission_hold() {
    let all = [
        "'%s has %d of %.2f %s'.format(['web', 3, 1.5, ['a', 'b']]) == 'web has 3 of 1.50 [a, b]'",
        "semver('1.2.3') < semver('1.10.0') || semver('1.2.3').isLessThan(semver('1.10.0'))",
        "isSemver('v1.2', true) && !isSemver('1.2') && semver('1.0.0-rc.1').compareTo(semver('1.0.0')) == -1",
        "quantity('1Gi').add(quantity('1Gi')).compareTo(quantity('2Gi')) == 0 && quantity('5').sub(2).asInteger() == 3",
        "object.metadata.labels.all(k, v, k == v || v == 'web') && [3, 1].exists(i, v, i == 1 && v == 1)",
        "object.metadata.?labels.optMap(l, l.size()).orValue(0) == 1 && object.?none.optMap(l, 1).orValue(2) == 2",
        "[1, 2].transformList(i, v, i + v) == [1, 3] && {'a': 1}.transformMap(k, v, v + 1)['a'] == 2",
    ];
    for source in all {
        let spec = json!({"validations": [{"expression": source}]});
        assert_eq!(said(&spec, 1, &Value::Null), [""; 0], "{source}");
    }
}

#[test]
fn a_condition_that_does_not_hold_decides_whatever_others_fail_at() {
    let hold = |expressions: &[&str], failure| {
        let all: Vec<Value> = expressions.iter().map(|it| json!({"name": "c", "expression": it})).collect();
        let conditions = Conditions::of_webhook(&json!(all));
        with_inputs(&deployment(1), &Value::Null, |inputs| conditions.hold(inputs, failure))
    };
    let fails = "object.spec.none == 1";
    assert_eq!(hold(&["object.spec.replicas == 1", "request.namespace == 'shop'"], Failure::Fail), Ok(true));
    assert_eq!(hold(&[fails, "false"], Failure::Fail), Ok(false));
    assert_eq!(hold(&[fails], Failure::Ignore), Ok(false));
    let why = "expression 'object.spec.none == 1' resulted in error: no such key: none";
    assert_eq!(hold(&[fails], Failure::Fail), Err(why.to_owned()));
}

fn patch(mutation: &Value) -> Result<Patch, String> {
    let policy = Policy::compile(&json!({"mutations": [mutation]}));
    assert_eq!(policy.errors(), Vec::new());
    with_inputs(&deployment(1), &Value::Null, |inputs| policy.patch(0, inputs))
}

#[test]
fn mutations_make_configurations_and_json_patches() {
    let apply =
        |source: &str| patch(&json!({"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": source}}));
    let source = "Object{\n metadata: Object.metadata{\n annotations: {\n\"mutated-by\": \"policy\"\n}\n},\n spec: Object.spec{replicas: object.spec.replicas + 1}\n}";
    let expected = json!({"metadata": {"annotations": {"mutated-by": "policy"}}, "spec": {"replicas": 2}});
    assert_eq!(apply(source), Ok(Patch::Apply(expected)));
    let why = apply("Object{spec: Object.spec.wrong{replicas: 1}}").unwrap_err();
    assert!(
        why.starts_with("type mismatch: unexpected type name \"Object.spec.wrong\", expected \"Object.spec\""),
        "{why}"
    );
    let made = patch(&json!({"patchType": "JSONPatch", "jsonPatch": {"expression":
        "[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('a/b'), value: 'x'}, JSONPatch{op: 'add', path: '/spec/selector', value: Object.spec.selector{matchLabels: {'a': 'b'}}}]"}}));
    let expected = json!([
        {"op": "add", "path": "/metadata/labels/a~1b", "value": "x"},
        {"op": "add", "path": "/spec/selector", "value": {"matchLabels": {"a": "b"}}}]);
    assert_eq!(made, Ok(Patch::Json(expected)));
}

#[test]
fn a_policy_is_checked_against_the_types_it_is_about() {
    let deployments = crate::table::find("apps", "v1", "deployments").unwrap();
    let rule =
        json!({"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]});
    let check = |validations: Value| {
        let variables = json!([{"name": "replicas", "expression": "object.spec.replicas"}]);
        let spec =
            json!({"matchConstraints": {"resourceRules": [rule]}, "variables": variables, "validations": validations});
        type_check(&spec, std::slice::from_ref(deployments))
    };
    let right = json!([{"expression": "object.spec.replicas > 1 && object.metadata.labels['a'] == 'b' && object.spec.template.spec.containers.all(c, c.image.startsWith('x'))"},
        {"expression": "has(object.spec.strategy.rollingUpdate) && variables.replicas > 1 && request.name == 'x'"}]);
    assert_eq!(check(right), Vec::new());
    let wrong = check(
        json!([{"expression": "object.spec.replicas > '1'", "messageExpression": "'wants replicas > 1, got ' + object.spec.replicas"},
        {"expression": "object.spec.maxRetries < 10"}, {"expression": "variables.replicas == 'x'"},
        {"expression": "object.spec.template.spec.containers.all(c, c.nothing)"}]),
    );
    let fields: Vec<&str> = wrong.iter().map(|warning| warning.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "spec.validations[0].expression",
            "spec.validations[0].messageExpression",
            "spec.validations[1].expression",
            "spec.validations[2].expression",
            "spec.validations[3].expression"
        ]
    );
    assert_eq!(
        wrong[0].text,
        "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'\n | object.spec.replicas > '1'\n | .....................^\n"
    );
    for (warning, part) in wrong[1..].iter().zip([
        "found no matching overload for '_+_' applied to '(string, int)'",
        "undefined field 'maxRetries'",
        "found no matching overload for '_==_' applied to '(int, string)'",
        "undefined field 'nothing'",
    ]) {
        assert!(warning.text.contains(part), "{}", warning.text);
    }
}

#[test]
fn a_policy_costs_no_more_than_it_may() {
    let many = format!("[{}]", vec!["1"; 200].join(","));
    let costly = format!("{many}.all(a, {many}.all(b, {many}.all(c, a + b + c > 0)))");
    let spec = json!({"validations": [{"expression": costly}]});
    let said = said(&spec, 1, &Value::Null);
    assert!(said[0].ends_with("resulted in error: operation cancelled: actual cost limit exceeded"), "{said:?}");
}
