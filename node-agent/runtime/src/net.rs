//! The pod network of a node: a bridge, a veth pair a pod, addresses from the node's pod CIDRs (of one family or both), and
//! the few iptables rules that let pods reach the outside and be reached on host ports. Services are not its business.

mod address;
pub(crate) mod announce;
mod bandwidth;
pub(crate) mod cni;
mod firewall;
mod netlink;
pub(crate) mod overlay;

use address::{Cidr, Family};
use bandwidth::Bandwidth;
use cni::{Attachment, CniConfig, CniError};
use netlink::{Connection, Request};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

pub(crate) use firewall::PortMap;

#[derive(Debug, Error)]
pub enum NetError {
    #[error("the node has no pod CIDR yet")]
    NoCidr,
    #[error("{0:?} is neither a network with room for pods nor one of each address family")]
    BadCidr(String),
    #[error("no address is left in {0}")]
    Exhausted(String),
    #[error("cannot {what}")]
    Kernel { what: String, source: io::Error },
    #[error("iptables: {0}")]
    Iptables(String),
    #[error(transparent)]
    Cni(#[from] CniError),
}

fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> NetError {
    let what = what.into();
    |source| NetError::Kernel { what, source }
}

/// How the network of a node's pods is set up.
#[derive(Debug, Clone)]
pub struct NetConfig {
    /// Name of the bridge that pods are on.
    pub bridge: String,
    /// Networks that pods reach with their own address, such as all pods of the cluster.
    pub no_masquerade: Vec<String>,
    /// Whether pods may reach the outside in the node's name.
    pub masquerade: Masquerade,
    /// Largest packet of pods' interfaces.
    pub mtu: u32,
    /// Addresses of this node's pods (of one family, or of each with a comma between them) until a client names others; what a client has named is remembered then. With
    /// none, clients name them after each start.
    pub own_range: Option<String>,
    /// Plugins that connect pods instead: there is no bridge, and there are no rules, of ours then.
    pub cni: Option<CniConfig>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Masquerade {
    On,
    Off,
}

/// Index that a pod's interface has in its own network. Fixed, so that it need not be asked for.
const POD_INDEX: u32 = 64;
const LOOPBACK_INDEX: u32 = 1;
const POD_INTERFACE: &str = "eth0";

/// How often and how many times it is looked whether a network that nobody uses any more has gone: a second in all.
const LEAVE_EVERY: Duration = Duration::from_millis(20);
const LEAVE_LOOKS: u32 = 50;

/// Index of the node's end: from the sandbox's random id, far above those that the kernel gives out by itself.
fn host_index(sandbox: &str) -> u32 {
    let random = u32::from_str_radix(&sandbox[..7.min(sandbox.len())], 16).unwrap_or(0);
    0x1000_0000 | random
}

#[derive(Debug, Default)]
struct State {
    /// None until somebody names them; a family's one at most.
    cidrs: Vec<Cidr>,
    /// Addresses in use, and the sandboxes that have them.
    used: BTreeMap<IpAddr, String>,
    /// The address of each family that was given out last.
    last: BTreeMap<Family, IpAddr>,
    ports: BTreeMap<String, (Vec<IpAddr>, Vec<PortMap>)>,
    /// Sandboxes whose networks are waited for to go.
    leaving: BTreeSet<String>,
}

/// What a client named last as the range of this node's pods, in the runtime's folder.
const NAMED_RANGE: &str = "pod-cidr";

#[derive(Debug)]
pub(crate) struct Network {
    config: NetConfig,
    /// Where the range that a client names is kept.
    named: PathBuf,
    state: Mutex<State>,
    /// Serialises changes of iptables and of the bridge, so that what is written last is what is known last.
    firewall: tokio::sync::Mutex<()>,
}

/// Name of the node's end of a sandbox's pair: at most 15 bytes.
fn host_interface(sandbox: &str) -> String {
    format!("veth{}", &sandbox[..11.min(sandbox.len())])
}

impl Network {
    /// `root` is the runtime's folder.
    pub(crate) fn new(config: NetConfig, root: &Path) -> Self {
        Self { config, named: root.join(NAMED_RANGE), state: Mutex::default(), firewall: tokio::sync::Mutex::default() }
    }

    /// Goes on with the range that a client named before this start, or takes the node's own.
    pub(crate) async fn begin(&self) -> Result<(), NetError> {
        let Some(own) = &self.config.own_range else { return Ok(()) };
        match fs::read_to_string(&self.named) {
            Ok(named) => self.set_cidr(&named).await,
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.set_cidr(own).await,
            Err(e) => Err(doing(format!("read {}", self.named.display()))(e)),
        }
    }

    /// Takes the range that a client names.
    pub(crate) async fn name_cidr(&self, text: &str) -> Result<(), NetError> {
        self.set_cidr(text).await?;
        if self.config.own_range.is_none() {
            return Ok(());
        }
        let next = self.named.with_extension("next");
        let written = fs::write(&next, text).and_then(|()| fs::rename(&next, &self.named));
        written.map_err(doing(format!("write {}", self.named.display())))
    }

    /// Why no pod can be connected now.
    pub(crate) fn unready(&self) -> Option<NetError> {
        match &self.config.cni {
            Some(cni) => cni.list().err().map(NetError::from),
            None => self.state.lock().cidrs.is_empty().then_some(NetError::NoCidr),
        }
    }

    /// Whether plugins connect pods, and give them their addresses.
    pub(crate) fn is_foreign(&self) -> bool {
        self.config.cni.is_some()
    }

    /// A sandbox's part of the plugins' network; nothing has been done for it yet.
    pub(crate) fn plan(
        &self,
        sandbox: &str,
        config: &proto::cri::PodSandboxConfig,
        ports: &[PortMap],
    ) -> Result<Option<Attachment>, NetError> {
        let Some(cni) = &self.config.cni else { return Ok(None) };
        Ok(Some(cni.plan(sandbox, config, ports)?))
    }

    /// Connects a sandbox by plugins; returns its addresses.
    pub(crate) async fn attach(
        &self,
        sandbox: &str,
        pid: u32,
        inside: OwnedFd,
        attachment: &mut Attachment,
    ) -> Result<Vec<IpAddr>, NetError> {
        let cni = self.config.cni.as_ref().ok_or(NetError::NoCidr)?;
        let up = move || Connection::over(inside).run(&[Request::link_up(LOOPBACK_INDEX)]);
        let up = tokio::task::spawn_blocking(up).await.expect("bringing a link up does not panic");
        up.map_err(doing("bring the pod's loopback up"))?;
        Ok(cni.add(sandbox, &netns(pid), attachment).await?)
    }

    /// Has plugins undo what they did; `pid` is none where the pod's processes have ended. One whose plugins are not
    /// configured any more stays as it is.
    pub(crate) async fn detach(
        &self,
        sandbox: &str,
        pid: Option<u32>,
        attachment: &Attachment,
    ) -> Result<(), NetError> {
        let Some(cni) = &self.config.cni else {
            tracing::warn!(sandbox, "its network is of plugins that are not configured any more; it is left");
            return Ok(());
        };
        Ok(cni.delete(sandbox, pid.map(netns).as_deref(), attachment).await?)
    }

    /// As clients name them; empty where nobody has.
    pub(crate) fn cidr(&self) -> String {
        address::listed(&self.state.lock().cidrs)
    }

    /// Notes what an earlier runtime gave out.
    pub(crate) fn restore(&self, sandbox: &str, ips: &[IpAddr], ports: Vec<PortMap>) {
        let mut state = self.state.lock();
        for ip in ips {
            state.used.insert(*ip, sandbox.to_owned());
            let last = state.last.entry(Family::of(*ip)).or_insert(*ip);
            *last = (*last).max(*ip);
        }
        if !ports.is_empty() {
            state.ports.insert(sandbox.to_owned(), (ips.to_vec(), ports));
        }
    }

    /// Sets the node's pod CIDRs: makes the bridge and the rules. Pods that have an address keep it.
    async fn set_cidr(&self, text: &str) -> Result<(), NetError> {
        let cidrs = address::networks(text).map_err(|()| NetError::BadCidr(text.to_owned()))?;
        if self.state.lock().cidrs == cidrs {
            return Ok(());
        }
        if self.is_foreign() {
            self.state.lock().cidrs = cidrs;
            return Ok(());
        }
        let (config, networks) = (self.config.clone(), cidrs.clone());
        let make = move || make_bridge(&config, &networks);
        tokio::task::spawn_blocking(make).await.expect("making the bridge does not panic")?;
        self.state.lock().cidrs = cidrs;
        self.write_rules().await
    }

    /// Makes the bridge again where somebody took it away, with the pods that were on it.
    pub(crate) async fn mend(&self) -> Result<(), NetError> {
        let (cidrs, pods) = {
            let state = self.state.lock();
            let pods: BTreeSet<String> = state.used.values().map(|sandbox| host_interface(sandbox)).collect();
            (state.cidrs.clone(), pods)
        };
        if cidrs.is_empty() || self.is_foreign() || index_of(&self.config.bridge).is_ok() {
            return Ok(());
        }
        // Only one makes it: the next finds it made.
        let _turn = self.firewall.lock().await;
        let config = self.config.clone();
        let remake = move || -> Result<(), NetError> {
            if index_of(&config.bridge).is_ok() {
                return Ok(());
            }
            tracing::warn!(bridge = config.bridge, "the bridge of the pod network is gone; making it again");
            make_bridge(&config, &cidrs)?;
            bring_back(&config, &pods)
        };
        tokio::task::spawn_blocking(remake).await.expect("making the bridge does not panic")
    }

    /// An address of each family for a sandbox.
    pub(crate) fn allocate(&self, sandbox: &str) -> Result<Vec<IpAddr>, NetError> {
        let mut state = self.state.lock();
        if self.is_foreign() {
            return Ok(Vec::new());
        }
        let State { cidrs, used, last, .. } = &mut *state;
        if cidrs.is_empty() {
            return Err(NetError::NoCidr);
        }
        let free = cidrs.iter().map(|cidr| {
            let ip = cidr.next_free(last.get(&cidr.family()).copied(), |ip| used.contains_key(&ip));
            ip.ok_or_else(|| NetError::Exhausted(cidr.to_string()))
        });
        let ips: Vec<IpAddr> = free.collect::<Result<_, _>>()?;
        for ip in &ips {
            used.insert(*ip, sandbox.to_owned());
            last.insert(Family::of(*ip), *ip);
        }
        Ok(ips)
    }

    /// Connects a sandbox: its supervisor's process, and a netlink socket in its network.
    pub(crate) async fn connect(
        &self,
        sandbox: &str,
        asked: &proto::cri::PodSandboxConfig,
        ips: &[IpAddr],
        (pid, inside): (u32, OwnedFd),
    ) -> Result<(), NetError> {
        self.mend().await?;
        let cidrs = self.state.lock().cidrs.clone();
        let of_family = |ip: &IpAddr| cidrs.iter().find(|cidr| cidr.family() == Family::of(*ip));
        let addresses = ips.iter().map(|ip| Some((*ip, *of_family(ip)?))).collect::<Option<Vec<_>>>();
        let addresses = addresses.filter(|all| !all.is_empty()).ok_or(NetError::NoCidr)?;
        let bandwidth = Bandwidth::of(asked);
        let pair = Pair { host: host_interface(sandbox), host_index: host_index(sandbox), addresses, pid, bandwidth };
        let config = self.config.clone();
        let work = move || connect(&config, &pair, inside);
        tokio::task::spawn_blocking(work).await.expect("connecting a pod does not panic")
    }

    /// Opens a sandbox's host ports.
    pub(crate) async fn open_ports(&self, sandbox: &str, ips: &[IpAddr], ports: Vec<PortMap>) -> Result<(), NetError> {
        if ports.is_empty() {
            return Ok(());
        }
        self.state.lock().ports.insert(sandbox.to_owned(), (ips.to_vec(), ports));
        self.write_rules().await
    }

    /// Closes a sandbox's host ports.
    pub(crate) async fn close_ports(&self, sandbox: &str) -> Result<(), NetError> {
        if self.state.lock().ports.remove(sandbox).is_some() {
            self.write_rules().await?;
        }
        Ok(())
    }

    /// Whether it is the caller who has to see that a sandbox's network goes, with [`Self::leave`].
    pub(crate) fn begins_to_leave(&self, sandbox: &str) -> bool {
        self.state.lock().leaving.insert(sandbox.to_owned())
    }

    /// Frees the addresses of a sandbox whose processes have ended once its interfaces are gone. The kernel takes them along
    /// with the network that nobody uses, many at a time; one that was asked to would wait for all of the machine.
    pub(crate) async fn leave(&self, sandbox: &str, ips: &[IpAddr]) -> Result<(), NetError> {
        let name = host_interface(sandbox);
        for _ in 0..LEAVE_LOOKS {
            if index_of(&name).is_err() {
                break;
            }
            tokio::time::sleep(LEAVE_EVERY).await;
        }
        let gone = self.disconnect(sandbox, ips).await;
        self.state.lock().leaving.remove(sandbox);
        gone
    }

    /// Takes a sandbox off the network and frees its addresses. What is gone is gone already.
    pub(crate) async fn disconnect(&self, sandbox: &str, ips: &[IpAddr]) -> Result<(), NetError> {
        self.close_ports(sandbox).await?;
        let name = host_interface(sandbox);
        let work = move || -> Result<(), NetError> {
            if index_of(&name).is_err() {
                return Ok(());
            }
            let mut netlink = Connection::open().map_err(doing("open netlink"))?;
            match netlink.run(&[Request::delete_link(&name)]) {
                Err(e) if e.raw_os_error() == Some(libc::ENODEV) => Ok(()),
                done => done.map_err(doing(format!("remove {name}"))),
            }
        };
        tokio::task::spawn_blocking(work).await.expect("disconnecting a pod does not panic")?;
        let mut state = self.state.lock();
        for ip in ips {
            if state.used.get(ip).is_some_and(|owner| owner == sandbox) {
                state.used.remove(ip);
            }
        }
        Ok(())
    }

    /// Writes our chains as they should be now.
    async fn write_rules(&self) -> Result<(), NetError> {
        let _turn = self.firewall.lock().await;
        let (cidrs, ports) = {
            let state = self.state.lock();
            (state.cidrs.clone(), state.ports.values().cloned().collect::<Vec<_>>())
        };
        for cidr in cidrs {
            let of_family = |(ips, maps): &(Vec<IpAddr>, Vec<PortMap>)| {
                let ip = ips.iter().find(|ip| Family::of(**ip) == cidr.family())?;
                Some((*ip, maps.clone()))
            };
            let ports: Vec<_> = ports.iter().filter_map(of_family).collect();
            firewall::write(&self.config, cidr, &ports).await?;
        }
        Ok(())
    }

    /// Takes away the bridge and the rules; for a node that is taken down.
    pub(crate) async fn tear_down(&self) -> Result<(), NetError> {
        let _turn = self.firewall.lock().await;
        let cidrs = self.state.lock().cidrs.clone();
        if cidrs.is_empty() || self.is_foreign() {
            return Ok(());
        }
        for cidr in cidrs {
            firewall::remove(cidr.family()).await?;
        }
        let bridge = self.config.bridge.clone();
        let work = move || -> Result<(), NetError> {
            let mut netlink = Connection::open().map_err(doing("open netlink"))?;
            match netlink.run(&[Request::delete_link(&bridge)]) {
                Err(e) if e.raw_os_error() == Some(libc::ENODEV) => Ok(()),
                done => done.map_err(doing(format!("remove {bridge}"))),
            }
        };
        tokio::task::spawn_blocking(work).await.expect("removing the bridge does not panic")
    }
}

/// The network namespace of a sandbox, by its supervisor's process.
fn netns(pid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/ns/net"))
}

struct Pair {
    host: String,
    host_index: u32,
    /// Of each family one at most, with the network that it is of.
    addresses: Vec<(IpAddr, Cidr)>,
    pid: u32,
    bandwidth: Bandwidth,
}

/// A hardware address that belongs to the IP: who had the address before is not in anybody's neighbour table.
fn hardware_address(ip: IpAddr) -> [u8; 6] {
    let [a, b, c, d] = match ip {
        IpAddr::V4(ip) => ip.octets(),
        // What differs among the addresses of a node.
        IpAddr::V6(ip) => (ip.to_bits() as u32).to_be_bytes(),
    };
    [0x0a, 0x58, a, b, c, d]
}

fn connect(config: &NetConfig, pair: &Pair, inside: OwnedFd) -> Result<(), NetError> {
    let bridge = index_of(&config.bridge).map_err(doing(format!("find bridge {}", config.bridge)))?;
    let mut netlink = Connection::open().map_err(doing("open netlink"))?;
    let veth = netlink::Veth {
        host: &pair.host,
        host_index: pair.host_index,
        bridge,
        mtu: config.mtu,
        pod: POD_INTERFACE,
        pod_index: POD_INDEX,
        pod_address: hardware_address(pair.addresses[0].0),
        pod_pid: pair.pid,
    };
    let requests = [Request::new_veth(&veth), Request::hairpin(&pair.host)];
    netlink.run(&requests).map_err(doing(format!("make {}", pair.host)))?;
    let mut pod = Connection::over(inside);
    // Up first: IPv6 knows no gateway on a link that is down.
    let mut requests = vec![Request::link_up(LOOPBACK_INDEX), Request::link_up(POD_INDEX)];
    for (ip, cidr) in &pair.addresses {
        requests.push(Request::add_address(POD_INDEX, *ip, cidr.prefix));
        requests.push(Request::default_route(POD_INDEX, cidr.gateway()));
    }
    pod.run(&requests).map_err(doing("set the pod's addresses up"))?;
    // What a pod is sent leaves the node's end.
    bound(&mut netlink, pair.host_index, pair.bandwidth.ingress);
    bound(&mut pod, POD_INDEX, pair.bandwidth.egress);
    Ok(())
}

/// Bounds what a link sends. A kernel that cannot is no reason to have no pod.
fn bound(netlink: &mut Connection, index: u32, bits: Option<u64>) {
    let Some(bits) = bits else { return };
    if let Err(error) = netlink.run(&[Request::shape(index, bits)]) {
        tracing::warn!(bits, %error, "a pod's bandwidth has no bound: the kernel has no token buckets (sch_tbf)");
    }
}

fn index_of(name: &str) -> io::Result<u32> {
    Ok(nix::net::if_::if_nametoindex(name)?)
}

/// Makes the bridge with the gateways' addresses, and sets the node to forward.
fn make_bridge(config: &NetConfig, cidrs: &[Cidr]) -> Result<(), NetError> {
    let bridge = config.bridge.as_str();
    let mut netlink = Connection::open().map_err(doing("open netlink"))?;
    if index_of(bridge).is_err() {
        let address = hardware_address(cidrs[0].gateway());
        netlink
            .run(&[Request::new_bridge(bridge, config.mtu, address)])
            .map_err(doing(format!("make bridge {bridge}")))?;
    }
    let index = index_of(bridge).map_err(doing(format!("find bridge {bridge}")))?;
    for cidr in cidrs {
        match netlink.run(&[Request::add_address(index, cidr.gateway(), cidr.prefix)]) {
            Err(e) if e.raw_os_error() != Some(libc::EEXIST) => {
                return Err(doing(format!("give {bridge} its address {}", cidr.gateway()))(e));
            }
            Ok(()) | Err(_) => {}
        }
    }
    netlink.run(&[Request::link_up(index)]).map_err(doing(format!("bring {bridge} up")))?;
    cidrs.iter().try_for_each(|cidr| forward(bridge, cidr.family()))
}

/// Sets the node to forward packets of a family.
fn forward(bridge: &str, family: Family) -> Result<(), NetError> {
    // Packets between pods of a node pass iptables only with this, and Services need that; it is there only with
    // br_netfilter.
    let filter_bridged = |program: &str| (format!("net/bridge/bridge-nf-call-{program}"), false);
    let switches = match family {
        Family::V4 => vec![
            ("net/ipv4/ip_forward".to_owned(), true),
            filter_bridged("iptables"),
            // For host ports on 127.0.0.1; our rules drop what comes from elsewhere for such addresses.
            (format!("net/ipv4/conf/{bridge}/route_localnet"), false),
        ],
        Family::V6 => {
            keep_router_advertisements();
            vec![("net/ipv6/conf/all/forwarding".to_owned(), true), filter_bridged("ip6tables")]
        }
    };
    switches.iter().try_for_each(|(file, needed)| set_sysctl(file, *needed))
}

/// A machine that forwards IPv6 no longer listens to routers, unless it is told to all the same: one that has its own
/// address or default route from them would lose it.
fn keep_router_advertisements() {
    let Ok(links) = fs::read_dir("/proc/sys/net/ipv6/conf") else { return };
    for link in links.flatten() {
        let path = link.path().join("accept_ra");
        if fs::read_to_string(&path).is_ok_and(|value| value.trim() == "1")
            && let Err(error) = fs::write(&path, "2")
        {
            tracing::warn!(path = %path.display(), %error, "cannot be set; this machine may lose its IPv6 routes");
        }
    }
}

/// Puts the node's ends of pods' pairs on a bridge that was made again. A pod that is being made has none yet.
fn bring_back(config: &NetConfig, pods: &BTreeSet<String>) -> Result<(), NetError> {
    let bridge = index_of(&config.bridge).map_err(doing(format!("find bridge {}", config.bridge)))?;
    let mut netlink = Connection::open().map_err(doing("open netlink"))?;
    for pod in pods {
        match netlink.run(&[Request::enslave(pod, bridge), Request::hairpin(pod)]) {
            Err(e) if e.raw_os_error() != Some(libc::ENODEV) => {
                return Err(doing(format!("put {pod} on {}", config.bridge))(e));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn set_sysctl(file: &str, needed: bool) -> Result<(), NetError> {
    let path = format!("/proc/sys/{file}");
    if fs::read_to_string(&path).is_ok_and(|value| value.trim() == "1") {
        return Ok(());
    }
    match fs::write(&path, "1") {
        Ok(()) => Ok(()),
        Err(e) if needed => Err(doing(format!("set {path}"))(e)),
        Err(error) => {
            tracing::warn!(path, %error, "cannot be set; traffic between pods of this node may miss Services");
            Ok(())
        }
    }
}
