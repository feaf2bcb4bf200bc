//! What a write of some kinds does beyond its own key: a Service takes an address and ports. A table by resource, so that
//! the registry's code names no kind.

use crate::error::ApiError;
use async_trait::async_trait;
use kinds::row::Row;
use serde_json::Value;
use std::sync::Arc;
use store::Write;

/// Reservations that belong to a write. `prepare` is undone by `abort`, confirmed by `commit`.
#[async_trait]
pub trait Effect: Send + Sync + 'static {
    /// After admission and preparation, before validation: completes `object` with what it reserves. `old` is the
    /// version before, `None` on create. With `dry_run` nothing may be kept.
    async fn prepare(&self, object: &mut Value, old: Option<&Value>, dry_run: bool) -> Result<Vec<Write>, ApiError>;

    /// The write did not happen: what `prepare` reserved for `object` and `old` did not have is free again.
    async fn abort(&self, object: &Value, old: Option<&Value>);

    /// The write happened; what `old` had and `object` (`None`: deleted) has not is free again.
    async fn commit(&self, object: Option<&Value>, old: Option<&Value>);
}

/// Group and plural of a resource.
type Resource = (&'static str, &'static str);

#[derive(Default)]
pub struct Effects {
    rows: Vec<(Resource, Arc<dyn Effect>)>,
}

impl Effects {
    pub fn with(mut self, group: &'static str, plural: &'static str, effect: Arc<dyn Effect>) -> Self {
        self.rows.push(((group, plural), effect));
        self
    }

    pub(super) fn of(&self, row: &Row) -> Option<&Arc<dyn Effect>> {
        self.rows
            .iter()
            .find(|((group, plural), _)| *group == row.group && *plural == row.plural)
            .map(|(_, effect)| effect)
    }
}
