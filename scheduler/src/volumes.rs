//! Volumes, claims and classes as the scheduler sees them, with what it has promised itself; and what of them concerns one
//! pod. Pure.

use crate::devices::ClaimWrite;
use crate::plugins::Rejection;
use crate::pod_info::PodInfo;
use crate::snapshot::NodeInfo;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, TopologySelectorTerm};
use k8s_openapi::api::storage::v1::{CSINode, StorageClass};
use kinds::placement::NodeFacts;
use kinds::volume::{self, NO_PROVISIONER, Owner, SELECTED_NODE};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Claims are named `ns/name`.
#[derive(Debug, Default)]
pub struct Volumes {
    claims: HashMap<String, Arc<PersistentVolumeClaim>>,
    volumes: HashMap<String, Arc<PersistentVolume>>,
    /// Class -> volumes that no claim has yet, or that are set aside for one.
    loose: HashMap<String, BTreeSet<String>>,
    classes: HashMap<String, Arc<StorageClass>>,
    /// Node -> CSI driver -> volumes that it can attach.
    limits: HashMap<String, BTreeMap<String, usize>>,
    /// Volume -> the claim that it is about to be bound to.
    promised: HashMap<String, String>,
    /// Claim -> the node where its volume is about to be asked for.
    selected: HashMap<String, String>,
    /// Claim -> pods that use it (uid -> node).
    users: HashMap<String, HashMap<String, String>>,
}

impl Volumes {
    pub fn set_claim(&mut self, key: &str, claim: Option<Arc<PersistentVolumeClaim>>) {
        let Some(claim) = claim else {
            self.selected.remove(key);
            self.claims.remove(key);
            return;
        };
        if selected_node(&claim).is_some() || volume::named_by(&claim).is_some() {
            self.selected.remove(key);
        }
        self.claims.insert(key.to_owned(), claim);
    }

    pub fn set_volume(&mut self, name: &str, volume: Option<Arc<PersistentVolume>>) {
        if let Some(before) = self.volumes.remove(name)
            && let Some(loose) = self.loose.get_mut(volume::class_of_volume(&before))
        {
            loose.remove(name);
        }
        let Some(volume) = volume else {
            self.promised.remove(name);
            return;
        };
        if volume.spec.as_ref().is_some_and(|spec| spec.claim_ref.is_some()) {
            self.promised.remove(name);
        }
        let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
        if phase.is_none_or(|phase| matches!(phase, "" | "Pending" | "Available")) {
            self.loose.entry(volume::class_of_volume(&volume).to_owned()).or_default().insert(name.to_owned());
        }
        self.volumes.insert(name.to_owned(), volume);
    }

    pub fn set_class(&mut self, name: &str, class: Option<Arc<StorageClass>>) {
        match class {
            Some(class) => drop(self.classes.insert(name.to_owned(), class)),
            None => drop(self.classes.remove(name)),
        }
    }

    /// What a node's drivers can attach.
    pub fn set_csi_node(&mut self, name: &str, node: Option<&CSINode>) {
        let drivers = node.into_iter().flat_map(|node| &node.spec.drivers);
        let limits = drivers.filter_map(|driver| {
            let count = driver.allocatable.as_ref()?.count?;
            Some((driver.name.clone(), usize::try_from(count).unwrap_or(0)))
        });
        self.limits.insert(name.to_owned(), limits.collect());
    }

    /// From now on as if this were written.
    pub(crate) fn promise(&mut self, preparation: &Preparation, node: &str) {
        for (volume, claim) in &preparation.bind {
            let name = volume.metadata.name.clone().unwrap_or_default();
            self.promised.insert(name, key_of(claim));
        }
        for claim in &preparation.provision {
            self.selected.insert(key_of(claim), node.to_owned());
        }
    }

    /// It could not be written.
    pub(crate) fn break_promise(&mut self, preparation: &Preparation) {
        for (volume, _) in &preparation.bind {
            self.promised.remove(volume.metadata.name.as_deref().unwrap_or_default());
        }
        for claim in &preparation.provision {
            self.selected.remove(&key_of(claim));
        }
    }

    pub(crate) fn used(&mut self, pod: &PodInfo, node: &str) {
        for claim in pod.claim_keys() {
            self.users.entry(claim).or_default().insert(pod.uid.clone(), node.to_owned());
        }
    }

    pub(crate) fn unused(&mut self, pod: &PodInfo) {
        for claim in pod.claim_keys() {
            let Some(users) = self.users.get_mut(&claim) else { continue };
            users.remove(&pod.uid);
            if users.is_empty() {
                self.users.remove(&claim);
            }
        }
    }

    /// Whether a pod on another node than this one uses the claim.
    pub(crate) fn is_used_elsewhere(&self, claim: &str, node: &str) -> bool {
        self.users.get(claim).is_some_and(|users| users.values().any(|home| home != node))
    }

    pub(crate) fn limit(&self, node: &str, driver: &str) -> Option<usize> {
        self.limits.get(node)?.get(driver).copied()
    }

    /// What the pod's claims attach to its node: (CSI driver, volume). A volume that is still to be made counts too.
    pub(crate) fn attached(&self, pod: &PodInfo) -> HashSet<(String, String)> {
        let claims = pod.claim_keys().filter_map(|key| Some((self.claims.get(&key)?, key)));
        let attached = claims.filter_map(|(claim, key)| match volume::named_by(claim) {
            Some(name) => {
                let source = self.volumes.get(name)?.spec.as_ref()?.csi.as_ref()?;
                Some((source.driver.clone(), source.volume_handle.clone()))
            }
            None => Some((self.classes.get(volume::class_of(claim))?.provisioner.clone(), key)),
        });
        attached.collect()
    }

    /// Volumes that the claim could get. One that is promised elsewhere is none of them.
    fn candidates<'a>(&'a self, claim: &PersistentVolumeClaim, key: &str) -> Vec<&'a Arc<PersistentVolume>> {
        let own = self.promised.iter().find(|(_, holder)| *holder == key);
        if let Some((name, _)) = own {
            return self.volumes.get(name).into_iter().collect();
        }
        let names = self.loose.get(volume::class_of(claim)).into_iter().flatten();
        let free = names.filter(|name| !self.promised.contains_key(*name));
        free.filter_map(|name| self.volumes.get(name)).collect()
    }
}

/// A claim that gets its volume when its first pod gets a node.
#[derive(Debug)]
struct Late<'a> {
    claim: &'a Arc<PersistentVolumeClaim>,
    candidates: Vec<&'a Arc<PersistentVolume>>,
    class: Option<&'a Arc<StorageClass>>,
    /// Where its volume is being made, if that is settled.
    selected: Option<&'a String>,
}

/// The claims of the pod in question.
#[derive(Debug, Default)]
pub(crate) struct Claims<'a> {
    pub(crate) bound: Vec<&'a Arc<PersistentVolume>>,
    late: Vec<Late<'a>>,
    /// Of all claims, those that only one pod may use: `ns/name`.
    pub(crate) exclusive: Vec<String>,
    lost: bool,
    /// What they attach to the node: (CSI driver, volume).
    pub(crate) attach: HashSet<(String, String)>,
    pub(crate) hopeless: Option<String>,
}

/// What has to be written before the pod can be bound.
#[derive(Clone, Debug, Default)]
pub(crate) struct Preparation {
    /// Volumes to set aside, each for a claim.
    pub(crate) bind: Vec<(Arc<PersistentVolume>, Arc<PersistentVolumeClaim>)>,
    /// Claims whose volume is to be made where the pod goes.
    pub(crate) provision: Vec<Arc<PersistentVolumeClaim>>,
    /// Claims on devices that are to be the pod's.
    pub(crate) devices: Vec<ClaimWrite>,
}

impl Preparation {
    pub(crate) fn is_empty(&self) -> bool {
        self.bind.is_empty() && self.provision.is_empty() && self.devices.is_empty()
    }
}

pub(crate) fn selected_node(claim: &PersistentVolumeClaim) -> Option<&String> {
    claim.metadata.annotations.as_ref()?.get(SELECTED_NODE)
}

pub(crate) fn key_of(claim: &PersistentVolumeClaim) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}/{}", text(&claim.metadata.namespace), text(&claim.metadata.name))
}

impl<'a> Claims<'a> {
    pub(crate) fn new(pod: &PodInfo, volumes: &'a Volumes) -> Self {
        let mut claims = Self { attach: volumes.attached(pod), ..Self::default() };
        for (used, key) in pod.claims.iter().zip(pod.claim_keys()) {
            let name = &used.claim;
            let Some(claim) = volumes.claims.get(&key) else {
                claims.hopeless = Some(if used.is_ephemeral {
                    format!("waiting for ephemeral volume controller to create the persistentvolumeclaim {name:?}")
                } else {
                    format!("persistentvolumeclaim {name:?} not found")
                });
                return claims;
            };
            if claim.metadata.deletion_timestamp.is_some() {
                claims.hopeless = Some(format!("persistentvolumeclaim {name:?} is being deleted"));
                return claims;
            }
            if used.is_ephemeral && !is_owned_by(claim, pod) {
                let pod = format!("{}/{}", pod.key.ns, pod.key.name);
                claims.hopeless = Some(format!("PVC {key} was not created for pod {pod} (pod is not owner)"));
                return claims;
            }
            claims.note(&key, claim, volumes);
        }
        claims
    }

    fn note(&mut self, key: &str, claim: &'a Arc<PersistentVolumeClaim>, volumes: &'a Volumes) {
        let modes = claim.spec.as_ref().and_then(|spec| spec.access_modes.as_deref()).unwrap_or_default();
        if modes.iter().any(|mode| mode == "ReadWriteOncePod") {
            self.exclusive.push(key.to_owned());
        }
        if let Some(name) = volume::bound_to(claim) {
            match volumes.volumes.get(name) {
                Some(volume) => self.bound.push(volume),
                None => self.lost = true,
            }
            return;
        }
        let class = volumes.classes.get(volume::class_of(claim));
        let waits = class.is_some_and(|class| class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"));
        if waits && volume::named_by(claim).is_none() {
            let candidates = volumes.candidates(claim, key);
            let selected = selected_node(claim).or_else(|| volumes.selected.get(key));
            self.late.push(Late { claim, candidates, class, selected });
        } else {
            self.hopeless = Some("pod has unbound immediate PersistentVolumeClaims".to_owned());
        }
    }

    /// Whether the volumes are, or can be, where the node is.
    pub(crate) fn reach(&self, node: &NodeInfo) -> Result<(), Rejection> {
        let mut reasons = Vec::new();
        if !self.bound.iter().all(|volume| volume::reaches(volume, Some(facts(node)))) {
            reasons.push("node(s) had volume node affinity conflict".into());
        }
        if self.lost {
            reasons.push("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)".into());
        }
        if !self.late.is_empty() && self.prepare(node).is_none() {
            reasons.push("node(s) didn't find available persistent volumes to bind".into());
        }
        if reasons.is_empty() { Ok(()) } else { Err(Rejection { reasons, is_lasting: true }) }
    }

    /// What it takes to use the node; `None` where it cannot be.
    pub(crate) fn prepare(&self, node: &NodeInfo) -> Option<Preparation> {
        let mut preparation = Preparation::default();
        let mut taken: HashSet<Option<&String>> = HashSet::new();
        for late in &self.late {
            match late.selected {
                Some(selected) if *selected != node.name => return None,
                Some(_) => {
                    preparation.provision.push(Arc::clone(late.claim));
                    continue;
                }
                None => {}
            }
            let free = late.candidates.iter().copied().filter(|volume| {
                volume::owner(volume, late.claim) != Owner::Another && !taken.contains(&volume.metadata.name.as_ref())
            });
            match volume::find(late.claim, free, Some(facts(node))) {
                Some(volume) => {
                    taken.insert(late.name_in_candidates(&volume));
                    preparation.bind.push((volume, Arc::clone(late.claim)));
                }
                None if late.can_be_made(node) => preparation.provision.push(Arc::clone(late.claim)),
                None => return None,
            }
        }
        Some(preparation)
    }
}

impl<'a> Late<'a> {
    /// The volume's name, for as long as the candidates live.
    fn name_in_candidates(&self, volume: &Arc<PersistentVolume>) -> Option<&'a String> {
        let same = self.candidates.iter().find(|candidate| Arc::ptr_eq(candidate, volume));
        same.and_then(|candidate| candidate.metadata.name.as_ref())
    }

    /// Whether the class's provisioner makes volumes for the node.
    fn can_be_made(&self, node: &NodeInfo) -> bool {
        let Some(class) = self.class.filter(|class| class.provisioner != NO_PROVISIONER) else { return false };
        let topologies = class.allowed_topologies.as_deref().unwrap_or_default();
        let matches = |term: &TopologySelectorTerm| {
            term.match_label_expressions.iter().flatten().all(|expression| {
                node.label(&expression.key).is_some_and(|value| expression.values.iter().any(|listed| listed == value))
            })
        };
        topologies.is_empty() || topologies.iter().any(matches)
    }
}

fn is_owned_by(claim: &PersistentVolumeClaim, pod: &PodInfo) -> bool {
    let owners = claim.metadata.owner_references.iter().flatten();
    owners.into_iter().any(|owner| owner.controller == Some(true) && owner.uid == pod.uid)
}

fn facts(node: &NodeInfo) -> NodeFacts<'_> {
    NodeFacts { name: &node.name, labels: node.labels() }
}
