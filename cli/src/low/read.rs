//! Commands that only read: `get`, `describe`, `events`, `wait`.

use super::{Files, Format, Select};
use clap::Args;

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Get {
    /// TYPE, TYPE NAME.., TYPE/NAME.., TYPE,TYPE or a category such as `all`
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
    #[command(flatten)]
    pub files: Files,
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub format: Format,
    /// Go on and show changes
    #[arg(long, short = 'w')]
    pub watch: bool,
    /// Show changes only
    #[arg(long)]
    pub watch_only: bool,
    /// Leave out the column titles
    #[arg(long)]
    pub no_headers: bool,
    /// Add a column with all labels
    #[arg(long)]
    pub show_labels: bool,
    /// Add a column for a label; may be repeated
    #[arg(long, short = 'L', value_delimiter = ',', value_name = "KEY")]
    pub label_columns: Vec<String>,
    /// Order by the value at a JSONPath
    #[arg(long, value_name = "JSONPATH")]
    pub sort_by: Option<String>,
    /// Succeed where a named object does not exist
    #[arg(long)]
    pub ignore_not_found: bool,
    /// Keep metadata.managedFields
    #[arg(long)]
    pub show_managed_fields: bool,
    /// Ask this path of the server and print the answer
    #[arg(long, value_name = "PATH", conflicts_with = "words")]
    pub raw: Option<String>,
}

#[derive(Args, Debug)]
pub struct Events {
    /// Only those about this object
    #[arg(long = "for", value_name = "TYPE/NAME")]
    pub about: Option<String>,
    /// Only of these types: Normal, Warning
    #[arg(long, value_delimiter = ',', value_name = "TYPE")]
    pub types: Vec<String>,
    /// Of all namespaces
    #[arg(long, short = 'A')]
    pub all_namespaces: bool,
    /// Go on and show new ones
    #[arg(long, short = 'w')]
    pub watch: bool,
    /// Leave out the column titles
    #[arg(long)]
    pub no_headers: bool,
    #[command(flatten)]
    pub format: Format,
}

#[derive(Args, Debug)]
pub struct Describe {
    /// TYPE, TYPE NAME.. or TYPE/NAME..
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
    #[command(flatten)]
    pub files: Files,
    #[command(flatten)]
    pub select: Select,
    /// Show the object's events
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub show_events: bool,
}

#[derive(Args, Debug)]
pub struct Wait {
    /// TYPE NAME.., TYPE/NAME.., or TYPE with -l or --all
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
    #[command(flatten)]
    pub files: Files,
    #[command(flatten)]
    pub select: Select,
    /// All objects of the type
    #[arg(long)]
    pub all: bool,
    /// create, delete, condition=NAME[=VALUE], jsonpath={..}[=VALUE]
    #[arg(long = "for", value_name = "CONDITION")]
    pub condition: String,
    /// How long to wait; 0 looks once, below 0 waits a week
    #[arg(long, default_value = "30s", allow_hyphen_values = true, value_name = "DURATION")]
    pub timeout: String,
}

#[derive(Args, Debug)]
pub struct Why {
    /// NAME or pod/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
    #[command(flatten)]
    pub format: Format,
}
