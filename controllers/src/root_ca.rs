//! The cluster's CA as ConfigMap `kube-root-ca.crt` in every namespace, so that pods can trust the API server.

use crate::run::Config;
use crate::write;
use client::action::{Action, Key};
use client::cache::{Caches, Tracked as _, WatchOptions};
use client::controller::{Controller, Reconcile, Watches};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "root-ca-cert-publisher",
    watches,
    reconcile: Reconcile::Cached(|key, caches, _| reconcile(key, caches)),
    refused: None,
};

const NAME: &str = "kube-root-ca.crt";
const ABOUT: (&str, &str) = (
    "kubernetes.io/description",
    "The certificate authority that signs the API server's certificate, for clients in pods.",
);

fn watches(watches: &mut Watches) {
    watches.primary::<Namespace>();
    let only = WatchOptions { fields: Some(format!("metadata.name={NAME}")), ..WatchOptions::default() };
    watches.mapped_with::<ConfigMap>(only, |map, _| vec![Key::new("", map.ns())]);
}

fn reconcile(key: &Key, caches: &Caches) -> Vec<Action> {
    if caches.of::<Namespace>().get("", &key.name).is_none_or(|ns| ns.deleting()) {
        return Vec::new();
    }
    let ca = caches.fact::<Config>().root_ca_pem.clone();
    let data = BTreeMap::from([("ca.crt".to_owned(), ca)]);
    match caches.of::<ConfigMap>().get(&key.name, NAME) {
        Some(held) if held.data.as_ref() == Some(&data) => Vec::new(),
        Some(held) => vec![write::update(&ConfigMap { data: Some(data), ..held.as_ref().clone() }, "")],
        None => {
            let metadata = ObjectMeta {
                name: Some(NAME.to_owned()),
                namespace: Some(key.name.clone()),
                annotations: Some(BTreeMap::from([(ABOUT.0.to_owned(), ABOUT.1.to_owned())])),
                ..ObjectMeta::default()
            };
            vec![write::create(&ConfigMap { metadata, data: Some(data), ..ConfigMap::default() })]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::caches;

    fn run(yaml: &str) -> Vec<Action> {
        let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}";
        reconcile(&Key::new("", "a"), &caches(watches, &format!("{namespace}{yaml}")))
    }

    #[test]
    fn the_ca_is_published_and_repaired() {
        assert!(matches!(run("")[..], [Action::Create { .. }]));
        let map =
            "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: kube-root-ca.crt, namespace: a}\ndata: {ca.crt: ";
        assert!(matches!(run(&format!("{map}forged}}"))[..], [Action::Update { .. }]));
        assert!(run(&format!("{map}CA}}")).is_empty());
    }
}
