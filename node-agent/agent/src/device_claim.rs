//! Claims on devices (resource.k8s.io): their drivers prepare them before the first container of a pod starts, say which
//! devices the containers get, and take them back when the last pod of the node that uses them has ended, before the pod is
//! reported as ended. Drivers register themselves (`crate::plugins`). Who gets which device was decided by the scheduler.
//! k8s: the kubelet's DRA manager

mod books;
mod drivers;
mod wanted;

pub(crate) use drivers::{deregister, register, run};

use crate::node::Node;
use crate::pod::member::{namespace, uid};
use crate::turn::Turns;
use crate::whole_file::Ledger;
pub(crate) use books::Device;
use books::{Books, Entry, name_of};
use drivers::Drivers;
use k8s_openapi::api::core::v1::{Container, Pod};
use kube::Api;
use parking_lot::Mutex;
use proto::dra::{Claim, NodePrepareResourcesRequest, NodeUnprepareResourcesRequest};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use wanted::Want;

const PREPARE: &str = "NodePrepareResources";
const UNPREPARE: &str = "NodeUnprepareResources";

/// Texts are upstream's where it has any: users see them in events.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("pod \"{0}\": ResourceClaim not created yet")]
    Awaited(String),
    #[error("fetch ResourceClaim {name}")]
    Fetch {
        name: String,
        #[source]
        source: Box<kube::Error>,
    },
    #[error("ResourceClaim {claim} was not created for pod {pod} (pod is not owner)")]
    NotOwner { claim: String, pod: String },
    #[error("pod {pod} ({pod_uid}) is not allowed to use ResourceClaim {claim} ({claim_uid})")]
    NotReserved { pod: String, pod_uid: String, claim: String, claim_uid: String },
    #[error("ResourceClaim {0}: not allocated")]
    NotAllocated(String),
    #[error("DRA driver {0} is not registered")]
    NotRegistered(String),
    #[error(
        "old ResourceClaim with same name {claim} and different UID {uid} still exists (previous pod force-deleted?!)"
    )]
    Replaced { claim: String, uid: String },
    #[error("{call}: {said}")]
    Call { call: &'static str, said: String },
    #[error("{call} failed for ResourceClaim {claim}: {said}")]
    Refused { call: &'static str, claim: String, said: String },
    #[error("{call} skipped {count} ResourceClaims")]
    Skipped { call: &'static str, count: usize },
    #[error("{call} returned result for unknown claim UID {uid}")]
    Unknown { call: &'static str, uid: String },
    #[error("the devices of ResourceClaim {0} are not prepared")]
    NotPrepared(String),
    #[error("cannot write down which claims are prepared")]
    Record(#[source] io::Error),
}

/// A claim that a container uses, for those who ask which devices it has.
pub(crate) struct Shown {
    pub(crate) name: String,
    /// With their drivers.
    pub(crate) devices: Vec<(String, Device)>,
}

#[derive(Debug)]
pub struct Claims {
    ledger: Ledger,
    books: Mutex<Books>,
    drivers: Drivers,
    /// By `ns/name`: a claim must not be taken back for one pod while it is prepared for another.
    turns: Turns<String>,
}

impl Claims {
    /// With what an earlier run of the agent has written down below `data_dir`.
    pub fn open(data_dir: &Path) -> Self {
        let ledger = Ledger::new(data_dir.join("device-claims.json"));
        let books = Mutex::new(ledger.read("which claims have been prepared is not known any more"));
        Self { ledger, books, drivers: Drivers::default(), turns: Turns::default() }
    }

    /// Whether drivers may have prepared something for the pod.
    pub fn are_held(&self, pod_uid: &str) -> bool {
        self.books.lock().pods().contains(pod_uid)
    }

    /// Uids of all pods that drivers may have prepared something for.
    pub fn holders(&self) -> BTreeSet<String> {
        self.books.lock().pods()
    }

    /// How many claims each driver has prepared devices for; claims may have several drivers.
    pub(crate) fn in_use(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for driver in self.books.lock().claims.values().flat_map(|entry| entry.drivers.keys()) {
            *counts.entry(driver.clone()).or_default() += 1;
        }
        counts
    }

    pub(crate) fn len(&self) -> usize {
        self.books.lock().claims.len()
    }

    /// Has the drivers of the pod's claims prepare them, all or none of the claims. What this agent has had prepared before
    /// is left alone.
    ///
    /// # Errors
    /// The pod must not start. It is among the holders of its claims where a driver may have been asked.
    pub async fn prepare(&self, node: &Node, pod: &Pod) -> Result<(), Error> {
        let mut claims = Vec::new();
        for want in wanted::of_pod(pod)? {
            claims.push(self.look_up(node, pod, &want).await?);
        }
        claims.sort_by(|(one, _), (other, _)| one.cmp(other));
        claims.dedup_by(|(one, _), (other, _)| one == other);
        let mut turns = Vec::new();
        for (key, _) in &claims {
            turns.push(self.turns.take(key.clone()).await);
        }
        self.books.lock().enter(uid(pod), &claims)?;
        self.write().await?;
        let missing: Vec<String> = {
            let books = self.books.lock();
            let is_missing = |key: &String| books.claims.get(key).is_some_and(|entry| !entry.prepared);
            claims.into_iter().map(|(key, _)| key).filter(is_missing).collect()
        };
        for (driver, batch) in self.by_driver(&missing) {
            self.prepare_with(&driver, batch).await?;
        }
        for key in &missing {
            if let Some(entry) = self.books.lock().claims.get_mut(key) {
                entry.prepared = true;
            }
        }
        self.write().await
    }

    /// The claim as it is in the API, once it is known that the pod may use it and that its drivers are there.
    async fn look_up(&self, node: &Node, pod: &Pod, want: &Want) -> Result<(String, Entry), Error> {
        let api = Api::namespaced(node.client.clone(), namespace(pod));
        let found = api.get(&want.name).await;
        let claim = found.map_err(|source| Error::Fetch { name: want.name.clone(), source: Box::new(source) })?;
        let entry = wanted::entry(pod, want, &claim)?;
        for driver in entry.drivers.keys() {
            self.drivers.check(driver)?;
        }
        Ok((format!("{}/{}", namespace(pod), want.name), entry))
    }

    fn by_driver(&self, keys: &[String]) -> BTreeMap<String, Vec<(String, Claim)>> {
        let books = self.books.lock();
        let mut batches: BTreeMap<String, Vec<(String, Claim)>> = BTreeMap::new();
        for key in keys {
            for driver in books.claims.get(key).into_iter().flat_map(|entry| entry.drivers.keys()) {
                batches.entry(driver.clone()).or_default().push((key.clone(), books.message(key)));
            }
        }
        batches
    }

    async fn prepare_with(&self, driver: &str, batch: Vec<(String, Claim)>) -> Result<(), Error> {
        let mut client = self.drivers.client(driver).await?;
        let request = NodePrepareResourcesRequest { claims: batch.iter().map(|(_, claim)| claim.clone()).collect() };
        let answer = client.node_prepare_resources(request).await;
        let answer = answer.map_err(|status| Error::Call { call: PREPARE, said: status.message().to_owned() })?;
        let mut devices = BTreeMap::new();
        let results = answer.into_inner().claims.into_iter().map(|(uid, result)| {
            devices.insert(uid.clone(), result.devices);
            (uid, result.error)
        });
        check(PREPARE, &batch, results.collect())?;
        let mut books = self.books.lock();
        for (key, claim) in batch {
            let prepared = devices.remove(&claim.uid).unwrap_or_default();
            if let Some(entry) = books.claims.get_mut(&key) {
                entry.drivers.insert(driver.to_owned(), prepared.into_iter().map(Device::from).collect());
            }
        }
        Ok(())
    }

    /// Has the drivers take back what no other pod of the node uses. Does nothing for a pod without claims.
    ///
    /// # Errors
    /// The pod still holds its claims.
    pub async fn unprepare(&self, pod_uid: &str) -> Result<(), Error> {
        let keys = self.books.lock().of_pod(pod_uid);
        if keys.is_empty() {
            return Ok(());
        }
        let mut turns = Vec::new();
        for key in &keys {
            turns.push(self.turns.take(key.clone()).await);
        }
        let last = self.books.lock().leave(pod_uid, &keys);
        for (driver, batch) in self.by_driver(&last) {
            let mut client = self.drivers.client(&driver).await?;
            let claims = batch.iter().map(|(_, claim)| claim.clone()).collect();
            let answer = client.node_unprepare_resources(NodeUnprepareResourcesRequest { claims }).await;
            let answer = answer.map_err(|status| Error::Call { call: UNPREPARE, said: status.message().to_owned() })?;
            let results = answer.into_inner().claims.into_iter().map(|(uid, result)| (uid, result.error));
            check(UNPREPARE, &batch, results.collect())?;
        }
        self.books.lock().claims.retain(|key, _| !last.contains(key));
        self.write().await
    }

    /// Names of the container's devices in the Container Device Interface.
    pub(crate) fn cdi(&self, pod: &Pod, container: &Container) -> Result<Vec<String>, Error> {
        let books = self.books.lock();
        let mut names = Vec::new();
        for (claim, requests) in wanted::of_container(pod, container) {
            let entry = books.claims.get(&format!("{}/{claim}", namespace(pod)));
            let entry = entry.ok_or_else(|| Error::NotPrepared(claim.clone()))?;
            names.extend(entry.cdi(&requests));
        }
        Ok(names)
    }

    /// The container's claims with all of their devices.
    pub(crate) fn shown(&self, pod: &Pod, container: &Container) -> Vec<Shown> {
        let books = self.books.lock();
        let one = |claim: String| {
            let entry = books.claims.get(&format!("{}/{claim}", namespace(pod)))?;
            let of_driver = |(driver, devices): (&String, &Vec<Device>)| {
                devices.iter().map(|device| (driver.clone(), device.clone())).collect::<Vec<_>>()
            };
            Some(Shown { name: claim, devices: entry.drivers.iter().flat_map(of_driver).collect() })
        };
        wanted::of_container(pod, container).into_keys().filter_map(one).collect()
    }

    async fn write(&self) -> Result<(), Error> {
        self.ledger.write(|| self.books.lock().clone()).await.map_err(Error::Record)
    }
}

/// k8s: an answer that says nothing of a claim, or something of another one, is none.
fn check(call: &'static str, asked: &[(String, Claim)], results: BTreeMap<String, String>) -> Result<(), Error> {
    let count = asked.len().saturating_sub(results.len());
    for (uid, said) in results {
        let Some((key, _)) = asked.iter().find(|(_, claim)| claim.uid == uid) else {
            return Err(Error::Unknown { call, uid });
        };
        if !said.is_empty() {
            return Err(Error::Refused { call, claim: name_of(key).to_owned(), said });
        }
    }
    if count > 0 { Err(Error::Skipped { call, count }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_when_it_is_about_all_that_was_asked() {
        let claim = |uid: &str| Claim { namespace: "ns".into(), uid: uid.into(), name: format!("c{uid}") };
        let asked = [("ns/c1".to_owned(), claim("1")), ("ns/c2".to_owned(), claim("2"))];
        let said = |results: &[(&str, &str)]| {
            let results = results.iter().map(|&(uid, said)| (uid.to_owned(), said.to_owned())).collect();
            check(PREPARE, &asked, results).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(said(&[("1", ""), ("2", "")]), "");
        assert_eq!(said(&[("1", ""), ("2", "broken")]), "NodePrepareResources failed for ResourceClaim c2: broken");
        assert_eq!(said(&[("1", "")]), "NodePrepareResources skipped 1 ResourceClaims");
        assert_eq!(said(&[("1", ""), ("3", "")]), "NodePrepareResources returned result for unknown claim UID 3");
    }
}
