//! Which kinds are served right now. The built-in ones never change; custom resources come and go, so everything that is
//! published asks a [`Provider`] and keeps what it rendered for as long as the generation stays.

use kinds::kind::Kind;
use std::sync::Arc;

/// The kinds that are served, at one moment.
#[derive(Clone)]
pub struct Served {
    /// Another one whenever `kinds` differs: what was rendered for the same generation is still right.
    pub generation: u64,
    /// In discovery's order: the first version of a group is the one it prefers. A kind that has not changed stays the same
    /// `Arc` from generation to generation, so that its documents are not rendered again.
    pub kinds: Arc<[Arc<dyn Kind>]>,
}

/// Who knows what is served.
pub trait Provider: Send + Sync {
    /// Asked with every request for a document, so it should cost no more than a lock and two copies of an `Arc`.
    fn served(&self) -> Served;
}

/// The kinds of the table, and nothing else, forever.
pub struct Builtin(Served);

impl Builtin {
    pub fn new() -> Self {
        Self(Served { generation: 0, kinds: kinds::table::builtin().into() })
    }
}

impl Default for Builtin {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for Builtin {
    fn served(&self) -> Served {
        self.0.clone()
    }
}
