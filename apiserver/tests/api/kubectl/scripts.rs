//! What upstream's own scripts check beyond the other files: custom resources through every verb, files of many objects of
//! which some fail, the way from one kind of apply to the other, and requests without kubectl's knowledge.
//! k8s: `test/cmd/{crd,apply,core,discovery,authorization}.sh`

use super::{Row, fails, feed, refuses, row, run, warns};
use crate::every_kind::signing_request;
use serde_json::json;

const FOOS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: foos.company.com}
spec:
  group: company.com
  scope: Namespaced
  names: {plural: foos, kind: Foo}
  versions:
    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
";
/// Its singular is nothing of its plural, and its short name is another kind's name.
const KINDS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: resources.mygroup.example.com}
spec:
  group: mygroup.example.com
  scope: Namespaced
  names: {plural: resources, singular: resource, kind: Kind, listKind: KindList, shortNames: [pod]}
  versions:
    - {name: v1alpha1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
";
const FOO: &str = "---\n{apiVersion: company.com/v1, kind: Foo, metadata: {name: test}, someField: field1, nestedField: {a: subfield1, b: subfield2}}";
const FOO_CHANGED: &str = "---\n{apiVersion: company.com/v1, kind: Foo, metadata: {name: test}, someField: field1, nestedField: {a: modified, c: subfield3}}";
const LIST: &str = "---\n{apiVersion: v1, kind: List, items: [\
    {apiVersion: company.com/v1, kind: Foo, metadata: {name: test-list}, someField: field1},\
    {apiVersion: mygroup.example.com/v1alpha1, kind: Kind, metadata: {name: myobj}}]}";

const CUSTOM: &[Row] = &[
    feed("create -f -", FOOS, &["customresourcedefinition.apiextensions.k8s.io/foos.company.com created"]),
    feed("create -f -", KINDS, &["resources.mygroup.example.com created"]),
    row("wait --for=condition=Established crd --all --timeout=20s", &["condition met"]),
    row("get --raw /apis/company.com/v1", &["\"kind\":\"Foo\"", "\"singularName\":\"foo\""]),
    row("get --raw /apis/company.com/v1/foos", &["\"kind\":\"FooList\"", "\"items\":[]"]),
    feed("apply --dry-run=server -f -", FOO, &["foo.company.com/test created (server dry run)"]),
    fails("get foos test", &["foos.company.com \"test\" not found"]),
    feed("create -f -", FOO, &["foo.company.com/test created"]),
    row("get foo -o name", &["foo.company.com/test"]),
    row("get foos.company.com -o name", &["foo.company.com/test"]),
    row("get foos.v1.company.com -o wide", &["NAME", "AGE", "test"]),
    row("get foos -o jsonpath={.items[*].someField} --allow-missing-template-keys=false", &["field1"]),
    row("patch foos/test --type=merge -p '{\"patched\":\"value1\"}'", &["foo.company.com/test patched"]),
    row("patch foos/test --type=merge -p '{\"patched\":null}'", &["foo.company.com/test patched"]),
    fails("get foos/test -o jsonpath={.patched} --allow-missing-template-keys=false", &["patched is not found"]),
    fails(
        "patch foos/test --type=strategic -p '{\"patched\":\"x\"}'",
        &["application/strategic-merge-patch+json is not supported by company.com/v1, Kind=Foo"],
    ),
    row("label foos --all listlabel=true", &["foo.company.com/test labeled"]),
    row("annotate foo/test note=true", &["foo.company.com/test annotated"]),
    row("describe foos", &["listlabel=true", "note: true", "Some Field:"]),
    row("delete foos test --cascade=background", &["foo.company.com \"test\" deleted"]),
    feed("apply -f -", FOO, &["foo.company.com/test created"]),
    feed("apply -f -", FOO, &["foo.company.com/test unchanged"]),
    feed("apply -f -", FOO_CHANGED, &["foo.company.com/test configured"]),
    row("get foo test -o jsonpath={.nestedField}", &["{\"a\":\"modified\",\"c\":\"subfield3\"}"]),
    feed("apply -f -", LIST, &["foo.company.com/test-list created", "kind.mygroup.example.com/myobj created"]),
    feed("apply -f -", LIST, &["foo.company.com/test-list unchanged", "kind.mygroup.example.com/myobj unchanged"]),
    row("get kind.mygroup.example.com/myobj -o name", &["kind.mygroup.example.com/myobj"]),
    row("get resource/myobj -o name", &["kind.mygroup.example.com/myobj"]),
    warns("get pod", "", &["No resources found in rows namespace."]),
    row("delete foo --all", &["foo.company.com \"test\" deleted", "\"test-list\" deleted"]),
    row("delete crd foos.company.com", &["\"foos.company.com\" deleted"]),
];

const SERVICE: &str =
    "---\n{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {clusterIP: 10.43.0.11, ports: [{port: 80}]}}";
const SERVICE_MOVED: &str =
    "---\n{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {clusterIP: 10.43.0.12, ports: [{port: 80}]}}";
const HEADLESS: &str =
    "---\n{apiVersion: v1, kind: Service, metadata: {name: h}, spec: {clusterIP: None, ports: [{port: 80}]}}";
const HEADLESS_NO_MORE: &str =
    "---\n{apiVersion: v1, kind: Service, metadata: {name: h}, spec: {clusterIP: 10.43.0.13, ports: [{port: 80}]}}";
const BOGUS: &str = "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: foo}}\n---\n\
    {apiVersion: example.com/v1, kind: Bogus, metadata: {name: foo}}\n";
const ONE_BAD: &str = "---\n{apiVersion: v1, kind: Pod, metadata: {name: pod-a}, spec: {containers: [{name: c, image: i}]}}\n---\n\
    {apiVersion: v1, kind: Pod, metadata: {name: POD-B}, spec: {containers: [{name: c, image: i}]}}\n---\n\
    {apiVersion: v1, kind: Pod, metadata: {name: pod-c}, spec: {containers: [{name: c, image: i}]}}\n";
const LEGACY: &str =
    "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: test}, data: {key: value, legacy: unused}}";
const LEGACY_GONE: &str = "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: test}, data: {key: value}}";
const LEGACY_OTHER: &str = "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: test}, data: {key: other}}";
const STRINGS: &str =
    "---\n{apiVersion: v1, kind: Secret, metadata: {name: strings}, data: {k1: djE=, k2: ''}, stringData: {k2: v2}}";
const KEYS: &str = "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: keys}, spec: {strategy: {type: RollingUpdate}, \
    selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}], \
    volumes: [{name: v, emptyDir: {}}]}}}}";
const KEYS_OTHER: &str = "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: keys}, spec: {strategy: {type: Recreate}, \
    selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}], \
    volumes: [{name: v, hostPath: {path: /tmp}}]}}}}";
const MAP: &str = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"raw\"}}";
const MAP_FULL: &str =
    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"raw\"},\"data\":{\"key1\":\"config1\"}}";

const FILES: &[Row] = &[
    refuses("apply -f -", BOGUS, &["no matches for kind \"Bogus\" in version \"example.com/v1\""]),
    row("get cm foo -o name", &["configmap/foo"]),
    refuses("apply -f -", ONE_BAD, &["The Pod \"POD-B\" is invalid", "pod/pod-a created", "pod/pod-c created"]),
    feed("apply -f -", SERVICE, &["service/a created"]),
    refuses(
        "apply -f -",
        SERVICE_MOVED,
        &["The Service \"a\" is invalid: spec.clusterIPs[0]: Invalid value: [\"10.43.0.12\"]: may not change once set"],
    ),
    feed("apply --force -f -", SERVICE_MOVED, &["service/a"]),
    row("get svc a -o jsonpath={.spec.clusterIP}", &["10.43.0.12"]),
    feed("apply -f -", HEADLESS, &["service/h created"]),
    refuses(
        "apply -f -",
        HEADLESS_NO_MORE,
        &[
            "* spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services",
            "* spec.ipFamilies[1]: Invalid value: \"IPv6\": not configured on this cluster",
        ],
    ),
    fails("set selector service a x=y --resource-version=1", &["Conflict"]),
    feed("apply -f -", LEGACY, &["configmap/test created"]),
    refuses(
        "apply --server-side --field-manager=not-kubectl -f -",
        LEGACY_OTHER,
        &["Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using v1: .data.key"],
    ),
    feed("apply --server-side -f -", LEGACY, &["configmap/test serverside-applied"]),
    feed("apply --server-side -f -", LEGACY_GONE, &["configmap/test serverside-applied"]),
    row("get cm test -o jsonpath={.data}", &["{\"key\":\"value\"}"]),
    row("apply view-last-applied cm/test -o json", &["\"key\": \"value\""]),
    feed("apply -f -", LEGACY, &["configmap/test configured"]),
    feed("apply -f -", KEYS, &["deployment.apps/keys created"]),
    row("get deployment keys -o yaml", &["maxSurge", "emptyDir"]),
    feed("apply -f -", KEYS_OTHER, &["deployment.apps/keys configured"]),
    row(
        "get deployment keys -o jsonpath='{.spec.strategy} {.spec.template.spec.volumes}'",
        &["{\"type\":\"Recreate\"} [{\"hostPath\":{\"path\":\"/tmp\",\"type\":\"\"},\"name\":\"v\"}]"],
    ),
    feed("create -f -", STRINGS, &["secret/strings created"]),
    row("get secret strings -o jsonpath='{.data} {.stringData}'", &["{\"k1\":\"djE=\",\"k2\":\"djI=\"}"]),
    feed("create --raw /api/v1/namespaces/rows/configmaps -f -", MAP, &["\"uid\":"]),
    feed("replace --raw /api/v1/namespaces/rows/configmaps/raw -f -", MAP_FULL, &["\"uid\":", "config1"]),
    row("get --raw /api/v1/namespaces/rows/configmaps/raw", &["config1"]),
    row("delete --raw /api/v1/namespaces/rows/configmaps/raw", &["\"status\":\"Success\""]),
    fails("get configmap raw", &["configmaps \"raw\" not found"]),
];

#[tokio::test]
async fn custom_resources_go_through_every_verb() {
    run(CUSTOM, |_| async {}).await;
}

#[tokio::test]
async fn of_many_objects_those_that_are_good_are_made() {
    run(FILES, |_| async {}).await;
}

#[tokio::test]
async fn who_asks_for_another_is_that_other_with_all_groups() {
    const GROUPS: [&str; 4] = ["system:masters", "group2", "group1", ",,,chameleon"];
    const ROWS: &[Row] = &[row(
        "get csr one -o jsonpath='{.spec.username} {.spec.groups}'",
        &["user1 [\"system:masters\",\"group2\",\"group1\",\",,,chameleon\",\"system:authenticated\"]"],
    )];
    run(ROWS, |client| async move {
        let mut headers = vec![("impersonate-user", "user1"), ("content-type", "application/json")];
        headers.extend(GROUPS.map(|group| ("impersonate-group", group)));
        let csr = json!({"metadata": {"name": "one"}, "spec":
            {"request": signing_request(), "signerName": "example.com/s", "usages": ["client auth"]}});
        let uri = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
        client.ask(http::Method::POST, uri, &headers, csr.to_string().into()).await.expect(201);
    })
    .await;
}
