//! Images on the node: what a container's image is called, whose credentials fetch it ([`credential`]), and the one
//! operation on it, [`ensure`].

pub mod credential;
pub mod ensure;
pub mod reference;
