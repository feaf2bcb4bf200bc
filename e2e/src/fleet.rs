//! Several machines: one `drover server` and nodes that join it, each a [`Host`] on a link of a [`Network`].

use crate::Host;
use crate::cluster::{archive, binary, checked};
use crate::host::Network;
use crate::process::Process;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub struct Machine {
    // Before the host: the process ends while its namespaces are there.
    pub process: Process,
    pub host: Host,
    folder: tempfile::TempDir,
}

impl Machine {
    pub fn new(network: &Network, link: u8) -> Result<Self> {
        let (host, folder) = (network.join(link)?, tempfile::tempdir()?);
        Ok(Self { process: Process::new(folder.path().to_owned()), host, folder })
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// `drover COMMAND` with this machine's folder and addresses.
    pub fn drover(&self, command: &str, more: &[String]) -> Command {
        let addresses: Vec<&str> =
            [Some(&self.host.address), self.host.address6.as_ref()].into_iter().flatten().map(String::as_str).collect();
        let mut args = vec![
            command.to_owned(),
            format!("--data-dir={}", self.data_dir().display()),
            format!("--node-ip={}", addresses.join(",")),
        ];
        args.extend(more.iter().cloned());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.host.command(&binary("drover").to_string_lossy(), &args)
    }

    /// A folder for the test's own files, removed with the machine.
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    fn client_command(&self, args: &[&str]) -> Command {
        let mut command = self.host.command(&binary("kctl").to_string_lossy(), args);
        command.env("KUBECONFIG", self.data_dir().join("admin.kubeconfig")).env("HOME", self.folder.path());
        command
    }

    /// `kctl` as the cluster's admin, on a machine with a server.
    pub fn kctl(&self, args: &[&str]) -> Result<String> {
        checked(self.client_command(args), args)
    }

    /// Arguments of a machine that runs pods.
    pub fn node_args(&self, name: &str) -> Vec<String> {
        vec![
            format!("--node-name={name}"),
            format!("--log-dir={}", self.folder.path().join("pods").display()),
            format!("--cgroup-root={}", self.host.name),
            format!("--image={}", archive().display()),
        ]
    }
}

/// A server on link 0, and the URL and the token of the join command that it prints.
fn start_server(network: &Network, args: &[String]) -> Result<(Machine, String, String)> {
    let mut server = Machine::new(network, 0)?;
    server.process.spawn(server.drover("server", args))?;
    server.process.says("drover agent --server")?;
    let log = server.process.log();
    let line = log.lines().find(|line| line.contains("drover agent --server")).context("the join command")?;
    let word = |flag: &str| line.split(&format!("{flag} ")).nth(1).and_then(|rest| rest.split(' ').next());
    let (url, token) = (word("--server").context("a URL")?.to_owned(), word("--token").context("a token")?.to_owned());
    Ok((server, url, token))
}

/// A server, and nodes `node-1`, `node-2`, ..
pub struct Fleet {
    pub nodes: Vec<Machine>,
    pub server: Machine,
    pub token: String,
    pub url: String,
    server_args: Vec<String>,
    /// Last: everything else lives in it.
    pub network: Network,
}

impl Fleet {
    /// Starts a server on link 0 and a node on each of `links`.
    pub fn start(links: &[u8], server_args: &[&str]) -> Result<Self> {
        Self::on(Network::new()?, links, server_args)
    }

    /// The same on a network that has been prepared.
    pub fn on(network: Network, links: &[u8], server_args: &[&str]) -> Result<Self> {
        let server_args: Vec<String> = server_args.iter().map(ToString::to_string).collect();
        let (server, url, token) = start_server(&network, &server_args)?;
        let mut fleet = Self { nodes: Vec::new(), server, token, url, server_args, network };
        for link in links {
            fleet.add_node(*link, &[])?;
        }
        for node in &mut fleet.nodes {
            node.process.says(" is up after")?;
        }
        Ok(fleet)
    }

    /// Another server with the same arguments, and where it is.
    pub fn another_server(&self) -> Result<(Machine, String)> {
        let (machine, url, _) = start_server(&self.network, &self.server_args)?;
        Ok((machine, url))
    }

    /// Starts one more node, and does not wait for it.
    pub fn add_node(&mut self, link: u8, more: &[&str]) -> Result<()> {
        self.nodes.push(Machine::new(&self.network, link)?);
        let at = self.nodes.len() - 1;
        let command = self.agent(at, more);
        self.nodes[at].process.spawn(command)
    }

    /// `drover agent` of the node at that place.
    pub fn agent(&self, at: usize, more: &[&str]) -> Command {
        let node = &self.nodes[at];
        let mut args = node.node_args(&format!("node-{}", at + 1));
        args.extend([format!("--server={}", self.url), format!("--token={}", self.token)]);
        args.extend(more.iter().map(ToString::to_string));
        node.drover("agent", &args)
    }

    /// Starts the server again with more arguments, from now on.
    pub fn restart_server_with(&mut self, more: &[&str]) -> Result<()> {
        self.server_args.extend(more.iter().map(ToString::to_string));
        self.restart_server()
    }

    /// Starts the server again, on what it has kept.
    pub fn restart_server(&mut self) -> Result<()> {
        let command = self.server.drover("server", &self.server_args);
        self.server.process.spawn(command)?;
        self.server.process.says("drover agent --server")
    }

    /// `kctl` as the cluster's admin, on the server's machine.
    pub fn kctl(&self, args: &[&str]) -> Result<String> {
        self.server.kctl(args)
    }

    pub fn try_kctl(&self, args: &[&str]) -> Result<Output> {
        Ok(self.server.client_command(args).output()?)
    }

    pub fn json(&self, args: &[&str]) -> Result<Value> {
        let args: Vec<&str> = args.iter().copied().chain(["-o", "json"]).collect();
        serde_json::from_str(&self.kctl(&args)?).context("kctl did not print JSON")
    }

    pub fn apply(&self, manifest: &str) -> Result<String> {
        let file = self.server.folder.path().join("manifest.yaml");
        std::fs::write(&file, manifest)?;
        self.kctl(&["apply", "-f", &file.to_string_lossy()])
    }

    /// The node's status of its Ready condition.
    pub fn ready(&self, node: &str) -> Result<String> {
        let jsonpath = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
        self.kctl(&["get", "node", node, "-o", jsonpath])
    }
}
