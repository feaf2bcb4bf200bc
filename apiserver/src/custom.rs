//! Custom resources as served: which kinds there are right now, and the life of their definitions (names, Established,
//! deletion). What a kind is made of is `kinds::custom`; requests for it take the way of every other kind.

mod cleanup;
pub(crate) mod convert;
mod feed;
mod naming;
pub(crate) mod registered;
mod served;

pub use feed::Feed;
pub use served::Kinds;

use crate::auth::objects::{self, Resource};
use crate::error::ApiError;
use crate::registry::update::Make;
use crate::registry::{Call, Registry, Written};
use crate::request::{Request, Verb};
use client::identity::Identity;
use kinds::kind::Kind;
use std::sync::Arc;

const DEFINITIONS: Resource =
    Resource { group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" };

/// As whom this server writes; also the field manager.
const USER: &str = "system:apiserver";
const MANAGER: &str = "kube-apiserver";

fn definitions() -> Arc<dyn Kind> {
    objects::kind(DEFINITIONS)
}

/// A request of this server's own.
fn request(verb: Verb, kind: &Arc<dyn Kind>, name: &str, subresource: &str) -> Request {
    let identity = Identity::new(USER, [crate::auth::GROUP_MASTERS]);
    let mut request = Request::internal(verb, kind, "", name, identity, MANAGER);
    subresource.clone_into(&mut request.subresource);
    request
}

/// Changes a definition through a subresource (`""`: the whole).
async fn change(registry: &Registry, name: &str, subresource: &str, make: Make<'_>) -> Result<Written, ApiError> {
    let request = request(Verb::Update, &definitions(), name, subresource);
    registry.change(&Call::of(&request)?, Verb::Update, make).await
}
