//! DELETE of a collection: what the selectors pick, each object by the rules of a single delete.

use super::delete::DeleteOptions;
use super::list::List;
use super::protect::check_none_protected;
use super::{Call, Registry};
use crate::cache::Object;
use crate::error::ApiError;
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;

/// Deletes in flight at once: enough to fill a group commit, not enough to starve other writers.
const PARALLEL: usize = 16;

impl Registry {
    /// The objects that were deleted or marked, as they were found: a page of them where the client limits it, and then
    /// where to go on.
    pub async fn delete_collection(&self, call: &Call<'_>, options: &DeleteOptions) -> Result<List, ApiError> {
        let found = self.list(call).await?;
        check_none_protected(call, &found.objects)?;
        let deletes = found.objects.clone().into_iter().map(|object| self.delete_one(call, object, options));
        futures::stream::iter(deletes).buffer_unordered(PARALLEL).try_collect::<()>().await?;
        Ok(found)
    }

    async fn delete_one(&self, call: &Call<'_>, object: Arc<Object>, options: &DeleteOptions) -> Result<(), ApiError> {
        // Admission sees the deletion of each object, not of the collection.
        let mut request = call.request.clone();
        object.ns().clone_into(&mut request.ns);
        object.name().clone_into(&mut request.name);
        match self.delete(&Call::of(&request)?, options).await {
            // Somebody else was faster: what the client wants is true.
            Ok(_) | Err(ApiError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
