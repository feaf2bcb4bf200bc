//! DELETE of a collection: what the selectors pick, each object by the rules of a single delete.

use super::delete::DeleteOptions;
use super::protect::check_none_protected;
use super::{Call, Registry};
use crate::cache::Object;
use crate::custom::convert;
use crate::error::ApiError;
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;
use store::Rev;

/// Deletes in flight at once: enough to fill a group commit, not enough to starve other writers.
const PARALLEL: usize = 16;

/// The objects that were deleted or marked, as they were found.
pub struct DeletedList {
    pub objects: Vec<Arc<Object>>,
    pub rev: Rev,
}

impl Registry {
    pub async fn delete_collection(&self, call: &Call<'_>, options: &DeleteOptions) -> Result<DeletedList, ApiError> {
        let kept = convert::kept_options(call)?;
        call.options.selection.check(call.row())?;
        let cache = self.caches.fresh(call.kind).await?;
        let limit = if call.options.limit == 0 { usize::MAX } else { call.options.limit };
        let selection = kept.as_ref().map_or(&call.options.selection, |kept| &kept.selection);
        let (mut found, _) = cache.page(call.ns, None, limit, selection);
        if kept.is_some() {
            found.objects = self.all_in_version(call.kind.as_ref(), found.objects).await?;
            found.objects.retain(|object| call.options.selection.matches(object));
        }
        check_none_protected(call, &found.objects)?;
        let deletes = found.objects.clone().into_iter().map(|object| self.delete_one(call, object, options));
        futures::stream::iter(deletes).buffer_unordered(PARALLEL).try_collect::<()>().await?;
        let objects = self.all_in_version(call.kind.as_ref(), found.objects).await?;
        Ok(DeletedList { objects, rev: found.rev })
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
