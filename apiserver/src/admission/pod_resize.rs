//! PodResizeValidator: a bound pod is not resized beyond what its node can ever give, nor where nodes resize nothing.
//! What the node has no room for at the moment is the node's own to say: it defers the resize.
//! k8s: `plugin/pkg/admission/podresize`

use super::{Call, Context, Operation};
use crate::auth::objects::{NODES, find};
use crate::error::{ApiError, Denial, Qualified, StatusCause};
use k8s_openapi::api::core::v1::PodSpec;
use kinds::pod_resources::{Amounts, Overhead, requests};
use kinds::quantity::Quantity;
use serde::Deserialize;
use serde_json::Value;

const OS: &str = "kubernetes.io/os";

pub(super) fn applies(call: &Call<'_>) -> bool {
    call.operation == Operation::Update && call.is("", "pods", "resize")
}

pub(super) async fn validate(context: &Context, call: &Call<'_>, pod: &Value) -> Result<(), ApiError> {
    let Some(name) = pod["spec"]["nodeName"].as_str().filter(|name| !name.is_empty()) else { return Ok(()) };
    if call.old.is_some_and(|old| old["spec"] == pod["spec"]) {
        return Ok(());
    }
    let Some(node) = find(context.objects.as_ref(), NODES, "", name).await? else {
        return Err(call.forbidden(call.name_of(pod), format!("node {name:?} not found")));
    };
    match node["metadata"]["labels"][OS].as_str() {
        None | Some("linux") => {}
        Some(os) => {
            let why = format!("pod resize is only supported on linux nodes, node {name:?} is {os:?}");
            return Err(refused(call, pod, &why, "UnsupportedPlatform"));
        }
    }
    // Validation has found the spec well-formed by now.
    let Ok(spec) = PodSpec::deserialize(&pod["spec"]) else { return Ok(()) };
    let excess = excess(&requests(&spec, Overhead::Counted), &node["status"]["allocatable"]);
    if excess.is_empty() {
        return Ok(());
    }
    let why = format!("node didn't have enough allocatable resources: {}", excess.join("; "));
    Err(refused(call, pod, &why, "NodeCapacity"))
}

/// What is asked for beyond `allocatable`. What a node does not list, it has nothing of.
fn excess(asked: &Amounts, allocatable: &Value) -> Vec<String> {
    let beyond = |resource: &str| {
        let asked = asked.get(resource)?;
        let most = allocatable[resource].as_str().and_then(|text| text.parse().ok()).unwrap_or(Quantity::ZERO);
        let shown = |amount: &Quantity| if resource == "cpu" { amount.milli_value() } else { amount.value() };
        (*asked > most).then(|| format!("{resource}, requested: {}, allocatable: {}", shown(asked), shown(&most)))
    };
    ["cpu", "memory"].into_iter().filter_map(beyond).collect()
}

fn refused(call: &Call<'_>, pod: &Value, why: &str, cause: &str) -> ApiError {
    let name = call.name_of(pod);
    ApiError::Denied(Box::new(Denial {
        resource: Qualified::new(call.group(), call.resource()),
        name: name.to_owned(),
        message: call.forbidden(name, why).to_string(),
        code: 403,
        reason: "Forbidden".to_owned(),
        causes: vec![StatusCause { reason: cause.to_owned(), ..StatusCause::default() }],
    }))
}
