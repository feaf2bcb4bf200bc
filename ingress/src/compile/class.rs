//! Which Ingresses are ours, by their class.

use client::cache::Tracked as _;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use std::collections::BTreeSet;
use std::sync::Arc;

/// `spec.controller` of the classes that this controller serves.
pub const CONTROLLER: &str = "drover.dev/ingress";
const DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";
/// The way to name a class before there was a field.
const ANNOTATION: &str = "kubernetes.io/ingress.class";

pub(super) struct Classes {
    ours: BTreeSet<String>,
    /// Whether Ingresses without a class are ours: made before the class was, admission did not give it to them.
    unclassed: bool,
}

impl Classes {
    pub(super) fn of(classes: &[Arc<IngressClass>]) -> Self {
        let ours = || {
            let controller = |class: &IngressClass| class.spec.as_ref()?.controller.clone();
            classes.iter().filter(move |class| controller(class).as_deref() == Some(CONTROLLER))
        };
        Self {
            ours: ours().map(|class| class.name().to_owned()).collect(),
            unclassed: ours().any(|class| {
                let annotations = class.metadata.annotations.as_ref();
                annotations.and_then(|all| all.get(DEFAULT)).is_some_and(|value| value == "true")
            }),
        }
    }

    /// k8s: the field is stronger than the annotation.
    pub(super) fn has(&self, ingress: &Ingress) -> bool {
        let field = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
        let annotation = ingress.metadata.annotations.as_ref().and_then(|all| all.get(ANNOTATION));
        match field.or(annotation.map(String::as_str)) {
            Some(class) => self.ours.contains(class),
            None => self.unclassed,
        }
    }
}
