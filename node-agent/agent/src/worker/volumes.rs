//! The worker's side of volumes: fetching what they are made from, when to renew them, and what a failure means.

use super::outcome::{Outcome, failure};
use super::{Input, Worker};
use crate::csi;
use crate::material::{Claim, Materials, Need, Spot, TokenNeed, VolumeNeeds, of_claims, of_volumes};
use crate::node::Node;
use crate::pod::back_off::RETRY;
use crate::pod::downward::Surroundings;
use crate::pod::member::namespace;
use crate::pod::observed::{Subject, Volumes};
use crate::pod_certificate::{Credential, Pair, ask};
use crate::source::{Token, Topic};
use crate::volume::mounter;
use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{PersistentVolume, Pod};
use kinds::moment::later;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// A live volume whose renewal failed keeps its content and is tried again after this long.
const RENEW_RETRY: SignedDuration = SignedDuration::from_secs(10);
/// How often a driver that wants it is asked to publish again. k8s: about as often as the kubelet looks at a pod.
const REPUBLISH_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// What a pod's volumes hold that ends and is to be renewed.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) tokens: BTreeMap<TokenNeed, Token>,
    pub(super) certificates: BTreeMap<Spot, Credential>,
}

impl Kept {
    fn renew_at(&self) -> Option<Timestamp> {
        let tokens = self.tokens.values().map(|token| token.refresh_at);
        tokens.chain(self.certificates.values().filter_map(Credential::look_at)).min()
    }
}

/// Why volumes are not there.
pub(super) struct Trouble {
    text: String,
    /// A wait for somebody who has only just been asked: nobody needs to hear of it.
    is_quiet: bool,
}

impl From<String> for Trouble {
    fn from(text: String) -> Self {
        Self { text, is_quiet: false }
    }
}

impl Worker {
    pub(super) fn surroundings(&self) -> Surroundings {
        surroundings(&self.node, self.seen.sandbox().map(|s| s.ips.clone()).unwrap_or_default(), &self.pod)
    }

    /// The content of live volumes may have changed, or what volumes were waiting for has come.
    pub(super) fn volumes_due(&mut self) {
        // What is being made now may have been read before.
        self.volumes_outdated = self.seen.is_busy(&Subject::Volumes);
        match &mut self.seen.volumes {
            Volumes::Ready { renew_at } => *renew_at = Some(self.node.clock.now()),
            Volumes::Failed(_) => self.seen.volumes = Volumes::Pending,
            Volumes::Pending | Volumes::Released => {}
        }
    }

    pub(super) fn volumes_done(&mut self, result: Result<(), Trouble>, again: bool, now: Timestamp) {
        match result {
            Ok(()) => {
                let again = again.then(|| later(now, REPUBLISH_EVERY));
                let renew_at = self.kept.renew_at().into_iter().chain(again).min();
                self.seen.volumes = Volumes::Ready { renew_at };
            }
            Err(Trouble { text: message, is_quiet }) => {
                if !is_quiet {
                    self.node.warn(&self.pod, None, "FailedMount", message.clone());
                }
                self.seen.volumes = match &self.seen.volumes {
                    Volumes::Ready { .. } => Volumes::Ready { renew_at: Some(now + RENEW_RETRY) },
                    Volumes::Failed(before) => {
                        Volumes::Failed(failure("FailedMount", message, Some(before.back_off), RETRY, now))
                    }
                    Volumes::Pending | Volumes::Released => {
                        Volumes::Failed(failure("FailedMount", message, None, RETRY, now))
                    }
                };
            }
        }
        if std::mem::take(&mut self.volumes_outdated) {
            self.volumes_due();
        }
    }
}

pub(super) fn surroundings(node: &Node, sandbox_ips: Vec<String>, pod: &Pod) -> Surroundings {
    let host_network = crate::pod::member::host_network(pod);
    Surroundings {
        host_ips: node.facts.host_ips.clone(),
        pod_ips: if host_network { node.facts.host_ips.clone() } else { sandbox_ips },
        allocatable: node.allocatable.clone(),
    }
}

/// Fetches everything at once, then has drivers publish, then writes the volumes on a thread for blocking work.
pub(super) async fn mount(
    node: Arc<Node>,
    pod: Arc<Pod>,
    around: Surroundings,
    before: Kept,
    tell: UnboundedSender<Input>,
) -> Outcome {
    let mut kept = Kept { tokens: BTreeMap::new(), certificates: before.certificates };
    let (result, again) = match try_mount(&node, &pod, around, (&before.tokens, &mut kept), &tell).await {
        Ok(made) => (Ok(made.paths), made.again),
        Err(trouble) => (Err(trouble), false),
    };
    Outcome::Volumes { result, kept, again }
}

async fn try_mount(
    node: &Arc<Node>,
    pod: &Arc<Pod>,
    around: Surroundings,
    (known, kept): (&BTreeMap<TokenNeed, Token>, &mut Kept),
    tell: &UnboundedSender<Input>,
) -> Result<csi::Published, Trouble> {
    let refused = |(volume, error): (String, csi::Error)| set_up_failed(&volume, &chain(&error));
    let needs = of_volumes(pod);
    node.sources.follow(pod, topics(pod, &needs), tell);
    let asked = ask::advance(node, pod, &needs.certificates, &mut kept.certificates).await;
    let fetched = tokio::try_join!(
        node.sources.fetch(namespace(pod), needs.objects),
        node.sources.bundles(needs.bundles),
        tokens_of(node, pod, needs.tokens, known),
        claimed(node, pod)
    );
    let (materials, bundles, found, volumes) = fetched.map_err(|error| chain(&error))?;
    kept.tokens.extend(found);
    let planned = csi::plan(node, pod, &volumes).await.map_err(refused)?;
    let for_drivers = planned.iter().flat_map(csi::Planned::tokens).collect();
    kept.tokens.extend(tokens_of(node, pod, for_drivers, known).await.map_err(|error| chain(&error))?);
    let published = csi::publish(node, pod, planned, &kept.tokens).await.map_err(refused)?;
    asked.map_err(|error| chain(&error))?;
    let certificates = pairs(&kept.certificates, node.clock.now())?;
    let tokens = kept.tokens.iter().map(|(need, token)| (need.clone(), token.jwt.clone())).collect();
    let materials = Materials { tokens, bundles, certificates, volumes, ..materials };
    let (pod, places) = (Arc::clone(pod), node.places.clone());
    let made = tokio::task::spawn_blocking(move || mounter::set_up(&pod, &places, &materials, &around)).await;
    let made = made.map_err(|panicked| panicked.to_string())?.map_err(|failed| failed.to_string())?;
    Ok(csi::Published { paths: made.into_iter().chain(published.paths).collect(), again: published.again })
}

fn set_up_failed(volume: &str, why: &str) -> String {
    format!("MountVolume.SetUp failed for volume \"{volume}\" : {why}")
}

/// What is followed for the pod while it is here.
fn topics(pod: &Pod, needs: &VolumeNeeds) -> Vec<Topic> {
    let ns = namespace(pod);
    let object = |need: &Need| Topic::Object { ns: ns.to_owned(), need: need.clone() };
    let requests = (!needs.certificates.is_empty()).then_some(Topic::CertificateRequests);
    let bundles = needs.bundles.iter().cloned().map(Topic::Bundles);
    needs.objects.iter().map(object).chain(bundles).chain(requests).collect()
}

/// All certificates, or the first that is not there.
fn pairs(credentials: &BTreeMap<Spot, Credential>, now: Timestamp) -> Result<BTreeMap<Spot, Pair>, Trouble> {
    let one = |(spot, credential): (&Spot, &Credential)| {
        let is_quiet = credential.is_young(now);
        let missing = |why: String| Trouble { text: set_up_failed(&spot.volume, &why), is_quiet };
        Ok((spot.clone(), credential.pair().map_err(missing)?.clone()))
    };
    credentials.iter().map(one).collect()
}

async fn claimed(node: &Node, pod: &Pod) -> Result<BTreeMap<String, Arc<PersistentVolume>>, crate::source::Error> {
    let one = |(volume, claim): (String, Claim)| async move {
        Ok::<_, crate::source::Error>((volume, node.sources.volume_of_claim(pod, &claim).await?))
    };
    Ok(try_join_all(of_claims(pod).into_iter().map(one)).await?.into_iter().collect())
}

async fn tokens_of(
    node: &Node,
    pod: &Pod,
    needs: BTreeSet<TokenNeed>,
    known: &BTreeMap<TokenNeed, Token>,
) -> Result<BTreeMap<TokenNeed, Token>, crate::source::Error> {
    let now = node.clock.now();
    let one = |need: TokenNeed| {
        let fresh = known.get(&need).filter(|t| t.refresh_at > now).cloned();
        async move {
            let token = match fresh {
                Some(token) => token,
                None => node.sources.token(pod, &need, now).await?,
            };
            Ok((need, token))
        }
    };
    Ok(try_join_all(needs.into_iter().map(one)).await?.into_iter().collect())
}

/// An error with its causes, for events.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
