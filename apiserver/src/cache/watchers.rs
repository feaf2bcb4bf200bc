//! Who watches a kind, indexed by what they can match, so that an event touches only the watchers it may concern:
//! 5,000 agents that each watch the pods of one node cost an event two look-ups, not 5,000.

use super::event::{Event, EventType};
use super::object::Object;
use super::queue::{Sender, Sent, queue};
use super::watcher::{Begin, Delivery, Subscription};
use crate::request::Selection;
use kinds::row::{Row, Scope};
use std::collections::HashMap;
use std::sync::Arc;

/// Watchers below which nobody looks for those who left without an event telling so.
const SWEEP_MIN: usize = 256;

/// The narrowest property that every event for a watcher must have.
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
    queue: Sender,
}

type Group = Vec<Watcher>;
type Groups = HashMap<Box<str>, Group>;

#[derive(Default)]
pub(super) struct Watchers {
    all: Group,
    by_namespace: Groups,
    by_object: Groups,
    /// By row field and value, for the fields that somebody selects by.
    by_field: Vec<(usize, Groups)>,
    /// Watchers at which the next sweep is due; half of them were alive after the last.
    sweep_at: usize,
    count: usize,
}

impl Watchers {
    pub(super) fn add(&mut self, row: &Row, ns: &str, selection: Selection, begin: Begin) -> Subscription {
        self.count += 1;
        if self.count > self.sweep_at.max(SWEEP_MIN) {
            self.sweep();
        }
        let (queue, receiver) = queue();
        let trigger = trigger_of(row, ns, &selection);
        self.group(trigger).push(Watcher { ns: ns.into(), selection, queue });
        Subscription::new(begin, receiver)
    }

    fn group(&mut self, trigger: Trigger) -> &mut Group {
        match trigger {
            Trigger::All => &mut self.all,
            Trigger::Namespace(ns) => self.by_namespace.entry(ns).or_default(),
            Trigger::Object(key) => self.by_object.entry(key).or_default(),
            Trigger::Field(field, value) => {
                let at = self.by_field.iter().position(|(known, _)| *known == field).unwrap_or_else(|| {
                    self.by_field.push((field, Groups::new()));
                    self.by_field.len() - 1
                });
                self.by_field[at].1.entry(value).or_default()
            }
        }
    }

    /// Forgets those who left: a watch of one object that never changes again is told by nothing else.
    fn sweep(&mut self) {
        let fields = self.by_field.iter_mut().map(|(_, groups)| groups);
        for groups in [&mut self.by_namespace, &mut self.by_object].into_iter().chain(fields) {
            groups.retain(|_, group| {
                group.retain(|watcher| !watcher.queue.is_closed());
                !group.is_empty()
            });
        }
        self.all.retain(|watcher| !watcher.queue.is_closed());
        let in_groups = |groups: &Groups| groups.values().map(Vec::len).sum::<usize>();
        let by_field: usize = self.by_field.iter().map(|(_, groups)| in_groups(groups)).sum();
        self.count = self.all.len() + in_groups(&self.by_namespace) + in_groups(&self.by_object) + by_field;
        self.sweep_at = 2 * self.count;
    }

    pub(super) fn dispatch(&mut self, event: &Arc<Event>) {
        if self.count == 0 {
            return;
        }
        tell(&mut self.all, event);
        tell_one(&mut self.by_object, &event.object.key, event);
        tell_one(&mut self.by_namespace, event.object.ns(), event);
        for (field, groups) in &mut self.by_field {
            let now = event.object.field_at(*field);
            tell_one(groups, now, event);
            if let Some(before) = event.prev.as_ref().map(|prev| prev.field_at(*field)).filter(|&before| before != now)
            {
                tell_one(groups, before, event);
            }
        }
    }
}

fn tell_one(groups: &mut Groups, value: &str, event: &Arc<Event>) {
    let Some(group) = groups.get_mut(value) else { return };
    tell(group, event);
    if group.is_empty() {
        groups.remove(value);
    }
}

fn tell(group: &mut Group, event: &Arc<Event>) {
    group.retain(|watcher| match matched(event, &watcher.ns, &watcher.selection) {
        // A full queue drops its sender: the watcher drains what it has, then learns that it is too far behind.
        Some(ty) => watcher.queue.send(Delivery::Change(Arc::clone(event), ty)) == Sent::Taken,
        None => true,
    });
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
            (Scope::Cluster, _) => return Trigger::Object(name.into()),
            (Scope::Namespaced, ns) if !ns.is_empty() => return Trigger::Object(format!("{ns}/{name}").into()),
            (Scope::Namespaced, _) => {}
        }
    }
    let exact = |(at, (label, _)): (usize, &(std::borrow::Cow<'static, str>, _))| {
        selection.fields.exact(label).map(|value| Trigger::Field(at, value.into()))
    };
    let field = row.fields.iter().enumerate().find_map(exact);
    field.unwrap_or_else(|| if ns.is_empty() { Trigger::All } else { Trigger::Namespace(ns.into()) })
}
