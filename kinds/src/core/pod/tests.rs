//! Pods: defaults, preparation and validation, as rows.

use super::PodKind;
use crate::errors::FieldErrors;
use crate::validate::check;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

fn pod() -> Value {
    json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}})
}

fn with(patch: &Value) -> Value {
    let mut object = pod();
    check::merge(&mut object, patch);
    object
}

/// The pod with `fields` merged into its only container.
fn container(fields: &Value) -> Value {
    let mut object = pod();
    check::merge(&mut object["spec"]["containers"][0], fields);
    object
}

#[expect(clippy::needless_pass_by_value, reason = "tables read better with values")]
fn create(object: Value, want: Expect) {
    want.assert_eq(&check::create::<PodKind>(object));
}

#[test]
fn a_minimal_pod_gets_every_default() {
    let stored = check::created::<PodKind>(pod());
    expect![[r#"
        {
          "containers": [
            {
              "image": "i:1",
              "imagePullPolicy": "IfNotPresent",
              "name": "c",
              "resources": {},
              "terminationMessagePath": "/dev/termination-log",
              "terminationMessagePolicy": "File"
            }
          ],
          "dnsPolicy": "ClusterFirst",
          "enableServiceLinks": true,
          "restartPolicy": "Always",
          "schedulerName": "default-scheduler",
          "securityContext": {},
          "terminationGracePeriodSeconds": 30
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&stored["spec"]).unwrap());
    assert_eq!(stored["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
}

#[test]
fn a_negative_grace_period_is_a_second_in_pods_and_stays_in_templates() {
    let grace = json!({"terminationGracePeriodSeconds": -1, "containers": [{"name": "c", "image": "i"}]});
    let stored = check::defaulted::<PodKind>(json!({"metadata": {"name": "p"}, "spec": grace}));
    assert_eq!(stored["spec"]["terminationGracePeriodSeconds"], 1);
    let template = json!({"metadata": {"name": "t"}, "template": {"spec": grace}});
    let stored = check::defaulted::<crate::core::pod_template::PodTemplateKind>(template);
    assert_eq!(stored["template"]["spec"]["terminationGracePeriodSeconds"], -1);
}

#[test]
fn parts_get_their_defaults() {
    let stored = check::defaulted::<PodKind>(container(&json!({
        "image": "host:5000/i",
        "ports": [{"containerPort": 80}],
        "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"name": "B", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}],
        "livenessProbe": {"httpGet": {"port": 80}},
        "readinessProbe": {"grpc": {"port": 80}},
        "resources": {"limits": {"cpu": "1"}},
        "lifecycle": {"preStop": {"httpGet": {"port": "x"}}},
    })));
    expect![[r#"
        {
          "env": [
            {
              "name": "A",
              "valueFrom": {
                "fieldRef": {
                  "apiVersion": "v1",
                  "fieldPath": "metadata.name"
                }
              }
            },
            {
              "name": "B",
              "valueFrom": {
                "resourceFieldRef": {
                  "divisor": "0",
                  "resource": "limits.cpu"
                }
              }
            }
          ],
          "image": "host:5000/i",
          "imagePullPolicy": "Always",
          "lifecycle": {
            "preStop": {
              "httpGet": {
                "path": "/",
                "port": "x",
                "scheme": "HTTP"
              }
            }
          },
          "livenessProbe": {
            "failureThreshold": 3,
            "httpGet": {
              "path": "/",
              "port": 80,
              "scheme": "HTTP"
            },
            "periodSeconds": 10,
            "successThreshold": 1,
            "timeoutSeconds": 1
          },
          "name": "c",
          "ports": [
            {
              "containerPort": 80,
              "protocol": "TCP"
            }
          ],
          "readinessProbe": {
            "failureThreshold": 3,
            "grpc": {
              "port": 80,
              "service": ""
            },
            "periodSeconds": 10,
            "successThreshold": 1,
            "timeoutSeconds": 1
          },
          "resources": {
            "limits": {
              "cpu": "1"
            },
            "requests": {
              "cpu": "1"
            }
          },
          "terminationMessagePath": "/dev/termination-log",
          "terminationMessagePolicy": "File"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&stored["spec"]["containers"][0]).unwrap());
    let stored = check::defaulted::<PodKind>(with(
        &json!({"spec": {"hostNetwork": true, "serviceAccount": "sa", "volumes": [
        {"name": "a"}, {"name": "b", "configMap": {"name": "m"}}, {"name": "c", "hostPath": {"path": "/x"}},
        {"name": "d", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}, {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}}]}},
    ], "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]}}),
    ));
    assert_eq!(stored["spec"]["serviceAccountName"], "sa");
    assert_eq!(stored["spec"]["containers"][0]["ports"][0]["hostPort"], 80);
    expect![[r#"[{"emptyDir":{},"name":"a"},{"configMap":{"defaultMode":420,"name":"m"},"name":"b"},{"hostPath":{"path":"/x","type":""},"name":"c"},{"name":"d","projected":{"defaultMode":420,"sources":[{"serviceAccountToken":{"expirationSeconds":3600,"path":"t"}},{"downwardAPI":{"items":[{"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.labels"},"path":"l"}]}}]}}]"#]]
        .assert_eq(&stored["spec"]["volumes"].to_string());
}

#[test]
fn the_class_follows_requests_and_limits() {
    let class = |resources: Value| {
        let stored = check::created::<PodKind>(container(&json!({"resources": resources})));
        stored["status"]["qosClass"].as_str().unwrap().to_owned()
    };
    assert_eq!(class(json!({})), "BestEffort");
    assert_eq!(class(json!({"requests": {"cpu": "0"}})), "BestEffort");
    assert_eq!(class(json!({"requests": {"cpu": "1"}})), "Burstable");
    assert_eq!(class(json!({"limits": {"cpu": "1"}})), "Burstable");
    assert_eq!(class(json!({"limits": {"cpu": "1", "memory": "1Gi"}})), "Guaranteed");
    assert_eq!(
        class(json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1024Mi"}})),
        "Guaranteed"
    );
    assert_eq!(
        class(json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "0.5", "memory": "1Gi"}})),
        "Burstable"
    );
    assert_eq!(class(json!({"limits": {"ephemeral-storage": "1Gi"}})), "BestEffort");
}

#[test]
fn containers_are_checked() {
    create(pod(), expect![[""]]);
    create(json!({"metadata": {"name": "p"}}), expect!["spec.containers: Required value"]);
    create(
        container(&json!({"image": "", "name": "A"})),
        expect![[r#"
        spec.containers[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        spec.containers[0].image: Required value"#]],
    );
    create(
        container(&json!({"imagePullPolicy": "Sometimes", "terminationMessagePolicy": "x"})),
        expect![[r#"
        spec.containers[0].terminationMessagePolicy: Unsupported value: "x": supported values: "FallbackToLogsOnError", "File"
        spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never""#]],
    );
    create(
        with(&json!({"spec": {"containers": [{"name": "c", "image": "i"}, {"name": "c", "image": " i"}]}})),
        expect![[r#"
        spec.containers[1].image: Invalid value: " i": must not have leading or trailing whitespace
        spec.containers[1].name: Duplicate value: "c""#]],
    );
    create(
        with(
            &json!({"spec": {"initContainers": [{"name": "c", "image": "i", "livenessProbe": {"tcpSocket": {"port": 1}}}]}}),
        ),
        expect![[r#"
        spec.initContainers[0].name: Duplicate value: "c"
        spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"#]],
    );
    create(
        with(&json!({"spec": {"ephemeralContainers": [{"name": "e", "image": "i"}]}})),
        expect!["spec.ephemeralContainers: Forbidden: cannot be set on create"],
    );
    create(
        container(
            &json!({"ports": [{"containerPort": 0}, {"containerPort": 80, "hostPort": 70000, "name": "http--x", "hostIP": "a", "protocol": "X"}]}),
        ),
        expect![[r#"
        spec.containers[0].ports[0].containerPort: Required value
        spec.containers[0].ports[1].name: Invalid value: "http--x": must not contain consecutive hyphens
        spec.containers[0].ports[1].hostPort: Invalid value: 70000: must be between 1 and 65535, inclusive
        spec.containers[0].ports[1].hostIP: Invalid value: "a": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
        spec.containers[0].ports[1].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP""#]],
    );
    create(
        container(&json!({"ports": [{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80}]})),
        expect![[r#"spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80""#]],
    );
}

#[test]
fn two_containers_cannot_share_a_port_of_the_node_at_one_time() {
    let ports = json!([{"containerPort": 80, "hostPort": 80}]);
    let init = |ports: Value| {
        with(
            &json!({"spec": {"initContainers": [{"name": "a", "image": "i", "ports": ports}, {"name": "b", "image": "i", "ports": ports}]}}),
        )
    };
    create(init(ports), expect![[""]]);
    let twice = json!([{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80}]);
    create(
        init(twice),
        expect![[r#"
        spec.initContainers[0].ports[1].hostPort: Duplicate value: "TCP//80"
        spec.initContainers[1].ports[1].hostPort: Duplicate value: "TCP//80""#]],
    );
}

#[test]
fn env_is_checked() {
    create(
        container(&json!({"env": [{"name": ""}, {"name": "a=b"}, {"name": "x", "valueFrom": {}}]})),
        expect![[r#"
        spec.containers[0].env[0].name: Required value
        spec.containers[0].env[1].name: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters other than '='
        spec.containers[0].env[2].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"#]],
    );
    create(
        container(&json!({"env": [
            {"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "spec.magic"}}},
            {"name": "b", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}},
            {"name": "c", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "d", "value": "x", "valueFrom": {"secretKeyRef": {"name": "s", "key": "../k"}}},
        ]})),
        expect![[r#"
        spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.magic": error converting fieldPath: field label not supported: spec.magic
        spec.containers[0].env[1].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"
        spec.containers[0].env[3].valueFrom.secretKeyRef.key: Invalid value: "../k": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')
        spec.containers[0].env[3].valueFrom.secretKeyRef.key: Invalid value: "../k": must not start with '..'
        spec.containers[0].env[3].valueFrom: Invalid value: "": may not be specified when `value` is not empty"#]],
    );
    create(
        container(&json!({"envFrom": [{"prefix": "p="}, {"configMapRef": {"name": ""}}]})),
        expect![[r#"
        spec.containers[0].envFrom[0].prefix: Invalid value: "p=": a valid environment variable name must consist only of printable ASCII characters other than '='
        spec.containers[0].envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`
        spec.containers[0].envFrom[1].configMapRef.name: Required value"#]],
    );
}

#[test]
fn resources_are_checked() {
    create(
        container(&json!({"resources": {"requests": {"cpu": "2", "memory": "-1"}, "limits": {"cpu": "1"}}})),
        expect![[r#"
        spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1
        spec.containers[0].resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0"#]],
    );
    create(
        container(&json!({"resources": {"limits": {"gpus": "1", "example.com/gpu": "500m"}}})),
        expect![[r#"
        spec.containers[0].resources.limits[example.com/gpu]: Invalid value: "500m": must be an integer
        spec.containers[0].resources.limits[gpus]: Invalid value: "gpus": must be a standard resource for containers
        spec.containers[0].resources.requests[example.com/gpu]: Invalid value: "500m": must be an integer
        spec.containers[0].resources.requests[gpus]: Invalid value: "gpus": must be a standard resource for containers"#]],
    );
    create(
        container(&json!({"resources": {"requests": {"example.com/gpu": "1"}}})),
        expect![
            "spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources"
        ],
    );
}

#[test]
fn paths_never_climb() {
    let volumes = |volume: Value| with(&json!({"spec": {"volumes": [volume]}}));
    create(
        volumes(
            json!({"name": "v", "configMap": {"name": "m", "items": [{"key": "k", "path": "../etc/passwd"}, {"key": "k", "path": "/abs"}, {"key": "k", "path": "..x"}, {"key": "k", "path": "a/../b", "mode": 512}]}}),
        ),
        expect![[r#"
        spec.volumes[0].configMap.items[0].path: Invalid value: "../etc/passwd": must not contain '..'
        spec.volumes[0].configMap.items[1].path: Invalid value: "/abs": must be a relative path
        spec.volumes[0].configMap.items[2].path: Invalid value: "..x": must not start with '..'
        spec.volumes[0].configMap.items[3].path: Invalid value: "a/../b": must not contain '..'
        spec.volumes[0].configMap.items[3].mode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive"#]],
    );
    create(
        volumes(json!({"name": "v", "hostPath": {"path": "/a/../b", "type": "Magic"}})),
        expect![[r#"
        spec.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain '..'
        spec.volumes[0].hostPath.type: Unsupported value: "Magic": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket""#]],
    );
    create(
        volumes(
            json!({"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "../t", "expirationSeconds": 60}}, {"secret": {"name": "s", "items": [{"key": "k", "path": "a"}]}}, {"configMap": {"name": "s", "items": [{"key": "k", "path": "a"}]}}, {}]}}),
        ),
        expect![[r#"
        spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes
        spec.volumes[0].projected.sources[0].serviceAccountToken.path: Invalid value: "../t": must not contain '..'
        spec.volumes[0].projected.sources[2]: Invalid value: "a": conflicting duplicate paths
        spec.volumes[0].projected.sources[3]: Required value: must specify a volume type"#]],
    );
    create(
        volumes(json!({"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}})),
        expect!["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
    );
    create(
        container(
            &json!({"volumeMounts": [{"name": "x", "mountPath": "/a", "subPath": "../b"}, {"name": "x", "mountPath": "/a", "subPath": "/etc", "mountPropagation": "Bidirectional"}]}),
        ),
        expect![[r#"
        spec.containers[0].volumeMounts[0].name: Not found: "x"
        spec.containers[0].volumeMounts.subPath: Invalid value: "../b": must not contain '..'
        spec.containers[0].volumeMounts[1].name: Not found: "x"
        spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique
        spec.containers[0].volumeMounts.subPath: Invalid value: "/etc": must be a relative path
        spec.containers[0].volumeMounts[1].mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers"#]],
    );
}

#[test]
fn probes_and_hooks_have_one_handler() {
    create(
        container(&json!({"livenessProbe": {"successThreshold": 2, "exec": {"command": []}}})),
        expect![[r"
        spec.containers[0].livenessProbe.exec.command: Required value
        spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"]],
    );
    create(
        container(
            &json!({"readinessProbe": {}, "startupProbe": {"exec": {"command": ["x"]}, "tcpSocket": {"port": "a_b"}, "periodSeconds": -1}}),
        ),
        expect![[r"
        spec.containers[0].readinessProbe: Required value: must specify a handler type
        spec.containers[0].startupProbe.tcpSocket: Forbidden: may not specify more than 1 handler type
        spec.containers[0].startupProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0"]],
    );
    create(
        container(&json!({"lifecycle": {"preStop": {"sleep": {"seconds": 99}}}})),
        expect![
            "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 99: must be non-negative and less than terminationGracePeriodSeconds (30)"
        ],
    );
}

#[test]
fn security_is_checked() {
    create(
        with(
            &json!({"spec": {"securityContext": {"runAsUser": -1, "sysctls": [{"name": "foo-", "value": "1"}, {"name": "kernel.shmmax", "value": "1"}, {"name": "bar..", "value": "1"}], "seccompProfile": {"type": "Localhost", "localhostProfile": "../x"}}}}),
        ),
        expect![[r#"
        spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive
        spec.securityContext.sysctls[0].name: Invalid value: "foo-": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$
        spec.securityContext.sysctls[2].name: Invalid value: "bar..": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$
        spec.securityContext.seccompProfile.localhostProfile: Invalid value: "../x": must not contain '..'"#]],
    );
    create(
        container(&json!({"securityContext": {"privileged": true, "allowPrivilegeEscalation": false}})),
        expect![[
            r#"spec.containers[0].securityContext: Invalid value: {"allowPrivilegeEscalation":false,"privileged":true}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true"#
        ]],
    );
    create(
        with(&json!({"spec": {"hostUsers": false, "hostPID": true, "shareProcessNamespace": true}})),
        expect![[r"
        spec.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled
        spec.hostPID: Forbidden: when `hostUsers` is false, `hostPID` must be false"]],
    );
}

#[test]
fn placement_is_checked() {
    create(
        with(
            &json!({"spec": {"tolerations": [{"operator": "Equal"}, {"key": "a", "operator": "Exists", "value": "b", "effect": "X", "tolerationSeconds": 1}]}}),
        ),
        expect![[r#"
        spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"
        spec.tolerations[1].effect: Invalid value: "X": effect must be 'NoExecute' when `tolerationSeconds` is set
        spec.tolerations[1].operator: Invalid value: {"effect":"X","key":"a","operator":"Exists","tolerationSeconds":1,"value":"b"}: value must be empty when `operator` is 'Exists'
        spec.tolerations[1].effect: Unsupported value: "X": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute""#]],
    );
    create(
        with(
            &json!({"spec": {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}, "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 0, "podAffinityTerm": {"topologyKey": ""}}]}}}}),
        ),
        expect![[r"
        spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term
        spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: must be in the range 1-100
        spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.topologyKey: Required value: can not be empty"]],
    );
    create(
        with(
            &json!({"spec": {"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 1}, {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]}}),
        ),
        expect![[r#"
        spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero
        spec.topologySpreadConstraints[0].minDomains: Invalid value: 1: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway
        spec.topologySpreadConstraints[1].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, ScheduleAnyway}""#]],
    );
    create(
        with(&json!({"spec": {"nodeName": "n", "schedulingGates": [{"name": "a/b"}]}})),
        expect!["spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"],
    );
    create(
        with(
            &json!({"spec": {"dnsPolicy": "None", "hostname": "a.b", "activeDeadlineSeconds": 0, "restartPolicy": "No"}}),
        ),
        expect![[r#"
        spec.restartPolicy: Unsupported value: "No": supported values: "Always", "OnFailure", "Never"
        spec.dnsConfig: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None
        spec.hostname: Invalid value: "a.b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"#]],
    );
}

#[expect(clippy::needless_pass_by_value, reason = "tables read better with values")]
fn change(old: Value, patch: Value, want: Expect) {
    want.assert_eq(&check::update::<PodKind>(old, &patch));
}

#[test]
fn little_of_a_pod_may_change() {
    let image = |image: &str| json!({"spec": {"containers": [{"name": "c", "image": image, "imagePullPolicy": "IfNotPresent"}]}});
    change(pod(), image("i:2"), expect![[""]]);
    change(pod(), image(""), expect!["spec.containers[0].image: Required value"]);
    change(pod(), json!({"metadata": {"labels": {"a": "b"}}}), expect![[""]]);
    change(
        pod(),
        json!({"spec": {"activeDeadlineSeconds": 5, "tolerations": [{"operator": "Exists"}]}}),
        expect![[""]],
    );
    change(
        with(&json!({"spec": {"activeDeadlineSeconds": 5}})),
        json!({"spec": {"activeDeadlineSeconds": 6}}),
        expect!["spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"],
    );
    change(
        with(&json!({"spec": {"tolerations": [{"key": "a", "operator": "Exists"}]}})),
        json!({"spec": {"tolerations": []}}),
        expect!["spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"],
    );
    change(
        pod(),
        json!({"spec": {"containers": [{"name": "c", "image": "i"}, {"name": "d", "image": "i"}]}}),
        expect!["spec.containers: Forbidden: pod updates may not add or remove containers"],
    );
    change(pod(), json!({"spec": {"hostNetwork": false, "nodeSelector": {}, "hostname": ""}}), expect![[""]]);
    change(
        pod(),
        json!({"spec": {"schedulingGates": [{"name": "a/b"}]}}),
        expect!["spec.schedulingGates[0]: Forbidden: only deletion is allowed, but found new scheduling gate 'a/b'"],
    );
    change(
        pod(),
        json!({"spec": {"nodeName": "n"}}),
        expect![[r#"
        spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)
        -	spec.nodeName: <unset>
        +	spec.nodeName: "n""#]],
    );
    let sized = || container(&json!({"resources": {"requests": {"cpu": "1"}}}));
    change(
        sized(),
        json!({"spec": {"containers": [{"name": "c", "image": "i:1", "resources": {"requests": {"cpu": "1"}}, "securityContext": {"runAsUser": 0}}]}}),
        expect![[r#"
        spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)
        -	spec.containers: [{"image":"i:1","imagePullPolicy":"IfNotPresent","name":"c","resources":{"requests":{"cpu":"1"}},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}]
        +	spec.containers: [{"image":"i:1","imagePullPolicy":"IfNotPresent","name":"c","resources":{"requests":{"cpu":"1"}},"securityContext":{"runAsUser":0},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}]"#]],
    );
}

#[test]
fn a_container_that_ended_for_good_stays_ended() {
    let (errors, after) = revived(&json!({"spec": {"restartPolicy": "Never"}}));
    assert_eq!(
        errors[0].to_string(),
        "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"
    );
    assert_eq!(after["status"]["podIPs"], json!([{"ip": "10.42.0.2"}]));
    let rule = json!({"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}});
    let sidecar = json!({"name": "s", "image": "i:1", "restartPolicy": "Always", "restartPolicyRules": [rule]});
    let (errors, _) = revived(&json!({"spec": {"restartPolicy": "Never", "initContainers": [sidecar]}}));
    assert!(errors.is_empty(), "a pod that begins again: {errors:?}");
}

/// What is said of a status in which a container runs that had succeeded, and that status.
fn revived(spec: &Value) -> (FieldErrors, Value) {
    let old = with(spec);
    let ended = json!({"status": {"containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 0}}}]}});
    let kind = crate::typed::Typed::<PodKind>::new();
    let mut before = check::created::<PodKind>(old);
    check::merge(&mut before, &ended);
    before["metadata"]["resourceVersion"] = json!("1");
    let mut after = before.clone();
    check::merge(
        &mut after,
        &json!({"status": {"podIP": "10.42.0.2", "containerStatuses": [{"name": "c", "state": {"running": {}}}]}}),
    );
    crate::kind::Kind::default(&kind, &mut after);
    (crate::kind::Kind::validate_status(&kind, &after, &before), after)
}

#[test]
fn surprises_are_warned_of() {
    let mut object = container(
        &json!({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}, {"name": "A", "value": "$(A)3"}],
        "ports": [{"containerPort": 80}, {"containerPort": 80}], "resources": {"limits": {"memory": "100m"}}}),
    );
    check::merge(
        &mut object,
        &json!({"metadata": {"name": "a.b"}, "spec": {"nodeSelector": {"beta.kubernetes.io/os": "linux"}, "imagePullSecrets": [{"name": ""}]}}),
    );
    expect![[r#"
        metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')]
        spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead
        spec.imagePullSecrets[0].name: invalid empty name ""
        spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply
        spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]
        spec.containers[0].resources.limits[memory]: fractional byte value "100m" is invalid, must be an integer
        spec.containers[0].resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer"#]]
    .assert_eq(&check::warnings::<PodKind>(object));
}

#[test]
fn claims_and_resources_of_the_whole_pod_bind_its_containers() {
    create(
        with(&json!({"spec": {
            "resourceClaims": [{"name": "gpu", "resourceClaimName": "a"}, {"name": "gpu"}],
            "resources": {"requests": {"cpu": "100m", "example.com/x": "1"}, "limits": {"cpu": "200m", "example.com/x": "1"}},
            "containers": [{"name": "c", "image": "i", "resources": {
                "requests": {"cpu": "150m"}, "limits": {"cpu": "300m"}, "claims": [{"name": "nic"}],
            }}],
        }})),
        expect![[r#"
            spec.resources.limits[example.com/x]: Unsupported value: "example.com/x": supported values: "cpu", "hugepages-", "memory"
            spec.resources.requests[example.com/x]: Unsupported value: "example.com/x": supported values: "cpu", "hugepages-", "memory"
            spec.resources.requests[cpu]: Invalid value: "100m": must be greater than or equal to aggregate container requests of 150m
            spec.containers[0].resources.limits[cpu]: Invalid value: "300m": must be less than or equal to pod limits of 200m
            spec.resourceClaims[1].name: Duplicate value: "gpu"
            spec.resourceClaims[1]: Invalid value: {"name":"gpu"}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`
            spec.containers[0].resources.claims[0]: Not found: "nic": must be one of the names in pod.spec.resourceClaims: gpu"#]],
    );
}

#[test]
fn an_operating_system_excludes_the_other_s_settings() {
    create(
        with(&json!({"spec": {
            "os": {"name": "windows"}, "hostPID": true, "securityContext": {"runAsUser": 1, "windowsOptions": {"runAsUserName": "a"}},
            "containers": [{"name": "c", "image": "i", "securityContext": {"privileged": false}}],
        }})),
        expect![[r"
            spec.hostPID: Forbidden: cannot be set for a windows pod
            spec.securityContext.runAsUser: Forbidden: cannot be set for a windows pod
            spec.containers[0].securityContext.privileged: Forbidden: cannot be set for a windows pod"]],
    );
    create(
        with(&json!({"spec": {"os": {"name": "linux"}, "securityContext": {"windowsOptions": {}}}})),
        expect!["spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod"],
    );
}

#[test]
fn a_resize_policy_is_stated_once_a_resource_and_fits_the_pod() {
    let mut object = container(&json!({
        "resizePolicy": [
            {"resourceName": "cpu", "restartPolicy": "RestartContainer"}, {"resourceName": "cpu", "restartPolicy": "NotRequired"},
        ],
        "securityContext": {"procMount": "Unmasked"},
    }));
    object["spec"]["restartPolicy"] = "Never".into();
    create(
        object,
        expect![[r#"
            spec.containers[0].resizePolicy[0].restartPolicy: Invalid value: "RestartContainer": must be 'NotRequired' when `restartPolicy` is 'Never'
            spec.containers[0].resizePolicy[1]: Duplicate value: "cpu"
            spec.containers[0].securityContext.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`"#]],
    );
}

#[test]
fn a_gated_pod_may_be_asked_for_fewer_nodes_and_never_for_others() {
    let required = |terms: Value| {
        let required = json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}});
        json!({"spec": {"affinity": {"nodeAffinity": required}}})
    };
    let zone = || json!({"key": "zone", "operator": "Exists"});
    let term = |all: Value| json!({"matchExpressions": all});
    let gated = with(&json!({"spec": {"schedulingGates": [{"name": "a/b"}]}}));
    let update = |old: &Value, patch: &Value| check::update::<PodKind>(old.clone(), patch);
    let once = required(json!([term(json!([zone()]))]));
    assert_eq!(update(&gated, &once), "");
    assert!(update(&pod(), &once).contains("pod updates may not change fields other than"));
    let mut asked = gated.clone();
    check::merge(&mut asked, &once);
    let narrower = required(json!([term(json!([zone(), {"key": "disk", "operator": "Exists"}]))]));
    assert_eq!(update(&asked, &narrower), "");
    let path = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
    let other = update(&asked, &required(json!([term(json!([{"key": "disk", "operator": "Exists"}]))])));
    assert!(other.starts_with(&format!("{path}[0]: Invalid value: ")), "{other}");
    assert!(other.ends_with("only additions are allowed (no mutations or deletions)"), "{other}");
    let wider = update(&asked, &required(json!([term(json!([zone()])), term(json!([zone()]))])));
    assert!(wider.ends_with("no additions/deletions to non-empty NodeSelectorTerms list are allowed"), "{wider}");
    let apart = json!({"spec": {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}}}});
    assert!(update(&gated, &apart).contains("pod updates may not change fields other than"));
}

#[test]
fn rules_of_restarting_are_bounded_and_huge_pages_do_not_stand_alone() {
    let rule = |values: Vec<i32>| json!({"action": "Restart", "exitCodes": {"operator": "In", "values": values}});
    let rules = |rules: Vec<Value>| container(&json!({"restartPolicy": "Never", "restartPolicyRules": rules}));
    create(rules(vec![rule((1..=255).collect()); 20]), expect![[""]]);
    create(
        rules(vec![rule(vec![1]); 21]),
        expect!["spec.containers[0].restartPolicyRules: Too many: 21: must have at most 20 items"],
    );
    create(
        rules(vec![rule(vec![]), rule((0..256).collect())]),
        expect![[r"
            spec.containers[0].restartPolicyRules[0].exitCodes.values: Required value: must specify at least one value
            spec.containers[0].restartPolicyRules[1].exitCodes.values: Too many: 256: must have at most 255 items"]],
    );
    let action = |action: &str| {
        let mut rule = rule(vec![42]);
        rule["action"] = json!(action);
        rules(vec![rule])
    };
    create(action("RestartAllContainers"), expect![[""]]);
    create(
        action("RestartPod"),
        expect![[
            r#"spec.containers[0].restartPolicyRules[0].action: Unsupported value: "RestartPod": supported values: "Restart", "RestartAllContainers""#
        ]],
    );
    let pages = |more: Value| {
        let mut limits = json!({"hugepages-2Mi": "2Mi"});
        check::merge(&mut limits, &more);
        container(&json!({"resources": {"limits": limits}}))
    };
    create(pages(json!({"memory": "1Gi"})), expect![[""]]);
    create(pages(json!({})), expect!["spec.containers[0].resources: Forbidden: HugePages require cpu or memory"]);
}

#[test]
fn sources_of_volumes_are_whole() {
    let volume = |source: Value| {
        let mut volume = json!({"name": "v"});
        check::merge(&mut volume, &source);
        with(&json!({"spec": {"volumes": [volume]}}))
    };
    create(
        volume(
            json!({"ephemeral": {"volumeClaimTemplate": {"metadata": {"name": "x"}, "spec": {"accessModes": ["ReadWriteOnce"]}}}}),
        ),
        expect![[r"
            spec.volumes[0].ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be set
            spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value"]],
    );
    create(
        volume(json!({"iscsi": {"targetPortal": "p", "lun": 0}})),
        expect!["spec.volumes[0].iscsi.iqn: Required value"],
    );
    let projected = |source: Value| volume(json!({"projected": {"sources": [source]}}));
    create(
        projected(json!({"clusterTrustBundle": {"path": "ca.pem"}})),
        expect![
            "spec.volumes[0].projected.sources[0].clusterTrustBundle: Required value: either name or signerName must be specified"
        ],
    );
    create(
        projected(json!({"clusterTrustBundle": {"path": "ca.pem", "name": "a:b:c", "labelSelector": {}}})),
        expect![
            "spec.volumes[0].projected.sources[0].clusterTrustBundle.labelSelector: Invalid value: {}: labelSelector must be unset if name is specified"
        ],
    );
    create(
        projected(
            json!({"podCertificate": {"signerName": "example.com/s", "keyType": "RSA", "maxExpirationSeconds": 60, "userAnnotations": {"a": "b"}}}),
        ),
        expect![[r#"
            spec.volumes[0].projected.sources[0].podCertificate.keyType: Unsupported value: "RSA": supported values: "RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"
            spec.volumes[0].projected.sources[0].podCertificate.maxExpirationSeconds: Invalid value: 60: must be in the range [3600, 7862400]
            spec.volumes[0].projected.sources[0].podCertificate.userAnnotations: Invalid value: "a": must be a domain-prefixed key (such as "acme.io/foo")
            spec.volumes[0].projected.sources[0].podCertificate: Required value: specify at least one of credentialBundlePath, keyPath, and certificateChainPath"#]],
    );
}
