//! What the DNS server answers for a cluster given as objects. No name servers are asked: the node has none.

use client::cache::Caches;
use dns::serve::Responder;
use dns::upstream::Upstream;
use dns::zone::{Zone, watches};
use expect_test::{Expect, expect};
use hickory_server::proto::rr::{Name, Record, RecordType};
use serde_json::{Value, json};
use std::str::FromStr;

fn service(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": name, "namespace": "shop", "uid": name, "resourceVersion": "1" }, "spec": spec,
    })
}

fn slice(service: &str, family: &str, endpoints: Value) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{service}-{family}"), "namespace": "shop", "uid": format!("{service}-{family}"),
            "resourceVersion": "1", "labels": { "kubernetes.io/service-name": service },
        },
        "addressType": family,
        "endpoints": endpoints,
        "ports": [{ "name": "sql", "protocol": "TCP", "port": 5432 }],
    })
}

fn cluster() -> Vec<Value> {
    let sql = json!([{ "name": "sql", "port": 5432, "protocol": "TCP" }]);
    vec![
        json!({ "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": "shop", "uid": "shop", "resourceVersion": "1" } }),
        service(
            "web",
            json!({
                "clusterIP": "10.43.1.2", "clusterIPs": ["10.43.1.2", "fd00::2"],
                "ports": [{ "name": "http", "port": 80, "protocol": "TCP" }, { "name": "dns", "port": 53, "protocol": "UDP" }],
            }),
        ),
        service("db", json!({ "clusterIP": "None", "clusterIPs": ["None"], "ports": sql })),
        slice(
            "db",
            "IPv4",
            json!([
                { "addresses": ["10.42.0.5"], "hostname": "db-0", "conditions": { "ready": true } },
                { "addresses": ["10.42.0.6"], "conditions": {} },
                { "addresses": ["10.42.0.7"], "hostname": "db-2", "conditions": { "ready": false } },
            ]),
        ),
        service("idle", json!({ "clusterIP": "None", "ports": sql })),
        service("elsewhere", json!({ "type": "ExternalName", "externalName": "www.example.org" })),
        service("alias", json!({ "type": "ExternalName", "externalName": "web.shop.svc.cluster.local" })),
        service("circle", json!({ "type": "ExternalName", "externalName": "circle.shop.svc.cluster.local" })),
    ]
}

/// `code`, then a line for each record of the answer, and those that come along behind a `+`.
fn check(name: &str, ty: &str, expected: Expect) {
    let mut builder = Caches::offline();
    watches(&mut builder);
    let caches = builder.offline_with(cluster()).unwrap();
    let zone = Zone::new(caches, Name::from_ascii("cluster.local.").unwrap());
    let responder = Responder::new(zone, Upstream::new(&[]).unwrap());
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked = Name::from_ascii(name).unwrap();
    let response = tokio.block_on(responder.respond(&asked, RecordType::from_str(ty).unwrap()));
    let line = |record: &Record| format!("{} {} {}\n", record.name, record.record_type(), record.data);
    let mut lines = vec![format!("{:?}\n", response.code)];
    lines.extend(response.answers.iter().map(line));
    lines.extend(response.additionals.iter().map(|record| format!("+ {}", line(record))));
    lines.extend(response.authority.iter().map(|record| format!("authority {}\n", record.record_type())));
    expected.assert_eq(&lines.concat());
}

#[test]
fn a_service_has_its_cluster_addresses() {
    check(
        "web.shop.svc.cluster.local.",
        "A",
        expect![[r"
        NoError
        web.shop.svc.cluster.local. A 10.43.1.2
    "]],
    );
    check(
        "WEB.shop.svc.cluster.local.",
        "AAAA",
        expect![[r"
        NoError
        WEB.shop.svc.cluster.local. AAAA fd00::2
    "]],
    );
    check(
        "web.shop.svc.cluster.local.",
        "MX",
        expect![[r"
        NoError
        authority SOA
    "]],
    );
}

#[test]
fn a_headless_service_has_the_addresses_of_its_ready_endpoints() {
    check(
        "db.shop.svc.cluster.local.",
        "A",
        expect![[r"
        NoError
        db.shop.svc.cluster.local. A 10.42.0.5
        db.shop.svc.cluster.local. A 10.42.0.6
    "]],
    );
    check(
        "idle.shop.svc.cluster.local.",
        "A",
        expect![[r"
        NXDomain
        authority SOA
    "]],
    );
}

#[test]
fn an_endpoint_has_the_name_of_its_host_or_of_its_address() {
    check(
        "db-0.db.shop.svc.cluster.local.",
        "A",
        expect![[r"
        NoError
        db-0.db.shop.svc.cluster.local. A 10.42.0.5
    "]],
    );
    check(
        "10-42-0-6.db.shop.svc.cluster.local.",
        "A",
        expect![[r"
        NoError
        10-42-0-6.db.shop.svc.cluster.local. A 10.42.0.6
    "]],
    );
    check(
        "db-2.db.shop.svc.cluster.local.",
        "A",
        expect![[r"
        NXDomain
        authority SOA
    "]],
    );
}

#[test]
fn ports_are_found_by_name_and_protocol() {
    check(
        "_http._tcp.web.shop.svc.cluster.local.",
        "SRV",
        expect![[r"
        NoError
        _http._tcp.web.shop.svc.cluster.local. SRV 0 100 80 web.shop.svc.cluster.local.
        + web.shop.svc.cluster.local. A 10.43.1.2
        + web.shop.svc.cluster.local. AAAA fd00::2
    "]],
    );
    check(
        "_http._udp.web.shop.svc.cluster.local.",
        "SRV",
        expect![[r"
        NXDomain
        authority SOA
    "]],
    );
    check(
        "_sql._tcp.db.shop.svc.cluster.local.",
        "SRV",
        expect![[r"
        NoError
        _sql._tcp.db.shop.svc.cluster.local. SRV 0 100 5432 db-0.db.shop.svc.cluster.local.
        _sql._tcp.db.shop.svc.cluster.local. SRV 0 100 5432 10-42-0-6.db.shop.svc.cluster.local.
        + db-0.db.shop.svc.cluster.local. A 10.42.0.5
        + 10-42-0-6.db.shop.svc.cluster.local. A 10.42.0.6
    "]],
    );
    check(
        "web.shop.svc.cluster.local.",
        "SRV",
        expect![[r"
        NoError
        web.shop.svc.cluster.local. SRV 0 100 80 web.shop.svc.cluster.local.
        web.shop.svc.cluster.local. SRV 0 100 53 web.shop.svc.cluster.local.
        + web.shop.svc.cluster.local. A 10.43.1.2
        + web.shop.svc.cluster.local. AAAA fd00::2
    "]],
    );
}

#[test]
fn addresses_lead_back_to_names() {
    check(
        "2.1.43.10.in-addr.arpa.",
        "PTR",
        expect![[r"
        NoError
        2.1.43.10.in-addr.arpa. PTR web.shop.svc.cluster.local.
    "]],
    );
    check(
        "5.0.42.10.in-addr.arpa.",
        "PTR",
        expect![[r"
        NoError
        5.0.42.10.in-addr.arpa. PTR db-0.db.shop.svc.cluster.local.
    "]],
    );
}

#[test]
fn an_external_name_is_an_alias() {
    check(
        "elsewhere.shop.svc.cluster.local.",
        "CNAME",
        expect![[r"
        NoError
        elsewhere.shop.svc.cluster.local. CNAME www.example.org.
    "]],
    );
    check(
        "elsewhere.shop.svc.cluster.local.",
        "A",
        expect![[r"
        NoError
        elsewhere.shop.svc.cluster.local. CNAME www.example.org.
    "]],
    );
    check(
        "alias.shop.svc.cluster.local.",
        "A",
        expect![[r"
        NoError
        alias.shop.svc.cluster.local. CNAME web.shop.svc.cluster.local.
        web.shop.svc.cluster.local. A 10.43.1.2
    "]],
    );
    check(
        "circle.shop.svc.cluster.local.",
        "A",
        expect![[r"
        ServFail
    "]],
    );
}

#[test]
fn a_pod_has_a_name_where_its_namespace_exists() {
    check(
        "10-42-0-9.shop.pod.cluster.local.",
        "A",
        expect![[r"
        NoError
        10-42-0-9.shop.pod.cluster.local. A 10.42.0.9
    "]],
    );
    check(
        "10-42-0-9.nowhere.pod.cluster.local.",
        "A",
        expect![[r"
        NXDomain
        authority SOA
    "]],
    );
}

#[test]
fn what_is_not_there_is_told_from_what_is_not_ours() {
    check(
        "nothing.shop.svc.cluster.local.",
        "A",
        expect![[r"
        NXDomain
        authority SOA
    "]],
    );
    check(
        "shop.svc.cluster.local.",
        "A",
        expect![[r"
        NoError
        authority SOA
    "]],
    );
    check(
        "nowhere.svc.cluster.local.",
        "A",
        expect![[r"
        NXDomain
        authority SOA
    "]],
    );
    check(
        "example.org.",
        "A",
        expect![[r"
        ServFail
    "]],
    );
    check(
        "cluster.local.",
        "SOA",
        expect![[r"
        NoError
        cluster.local. SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5
    "]],
    );
    check(
        "dns-version.cluster.local.",
        "TXT",
        expect![[r"
        NoError
        dns-version.cluster.local. TXT 1.1.0
    "]],
    );
}
