//! The conditions of an autoscaler, and the events that go with failures.

use crate::write::{self, time};
use client::action::Action;
use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition};

pub(super) struct Conditions {
    pub(super) all: Vec<HorizontalPodAutoscalerCondition>,
    warnings: Vec<(&'static str, String)>,
    now: Timestamp,
}

impl Conditions {
    pub(super) fn of(scaler: &HorizontalPodAutoscaler, now: Timestamp) -> Self {
        let all = scaler.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
        Self { all, warnings: Vec::new(), now }
    }

    pub(super) fn set(&mut self, type_: &str, status: &str, reason: &str, message: &str) {
        let held = self.all.iter().find(|one| one.type_ == type_ && one.status == status);
        let since = held.and_then(|one| one.last_transition_time.clone()).unwrap_or_else(|| time(self.now));
        let wanted = HorizontalPodAutoscalerCondition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            last_transition_time: Some(since),
            observed_generation: None,
        };
        match self.all.iter_mut().find(|one| one.type_ == type_) {
            Some(held) => *held = wanted,
            None => self.all.push(wanted),
        }
    }

    pub(super) fn warn(&mut self, reason: &'static str, message: String) {
        self.warnings.push((reason, message));
    }

    pub(super) fn events(&mut self, scaler: &HorizontalPodAutoscaler) -> Vec<Action> {
        self.warnings.drain(..).map(|(reason, message)| write::event(scaler, "Warning", reason, message)).collect()
    }
}
