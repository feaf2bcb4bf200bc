//! Label and field selectors: read from query strings and from `metav1.LabelSelector`, matched against labels and fields,
//! written back in canonical order. The error texts are upstream's, because clients show them.

mod field;
mod label;
mod lex;

pub use field::{FieldRequirement, FieldSelector};
pub use label::{LabelSelector, Labels, Operator, Requirement};

use thiserror::Error;

/// Why a selector is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SelectorError {
    #[error("{0}")]
    Syntax(String),
    /// A key, value or operator that the rules for labels refuse: where, and upstream's text.
    #[error("{path}: Invalid value: {value:?}: {detail}")]
    Invalid { path: String, value: String, detail: String },
}
