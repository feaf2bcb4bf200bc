//! `top`: what nodes and pods use.

use super::Select;
use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum Top {
    /// What nodes use
    #[command(aliases = ["nodes", "no"])]
    Node(TopNode),
    /// What pods use
    #[command(aliases = ["pods", "po"])]
    Pod(TopPod),
}

/// What the rows are ordered by, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    Cpu,
    Memory,
}

#[derive(Args, Debug)]
pub struct TopNode {
    pub name: Option<String>,
    /// Only nodes with these labels
    #[arg(long, short = 'l', conflicts_with = "name")]
    pub selector: Option<String>,
    /// Order by cpu or memory, the most first, instead of by name
    #[arg(long)]
    pub sort_by: Option<SortBy>,
    /// Leave out the column titles
    #[arg(long)]
    pub no_headers: bool,
    /// Percentages of the capacity, not of what is allocatable
    #[arg(long)]
    pub show_capacity: bool,
}

#[derive(Args, Debug)]
pub struct TopPod {
    pub name: Option<String>,
    #[command(flatten)]
    pub select: Select,
    /// Order by cpu or memory, the most first, instead of by name
    #[arg(long)]
    pub sort_by: Option<SortBy>,
    /// Leave out the column titles
    #[arg(long)]
    pub no_headers: bool,
    /// A row for each container
    #[arg(long)]
    pub containers: bool,
    /// A last row with the sums
    #[arg(long)]
    pub sum: bool,
}
