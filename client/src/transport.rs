//! The ways to reach the API server. Component code sees a [`kube::Client`] whichever it is.

mod hook;
mod https;
mod in_process;
mod servers;

pub use hook::{Hook, HookError};
pub use https::{Error, https, https_from, with_scheme};
pub use in_process::in_process;
pub use servers::Servers;
