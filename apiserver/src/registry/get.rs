//! GET of one object.

use super::{Call, Registry, view};
use crate::error::ApiError;
use bytes::Bytes;

impl Registry {
    /// The newest version, or, where the client is content with any, the cached one.
    pub async fn get(&self, call: &Call<'_>) -> Result<Bytes, ApiError> {
        call.options.check_revision()?;
        match call.options.resource_version {
            Some(0) => {
                let cached = self.caches.started(call.kind.as_ref()).and_then(|cache| cache.get(call.ns, call.name));
                if let Some(object) = cached {
                    return self.in_version(call.kind.as_ref(), object.json(), object.rev).await;
                }
            }
            Some(rev) => self.caches.wait(rev).await?,
            None => {}
        }
        // The cache answers where it is known to show every acknowledged write: its bytes are shared, not copied.
        if let Some(cache) = self.caches.current(call.kind.as_ref()) {
            let object = cache.get(call.ns, call.name).ok_or_else(|| call.not_found())?;
            return self.in_version(call.kind.as_ref(), object.json(), object.rev).await;
        }
        let (entry, _) = self.store.get(&call.key(), None).await?;
        let entry = entry.ok_or_else(|| call.not_found())?;
        let kind = call.kind.as_ref();
        self.in_version(kind, view::entry_json(kind, &entry.value, entry.mod_rev), entry.mod_rev).await
    }
}
