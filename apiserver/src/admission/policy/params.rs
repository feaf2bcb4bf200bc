//! The parameters of a policy's binding: objects of a built-in or custom kind, by name or selector.
//! k8s: CollectParams of `plugin/policy/generic/policy_dispatcher.go`

use super::table::{Binding, Chosen, Policy};
use crate::cache::{Caches, KindCache};
use crate::custom::Kinds;
use crate::error::ApiError;
use crate::registry::view;
use crate::request::Selection;
use kinds::kind::Kind;
use serde_json::Value;
use std::sync::Arc;

/// One `Null` where the policy has none, or the binding does not choose any. `ns` is that of the object.
pub(super) async fn collect(
    caches: &Caches,
    kinds: &Kinds,
    policy: &Policy,
    binding: &Binding,
    ns: &str,
) -> Result<Vec<Arc<Value>>, ApiError> {
    let (Some((api_version, name)), Some(chosen)) = (&policy.param_kind, &binding.params) else {
        return Ok(vec![Arc::new(Value::Null)]);
    };
    let failed = |why: String| Err(ApiError::bad_request(why));
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let Some(kind) = kinds.find_kind(group, version, name) else {
        return failed(format!("paramKind kind `{api_version}, Kind={name}` not known"));
    };
    let ns = match (kind.row().namespaced(), chosen.namespace.as_str()) {
        (true, "") if ns.is_empty() => {
            let why = "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources";
            return failed(why.to_owned());
        }
        (true, "") => ns,
        (true, own) => own,
        (false, "") => "",
        (false, _) => {
            return failed("paramRef.namespace must not be provided for a cluster-scoped `paramKind`".to_owned());
        }
    };
    let found: Vec<Arc<Value>> = match &chosen.chosen {
        Chosen::Named(name) => named(caches, &kind, ns, name).await?.into_iter().collect(),
        Chosen::Selected(selector) => {
            let cache = caches.fresh(&kind).await?;
            let all = all(&cache, &kind, ns).into_iter();
            all.filter(|object| selector.matches(&object["metadata"]["labels"])).collect()
        }
    };
    if chosen.required && found.is_empty() {
        return failed("no params found for policy binding with `Deny` parameterNotFoundAction".to_owned());
    }
    Ok(found)
}

/// From the cache as it is, and where it does not have it (yet) once it shows everything that is written.
async fn named(caches: &Caches, kind: &Arc<dyn Kind>, ns: &str, name: &str) -> Result<Option<Arc<Value>>, ApiError> {
    let found = caches.of(kind).await?.get(ns, name);
    let found = match found {
        Some(found) => Some(found),
        None => caches.fresh(kind).await?.get(ns, name),
    };
    Ok(found.map(|object| shown(kind.as_ref(), object.value())))
}

fn all(cache: &KindCache, kind: &Arc<dyn Kind>, ns: &str) -> Vec<Arc<Value>> {
    let objects = cache.list(ns, &Selection::default()).objects;
    objects.iter().map(|object| shown(kind.as_ref(), object.value())).collect()
}

fn shown(kind: &dyn Kind, object: Value) -> Arc<Value> {
    Arc::new(view::to_kind(kind, &object).unwrap_or(object))
}
