//! Fields that an apply changes and that belong to others: refused, or with `force` taken.

use super::last_applied;
use crate::error::{ApiError, StatusCause};
use crate::registry::Call;
use crate::registry::managed::set::Set;
use crate::registry::managed::{Change, Entry, of_others};
use serde_json::Value;

/// What the others keep after `change`, if the applier may make it.
pub(super) fn resolve(
    call: &Call<'_>,
    others: Vec<Entry>,
    change: &mut Change<'_>,
    live: &Value,
) -> Result<Vec<Entry>, ApiError> {
    let mut met = Vec::new();
    if !call.options.force {
        for entry in &others {
            let Some(touched) = change.of(&entry.api_version)? else { continue };
            let mut both = entry.set.common(&touched.set);
            // What kubectl has applied from the client's side is its own, whoever wrote it down.
            if !both.is_empty()
                && let Some(allowed) = last_applied::allowed(call, live)
            {
                both.subtract(&allowed);
            }
            if !both.is_empty() {
                met.push((entry.identity(), entry.shown(), both));
            }
        }
    }
    if !met.is_empty() {
        met.sort_by(|a, b| a.0.cmp(&b.0));
        return Err(conflict(&met));
    }
    of_others(others, change)
}

/// k8s: NewConflictError
fn conflict(met: &[(String, String, Set)]) -> ApiError {
    let mut causes = Vec::new();
    let mut lines = Vec::new();
    for (_, owner, both) in met {
        lines.push(format!("conflicts with {owner}:"));
        for field in both.paths() {
            lines.push(format!("- {field}"));
            let message = format!("conflict with {owner}");
            causes.push(StatusCause { reason: "FieldManagerConflict".into(), message, field });
        }
    }
    let message = match causes.as_slice() {
        [only] => format!("{}: {}", only.message, only.field),
        _ => lines.join("\n"),
    };
    ApiError::ApplyConflict { message, causes }
}
