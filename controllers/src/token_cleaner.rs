//! Deletes bootstrap tokens that have expired. k8s: `controller/bootstrap/tokencleaner.go`

use crate::write;
use client::action::{Action, Key};
use client::cache::{Caches, Tracked as _, WatchOptions};
use client::controller::{Controller, Reconcile, Watches};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

pub(crate) const CONTROLLER: Controller =
    Controller { name: "token-cleaner", watches, reconcile: Reconcile::Cached(reconcile), refused: None };

pub(crate) const NAMESPACE: &str = "kube-system";
pub(crate) const TYPE: &str = "bootstrap.kubernetes.io/token";

fn watches(watches: &mut Watches) {
    let only = WatchOptions { fields: Some(format!("type={TYPE}")), ..WatchOptions::default() };
    watches.mapped_with::<Secret>(only, |secret, _| vec![secret.key()]);
}

fn reconcile(key: &Key, caches: &Caches, now: Timestamp) -> Vec<Action> {
    let Some(secret) = caches.of::<Secret>().get(&key.ns, &key.name) else { return Vec::new() };
    if key.ns != NAMESPACE || secret.type_.as_deref() != Some(TYPE) || secret.deleting() {
        return Vec::new();
    }
    let Some(expiration) = secret.data.as_ref().and_then(|data| data.get("expiration")) else { return Vec::new() };
    // k8s: an expiration that cannot be read is one that has passed
    let expires = std::str::from_utf8(&expiration.0).ok().and_then(|text| text.parse::<Timestamp>().ok());
    match expires {
        Some(expires) if expires > now => vec![Action::RequeueAt(expires)],
        Some(_) | None => vec![write::delete(secret.as_ref())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, caches, lines};

    fn run(now: i64) -> String {
        // 1970-01-01T00:01:40Z
        let yaml = "apiVersion: v1\nkind: Secret\nmetadata: {name: t, namespace: kube-system}\n\
                    type: bootstrap.kubernetes.io/token\ndata: {expiration: MTk3MC0wMS0wMVQwMDowMTo0MFo=}";
        lines(&reconcile(&Key::new("kube-system", "t"), &caches(watches, yaml), at(now)))
    }

    #[test]
    fn a_token_goes_when_its_time_has_come() {
        assert_eq!(run(99), "again at 100\n");
        assert_eq!(run(100), "delete Secret t\n");
    }
}
