//! The kinds of metrics.k8s.io.

use kinds::table;
use serde_json::{Value, json};

fn cells(plural: &str, object: &Value) -> Vec<Value> {
    let kind = table::find_measured("metrics.k8s.io", "v1beta1", plural).expect("a row");
    let cells = kind.cells(object, 0);
    assert_eq!(cells.len(), kind.row().columns.len());
    cells
}

#[test]
fn a_pod_uses_what_its_containers_use() {
    let container =
        |name: &str, cpu: &str, memory: &str| json!({"name": name, "usage": {"cpu": cpu, "memory": memory}});
    let pod = json!({
        "metadata": {"name": "web"}, "window": "15.02s",
        "containers": [container("a", "1500000n", "10Mi"), container("b", "500u", "2Mi")],
    });
    assert_eq!(cells("pods", &pod), ["web", "2m", "12Mi", "15.02s"]);
    assert_eq!(cells("pods", &json!({"metadata": {"name": "web"}, "window": ""})), ["web", "0", "0", ""]);
}

#[test]
fn a_node_uses_what_it_says() {
    let node = json!({"metadata": {"name": "n1"}, "window": "10s", "usage": {"cpu": "123456789n", "memory": "3500Ki"}});
    assert_eq!(cells("nodes", &node), ["n1", "123456789n", "3500Ki", "10s"]);
}

#[test]
fn measured_kinds_are_found_in_their_group_only() {
    assert!(table::find_measured("", "v1", "pods").is_none());
    assert!(table::find_measured("metrics.k8s.io", "v1", "pods").is_none());
    assert!(table::find("metrics.k8s.io", "v1beta1", "pods").is_none());
    for kind in table::measured() {
        assert!(kind.openapi().is_some() && kind.schema().is_none(), "{}", kind.row().kind);
    }
}
