//! NodeRestriction: what a node may put into the few writes that it may make. Deny by default: each resource lists what is
//! allowed, and everything else about it is refused. k8s: `plugin/pkg/admission/noderestriction`.

mod labels;

use super::{Call, Context, Operation, pod};
use crate::auth::Attributes;
use crate::auth::node::{name_of, pod_references};
use crate::auth::objects::{NODES, PERSISTENT_VOLUMES, PODS, Resource, SERVICE_ACCOUNTS, find, find_with_uid};
use crate::error::ApiError;
use kinds::tree::text;
use serde_json::Value;
use std::sync::Arc;

const LEASES: &str = "coordination.k8s.io";
const STORAGE: &str = "storage.k8s.io";
pub(super) const CSI_DRIVERS: Resource = Resource { group: STORAGE, version: "v1", plural: "csidrivers" };
pub(super) const CLAIMS: Resource = Resource { group: "", version: "v1", plural: "persistentvolumeclaims" };

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
        ("certificates.k8s.io", "podcertificaterequests") => guard.pod_certificate().await,
        (STORAGE, "csinodes") => guard.own_name("CSINode"),
        // What the Node authorizer lets through beyond these names no other node's state (events, reviews), or is judged by plugins
        // of its own (certificate requests).
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
    fn refuse<T>(&self, why: impl AsRef<str>) -> Result<T, ApiError> {
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
        let of_cluster = ["serviceAccountToken", "clusterTrustBundle", "podCertificate"];
        let projected = projections(self.object).any(|source| of_cluster.iter().any(|kind| !source[*kind].is_null()));
        if claims || projected || !pod_references(self.call.ns(), &plain).is_empty() {
            return self.refuse(
                "can not create pods that reference secrets, config maps, claims, service accounts, trust bundles or certificates",
            );
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
        self.audience(&pod).await
    }

    /// Nobody reads a pod's token but those whom the pod talks to, or its CSI drivers for it.
    /// k8s: ServiceAccountNodeAudienceRestriction
    async fn audience(&self, pod: &Value) -> Result<(), ApiError> {
        let asked = match strings(self.object, "/spec/audiences")[..] {
            [] => &*self.context.issuer,
            [asked] => asked,
            _ => return self.refuse("may only request 0 or 1 audiences"),
        };
        // Whoever names nobody means this cluster's API servers.
        let means = |audience: &str| audience == asked || (audience.is_empty() && asked == &*self.context.issuer);
        if projected_audiences(pod).any(means) {
            return Ok(());
        }
        for driver in self.drivers(pod).await? {
            let found = find(self.context.objects.as_ref(), CSI_DRIVERS, "", &driver).await?;
            let requests = found.as_deref().and_then(|driver| driver.pointer("/spec/tokenRequests")?.as_array());
            if requests.into_iter().flatten().any(|request| means(request["audience"].as_str().unwrap_or_default())) {
                return Ok(());
            }
        }
        let attributes = Attributes {
            verb: "request-serviceaccounts-token-audience",
            resource: asked,
            namespace: self.call.ns(),
            name: self.call.name(),
            ..Attributes::default()
        };
        if self.context.authorizer.authorize(self.call.identity(), &attributes).await.is_allowed() {
            return Ok(());
        }
        let why = format!("audience {asked:?} not found in pod spec volume");
        Err(self.call.forbidden(self.call.name_of(self.object), why))
    }

    /// CSI drivers of the pod's volumes, given inline or by a bound claim.
    async fn drivers(&self, pod: &Value) -> Result<Vec<String>, ApiError> {
        let mut drivers = Vec::new();
        let objects = self.context.objects.as_ref();
        for volume in items(pod, "/spec/volumes") {
            if let Some(driver) = volume.pointer("/csi/driver").and_then(Value::as_str) {
                drivers.push(driver.to_owned());
            }
            let claim = match volume.pointer("/persistentVolumeClaim/claimName").and_then(Value::as_str) {
                Some(claim) => claim.to_owned(),
                None if volume["ephemeral"].is_object() => {
                    format!("{}-{}", text(pod, "metadata.name"), text(volume, "name"))
                }
                None => continue,
            };
            let claim = find(objects, CLAIMS, self.call.ns(), &claim).await?;
            let Some(bound) = claim.as_deref().map(|claim| text(claim, "spec.volumeName")).filter(|n| !n.is_empty())
            else {
                continue;
            };
            let volume = find(objects, PERSISTENT_VOLUMES, "", bound).await?;
            drivers.extend(volume.map(|volume| text(&volume, "spec.csi.driver").to_owned()).filter(|n| !n.is_empty()));
        }
        Ok(drivers)
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

    /// For a pod of this node, as what it is, from a signer that a volume of it names.
    async fn pod_certificate(&self) -> Result<(), ApiError> {
        let spec = &self.object["spec"];
        let said = |field: &str| spec[field].as_str().unwrap_or_default();
        if (self.call.operation, self.call.subresource()) != (Operation::Create, "") {
            return self.refuse("can only create certificate requests for pods");
        }
        if said("nodeName") != self.node {
            return self.refuse("can only request certificates for pods with spec.nodeName set to itself");
        }
        let (ns, account) = (self.call.ns(), said("serviceAccountName"));
        self.with_uid(NODES, ("", self.node), said("nodeUID")).await?;
        self.with_uid(SERVICE_ACCOUNTS, (ns, account), said("serviceAccountUID")).await?;
        let pod = self.with_uid(PODS, (ns, said("podName")), said("podUID")).await?;
        if node_of(&pod) != self.node {
            return self.refuse("requested a certificate for a pod that is scheduled on a different node");
        }
        if pod::is_mirror(&pod) {
            return self.refuse("requested a certificate for a mirror pod");
        }
        if text(&pod, "spec.serviceAccountName") != account {
            return self.refuse("requested a certificate for a pod that runs as another account");
        }
        self.signer(&pod, said("signerName"), account).await
    }

    /// What a request for a certificate names, as it is there now.
    async fn with_uid(&self, resource: Resource, key: (&str, &str), uid: &str) -> Result<Arc<Value>, ApiError> {
        let found = find_with_uid(self.context.objects.as_ref(), resource, key, uid).await?;
        if let Some(found) = found.filter(|found| text(found, "metadata.uid") == uid) {
            return Ok(found);
        }
        let what = resource.plural;
        self.refuse(format!("requested a certificate of {what} {:?} with uid {uid:?}, which is not there", key.1))
    }

    /// k8s: validateNodePodCertificateSigner
    async fn signer(&self, pod: &Value, signer: &str, account: &str) -> Result<(), ApiError> {
        if projections(pod).any(|source| text(source, "podCertificate.signerName") == signer) {
            return Ok(());
        }
        let resource = &*signer.replace('/', ":");
        let attributes = Attributes {
            verb: "request-serviceaccounts-podcertificate-signer",
            group: "certificates.k8s.io",
            resource,
            namespace: self.call.ns(),
            name: account,
            ..Attributes::default()
        };
        if self.context.authorizer.authorize(self.call.identity(), &attributes).await.is_allowed() {
            return Ok(());
        }
        self.refuse(format!("requested a certificate from signer {signer:?}, which no volume of the pod names"))
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

fn items<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn strings<'a>(object: &'a Value, pointer: &str) -> Vec<&'a str> {
    items(object, pointer).filter_map(Value::as_str).collect()
}

/// The sources of the pod's projected volumes.
fn projections(pod: &Value) -> impl Iterator<Item = &Value> {
    items(pod, "/spec/volumes").flat_map(|volume| items(volume, "/projected/sources"))
}

/// For whom the pod's volumes have tokens; empty for the API server.
fn projected_audiences(pod: &Value) -> impl Iterator<Item = &str> {
    let tokens = projections(pod).filter_map(|source| source.get("serviceAccountToken"));
    tokens.map(|token| token["audience"].as_str().unwrap_or_default())
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
