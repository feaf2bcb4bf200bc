//! OptIn: who misspells one of Drover's own annotations is told so, because it then has no effect.

use super::{Call, Operation, Warnings};
use kinds::opt_in;
use serde_json::Value;

pub(super) fn applies(call: &Call<'_>) -> bool {
    matches!(call.operation, Operation::Create | Operation::Update) && matches!(call.subresource(), "" | "eviction")
}

pub(super) fn warnings(object: &Value) -> Warnings {
    opt_in::complaints(object["kind"].as_str().unwrap_or_default(), object)
}
