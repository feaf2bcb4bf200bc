//! Keeps, for each Deployment that asks for it (`drover.dev/roll-on-config-change`), immutable copies of the ConfigMaps and
//! Secrets that its pods read, and says in its annotation by which names they are read now. The Deployment's controller makes
//! pods that read those names, so that other content is another template: it rolls out, and an old revision keeps its own.
//! Copies go when no revision reads them any more.

#[cfg(test)]
mod tests;

use crate::write;
use client::action::{Action, Key, PatchKind, Resource};
use client::cache::{Caches, Change, Node, Tracked as _};
use client::controller::{Controller, Look, Reconcile, Refusal, Sight, Watches};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ConfigMap, PodTemplateSpec, Secret};
use kinds::opt_in::config::{self, Config, Names, Need, SNAPSHOT_OF, Source};
use kinds::opt_in::{self, CONFIG_SNAPSHOTS, ROLL_ON_CONFIG_CHANGE};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "config-rollout",
    watches,
    reconcile: Reconcile::Looking { look, reconcile },
    refused: Some(refused),
};

/// Deployments by what their pods read: `ns configmap/name`.
const READERS: &str = "readers of configuration";

/// Bytes of the content's digest that become its name: 40 bits, and only contents of one name are told apart by them.
const HASH_BYTES: usize = 5;
/// When the server could not say what there is.
const ASK_AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// What a token controller fills in and takes away by itself.
const TOKEN: &str = "kubernetes.io/service-account-token";

fn watches(watches: &mut Watches) {
    watches.mapped_change::<Deployment>(respecified);
    watches.index::<Deployment>(READERS, |one| {
        let read = config::read_by(&one.spec.template).into_keys();
        if is_wished(one) { read.map(|config| place(one.ns(), &config)).collect() } else { Vec::new() }
    });
    // Its copies may go with it.
    watches.mapped_change::<ReplicaSet>(|change, _| match (&change.old, &change.new) {
        (Some(gone), None) => owner_of(gone).into_iter().collect(),
        _ => Vec::new(),
    });
    watches.metadata_of::<ConfigMap>(|node, caches| readers(Source::ConfigMap, node, caches));
    watches.metadata_of::<Secret>(|node, caches| readers(Source::Secret, node, caches));
}

fn place(ns: &str, config: &Config) -> String {
    format!("{ns} {config}")
}

fn readers(source: Source, node: &Node, caches: &Caches) -> Vec<Key> {
    let config = Config { source, name: node.meta.key.name.clone() };
    let readers = caches.of::<Deployment>().by_index(READERS, &place(&node.meta.key.ns, &config));
    readers.iter().map(|one| one.key()).collect()
}

/// Another template or another wish; its status is of no interest.
fn respecified(change: &Change<Deployment>, _: &Caches) -> Vec<Key> {
    let of = |one: &Option<Arc<Deployment>>| {
        one.as_ref().map(|one| (one.metadata.generation, one.metadata.annotations.clone(), one.deleting()))
    };
    let concerned = [&change.old, &change.new].into_iter().flatten().any(|one| is_concerned(one));
    if concerned && of(&change.old) != of(&change.new) { vec![change.key.clone()] } else { Vec::new() }
}

fn owner_of(rs: &ReplicaSet) -> Option<Key> {
    let owner = rs.owners().into_iter().find(|owner| owner.controller == Some(true) && owner.kind == "Deployment")?;
    Some(Key::new(rs.ns(), owner.name))
}

fn annotation<'a>(deployment: &'a Deployment, name: &str) -> Option<&'a str> {
    deployment.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

fn is_wished(deployment: &Deployment) -> bool {
    opt_in::switch(annotation(deployment, ROLL_ON_CONFIG_CHANGE)) == Some(true)
}

/// Wishes it, or did and may still have copies.
fn is_concerned(deployment: &Deployment) -> bool {
    is_wished(deployment) || annotation(deployment, CONFIG_SNAPSHOTS).is_some()
}

fn concerned(key: &Key, caches: &Caches) -> Option<Arc<Deployment>> {
    let found = caches.of::<Deployment>().get(&key.ns, &key.name);
    found.filter(|one| is_concerned(one) && !one.deleting())
}

/// What the template of a Deployment that wishes it reads.
fn read_by(deployment: &Deployment) -> BTreeMap<Config, Need> {
    if is_wished(deployment) { config::read_by(&deployment.spec.template) } else { BTreeMap::new() }
}

/// First the copies that there are, then each thing that is read.
fn look(key: &Key, caches: &Caches, _: Timestamp) -> Vec<Look> {
    let Some(deployment) = concerned(key, caches) else { return Vec::new() };
    let collection = |source: Source| format!("/api/v1/namespaces/{}/{}", key.ns, source.plural());
    let copies = [Source::ConfigMap, Source::Secret].map(|source| {
        let path =
            format!("{}?labelSelector={}%3D{}", collection(source), SNAPSHOT_OF.replace('/', "%2F"), deployment.uid());
        Look::Document { path }
    });
    let read = read_by(&deployment).into_keys();
    let read = read.map(|config| Look::Document { path: format!("{}/{}", collection(config.source), config.name) });
    copies.into_iter().chain(read).collect()
}

/// Everything a decision needs.
struct Seen {
    deployment: Arc<Deployment>,
    /// The copies that there are, and their uids.
    copies: BTreeMap<Config, String>,
    /// What is read, and what there is of it.
    read: Vec<(Config, Need, Option<Value>)>,
    /// What the revisions that there are read.
    used: BTreeSet<Config>,
}

/// `Err`: when to ask again.
fn observe(key: &Key, caches: &Caches, sights: &[Sight], now: Timestamp) -> Result<Option<Seen>, Timestamp> {
    let Some(deployment) = concerned(key, caches) else { return Ok(None) };
    let wanted = read_by(&deployment);
    if sights.len() != wanted.len() + 2 || sights.iter().any(|sight| matches!(sight, Sight::Unknown(_))) {
        return Err(now + ASK_AGAIN);
    }
    let (copies, read) = sights.split_at(2);
    let named = |source: Source, sight: &Sight| -> Vec<(Config, String)> {
        let Sight::Object(list) = sight else { return Vec::new() };
        let text = |item: &Value, field: &str| item["metadata"][field].as_str().unwrap_or_default().to_owned();
        let items = list["items"].as_array().into_iter().flatten();
        items.map(|item| (Config { source, name: text(item, "name") }, text(item, "uid"))).collect()
    };
    let sources = [Source::ConfigMap, Source::Secret].into_iter();
    let copies = sources.zip(copies).flat_map(|(source, sight)| named(source, sight)).collect();
    let read = wanted.into_iter().zip(read).map(|((config, need), sight)| match sight {
        Sight::Object(object) => (config, need, Some(object.clone())),
        _ => (config, need, None),
    });
    let read = read.collect();
    let sets = caches.of::<ReplicaSet>().by_owner(deployment.uid());
    let used = sets
        .iter()
        .filter_map(|rs| rs.spec.template.as_ref())
        .flat_map(|template| config::read_by(template).into_keys());
    let used = used.collect();
    Ok(Some(Seen { deployment, copies, read, used }))
}

fn reconcile(key: &Key, caches: &Caches, sights: &[Sight], now: Timestamp) -> Vec<Action> {
    match observe(key, caches, sights, now) {
        Ok(Some(seen)) => decide(&seen),
        Ok(None) => Vec::new(),
        Err(later) => vec![Action::RequeueAt(later)],
    }
}

fn decide(seen: &Seen) -> Vec<Action> {
    let deployment = seen.deployment.as_ref();
    let held = annotation(deployment, CONFIG_SNAPSHOTS);
    let before = held.and_then(|text| Names::parse(text).ok()).unwrap_or_default();
    let (mut names, mut made, mut told) = (Names::default(), Vec::new(), Vec::new());
    for (config, need, found) in &seen.read {
        match found {
            Some(object) if is_read_as_it_is(object) => names.set(config.clone(), config.name.clone()),
            Some(object) => {
                let copy = copy(deployment, config, object);
                if !seen.copies.contains_key(&copy.config) {
                    made.push(copy.create);
                }
                names.set(config.clone(), copy.config.name);
            }
            // The revision that read it has its copy.
            None if before.get(config).is_some() => {
                names.set(config.clone(), before.get(config).unwrap_or_default().to_owned());
            }
            None if *need == Need::Optional => names.set(config.clone(), config.name.clone()),
            None => {
                let message = format!("{config} does not exist, and the rollout waits for it");
                told.push(write::event(deployment, "Warning", "ConfigMissing", message));
            }
        }
    }
    // What was read a moment ago may be read by a revision that is not seen yet.
    let just_before = before.all().filter(|_| is_wished(deployment)).map(read_as);
    let kept: BTreeSet<Config> = seen.used.iter().cloned().chain(just_before).chain(names.all().map(read_as)).collect();
    let gone = seen.copies.iter().filter(|(copy, _)| !kept.contains(copy));
    made.extend(gone.map(|(copy, uid)| delete(deployment.ns(), copy, uid)));
    let text = names.to_string();
    let done = !is_wished(deployment) && seen.copies.is_empty();
    let wanted = if is_wished(deployment) { Some(text.as_str()) } else { held.filter(|_| !done) };
    if wanted != held {
        let body = json!({"metadata": {"uid": deployment.uid(), "annotations": {(CONFIG_SNAPSHOTS): wanted}}});
        made.push(write::patch(deployment, "", PatchKind::Merge, body));
        told.extend(
            changes(&before, &names).map(|message| write::event(deployment, "Normal", "ConfigChanged", message)),
        );
    }
    made.extend(told);
    made
}

/// The copy by which something is read.
fn read_as((config, by): (&Config, &str)) -> Config {
    Config { source: config.source, name: by.to_owned() }
}

/// In words, of what was read by another name before.
fn changes<'a>(before: &'a Names, names: &'a Names) -> impl Iterator<Item = String> + 'a {
    let changed = names.all().filter(|(config, by)| before.get(config).is_some_and(|old| old != *by));
    changed.map(|(config, by)| format!("{config} has changed; new pods read it as {by}"))
}

/// A copy (an old revision came back), or one that its own controller rewrites.
fn is_read_as_it_is(object: &Value) -> bool {
    object["metadata"]["labels"].get(SNAPSHOT_OF).is_some() || object["type"] == TOKEN
}

struct Copy {
    config: Config,
    create: Action,
}

fn copy(deployment: &Deployment, config: &Config, object: &Value) -> Copy {
    let mut copy = config::content(object);
    // With the Deployment's own mark: another one may read the same.
    let digest = Sha256::digest(format!("{} {copy}", deployment.uid()));
    let hash = digest.iter().take(HASH_BYTES).fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes all that is written");
        hex
    });
    let name = config::snapshot_name(&config.name, &hash);
    let mut owner = json!(write::controller_reference(deployment));
    // It only goes with the Deployment: its life is ours.
    owner["controller"] = json!(false);
    owner["blockOwnerDeletion"] = json!(false);
    copy["apiVersion"] = json!("v1");
    copy["kind"] = json!(config.source.kind());
    copy["immutable"] = json!(true);
    copy["metadata"] = json!({
        "name": name,
        "namespace": deployment.ns(),
        "labels": {(SNAPSHOT_OF): deployment.uid()},
        "ownerReferences": [owner],
    });
    let create = Action::Create { resource: resource(config.source), ns: deployment.ns().to_owned(), object: copy };
    Copy { config: Config { source: config.source, name }, create }
}

fn resource(source: Source) -> Resource {
    match source {
        Source::ConfigMap => Resource::of::<ConfigMap>(),
        Source::Secret => Resource::of::<Secret>(),
    }
}

fn delete(ns: &str, copy: &Config, uid: &str) -> Action {
    Action::Delete {
        resource: resource(copy.source),
        key: Key::new(ns, copy.name.clone()),
        uid: uid.to_owned(),
        grace_seconds: None,
        propagation: None,
    }
}

/// The template that the pods of a Deployment are made by, with what they read by its names of this revision; `None` while these
/// are not settled.
pub(crate) fn template(deployment: &Deployment) -> Option<PodTemplateSpec> {
    if !is_wished(deployment) {
        return Some(deployment.spec.template.clone());
    }
    let names = annotation(deployment, CONFIG_SNAPSHOTS).and_then(|text| Names::parse(text).ok())?;
    config::renamed(&deployment.spec.template, &names)
}

fn refused(key: &Key, caches: &Caches, refusal: &Refusal, _: Timestamp) -> Vec<Action> {
    let (Action::Create { object, .. }, Some(deployment)) = (&refusal.action, concerned(key, caches)) else {
        return Vec::new();
    };
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let message = format!("The rollout waits: {name} cannot be created: {}", refusal.status.message);
    vec![write::event(deployment.as_ref(), "Warning", "ConfigSnapshotRefused", message)]
}
