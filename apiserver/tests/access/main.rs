//! Who may do what, through the router of a whole server.

mod cluster;
mod credentials;
mod decisions;
