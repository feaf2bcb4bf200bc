//! Who watches a kind, indexed by what they can match, so that an event touches only the watchers it may concern:
//! 5,000 agents that each watch the pods of one node cost an event two look-ups, not 5,000.

use super::event::{Event, EventType};
use super::object::Object;
use super::watcher::{Delivery, Subscription};
use crate::request::Selection;
use kinds::row::Row;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use store::Rev;
use tokio::sync::mpsc;

/// Events that a watcher may be behind before it is cut off; a client that reads at all never gets there.
const BEHIND_MAX: usize = 4096;

/// The narrowest property that every event for a watcher must have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Trigger {
    All,
    Namespace(Box<str>),
    /// A selectable field (its number in the row) with this value.
    Field(usize, Box<str>),
    /// One object, by `ns/name`.
    Object(Box<str>),
}

struct Watcher {
    ns: Box<str>,
    selection: Selection,
    queue: mpsc::Sender<Delivery>,
}

#[derive(Default)]
pub(super) struct Watchers {
    by_trigger: HashMap<Trigger, Vec<Watcher>>,
    /// Row fields that some trigger uses.
    fields: Vec<usize>,
}

impl Watchers {
    pub(super) fn add(
        &mut self,
        row: &Row,
        ns: &str,
        selection: Selection,
        backlog: Vec<Delivery>,
        rev: Rev,
    ) -> Subscription {
        let (queue, receiver) = mpsc::channel(BEHIND_MAX);
        let trigger = trigger_of(row, ns, &selection);
        if let Trigger::Field(at, _) = trigger
            && !self.fields.contains(&at)
        {
            self.fields.push(at);
        }
        let watchers = self.by_trigger.entry(trigger).or_default();
        // The place of those who left is reclaimed by those who come.
        watchers.retain(|watcher| !watcher.queue.is_closed());
        watchers.push(Watcher { ns: ns.into(), selection, queue });
        Subscription::new(VecDeque::from(backlog), receiver, rev)
    }

    pub(super) fn dispatch(&mut self, event: &Arc<Event>) {
        if self.by_trigger.is_empty() {
            return;
        }
        self.dispatch_to(&Trigger::All, event);
        self.dispatch_to(&Trigger::Object(event.object.key.clone()), event);
        if !event.object.ns().is_empty() {
            self.dispatch_to(&Trigger::Namespace(event.object.ns().into()), event);
        }
        for at in self.fields.clone() {
            let now = event.object.field_at(at);
            self.dispatch_to(&Trigger::Field(at, now.into()), event);
            if let Some(before) = event.prev.as_ref().map(|prev| prev.field_at(at)).filter(|&before| before != now) {
                self.dispatch_to(&Trigger::Field(at, before.into()), event);
            }
        }
    }

    fn dispatch_to(&mut self, trigger: &Trigger, event: &Arc<Event>) {
        let Some(watchers) = self.by_trigger.get_mut(trigger) else { return };
        watchers.retain(|watcher| match matched(event, &watcher.ns, &watcher.selection) {
            // A full queue drops its sender: the watcher drains what it has, then learns that it is too far behind.
            Some(ty) => watcher.queue.try_send(Delivery::Change(Arc::clone(event), ty)).is_ok(),
            None => true,
        });
        if watchers.is_empty() {
            self.by_trigger.remove(trigger);
        }
    }
}

/// What a change means to a watcher: entering its selection is an addition, leaving it a deletion.
pub fn matched(event: &Event, ns: &str, selection: &Selection) -> Option<EventType> {
    if !ns.is_empty() && event.object.ns() != ns {
        return None;
    }
    if selection.is_everything() {
        return Some(event.ty);
    }
    let picks = |object: &Arc<Object>| selection.matches(object);
    let before = event.prev.as_ref().is_some_and(picks);
    let after = event.ty != EventType::Deleted && picks(&event.object);
    match (before, after) {
        (false, true) => Some(EventType::Added),
        (true, true) => Some(EventType::Modified),
        (true, false) => Some(EventType::Deleted),
        (false, false) => None,
    }
}

fn trigger_of(row: &Row, ns: &str, selection: &Selection) -> Trigger {
    if let Some(name) = selection.single_name() {
        match (row.scope, ns) {
            (kinds::row::Scope::Cluster, _) => return Trigger::Object(name.into()),
            (kinds::row::Scope::Namespaced, ns) if !ns.is_empty() => {
                return Trigger::Object(format!("{ns}/{name}").into());
            }
            (kinds::row::Scope::Namespaced, _) => {}
        }
    }
    let exact = |(at, (label, _)): (usize, &(std::borrow::Cow<'static, str>, _))| {
        selection.fields.exact(label).map(|value| Trigger::Field(at, value.into()))
    };
    let field = row.fields.iter().enumerate().find_map(exact);
    field.unwrap_or_else(|| if ns.is_empty() { Trigger::All } else { Trigger::Namespace(ns.into()) })
}
