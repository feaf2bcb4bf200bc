//! What Ingresses come to, for clusters given as objects.

use client::cache::Caches;
use expect_test::{Expect, expect};
use ingress::certificate::Shelf;
use ingress::compile::{Compiled, compile, watches};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use std::sync::Arc;

const CLUSTER: &str = r"
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: drover, annotations: {ingressclass.kubernetes.io/is-default-class: 'true'}}
spec: {controller: drover.dev/ingress}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: other}
spec: {controller: example.com/other}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{name: http, port: 80}, {name: grpc, port: 81, appProtocol: kubernetes.io/h2c}, {name: dns, port: 53, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: shop}
spec: {type: ExternalName, externalName: example.com, ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}, {name: grpc, port: 9090}]
endpoints:
- {addresses: [10.42.0.3], conditions: {ready: true}}
- {addresses: [10.42.0.2]}
- {addresses: [10.42.0.4], conditions: {ready: false, serving: true, terminating: true}}
- {addresses: [10.42.0.5], conditions: {ready: false, serving: false}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-2, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv6
ports: [{name: http, port: 8080}]
endpoints: [{addresses: ['fd00::1']}]
";

fn documents(yaml: &str) -> Vec<Value> {
    let parse = |text| serde_norway::from_str::<Value>(text).expect("valid YAML");
    yaml.split("\n---").filter(|text| !text.trim().is_empty()).map(parse).collect()
}

fn caches(objects: Vec<Value>) -> Arc<Caches> {
    let mut builder = Caches::offline();
    watches(&mut builder);
    builder
        .offline_with(objects.into_iter().enumerate().map(|(rev, mut object)| {
            object["metadata"]["resourceVersion"] = json!((rev + 1).to_string());
            object["metadata"]["uid"] = object["metadata"]["name"].clone();
            object
        }))
        .unwrap()
}

fn compiled(yaml: &str, more: impl IntoIterator<Item = Value>) -> Compiled {
    let caches = caches(documents(CLUSTER).into_iter().chain(documents(yaml)).chain(more).collect());
    let mut shelf = Shelf::default();
    shelf.refresh(&caches.of::<Secret>().list());
    compile(&caches, &shelf)
}

/// Asks for each `host/path` and shows what answers, then what was complained of.
fn check(yaml: &str, asked: &[&str], wanted: Expect) {
    let compiled = compiled(yaml, []);
    let routed = asked.iter().map(|url| {
        let at = url.find('/').unwrap();
        match compiled.table.route(&url[..at], &url[at..]) {
            Some(backend) => format!("{url} -> {} {:?} {:?}\n", backend.name, backend.protocol, backend.endpoints),
            None => format!("{url} -> nothing\n"),
        }
    });
    let complaints = compiled
        .complaints
        .iter()
        .map(|complaint| format!("{}: {} {}\n", complaint.ingress.name, complaint.reason, complaint.message));
    wanted.assert_eq(&routed.chain(complaints).collect::<String>());
}

#[test]
fn ports_are_found_by_name_and_number_and_endpoints_by_readiness() {
    let yaml = r"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a, namespace: shop}
spec:
  rules:
  - host: shop.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}
      - {path: /n, pathType: Exact, backend: {service: {name: web, port: {number: 80}}}}
      - {path: /g, pathType: ImplementationSpecific, backend: {service: {name: web, port: {number: 81}}}}
";
    check(
        yaml,
        &["shop.example/x", "shop.example/n", "shop.example/g/h", "other.example/"],
        expect![[r"
        shop.example/x -> shop/web:http Http1 [10.42.0.2:8080, 10.42.0.3:8080, [fd00::1]:8080]
        shop.example/n -> shop/web:80 Http1 [10.42.0.2:8080, 10.42.0.3:8080, [fd00::1]:8080]
        shop.example/g/h -> shop/web:81 H2c [10.42.0.2:9090, 10.42.0.3:9090]
        other.example/ -> nothing
    "]],
    );
}

#[test]
fn what_is_wrong_is_said_and_answers_for_itself() {
    let yaml = r"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: bad, namespace: shop}
spec:
  tls: [{hosts: [a.example], secretName: absent}]
  defaultBackend: {resource: {apiGroup: example.com, kind: Bucket, name: b}}
  rules:
  - http:
      paths:
      - {path: /1, pathType: Prefix, backend: {service: {name: gone, port: {number: 80}}}}
      - {path: /2, pathType: Prefix, backend: {service: {name: web, port: {name: https}}}}
      - {path: /3, pathType: Prefix, backend: {service: {name: outside, port: {number: 80}}}}
      - {path: /4, pathType: Prefix, backend: {service: {name: web, port: {number: 53}}}}
";
    check(
        yaml,
        &["x/1", "x/2", "x/3", "x/4", "x/"],
        expect![[r"
        x/1 -> shop/gone Http1 []
        x/2 -> shop/web Http1 []
        x/3 -> shop/outside Http1 []
        x/4 -> shop/web Http1 []
        x/ -> Bucket Http1 []
        bad: SecretNotFound there is no Secret absent of type kubernetes.io/tls
        bad: ServiceNotFound there is no Service gone
        bad: ServicePortNotFound Service web has no TCP port https
        bad: UnsupportedBackend Service outside is an ExternalName: requests would leave the cluster under this Ingress's name; use a Service with endpoints
        bad: ServicePortNotFound Service web has no TCP port 53
        bad: UnsupportedBackend a backend of kind Bucket is not supported; use a Service
    "]],
    );
}

fn of_class(name: &str, metadata: &str, class: &str) -> String {
    format!(
        "
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}, namespace: shop{metadata}}}
spec:
  {class}
  rules: [{{host: {name}, http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}}}]
"
    )
}

#[test]
fn a_class_is_named_by_the_field_or_by_the_old_annotation_or_is_the_default() {
    let annotation = |class: &str| format!(", annotations: {{kubernetes.io/ingress.class: {class}}}");
    let yaml = [
        of_class("none", "", ""),
        of_class("field", "", "ingressClassName: drover"),
        of_class("other", "", "ingressClassName: other"),
        of_class("absent", "", "ingressClassName: absent"),
        of_class("old", &annotation("drover"), ""),
        of_class("old-other", &annotation("other"), ""),
        of_class("both", &annotation("other"), "ingressClassName: drover"),
    ]
    .concat();
    let ours: Vec<String> =
        compiled(&yaml, []).ours.iter().map(|ingress| ingress.metadata.name.clone().unwrap()).collect();
    assert_eq!(ours, ["both", "field", "none", "old"]);
}

#[test]
fn the_older_ingress_keeps_the_path() {
    let at = |time: &str| format!(", creationTimestamp: '{time}'");
    let old = of_class("zzz", &at("2026-01-01T00:00:00Z"), "").replace("host: zzz", "host: shop.example");
    let new = of_class("aaa", &at("2026-01-02T00:00:00Z"), "").replace("host: aaa", "host: SHOP.example");
    let compiled = compiled(&[new, old].concat(), []);
    let said: Vec<_> = compiled.complaints.iter().map(|c| (c.ingress.name.as_str(), c.message.as_str())).collect();
    assert_eq!(said, [("aaa", "SHOP.example/ is taken by an older rule")]);
}

fn secret(name: &str, certificate: &str, key: &str) -> Value {
    let secret = Secret {
        type_: Some("kubernetes.io/tls".to_owned()),
        data: Some(
            [("tls.crt", certificate), ("tls.key", key)]
                .map(|(file, text)| (file.to_owned(), k8s_openapi::ByteString(text.as_bytes().to_vec())))
                .into(),
        ),
        ..Secret::default()
    };
    let mut tree = serde_json::to_value(secret).unwrap();
    tree["metadata"] = json!({"name": name, "namespace": "shop"});
    tree
}

fn certified(host: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn certificates_are_chosen_by_host_and_checked_against_their_keys() {
    let (wide, wide_key) = certified("*.shop.example");
    let (exact, exact_key) = certified("www.shop.example");
    let secrets = [
        secret("wide", &wide, &wide_key),
        secret("exact", &exact, &exact_key),
        secret("mixed", &exact, &wide_key),
        secret("text", "hello", &wide_key),
        secret("keyless", &wide, ""),
    ];
    let yaml = r"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a, namespace: shop}
spec:
  tls:
  - {hosts: ['*.shop.example'], secretName: wide}
  - {hosts: [www.shop.example], secretName: exact}
  - {hosts: [1.example], secretName: mixed}
  - {hosts: [2.example], secretName: text}
  - {hosts: [3.example], secretName: keyless}
  - {secretName: wide}
  defaultBackend: {service: {name: web, port: {number: 80}}}
";
    let compiled = compiled(yaml, secrets);
    let chosen = |host: &str| compiled.certificates.hosts.of(host).next().map(|certified| certified.cert[0].to_vec());
    let der = |text: &str| {
        use rustls::pki_types::{CertificateDer, pem::PemObject};
        CertificateDer::from_pem_slice(text.as_bytes()).unwrap().to_vec()
    };
    assert_eq!(chosen("www.shop.example"), Some(der(&exact)));
    assert_eq!(chosen("api.shop.example"), Some(der(&wide)));
    assert_eq!(chosen("shop.example"), None);
    assert_eq!(compiled.certificates.any.as_ref().unwrap().cert[0].to_vec(), der(&wide));
    let said: Vec<String> = compiled.complaints.iter().map(|c| format!("{}: {}\n", c.reason, c.message)).collect();
    expect![[r"
        InvalidCertificate: Secret mixed: its key and certificate cannot be used: keys may not be consistent: KeyMismatch
        InvalidCertificate: Secret text: its tls.crt holds no certificate
        InvalidCertificate: Secret keyless: it has no tls.key
    "]]
    .assert_eq(&said.concat());
}
