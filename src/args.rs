//! What was typed: the commands of `drover` and their flags. Parsed here, meant elsewhere.

use crate::access_args::AccessArgs;
use crate::node_args::{CredentialProviders, Registration, Shutdown};
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use client::join_token::JoinToken;
use controllers::Pool;
use jiff::SignedDuration;
use kinds::ip::{Cidr, Family};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

#[derive(Debug, Parser)]
#[command(name = "drover", version, about = "A Kubernetes-compatible orchestrator in one binary", max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// What `words` mean; the API server also gets them as it shows them.
    pub(crate) fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let typed = Self::command().try_get_matches_from(words)?;
        let mut cli = Self::from_arg_matches(&typed).map_err(|error| error.format(&mut Self::command()))?;
        if let Command::Up(Up { server, .. }) | Command::Server(server) | Command::Apiserver(server) = &mut cli.command
        {
            server.flags = flags(&typed);
        }
        Ok(cli)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a whole cluster on this machine: control plane, node agent, runtime and proxy in one process
    Up(Up),
    /// Start the control plane: API server, controllers, scheduler and DNS
    Server(Server),
    /// Make this machine a node of a cluster: node agent, runtime and proxy
    Agent(Agent),
    /// Start an API server alone
    Apiserver(Server),
    /// Start a scheduler alone; of several, one works
    Scheduler(Scheduler),
    /// Start the controllers alone; of several, one works
    Controllers(Controllers),
    /// Program Services on this machine, and nothing else
    Proxy(Proxy),
    /// Serve Ingresses on this machine, and nothing else
    Ingress(Ingress),
    /// Save the cluster's objects and keys in a file, while it runs
    Backup(Backup),
    /// Make a data folder from such a file; with `--store etcd://..`, move a cluster to etcd
    Restore(Restore),
    /// Serve containers to others over CRI, and nothing else
    Runtime(Runtime),
    /// Container images of this node
    #[command(subcommand)]
    Image(Image),
}

/// Where things are, the same for all commands.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// Folder of everything that Drover keeps
    #[arg(long, env = "DROVER_DATA_DIR", default_value = "/var/lib/drover")]
    pub(crate) data_dir: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Server {
    /// All that was typed and all that was not, as `/flagz` shows it.
    #[arg(skip)]
    pub(crate) flags: BTreeMap<String, String>,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Where state lives: `embedded`, or etcd as `etcd://HOST:PORT,HOST:PORT`
    #[arg(long, default_value = "embedded")]
    pub(crate) store: String,
    /// Address of the secure port
    #[arg(long, default_value = "0.0.0.0:6443")]
    pub(crate) bind: SocketAddr,
    /// Addresses for Services; for dual stack a range of each family, such as 10.43.0.0/16,fd00:43::/112
    #[arg(long, default_value = "10.43.0.0/16")]
    pub(crate) service_cidr: Cidrs,
    /// Addresses for pods; each node gets a /24 of them, and a /64 of IPv6: 10.42.0.0/16,fd00:42::/56 is dual stack
    #[arg(long, default_value = "10.42.0.0/16")]
    pub(crate) cluster_cidr: Cidrs,
    /// Address of the cluster's DNS Service (default: the tenth of the Services' range)
    #[arg(long)]
    pub(crate) cluster_dns: Option<IpAddr>,
    /// A KubeSchedulerConfiguration: profiles, plugins, their weights and arguments
    #[arg(long, value_name = "FILE")]
    pub(crate) scheduler_config: Option<PathBuf>,
    /// Address at which others reach this machine (default: that of the default route); for dual stack one of each family
    #[arg(long, value_name = "IP[,IP]")]
    pub(crate) node_ip: Option<NodeIps>,
    /// Further name or address for the API server's certificate, such as a balancer's; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) tls_san: Vec<String>,
    /// How long a node may be silent before its pods are replaced (Kubernetes: 50)
    #[arg(long, value_name = "SECONDS", default_value_t = 12)]
    pub(crate) node_grace_seconds: u32,
    /// Addresses for Services of type LoadBalancer, such as 192.168.1.240-192.168.1.250, 192.168.2.0/28 or
    /// 2001:db8::100/120; nodes answer for them on their link
    #[arg(long, value_name = "RANGE,..", default_value = "", hide_default_value = true)]
    pub(crate) load_balancer_pool: Pool,
    /// How other machines' pods are reached from here
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(crate) pod_network: PodNetwork,
    /// Tokens that are good from the begin, a line each: TOKEN,USER,UID,"GROUP,.."
    #[arg(long, value_name = "FILE")]
    pub(crate) token_auth_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) access: Box<AccessArgs>,
    /// Leave a part out, to install another in its place; may be repeated
    #[arg(long, value_name = "PART")]
    pub(crate) disable: Vec<Addon>,
}

/// How machines reach each other's pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PodNetwork {
    /// Plain routes to machines on the same link, VXLAN to others
    Auto,
    /// Plain routes only
    Routes,
    /// VXLAN to all: for clouds that drop addresses which they do not know
    Vxlan,
    /// Nothing: something else does it
    None,
}

/// How Services are programmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProxyMode {
    /// Chains that people and tools know
    Iptables,
    /// Verdict maps: as fast with many Services as with few
    Nftables,
}

impl From<ProxyMode> for proxy::Mode {
    fn from(mode: ProxyMode) -> Self {
        match mode {
            ProxyMode::Iptables => Self::Iptables,
            ProxyMode::Nftables => Self::Nftables,
        }
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Backup {
    /// File to make
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Restore {
    /// File that `drover backup` made
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Where state is to live: `embedded`, or an empty etcd as `etcd://HOST:PORT,HOST:PORT`
    #[arg(long, default_value = "embedded")]
    pub(crate) store: String,
}

/// A client of a cluster that runs as a process of its own.
#[derive(Debug, Clone, Args)]
pub(crate) struct Client {
    /// Kubeconfig with the component's identity
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: PathBuf,
    /// API server to use instead of the kubeconfig's; repeated, the next one is used when one is lost
    #[arg(long, value_name = "URL")]
    pub(crate) server: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Scheduler {
    #[command(flatten)]
    pub(crate) client: Client,
    /// A KubeSchedulerConfiguration: profiles, plugins, their weights and arguments
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Controllers {
    #[command(flatten)]
    pub(crate) client: Client,
    /// Addresses for pods; each node gets a /24 of them, and a /64 of IPv6
    #[arg(long, default_value = "10.42.0.0/16")]
    pub(crate) cluster_cidr: Cidrs,
    /// How long a node may be silent before its pods are replaced (Kubernetes: 50)
    #[arg(long, value_name = "SECONDS", default_value_t = 12)]
    pub(crate) node_grace_seconds: u32,
    /// Addresses for Services of type LoadBalancer, such as 192.168.1.240-192.168.1.250, 192.168.2.0/28 or
    /// 2001:db8::100/120; nodes answer for them on their link
    #[arg(long, value_name = "RANGE,..", default_value = "", hide_default_value = true)]
    pub(crate) load_balancer_pool: Pool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Proxy {
    #[command(flatten)]
    pub(crate) client: Client,
    /// Name of this node (default: the host name)
    #[arg(long)]
    pub(crate) node_name: Option<String>,
    /// Which packet filter leads Services to pods
    #[arg(long, value_name = "MODE", default_value = "iptables")]
    pub(crate) proxy_mode: ProxyMode,
    /// Addresses for pods; traffic from elsewhere is masqueraded
    #[arg(long, default_value = "10.42.0.0/16")]
    pub(crate) cluster_cidr: Cidrs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Ingress {
    #[command(flatten)]
    pub(crate) client: Client,
    /// Port for HTTP
    #[arg(long, value_name = "PORT", default_value_t = 80)]
    pub(crate) http_port: u16,
    /// Port for HTTPS
    #[arg(long, value_name = "PORT", default_value_t = 443)]
    pub(crate) https_port: u16,
    /// Address that Ingresses say in their statuses (default: that of the default route); repeated where several machines
    /// serve them: all are told the same
    #[arg(long, value_name = "IP")]
    pub(crate) address: Vec<IpAddr>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Agent {
    #[command(flatten)]
    pub(crate) place: Place,
    /// API server, such as https://10.0.0.1:6443; repeated, the next one is used when one is lost
    #[arg(long, value_name = "URL", required = true)]
    pub(crate) server: Vec<String>,
    /// Join token, as `drover server` or `kctl token create` printed it; needed until the machine has joined
    #[arg(long, env = "DROVER_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<JoinToken>,
    /// Address at which others reach this machine (default: that of the default route); for dual stack one of each family
    #[arg(long, value_name = "IP[,IP]")]
    pub(crate) node_ip: Option<NodeIps>,
    /// How other machines' pods are reached from here
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(crate) pod_network: PodNetwork,
    #[command(flatten)]
    pub(crate) node: Node,
}

/// Somebody else's plugins for the network of pods.
#[derive(Debug, Clone, Args)]
pub(crate) struct Cni {
    /// Folder with the network's configuration (*.conflist): its CNI plugins connect pods, and nothing of ours does
    #[arg(long, value_name = "DIR")]
    cni_conf_dir: Option<PathBuf>,
    /// Folder with CNI plugins; may be repeated
    #[arg(long, value_name = "DIR", default_value = "/opt/cni/bin", requires = "cni_conf_dir")]
    cni_bin_dir: Vec<PathBuf>,
}

impl Cni {
    pub(crate) fn config(&self) -> Option<runtime::CniConfig> {
        let conf_dir = self.cni_conf_dir.clone()?;
        Some(runtime::CniConfig { conf_dir, bin_dirs: self.cni_bin_dir.clone() })
    }
}

/// A container runtime as a process of its own. Its pods outlive it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Runtime {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Folder of the cgroup hierarchies below which the groups that clients name are made
    #[arg(long, default_value = "")]
    pub(crate) cgroup_root: String,
    /// Addresses for pods; traffic to elsewhere is masqueraded
    #[arg(long, default_value = "10.42.0.0/16")]
    pub(crate) cluster_cidr: Cidrs,
    /// Addresses for the pods of this machine until an agent or a kubelet names others (default: the first /24 of
    /// --cluster-cidr)
    #[arg(long)]
    pub(crate) pod_cidr: Option<Cidrs>,
    /// Address at which others reach this machine (default: that of the default route); for dual stack one of each family
    #[arg(long, value_name = "IP[,IP]")]
    pub(crate) node_ip: Option<NodeIps>,
    /// How other machines' pods are reached from here
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(crate) pod_network: PodNetwork,
    /// Where to look first for the images of a registry; may be repeated (registry.k8s.io=https://mirror.example:5000)
    #[arg(long, value_name = "REGISTRY=URL")]
    pub(crate) registry_mirror: Vec<runtime::Mirror>,
    #[command(flatten)]
    pub(crate) cni: Cni,
}

impl Server {
    /// Refuses ranges that cannot work together.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let (pods, services) = (&self.cluster_cidr, &self.service_cidr);
        anyhow::ensure!(
            !pods.overlaps(services),
            "--cluster-cidr {pods} and --service-cidr {services} overlap: an address would be of a pod and of a Service"
        );
        anyhow::ensure!(
            services.primary().family() == pods.primary().family() && services.all().len() <= pods.all().len(),
            "--service-cidr {services} has an address family first, or alone, that --cluster-cidr {pods} has not"
        );
        self.check_node_ips()?;
        if let Some(dns) = self.cluster_dns {
            anyhow::ensure!(
                services.contains(dns) || self.disable.contains(&Addon::Dns),
                "--cluster-dns {dns} is not in --service-cidr {services}: only an address in it can lead to the cluster's DNS"
            );
        }
        let node_ips = self.node_ip.as_ref().map(NodeIps::all).unwrap_or_default();
        for (first, last) in self.load_balancer_pool.ranges() {
            let taken = pods.all().iter().chain(services.all()).find(|range| range.meets(*first, *last));
            if let Some(range) = taken {
                anyhow::bail!("--load-balancer-pool {first}-{last} meets {range}, which is for pods or Services");
            }
            if let Some(ip) = node_ips.iter().find(|ip| (first..=last).contains(ip)) {
                anyhow::bail!("--node-ip {ip} lies in --load-balancer-pool {first}-{last}: it would be given away");
            }
        }
        Ok(())
    }

    fn check_node_ips(&self) -> anyhow::Result<()> {
        for ip in self.node_ip.as_ref().map(NodeIps::all).unwrap_or_default() {
            crate::machine::require_own_address(*ip)?;
        }
        for ip in crate::machine::addresses(self.node_ip.as_ref()) {
            let taken = self.cluster_cidr.all().iter().chain(self.service_cidr.all()).find(|range| range.contains(ip));
            if let Some(range) = taken {
                anyhow::bail!(
                    "address {ip} of this machine lies in {range}, which is for pods or Services: choose other ranges with \
                     --cluster-cidr and --service-cidr"
                );
            }
        }
        Ok(())
    }

    pub(crate) fn cluster_dns(&self) -> IpAddr {
        self.cluster_dns.unwrap_or_else(|| self.service_cidr.primary().nth(DNS_HOST))
    }
}

/// k8s: where installers put the DNS Service by convention.
const DNS_HOST: u128 = 10;

/// Parts of a cluster that somebody may bring himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Addon {
    /// The DNS server; pods still ask at the address of `--cluster-dns`
    Dns,
    /// The default class `local-path`: directories of nodes for claims
    LocalStorage,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) node: Node,
    /// Serve Ingresses on this machine, of the class `drover`
    #[arg(long)]
    pub(crate) ingress: bool,
    /// Port for HTTP of Ingresses
    #[arg(long, value_name = "PORT", default_value_t = 80, requires = "ingress")]
    pub(crate) ingress_http_port: u16,
    /// Port for HTTPS of Ingresses
    #[arg(long, value_name = "PORT", default_value_t = 443, requires = "ingress")]
    pub(crate) ingress_https_port: u16,
}

/// What a machine that runs pods is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct Node {
    /// Name of this node (default: the host name)
    #[arg(long)]
    pub(crate) node_name: Option<String>,
    /// Container logs
    #[arg(long, default_value = "/var/log/pods")]
    pub(crate) log_dir: PathBuf,
    /// Folder below the cgroup hierarchies for this node's pods
    #[arg(long, default_value = "")]
    pub(crate) cgroup_root: String,
    /// Folder with pods in files (static pods), which run whatever the API says
    #[arg(long, value_name = "DIR")]
    pub(crate) static_pod_dir: Option<PathBuf>,
    /// CRI socket of another container runtime, to use instead of one in this process; pods outlive this process then
    #[arg(long, value_name = "SOCKET", value_parser = socket)]
    pub(crate) container_runtime_endpoint: Option<PathBuf>,
    /// How many pods the node takes; its range has addresses for 253
    #[arg(long, value_name = "NUMBER", default_value_t = 110, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_pods: u32,
    /// Image archive to import once the runtime is up; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) image: Vec<PathBuf>,
    /// Where to look first for the images of a registry; may be repeated (registry.k8s.io=https://mirror.example:5000)
    #[arg(long, value_name = "REGISTRY=URL", conflicts_with = "container_runtime_endpoint")]
    pub(crate) registry_mirror: Vec<runtime::Mirror>,
    #[command(flatten)]
    pub(crate) cni: Cni,
    /// Leave containers running on Ctrl-C; the next start finds them
    #[arg(long)]
    pub(crate) keep_pods: bool,
    /// Which packet filter leads Services to pods
    #[arg(long, value_name = "MODE", default_value = "iptables")]
    pub(crate) proxy_mode: ProxyMode,
    #[command(flatten)]
    pub(crate) shutdown: Shutdown,
    #[command(flatten)]
    pub(crate) registration: Registration,
    #[command(flatten)]
    pub(crate) credentials: CredentialProviders,
    /// Answer pods that ask for a name which their namespace does not have with what the rest of their search path leads to:
    /// one round trip in place of four or more, but a missing Service is looked for outside of the cluster too
    #[arg(long)]
    pub(crate) dns_search_path: bool,
    /// How long others believe this node when it is silent; it speaks four times as often (Kubernetes: 40)
    #[arg(long, value_name = "SECONDS", default_value_t = 12, value_parser = clap::value_parser!(u32).range(4..))]
    pub(crate) node_lease_seconds: u32,
}

/// k8s: kubelets are given a URL.
fn socket(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text.strip_prefix("unix://").unwrap_or(text));
    if path.is_absolute() { Ok(path) } else { Err(format!("`{text}` is not the full path of a socket")) }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration such as 30s or 1m30s");
    text.parse::<SignedDuration>().ok().and_then(|parsed| Duration::try_from(parsed).ok()).ok_or_else(wrong)
}

#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    /// Import an archive (docker-archive or OCI layout)
    #[command(visible_alias = "load")]
    Import {
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// List the images of this node
    Ls {
        #[command(flatten)]
        place: Place,
    },
    /// Remove an image
    Rm {
        image: String,
        #[command(flatten)]
        place: Place,
    },
    /// Pull an image from its registry
    Pull {
        image: String,
        #[command(flatten)]
        place: Place,
    },
    /// Give an image one more name
    Tag {
        /// A name or id that it has
        image: String,
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Save images in an archive (an OCI layout that docker can load)
    Save {
        #[arg(required = true)]
        images: Vec<String>,
        /// File to make
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Send an image to the registry that its name says
    Push(Push),
    /// Build an image from a Dockerfile
    Build(Build),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Build {
    /// Folder that COPY and ADD take files from
    pub(crate) context: PathBuf,
    /// Name of the image; may be repeated
    #[arg(long, short, value_name = "NAME")]
    pub(crate) tag: Vec<String>,
    /// Dockerfile to read (default: that in the folder)
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Build argument, `NAME=VALUE`, or `NAME` for a variable of the environment; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) build_arg: Vec<String>,
    /// Stage to build, by name or number (default: the last)
    #[arg(long, value_name = "STAGE")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Push {
    pub(crate) image: String,
    /// User of the registry; the password is taken from the environment
    #[arg(long, requires = "password")]
    pub(crate) username: Option<String>,
    #[arg(long, env = "DROVER_REGISTRY_PASSWORD", hide_env_values = true, hide = true)]
    pub(crate) password: Option<String>,
    /// Token that the registry takes as it is, instead of a user
    #[arg(long, env = "DROVER_REGISTRY_TOKEN", hide_env_values = true, conflicts_with = "username")]
    pub(crate) token: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// A range of addresses, or one of each family with a comma between them: `10.42.0.0/16,fd00:42::/56`. The first is of
/// the family that everything has by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cidrs(Vec<Cidr>);

impl Cidrs {
    /// One or two, the primary family's first.
    pub(crate) fn all(&self) -> &[Cidr] {
        &self.0
    }

    pub(crate) fn families(&self) -> impl Iterator<Item = Family> {
        self.0.iter().map(|cidr| cidr.family())
    }

    pub(crate) fn primary(&self) -> Cidr {
        self.0[0]
    }

    fn contains(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|cidr| cidr.contains(ip))
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.0.iter().any(|cidr| other.0.iter().any(|other| cidr.overlaps(*other)))
    }

    /// What one machine's pods get: of each range the first part of a node's size, or all of it if it is no larger.
    pub(crate) fn first_of_a_node(&self) -> Self {
        Self(self.0.iter().filter_map(|cidr| cidr.parts(controllers::node_cidr_length(cidr.family())).next()).collect())
    }
}

impl fmt::Display for Cidrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join(","))
    }
}

/// Prefixes that leave room for nodes with pods, or for Services.
fn lengths(family: Family) -> std::ops::RangeInclusive<u8> {
    match family {
        Family::V4 => 8..=28,
        Family::V6 => 32..=120,
    }
}

impl FromStr for Cidrs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let cidrs: Vec<Cidr> = text.split(',').map(range).collect::<Result<_, _>>()?;
        match cidrs[..] {
            [only] if only.family() == Family::V6 => {
                Err(format!("`{text}`: IPv6 alone is not supported yet; give an IPv4 range too, behind a comma"))
            }
            [_] => Ok(Self(cidrs)),
            [first, second] if first.family() != second.family() => Ok(Self(cidrs)),
            _ => Err(format!("`{text}` is neither one range nor one of IPv4 and one of IPv6")),
        }
    }
}

fn range(text: &str) -> Result<Cidr, String> {
    let cidr: Cidr =
        text.parse().map_err(|_| format!("`{text}` is not a range such as 10.42.0.0/16 or fd00:42::/56"))?;
    let lengths = lengths(cidr.family());
    if !lengths.contains(&cidr.length()) {
        return Err(format!("`{text}`: a range of /{} to /{} is needed", lengths.start(), lengths.end()));
    }
    let written = text.trim().split_once('/').and_then(|(address, _)| address.parse().ok());
    if written != Some(cidr.first()) {
        return Err(format!("`{text}` is not the first address of its range: {cidr} is"));
    }
    Ok(cidr)
}

/// Where others reach a machine: an address, or one of each family with a comma between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeIps(Vec<IpAddr>);

impl NodeIps {
    pub(crate) fn all(&self) -> &[IpAddr] {
        &self.0
    }
}

impl FromStr for NodeIps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = |text: &str| text.trim().parse().map_err(|_| format!("`{text}` is not an address"));
        let all: Vec<IpAddr> = text.split(',').map(address).collect::<Result<_, _>>()?;
        match all[..] {
            [_] => Ok(Self(all)),
            [first, second] if first.is_ipv4() != second.is_ipv4() => Ok(Self(all)),
            _ => Err(format!("`{text}` is neither one address nor one of each family")),
        }
    }
}

/// Every flag of the command that was typed, with its value, as it would be typed.
fn flags(typed: &ArgMatches) -> BTreeMap<String, String> {
    let command = Cli::command();
    let Some((name, typed)) = typed.subcommand() else { return BTreeMap::new() };
    let known = command.find_subcommand(name).into_iter().flat_map(clap::Command::get_arguments);
    let shown = known.filter_map(|arg| {
        let values = typed.try_get_raw(arg.get_id().as_str()).ok().flatten().into_iter().flatten();
        let value = values.map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(",");
        // A URL may hold who one is.
        let is_secret = value.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
        Some((arg.get_long()?.to_owned(), if is_secret { "CLASSIFIED".to_owned() } else { value }))
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_flags_are_shown_and_no_secrets() {
        let words = ["drover", "server", "--tls-san", "a", "--tls-san", "b", "--store", "etcd://me:secret@h:2379"];
        let Command::Server(Server { flags: shown, .. }) = Cli::read(words.map(OsString::from)).unwrap().command else {
            panic!("another command")
        };
        let of = |flag: &str| shown.get(flag).map(String::as_str);
        assert_eq!((of("tls-san"), of("store")), (Some("a,b"), Some("CLASSIFIED")));
        assert_eq!((of("service-cidr"), of("cluster-dns")), (Some("10.43.0.0/16"), Some("")));
        assert_eq!((of("audit-log-maxsize"), of("help")), (Some("100"), None));
        let Command::Up(up) = Cli::read(["drover", "up", "--ingress"].map(OsString::from)).unwrap().command else {
            panic!("another command")
        };
        assert_eq!(up.server.flags.get("ingress").map(String::as_str), Some("true"));
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn ranges_that_do_not_go_together_are_refused() {
        let mine = crate::machine::addresses(None).into_iter().find(IpAddr::is_ipv4).unwrap();
        let around_me = format!("--cluster-cidr={}", Cidr::new(mine, 28).unwrap());
        for (flag, why) in [
            ("--service-cidr=10.42.128.0/20", "overlap"),
            (around_me.as_str(), "of this machine lies in"),
            ("--service-cidr=10.43.0.0/16,fd00:43::/112", "has an address family"),
            ("--cluster-dns=10.99.0.10", "is not in --service-cidr"),
            ("--load-balancer-pool=10.43.1.0/28", "is for pods or Services"),
            ("--node-ip=192.0.2.1", "is not an address of this machine"),
        ] {
            let Command::Server(server) = Cli::parse_from(["drover", "server", flag]).command else { panic!() };
            let said = server.check().expect_err(flag).to_string();
            assert!(said.contains(why), "{flag}: {said}");
        }
    }

    #[test]
    fn durations_are_read_strictly() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        for wrong in ["30", "-1s", "soon"] {
            assert_eq!(duration(wrong), Err(format!("`{wrong}` is not a duration such as 30s or 1m30s")));
        }
    }

    #[test]
    fn ranges_are_read_strictly() {
        for (text, wanted) in [
            ("10.42.0.0/16", "10.42.0.0/16"),
            ("10.42.0.0/16,fd00:42::/56", "10.42.0.0/16,fd00:42::/56"),
            ("fd00:42::/56,10.42.0.0/16", "fd00:42::/56,10.42.0.0/16"),
            ("10.42.0.1/16", "`10.42.0.1/16` is not the first address of its range: 10.42.0.0/16 is"),
            ("10.42.0.0", "`10.42.0.0` is not a range such as 10.42.0.0/16 or fd00:42::/56"),
            ("10.42.0.0/30", "`10.42.0.0/30`: a range of /8 to /28 is needed"),
            ("10.42.0.0/16,fd00::/16", "`fd00::/16`: a range of /32 to /120 is needed"),
            (
                "10.42.0.0/16,10.43.0.0/16",
                "`10.42.0.0/16,10.43.0.0/16` is neither one range nor one of IPv4 and one of IPv6",
            ),
            ("fd00:42::/56", "`fd00:42::/56`: IPv6 alone is not supported yet; give an IPv4 range too, behind a comma"),
        ] {
            let outcome = text.parse::<Cidrs>().map_or_else(|error| error, |cidr| cidr.to_string());
            assert_eq!(outcome, wanted);
        }
    }
}
