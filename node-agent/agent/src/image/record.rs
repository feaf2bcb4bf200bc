//! Whose credentials fetched the images that this node has pulled. A pod that is given such an image without pulling it
//! must have been able to: an image that one tenant's secret fetched is not everybody's because it lies on the node.
//! Images that came some other way (`drover image import`, another tool) are everybody's.
//!
//! A pull whose end nobody saw (its pod was deleted, the agent died) may have brought the image with anybody's secret. Until
//! another pull succeeds, or the runtime does not have the image, nobody may use it without pulling it.
//!
//! k8s: KubeletEnsureSecretPulledImages with the policy NeverVerifyPreloadedImages (`pkg/kubelet/images/pullmanager`)

use super::credential::Credential;
use super::reference::{full, repository};
use crate::whole_file;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::Path;
use tokio::sync::Notify;

/// Of one repository of an image: namespaces that come and go do not make its record grow without end. Past that, secrets
/// that would do as well are not noted, and one that fetched the image takes the place of the oldest.
/// k8s: writeRecordWhileMatchingLimit
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
    /// It was fetched without credentials, or with the node's own.
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

/// Images that are pulled are known by their names in full.
#[derive(Debug, Default)]
struct State {
    pulled: BTreeMap<String, Record>,
    /// How many pulls of an image are under way.
    live: BTreeMap<String, u32>,
    /// Pulls whose end nobody saw, and when that was, counted as `ends`.
    unfinished: BTreeMap<String, u64>,
    /// Pulls that have ended, one way or the other.
    ends: u64,
}

/// The state as it outlives the agent: whatever is under way when it dies is unfinished for the next one.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Written {
    pulled: BTreeMap<String, Record>,
    unfinished: BTreeSet<String>,
}

#[derive(Debug)]
pub struct Records {
    state: Mutex<State>,
    /// Somebody should ask the runtime for the images of unfinished pulls.
    dropped: Notify,
    ledger: whole_file::Ledger,
}

/// A pull that is under way. One that is dropped before it has ended leaves its image to nobody.
#[derive(Debug)]
#[must_use]
pub struct Pull<'a> {
    records: &'a Records,
    image: &'a str,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The runtime has not been asked.
    Intended,
    Asked,
    Ended,
}

impl Records {
    pub fn open(data_dir: &Path) -> Self {
        let ledger = whole_file::Ledger::new(data_dir.join("pulled-images.json"));
        let lost = "cannot read whose credentials fetched the images on this node: all pods may use them";
        let Written { pulled, unfinished } = ledger.read(lost);
        let unfinished = unfinished.into_iter().map(|image| (image, 0)).collect();
        Self { state: Mutex::new(State { pulled, unfinished, ..State::default() }), dropped: Notify::new(), ledger }
    }

    /// A pull begins. It is written down first, so that no image is ever there without its record.
    pub async fn pulling<'a>(&'a self, image: &'a str) -> io::Result<Pull<'a>> {
        *self.state.lock().live.entry(full(image)).or_default() += 1;
        let mut pull = Pull { records: self, image, stage: Stage::Intended };
        self.write().await?;
        pull.stage = Stage::Asked;
        Ok(pull)
    }

    /// Whether a pod with these credentials may use the image that is there as `reference`.
    pub async fn may_use(&self, image: &str, reference: &str, credentials: &[Credential]) -> io::Result<bool> {
        let (may, learned) = self.state.lock().may_use(image, reference, credentials);
        if learned {
            self.write().await?;
        }
        Ok(may)
    }

    /// How many pulls have ended: to be asked before the runtime is asked what [`Self::keep`] and [`Self::absent`] get.
    pub fn ends(&self) -> u64 {
        self.state.lock().ends
    }

    /// Images whose last pull nobody saw the end of.
    pub fn unfinished(&self) -> Vec<String> {
        self.state.lock().unfinished.keys().cloned().collect()
    }

    /// Comes back when a pull has been dropped.
    pub async fn dropped(&self) {
        self.dropped.notified().await;
    }

    /// An unfinished pull has not brought the image, unless that was since `ends` was asked for.
    pub async fn absent(&self, image: &str, ends: u64) -> io::Result<()> {
        let known = {
            let mut state = self.state.lock();
            let old = state.unfinished.get(image).is_some_and(|end| *end <= ends);
            old && state.unfinished.remove(image).is_some()
        };
        if known { self.write().await } else { Ok(()) }
    }

    /// Forgets images that are not on the node any more, but for those pulled since `ends` was asked for.
    pub async fn keep(&self, present: &HashSet<&str>, ends: u64) -> io::Result<()> {
        let known = {
            let mut state = self.state.lock();
            let before = state.pulled.len();
            state.pulled.retain(|reference, record| record.pull > ends || present.contains(reference.as_str()));
            before != state.pulled.len()
        };
        if known { self.write().await } else { Ok(()) }
    }

    async fn write(&self) -> io::Result<()> {
        self.ledger.write(|| self.state.lock().written()).await
    }
}

impl Pull<'_> {
    /// It has ended with `reference`, by `used` or as anybody, or without success.
    pub async fn ended(mut self, outcome: Option<(&str, Option<&Credential>)>) -> io::Result<()> {
        self.stage = Stage::Ended;
        self.records.state.lock().end_pull(self.image, outcome);
        self.records.write().await
    }
}

impl Drop for Pull<'_> {
    fn drop(&mut self) {
        match self.stage {
            Stage::Intended => self.records.state.lock().end_pull(self.image, None),
            Stage::Asked => {
                self.records.state.lock().lose_pull(self.image);
                self.records.dropped.notify_one();
            }
            Stage::Ended => {}
        }
    }
}

impl State {
    fn written(&self) -> Written {
        let unfinished = self.live.keys().chain(self.unfinished.keys()).cloned().collect();
        Written { pulled: self.pulled.clone(), unfinished }
    }

    fn end_pull(&mut self, image: &str, outcome: Option<(&str, Option<&Credential>)>) {
        self.end(image);
        // After a failure an image of an unfinished pull is still nobody's.
        let Some((reference, used)) = outcome else { return };
        self.unfinished.remove(&full(image));
        let record = self.pulled.entry(reference.to_owned()).or_default();
        record.pull = self.ends;
        // k8s: what the node fetched with its own credentials is for all of its pods.
        record.admit(image, used.and_then(|credential| credential.proof.as_ref()));
    }

    fn lose_pull(&mut self, image: &str) {
        self.end(image);
        self.unfinished.insert(full(image), self.ends);
    }

    fn end(&mut self, image: &str) {
        self.ends += 1;
        let image = full(image);
        match self.live.get_mut(&image) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(self.live.remove(&image)),
        }
    }

    /// Also whether something was learned that is to be written.
    fn may_use(&mut self, image: &str, reference: &str, credentials: &[Credential]) -> (bool, bool) {
        let Some(record) = self.pulled.get_mut(reference) else {
            let image = full(image);
            return (!self.live.contains_key(&image) && !self.unfinished.contains_key(&image), false);
        };
        let Some(access) = record.repositories.get(&repository(image)) else { return (false, false) };
        let Access::Secrets(known) = access else { return (true, false) };
        // k8s: the same credentials in another secret, and other credentials in the same secret, are as good
        let fits = |proof: &&Proof| known.iter().any(|one| one.hash == proof.hash || one.is_of(proof));
        let Some(proof) = credentials.iter().filter_map(|credential| credential.proof.as_ref()).find(fits) else {
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
    /// Who could fetch it once may use it as long as it is there, if not too many came after.
    fn admit(&mut self, image: &str, proof: Option<&Proof>) {
        let access = self.repositories.entry(repository(image)).or_insert_with(|| Access::Secrets(Vec::new()));
        match (access, proof) {
            (access, None) => *access = Access::Anybody,
            (Access::Anybody, Some(_)) => {}
            (Access::Secrets(known), Some(proof)) => {
                known.retain(|one| !one.is_of(proof));
                if known.len() >= SECRETS_MAX {
                    known.remove(0);
                }
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
        Credential { proof: Some(Proof { namespace, name, uid, hash }), auth: AuthConfig::default() }
    }

    async fn may(records: &Records, image: &str, credentials: &[Credential]) -> bool {
        records.may_use(image, "sha256:1", credentials).await.unwrap()
    }

    async fn pull(records: &Records, image: &str, used: Option<&Credential>) {
        records.pulling(image).await.unwrap().ended(Some(("sha256:1", used))).await.unwrap();
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
        let (first, second) = (records.pulling(IMAGE).await.unwrap(), records.pulling(IMAGE).await.unwrap());
        first.ended(None).await.unwrap();
        assert!(!may(&records, IMAGE, &[]).await, "the second goes on");
        let again = Records::open(dir.path());
        assert!(!may(&again, IMAGE, &[credential("a", "x")]).await, "the agent died during the second");
        second.ended(None).await.unwrap();
        assert!(may(&records, IMAGE, &[]).await, "both failed: the image is somebody else's work");

        again.pulling(IMAGE).await.unwrap().ended(None).await.unwrap();
        assert!(!may(&again, IMAGE, &[]).await, "who fails to fetch it may not use what the dead agent fetched");
        assert_eq!(again.unfinished(), [IMAGE]);
        again.absent(IMAGE, again.ends()).await.unwrap();
        assert!(may(&again, IMAGE, &[]).await, "it was never there: whoever brings it does so knowingly");
        assert_eq!(Records::open(dir.path()).unfinished().len(), 0);
    }

    #[tokio::test]
    async fn a_pull_that_is_dropped_counts_until_the_runtime_is_asked_or_another_succeeds() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path());
        let begun = records.pulling(IMAGE).await.unwrap();
        let before = records.ends();
        drop(begun);
        records.dropped().await;
        assert!(!may(&records, IMAGE, &[]).await, "the runtime may have finished it");
        records.absent(IMAGE, before).await.unwrap();
        assert!(!may(&records, IMAGE, &[]).await, "the runtime was asked before");
        records.absent(IMAGE, records.ends()).await.unwrap();
        assert!(may(&records, IMAGE, &[]).await);

        drop(records.pulling(IMAGE).await.unwrap());
        pull_elsewhere(&records).await;
        assert!(!may(&records, IMAGE, &[]).await);
        pull(&records, IMAGE, Some(&credential("a", "x"))).await;
        assert!(records.unfinished().is_empty() && may(&records, IMAGE, &[credential("a", "x")]).await);
    }

    async fn pull_elsewhere(records: &Records) {
        records.pulling("r.example/other:1").await.unwrap().ended(Some(("sha256:2", None))).await.unwrap();
    }

    #[tokio::test]
    async fn a_pull_that_could_not_be_written_down_has_not_begun() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(&dir.path().join("not/there"));
        records.pulling(IMAGE).await.unwrap_err();
        assert!(may(&records, IMAGE, &[]).await && records.unfinished().is_empty());
    }

    #[tokio::test]
    async fn an_image_that_is_pulled_by_one_name_is_by_its_others() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path());
        let begun = records.pulling("web:1").await.unwrap();
        assert!(!may(&records, "docker.io/library/web:1", &[]).await && may(&records, "web:2", &[]).await);
        begun.ended(None).await.unwrap();
        assert!(may(&records, "docker.io/library/web:1", &[]).await);
    }

    #[tokio::test]
    async fn the_secrets_of_an_image_are_bounded_and_the_newest_stay() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path());
        let all: Vec<Credential> = (0..=SECRETS_MAX).map(|n| credential(&n.to_string(), &n.to_string())).collect();
        for one in &all {
            pull(&records, IMAGE, Some(one)).await;
        }
        assert!(!may(&records, IMAGE, &all[..1]).await, "the oldest has gone");
        assert!(may(&records, IMAGE, &all[1..2]).await && may(&records, IMAGE, &all[SECRETS_MAX..]).await);
    }

    #[tokio::test]
    async fn images_that_are_gone_are_forgotten_unless_they_just_came() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path());
        pull(&records, IMAGE, Some(&credential("a", "x"))).await;
        let before = records.ends();
        records.keep(&["sha256:1"].into(), before).await.unwrap();
        pull(&records, IMAGE, Some(&credential("a", "x"))).await;
        records.keep(&HashSet::new(), before).await.unwrap();
        assert!(!may(&records, IMAGE, &[]).await, "listed before the second pull");
        records.keep(&HashSet::new(), records.ends()).await.unwrap();
        assert!(may(&records, IMAGE, &[]).await, "gone: whoever brings it back does so knowingly");
    }
}
