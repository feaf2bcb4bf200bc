//! Commands that keep a connection: `logs`, `exec`, `attach`, `cp`, `port-forward`.

use clap::Args;

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Logs {
    /// POD or TYPE/NAME, and a container
    #[arg(value_name = "WORD", num_args = 0..=2)]
    pub words: Vec<String>,
    /// Go on with new lines
    #[arg(long, short = 'f')]
    pub follow: bool,
    /// Of the container before its last restart
    #[arg(long, short = 'p')]
    pub previous: bool,
    /// Of this container
    #[arg(long, short = 'c', value_name = "NAME")]
    pub container: Option<String>,
    /// Of all containers of the pod
    #[arg(long)]
    pub all_containers: bool,
    /// Only the last lines; -1 for all
    #[arg(long, allow_negative_numbers = true, value_name = "LINES")]
    pub tail: Option<i64>,
    /// Only lines newer than this: 5s, 2m, 3h
    #[arg(long, value_name = "DURATION")]
    pub since: Option<String>,
    /// Only lines after this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub since_time: Option<String>,
    /// Only so many bytes
    #[arg(long, value_name = "BYTES")]
    pub limit_bytes: Option<u64>,
    /// Begin lines with their time
    #[arg(long)]
    pub timestamps: bool,
    /// Begin lines with pod and container
    #[arg(long)]
    pub prefix: bool,
    /// Of all pods with these labels
    #[arg(long, short = 'l')]
    pub selector: Option<String>,
    /// Most logs to follow at once with a selector
    #[arg(long, default_value_t = 5)]
    pub max_log_requests: usize,
    /// With a selector, go on where a pod's log cannot be read
    #[arg(long)]
    pub ignore_errors: bool,
}

#[derive(Args, Debug)]
pub struct Exec {
    /// POD or TYPE/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
    /// In this container [default: the pod's first]
    #[arg(long, short = 'c', value_name = "NAME")]
    pub container: Option<String>,
    /// Pass standard input on
    #[arg(long, short = 'i')]
    pub stdin: bool,
    /// Standard input is a terminal
    #[arg(long, short = 't')]
    pub tty: bool,
    /// Only print what the command prints
    #[arg(long, short = 'q')]
    pub quiet: bool,
    /// The command and its arguments, after --
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

#[derive(Args, Debug)]
pub struct Copy {
    /// PATH, or [NAMESPACE/]POD:PATH
    #[arg(value_name = "FROM")]
    pub from: String,
    /// PATH, or [NAMESPACE/]POD:PATH
    #[arg(value_name = "TO")]
    pub to: String,
    /// In this container [default: the pod's first]
    #[arg(long, short = 'c', value_name = "NAME")]
    pub container: Option<String>,
    /// Do not keep owners and modes in the container
    #[arg(long)]
    pub no_preserve: bool,
}

#[derive(Args, Debug)]
pub struct Attach {
    /// POD or TYPE/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
    /// In this container [default: the pod's first]
    #[arg(long, short = 'c', value_name = "NAME")]
    pub container: Option<String>,
    /// Pass standard input on
    #[arg(long, short = 'i')]
    pub stdin: bool,
    /// Standard input is a terminal
    #[arg(long, short = 't')]
    pub tty: bool,
    /// Only print what the container prints
    #[arg(long, short = 'q')]
    pub quiet: bool,
}

#[derive(Args, Debug)]
pub struct PortForward {
    /// POD or TYPE/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
    /// PORT, LOCAL:REMOTE, or :REMOTE for a free local port
    #[arg(value_name = "PORTS", required = true)]
    pub ports: Vec<String>,
    /// Addresses to listen on
    #[arg(long, default_value = "localhost", value_delimiter = ',', value_name = "ADDRESS")]
    pub address: Vec<String>,
}
