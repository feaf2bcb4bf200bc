//! The loop between the caches and the routing table: what changed is compiled, what is wrong is said once.

use crate::certificate::Shelf;
use crate::compile::{Compiled, Complaint, compile, service_of};
use client::action::{Event, Key};
use client::cache::{Caches, Change};
use client::events::Recorder;
use k8s_openapi::api::core::v1::{ObjectReference, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

/// Changes that arrive within this time go into one table: a rolling update touches a slice many times a second.
const COALESCE: Duration = Duration::from_millis(10);

struct Inbox {
    ingresses: UnboundedReceiver<Change<Ingress>>,
    classes: UnboundedReceiver<Change<IngressClass>>,
    secrets: UnboundedReceiver<Change<Secret>>,
    services: UnboundedReceiver<Change<Service>>,
    slices: UnboundedReceiver<Change<EndpointSlice>>,
}

enum Heard {
    Relevant,
    OfOthers,
    Ended,
}

impl Inbox {
    fn subscribe(caches: &Caches) -> Self {
        Self {
            ingresses: caches.of::<Ingress>().subscribe(),
            classes: caches.of::<IngressClass>().subscribe(),
            secrets: caches.of::<Secret>().subscribe(),
            services: caches.of::<Service>().subscribe(),
            slices: caches.of::<EndpointSlice>().subscribe(),
        }
    }

    /// One change. Services that no Ingress names do not matter.
    async fn next(&mut self, named: &BTreeSet<Key>) -> Heard {
        let relevant = tokio::select! {
            change = self.ingresses.recv() => change.map(|_| true),
            change = self.classes.recv() => change.map(|_| true),
            change = self.secrets.recv() => change.map(|_| true),
            change = self.services.recv() => change.map(|change| named.contains(&change.key)),
            change = self.slices.recv() => change.map(|change| {
                let sides = [&change.old, &change.new];
                sides.into_iter().flatten().filter_map(|slice| service_of(slice)).any(|key| named.contains(&key))
            }),
        };
        match relevant {
            Some(true) => Heard::Relevant,
            Some(false) => Heard::OfOthers,
            None => Heard::Ended,
        }
    }

    fn drain(&mut self) {
        while self.ingresses.try_recv().is_ok() {}
        while self.classes.try_recv().is_ok() {}
        while self.secrets.try_recv().is_ok() {}
        while self.services.try_recv().is_ok() {}
        while self.slices.try_recv().is_ok() {}
    }
}

/// Ends when the caches do.
pub(crate) async fn run(caches: &Caches, recorder: &Recorder, routes: watch::Sender<Arc<Compiled>>) {
    caches.synced().await;
    let mut inbox = Inbox::subscribe(caches);
    let mut shelf = Shelf::default();
    let mut said = BTreeSet::new();
    loop {
        inbox.drain();
        shelf.refresh(&caches.of::<Secret>().list());
        let compiled = Arc::new(compile(caches, &shelf));
        routes.send_replace(Arc::clone(&compiled));
        tracing::debug!(ingresses = compiled.ours.len(), "routes");
        let complaints: BTreeSet<Complaint> = compiled.complaints.iter().cloned().collect();
        complaints.difference(&said).for_each(|complaint| recorder.record(event(complaint)));
        said = complaints;
        loop {
            match inbox.next(&compiled.services).await {
                Heard::Relevant => break,
                Heard::OfOthers => {}
                Heard::Ended => return,
            }
        }
        tokio::time::sleep(COALESCE).await;
    }
}

fn event(complaint: &Complaint) -> Event {
    tracing::info!(ns = complaint.ingress.ns, name = complaint.ingress.name, reason = %complaint.reason, message = complaint.message, "an Ingress does not work in full");
    let resource = client::action::Resource::of::<Ingress>();
    Event {
        regarding: ObjectReference {
            api_version: Some(resource.api_version.into_owned()),
            kind: Some(resource.kind.into_owned()),
            namespace: Some(complaint.ingress.ns.clone()),
            name: Some(complaint.ingress.name.clone()),
            uid: Some(complaint.uid.clone()),
            ..ObjectReference::default()
        },
        type_: "Warning",
        reason: complaint.reason.to_string().into(),
        message: complaint.message.clone(),
        action: "",
    }
}
