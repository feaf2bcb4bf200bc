//! What a page shows of each kind; pure but for the time given.

use super::page::Page;
use crate::jsonpath::plain;
use jiff::Timestamp;
use kinds::age;
use kinds::quantity::Quantity;
use kinds::tree::{integer, list, text};
use serde_json::Value;

/// What every page begins with.
fn head(page: &mut Page, object: &Value) {
    page.pair("Name", text(object, "metadata.name"));
    page.maybe("Namespace", &object["metadata"]["namespace"]);
    page.map("Labels", &object["metadata"]["labels"]);
    let mut annotations = object["metadata"]["annotations"].clone();
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.remove(crate::verb::apply::LAST_APPLIED);
    }
    page.map("Annotations", &annotations);
}

/// Any kind: its fields, nested as they are.
pub(super) fn generic(page: &mut Page, object: &Value) {
    head(page, object);
    page.maybe("API Version", &object["apiVersion"]);
    page.maybe("Kind", &object["kind"]);
    page.maybe("Created", &object["metadata"]["creationTimestamp"]);
    for (key, value) in object.as_object().into_iter().flatten() {
        if !matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
            field(page, &title(key), value);
        }
    }
}

fn field(page: &mut Page, name: &str, value: &Value) {
    match value {
        Value::Object(fields) if !fields.is_empty() => page.section(name, |page| {
            for (key, value) in fields {
                field(page, &title(key), value);
            }
        }),
        Value::Array(items) if items.iter().any(Value::is_object) => page.section(name, |page| {
            for item in items {
                for (key, value) in item.as_object().into_iter().flatten() {
                    field(page, &title(key), value);
                }
            }
        }),
        Value::Array(items) => page.pair(name, items.iter().map(plain).collect::<Vec<_>>().join(", ")),
        value => page.maybe(name, value),
    }
}

/// `minReadySeconds` as `Min Ready Seconds`; keys of maps, which have dots or dashes, stay.
fn title(key: &str) -> String {
    if key == "osImage" {
        return "OS Image".to_owned();
    }
    if key.contains(['.', '-', '/', '_']) {
        return key.to_owned();
    }
    let mut title = String::new();
    let mut before = ' ';
    for letter in key.chars() {
        if letter.is_uppercase() && before.is_lowercase() {
            title.push(' ');
        }
        title.extend(if before == ' ' { letter.to_uppercase().next() } else { Some(letter) });
        before = letter;
    }
    title
}

fn controller(object: &Value) -> Option<String> {
    let owner = list(object, "metadata.ownerReferences").iter().find(|owner| owner["controller"] == true)?;
    Some(format!("{}/{}", text(owner, "kind"), text(owner, "name")))
}

fn conditions(page: &mut Page, object: &Value) {
    let row = |condition: &Value| {
        ["type", "status", "reason", "message"]
            .map(|key| condition[key].as_str().unwrap_or_default().to_owned())
            .to_vec()
    };
    let rows = list(object, "status.conditions").iter().map(row).collect();
    page.table("Conditions", &["Type", "Status", "Reason", "Message"], rows);
}

pub(super) fn pod(page: &mut Page, pod: &Value) {
    page.pair("Name", text(pod, "metadata.name"));
    page.pair("Namespace", text(pod, "metadata.namespace"));
    page.maybe("Priority", &pod["spec"]["priority"]);
    page.maybe("Service Account", &pod["spec"]["serviceAccountName"]);
    let (node, host) = (text(pod, "spec.nodeName"), text(pod, "status.hostIP"));
    page.pair("Node", if node.is_empty() { "<none>".to_owned() } else { format!("{node}/{host}") });
    page.maybe("Start Time", &pod["status"]["startTime"]);
    page.map("Labels", &pod["metadata"]["labels"]);
    page.map("Annotations", &pod["metadata"]["annotations"]);
    if pod["metadata"]["deletionTimestamp"].is_null() {
        page.pair("Status", text(pod, "status.phase"));
    } else {
        page.pair("Status", format!("Terminating (since {})", text(pod, "metadata.deletionTimestamp")));
    }
    page.maybe("Reason", &pod["status"]["reason"]);
    page.maybe("Message", &pod["status"]["message"]);
    page.maybe("IP", &pod["status"]["podIP"]);
    if let Some(controller) = controller(pod) {
        page.pair("Controlled By", controller);
    }
    for (name, spec, status) in [
        ("Init Containers", "spec.initContainers", "status.initContainerStatuses"),
        ("Containers", "spec.containers", "status.containerStatuses"),
        ("Ephemeral Containers", "spec.ephemeralContainers", "status.ephemeralContainerStatuses"),
    ] {
        if !list(pod, spec).is_empty() {
            page.section(name, |page| list(pod, spec).iter().for_each(|one| container(page, one, list(pod, status))));
        }
    }
    conditions(page, pod);
    volumes(page, pod);
    page.maybe("QoS Class", &pod["status"]["qosClass"]);
    page.map("Node-Selectors", &pod["spec"]["nodeSelector"]);
    let tolerations: Vec<String> = list(pod, "spec.tolerations").iter().map(toleration).collect();
    page.pair("Tolerations", if tolerations.is_empty() { "<none>".to_owned() } else { tolerations.join(", ") });
}

fn container(page: &mut Page, container: &Value, statuses: &[Value]) {
    let name = text(container, "name");
    let status = statuses.iter().find(|status| status["name"] == name);
    page.section(name, |page| {
        if let Some(status) = status {
            page.maybe("Container ID", &status["containerID"]);
        }
        page.maybe("Image", &container["image"]);
        if let Some(status) = status {
            page.maybe("Image ID", &status["imageID"]);
        }
        let ports: Vec<String> = list(container, "ports")
            .iter()
            .map(|port| format!("{}/{}", integer(port, "containerPort"), port["protocol"].as_str().unwrap_or("TCP")))
            .collect();
        page.pair("Ports", if ports.is_empty() { "<none>".to_owned() } else { ports.join(", ") });
        for (title, key) in [("Command", "command"), ("Args", "args")] {
            let words: Vec<String> = list(container, key).iter().map(plain).collect();
            if !words.is_empty() {
                page.pair(title, words.join(" "));
            }
        }
        if let Some(status) = status {
            state(page, "State", &status["state"]);
            state(page, "Last State", &status["lastState"]);
            page.pair("Ready", if status["ready"] == true { "True" } else { "False" });
            page.pair("Restart Count", integer(status, "restartCount"));
        }
        page_map(page, "Limits", &container["resources"]["limits"]);
        page_map(page, "Requests", &container["resources"]["requests"]);
        for (title, key) in
            [("Liveness", "livenessProbe"), ("Readiness", "readinessProbe"), ("Startup", "startupProbe")]
        {
            if !container[key].is_null() {
                page.pair(title, probe(&container[key]));
            }
        }
        let env: Vec<String> = list(container, "env").iter().map(variable).collect();
        lines(page, "Environment", &env);
        let mounts = list(container, "volumeMounts").iter().map(|mount| {
            let access = if mount["readOnly"] == true { "ro" } else { "rw" };
            format!("{} from {} ({access})", text(mount, "mountPath"), text(mount, "name"))
        });
        lines(page, "Mounts", &mounts.collect::<Vec<_>>());
    });
}

fn page_map(page: &mut Page, title: &str, map: &Value) {
    if map.as_object().is_some_and(|map| !map.is_empty()) {
        page.map(title, map);
    }
}

fn lines(page: &mut Page, title: &str, lines: &[String]) {
    if lines.is_empty() {
        page.pair(title, "<none>");
    } else {
        page.section(title, |page| lines.iter().for_each(|line| page.plain(line.clone())));
    }
}

fn variable(variable: &Value) -> String {
    let name = text(variable, "name");
    let from = &variable["valueFrom"];
    let value = if !from["configMapKeyRef"].is_null() {
        format!(
            "<set to the key '{}' of config map '{}'>",
            text(from, "configMapKeyRef.key"),
            text(from, "configMapKeyRef.name")
        )
    } else if !from["secretKeyRef"].is_null() {
        format!("<set to the key '{}' in secret '{}'>", text(from, "secretKeyRef.key"), text(from, "secretKeyRef.name"))
    } else if !from["fieldRef"].is_null() {
        format!("({})", text(from, "fieldRef.fieldPath"))
    } else if !from["resourceFieldRef"].is_null() {
        format!("({})", text(from, "resourceFieldRef.resource"))
    } else {
        text(variable, "value").to_owned()
    };
    format!("{name}:  {value}")
}

fn state(page: &mut Page, title: &str, state: &Value) {
    let Some((name, detail)) = state.as_object().and_then(|state| state.iter().next()) else { return };
    page.pair(title, self::title(name));
    for (title, key) in [
        ("  Reason", "reason"),
        ("  Message", "message"),
        ("  Exit Code", "exitCode"),
        ("  Started", "startedAt"),
        ("  Finished", "finishedAt"),
    ] {
        page.maybe(title, &detail[key]);
    }
}

fn probe(probe: &Value) -> String {
    let what = if !probe["httpGet"].is_null() {
        let get = &probe["httpGet"];
        let scheme = get["scheme"].as_str().unwrap_or("HTTP").to_lowercase();
        format!("http-get {scheme}://{}:{}{}", text(get, "host"), plain(&get["port"]), text(get, "path"))
    } else if !probe["tcpSocket"].is_null() {
        format!("tcp-socket {}:{}", text(probe, "tcpSocket.host"), plain(&probe["tcpSocket"]["port"]))
    } else if !probe["grpc"].is_null() {
        format!("grpc <pod>:{}", integer(probe, "grpc.port"))
    } else {
        format!("exec {}", probe["exec"]["command"])
    };
    format!(
        "{what} delay={}s timeout={}s period={}s #success={} #failure={}",
        integer(probe, "initialDelaySeconds"),
        integer(probe, "timeoutSeconds"),
        integer(probe, "periodSeconds"),
        integer(probe, "successThreshold"),
        integer(probe, "failureThreshold")
    )
}

fn volumes(page: &mut Page, pod: &Value) {
    let rows = list(pod, "spec.volumes").iter().map(|volume| {
        let source = volume.as_object().into_iter().flatten().find(|(key, _)| *key != "name");
        let (kind, detail) = source.map_or(("", &Value::Null), |(key, detail)| (key.as_str(), detail));
        let named = ["name", "secretName", "claimName", "path"].iter().find_map(|key| detail[*key].as_str());
        vec![text(volume, "name").to_owned(), title(kind), named.unwrap_or_default().to_owned()]
    });
    page.table("Volumes", &["Name", "Type", "Source"], rows.collect());
}

fn toleration(toleration: &Value) -> String {
    let mut shown = text(toleration, "key").to_owned();
    if !text(toleration, "value").is_empty() {
        shown.extend(["=", text(toleration, "value")]);
    }
    if !text(toleration, "effect").is_empty() {
        shown.extend([":", text(toleration, "effect")]);
    }
    if toleration["operator"] == "Exists" {
        shown += " op=Exists";
    }
    if let Some(seconds) = toleration["tolerationSeconds"].as_i64() {
        shown.extend([" for ", &seconds.to_string(), "s"]);
    }
    shown
}

pub(super) fn deployment(page: &mut Page, deployment: &Value, replica_sets: &[Value]) {
    head(page, deployment);
    page.maybe("CreationTimestamp", &deployment["metadata"]["creationTimestamp"]);
    page.pair("Selector", super::super::pods::selector(deployment).unwrap_or_default());
    let status = |key: &str| deployment["status"][key].as_i64().unwrap_or(0);
    page.pair(
        "Replicas",
        format!(
            "{} desired | {} updated | {} total | {} available | {} unavailable",
            deployment["spec"]["replicas"].as_i64().unwrap_or(1),
            status("updatedReplicas"),
            status("replicas"),
            status("availableReplicas"),
            status("unavailableReplicas")
        ),
    );
    page.pair("StrategyType", text(deployment, "spec.strategy.type"));
    page.pair("MinReadySeconds", integer(deployment, "spec.minReadySeconds"));
    let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
    if rolling.is_object() {
        let (unavailable, surge) = (plain(&rolling["maxUnavailable"]), plain(&rolling["maxSurge"]));
        page.pair("RollingUpdateStrategy", format!("{unavailable} max unavailable, {surge} max surge"));
    }
    page.section("Pod Template", |page| {
        let template = &deployment["spec"]["template"];
        page.map("Labels", &template["metadata"]["labels"]);
        page.section("Containers", |page| {
            for one in list(template, "spec.containers") {
                container(page, one, &[]);
            }
        });
        volumes(page, template);
    });
    conditions(page, deployment);
    let uid = &deployment["metadata"]["uid"];
    let owned = replica_sets
        .iter()
        .filter(|set| list(set, "metadata.ownerReferences").iter().any(|owner| owner["uid"] == *uid));
    let revision = |set: &Value| {
        set["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
            .as_str()
            .map_or(0, |text| text.parse::<i64>().unwrap_or(0))
    };
    let mut owned: Vec<&Value> = owned.collect();
    owned.sort_by_key(|set| std::cmp::Reverse(revision(set)));
    let rows = owned.into_iter().map(|set| {
        let replicas = format!("{}/{}", integer(set, "status.replicas"), integer(set, "spec.replicas"));
        vec![text(set, "metadata.name").to_owned(), revision(set).to_string(), replicas]
    });
    page.table("ReplicaSets", &["Name", "Revision", "Created"], rows.collect());
}

pub(super) fn service(page: &mut Page, service: &Value, slices: &[Value]) {
    head(page, service);
    page.map("Selector", &service["spec"]["selector"]);
    page.pair("Type", text(service, "spec.type"));
    page.maybe("IP", &service["spec"]["clusterIP"]);
    page.maybe("External Name", &service["spec"]["externalName"]);
    let rows = list(service, "spec.ports").iter().map(|port| {
        let node_port = port["nodePort"].as_i64().map_or("<none>".to_owned(), |number| number.to_string());
        let endpoints = endpoints(port, slices);
        vec![
            port["name"].as_str().unwrap_or("<unset>").to_owned(),
            format!("{}/{}", integer(port, "port"), text(port, "protocol")),
            plain(&port["targetPort"]),
            node_port,
            if endpoints.is_empty() { "<none>".to_owned() } else { endpoints.join(",") },
        ]
    });
    page.table("Ports", &["Name", "Port", "TargetPort", "NodePort", "Endpoints"], rows.collect());
    page.maybe("Session Affinity", &service["spec"]["sessionAffinity"]);
    page.maybe("External Traffic Policy", &service["spec"]["externalTrafficPolicy"]);
    page.maybe("Internal Traffic Policy", &service["spec"]["internalTrafficPolicy"]);
}

/// The ready addresses behind a port.
fn endpoints(port: &Value, slices: &[Value]) -> Vec<String> {
    let name = port["name"].as_str().unwrap_or_default();
    let mut found = vec![];
    for slice in slices {
        let of_name = |known: &&Value| known["name"].as_str().unwrap_or_default() == name;
        let Some(number) = list(slice, "ports").iter().find(of_name).and_then(|port| port["port"].as_i64()) else {
            continue;
        };
        for endpoint in list(slice, "endpoints").iter().filter(|endpoint| endpoint["conditions"]["ready"] != false) {
            found.extend(list(endpoint, "addresses").iter().map(|address| format!("{}:{number}", plain(address))));
        }
    }
    found
}

pub(super) fn node(page: &mut Page, node: &Value, pods: &[Value], now: Timestamp) {
    head(page, node);
    page.maybe("CreationTimestamp", &node["metadata"]["creationTimestamp"]);
    let taints = list(node, "spec.taints").iter().map(|taint| {
        let value = text(taint, "value");
        let value = if value.is_empty() { String::new() } else { format!("={value}") };
        format!("{}{value}:{}", text(taint, "key"), text(taint, "effect"))
    });
    let taints: Vec<String> = taints.collect();
    page.pair("Taints", if taints.is_empty() { "<none>".to_owned() } else { taints.join(", ") });
    page.pair("Unschedulable", node["spec"]["unschedulable"] == true);
    conditions(page, node);
    let addresses =
        list(node, "status.addresses").iter().map(|one| format!("{}: {}", text(one, "type"), text(one, "address")));
    lines(page, "Addresses", &addresses.collect::<Vec<_>>());
    page_map(page, "Capacity", &node["status"]["capacity"]);
    page_map(page, "Allocatable", &node["status"]["allocatable"]);
    page.section("System Info", |page| {
        for (key, value) in node["status"]["nodeInfo"].as_object().into_iter().flatten() {
            page.maybe(&title(key), value);
        }
    });
    page.maybe("PodCIDR", &node["spec"]["podCIDR"]);
    let running: Vec<&Value> =
        pods.iter().filter(|pod| !matches!(text(pod, "status.phase"), "Succeeded" | "Failed")).collect();
    let rows = running.iter().map(|pod| {
        let began = pod["metadata"]["creationTimestamp"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        let total = |part: &str, resource: &str| total(&[pod], part, resource);
        vec![
            text(pod, "metadata.namespace").to_owned(),
            text(pod, "metadata.name").to_owned(),
            total("requests", "cpu"),
            total("limits", "cpu"),
            total("requests", "memory"),
            total("limits", "memory"),
            age::since(began.map(Timestamp::as_second), now.as_second()),
        ]
    });
    let titles = ["Namespace", "Name", "CPU Requests", "CPU Limits", "Memory Requests", "Memory Limits", "Age"];
    page.table("Non-terminated Pods", &titles, rows.collect());
    let rows = ["cpu", "memory"].map(|resource| {
        vec![resource.to_owned(), total(&running, "requests", resource), total(&running, "limits", resource)]
    });
    page.table("Allocated resources", &["Resource", "Requests", "Limits"], rows.to_vec());
}

/// What the containers of pods ask for together.
fn total(pods: &[&Value], part: &str, resource: &str) -> String {
    let amounts = pods.iter().flat_map(|pod| list(pod, "spec.containers")).filter_map(|container| {
        let amount = container["resources"][part][resource].as_str()?;
        Quantity::parse(amount).ok()
    });
    amounts.fold(Quantity::from_int(0), |sum, amount| sum + amount).to_string()
}

pub(super) fn secret(page: &mut Page, secret: &Value) {
    head(page, secret);
    page.maybe("Type", &secret["type"]);
    // Sizes, never contents.
    page.section("Data", |page| {
        for (key, value) in secret["data"].as_object().into_iter().flatten() {
            let encoded = value.as_str().unwrap_or_default().trim_end_matches('=').len();
            page.pair(key, format!("{} bytes", encoded * 3 / 4));
        }
    });
}

pub(super) fn config_map(page: &mut Page, map: &Value) {
    head(page, map);
    page.section("Data", |page| {
        for (key, value) in map["data"].as_object().into_iter().flatten() {
            page.plain(format!("{key}:"));
            page.plain("----");
            value.as_str().unwrap_or_default().lines().for_each(|line| page.plain(line));
            page.plain("");
        }
    });
    page.section("BinaryData", |page| {
        for (key, value) in map["binaryData"].as_object().into_iter().flatten() {
            let encoded = value.as_str().unwrap_or_default().trim_end_matches('=').len();
            page.pair(key, format!("{} bytes", encoded * 3 / 4));
        }
    });
}
