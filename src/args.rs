//! What was typed: the commands of `drover` and their flags. Parsed here, meant elsewhere.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

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
    /// Start the control plane: API server, controllers and scheduler
    Server(Server),
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
    /// Address at which others reach this machine (default: that of the default route)
    #[arg(long)]
    pub(crate) node_ip: Option<IpAddr>,
}

impl Server {
    pub(crate) fn cluster_dns(&self) -> IpAddr {
        self.cluster_dns.unwrap_or_else(|| self.service_cidr.nth(DNS_HOST).into())
    }
}

/// k8s: where installers put the DNS Service by convention.
const DNS_HOST: u32 = 10;

/// Parts of a cluster that somebody may bring himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Addon {
    /// The DNS server; pods still ask at the address of `--cluster-dns`
    Dns,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) server: Server,
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
    /// Image archive to import once the runtime is up; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) image: Vec<PathBuf>,
    /// Leave a part out, to install another in its place; may be repeated
    #[arg(long, value_name = "PART")]
    pub(crate) disable: Vec<Addon>,
    /// Leave containers running on Ctrl-C; the next `drover up` finds them
    #[arg(long)]
    pub(crate) keep_pods: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    /// Import an archive (docker-archive or OCI layout)
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
