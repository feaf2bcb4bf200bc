//! Custom resources: a version of a CustomResourceDefinition becomes a [`crate::kind::Kind`] at run time, from its schema.
//!
//! Each file reads the schema for one purpose. Nothing here does I/O; who serves the kinds is the API server's matter.

pub mod structural;
