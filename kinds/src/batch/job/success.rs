//! When an indexed job has done enough: how many of which indexes must succeed.

use crate::errors::{FieldError, FieldErrors};
use crate::validate::non_negative;
use crate::validate::path::Path;
use k8s_openapi::api::batch::v1::{SuccessPolicy, SuccessPolicyRule};

const RULES_MAX: usize = 20;
/// k8s: maxJobSuccessPolicySucceededIndexesLimit
const INDEXES_BYTES_MAX: usize = 64 * 1024;

pub(super) fn policy(policy: &SuccessPolicy, completions: Option<i32>, path: &Path<'_>, errors: &mut FieldErrors) {
    let list = path.child("rules");
    if policy.rules.is_empty() {
        let detail = "at least one rules must be specified when the successPolicy is specified";
        errors.push(FieldError::required(list, detail));
    } else if policy.rules.len() > RULES_MAX {
        errors.push(FieldError::too_many(list, policy.rules.len(), RULES_MAX));
    }
    for (i, rule) in policy.rules.iter().enumerate() {
        self::rule(rule, completions, &list.index(i), errors);
    }
}

/// A job without completions is refused for that already; its indexes have nothing to be compared with.
fn rule(rule: &SuccessPolicyRule, completions: Option<i32>, path: &Path<'_>, errors: &mut FieldErrors) {
    if rule.succeeded_count.is_none() && rule.succeeded_indexes.is_none() {
        let detail = "at least one of succeededCount or succeededIndexes must be specified";
        errors.push(FieldError::required(path, detail));
    }
    let Some(completions) = completions else { return };
    let mut total = None;
    if let Some(indexes) = &rule.succeeded_indexes {
        let at = path.child("succeededIndexes");
        if indexes.len() > INDEXES_BYTES_MAX {
            errors.push(FieldError::too_long(at, INDEXES_BYTES_MAX));
        }
        let counted = count(indexes, completions);
        total = Some(*counted.as_ref().unwrap_or(&0));
        if let Err(error) = counted {
            let detail = format!("error parsing succeededIndexes: {error}");
            errors.push(FieldError::invalid(at, indexes, detail));
        }
    }
    let Some(wanted) = rule.succeeded_count else { return };
    let at = path.child("succeededCount");
    non_negative(wanted.into(), &at, errors);
    if wanted > completions {
        let detail = format!("must be less than or equal to {completions} (the number of specified completions)");
        errors.push(FieldError::invalid(at, wanted, detail));
    }
    if let Some(total) = total.filter(|total| i64::from(wanted) > *total) {
        let detail = format!(
            "must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
        );
        errors.push(FieldError::invalid(at, wanted, detail));
    }
}

/// How many indexes `1,3-5` names: rising intervals of indexes that the job has.
/// k8s: validateIndexesFormat
fn count(indexes: &str, completions: i32) -> Result<i64, String> {
    let mut last = None;
    let mut total = 0;
    for part in indexes.split(',').filter(|_| !indexes.is_empty()) {
        let (first, end) = interval(part, completions)?;
        if let Some(last) = last.filter(|last| *last >= first) {
            return Err(format!("non-increasing order, previous: {last}, current: {first}"));
        }
        total += end - first + 1;
        last = Some(end);
    }
    Ok(total)
}

fn interval(text: &str, completions: i32) -> Result<(i64, i64), String> {
    let index = |text: &str| {
        let index: i64 = text.parse().map_err(|_| format!("cannot convert string to integer for index: {text:?}"))?;
        if index >= i64::from(completions) { Err(format!("too large index: {text:?}")) } else { Ok(index) }
    };
    let Some((first, end)) = text.split_once('-') else {
        let only = index(text)?;
        return Ok((only, only));
    };
    if end.contains('-') {
        return Err(format!(
            "the fragment {text:?} violates the requirement that an index interval can have at most two parts separated by '-'"
        ));
    }
    let (first, end) = (index(first)?, index(end)?);
    if first >= end {
        Err(format!("non-increasing order, previous: {first}, current: {end}"))
    } else {
        Ok((first, end))
    }
}
