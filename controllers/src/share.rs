//! Counts that may be given as a percentage of a whole. k8s: intstr.GetScaledValueFromIntOrPercent

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

#[derive(Clone, Copy)]
pub(crate) enum Round {
    Up,
    Down,
}

/// The count itself, or the percentage of `total`. What is not a percentage was refused by the API server, and is none.
pub(crate) fn of(value: &IntOrString, total: i32, round: Round) -> i32 {
    match value {
        IntOrString::Int(count) => *count,
        IntOrString::String(text) => percent(text.trim_end_matches('%').parse().unwrap_or(0), total, round),
    }
}

pub(crate) fn percent(percent: i64, total: i32, round: Round) -> i32 {
    let exact = i64::from(total).saturating_mul(percent);
    let whole = match round {
        Round::Up => exact.saturating_add(99) / 100,
        Round::Down => exact / 100,
    };
    i32::try_from(whole).unwrap_or(i32::MAX)
}
