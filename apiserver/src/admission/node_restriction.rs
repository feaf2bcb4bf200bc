//! NodeRestriction: what a node may put into the few writes that it may make. Deny by default: each resource lists what is
//! allowed, and everything else about it is refused. k8s: `plugin/pkg/admission/noderestriction`.

mod labels;

use super::{Call, Context, Operation, pod};
use crate::auth::node::{name_of, pod_references};
use crate::auth::objects::{NODES, PODS, find};
use crate::error::ApiError;
use serde_json::Value;
use std::sync::Arc;

const LEASES: &str = "coordination.k8s.io";
const STORAGE: &str = "storage.k8s.io";

pub(super) fn applies(call: &Call<'_>) -> bool {
    call.identity().user.starts_with("system:node:")
}

pub(super) async fn validate(context: &Context, call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    let Some(node) = name_of(call.identity()) else {
        return Err(
            call.forbidden(call.name_of(object), "the user is named like a node but is not in the group of nodes")
        );
    };
    let guard = Guard { context, call, object, node };
    match (call.group(), call.resource()) {
        ("", "pods") => guard.pod().await,
        ("", "nodes") => guard.own_node(),
        ("", "serviceaccounts") if call.subresource() == "token" => guard.token().await,
        ("", "persistentvolumeclaims") => guard.claim_status(),
        (LEASES, "leases") => guard.own_name("lease"),
        ("resource.k8s.io", "resourceslices") => guard.own_slice(),
        (STORAGE, "csinodes") => guard.own_name("CSINode"),
        // What the Node authorizer lets through beyond these is events and reviews, which name no other node's state.
        _ => Ok(()),
    }
}

struct Guard<'a> {
    context: &'a Context,
    call: &'a Call<'a>,
    object: &'a Value,
    node: &'a str,
}

impl Guard<'_> {
    fn refuse(&self, why: impl AsRef<str>) -> Result<(), ApiError> {
        let why = format!("node {:?} {}", self.node, why.as_ref());
        Err(self.call.forbidden(self.call.name_of(self.object), why))
    }

    async fn pod(&self) -> Result<(), ApiError> {
        match (self.call.subresource(), self.call.operation) {
            ("", Operation::Create) => self.mirror_pod().await,
            ("", Operation::Delete) => self.runs_here(self.call.name()).await,
            ("status", Operation::Update) => self.pod_status(),
            ("eviction", Operation::Create) => self.runs_here(self.call.name_of(self.object)).await,
            ("", _) => self.refuse("can only create, delete and report on pods"),
            (subresource, _) => self.refuse(format!("may not use the pod subresource {subresource:?}")),
        }
    }

    async fn runs_here(&self, name: &str) -> Result<(), ApiError> {
        if name.is_empty() {
            return self.refuse("can only delete pods one by one");
        }
        let found: Option<Arc<Value>> = match self.call.old {
            Some(old) => Some(Arc::new(old.clone())),
            None => find(self.context.objects.as_ref(), PODS, self.call.ns(), name).await?,
        };
        // A pod that is gone is answered with 404 further on.
        match found {
            Some(pod) if node_of(&pod) != self.node => {
                self.refuse("can only delete pods with spec.nodeName set to itself")
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Mirror pods only, on this node, owned by its Node object, and without reference to anything that would give the
    /// node access to it.
    async fn mirror_pod(&self) -> Result<(), ApiError> {
        if !pod::is_mirror(self.object) {
            return self.refuse("can only create mirror pods");
        }
        if node_of(self.object) != self.node {
            return self.refuse("can only create pods with spec.nodeName set to itself");
        }
        let mut plain = self.object.clone();
        if let Some(annotations) = plain.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubernetes.io/config.mirror");
        }
        let claims = plain["spec"]["resourceClaims"].as_array().is_some_and(|claims| !claims.is_empty());
        if claims || !pod_references(self.call.ns(), &plain).is_empty() {
            return self.refuse("can not create pods that reference secrets, config maps, claims or service accounts");
        }
        let owners = self.object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let [owner] = owners.map_or(&[][..], Vec::as_slice) else {
            return self.refuse("can only create pods with an owner reference set to itself");
        };
        let own = owner["apiVersion"] == "v1"
            && owner["kind"] == "Node"
            && owner["name"] == self.node
            && owner["controller"] == true
            && owner["blockOwnerDeletion"] != true;
        let node = find(self.context.objects.as_ref(), NODES, "", self.node).await?;
        let same = node.is_some_and(|node| node.pointer("/metadata/uid") == owner.get("uid"));
        if own && same { Ok(()) } else { self.refuse("can only create pods with an owner reference set to itself") }
    }

    fn pod_status(&self) -> Result<(), ApiError> {
        let old = self.call.old.unwrap_or(&Value::Null);
        if node_of(old) != self.node {
            return self.refuse("can only update pod status for pods with spec.nodeName set to itself");
        }
        for (field, what) in [
            ("/metadata/labels", "labels"),
            ("/metadata/ownerReferences", "owner references"),
            ("/metadata/finalizers", "finalizers"),
            ("/status/resourceClaimStatuses", "resource claim statuses"),
            ("/status/extendedResourceClaimStatus", "the extended resource claim status"),
        ] {
            if differs(old, self.object, field) {
                return self.refuse(format!("cannot update {what} through pod status"));
            }
        }
        Ok(())
    }

    fn own_node(&self) -> Result<(), ApiError> {
        let (object, call) = (self.object, self.call);
        match call.operation {
            Operation::Create | Operation::Update => {}
            Operation::Delete | Operation::Connect => {
                return self.refuse("is not allowed to delete or connect to nodes");
            }
        }
        if call.name_of(object) != self.node {
            return self.refuse(format!("is not allowed to modify node {:?}", call.name_of(object)));
        }
        let old = call.old.unwrap_or(&Value::Null);
        for (field, what) in [
            ("/metadata/ownerReferences", "ownerReferences"),
            ("/metadata/finalizers", "finalizers"),
            ("/spec/configSource", "configSource"),
        ] {
            if differs(old, object, field) {
                return self.refuse(format!("is not allowed to set or change {what}"));
            }
        }
        if call.operation == Operation::Update && differs(old, object, "/spec/taints") {
            return self.refuse("is not allowed to modify taints");
        }
        let changed = labels::changed(old, object);
        let refused = labels::refused(&changed);
        if refused.is_empty() {
            Ok(())
        } else {
            self.refuse(format!("is not allowed to set or change labels: {}", refused.join(", ")))
        }
    }

    /// Tokens only for pods of this node, as their own account, bound to them.
    async fn token(&self) -> Result<(), ApiError> {
        let bound = &self.object["spec"]["boundObjectRef"];
        let text = |field: &str| bound[field].as_str().unwrap_or_default();
        if text("kind") != "Pod" || !matches!(text("apiVersion"), "" | "v1") || text("name").is_empty() {
            return self.refuse("can only request tokens that are bound to a pod");
        }
        if text("uid").is_empty() {
            return self.refuse("requested a token with a pod binding without a uid");
        }
        let found = find(self.context.objects.as_ref(), PODS, self.call.ns(), text("name")).await?;
        let account = |pod: &Value| pod.pointer("/spec/serviceAccountName").and_then(Value::as_str).map(str::to_owned);
        let Some(pod) = found else { return self.refuse("requested a token bound to a pod that does not exist") };
        if pod.pointer("/metadata/uid").and_then(Value::as_str) != Some(text("uid")) {
            return self.refuse("requested a token bound to a pod with another uid");
        }
        if node_of(&pod) != self.node || account(&pod).as_deref() != Some(self.call.name()) {
            return self.refuse(
                "requested a token bound to a pod that is scheduled on a different node or runs as another account",
            );
        }
        Ok(())
    }

    fn claim_status(&self) -> Result<(), ApiError> {
        let old = self.call.old.unwrap_or(&Value::Null);
        let allowed = self.call.subresource() == "status" && self.call.operation == Operation::Update;
        if allowed && !differs(old, self.object, "/metadata/labels") && !differs(old, self.object, "/spec") {
            Ok(())
        } else {
            self.refuse("may only update the status of persistent volume claims")
        }
    }

    /// Of the others, the Node authorizer knows whose they are; the node's name cannot be changed later.
    fn own_slice(&self) -> Result<(), ApiError> {
        if self.call.operation == Operation::Create && node_of(self.object) != self.node {
            return self.refuse("can only create ResourceSlices with spec.nodeName set to itself");
        }
        Ok(())
    }

    fn own_name(&self, what: &str) -> Result<(), ApiError> {
        if self.call.name_of(self.object) == self.node {
            Ok(())
        } else {
            self.refuse(format!("can only access {what} with the same name as the requesting node"))
        }
    }
}

fn node_of(pod: &Value) -> &str {
    pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default()
}

/// Missing, null and empty are the same.
fn differs(old: &Value, new: &Value, pointer: &str) -> bool {
    let filled = |value: &&Value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    };
    old.pointer(pointer).filter(filled) != new.pointer(pointer).filter(filled)
}
