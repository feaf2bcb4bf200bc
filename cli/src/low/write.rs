//! Commands that change objects.

use super::{Files, Format, Select};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What is applied, and by whom it is merged.
#[derive(Args, Debug)]
pub struct Applied {
    #[command(flatten)]
    pub files: Files,
    /// Let the server merge, by field owners
    #[arg(long)]
    pub server_side: bool,
    /// With --server-side, take fields that others own
    #[arg(long, requires = "server_side")]
    pub force_conflicts: bool,
    /// Who owns the fields that are applied [default: kubectl-client-side-apply; with --server-side, kubectl]
    #[arg(long, value_name = "NAME")]
    pub field_manager: Option<String>,
    /// Only objects with these labels
    #[arg(long, short = 'l')]
    pub selector: Option<String>,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Apply {
    #[command(subcommand)]
    pub last: Option<LastApplied>,
    #[command(flatten)]
    pub what: Applied,
    /// Show what would be done: as this client sees it, or as the server would answer
    #[arg(long, value_name = "none|client|server", num_args = 0..=1, default_missing_value = "client", require_equals = true)]
    pub dry_run: Option<String>,
    #[command(flatten)]
    pub format: Format,
}

/// About the manifest of the last apply, which is kept on the object.
#[derive(Debug, Subcommand)]
pub enum LastApplied {
    /// Show it
    ViewLastApplied(ViewLastApplied),
}

#[derive(Args, Debug)]
pub struct ViewLastApplied {
    /// TYPE NAME.., TYPE/NAME.., or TYPE with -l or --all
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
    #[command(flatten)]
    pub files: Files,
    /// All objects of the type in the namespace
    #[arg(long)]
    pub all: bool,
    /// Only objects with these labels
    #[arg(long, short = 'l')]
    pub selector: Option<String>,
    /// yaml or json
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "yaml")]
    pub output: String,
}

#[derive(Args, Debug)]
pub struct Diff {
    #[command(flatten)]
    pub what: Applied,
}

#[derive(Args, Debug)]
pub struct Autoscale {
    /// TYPE NAME.. or TYPE/NAME..
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
    #[command(flatten)]
    pub files: Files,
    /// Fewest replicas
    #[arg(long, value_name = "REPLICAS")]
    pub min: Option<i32>,
    /// Most replicas
    #[arg(long, value_name = "REPLICAS")]
    pub max: i32,
    /// Mean CPU of the pods to keep to, in percent of what they request
    #[arg(long, value_name = "PERCENT")]
    pub cpu_percent: Option<i32>,
    /// Name of the autoscaler [default: the object's]
    #[arg(long)]
    pub name: Option<String>,
    /// Show what would be done: as this client sees it, or as the server would answer
    #[arg(long, value_name = "none|client|server", num_args = 0..=1, default_missing_value = "client", require_equals = true)]
    pub dry_run: Option<String>,
    #[command(flatten)]
    pub format: Format,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Create {
    #[command(flatten)]
    pub files: Files,
    /// Show what would be done: as this client sees it, or as the server would answer
    #[arg(long, value_name = "none|client|server", num_args = 0..=1, default_missing_value = "client", require_equals = true, global = true)]
    pub dry_run: Option<String>,
    /// yaml, json, name
    #[arg(long, short = 'o', value_name = "FORMAT", global = true)]
    pub output: Option<String>,
    #[command(subcommand)]
    pub what: Option<CreateWhat>,
}

#[derive(Debug, Subcommand)]
pub enum CreateWhat {
    /// A namespace
    #[command(visible_alias = "ns")]
    Namespace { name: String },
    /// A ConfigMap from literals and files
    #[command(name = "configmap", visible_alias = "cm")]
    ConfigMap(CreateConfigMap),
    /// A Secret
    Secret(CreateSecret),
    /// A Deployment of an image
    #[command(visible_alias = "deploy")]
    Deployment(CreateDeployment),
    /// A service account
    #[command(name = "serviceaccount", visible_alias = "sa")]
    ServiceAccount { name: String },
    /// A token of a service account
    Token(CreateToken),
}

#[derive(Args, Debug)]
pub struct CreateConfigMap {
    pub name: String,
    /// KEY=VALUE; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub from_literal: Vec<String>,
    /// [KEY=]PATH of a file or folder; may be repeated
    #[arg(long, value_name = "[KEY=]PATH")]
    pub from_file: Vec<String>,
    /// File of KEY=VALUE lines; may be repeated
    #[arg(long, value_name = "PATH")]
    pub from_env_file: Vec<String>,
}

#[derive(Args, Debug)]
pub struct CreateSecret {
    #[command(subcommand)]
    pub kind: CreateSecretKind,
}

#[derive(Debug, Subcommand)]
pub enum CreateSecretKind {
    /// From literals and files
    Generic {
        #[command(flatten)]
        data: CreateConfigMap,
        #[arg(long = "type", value_name = "TYPE")]
        secret_type: Option<String>,
    },
    /// From a certificate and its key
    Tls {
        name: String,
        #[arg(long, value_name = "FILE")]
        cert: PathBuf,
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
}

#[derive(Args, Debug)]
pub struct CreateDeployment {
    pub name: String,
    /// Image; repeated for several containers
    #[arg(long, required = true)]
    pub image: Vec<String>,
    #[arg(long, default_value_t = 1)]
    pub replicas: u32,
    #[arg(long)]
    pub port: Option<u16>,
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

#[derive(Args, Debug)]
pub struct CreateToken {
    pub name: String,
    #[arg(long, value_name = "DURATION")]
    pub duration: Option<String>,
    #[arg(long)]
    pub audience: Vec<String>,
}

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Delete {
    /// TYPE NAME.., TYPE/NAME.., or TYPE with -l or --all
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
    #[command(flatten)]
    pub files: Files,
    #[command(flatten)]
    pub select: Select,
    /// All objects of the type in the namespace
    #[arg(long)]
    pub all: bool,
    /// Seconds that pods get to end; -1 for their own
    #[arg(long, allow_negative_numbers = true, default_value_t = -1, value_name = "SECONDS")]
    pub grace_period: i64,
    /// Delete at once, without waiting for the node
    #[arg(long)]
    pub force: bool,
    /// Delete at once, but wait for the node
    #[arg(long, conflicts_with = "force")]
    pub now: bool,
    /// Wait until the objects are gone
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub wait: bool,
    /// Longest wait; 0 means until it is done
    #[arg(long, default_value = "0s", value_name = "DURATION")]
    pub timeout: String,
    /// background, foreground or orphan: what happens to the objects that these own
    #[arg(long, default_value = "background", num_args = 0..=1, default_missing_value = "background", require_equals = true)]
    pub cascade: String,
    #[arg(long)]
    pub ignore_not_found: bool,
    /// Show what would be done: as this client sees it, or as the server would answer
    #[arg(long, value_name = "none|client|server", num_args = 0..=1, default_missing_value = "client", require_equals = true)]
    pub dry_run: Option<String>,
    #[command(flatten)]
    pub format: Format,
}

/// Words that name objects.
#[derive(Args, Debug)]
pub struct Named {
    /// TYPE NAME.. or TYPE/NAME..
    #[arg(value_name = "WORD", required = true)]
    pub words: Vec<String>,
}

#[derive(Args, Debug)]
pub struct Scale {
    /// TYPE NAME.. or TYPE/NAME..
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
    #[command(flatten)]
    pub files: Files,
    #[arg(long)]
    pub replicas: u32,
    /// Only where this is the number now
    #[arg(long, allow_negative_numbers = true)]
    pub current_replicas: Option<i64>,
    /// Only at this resourceVersion
    #[arg(long)]
    pub resource_version: Option<String>,
    /// All objects of the type
    #[arg(long)]
    pub all: bool,
    #[arg(long, short = 'l')]
    pub selector: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Rollout {
    /// Watch a rollout until it is done
    Status(RolloutStatus),
    /// List the revisions
    History {
        #[command(flatten)]
        named: Named,
        /// Details of one revision
        #[arg(long)]
        revision: Option<i64>,
    },
    /// Go back to a revision
    Undo(RolloutUndo),
    /// Replace all pods, a few at a time
    Restart(Named),
    /// Hold changes back
    Pause(Named),
    /// Let changes go on
    Resume(Named),
}

#[derive(Args, Debug)]
pub struct RolloutStatus {
    #[command(flatten)]
    pub named: Named,
    #[arg(long, short = 'w', default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub watch: bool,
    /// Longest wait; 0 means until it is done
    #[arg(long, default_value = "0s", value_name = "DURATION")]
    pub timeout: String,
    /// The revision that must be the one rolled out
    #[arg(long)]
    pub revision: Option<i64>,
}

#[derive(Args, Debug)]
pub struct RolloutUndo {
    #[command(flatten)]
    pub named: Named,
    /// The revision; 0 means the one before
    #[arg(long, default_value_t = 0)]
    pub to_revision: i64,
}

#[derive(Debug, Subcommand)]
pub enum Set {
    /// Change the images of containers
    Image(SetImage),
    /// Change the environment of containers
    Env(SetEnv),
}

#[derive(Args, Debug)]
pub struct SetImage {
    /// TYPE/NAME or TYPE NAME, then CONTAINER=IMAGE..
    #[arg(value_name = "WORD", required = true)]
    pub words: Vec<String>,
}

#[derive(Args, Debug)]
pub struct SetEnv {
    /// TYPE/NAME or TYPE NAME, then KEY=VALUE or KEY-
    #[arg(value_name = "WORD", required = true)]
    pub words: Vec<String>,
    /// Only in this container
    #[arg(long, short = 'c')]
    pub container: Option<String>,
}

#[derive(Args, Debug)]
pub struct Label {
    /// TYPE NAME.. or TYPE/NAME.., then KEY=VALUE or KEY-
    #[arg(value_name = "WORD", required = true)]
    pub words: Vec<String>,
    /// Change labels that are already there
    #[arg(long)]
    pub overwrite: bool,
    /// All objects of the type
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub select: Select,
}

#[derive(Args, Debug)]
pub struct Annotate {
    #[command(flatten)]
    pub what: Label,
}

#[derive(Args, Debug)]
pub struct Taint {
    /// node NAME.., then KEY[=VALUE]:EFFECT or KEY[:EFFECT]-
    #[arg(value_name = "WORD", required = true)]
    pub words: Vec<String>,
    /// Change taints that are already there
    #[arg(long)]
    pub overwrite: bool,
}

#[derive(Args, Debug)]
pub struct Patch {
    /// TYPE NAME or TYPE/NAME
    #[arg(value_name = "WORD", required = true)]
    pub words: Vec<String>,
    /// The patch, in JSON or YAML
    #[arg(long, short = 'p', required_unless_present = "patch_file")]
    pub patch: Option<String>,
    #[arg(long, value_name = "FILE")]
    pub patch_file: Option<PathBuf>,
    /// strategic, merge or json
    #[arg(long = "type", default_value = "strategic", value_name = "TYPE")]
    pub patch_type: String,
    /// status, scale
    #[arg(long)]
    pub subresource: Option<String>,
    #[command(flatten)]
    pub format: Format,
}

#[derive(Args, Debug)]
pub struct Replace {
    #[command(flatten)]
    pub files: Files,
    /// Delete and create anew
    #[arg(long)]
    pub force: bool,
}

#[derive(Args, Debug)]
pub struct Edit {
    /// TYPE NAME or TYPE/NAME
    #[arg(value_name = "WORD", required = true)]
    pub words: Vec<String>,
}

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Run {
    pub name: String,
    #[arg(long)]
    pub image: String,
    /// Always, OnFailure or Never
    #[arg(long, default_value = "Always")]
    pub restart: String,
    /// KEY=VALUE; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub env: Vec<String>,
    /// KEY=VALUE,..
    #[arg(long, short = 'l', value_delimiter = ',')]
    pub labels: Vec<String>,
    #[arg(long)]
    pub port: Option<u16>,
    #[arg(long)]
    pub image_pull_policy: Option<String>,
    /// What follows -- replaces the image's entrypoint
    #[arg(long)]
    pub command: bool,
    /// Pass standard input on
    #[arg(long, short = 'i')]
    pub stdin: bool,
    /// Standard input is a terminal
    #[arg(long, short = 't')]
    pub tty: bool,
    /// Attach to the container when it runs
    #[arg(long)]
    pub attach: bool,
    /// Delete the pod afterwards
    #[arg(long)]
    pub rm: bool,
    /// Show what would be done: as this client sees it, or as the server would answer
    #[arg(long, value_name = "none|client|server", num_args = 0..=1, default_missing_value = "client", require_equals = true)]
    pub dry_run: Option<String>,
    #[command(flatten)]
    pub format: Format,
    /// Arguments for the container, after --
    #[arg(last = true, value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
}

#[derive(Args, Debug)]
pub struct Expose {
    /// TYPE NAME or TYPE/NAME
    #[arg(value_name = "WORD", required = true)]
    pub words: Vec<String>,
    #[arg(long)]
    pub name: Option<String>,
    #[arg(long)]
    pub port: Option<u16>,
    /// Number or name
    #[arg(long)]
    pub target_port: Option<String>,
    #[arg(long, default_value = "TCP")]
    pub protocol: String,
    #[arg(long = "type", default_value = "ClusterIP", value_name = "TYPE")]
    pub service_type: String,
}

#[derive(Args, Debug)]
pub struct Cordon {
    #[arg(value_name = "NODE", required = true)]
    pub nodes: Vec<String>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Args, Debug)]
pub struct Drain {
    #[arg(value_name = "NODE", required = true)]
    pub nodes: Vec<String>,
    /// Go on where pods of DaemonSets stay
    #[arg(long)]
    pub ignore_daemonsets: bool,
    /// Go on where emptyDir volumes are lost
    #[arg(long)]
    pub delete_emptydir_data: bool,
    /// Also pods that nothing would make anew
    #[arg(long)]
    pub force: bool,
    /// Seconds that pods get to end; -1 for their own
    #[arg(long, allow_negative_numbers = true, default_value_t = -1, value_name = "SECONDS")]
    pub grace_period: i64,
    /// Longest wait; 0 means until it is done
    #[arg(long, default_value = "0s", value_name = "DURATION")]
    pub timeout: String,
    /// Let the pods of Deployments be replaced before they go (drover.dev/surge-on-eviction)
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub surge: bool,
}

#[derive(Debug, Subcommand)]
pub enum Certificate {
    /// Let a certificate be signed
    Approve(Decide),
    /// Keep a certificate from being signed
    Deny(Decide),
}

#[derive(Args, Debug)]
pub struct Decide {
    /// Names of CertificateSigningRequests
    #[arg(value_name = "NAME")]
    pub requests: Vec<String>,
    #[command(flatten)]
    pub files: Files,
    /// Write the decision again where it has been made
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub format: Format,
}
