//! Decisions in which somebody outside has a say. The nodes that would do are found at once; what extenders make of them comes
//! while other pods are placed, and holds only where the node still does. One pod at a time is asked about, as its binding is
//! what tells an extender of it.

use super::{Ended, Shell};
use crate::bind::{self, Nomination};
use crate::cycle::{Decision, Refusal, Survey};
use crate::extender::call::{self, Extender};
use crate::extender::{Offer, Opinion};
use crate::pod_info::PodInfo;
use crate::preempt::{Budget, Candidate, NoPreemption, best, candidates};
use crate::question::Case;
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;
use tracing::warn;

#[derive(Default)]
pub(super) struct Outside {
    pub(super) extenders: Vec<Extender>,
    is_asked: bool,
    /// Pods that are to be asked about next.
    waiting: VecDeque<Arc<PodInfo>>,
}

impl Outside {
    pub(super) fn new(extenders: Vec<Extender>) -> Self {
        Self { extenders, ..Self::default() }
    }

    /// The most important pod that waits, of equals the first.
    fn next(&mut self) -> Option<Arc<PodInfo>> {
        let places = 0..self.waiting.len();
        let most = places.max_by_key(|at| (self.waiting[*at].priority, Reverse(*at)))?;
        self.waiting.remove(most)
    }

    /// Those whom the pod concerns.
    fn of(&self, pod: &PodInfo) -> Vec<Extender> {
        self.extenders.iter().filter(|extender| extender.settings.concerns(&pod.pod)).cloned().collect()
    }

    /// Who binds the pod, if the scheduler does not.
    pub(super) fn binder(&self, pod: &PodInfo) -> Option<Extender> {
        let mut binders = self.extenders.iter().filter(|extender| extender.settings.bind_verb.is_some());
        binders.find(|extender| extender.settings.concerns(&pod.pod)).cloned()
    }
}

impl Shell {
    #[cfg(test)]
    pub(super) fn outside_is_asked(&self) -> bool {
        self.outside.is_asked
    }

    /// Asks about the pod, now or when its turn comes; `false` where it concerns nobody outside.
    pub(super) fn ask_outside(&mut self, pod: &Arc<PodInfo>, now: Timestamp) -> bool {
        if self.outside.extenders.is_empty() {
            return false;
        }
        let extenders = self.outside.of(pod);
        if extenders.is_empty() {
            return false;
        }
        if self.outside.is_asked {
            self.outside.waiting.push_back(Arc::clone(pod));
            return true;
        }
        let Some(profile) = self.profiles.iter().find(|profile| profile.scheduler_name == pod.scheduler_name()) else {
            return true;
        };
        match self.cluster.survey(pod, profile, &mut self.rotation) {
            Err(refusal) => {
                self.memory.note(pod, &Decision::Refuse(refusal.clone()), now);
                self.refused(pod, refusal, now);
            }
            Ok(survey) => {
                self.outside.is_asked = true;
                let pod = Arc::clone(pod);
                self.writes.spawn(async move {
                    let outcome = call::ask(&extenders, &pod, survey.offers.clone()).await;
                    Ended::Surveyed { pod, survey, outcome }
                });
            }
        }
        true
    }

    pub(super) fn surveyed(&mut self, pod: &Arc<PodInfo>, survey: Survey, outcome: Result<Opinion, String>) {
        let now = self.deps.clock.now();
        self.outside.is_asked = false;
        // It may be gone, or bound by somebody else.
        if self.queue.contains(&pod.uid) && self.cluster.home(&pod.uid).is_none() {
            match outcome {
                Ok(opinion) => self.choose(pod, survey, opinion, now),
                Err(error) => self.not_asked(pod, &error, now),
            }
        }
        while !self.outside.is_asked
            && let Some(next) = self.outside.next()
        {
            if self.queue.contains(&next.uid) && self.cluster.home(&next.uid).is_none() {
                self.ask_outside(&next, now);
            }
        }
    }

    fn choose(&mut self, pod: &Arc<PodInfo>, survey: Survey, opinion: Opinion, now: Timestamp) {
        let Opinion { mut offers, rejected } = opinion;
        if offers.is_empty() {
            let mut refusal: Refusal = survey.refusal;
            refusal.note_outside(&rejected, |node| self.cluster.snapshot().place(node));
            self.memory.note(pod, &Decision::Refuse(refusal.clone()), now);
            self.refused(pod, refusal, now);
            return;
        }
        let nominated = self.cluster.nomination(&pod.uid).map(str::to_owned);
        let is_promised = |offer: &Offer| nominated.as_deref() == Some(offer.name());
        let lots: Vec<u32> = offers.iter().map(|_| rand::random()).collect();
        let mut ranked: Vec<(Offer, u32)> = offers.drain(..).zip(lots).collect();
        ranked.sort_by_key(|(offer, lot)| (!is_promised(offer), Reverse(offer.score), *lot));
        let Some(profile) = self.profile_of(pod) else { return };
        let best = ranked.iter().map(|(offer, _)| offer.name()).find(|node| self.cluster.fits(pod, profile, node));
        // While they were asked, others have taken what was free.
        let Some(node) = best.map(str::to_owned) else {
            self.queue.failed(&pod.uid, now);
            return;
        };
        let decision = Decision::Place { node: node.clone(), looked_at: survey.looked_at };
        self.memory.note(pod, &decision, now);
        self.bind(Arc::clone(pod), node, now);
    }

    fn not_asked(&mut self, pod: &Arc<PodInfo>, error: &str, now: Timestamp) {
        warn!(ns = pod.key.ns, name = pod.key.name, error, "cannot ask an extender");
        self.queue.failed(&pod.uid, now);
        let message = format!("running extenders: {error}");
        if bind::is_news(pod, "SchedulerError", &message) {
            self.record(pod, "Warning", "FailedScheduling", message.clone());
            self.report(pod, bind::Report { reason: "SchedulerError", message, nomination: Nomination::Unsaid, now });
        }
    }

    /// Lets those outside say who should go for the pod; `None` where it concerns none of them.
    pub(super) fn preemption_outside(
        &mut self,
        pod: &Arc<PodInfo>,
        hopeful: &[usize],
        budgets: &[Budget],
    ) -> Option<NoPreemption> {
        let extenders: Vec<Extender> = self.outside.of(pod);
        if !extenders.iter().any(|extender| extender.settings.preempt_verb.is_some()) {
            return None;
        }
        let Some(profile) = self.profile_of(pod) else { return Some(NoPreemption::Unwilling) };
        let first = rand::random_range(0..hopeful.len().max(1));
        let case = Case { pod, snapshot: self.cluster.snapshot(), profile };
        let found = match candidates(case, budgets, self.cluster.nomination(&pod.uid), hopeful, first) {
            Ok(found) => found,
            Err(why) => return Some(why),
        };
        self.making_room.entry(pod.uid.clone()).or_default().unanswered += 1;
        let pod = Arc::clone(pod);
        self.writes.spawn(async move {
            let outcome = call::ask_for_victims(&extenders, &pod, found).await;
            Ended::Preempting { pod, outcome }
        });
        Some(NoPreemption::UnderWay)
    }

    pub(super) fn preempting(&mut self, pod: &Arc<PodInfo>, outcome: Result<Vec<Candidate>, String>) {
        let now = self.deps.clock.now();
        let chosen = match outcome {
            Ok(candidates) => best(candidates),
            Err(error) => {
                warn!(ns = pod.key.ns, name = pod.key.name, error, "an extender cannot say who should go");
                None
            }
        };
        if let Some(preemption) = chosen.filter(|_| self.queue.contains(&pod.uid)) {
            let nomination = Nomination::Made(preemption.node.clone());
            let message = format!("preemption: room is made on node {}", preemption.node);
            self.make_room(pod, preemption, now);
            self.report(pod, bind::Report { reason: "Unschedulable", message, nomination, now });
        }
        self.answered(pod);
    }
}
