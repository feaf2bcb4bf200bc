//! Images on the node: what a container's image is called, whose credentials fetch it ([`credential`], [`provider`]), the one
//! operation on it, [`ensure`], who may use what is there ([`record`]), and making room on a full disk ([`gc`]).

pub mod credential;
pub mod ensure;
pub mod gc;
pub mod provider;
pub mod record;
pub mod reference;
