//! Whose credentials fetched the images that this node has pulled. A pod that is given such an image without pulling it
//! must have been able to: an image that one tenant's secret fetched is not everybody's because it lies on the node.
//! Images that came some other way (`drover image import`, another tool) are everybody's.
//!
//! k8s: KubeletEnsureSecretPulledImages with the policy NeverVerifyPreloadedImages (`pkg/kubelet/images/pullmanager`)

use super::credential::Credential;
use super::reference::repository;
use crate::whole_file;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;

/// k8s: writeRecordWhileMatchingLimit; namespaces that come and go do not make an image's record grow without end.
const SECRETS_MAX: usize = 100;

/// A pull secret, and what it held for the image's registry when it was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    /// Of the credentials: they are not kept themselves.
    pub hash: String,
}

impl Proof {
    fn is_of(&self, other: &Self) -> bool {
        (&self.namespace, &self.name, &self.uid) == (&other.namespace, &other.name, &other.uid)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Access {
    /// It was fetched without credentials.
    Anybody,
    Secrets(Vec<Proof>),
}

/// An image by its reference in the runtime. One image may lie in several repositories, each with its own secrets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Record {
    repositories: BTreeMap<String, Access>,
    /// Which pull this is from, counted since the agent started.
    #[serde(skip)]
    pull: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    pulled: BTreeMap<String, Record>,
    /// Images that are being pulled, by how many. One that is left by an agent that died is as if it had been pulled by
    /// nobody knows whom.
    pulling: BTreeMap<String, u32>,
    #[serde(skip)]
    pulls: u64,
}

#[derive(Debug)]
pub struct Records {
    state: Mutex<State>,
    ledger: whole_file::Ledger,
}

impl Records {
    pub fn open(data_dir: &Path) -> Self {
        let ledger = whole_file::Ledger::new(data_dir.join("pulled-images.json"));
        let lost = "cannot read whose credentials fetched the images on this node: all pods may use them";
        Self { state: Mutex::new(ledger.read(lost)), ledger }
    }

    /// A pull begins. It is written down first, so that no image is ever there without its record.
    pub async fn pulling(&self, image: &str) -> io::Result<()> {
        *self.state.lock().pulling.entry(image.to_owned()).or_default() += 1;
        self.write().await
    }

    /// The pull has ended with `reference`, by `used` or as anybody, or without success.
    pub async fn pulled(&self, image: &str, outcome: Option<(&str, Option<&Credential>)>) -> io::Result<()> {
        self.state.lock().end_pull(image, outcome);
        self.write().await
    }

    /// Whether a pod with these credentials may use the image that is there as `reference`.
    pub async fn may_use(&self, image: &str, reference: &str, credentials: &[Credential]) -> io::Result<bool> {
        let (may, learned) = self.state.lock().may_use(image, reference, credentials);
        if learned {
            self.write().await?;
        }
        Ok(may)
    }

    /// How many pulls have ended: to be asked before the images are listed that [`Self::keep`] gets.
    pub fn pulls(&self) -> u64 {
        self.state.lock().pulls
    }

    /// Forgets images that are not on the node any more, but for those pulled since `pulls` was asked for.
    pub async fn keep(&self, present: &HashSet<&str>, pulls: u64) -> io::Result<()> {
        let known = {
            let mut state = self.state.lock();
            let before = state.pulled.len();
            state.pulled.retain(|reference, record| record.pull > pulls || present.contains(reference.as_str()));
            before != state.pulled.len()
        };
        if known { self.write().await } else { Ok(()) }
    }

    async fn write(&self) -> io::Result<()> {
        self.ledger.write(|| self.state.lock().clone()).await
    }
}

impl State {
    fn end_pull(&mut self, image: &str, outcome: Option<(&str, Option<&Credential>)>) {
        match self.pulling.get_mut(image) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(self.pulling.remove(image)),
        }
        let Some((reference, used)) = outcome else { return };
        self.pulls += 1;
        let record = self.pulled.entry(reference.to_owned()).or_default();
        record.pull = self.pulls;
        record.admit(image, used.map(|credential| &credential.proof));
    }

    /// Also whether something was learned that is to be written.
    fn may_use(&mut self, image: &str, reference: &str, credentials: &[Credential]) -> (bool, bool) {
        let Some(record) = self.pulled.get_mut(reference) else {
            return (!self.pulling.contains_key(image), false);
        };
        let Some(access) = record.repositories.get(&repository(image)) else { return (false, false) };
        let Access::Secrets(known) = access else { return (true, false) };
        // k8s: the same credentials in another secret, and other credentials in the same secret, are as good
        let fits = |proof: &&Proof| known.iter().any(|one| one.hash == proof.hash || one.is_of(proof));
        let Some(proof) = credentials.iter().map(|credential| &credential.proof).find(fits) else {
            return (false, false);
        };
        if known.contains(proof) || known.len() >= SECRETS_MAX {
            return (true, false);
        }
        record.admit(image, Some(proof));
        (true, true)
    }
}

impl Record {
    /// Nobody is shut out again: who could fetch it once may use it as long as it is there.
    fn admit(&mut self, image: &str, proof: Option<&Proof>) {
        let access = self.repositories.entry(repository(image)).or_insert_with(|| Access::Secrets(Vec::new()));
        match (access, proof) {
            (access, None) => *access = Access::Anybody,
            (Access::Anybody, Some(_)) => {}
            (Access::Secrets(known), Some(proof)) => {
                known.retain(|one| !one.is_of(proof));
                known.push(proof.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::cri::AuthConfig;

    const IMAGE: &str = "r.example/team/web:1";

    fn credential(uid: &str, hash: &str) -> Credential {
        let [namespace, name, uid, hash] = ["shop", uid, uid, hash].map(str::to_owned);
        Credential { proof: Proof { namespace, name, uid, hash }, auth: AuthConfig::default() }
    }

    async fn may(records: &Records, image: &str, credentials: &[Credential]) -> bool {
        records.may_use(image, "sha256:1", credentials).await.unwrap()
    }

    async fn pull(records: &Records, image: &str, used: Option<&Credential>) {
        records.pulling(image).await.unwrap();
        records.pulled(image, Some(("sha256:1", used))).await.unwrap();
    }

    #[tokio::test]
    async fn an_image_is_for_those_whose_credentials_fetched_it() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path());
        assert!(may(&records, IMAGE, &[]).await, "it was there before");
        pull(&records, IMAGE, Some(&credential("a", "x"))).await;
        for (who, credentials, expected) in [
            ("nobody", vec![], false),
            ("a stranger", vec![credential("b", "y")], false),
            ("the same secret", vec![credential("a", "x")], true),
            ("one of several", vec![credential("b", "y"), credential("a", "x")], true),
            ("the same credentials elsewhere", vec![credential("c", "x")], true),
            ("other credentials in the same secret", vec![credential("a", "z")], true),
            ("what was just learned", vec![credential("d", "z")], true),
        ] {
            assert_eq!(may(&records, IMAGE, &credentials).await, expected, "{who}");
        }
        assert!(may(&records, "r.example/team/web@sha256:ab", &[credential("a", "x")]).await, "by another name");
        assert!(!may(&records, "r.example/other/web:1", &[credential("a", "x")]).await, "from another repository");

        let again = Records::open(dir.path());
        assert!(may(&again, IMAGE, &[credential("c", "x")]).await && !may(&again, IMAGE, &[]).await, "after a restart");
        pull(&again, IMAGE, None).await;
        pull(&again, IMAGE, Some(&credential("a", "x"))).await;
        assert!(may(&again, IMAGE, &[]).await, "whoever asks the registry gets it");
    }

    #[tokio::test]
    async fn a_pull_that_nobody_saw_the_end_of_proves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path());
        records.pulling(IMAGE).await.unwrap();
        records.pulling(IMAGE).await.unwrap();
        records.pulled(IMAGE, None).await.unwrap();
        let again = Records::open(dir.path());
        assert!(!may(&again, IMAGE, &[credential("a", "x")]).await, "the agent died during the second");
        records.pulled(IMAGE, None).await.unwrap();
        assert!(may(&records, IMAGE, &[]).await, "both failed: the image is somebody else's work");
    }

    #[tokio::test]
    async fn images_that_are_gone_are_forgotten_unless_they_just_came() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path());
        pull(&records, IMAGE, Some(&credential("a", "x"))).await;
        let before = records.pulls();
        records.keep(&["sha256:1"].into(), before).await.unwrap();
        pull(&records, IMAGE, Some(&credential("a", "x"))).await;
        records.keep(&HashSet::new(), before).await.unwrap();
        assert!(!may(&records, IMAGE, &[]).await, "listed before the second pull");
        records.keep(&HashSet::new(), records.pulls()).await.unwrap();
        assert!(may(&records, IMAGE, &[]).await, "gone: whoever brings it back does so knowingly");
    }
}
