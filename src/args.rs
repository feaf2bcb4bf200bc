//! What was typed: the commands of `drover` and their flags. Parsed here, meant elsewhere.

use crate::access_args::AccessArgs;
use clap::{Args, Parser, Subcommand, ValueEnum};
use client::join_token::JoinToken;
use controllers::Pool;
use jiff::SignedDuration;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

#[derive(Debug, Parser)]
#[command(name = "drover", version, about = "A Kubernetes-compatible orchestrator in one binary", max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
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
    #[command(flatten)]
    pub(crate) place: Place,
    /// Where state lives: `embedded`, or etcd as `etcd://HOST:PORT,HOST:PORT`
    #[arg(long, default_value = "embedded")]
    pub(crate) store: String,
    /// Address of the secure port
    #[arg(long, default_value = "0.0.0.0:6443")]
    pub(crate) bind: SocketAddr,
    /// Addresses for Services
    #[arg(long, default_value = "10.43.0.0/16")]
    pub(crate) service_cidr: Cidr,
    /// Addresses for pods; each node gets a /24 of them
    #[arg(long, default_value = "10.42.0.0/16")]
    pub(crate) cluster_cidr: Cidr,
    /// Address of the cluster's DNS Service (default: the tenth of the Services' range)
    #[arg(long)]
    pub(crate) cluster_dns: Option<IpAddr>,
    /// A KubeSchedulerConfiguration: profiles, plugins, their weights and arguments
    #[arg(long, value_name = "FILE")]
    pub(crate) scheduler_config: Option<PathBuf>,
    /// Address at which others reach this machine (default: that of the default route)
    #[arg(long)]
    pub(crate) node_ip: Option<IpAddr>,
    /// Further name or address for the API server's certificate, such as a balancer's; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) tls_san: Vec<String>,
    /// How long a node may be silent before its pods are replaced (Kubernetes: 50)
    #[arg(long, value_name = "SECONDS", default_value_t = 12)]
    pub(crate) node_grace_seconds: u32,
    /// Addresses for Services of type LoadBalancer, such as 192.168.1.240-192.168.1.250 or 192.168.2.0/28; nodes answer
    /// for them on their link
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
    /// Addresses for pods; each node gets a /24 of them
    #[arg(long, default_value = "10.42.0.0/16")]
    pub(crate) cluster_cidr: Cidr,
    /// How long a node may be silent before its pods are replaced (Kubernetes: 50)
    #[arg(long, value_name = "SECONDS", default_value_t = 12)]
    pub(crate) node_grace_seconds: u32,
    /// Addresses for Services of type LoadBalancer, such as 192.168.1.240-192.168.1.250 or 192.168.2.0/28; nodes answer
    /// for them on their link
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
    pub(crate) cluster_cidr: Cidr,
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
    /// Address at which others reach this machine (default: that of the default route)
    #[arg(long)]
    pub(crate) node_ip: Option<IpAddr>,
    /// How other machines' pods are reached from here
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(crate) pod_network: PodNetwork,
    #[command(flatten)]
    pub(crate) node: Node,
}

/// A container runtime as a process of its own. Its pods outlive it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Runtime {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Folder below the cgroup hierarchies for pods that name none
    #[arg(long, default_value = "")]
    pub(crate) cgroup_root: String,
    /// Addresses for pods; traffic to elsewhere is masqueraded
    #[arg(long, default_value = "10.42.0.0/16")]
    pub(crate) cluster_cidr: Cidr,
    /// Addresses for the pods of this machine until an agent or a kubelet names others (default: the first /24 of
    /// --cluster-cidr)
    #[arg(long)]
    pub(crate) pod_cidr: Option<Cidr>,
    /// Address at which others reach this machine (default: that of the default route)
    #[arg(long)]
    pub(crate) node_ip: Option<IpAddr>,
    /// How other machines' pods are reached from here
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(crate) pod_network: PodNetwork,
    /// Where to look first for the images of a registry; may be repeated (registry.k8s.io=https://mirror.example:5000)
    #[arg(long, value_name = "REGISTRY=URL")]
    pub(crate) registry_mirror: Vec<runtime::Mirror>,
}

impl Server {
    /// Refuses ranges that cannot work together.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let (pods, services) = (self.cluster_cidr, self.service_cidr);
        anyhow::ensure!(
            !pods.overlaps(services),
            "--cluster-cidr {pods} and --service-cidr {services} overlap: an address would be of a pod and of a Service"
        );
        if let Some(ip) = self.node_ip {
            crate::machine::require_own_address(ip)?;
        }
        if let Some(IpAddr::V4(dns)) = self.cluster_dns {
            anyhow::ensure!(
                services.contains(dns) || self.disable.contains(&Addon::Dns),
                "--cluster-dns {dns} is not in --service-cidr {services}: only an address in it can lead to the cluster's DNS"
            );
        }
        if let Some(IpAddr::V4(ip)) = self.node_ip {
            let taken = [pods, services].into_iter().find(|range| range.contains(ip));
            if let Some(range) = taken {
                anyhow::bail!("--node-ip {ip} lies in {range}, which is for pods or Services: choose another range");
            }
        }
        for (first, last) in self.load_balancer_pool.ranges() {
            let taken = [pods, services].into_iter().find(|range| range.meets(*first, *last));
            if let Some(range) = taken {
                anyhow::bail!("--load-balancer-pool {first}-{last} meets {range}, which is for pods or Services");
            }
            if let Some(IpAddr::V4(ip)) =
                self.node_ip.filter(|ip| (IpAddr::V4(*first)..=IpAddr::V4(*last)).contains(ip))
            {
                anyhow::bail!("--node-ip {ip} lies in --load-balancer-pool {first}-{last}: it would be given away");
            }
        }
        Ok(())
    }

    pub(crate) fn cluster_dns(&self) -> IpAddr {
        self.cluster_dns.unwrap_or_else(|| self.service_cidr.nth(DNS_HOST).into())
    }
}

/// k8s: the size of a node's range where nobody says another.
const NODE_BITS: u8 = 24;
/// k8s: where installers put the DNS Service by convention.
const DNS_HOST: u32 = 10;

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
    /// Leave containers running on Ctrl-C; the next start finds them
    #[arg(long)]
    pub(crate) keep_pods: bool,
    /// Which packet filter leads Services to pods
    #[arg(long, value_name = "MODE", default_value = "iptables")]
    pub(crate) proxy_mode: ProxyMode,
    /// Time for pods to end when this process is stopped (30s, 2m); with 0s the node does not say that it goes down
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub(crate) shutdown_grace_period: Duration,
    /// The end of that time that critical pods have for themselves
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub(crate) shutdown_grace_period_critical_pods: Duration,
    /// How long others believe this node when it is silent; it speaks four times as often (Kubernetes: 40)
    #[arg(long, value_name = "SECONDS", default_value_t = 12, value_parser = clap::value_parser!(u32).range(4..))]
    pub(crate) node_lease_seconds: u32,
}

impl Node {
    /// How long pods have when this process is stopped.
    pub(crate) fn shutdown(&self) -> anyhow::Result<agent::shutdown::Grace> {
        let (total, critical) = (self.shutdown_grace_period, self.shutdown_grace_period_critical_pods);
        if critical > total {
            anyhow::bail!(
                "--shutdown-grace-period-critical-pods {critical:?} is a part of --shutdown-grace-period, which must be as long at least"
            );
        }
        Ok(agent::shutdown::Grace { total, critical })
    }
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

/// An IPv4 address range, `10.42.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cidr {
    address: Ipv4Addr,
    bits: u8,
}

impl Cidr {
    pub(crate) fn parts(self) -> (Ipv4Addr, u8) {
        (self.address, self.bits)
    }

    pub(crate) fn contains(self, ip: Ipv4Addr) -> bool {
        (u32::from(ip) ^ u32::from(self.address)) >> (32 - self.bits) == 0
    }

    /// Whether an address from `first` to `last` lies in it.
    fn meets(self, first: Ipv4Addr, last: Ipv4Addr) -> bool {
        let own_last = u32::from(self.address) | (u32::MAX >> self.bits);
        first.to_bits() <= own_last && last >= self.address
    }

    fn overlaps(self, other: Self) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }

    /// What one machine's pods get of it: its first /24, or all of it if it is no larger.
    pub(crate) fn first_of_a_node(self) -> Self {
        Self { bits: self.bits.max(NODE_BITS), ..self }
    }

    /// The address at that place of the range; ranges have at least sixteen.
    pub(crate) fn nth(self, place: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address) + place)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not an IPv4 range such as 10.42.0.0/16");
        let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
        let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
        let bits: u8 = bits.parse().map_err(|_| wrong())?;
        if !(8..=28).contains(&bits) {
            return Err(format!("`{text}`: a range of /8 to /28 is needed"));
        }
        let first = u32::from(address) >> (32 - bits) << (32 - bits);
        if first != u32::from(address) {
            return Err(format!("`{text}` is not the first address of its range: {}/{bits} is", Ipv4Addr::from(first)));
        }
        Ok(Self { address, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
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
            ("10.42.0.1/16", "`10.42.0.1/16` is not the first address of its range: 10.42.0.0/16 is"),
            ("10.42.0.0", "`10.42.0.0` is not an IPv4 range such as 10.42.0.0/16"),
            ("10.42.0.0/30", "`10.42.0.0/30`: a range of /8 to /28 is needed"),
            ("fd00::/64", "`fd00::/64` is not an IPv4 range such as 10.42.0.0/16"),
        ] {
            let outcome = text.parse::<Cidr>().map_or_else(|error| error, |cidr| cidr.to_string());
            assert_eq!(outcome, wanted);
        }
    }
}
