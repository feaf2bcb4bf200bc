//! Groups of flags that several commands share.

use clap::Args;

#[derive(Args, Clone, Debug, Default)]
pub struct Files {
    /// Manifest: a file, a folder, or - for standard input; may be repeated
    #[arg(long = "filename", short = 'f', value_name = "PATH")]
    pub names: Vec<String>,
    /// Look into folders of folders
    #[arg(long, short = 'R')]
    pub recursive: bool,
}

#[derive(Args, Clone, Debug, Default)]
pub struct Select {
    /// Only objects with these labels: a=b, a!=b, a in (b,c), a, !a
    #[arg(long, short = 'l')]
    pub selector: Option<String>,
    /// Only objects with these fields: status.phase=Running
    #[arg(long)]
    pub field_selector: Option<String>,
    /// In all namespaces
    #[arg(long, short = 'A')]
    pub all_namespaces: bool,
}

#[derive(Args, Clone, Debug, Default)]
pub struct Format {
    /// wide, yaml, json, name, jsonpath=.., custom-columns=..
    #[arg(long, short = 'o', value_name = "FORMAT")]
    pub output: Option<String>,
}
