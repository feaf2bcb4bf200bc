//! Strict decoding, by what clients send and see.

use expect_test::{Expect, expect};
use kinds::schema::decode::{DEPTH_MAX, Strictness};
use kinds::schema::{self, Schema};
use serde_json::{Value, json};

fn schema(kind: &str) -> Schema {
    let name = match kind {
        "Deployment" => "io.k8s.api.apps.v1.Deployment",
        "CustomResourceDefinition" => {
            "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition"
        }
        "Lease" => "io.k8s.api.coordination.v1.Lease",
        "TokenReview" => "io.k8s.api.authentication.v1.TokenReview",
        core => return schema::lookup(&format!("io.k8s.api.core.v1.{core}")).expect("a core kind"),
    };
    schema::lookup(name).expect("a definition")
}

#[expect(clippy::needless_pass_by_value, reason = "a table of values")]
fn check(kind: &str, body: &str, expected: Expect) {
    let text = match schema(kind).decode(body.as_bytes(), Strictness::Report) {
        Ok(decoded) => {
            let mut lines = vec![decoded.object.to_string()];
            lines.extend(decoded.complaints());
            lines.join("\n")
        }
        Err(error) => format!("error: {error}"),
    };
    expected.assert_eq(&text);
}

#[test]
fn unknown_and_repeated_fields_are_named_with_their_path() {
    check(
        "Pod",
        r#"{"kind":"Pod","spec":{"containers":[{"name":"a","imagee":"b"}],"foo":1,"nodeName":"a","nodeName":"b"},"Spec":{"x":{"y":1,"y":2}}}"#,
        expect![[r#"
            {"kind":"Pod","spec":{"containers":[{"name":"a"}],"nodeName":"b"}}
            unknown field "Spec"
            unknown field "spec.containers[0].imagee"
            unknown field "spec.foo"
            duplicate field "spec.nodeName""#]],
    );
    check(
        "ConfigMap",
        r#"{"data":{"a":"1","a":"2"},"metadata":{"labels":{"b":"1","b":"2"}}}"#,
        expect![[r#"
            {"data":{"a":"2"},"metadata":{"labels":{"b":"2"}}}
            duplicate field "data.a"
            duplicate field "metadata.labels.b""#]],
    );
}

#[test]
fn nulls_and_empty_optional_containers_are_left_out() {
    check(
        "Pod",
        r#"{"metadata":{"creationTimestamp":null,"labels":{},"annotations":{"a":null}},"spec":{"containers":[],"volumes":[],"initContainers":null,"nodeSelector":{},"securityContext":{}},"status":{}}"#,
        expect![[r#"{"metadata":{"annotations":{"a":""}},"spec":{"containers":[],"securityContext":{}},"status":{}}"#]],
    );
}

#[test]
fn what_gos_json_leaves_out_is_left_out() {
    check(
        "Service",
        r#"{"metadata":{"name":"a","namespace":"","annotations":{"kept":""}},"spec":{"clusterIP":"","clusterIPs":[""],"internalTrafficPolicy":"","ports":[{"name":"","port":0,"nodePort":0,"appProtocol":""}],"publishNotReadyAddresses":false,"sessionAffinity":"","healthCheckNodePort":0}}"#,
        expect![[
            r#"{"metadata":{"annotations":{"kept":""},"name":"a"},"spec":{"clusterIPs":[""],"internalTrafficPolicy":"","ports":[{"appProtocol":"","port":0}]}}"#
        ]],
    );
    check(
        "Pod",
        r#"{"spec":{"nodeName":"","schedulerName":"","hostname":"","hostNetwork":false,"automountServiceAccountToken":false,"priority":0,"runtimeClassName":"","imagePullSecrets":[{"name":""}],"containers":[{"name":"","image":"","tty":false,"args":[""],"env":[{"name":"A","value":""}],"livenessProbe":{"initialDelaySeconds":0,"grpc":{"port":0,"service":""}},"volumeMounts":[{"name":"v","mountPath":"","subPath":"","readOnly":false}],"securityContext":{"privileged":false,"runAsUser":0}}],"volumes":[{"name":"v","hostPath":{"path":"/","type":""}},{"name":"w","csi":{"driver":"","fsType":"","readOnly":false}}]}}"#,
        expect![[
            r#"{"spec":{"automountServiceAccountToken":false,"containers":[{"args":[""],"env":[{"name":"A"}],"livenessProbe":{"grpc":{"port":0,"service":""}},"name":"","securityContext":{"privileged":false,"runAsUser":0},"volumeMounts":[{"mountPath":"","name":"v"}]}],"imagePullSecrets":[{}],"priority":0,"runtimeClassName":"","volumes":[{"hostPath":{"path":"/","type":""},"name":"v"},{"csi":{"driver":"","fsType":"","readOnly":false},"name":"w"}]}}"#
        ]],
    );
    check(
        "PersistentVolumeClaim",
        r#"{"spec":{"storageClassName":"","volumeName":""}}"#,
        expect![[r#"{"spec":{"storageClassName":""}}"#]],
    );
    check(
        "PersistentVolume",
        r#"{"spec":{"storageClassName":"","csi":{"driver":"d","fsType":"","volumeHandle":"h"}}}"#,
        expect![[r#"{"spec":{"csi":{"driver":"d","volumeHandle":"h"}}}"#]],
    );
    check(
        "Deployment",
        r#"{"spec":{"replicas":0,"paused":false,"minReadySeconds":0,"revisionHistoryLimit":0,"selector":{}},"status":{"replicas":0}}"#,
        expect![[r#"{"spec":{"replicas":0,"revisionHistoryLimit":0,"selector":{}},"status":{}}"#]],
    );
    check(
        "Endpoints",
        r#"{"subsets":[{"ports":[{"name":"","port":1}]}]}"#,
        expect![[r#"{"subsets":[{"ports":[{"port":1}]}]}"#]],
    );
    check("Lease", r#"{"spec":{"holderIdentity":""}}"#, expect![[r#"{"spec":{"holderIdentity":""}}"#]]);
}

#[test]
fn what_is_applied_keeps_the_values_that_it_states() {
    let body = json!({"spec": {"paused": false, "template": {"spec": {"nodeName": "", "volumes": []}}}, "x": 1});
    let decoded = schema("Deployment").decode_tree(body, Strictness::Stated).unwrap();
    assert_eq!(decoded.unknown, ["x"]);
    let kept = json!({"spec": {"paused": false, "template": {"spec": {"nodeName": ""}}}});
    assert_eq!(decoded.object, kept);
}

#[test]
fn a_condition_without_a_time_has_the_zero_time() {
    for since in ["", r#","lastTransitionTime":null"#, r#","lastTransitionTime":"0001-01-01T00:00:00Z""#] {
        let body = format!(
            r#"{{"status":{{"conditions":[{{"type":"A","status":"True","reason":"R","message":""{since}}}]}}}}"#
        );
        check(
            "Service",
            &body,
            expect![[
                r#"{"status":{"conditions":[{"lastTransitionTime":"0001-01-01T00:00:00Z","message":"","reason":"R","status":"True","type":"A"}]}}"#
            ]],
        );
    }
}

#[test]
fn values_are_written_canonically() {
    check(
        "Pod",
        r#"{"metadata":{"creationTimestamp":"2024-01-02T05:04:05.678+02:00"},"spec":{"containers":[{"name":"a","resources":{"limits":{"cpu":0.5,"memory":"1.5Gi"},"requests":{"cpu":2}},"ports":[{"containerPort":80}],"readinessProbe":{"httpGet":{"port":"web"}},"livenessProbe":{"tcpSocket":{"port":80}}}]}}"#,
        expect![[
            r#"{"metadata":{"creationTimestamp":"2024-01-02T03:04:05Z"},"spec":{"containers":[{"livenessProbe":{"tcpSocket":{"port":80}},"name":"a","ports":[{"containerPort":80}],"readinessProbe":{"httpGet":{"port":"web"}},"resources":{"limits":{"cpu":"500m","memory":"1536Mi"},"requests":{"cpu":"2"}}}]}}"#
        ]],
    );
    check(
        "Lease",
        r#"{"spec":{"renewTime":"2024-01-02T03:04:05.5Z","acquireTime":"2024-01-02T03:04:05Z"}}"#,
        expect![[
            r#"{"spec":{"acquireTime":"2024-01-02T03:04:05.000000Z","renewTime":"2024-01-02T03:04:05.500000Z"}}"#
        ]],
    );
    check(
        "TokenReview",
        r#"{"status":{"user":{"extra":{"a":["b"],"c":null}}}}"#,
        expect![[r#"{"status":{"user":{"extra":{"a":["b"],"c":[]}}}}"#]],
    );
}

#[test]
fn bytes_are_written_in_canonical_base64() {
    for (sent, kept) in [("", ""), ("YQ==", "YQ=="), ("YR==", "YQ=="), ("YWJ=", "YWI="), ("YW\\nJj", "YWJj")] {
        let body = format!(r#"{{"data":{{"a":"{sent}"}}}}"#);
        let decoded = schema("Secret").decode(body.as_bytes(), Strictness::Report).expect("good base64");
        assert_eq!(decoded.object["data"]["a"], json!(kept), "{sent}");
    }
    for bad in ["YQ", "YQ=", "Y===", "=", "====", "YQ==YQ=="] {
        let body = format!(r#"{{"data":{{"a":"{bad}"}}}}"#);
        assert!(schema("Secret").decode(body.as_bytes(), Strictness::Report).is_err(), "{bad}");
    }
}

#[test]
fn wrong_types_are_refused_in_upstreams_words() {
    for (kind, body, expected) in [
        (
            "Deployment",
            r#"{"spec":{"replicas":"three"}}"#,
            expect![
                "error: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
            ],
        ),
        (
            "Deployment",
            r#"{"spec":{"replicas":1.5}}"#,
            expect![
                "error: json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32"
            ],
        ),
        (
            "Pod",
            r#"{"spec":{"containers":{"name":"a"}}}"#,
            expect![
                "error: json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container"
            ],
        ),
        (
            "Pod",
            r#"{"spec":{"containers":[{"name":1}]}}"#,
            expect![
                "error: json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string"
            ],
        ),
        (
            "Pod",
            r#"{"metadata":{"labels":{"a":true}}}"#,
            expect![
                "error: json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels.a of type string"
            ],
        ),
        ("Pod", r#"["a"]"#, expect!["error: json: cannot unmarshal array into Go value of type v1.Pod"]),
        (
            "Pod",
            r#"{"spec":{"containers":[{"name":"a","resources":{"limits":{"cpu":"lots"}}}]}}"#,
            expect![[
                r"error: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            ]],
        ),
        ("Secret", r#"{"data":{"a":"no base64!"}}"#, expect!["error: illegal base64 data at input byte 2"]),
    ] {
        check(kind, body, expected);
    }
}

#[test]
fn malformed_json_is_refused_in_upstreams_words() {
    for (body, expected) in [
        ("", expect!["error: unexpected end of JSON input"]),
        (r#"{"a"#, expect!["error: unexpected end of JSON input"]),
        (r#"{"a":1,}"#, expect!["error: invalid character '}' looking for beginning of object key string"]),
        (r#"{"a" 1}"#, expect!["error: invalid character '1' after object key"]),
        (r#"{"a":1 2}"#, expect!["error: invalid character '2' after object key:value pair"]),
        ("[1 2]", expect!["error: invalid character '2' after array element"]),
        ("{} x", expect!["error: invalid character 'x' after top-level value"]),
        ("nope", expect!["error: invalid character 'o' in literal null"]),
        ("\"\n\"", expect![[r"error: invalid character '\n' in string literal"]]),
    ] {
        check("Pod", body, expected);
    }
}

#[test]
fn a_hundred_thousand_brackets_are_one_clear_error() {
    for bracket in ["[", r#"{"a":"#] {
        check("Pod", &bracket.repeat(100_000), expect!["error: exceeded max depth"]);
    }
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(DEPTH_MAX - 1), "]".repeat(DEPTH_MAX - 1));
    assert!(schema("Pod").decode(deep.as_bytes(), Strictness::Report).is_ok());
}

#[test]
fn schemas_inside_a_definition_keep_their_unions_and_nulls_of_defaults() {
    let body = json!({"spec": {"versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
        "type": "object",
        "additionalProperties": false,
        "properties": {"a": {"items": {"type": "string", "default": {"x": null}}, "enum": [1, null, "b"], "nope": 1}},
        "x-kubernetes-preserve-unknown-fields": true
    }}}]}});
    let decoded = schema("CustomResourceDefinition").decode(body.to_string().as_bytes(), Strictness::Report).unwrap();
    assert_eq!(decoded.unknown, ["spec.versions[0].schema.openAPIV3Schema.properties.a.nope"]);
    let read = &decoded.object["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    assert_eq!(read["additionalProperties"], json!(false));
    assert_eq!(read["properties"]["a"]["items"]["default"], json!({"x": null}));
    assert_eq!(read["properties"]["a"]["enum"], json!([1, null, "b"]));
}

#[test]
fn strings_keep_every_character() {
    let text = "a\u{0}\u{1f}\"\\/\u{e9}\u{1f600}\u{2028}";
    let body = json!({"data": {"k": text}}).to_string();
    let decoded = schema("ConfigMap").decode(body.as_bytes(), Strictness::Report).unwrap();
    assert_eq!(decoded.object["data"]["k"], json!(text));
    let escaped = r#"{"data":{"k":"\u00e9\ud83d\ude00\ud83d!\/"}}"#;
    let decoded = schema("ConfigMap").decode(escaped.as_bytes(), Strictness::Report).unwrap();
    assert_eq!(decoded.object["data"]["k"], json!("é😀\u{fffd}!/"));
}

#[test]
fn descriptions_belong_to_their_fields() {
    let descriptions = schema::Descriptions::unpack();
    let pod = schema("Pod");
    assert!(descriptions.of(pod).starts_with("Pod is a collection of containers"));
    let node_name = pod.at("spec.nodeName").expect("a field");
    assert!(descriptions.of_field(node_name).starts_with("NodeName indicates in which node"));
    let last = schema::all().last().expect("not empty");
    for field in last.fields() {
        descriptions.of_field(field);
    }
}

#[test]
fn the_table_knows_tags_and_how_lists_merge() {
    let container = schema("Container");
    let ports = container.field("ports").expect("a field");
    assert_eq!(ports.tag(), Some(6));
    assert_eq!(ports.list_keys().collect::<Vec<_>>(), ["containerPort", "protocol"]);
    assert_eq!((ports.merge_key(), ports.merges()), ("containerPort", true));
    let host_path = schema("Volume").field("hostPath").expect("a field");
    assert_eq!((host_path.embedded_in().collect::<Vec<_>>(), host_path.tag()), (vec![2], Some(1)));
    assert!(schema("PodSpec").field("volumes").expect("a field").retains_keys());
    assert_eq!(schema("ServicePort").field("protocol").expect("a field").default(), Some("\"TCP\""));
}

mod arbitrary {
    use super::*;
    use proptest::prelude::*;

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        let key = prop_oneof![
            Just("metadata".to_owned()),
            Just("spec".to_owned()),
            Just("containers".to_owned()),
            Just("name".to_owned()),
            Just("labels".to_owned()),
            ".{0,4}",
        ];
        leaf.prop_recursive(5, 64, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(key.clone(), inner, 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn our_parser_reads_what_serde_json_writes(tree in tree()) {
            let text = tree.to_string();
            let (read, duplicates) = schema::decode::untyped(text.as_bytes()).unwrap();
            prop_assert_eq!(read, tree);
            prop_assert!(duplicates.is_empty());
        }

        #[test]
        fn our_parser_accepts_and_refuses_what_serde_json_does(text in r#"[\[\]{}",:0-9a-z.eE+\- \\]{0,24}"#) {
            let ours = schema::decode::untyped(text.as_bytes()).map(|(tree, _)| tree).ok();
            let theirs = serde_json::from_str::<Value>(&text).ok();
            // Lone halves of pairs are the one thing that Go takes and serde_json does not; none can be written here.
            prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn no_bytes_make_decoding_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            for kind in ["Pod", "Service", "CustomResourceDefinition"] {
                if let Err(error) = schema(kind).decode(&bytes, Strictness::Report) {
                    prop_assert!(!error.to_string().is_empty());
                }
            }
        }

        #[test]
        fn what_is_decoded_decodes_to_itself(tree in tree()) {
            if let Ok(decoded) = schema("Pod").decode(tree.to_string().as_bytes(), Strictness::Report) {
                let again = schema("Pod").decode(decoded.object.to_string().as_bytes(), Strictness::Report).unwrap();
                prop_assert_eq!(&again.object, &decoded.object);
                prop_assert!(again.unknown.is_empty() && again.duplicate.is_empty());
            }
        }
    }
}
