//! Documents of other components of this process, below `/debug/`: whoever may read that path reads them as JSON.

use futures::future::BoxFuture;
use parking_lot::RwLock;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What follows the page's path in; a document, or `None` where there is no such thing.
pub type Page = Arc<dyn Fn(String) -> BoxFuture<'static, Option<Value>> + Send + Sync>;

/// By the first segments of their path: `/debug/scheduler/why/`.
#[derive(Default)]
pub struct Pages {
    by_path: RwLock<BTreeMap<&'static str, Page>>,
}

impl Pages {
    pub fn add(&self, path: &'static str, page: Page) {
        self.by_path.write().insert(path, page);
    }

    pub(super) async fn read(&self, path: &str) -> Option<Value> {
        let (page, rest) = {
            let pages = self.by_path.read();
            let (start, page) = pages.iter().find(|(start, _)| path.starts_with(**start))?;
            (Arc::clone(page), path[start.len()..].to_owned())
        };
        page(rest).await
    }
}
