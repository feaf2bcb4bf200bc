//! The group metrics.k8s.io/v1beta1: what nodes and pods use, made on request and not kept. Its types are not Kubernetes'
//! own, so the schema table has none of them and there is no protobuf form. k8s: metrics-server

pub(crate) mod node_metrics;
pub(crate) mod pod_metrics;

use crate::quantity::Quantity;
use crate::row::{Column, Row, replace};
use crate::tree;
use serde_json::{Value, json};
use std::borrow::Cow;

/// The group whose kinds another API server may serve in place of this one.
pub const GROUP: &str = "metrics.k8s.io";

/// Resources that are measured, in the order of their columns.
pub const RESOURCES: [&str; 2] = ["cpu", "memory"];

/// k8s: metrics-server's table has one column a resource and one for the time that usage is averaged over
const CPU: Column = formatted("cpu", "quantity");
const MEMORY: Column = formatted("memory", "quantity");
const WINDOW: Column = formatted("Window", "duration");

const fn formatted(name: &'static str, format: &'static str) -> Column {
    let mut column = Column::new(name, "string");
    replace(&mut column.format, Cow::Borrowed(format));
    column
}

/// Name, cpu, memory and window; usage is added up over `usages`.
fn cells<'a>(object: &Value, usages: impl Iterator<Item = &'a Value> + Clone) -> Vec<Value> {
    let sum = |resource: &str| {
        let quantities = usages.clone().filter_map(|usage| Quantity::parse(usage[resource].as_str()?).ok());
        Value::from(quantities.fold(Quantity::ZERO, |sum, one| sum + one).to_string())
    };
    let [cpu, memory] = RESOURCES.map(sum);
    vec![crate::cells::of::name(object), cpu, memory, tree::text(object, "window").into()]
}

fn usage_schema() -> Value {
    json!({
        "type": "object", "description": "What is used, by resource: cpu in cores, memory in bytes.",
        "additionalProperties": {"type": "string"},
    })
}

/// The schema of a kind with `own` beside the time and window of the measurement.
fn schema(row: &Row, description: &str, own: (&str, Value)) -> Value {
    let (name, own) = own;
    json!({
        "type": "object", "description": format!("{} {description}", row.kind), "required": ["timestamp", "window", name],
        "properties": {
            "timestamp": {"type": "string", "format": "date-time", "description": "End of the time that usage is averaged over."},
            "window": {"type": "string", "description": "Length of that time, such as 15.02s."},
            name: own,
        },
    })
}
