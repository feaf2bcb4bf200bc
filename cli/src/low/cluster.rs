//! Commands about the cluster, the kubeconfig and this program.

use super::Format;
use clap::{Args, Subcommand};

#[derive(Args, Debug)]
pub struct ApiResources {
    #[command(flatten)]
    pub format: Format,
    #[arg(long)]
    pub no_headers: bool,
    /// Only resources in (true) or outside (false) namespaces
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub namespaced: Option<bool>,
    #[arg(long, value_name = "GROUP")]
    pub api_group: Option<String>,
    /// Only resources with all these verbs
    #[arg(long, value_delimiter = ',', value_name = "VERB")]
    pub verbs: Vec<String>,
    /// Only resources in all these categories
    #[arg(long, value_delimiter = ',', value_name = "CATEGORY")]
    pub categories: Vec<String>,
}

#[derive(Args, Debug)]
pub struct Version {
    /// json or yaml
    #[command(flatten)]
    pub format: Format,
    /// Only this program's version
    #[arg(long)]
    pub client: bool,
}

#[derive(Args, Debug)]
pub struct Explain {
    /// RESOURCE[.FIELD..]
    #[arg(value_name = "PATH")]
    pub path: String,
    /// All fields below, without their descriptions
    #[arg(long)]
    pub recursive: bool,
    #[arg(long, value_name = "GROUP/VERSION")]
    pub api_version: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Auth {
    /// Whether you may do something
    #[command(name = "can-i")]
    CanI(CanI),
    /// Who you are to the server
    #[command(name = "whoami")]
    WhoAmI {
        #[command(flatten)]
        format: Format,
    },
}

#[derive(Args, Debug)]
pub struct CanI {
    #[arg(required_unless_present = "list")]
    pub verb: Option<String>,
    /// TYPE, TYPE/NAME or a path such as /healthz
    #[arg(required_unless_present = "list")]
    pub resource: Option<String>,
    pub name: Option<String>,
    #[arg(long)]
    pub subresource: Option<String>,
    #[arg(long, short = 'A')]
    pub all_namespaces: bool,
    /// No output, only the exit code
    #[arg(long, short = 'q')]
    pub quiet: bool,
    /// Everything that you may do
    #[arg(long)]
    pub list: bool,
}

#[derive(Debug, Subcommand)]
pub enum Config {
    /// Print the kubeconfig, secrets left out
    View {
        /// Print secrets too
        #[arg(long)]
        raw: bool,
        /// Only what the current context uses
        #[arg(long)]
        minify: bool,
        #[command(flatten)]
        format: Format,
    },
    /// Print the current context
    CurrentContext,
    /// List the contexts
    GetContexts {
        #[command(flatten)]
        format: Format,
        #[arg(long)]
        no_headers: bool,
    },
    /// Change the current context
    UseContext { name: String },
    /// Change fields of a context
    SetContext {
        #[arg(required_unless_present = "current")]
        name: Option<String>,
        #[arg(long)]
        current: bool,
        #[arg(long)]
        cluster: Option<String>,
        #[arg(long)]
        user: Option<String>,
    },
}

#[derive(Args, Debug)]
pub struct Completion {
    pub shell: clap_complete::Shell,
}

/// Tokens that let machines join.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token and print it, with the hash of the cluster's certificate authority
    Create(TokenCreate),
    /// List the tokens
    List {
        #[arg(long)]
        no_headers: bool,
    },
    /// Make tokens worthless; nodes that have joined stay
    #[command(alias = "delete")]
    Revoke {
        /// Id of the token (its first six letters), or all of it
        #[arg(value_name = "TOKEN", required = true)]
        tokens: Vec<String>,
    },
}

#[derive(Args, Debug)]
pub struct TokenCreate {
    /// How long it is good for; 0 is until it is revoked
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub ttl: String,
    /// For one node only
    #[arg(long)]
    pub single_use: bool,
    /// What it is for
    #[arg(long, default_value = "")]
    pub description: String,
    /// Print the command that makes a machine join
    #[arg(long)]
    pub print_join_command: bool,
}
