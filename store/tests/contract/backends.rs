//! A fresh store of each kind, with what it needs to live and goes away with.

use std::sync::Arc;
use store::Store;
use store::embedded::{EmbeddedStore, Options};
use store::mem::MemStore;

pub(crate) struct Backend {
    store: Arc<dyn Store>,
    /// Dropped after the store.
    _home: Option<Box<dyn Send + Sync>>,
}

impl Backend {
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }
}

pub(crate) async fn mem() -> Backend {
    Backend { store: Arc::new(MemStore::new()), _home: None }
}

pub(crate) async fn embedded() -> Backend {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = EmbeddedStore::open(folder.path(), Options::standard()).expect("a store in an empty folder");
    Backend { store, _home: Some(Box::new(folder)) }
}
