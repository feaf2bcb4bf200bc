//! The worker's side of volumes: fetching what they are made from, when to renew them, and what a failure means.

use super::outcome::{Outcome, failure};
use super::{Input, Worker};
use crate::csi;
use crate::material::{Claim, Materials, TokenNeed, of_claims, of_volumes};
use crate::node::Node;
use crate::pod::back_off::RETRY;
use crate::pod::downward::Surroundings;
use crate::pod::member::namespace;
use crate::pod::observed::Volumes;
use crate::source::Token;
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

impl Worker {
    pub(super) fn surroundings(&self) -> Surroundings {
        surroundings(&self.node, self.seen.sandbox().map(|s| s.ips.clone()).unwrap_or_default(), &self.pod)
    }

    /// The content of live volumes may have changed.
    pub(super) fn volumes_due(&mut self) {
        if let Volumes::Ready { renew_at } = &mut self.seen.volumes {
            *renew_at = Some(self.node.clock.now());
        }
    }

    pub(super) fn volumes_done(&mut self, result: Result<(), String>, again: bool, now: Timestamp) {
        match result {
            Ok(()) => {
                let again = again.then(|| later(now, REPUBLISH_EVERY));
                let renew_at = self.tokens.values().map(|t| t.refresh_at).chain(again).min();
                self.seen.volumes = Volumes::Ready { renew_at };
            }
            Err(message) => {
                self.node.warn(&self.pod, None, "FailedMount", message.clone());
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
    known: BTreeMap<TokenNeed, Token>,
    tell: UnboundedSender<Input>,
) -> Outcome {
    let mut tokens = BTreeMap::new();
    let (result, again) = match try_mount(&node, &pod, around, (known, &mut tokens), &tell).await {
        Ok(made) => (Ok(made.paths), made.again),
        Err(text) => (Err(text), false),
    };
    Outcome::Volumes { result, tokens, again }
}

async fn try_mount(
    node: &Arc<Node>,
    pod: &Arc<Pod>,
    around: Surroundings,
    (known, tokens): (BTreeMap<TokenNeed, Token>, &mut BTreeMap<TokenNeed, Token>),
    tell: &UnboundedSender<Input>,
) -> Result<csi::Published, String> {
    let refused = |(volume, error): (String, csi::Error)| {
        format!("MountVolume.SetUp failed for volume \"{volume}\" : {}", chain(&error))
    };
    let (needs, projected) = of_volumes(pod);
    node.sources.follow(pod, &needs, tell);
    let fetched = tokio::try_join!(
        node.sources.fetch(namespace(pod), needs),
        tokens_of(node, pod, projected, &known),
        claimed(node, pod)
    );
    let (materials, found, volumes) = fetched.map_err(|error| chain(&error))?;
    tokens.extend(found);
    let planned = csi::plan(node, pod, &volumes).await.map_err(refused)?;
    let asked = planned.iter().flat_map(csi::Planned::tokens).collect();
    tokens.extend(tokens_of(node, pod, asked, &known).await.map_err(|error| chain(&error))?);
    let published = csi::publish(node, pod, planned, tokens).await.map_err(refused)?;
    let jwts = tokens.iter().map(|(need, token)| (need.clone(), token.jwt.clone())).collect();
    let materials = Materials { tokens: jwts, volumes, ..materials };
    let (pod, places) = (Arc::clone(pod), node.places.clone());
    let made = tokio::task::spawn_blocking(move || mounter::set_up(&pod, &places, &materials, &around)).await;
    let made = made.map_err(|panicked| panicked.to_string())?.map_err(|failed| failed.to_string())?;
    Ok(csi::Published { paths: made.into_iter().chain(published.paths).collect(), again: published.again })
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
