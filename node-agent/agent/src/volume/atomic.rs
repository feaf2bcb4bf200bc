//! Names of the atomic writer's layout: files are links into `..data`, which is a link to the current generation.

/// The link that is switched from one generation to the next.
pub const DATA: &str = "..data";
/// The new link before it is renamed over [`DATA`].
pub const DATA_NEXT: &str = "..data_tmp";
/// Generations are folders with this prefix.
pub const GENERATION: &str = "..gen-";
