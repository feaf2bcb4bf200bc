//! Pods are told at once what the rest of their search path leads to, by a server of which a name server outside is asked.

use client::cache::Caches;
use dns::search::{self, SearchPaths};
use dns::serve::{Responder, Response};
use dns::upstream::Upstream;
use dns::zone::{self, Zone};
use hickory_server::proto::op::{Message, ResponseCode};
use hickory_server::proto::rr::rdata::A;
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// Knows one name; says nothing of `silent.`, and cannot answer for `broken.corp.example.`
struct Outside {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    _works: JoinSet<()>,
}

async fn outside() -> Outside {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (heard, mut works) = (Arc::clone(&asked), JoinSet::new());
    works.spawn(async move {
        let mut bytes = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut bytes).await {
            let question = Message::from_vec(&bytes[..length]).unwrap();
            let name = question.queries[0].name().to_ascii().to_lowercase();
            heard.lock().unwrap().push(name.clone());
            if name == "silent." {
                continue;
            }
            let answer = answer(&question, &name);
            socket.send_to(&answer.to_vec().unwrap(), client).await.unwrap();
        }
    });
    Outside { port, asked, _works: works }
}

fn answer(question: &Message, name: &str) -> Message {
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.add_query(question.queries[0].clone());
    answer.metadata.response_code = match name {
        "www.example.org." => ResponseCode::NoError,
        "broken.corp.example." => ResponseCode::ServFail,
        _ => ResponseCode::NXDomain,
    };
    if name == "www.example.org." && question.queries[0].query_type() == RecordType::A {
        let address = RData::A(A(Ipv4Addr::new(192, 0, 2, 1)));
        answer.add_answer(Record::from_rdata(question.queries[0].name().clone(), 3600, address));
    }
    answer
}

fn pod(name: &str, ns: &str, spec: Value, status: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "Pod", "spec": spec, "status": status,
        "metadata": { "name": name, "namespace": ns, "uid": name, "resourceVersion": "1" } })
}

fn service(name: &str, ns: &str, address: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Service", "spec": { "clusterIP": address, "clusterIPs": [address] },
        "metadata": { "name": name, "namespace": ns, "uid": name, "resourceVersion": "1" } })
}

fn cluster() -> Vec<Value> {
    let at = |ip: &str| json!({ "phase": "Running", "podIP": ip, "podIPs": [{ "ip": ip }, { "ip": "fd00:42::9" }] });
    let mut all = vec![
        service("web", "shop", "10.43.1.1"),
        service("items", "stock", "10.43.1.2"),
        pod("shopper", "shop", json!({}), at("10.42.0.9")),
        pod("starting", "shop", json!({}), json!({ "phase": "Pending", "podIP": "10.42.0.10" })),
        pod("keeper", "stock", json!({}), at("10.42.0.11")),
        pod("done", "shop", json!({}), json!({ "phase": "Succeeded", "podIP": "10.42.0.12" })),
        pod("host", "shop", json!({ "hostNetwork": true }), at("192.0.2.50")),
        pod("alone", "shop", json!({ "dnsPolicy": "None" }), at("10.42.0.13")),
        pod("special", "shop", json!({ "dnsConfig": { "searches": ["x.example"] } }), at("10.42.0.14")),
    ];
    all.extend(["shop", "stock"].map(|ns| {
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": ns, "uid": ns, "resourceVersion": "1" } })
    }));
    all
}

fn responder(outside: &Outside) -> Responder {
    let mut builder = Caches::offline();
    zone::watches(&mut builder);
    search::watches(&mut builder, "n1");
    let caches = builder.offline_with(cluster()).unwrap();
    let domain = Name::from_ascii("cluster.local.").unwrap();
    let upstream = Upstream::on(&["127.0.0.1".parse().unwrap()], outside.port).unwrap();
    let own = ["corp.example".to_owned(), ".".to_owned(), "cluster.local".to_owned()];
    let paths = SearchPaths::new(Arc::clone(&caches), domain.clone(), &own);
    Responder::new(Zone::new(caches, domain), upstream).search(paths)
}

const SHOPPER: &str = "10.42.0.9";

async fn ask(outside: &Outside, client: &str, name: &str, ty: &str) -> Response {
    let client: IpAddr = client.parse().unwrap();
    let name = Name::from_ascii(name).unwrap();
    responder(outside).respond_to(client, &name, RecordType::from_str(ty).unwrap()).await
}

fn told(response: &Response) -> Vec<String> {
    let line = |record: &Record| format!("{} {} {} {}", record.name, record.ttl, record.record_type(), record.data);
    response.answers.iter().map(line).collect()
}

fn asked(outside: &Outside) -> Vec<String> {
    outside.asked.lock().unwrap().clone()
}

#[tokio::test]
async fn a_service_of_another_namespace_is_found_by_its_short_name() {
    let outside = outside().await;
    for client in [SHOPPER, "10.42.0.10", "fd00:42::9"] {
        let response = ask(&outside, client, "Items.stock.SHOP.svc.cluster.local.", "A").await;
        let expected = [
            "Items.stock.SHOP.svc.cluster.local. 5 CNAME Items.stock.svc.cluster.local.",
            "Items.stock.svc.cluster.local. 5 A 10.43.1.2",
        ];
        assert_eq!(told(&response), expected, "{client}");
        assert!(response.authoritative);
    }
    // What exists there without an address of that family ends the path, as it does for a client that goes it.
    let response = ask(&outside, SHOPPER, "items.stock.shop.svc.cluster.local.", "AAAA").await;
    let soa = response.authority.as_ref().map(|record| record.name.to_string());
    assert_eq!(
        (response.code, told(&response).len(), soa.as_deref()),
        (ResponseCode::NoError, 0, Some("cluster.local."))
    );
    assert!(asked(&outside).is_empty(), "nobody else was asked");
}

#[tokio::test]
async fn a_name_of_the_world_is_found_and_the_alias_does_not_last_longer_than_a_service_takes_to_appear() {
    let outside = outside().await;
    let response = ask(&outside, SHOPPER, "www.example.org.shop.svc.cluster.local.", "A").await;
    let lines = told(&response);
    assert_eq!(lines[0], "www.example.org.shop.svc.cluster.local. 5 CNAME www.example.org.");
    assert!(lines[1].starts_with("www.example.org. ") && lines[1].ends_with(" A 192.0.2.1"), "{lines:?}");
    assert_eq!(asked(&outside), ["www.example.org.corp.example.", "www.example.org."], "the node's domains first");
}

#[tokio::test]
async fn a_name_that_is_nowhere_is_still_absent() {
    let outside = outside().await;
    let response = ask(&outside, SHOPPER, "nowhere.shop.svc.cluster.local.", "A").await;
    let soa = response.authority.as_ref().map(|record| record.name.to_string());
    assert_eq!((response.code, soa.as_deref()), (ResponseCode::NXDomain, Some("cluster.local.")));
    assert_eq!(asked(&outside), ["nowhere.corp.example.", "nowhere."]);
}

#[tokio::test]
async fn a_failure_on_the_way_leaves_the_path_to_the_client() {
    let outside = outside().await;
    let response = ask(&outside, SHOPPER, "broken.shop.svc.cluster.local.", "A").await;
    assert_eq!(response.code, ResponseCode::NXDomain);
    let asked = asked(&outside);
    assert!(!asked.is_empty() && asked.iter().all(|name| name == "broken.corp.example."), "{asked:?}");
}

#[tokio::test]
async fn a_path_that_takes_too_long_is_left_to_the_client() {
    let outside = outside().await;
    let response = ask(&outside, SHOPPER, "silent.shop.svc.cluster.local.", "A").await;
    assert_eq!(response.code, ResponseCode::NXDomain, "and not the failure that comes later");
    assert!(asked(&outside).contains(&"silent.".to_owned()));
}

#[tokio::test]
async fn only_pods_that_are_known_and_look_there_first_are_told_more() {
    let outside = outside().await;
    let name = "items.stock.shop.svc.cluster.local.";
    for client in ["10.42.0.99", "192.0.2.50", "10.42.0.11", "10.42.0.12", "10.42.0.13", "10.42.0.14"] {
        let response = ask(&outside, client, name, "A").await;
        assert_eq!((response.code, told(&response).len()), (ResponseCode::NXDomain, 0), "{client}");
    }
    for (name, ty) in [
        (name, "TXT"),
        (name, "SRV"),
        ("nowhere.svc.cluster.local.", "A"),
        ("nowhere.cluster.local.", "A"),
        ("10-42-0-9.x.shop.pod.cluster.local.", "A"),
    ] {
        assert_eq!(ask(&outside, SHOPPER, name, ty).await.code, ResponseCode::NXDomain, "{name} {ty}");
    }
    let found = ask(&outside, SHOPPER, "web.shop.svc.cluster.local.", "A").await;
    assert_eq!(told(&found), ["web.shop.svc.cluster.local. 5 A 10.43.1.1"]);
    assert!(asked(&outside).is_empty());
}
