//! The shape of a controller: a name, what it watches, and pure functions. No loop, no sleep, no client, no clock.

use crate::action::{Action, Key, Resource};
use crate::cache::{Builder, Caches, Change, Keep, Node, Typed, WatchOptions};
use jiff::Timestamp;
use kube::core::Status;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc::UnboundedSender;

/// A row of `controllers::table::CONTROLLERS`.
#[derive(Clone, Copy)]
pub struct Controller {
    /// `deployment`; also the identity `system:serviceaccount:kube-system:<name>-controller` and the field manager.
    pub name: &'static str,
    /// Declares the kinds it reads and how a change of each becomes keys: `w.primary::<Deployment>()`,
    /// `w.owned::<ReplicaSet, Deployment>()`, `w.mapped::<Node>(|node, caches| ..keys..)`, `w.reads::<Pod>()`.
    pub watches: fn(&mut Watches),
    pub reconcile: Reconcile,
    /// What to do about an action that the server refused (an event, a condition). The key is retried in any case.
    pub refused: Option<Refused>,
}

pub type Refused = fn(&Key, &Caches, &Refusal, Timestamp) -> Vec<Action>;

/// `observe` + `reconcile`. Level-triggered: looks at what is, not at what happened. The key may be gone.
#[derive(Clone, Copy)]
pub enum Reconcile {
    /// By the caches alone.
    Cached(fn(&Key, &Caches, Timestamp) -> Vec<Action>),
    /// By the caches and by fresh answers of the server, for what a lagging cache must not decide (is the owner really
    /// absent, is the namespace really empty). Still pure: first it says what to look at, then what to do.
    Looking {
        look: fn(&Key, &Caches, Timestamp) -> Vec<Look>,
        reconcile: fn(&Key, &Caches, &[Sight], Timestamp) -> Vec<Action>,
    },
    /// As `Looking`, where the first answers say what else to look at. `reconcile` has the answers of both rounds.
    LookingTwice {
        look: fn(&Key, &Caches, Timestamp) -> Vec<Look>,
        then: fn(&Key, &Caches, &[Sight], Timestamp) -> Vec<Look>,
        reconcile: fn(&Key, &Caches, &[Sight], Timestamp) -> Vec<Action>,
    },
}

/// A question to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// Is there such an object? Answered by its metadata.
    Object { resource: Resource, key: Key },
    /// How big is this object said to be? Answered by its scale subresource, [`Sight::Absent`] if it has none.
    Scale { resource: Resource, key: Key },
    /// What does the server say there? The path and query of any GET, for what no cache holds (metrics).
    Document { path: String },
    /// What is left of a kind in a namespace? Answered by a count and by the finalizers that hold the rest back.
    Remaining { resource: Resource, ns: String },
}

/// The answer to the [`Look`] of the same position.
#[derive(Clone, Debug, PartialEq)]
pub enum Sight {
    /// The object without its managed fields, metadata at least; or the whole document.
    Object(Value),
    Absent,
    Remaining(Remaining),
    /// The server refused or could not be reached; what depends on it must wait.
    Unknown(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remaining {
    pub objects: u64,
    /// Of the store, up to which the answer shows everything; 0 where the kind itself is gone.
    pub revision: u64,
    /// Finalizer -> how many objects still have it.
    pub finalizers: Vec<(String, u64)>,
    /// Of the objects, how long the longest graceful deletion still takes, in seconds (pods).
    pub grace_seconds_max: i64,
}

/// An action that the server refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub action: Action,
    pub status: Status,
}

type Keys = Box<dyn FnOnce(&Caches) -> Vec<Key> + Send>;

pub(crate) enum Signal {
    Key(Key),
    /// A change whose keys the controller's task computes, outside of the caches' locks.
    Map(Keys),
    /// Some cache reached a new revision.
    Advanced,
}

/// Where the signals of a controller go.
#[derive(Clone)]
pub(crate) struct Sink {
    pub(crate) signals: UnboundedSender<Signal>,
    /// Whether some key waits for a cache to advance; only then is [`Signal::Advanced`] worth a wake-up.
    pub(crate) holding: Arc<AtomicBool>,
}

impl Sink {
    /// Whether the controller still listens.
    fn send(&self, signal: Signal) -> bool {
        self.signals.send(signal).is_ok()
    }

    fn advanced(&self) -> bool {
        if self.holding.load(Ordering::SeqCst) { self.send(Signal::Advanced) } else { !self.signals.is_closed() }
    }
}

type Declare = Box<dyn FnOnce(&mut Builder) + Send>;
type Connect = Box<dyn FnOnce(&Caches, &Sink) + Send>;

/// Collects the watch declarations of a controller.
#[derive(Default)]
pub struct Watches {
    declares: Vec<Declare>,
    connects: Vec<Connect>,
}

impl Watches {
    /// The kind whose keys this controller reconciles.
    pub fn primary<K: Typed>(&mut self) {
        self.declare_all::<K>();
        self.connect::<K>(|sink, change| sink.send(Signal::Key(change.key.clone())));
    }

    /// A kind whose objects are controlled by an `O`: a change runs the owner, before and after.
    pub fn owned<K: Typed, O: Typed>(&mut self) {
        self.declare_all::<K>();
        self.connect::<K>(|sink, change| {
            let owners =
                [&change.old, &change.new].into_iter().flatten().filter_map(|object| owner_key::<K, O>(object));
            owners.into_iter().all(|key| sink.send(Signal::Key(key)))
        });
    }

    /// A kind whose changes run the keys that `map` names, for the object before and after.
    pub fn mapped<K: Typed>(&mut self, map: fn(&K, &Caches) -> Vec<Key>) {
        self.declare_all::<K>();
        self.mapped_of::<K>(map);
    }

    fn mapped_of<K: Typed>(&mut self, map: fn(&K, &Caches) -> Vec<Key>) {
        self.connect::<K>(move |sink, change| {
            let (old, new) = (change.old.clone(), change.new.clone());
            let keys = move |caches: &Caches| {
                [old, new].into_iter().flatten().flat_map(|object| map(&object, caches)).collect()
            };
            sink.send(Signal::Map(Box::new(keys)))
        });
    }

    /// As [`Watches::mapped`], on a part of a kind.
    pub fn mapped_with<K: Typed>(&mut self, options: WatchOptions, map: fn(&K, &Caches) -> Vec<Key>) {
        self.declares.push(Box::new(|builder| {
            builder.watch_with::<K>(options);
        }));
        self.mapped_of::<K>(map);
    }

    /// As [`Watches::mapped`], with both sides of the change at once, for those who only care about some differences.
    pub fn mapped_change<K: Typed>(&mut self, map: fn(&Change<K>, &Caches) -> Vec<Key>) {
        self.declare_all::<K>();
        self.connect::<K>(move |sink, change| {
            let change = change.clone();
            sink.send(Signal::Map(Box::new(move |caches: &Caches| map(&change, caches))))
        });
    }

    /// A kind that the reconcile reads; its changes run nothing.
    pub fn reads<K: Typed>(&mut self) {
        self.declare_all::<K>();
        self.advances::<K>();
    }

    /// Declares an index on a kind, for `caches.of::<K>().by_index(name, ..)`.
    pub fn index<K: Typed>(&mut self, name: &'static str, values: fn(&K) -> Vec<String>) {
        self.declares.push(Box::new(move |builder| {
            builder.index::<K>(name, values);
        }));
    }

    /// Metadata of everything: a change runs the keys that `map` names.
    pub fn metadata(&mut self, map: fn(&Node, &Caches) -> Vec<Key>) {
        self.reads_metadata();
        self.connects.push(Box::new(move |caches, sink| {
            let sink = sink.clone();
            caches.metadata().listen(move |node| {
                let node = node.clone();
                keep(sink.send(Signal::Map(Box::new(move |caches: &Caches| map(&node, caches)))))
            });
        }));
    }

    /// Metadata of one kind, where its objects are not worth a cache: a change runs the keys that `map` names.
    pub fn metadata_of<K: k8s_openapi::Resource>(&mut self, map: fn(&Node, &Caches) -> Vec<Key>) {
        self.reads_metadata();
        self.connects.push(Box::new(move |caches, sink| {
            let sink = sink.clone();
            caches.metadata().listen(move |node| {
                if node.resource.kind != K::KIND || node.resource.api_version != K::API_VERSION {
                    return Keep::Listening;
                }
                let node = node.clone();
                keep(sink.send(Signal::Map(Box::new(move |caches: &Caches| map(&node, caches)))))
            });
        }));
    }

    /// Metadata of everything, read only.
    pub fn reads_metadata(&mut self) {
        self.declares.push(Box::new(|builder| {
            builder.metadata();
        }));
    }

    fn declare_all<K: Typed>(&mut self) {
        self.declares.push(Box::new(|builder| {
            builder.watch::<K>();
        }));
    }

    fn connect<K: Typed>(&mut self, tell: impl Fn(&Sink, &Change<K>) -> bool + Send + Sync + 'static) {
        self.connects.push(Box::new(move |caches, sink| {
            let sink = sink.clone();
            caches.shared::<K>().listen(move |change| keep(tell(&sink, change)));
        }));
        self.advances::<K>();
    }

    fn advances<K: Typed>(&mut self) {
        self.connects.push(Box::new(|caches, sink| {
            let sink = sink.clone();
            caches.shared::<K>().listen_advance(move || keep(sink.advanced()));
        }));
    }

    /// Declares on the builder; what is returned connects the controller to the started caches.
    pub(crate) fn declare(self, builder: &mut Builder) -> Connects {
        for declare in self.declares {
            declare(builder);
        }
        Connects(self.connects)
    }

    /// Declares what this controller reads on a builder of offline caches (tests, plans).
    pub fn declare_offline(self, builder: &mut Builder) {
        drop(self.declare(builder));
    }
}

pub(crate) struct Connects(Vec<Connect>);

impl Connects {
    pub(crate) fn connect(self, caches: &Arc<Caches>, sink: &Sink) {
        for connect in self.0 {
            connect(caches, sink);
        }
    }
}

fn keep(listening: bool) -> Keep {
    if listening { Keep::Listening } else { Keep::Gone }
}

/// The key of the `O` that controls `object`.
fn owner_key<K: Typed, O: Typed>(object: &K) -> Option<Key> {
    let owner = object.owners().into_iter().find(|owner| owner.controller == Some(true))?;
    let group = |api_version: &str| api_version.split_once('/').map_or(String::new(), |(group, _)| group.to_owned());
    (owner.kind == O::KIND && group(&owner.api_version) == O::GROUP).then(|| Key::new(object.ns(), owner.name))
}
