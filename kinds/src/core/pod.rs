//! Pod (v1). The row and its cells are in `printer`, what may change in `validate::pod_update`; this file says when each applies.

pub(crate) mod defaults;
mod printer;
pub(crate) mod qos;
pub(crate) mod warnings;

use crate::errors::{FieldError, FieldErrors};
use crate::row::Row;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, pod_spec, pod_update};
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use serde_json::{Value, json};

const SPEC: Path<'static> = Path::new("spec");

pub(crate) struct PodKind;

impl TypedKind for PodKind {
    type Object = Pod;

    const ROW: Row = printer::ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareUpdate];

    fn default(pod: &mut Pod) {
        defaults::pod(pod);
    }

    const FIRST_STATUS: Option<fn(&Pod) -> Value> = Some(first_status);

    fn prepare_status(pod: &mut Pod, old: &Pod) {
        // k8s: the class is decided at creation; agents that do not send it do not unset it.
        let status = pod.status.get_or_insert_default();
        if status.qos_class.as_deref().unwrap_or_default().is_empty() {
            let before = old.status.as_ref().and_then(|status| status.qos_class.clone());
            status.qos_class = before.or_else(|| old.spec.as_ref().map(|spec| qos::class(spec).to_owned()));
        }
    }

    fn validate(pod: &Pod) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let empty = PodSpec::default();
        let spec = pod.spec.as_ref().unwrap_or(&empty);
        pod_spec::pod_spec(spec, &SPEC, &mut errors);
        let gated = each(&spec.scheduling_gates).next().is_some();
        if gated && spec.node_name.as_ref().is_some_and(|name| !name.is_empty()) {
            let detail = "cannot be set until all schedulingGates have been cleared";
            errors.push(FieldError::forbidden(SPEC.child("nodeName"), detail));
        }
        // Only what is being created has no resource version yet.
        let is_new = pod.metadata.resource_version.as_deref().unwrap_or_default().is_empty();
        if is_new && each(&spec.ephemeral_containers).next().is_some() {
            errors.push(FieldError::forbidden(SPEC.child("ephemeralContainers"), "cannot be set on create"));
        }
        errors
    }

    fn validate_update(pod: &Pod, old: &Pod) -> FieldErrors {
        pod_update::spec(pod, old)
    }

    fn validate_status(pod: &Pod, old: &Pod) -> FieldErrors {
        pod_update::status(pod, old)
    }

    fn warnings(pod: &Pod) -> Vec<String> {
        let mut texts: Vec<String> =
            warnings::pod_name(pod.metadata.name.as_deref().unwrap_or_default()).into_iter().collect();
        texts.extend(pod.spec.iter().flat_map(|spec| warnings::pod_spec(spec, &SPEC)));
        texts
    }

    fn cells(object: &Pod, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}

fn first_status(pod: &Pod) -> Value {
    let empty = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&empty);
    let gated = spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty());
    let mut status = json!({ "phase": "Pending", "qosClass": qos::class(spec) });
    if gated {
        status["conditions"] = json!([{
            "type": "PodScheduled", "status": "False", "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
        }]);
    }
    status
}

#[cfg(test)]
mod tests;
