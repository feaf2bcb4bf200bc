//! PodTopologyLabels: a bound pod carries its node's zone and region, so that its containers can learn them.
//! k8s: `plugin/pkg/admission/podtopologylabels`

use super::{Call, Context, Operation};
use crate::auth::objects::{NODES, find};
use crate::error::ApiError;
use kinds::tree;
use serde_json::{Value, json};

const LABELS: &[&str] = &["topology.kubernetes.io/zone", "topology.kubernetes.io/region"];

pub(super) fn applies(call: &Call<'_>) -> bool {
    let pod = call.group().is_empty() && call.resource() == "pods";
    pod && matches!((call.operation, call.subresource()), (Operation::Create, "" | "binding"))
}

pub(super) async fn mutate(context: &Context, object: &mut Value) -> Result<(), ApiError> {
    // A Binding says by its target where the pod goes, and hands its labels on.
    let named = tree::at(object, "spec.nodeName").or_else(|| tree::at(object, "target.name")).and_then(Value::as_str);
    let Some(node) = named.filter(|name| !name.is_empty()).map(str::to_owned) else { return Ok(()) };
    let Some(node) = find(context.objects.as_ref(), NODES, "", &node).await? else { return Ok(()) };
    for label in LABELS {
        if let Some(value) = node["metadata"]["labels"][*label].as_str() {
            if !object["metadata"]["labels"].is_object() {
                object["metadata"]["labels"] = json!({});
            }
            object["metadata"]["labels"][*label] = json!(value);
        }
    }
    Ok(())
}
