//! Fields that an apply changes and that belong to others: refused, or with `force` taken.

use super::last_applied;
use crate::error::{ApiError, StatusCause};
use crate::registry::Call;
use crate::registry::managed::Entry;
use crate::registry::managed::set::Set;
use serde_json::Value;

/// Takes `touched` from the others, if the applier may.
pub(super) fn resolve(call: &Call<'_>, others: &mut [Entry], touched: &Set, live: &Value) -> Result<(), ApiError> {
    let mut met: Vec<(String, String, Set)> = others
        .iter()
        .map(|entry| (entry.identity(), entry.shown(), entry.set.common(touched)))
        .filter(|(_, _, both)| !both.is_empty())
        .collect();
    if !call.options.force && !met.is_empty() {
        // What kubectl has applied from the client's side is its own, whoever wrote it down.
        if let Some(allowed) = last_applied::allowed(call, live) {
            met.iter_mut().for_each(|(_, _, both)| both.subtract(&allowed));
            met.retain(|(_, _, both)| !both.is_empty());
        }
        if !met.is_empty() {
            met.sort_by(|a, b| a.0.cmp(&b.0));
            return Err(conflict(&met));
        }
    }
    for entry in others {
        entry.set.subtract(touched);
    }
    Ok(())
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
