//! The two ways to reach the API server. Component code sees a [`kube::Client`] either way.

mod https;
mod in_process;

pub use https::{Error, https, https_from};
pub use in_process::in_process;
