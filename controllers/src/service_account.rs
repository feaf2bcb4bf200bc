//! A ServiceAccount `default` in every namespace that is not going away.

use crate::write;
use client::action::{Action, Key};
use client::cache::{Caches, Tracked as _, WatchOptions};
use client::controller::{Controller, Reconcile, Watches};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "service-account",
    watches,
    reconcile: Reconcile::Cached(|key, caches, _| reconcile(key, caches)),
    refused: None,
};

const DEFAULT: &str = "default";

fn watches(watches: &mut Watches) {
    watches.primary::<Namespace>();
    let only = WatchOptions { fields: Some(format!("metadata.name={DEFAULT}")), ..WatchOptions::default() };
    watches.mapped_with::<ServiceAccount>(only, |account, _| vec![Key::new("", account.ns())]);
}

fn reconcile(key: &Key, caches: &Caches) -> Vec<Action> {
    let active = caches.of::<Namespace>().get("", &key.name).is_some_and(|ns| !ns.deleting());
    if !active || caches.of::<ServiceAccount>().get(&key.name, DEFAULT).is_some() {
        return Vec::new();
    }
    let metadata =
        ObjectMeta { name: Some(DEFAULT.to_owned()), namespace: Some(key.name.clone()), ..ObjectMeta::default() };
    vec![write::create(&ServiceAccount { metadata, ..ServiceAccount::default() })]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{caches, lines};

    fn run(yaml: &str) -> String {
        lines(&reconcile(&Key::new("", "a"), &caches(watches, yaml)))
    }

    const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}";

    #[test]
    fn a_namespace_gets_its_default_account_once() {
        assert_eq!(run(NAMESPACE), "create ServiceAccount default\n");
        let account = "\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default, namespace: a}";
        assert_eq!(run(&format!("{NAMESPACE}{account}")), "");
    }

    #[test]
    fn a_namespace_that_goes_away_gets_none() {
        let going = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, deletionTimestamp: '1970-01-01T00:00:00Z'}";
        assert_eq!(run(going), "");
        assert_eq!(run(""), "");
    }
}
