//! Addresses and ports over a store in memory: taken, kept, given back, never twice.

use super::*;
use client::clock::SystemClock;
use serde_json::json;
use store::mem::MemStore;

#[test]
fn prefixes_are_where_the_registry_keeps_these_kinds() {
    let key = |group, version, plural| {
        crate::registry::key(kinds::table::find(group, version, plural).unwrap().row(), "", "x")
    };
    assert_eq!(key("networking.k8s.io", "v1", "ipaddresses"), format!("{ADDRESS_PREFIX}x"));
    assert_eq!(key("networking.k8s.io", "v1", "servicecidrs"), format!("{RANGE_PREFIX}x"));
    assert_eq!(key("", "v1", "services"), "/registry/services/x");
}

fn allocator(store: &Arc<dyn Store>, cidr: &str, ports: &str) -> Allocator {
    let params = Params { addresses: AddressRange::parse_all(cidr).unwrap(), ports: PortRange::parse(ports).unwrap() };
    Allocator::new(Arc::clone(store), Arc::new(SystemClock), params)
}

fn mem() -> Arc<dyn Store> {
    Arc::new(MemStore::new())
}

fn service(name: &str, spec: impl Into<Value>) -> Value {
    json!({"metadata": {"namespace": "shop", "name": name}, "spec": spec.into()})
}

async fn write(allocator: &Allocator, object: &mut Value, old: Option<&Value>) -> Result<(), ApiError> {
    let writes = allocator.prepare(object, old, false).await?;
    if !writes.is_empty() {
        allocator.store.txn(writes).await.unwrap();
    }
    allocator.commit(Some(object), old).await;
    Ok(())
}

#[tokio::test]
async fn an_address_is_picked_asked_for_kept_and_given_back() {
    let store = mem();
    let allocator = allocator(&store, "10.43.0.0/16", "30000-32767");
    let mut web = service("web", json!({"type": "ClusterIP", "ports": [{"port": 80, "protocol": "TCP"}]}));
    write(&allocator, &mut web, None).await.unwrap();
    let ip = web["spec"]["clusterIP"].as_str().unwrap().to_owned();
    assert!(ip.starts_with("10.43.") && !ip.starts_with("10.43.0."), "{ip} is not from the band for picking");
    assert_eq!(web["spec"]["clusterIPs"], json!([ip]));
    assert_eq!(web["spec"]["ipFamilies"], json!(["IPv4"]));
    assert_eq!(web["spec"]["ipFamilyPolicy"], "SingleStack");

    let mut thief = service("thief", json!({"type": "ClusterIP", "clusterIP": ip}));
    let error = write(&allocator, &mut thief, None).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "Service \"thief\" is invalid: spec.clusterIPs: Invalid value: [\"{ip}\"]: failed to allocate IP {ip}: provided IP is already allocated"
        )
    );
    let mut outside = service("outside", json!({"clusterIP": "192.0.2.1"}));
    let error = write(&allocator, &mut outside, None).await.unwrap_err().to_string();
    assert!(error.contains("The range of valid IPs is 10.43.0.0/16"), "{error}");
    let mut dns = service("dns", json!({"clusterIP": "10.43.0.10"}));
    write(&allocator, &mut dns, None).await.unwrap();

    let mut changed = web.clone();
    changed["spec"]["type"] = json!("ExternalName");
    write(&allocator, &mut changed, Some(&web)).await.unwrap();
    assert!(changed["spec"].get("clusterIP").is_none());
    write(&allocator, &mut service("heir", json!({"clusterIP": ip})), None).await.unwrap();
}

#[tokio::test]
async fn node_ports_follow_the_type_and_protocols_share_a_number() {
    let store = mem();
    let allocator = allocator(&store, "10.43.0.0/16", "30000-32767");
    let ports = json!([{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}, {"port": 80, "protocol": "TCP", "nodePort": 30080}]);
    let mut web = service("web", json!({"type": "NodePort", "ports": ports}));
    write(&allocator, &mut web, None).await.unwrap();
    let port = |service: &Value, index: usize| service["spec"]["ports"][index]["nodePort"].clone();
    assert_eq!(port(&web, 0), port(&web, 1));
    assert_eq!(port(&web, 2), 30080);

    let mut thief =
        service("thief", json!({"type": "NodePort", "ports": [{"port": 1, "protocol": "TCP", "nodePort": 30080}]}));
    let error = write(&allocator, &mut thief, None).await.unwrap_err().to_string();
    assert!(
        error.contains("spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated"),
        "{error}"
    );
    let mut outside =
        service("o", json!({"type": "NodePort", "ports": [{"port": 1, "protocol": "TCP", "nodePort": 80}]}));
    let error = write(&allocator, &mut outside, None).await.unwrap_err().to_string();
    assert!(error.contains("The range of valid ports is 30000-32767"), "{error}");

    let mut internal = web.clone();
    internal["spec"]["type"] = json!("ClusterIP");
    write(&allocator, &mut internal, Some(&web)).await.unwrap();
    assert!(port(&internal, 2).is_null());
    assert_eq!(internal["spec"]["clusterIP"], web["spec"]["clusterIP"]);
    write(&allocator, &mut thief, None).await.unwrap();
}

#[tokio::test]
async fn a_port_outside_of_the_range_is_nobodys() {
    let store = mem();
    let allocator = allocator(&store, "10.43.0.0/16", "30000-32767");
    let ssh = json!([{"port": 22, "protocol": "TCP", "nodePort": 22}]);
    let mut balanced =
        service("balanced", json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false, "ports": ssh}));
    let error = write(&allocator, &mut balanced, None).await.unwrap_err().to_string();
    assert!(
        error.contains("spec.ports[0].nodePort: Invalid value: 22: provided port is not in the valid range"),
        "{error}"
    );
    let elsewhere = json!([{"port": 80, "protocol": "TCP", "nodePort": 30080}]);
    let mut external = service("external", json!({"type": "ExternalName", "externalName": "a.b", "ports": elsewhere}));
    write(&allocator, &mut external, None).await.unwrap();
    assert!(allocator.taken(PORT_PREFIX).await.unwrap().is_empty(), "nobody serves it, so nobody holds it");
    let mut inside = service("inside", json!({"type": "NodePort", "ports": elsewhere}));
    write(&allocator, &mut inside, Some(&external)).await.unwrap();
    assert_eq!(allocator.taken(PORT_PREFIX).await.unwrap(), HashSet::from(["30080".to_owned()]));
}

#[tokio::test]
async fn a_range_is_used_to_its_end_by_two_servers_without_a_double() {
    let store = mem();
    let servers = [allocator(&store, "10.0.0.0/28", "30000-30019"), allocator(&store, "10.0.0.0/28", "30000-30019")];
    let mut seen = HashSet::new();
    for index in 0..14 {
        let mut service = service(&format!("s{index}"), json!({"type": "ClusterIP"}));
        write(&servers[index % 2], &mut service, None).await.unwrap();
        assert!(seen.insert(service["spec"]["clusterIP"].to_string()));
    }
    let error = write(&servers[0], &mut service("more", json!({"type": "ClusterIP"})), None).await.unwrap_err();
    assert!(error.to_string().contains("range is full"), "{error}");
}

#[tokio::test]
async fn a_failed_or_dry_write_holds_nothing() {
    let store = mem();
    let allocator = allocator(&store, "10.0.0.0/28", "30000-30019");
    for dry_run in [false, true] {
        let mut web = service(
            "web",
            json!({"type": "NodePort", "clusterIP": "10.0.0.5", "ports": [{"port": 1, "protocol": "TCP", "nodePort": 30001}]}),
        );
        allocator.prepare(&mut web, None, dry_run).await.unwrap();
        allocator.abort(&web, None).await;
    }
    assert!(allocator.pending.lock().is_empty());
    assert!(allocator.taken(ADDRESS_PREFIX).await.unwrap().is_empty());
    let mut half = service(
        "half",
        json!({"type": "NodePort", "clusterIP": "10.0.0.6", "ports": [{"port": 1, "protocol": "TCP", "nodePort": 9}]}),
    );
    allocator.prepare(&mut half, None, false).await.unwrap_err();
    assert!(allocator.pending.lock().is_empty());
}

#[tokio::test]
async fn a_restart_gives_back_what_nobody_holds_and_records_what_somebody_does() {
    let store = mem();
    let allocator = allocator(&store, "10.43.0.0/16", "30000-32767");
    let mut gone = service(
        "gone",
        json!({"type": "NodePort", "clusterIP": "10.43.0.7", "ports": [{"port": 1, "protocol": "TCP", "nodePort": 30001}]}),
    );
    write(&allocator, &mut gone, None).await.unwrap();
    let kept = service("kept", json!({"type": "ClusterIP", "clusterIP": "10.43.0.8", "clusterIPs": ["10.43.0.8"]}));
    let value = crate::stored::encode(&kept);
    store
        .txn(vec![Write { key: "/registry/services/shop/kept".into(), expect: Expect::Absent, value: Some(value) }])
        .await
        .unwrap();
    allocator.repair().await.unwrap();
    let addresses = allocator.taken(ADDRESS_PREFIX).await.unwrap();
    assert_eq!(addresses, HashSet::from(["10.43.0.8".to_owned()]));
    assert!(allocator.taken(PORT_PREFIX).await.unwrap().is_empty());
}

/// A ServiceCIDR object as its controller leaves it.
async fn add_range(store: &Arc<dyn Store>, cidr: &str, ready: &str) {
    let object = json!({"metadata": {"name": "more"}, "spec": {"cidrs": [cidr]},
        "status": {"conditions": [{"type": "Ready", "status": ready}]}});
    let value = Some(bytes::Bytes::from(object.to_string()));
    store.txn(vec![Write { key: format!("{RANGE_PREFIX}more"), expect: Expect::Any, value }]).await.unwrap();
}

#[tokio::test]
async fn a_service_may_ask_for_an_address_of_a_range_that_was_added_and_is_ready() {
    let store = mem();
    let allocator = allocator(&store, "10.43.0.0/16", "30000-32767");
    let asks = || service("web", json!({"clusterIP": "203.0.113.10", "ports": [{"port": 80}]}));
    assert!(write(&allocator, &mut asks(), None).await.is_err());
    add_range(&store, "203.0.113.0/24", "False").await;
    assert!(write(&allocator, &mut asks(), None).await.is_err());
    add_range(&store, "203.0.113.0/24", "True").await;
    write(&allocator, &mut asks(), None).await.unwrap();
    assert!(store.get(&format!("{ADDRESS_PREFIX}203.0.113.10"), None).await.unwrap().0.is_some());
}

#[tokio::test]
async fn a_full_range_overflows_into_one_that_was_added() {
    let store = mem();
    let allocator = allocator(&store, "10.43.0.0/29", "30000-32767");
    add_range(&store, "203.0.113.0/24", "True").await;
    for n in 0..8 {
        let mut object = service(&format!("web-{n}"), json!({"ports": [{"port": 80}]}));
        write(&allocator, &mut object, None).await.unwrap();
        let ip = object["spec"]["clusterIP"].as_str().unwrap();
        assert_eq!(ip.starts_with("203.0.113."), n >= 6, "{n}: {ip}");
    }
}

const DUAL: &str = "10.43.0.0/16,fd00:43::/112";

fn families(service: &Value) -> (Value, Value) {
    let spec = &service["spec"];
    let of = |ip: &Value| json!(if ip.as_str().unwrap().contains(':') { "IPv6" } else { "IPv4" });
    let addresses: Vec<Value> = spec["clusterIPs"].as_array().unwrap().iter().map(of).collect();
    assert_eq!(spec["clusterIP"], spec["clusterIPs"][0]);
    assert_eq!(spec["ipFamilies"], json!(addresses), "each family has its address");
    (spec["ipFamilies"].clone(), spec["ipFamilyPolicy"].clone())
}

#[tokio::test]
async fn a_service_gets_addresses_of_the_families_that_it_asks_for() {
    let allocator = allocator(&mem(), DUAL, "30000-32767");
    for (asked, given, policy) in [
        (json!({}), json!(["IPv4"]), "SingleStack"),
        (json!({"ipFamilies": ["IPv6"]}), json!(["IPv6"]), "SingleStack"),
        (json!({"clusterIP": "fd00:43::77"}), json!(["IPv6"]), "SingleStack"),
        (json!({"ipFamilyPolicy": "PreferDualStack"}), json!(["IPv4", "IPv6"]), "PreferDualStack"),
        (
            json!({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6"]}),
            json!(["IPv6", "IPv4"]),
            "RequireDualStack",
        ),
        (
            json!({"ipFamilyPolicy": "RequireDualStack", "clusterIPs": ["10.43.0.9", "fd00:43::9"]}),
            json!(["IPv4", "IPv6"]),
            "RequireDualStack",
        ),
    ] {
        let mut web = service("web", asked);
        write(&allocator, &mut web, None).await.unwrap();
        assert_eq!(families(&web), (given, json!(policy)));
    }
}

#[tokio::test]
async fn what_a_cluster_or_a_policy_does_not_have_is_refused() {
    let (single, dual) = (allocator(&mem(), "10.43.0.0/16", "30000-32767"), allocator(&mem(), DUAL, "30000-32767"));
    let why = async |allocator: &Allocator, asked: Value| {
        let refused = write(allocator, &mut service("web", asked), None).await.unwrap_err().to_string();
        refused.rsplit(": ").next().unwrap().to_owned()
    };
    let require = json!({"ipFamilyPolicy": "RequireDualStack"});
    assert_eq!(why(&single, require).await, "this cluster is not configured for dual-stack services");
    assert_eq!(why(&single, json!({"ipFamilies": ["IPv6"]})).await, "not configured on this cluster");
    assert_eq!(why(&single, json!({"clusterIP": "fd00::1"})).await, "IPv6 is not configured on this cluster");
    let both = json!({"ipFamilies": ["IPv4", "IPv6"]});
    assert_eq!(
        why(&dual, both).await,
        "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"
    );
    let crossed = json!({"clusterIP": "10.43.0.9", "ipFamilies": ["IPv6"]});
    assert_eq!(why(&dual, crossed).await, "expected an IPv6 value as indicated by `ipFamilies[0]`");
    let twice = json!({"clusterIPs": ["10.43.0.9", "10.43.0.8"], "ipFamilyPolicy": "PreferDualStack"});
    assert_eq!(why(&dual, twice).await, "may specify no more than one IP for each IP family");
    assert!(single.pending.lock().is_empty() && dual.pending.lock().is_empty());
    let mut prefers = service("web", json!({"ipFamilyPolicy": "PreferDualStack"}));
    write(&single, &mut prefers, None).await.unwrap();
    assert_eq!(families(&prefers), (json!(["IPv4"]), json!("PreferDualStack")));
}

#[tokio::test]
async fn a_second_family_comes_and_goes_with_the_policy_and_not_with_the_cluster() {
    let store = mem();
    let (single, dual) = (allocator(&store, "10.43.0.0/16", "30000-32767"), allocator(&store, DUAL, "30000-32767"));
    let mut before = service("web", json!({"ipFamilyPolicy": "PreferDualStack"}));
    write(&single, &mut before, None).await.unwrap();
    let mut touched = before.clone();
    touched["metadata"]["labels"] = json!({"a": "b"});
    write(&dual, &mut touched, Some(&before)).await.unwrap();
    assert_eq!(families(&touched).0, json!(["IPv4"]));
    let mut more = touched.clone();
    more["spec"]["ipFamilyPolicy"] = json!("RequireDualStack");
    write(&dual, &mut more, Some(&touched)).await.unwrap();
    assert_eq!(families(&more).0, json!(["IPv4", "IPv6"]));
    assert_eq!(more["spec"]["clusterIP"], touched["spec"]["clusterIP"]);
    assert_eq!(dual.taken(ADDRESS_PREFIX).await.unwrap().len(), 2);
    let mut fewer = more.clone();
    for field in ["clusterIPs", "ipFamilies"] {
        fewer["spec"][field].as_array_mut().unwrap().truncate(1);
    }
    let refused = write(&dual, &mut fewer, Some(&more)).await.unwrap_err().to_string();
    for what in ["cluster IP", "IP family"] {
        let why =
            "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": must be 'SingleStack' to release the secondary";
        assert!(refused.contains(&format!("{why} {what}")), "{refused}");
    }
    let mut less = more.clone();
    less["spec"]["ipFamilyPolicy"] = json!("SingleStack");
    write(&dual, &mut less, Some(&more)).await.unwrap();
    assert_eq!(families(&less), (json!(["IPv4"]), json!("SingleStack")));
    assert_eq!(dual.taken(ADDRESS_PREFIX).await.unwrap().len(), 1, "the second address is given back");
}

#[tokio::test]
async fn a_headless_service_without_a_selector_may_be_of_any_family() {
    let allocator = allocator(&mem(), "10.43.0.0/16", "30000-32767");
    let mut free = service("free", json!({"clusterIP": "None"}));
    write(&allocator, &mut free, None).await.unwrap();
    assert_eq!(free["spec"]["ipFamilies"], json!(["IPv4", "IPv6"]));
    assert_eq!(free["spec"]["ipFamilyPolicy"], "RequireDualStack");
    let mut headed = free.clone();
    (headed["spec"]["clusterIP"], headed["spec"]["clusterIPs"]) = (json!("10.43.0.9"), json!(["10.43.0.9"]));
    let refused = write(&allocator, &mut headed, Some(&free)).await.unwrap_err().to_string();
    for why in [
        "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services",
        "spec.ipFamilies[1]: Invalid value: \"IPv6\": not configured on this cluster",
    ] {
        assert!(refused.contains(why), "{refused}");
    }
    let mut bound = service("bound", json!({"clusterIP": "None", "selector": {"a": "b"}}));
    write(&allocator, &mut bound, None).await.unwrap();
    assert_eq!(bound["spec"]["ipFamilies"], json!(["IPv4"]));
}
