//! What was typed, as clap sees it: kubectl's names for commands and flags. Nothing here is validated beyond its form;
//! what it means is [`crate::high`]'s and the verbs' to say.

mod cluster;
mod flag_groups;
mod read;
mod stream;
mod top;
mod write;

pub use cluster::{ApiResources, Auth, CanI, Completion, Config, Explain, Token, TokenCreate, Version};
pub use flag_groups::{Files, Format, Select};
pub use read::{Describe, Events, Get, Wait, Why};
pub use stream::{Attach, Copy, Exec, Logs, PortForward};
pub use top::{SortBy, Top, TopNode, TopPod};
pub use write::{
    Annotate, Applied, Apply, Autoscale, Certificate, Cordon, Create, CreateConfigMap, CreateDeployment, CreateSecret,
    CreateSecretKind, CreateToken, CreateWhat, Decide, Delete, Diff, Drain, Edit, Expose, Label, LastApplied, Named,
    Patch, Replace, Rollout, RolloutStatus, RolloutUndo, Run, Scale, Set, SetEnv, SetImage, Taint, ViewLastApplied,
};

use clap::{Arg, ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// Talks to a Drover or Kubernetes cluster.
#[derive(Debug, Parser)]
#[command(name = "kctl", version, disable_version_flag = true, propagate_version = false, max_term_width = 120)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The command line of a process, its program's name first. Every flag that is on or off may say which
    /// (`--watch=false`), as kubectl's may.
    pub fn read(words: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Self, clap::Error> {
        let mut command = with_values(Self::command());
        let matches = command.try_get_matches_from_mut(words)?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }
}

/// The command with `--flag=true` and `--flag=false` for each `--flag`, its subcommands too.
fn with_values(command: clap::Command) -> clap::Command {
    let switch = |arg: Arg| {
        if !matches!(arg.get_action(), ArgAction::SetTrue) {
            return arg;
        }
        arg.action(ArgAction::Set)
            .value_parser(truth)
            .num_args(0..=1)
            .require_equals(true)
            .default_value("false")
            .default_missing_value("true")
            .hide_default_value(true)
            .value_name("true|false")
    };
    command.mut_args(switch).mut_subcommands(with_values)
}

/// k8s: strconv.ParseBool
fn truth(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("it is true or false".to_owned()),
    }
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connection")]
pub struct Global {
    /// Kubeconfig file [default: $KUBECONFIG, ~/.kube/config, /var/lib/drover/admin.kubeconfig]
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace to work in
    #[arg(long, short = 'n', global = true, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Address of the API server, instead of the kubeconfig's
    #[arg(long, short = 's', global = true, value_name = "URL")]
    pub server: Option<String>,
    /// User to act as
    #[arg(long = "as", global = true, value_name = "USER")]
    pub impersonate: Option<String>,
    /// Group to act as; may be repeated
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    pub impersonate_groups: Vec<String>,
    /// How long to wait for an answer (30s, 1m); 0 waits without end
    #[arg(long, global = true, value_name = "DURATION")]
    pub request_timeout: Option<String>,
    /// How much to tell; from 6 on, every request
    #[arg(long = "v", short = 'v', global = true, value_name = "LEVEL", default_value_t = 0)]
    pub verbosity: u8,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring objects to the state that manifests describe
    Apply(Apply),
    /// Show what applying manifests would change; exit code 1 where it would
    Diff(Diff),
    /// Create an object from a manifest or from arguments
    Create(Create),
    /// Show objects
    Get(Get),
    /// Show objects in detail, with their events
    Describe(Describe),
    /// Show why a pod is where it is, or nowhere: what each node and each of the scheduler's plugins says
    Why(Why),
    /// Show what happened to objects of late
    Events(Events),
    /// Delete objects
    Delete(Delete),
    /// Print the logs of a container
    Logs(Logs),
    /// Run a command in a container
    Exec(Exec),
    /// Attach to the process of a container
    Attach(Attach),
    /// Copy files into a container or out of it, by its own `tar`
    #[command(name = "cp")]
    Copy(Copy),
    /// Forward local ports to a pod
    PortForward(PortForward),
    /// Set the number of replicas
    Scale(Scale),
    /// Make an autoscaler for a workload
    Autoscale(Autoscale),
    /// Watch and steer rollouts
    #[command(subcommand)]
    Rollout(Rollout),
    /// Change images and environments of workloads
    #[command(subcommand)]
    Set(Set),
    /// Wait until objects meet a condition
    Wait(Wait),
    /// Set or remove labels
    Label(Label),
    /// Set or remove annotations
    Annotate(Annotate),
    /// Set or remove taints of nodes
    Taint(Taint),
    /// Change fields of an object by a patch
    Patch(Patch),
    /// Replace objects by manifests
    Replace(Replace),
    /// Change an object in an editor
    Edit(Edit),
    /// Run an image in a pod
    Run(Run),
    /// Make a Service for a workload
    Expose(Expose),
    /// Keep new pods away from a node
    Cordon(Cordon),
    /// Let pods come to a node again
    Uncordon(Cordon),
    /// Move the pods of a node away
    Drain(Drain),
    /// Explain the fields of a resource
    Explain(Explain),
    /// List the resources that the server has
    ApiResources(ApiResources),
    /// List the API versions that the server has
    ApiVersions,
    /// Print the versions of client and server
    Version(Version),
    /// Print where the cluster's services are
    ClusterInfo,
    /// Ask who you are and what you may do
    #[command(subcommand)]
    Auth(Auth),
    /// Decide on certificates that were asked for
    #[command(subcommand)]
    Certificate(Certificate),
    /// Tokens that let machines join the cluster
    #[command(subcommand)]
    Token(Token),
    /// Look at and change the kubeconfig
    #[command(subcommand)]
    Config(Config),
    /// Print a shell's completion script
    Completion(Completion),
    /// Show what nodes and pods use
    #[command(subcommand)]
    Top(Top),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_tree_is_consistent() {
        with_values(Cli::command()).debug_assert();
    }

    #[test]
    fn a_flag_may_say_whether_it_is_on() {
        let get =
            |line: &str| match Cli::read(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}")).command {
                Command::Get(get) => (get.watch, get.no_headers, get.select.all_namespaces),
                other => panic!("{other:?}"),
            };
        assert_eq!(get("kctl get pods"), (false, false, false));
        assert_eq!(get("kctl get pods -w --no-headers -A"), (true, true, true));
        assert_eq!(get("kctl get -Aw pods --no-headers=True"), (true, true, true));
        assert_eq!(get("kctl get --watch=false pods --no-headers=1 --all-namespaces=f"), (false, true, false));
        for line in [
            "kctl label pods a x=y --overwrite=true",
            "kctl delete pod a --ignore-not-found=true --wait=false --now=false",
            "kctl run -it --rm=true a --image=i -- sh -c true",
        ] {
            understand(line);
        }
        assert!(Cli::read(["kctl", "get", "pods", "--watch=perhaps"]).is_err());
    }

    fn understand(line: &str) {
        if let Err(error) = Cli::read(line.split(' ')) {
            panic!("{line}: {error}");
        }
    }

    #[test]
    fn kubectls_command_lines_are_understood() {
        for line in [
            "get pods -n shop -o wide",
            "get pods,svc -A -l app=web --show-labels",
            "get pod a b -ojsonpath={.items[*].metadata.name}",
            "get all --no-headers",
            "get pods -w",
            "-n shop get deploy/web -o yaml",
            "apply -f a.yaml -f b.yaml -R",
            "apply -f -",
            "apply --server-side --force-conflicts -f a.yaml",
            "apply -f a.yaml --dry-run=server",
            "diff -f a.yaml --server-side",
            "autoscale deployment/web --min=2 --max=5 --cpu-percent=80",
            "create namespace shop",
            "create ns shop",
            "create configmap c --from-literal=a=b --from-file=x",
            "create secret generic s --from-literal=a=b",
            "create deployment web --image=drover.local/web:1 --replicas=2",
            "create token default --duration=1h",
            "create -f a.yaml",
            "delete pod a --grace-period=0 --force",
            "delete pods --all --wait=false",
            "delete -f a.yaml --ignore-not-found",
            "delete deployment web --cascade=orphan",
            "logs -f web-1 -c web --tail=10 --since=5m --timestamps",
            "logs deployment/web --all-containers -p",
            "logs -l app=web --tail=-1",
            "exec web-1 -- /web ls /www",
            "exec -it web-1 -c web -- sh -c true",
            "attach web-1 -it",
            "cp ./a shop/web-1:/tmp/a -c web --no-preserve",
            "port-forward pod/web-1 18080:8080 :90 --address=127.0.0.1",
            "scale deployment/web --replicas=5",
            "scale --replicas=5 --current-replicas=3 deployment web",
            "rollout status -n shop deployment/web --timeout=60s",
            "rollout undo deployment/web --to-revision=2",
            "rollout restart deployment web",
            "rollout history deploy/web --revision=2",
            "set image deployment/web web=drover.local/web:2",
            "set env deployment/web A=b C-",
            "wait pod -l app=web --for=condition=Ready --timeout=60s",
            "wait --for=jsonpath={.status.phase}=Running pod/a",
            "wait --for=delete pod/a --timeout=-1s",
            "label pods a x=y z- --overwrite",
            "annotate pod/a x=y",
            "patch deployment web -p {} --type=merge",
            "run a --image=i --restart=Never --env=A=b -- /web ls",
            "run -it --rm a --image=i",
            "drain n1 --ignore-daemonsets --delete-emptydir-data --force",
            "token create --ttl=2h --single-use --print-join-command",
            "token list",
            "token revoke abcdef",
            "api-resources --namespaced=true -o name",
            "version -o json",
            "apply view-last-applied deployment/web -o json",
            "apply view-last-applied -f a.yaml",
            "events -A --types=Warning,Normal --no-headers",
            "events --for pod/web-1 --watch",
            "certificate approve a b --force",
            "certificate deny -f a.yaml -o yaml",
            "auth can-i create pods --as system:node:a --as-group=system:nodes",
            "config use-context x",
            "completion bash",
            "get pods -v=6",
        ] {
            understand(&format!("kctl {line}"));
        }
    }
}
