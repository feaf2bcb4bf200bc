//! Defaulting as the server leans on it: it runs on every write and on every read of an old object, so it must be
//! idempotent, keep what was given, and make objects that pass their own rules.

use kinds::table;
use proptest::prelude::*;
use serde_json::{Value, json};

fn text(choices: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::sample::select(choices).prop_map(Value::from)
}

/// `field: value` for each part that was drawn.
fn object(parts: Vec<(&'static str, Option<Value>)>) -> Value {
    parts
        .into_iter()
        .filter_map(|(field, value)| Some((field.to_owned(), value?)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn list(item: impl Strategy<Value = Value>) -> impl Strategy<Value = Option<Value>> {
    prop::option::of(prop::collection::vec(item, 0..3).prop_map(Value::from))
}

fn resources() -> impl Strategy<Value = Value> {
    let amounts = || {
        let each = prop::option::of(text(&["0", "1", "500m", "1Gi", "1e3", "0.5"]));
        (each, prop::option::of(text(&["1", "1Gi"])))
            .prop_map(|(cpu, memory)| object(vec![("cpu", cpu), ("memory", memory)]))
    };
    (prop::option::of(amounts()), prop::option::of(amounts()))
        .prop_map(|(limits, requests)| object(vec![("limits", limits), ("requests", requests)]))
}

fn probe() -> impl Strategy<Value = Value> {
    let handler = prop_oneof![
        Just(json!({"httpGet": {"port": 80}})),
        Just(json!({"tcpSocket": {"port": "http"}})),
        Just(json!({"exec": {"command": ["x"]}})),
        Just(json!({"grpc": {"port": 1}})),
    ];
    (handler, 0..3_i64).prop_map(|(mut probe, number)| {
        probe["initialDelaySeconds"] = number.into();
        probe["timeoutSeconds"] = number.into();
        probe
    })
}

fn container() -> impl Strategy<Value = Value> {
    let port = (prop::option::of(text(&["TCP", "UDP", ""])), 0..2_i64).prop_map(|(protocol, host)| {
        object(vec![("containerPort", Some(80.into())), ("hostPort", Some(host.into())), ("protocol", protocol)])
    });
    let env = prop_oneof![
        Just(json!({"name": "A", "value": ""})),
        Just(json!({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})),
        Just(json!({"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}})),
    ];
    (
        prop::option::of(text(&["i", "i:latest", "h:1/i:2", "i@sha256:0"])),
        list(port),
        list(env),
        prop::option::of(resources()),
        prop::option::of(probe()),
        prop::option::of(any::<bool>().prop_map(Value::from)),
    )
        .prop_map(|(image, ports, env, resources, probe, flag)| {
            object(vec![
                ("name", Some("c".into())),
                ("image", image),
                ("ports", ports),
                ("env", env),
                ("resources", resources),
                ("livenessProbe", probe),
                ("stdin", flag.clone()),
                ("tty", flag),
            ])
        })
}

fn volume() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({"name": "v"})),
        Just(json!({"name": "v", "configMap": {"name": "m", "items": []}})),
        Just(json!({"name": "v", "secret": {"secretName": "s", "defaultMode": 256}})),
        Just(json!({"name": "v", "hostPath": {"path": "/x"}})),
        Just(json!({"name": "v", "image": {"reference": "i"}})),
        Just(json!({"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}})),
        Just(
            json!({"name": "v", "downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.labels"}}]}})
        ),
    ]
}

fn pod_spec() -> impl Strategy<Value = Value> {
    (
        prop::collection::vec(container(), 0..3),
        list(container()),
        list(volume()),
        prop::option::of(any::<bool>().prop_map(Value::from)),
        prop::option::of(text(&["sa", ""])),
        prop::option::of(text(&["Never", "OnFailure", ""])),
    )
        .prop_map(|(containers, init, volumes, host, account, restart)| {
            object(vec![
                ("containers", Some(containers.into())),
                ("initContainers", init),
                ("volumes", volumes),
                ("hostNetwork", host.clone()),
                ("hostPID", host),
                ("serviceAccount", account),
                ("restartPolicy", restart),
            ])
        })
}

fn service_spec() -> impl Strategy<Value = Value> {
    let port = (1..3_i64, prop::option::of(prop_oneof![Just(json!(0)), Just(json!("http")), Just(json!(8080))]))
        .prop_map(|(port, target)| {
            object(vec![("port", Some(port.into())), ("targetPort", target), ("nodePort", Some(0.into()))])
        });
    (
        list(port),
        prop::option::of(text(&["ClusterIP", "NodePort", "LoadBalancer", "ExternalName", ""])),
        prop::option::of(text(&["None", "ClientIP", ""])),
        prop::option::of(text(&["10.43.0.9", "None"])),
    )
        .prop_map(|(ports, kind, affinity, ip)| {
            object(vec![("ports", ports), ("type", kind), ("sessionAffinity", affinity), ("clusterIP", ip)])
        })
}

/// Every leaf of `given` that says something is in `full`, unless `full` left it out as its type's zero value.
fn keeps(given: &Value, full: &Value, path: &str) -> Result<(), String> {
    match (given, full) {
        (Value::Object(given), Value::Object(full)) => given
            .iter()
            .try_for_each(|(key, value)| keeps(value, full.get(key).unwrap_or(&Value::Null), &format!("{path}.{key}"))),
        (Value::Array(given), Value::Array(full)) if given.len() == full.len() => {
            given.iter().zip(full).enumerate().try_for_each(|(i, (a, b))| keeps(a, b, &format!("{path}[{i}]")))
        }
        (given, full) if given == full => Ok(()),
        (Value::Bool(false) | Value::Null, Value::Null) => Ok(()),
        (Value::Number(zero), _) if zero.as_i64() == Some(0) => Ok(()),
        (Value::String(empty), _) if empty.is_empty() => Ok(()),
        (given, full) => Err(format!("{path}: {given} became {full}")),
    }
}

fn check(group: &str, plural: &str, spec: &Value) -> Result<(), TestCaseError> {
    let kind = table::find(group, "v1", plural).expect("a built-in kind");
    let given = json!({"apiVersion": kind.row().api_version(), "kind": kind.row().kind, "metadata": {"name": "a", "namespace": "default"}, "spec": spec});
    let mut once = given.clone();
    kind.default(&mut once);
    let mut twice = once.clone();
    kind.default(&mut twice);
    prop_assert_eq!(&once, &twice);
    if let Err(lost) = keeps(&given, &once, "") {
        return Err(TestCaseError::fail(lost));
    }
    // A stored object is read, sent back and stored again without a complaint about what has not changed.
    let mut stored = once;
    kind.create(&mut stored);
    stored["metadata"]["resourceVersion"] = "1".into();
    let mut again = stored.clone();
    kind.default(&mut again);
    prop_assert_eq!(&again, &stored);
    let errors = kind.validate_update(&again, &stored);
    prop_assert!(errors.is_empty(), "{errors:?}");
    kind.prepare_update(&mut again, &stored);
    prop_assert_eq!(&again, &stored);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pods_default_once_and_keep_what_was_given(spec in pod_spec()) {
        check("", "pods", &spec)?;
    }

    #[test]
    fn services_default_once_and_keep_what_was_given(spec in service_spec()) {
        check("", "services", &spec)?;
    }

    #[test]
    fn workloads_default_once_and_keep_what_was_given(spec in pod_spec()) {
        let labels = json!({"labels": {"app": "a"}});
        let workload = json!({"selector": {"matchLabels": {"app": "a"}}, "template": {"metadata": labels, "spec": spec}});
        for plural in ["deployments", "replicasets", "daemonsets", "statefulsets"] {
            check("apps", plural, &workload)?;
        }
        check("batch", "jobs", &json!({"template": {"spec": spec}}))?;
        check("batch", "cronjobs", &json!({"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": spec}}}}))?;
    }
}
