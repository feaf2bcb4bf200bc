//! Container logs: the CRI line format ([`line`]), where the files are ([`files`]), and reading them for users
//! ([`read`], [`follow`]).

pub mod files;
pub mod follow;
pub mod line;
pub mod read;
pub mod rotate;
