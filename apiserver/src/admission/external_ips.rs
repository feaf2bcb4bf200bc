//! DenyServiceExternalIPs: nobody claims addresses for a Service.

use super::Call;
use crate::error::ApiError;
use serde_json::Value;

pub(super) fn applies(call: &Call<'_>) -> bool {
    call.is("", "services", "")
}

/// Addresses that a Service claims without owning them capture others' traffic (CVE-2020-8554, not fixable): refused unless
/// they were there before. k8s: `plugin/pkg/admission/network/denyserviceexternalips`
pub(super) fn validate(call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    let addresses = |object: &Value| -> Vec<Value> {
        object.pointer("/spec/externalIPs").and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let before = call.old.map(addresses).unwrap_or_default();
    if addresses(object).iter().all(|address| before.contains(address)) {
        Ok(())
    } else {
        Err(call.forbidden(call.name_of(object), "Use of external IPs is denied by admission control."))
    }
}
