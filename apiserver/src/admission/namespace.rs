//! NamespaceLifecycle: nothing is written into a namespace that does not exist, nothing new into one that ends. It runs
//! first, so that nobody waits for, or is told about, what else the namespace lacks.

use super::{Call, Context, Operation};
use crate::auth::objects::{NAMESPACES, find};
use crate::error::{ApiError, Qualified};
use crate::registry::metadata;
use kinds::tree;
use serde_json::Value;

const IMMORTAL: &[&str] = &["default", "kube-public", "kube-system"];

pub(super) fn applies(call: &Call<'_>) -> bool {
    let namespace_itself = call.group().is_empty() && call.resource() == "namespaces";
    match call.operation {
        Operation::Delete => namespace_itself,
        Operation::Connect => false,
        Operation::Create | Operation::Update => {
            // k8s: an access review in a namespace that is gone still has an answer.
            let review = call.group() == "authorization.k8s.io";
            !namespace_itself && !review && !call.ns().is_empty()
        }
    }
}

pub(super) async fn admit(context: &Context, call: &Call<'_>, object: &mut Value) -> Result<(), ApiError> {
    if call.operation == Operation::Delete {
        let protected = call.subresource().is_empty() && IMMORTAL.contains(&call.name());
        return if protected { Err(call.forbidden(call.name(), "this namespace may not be deleted")) } else { Ok(()) };
    }
    let ns = call.ns();
    let Some(namespace) = find(context.objects.as_ref(), NAMESPACES, "", ns).await? else {
        return Err(ApiError::NotFound { resource: Qualified::new("", "namespaces"), name: ns.to_owned() });
    };
    let ending = tree::text(&namespace, "status.phase") == "Terminating" || metadata::is_deleting(&namespace);
    if call.operation != Operation::Create || !ending {
        return Ok(());
    }
    Err(ApiError::NamespaceTerminating {
        resource: Qualified::new(call.group(), call.resource()),
        name: call.name_of(object).to_owned(),
        ns: ns.to_owned(),
    })
}
