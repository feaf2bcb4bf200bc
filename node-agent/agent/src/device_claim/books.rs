//! Which claims the drivers of this node have been told of, and for which pods: written down before a driver is asked, so
//! that whoever comes after this agent knows what is to be taken back.

use super::Error;
use proto::dra;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A device that a driver has prepared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Device {
    /// Requests of the claim that it is for; none: for all of them.
    pub(crate) requests: Vec<String>,
    pub(crate) pool: String,
    pub(crate) device: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) share: Option<String>,
    /// Names in the Container Device Interface.
    pub(crate) cdi: Vec<String>,
}

impl From<dra::Device> for Device {
    fn from(said: dra::Device) -> Self {
        Self {
            requests: said.request_names,
            pool: said.pool_name,
            device: said.device_name,
            share: said.share_id,
            cdi: said.cdi_device_ids,
        }
    }
}

impl Device {
    /// k8s: whoever names no request of the claim gets all of its devices. A request with alternatives has devices of
    /// `request/alternative`.
    fn is_for(&self, request: Option<&str>) -> bool {
        let base = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
        request.is_none_or(|wanted| self.requests.is_empty() || self.requests.iter().any(|r| base(r) == base(wanted)))
    }
}

/// What is known of one claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Entry {
    pub(crate) uid: String,
    /// Uids of the pods that use it on this node.
    pub(crate) pods: BTreeSet<String>,
    /// Its devices by driver.
    pub(crate) drivers: BTreeMap<String, Vec<Device>>,
    /// Not written down: k8s: for a new sandbox the drivers are asked again by an agent that has not done so itself, as the
    /// machine may have been restarted in between.
    #[serde(skip)]
    pub(crate) prepared: bool,
}

impl Entry {
    /// Names in the Container Device Interface, each once.
    pub(crate) fn cdi(&self, requests: &[Option<String>]) -> Vec<String> {
        let mut names = Vec::new();
        for request in requests {
            let devices = self.drivers.values().flatten().filter(|device| device.is_for(request.as_deref()));
            for name in devices.flat_map(|device| &device.cdi) {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        names
    }
}

/// All claims of the node, by `ns/name`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Books {
    pub(super) claims: BTreeMap<String, Entry>,
}

impl Books {
    /// Notes the pod as a user of claims, all or none.
    pub(super) fn enter(&mut self, pod_uid: &str, claims: &[(String, Entry)]) -> Result<(), Error> {
        for (key, wanted) in claims {
            if let Some(known) = self.claims.get(key).filter(|known| known.uid != wanted.uid) {
                return Err(Error::Replaced { claim: name_of(key).to_owned(), uid: known.uid.clone() });
            }
        }
        for (key, wanted) in claims {
            let entry = self.claims.entry(key.clone()).or_insert_with(|| wanted.clone());
            entry.pods.insert(pod_uid.to_owned());
        }
        Ok(())
    }

    /// The keys of the claims that the pod uses.
    pub(super) fn of_pod(&self, pod_uid: &str) -> BTreeSet<String> {
        let used = self.claims.iter().filter(|(_, entry)| entry.pods.contains(pod_uid));
        used.map(|(key, _)| key.clone()).collect()
    }

    /// Takes the pod off the claims that others use as well; the keys of those that it is the last user of.
    pub(super) fn leave(&mut self, pod_uid: &str, keys: &BTreeSet<String>) -> Vec<String> {
        let mut last = Vec::new();
        for key in keys {
            let Some(entry) = self.claims.get_mut(key).filter(|entry| entry.pods.contains(pod_uid)) else { continue };
            if entry.pods.len() > 1 {
                entry.pods.remove(pod_uid);
            } else {
                last.push(key.clone());
            }
        }
        last
    }

    /// All pods that use claims.
    pub(super) fn pods(&self) -> BTreeSet<String> {
        self.claims.values().flat_map(|entry| entry.pods.iter().cloned()).collect()
    }

    /// The claim as its drivers are told of it.
    pub(super) fn message(&self, key: &str) -> dra::Claim {
        let (namespace, name) = key.split_once('/').unwrap_or_default();
        let uid = self.claims.get(key).map(|entry| entry.uid.clone()).unwrap_or_default();
        dra::Claim { namespace: namespace.to_owned(), uid, name: name.to_owned() }
    }
}

pub(super) fn name_of(key: &str) -> &str {
    key.split_once('/').map_or(key, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(uid: &str) -> Entry {
        let device = |name: &str, requests: &[&str]| Device {
            requests: requests.iter().map(|&r| r.to_owned()).collect(),
            pool: "n1".into(),
            device: name.into(),
            share: None,
            cdi: vec![format!("vendor.example/gpu={name}"), "vendor.example/gpu=common".into()],
        };
        let devices = vec![device("a", &["one"]), device("b", &["two/small"]), device("c", &[])];
        Entry { uid: uid.into(), drivers: [("d".to_owned(), devices)].into(), ..Entry::default() }
    }

    #[test]
    fn a_container_gets_the_devices_of_the_requests_that_it_names() {
        let shown = |requests: &[&str]| {
            let requests: Vec<_> = requests.iter().map(|&r| (!r.is_empty()).then(|| r.to_owned())).collect();
            let names = entry("u").cdi(&requests);
            names.iter().map(|name| name.rsplit('=').next().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(shown(&[""]), "a common b c");
        assert_eq!(shown(&["one"]), "a common c");
        assert_eq!(shown(&["two"]), "b common c");
        assert_eq!(shown(&["two", "one"]), "b common c a");
        assert_eq!(shown(&["three"]), "c common");
    }

    #[test]
    fn a_claim_is_taken_back_with_its_last_pod() {
        let mut books = Books::default();
        let (one, two) = (("ns/one".to_owned(), entry("1")), ("ns/two".to_owned(), entry("2")));
        books.enter("p", &[one.clone(), two.clone()]).unwrap();
        books.enter("q", std::slice::from_ref(&one)).unwrap();
        assert_eq!(books.pods().into_iter().collect::<Vec<_>>(), ["p", "q"]);
        let keys = books.of_pod("p");
        assert_eq!(books.leave("p", &keys), ["ns/two"]);
        assert_eq!(books.of_pod("p").into_iter().collect::<Vec<_>>(), ["ns/two"], "until its drivers know");
        assert_eq!(books.leave("q", &books.of_pod("q")), ["ns/one"]);

        // One that was made anew meanwhile waits, and so do the others of its pod.
        let again = books.enter("r", &[("ns/three".to_owned(), entry("3")), ("ns/two".to_owned(), entry("4"))]);
        let said = again.unwrap_err().to_string();
        assert!(said.starts_with("old ResourceClaim with same name two and different UID 2 still exists"), "{said}");
        assert!(books.of_pod("r").is_empty());
    }

    #[test]
    fn what_is_read_back_has_still_to_be_prepared_for_new_sandboxes() {
        let mut books = Books::default();
        books.enter("p", &[("ns/one".to_owned(), Entry { prepared: true, ..entry("1") })]).unwrap();
        let text = serde_json::to_string(&books).unwrap();
        let found: Books = serde_json::from_str(&text).unwrap();
        assert!(!found.claims["ns/one"].prepared);
        assert_eq!(found.claims["ns/one"].drivers, books.claims["ns/one"].drivers);
        assert_eq!(found.message("ns/one"), dra::Claim { namespace: "ns".into(), uid: "1".into(), name: "one".into() });
    }
}
