//! Virtual machines on one switch, servers and nodes, that become a cluster and stay up for one fault after the other. What
//! failed is explained by a folder: logs, packet filters, objects, counts.

use super::recovery::{Recoveries, Stopwatch};
use super::switch::Switch;
use super::{Link, Machine, Spec};
use crate::books::Books;
use crate::cluster::{binary, checked, root};
use crate::wait::eventually;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// Emulated, on a busy machine.
pub const SOON: Duration = Duration::from_mins(3);
/// A machine that hangs does not keep its neighbours' logs from us.
const DUMP_WITHIN: Duration = Duration::from_secs(30);

/// Names of the machines, by what runs on them.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    pub servers: &'static [&'static str],
    pub nodes: &'static [&'static str],
}

/// The last part of the first server's address, and of the first node's.
const SERVERS_FROM: u8 = 10;
const NODES_FROM: u8 = 20;
/// Where what the machines' daemons say is kept, over reboots.
const LOG: &str = "/var/log/drover.log";

/// What is asked of every machine after a failure: a file's name and a command.
const QUESTIONS: &[(&str, &str)] = &[
    ("drover.log", "cat /var/log/*.log"),
    ("links", "ip -s address; ip route; ip neighbour"),
    ("iptables", "iptables-save -c"),
    ("nftables", "nft list ruleset"),
    ("processes", "ps; free; df"),
    ("kernel", "dmesg | tail -n 200"),
    ("cgroups", "find /sys/fs/cgroup/kubepods -type d; cat /proc/mounts"),
];

const KINDS: &str = "nodes,leases,pods,services,endpointslices,deployments,replicasets,statefulsets,daemonsets,jobs,\
    persistentvolumeclaims,persistentvolumes,ingresses,certificatesigningrequests";

/// Who types a command of README's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    First,
    EveryOther,
}

pub struct Lab {
    pub cast: Cast,
    pub servers: Vec<Machine>,
    pub nodes: Vec<Machine>,
    pub switch: Switch,
    pub recoveries: Recoveries,
    /// `drover agent ..` as a server printed it.
    pub join_line: String,
    /// The server that `kctl` asks, by its place.
    pub asked: usize,
    folder: tempfile::TempDir,
    /// Where each server is reached from outside of the machines.
    doors: Vec<u16>,
}

pub type Step = (&'static str, fn(&mut Lab) -> Result<()>);

/// Boots the machines and takes the steps one by one. After a failure everything that explains it is in one folder.
///
/// # Panics
/// As the step does that fails.
pub fn take(name: &str, cast: Cast, steps: &[Step]) -> Result<()> {
    let mut lab = Lab::boot(cast)?;
    let total = Stopwatch::start();
    for (step, run) in steps {
        let watch = Stopwatch::start();
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&mut lab)));
        println!("-- {step}: {:.0} s", watch.elapsed().as_secs_f64());
        if !matches!(outcome, Ok(Ok(()))) {
            lab.dump(&root().join("target/failures").join(name));
        }
        match outcome {
            Ok(outcome) => outcome.with_context(|| (*step).to_owned())?,
            Err(panic) => resume_unwind(panic),
        }
    }
    println!("all steps: {:.0} s\n{}", total.elapsed().as_secs_f64(), lab.recoveries.table());
    lab.recoveries.write(&root().join("target").join(format!("{name}.md")))
}

impl Lab {
    fn boot(cast: Cast) -> Result<Self> {
        let switch = Switch::new()?;
        let doors = cast.servers.iter().map(|_| free_port()).collect::<Result<Vec<u16>>>()?;
        let power_up = |last: u8, name: &str, door: Option<u16>, memory_mib: u16| {
            Machine::power_up(Spec {
                name: name.to_owned(),
                address: address(last),
                link: Link::Port(switch.port(name)?),
                door,
                processors: 1,
                memory_mib,
            })
        };
        let servers = (SERVERS_FROM..).zip(cast.servers).zip(&doors);
        let servers = servers.map(|((last, name), door)| power_up(last, name, Some(*door), 1536));
        let mut servers: Vec<Machine> = servers.collect::<Result<_>>()?;
        let nodes = (NODES_FROM..).zip(cast.nodes).map(|(last, name)| power_up(last, name, None, 1024));
        let mut nodes: Vec<Machine> = nodes.collect::<Result<_>>()?;
        servers.iter_mut().chain(&mut nodes).try_for_each(Machine::booted)?;
        let folder = tempfile::tempdir()?;
        let recoveries = Recoveries::default();
        Ok(Self { cast, servers, nodes, switch, recoveries, join_line: String::new(), asked: 0, folder, doors })
    }

    /// Does what README says of several machines, word for word.
    pub fn follow_readme(&mut self) -> Result<()> {
        let readme = std::fs::read_to_string(root().join("README.md"))?;
        for (who, command) in commands(&readme)? {
            println!("{who:?}: {command}");
            match (command.split(' ').nth(1).unwrap_or_default(), who) {
                ("server", Who::First) => self.start_server(0, &command)?,
                ("agent", Who::EveryOther) => {
                    let given = self.join_line.split(' ').collect::<Vec<_>>();
                    let said: Vec<&str> = command.split(' ').collect();
                    ensure!(
                        given.len() == said.len() && (said[2], said[4]) == (given[2], given[4]),
                        "README says `{command}`, the server `{}`",
                        self.join_line
                    );
                    let line = self.join_line.clone();
                    (0..self.nodes.len()).try_for_each(|at| self.spawn_agent(at, &line))?;
                    (0..self.nodes.len()).for_each(|at| self.await_agent(at));
                }
                ("ingress", Who::First) => {
                    self.servers[0].spawn(&format!("sh -c 'cd; {command}'"), "/var/log/ingress.log")?;
                }
                (_, Who::First) => type_in(&mut self.servers[0], &command)?,
                (_, Who::EveryOther) => self.nodes.iter_mut().try_for_each(|node| type_in(node, &command))?,
            }
        }
        Ok(())
    }

    /// Starts the server of a machine, waits for what it prints, and takes its admin's kubeconfig.
    pub fn start_server(&mut self, at: usize, command: &str) -> Result<()> {
        let machine = &mut self.servers[at];
        machine.read(&format!("echo >{LOG}"))?;
        machine.spawn(command, LOG)?;
        let printed = format!("grep -o 'drover agent --server.*' {LOG}");
        let line = machine.eventually("the join command", SOON, &printed, |_| true);
        line.trim().clone_into(&mut self.join_line);
        let data_dir = command.split_once("--data-dir ").map_or("/var/lib/drover", |(_, rest)| rest);
        let config = machine.read(&format!("cat {data_dir}/admin.kubeconfig"))?;
        let here = format!("server: {}", self.url(at));
        let lines = config.lines().map(|line| match line.find("server: ") {
            Some(at) => format!("{}{here}\n", &line[..at]),
            None => format!("{line}\n"),
        });
        Ok(std::fs::write(self.kubeconfig(at), lines.collect::<String>())?)
    }

    /// Where a server is, from outside of the machines.
    fn url(&self, at: usize) -> String {
        format!("https://127.0.0.1:{}", self.doors[at])
    }

    /// Writers and readers at all servers.
    pub fn books(&self) -> Result<Books> {
        let mut command = Command::new(binary("books"));
        command.args((0..self.servers.len()).map(|at| self.url(at))).env("KUBECONFIG", self.kubeconfig(self.asked));
        Books::open(command)
    }

    /// Starts the agent of a machine again, as one whose pods outlive it, and does not wait.
    pub fn start_agent(&mut self, at: usize) -> Result<()> {
        let line = format!("{} --keep-pods", self.join_line);
        self.spawn_agent(at, &line)
    }

    pub fn spawn_agent(&mut self, at: usize, line: &str) -> Result<()> {
        self.nodes[at].read(&format!("echo >{LOG}"))?;
        self.nodes[at].spawn(line, LOG)
    }

    /// Waits for the agent's own word.
    pub fn await_agent(&mut self, at: usize) {
        self.nodes[at].eventually("a node that is up", SOON, &format!("cat {LOG}"), |log| log.contains(" is up after"));
    }

    fn kubeconfig(&self, at: usize) -> PathBuf {
        self.folder.path().join(format!("kubeconfig-{at}"))
    }

    fn client_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary("kctl"));
        command.args(args).env("KUBECONFIG", self.kubeconfig(self.asked)).env("HOME", self.folder.path());
        command
    }

    /// `kctl` as the cluster's admin, from outside of the machines.
    pub fn kctl(&self, args: &[&str]) -> Result<String> {
        checked(self.client_command(args), args)
    }

    pub fn try_kctl(&self, args: &[&str]) -> Result<Output> {
        Ok(self.client_command(args).output()?)
    }

    pub fn json(&self, args: &[&str]) -> Result<Value> {
        let args: Vec<&str> = args.iter().copied().chain(["-o", "json"]).collect();
        serde_json::from_str(&self.kctl(&args)?).context("kctl did not print JSON")
    }

    pub fn apply(&self, manifest: &str) -> Result<String> {
        let file = self.folder.path().join("manifest.yaml");
        std::fs::write(&file, manifest)?;
        self.kctl(&["apply", "-f", &file.to_string_lossy()])
    }

    /// Waits until `holds` of an object.
    pub fn until(&self, what: &str, kind: &str, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        eventually(what, SOON, || {
            let object = self.json(&["get", kind, name]).map_err(|error| format!("{error:#}"))?;
            if holds(&object) { Ok(object) } else { Err(object.to_string()) }
        })
    }

    /// Waits for a status of a node's condition.
    pub fn until_condition(&self, node: &str, condition: &str, status: &str) {
        self.until(&format!("{node} with {condition} {status}"), "node", node, |node| {
            let all = node["status"]["conditions"].as_array();
            all.into_iter().flatten().any(|one| one["type"] == condition && one["status"] == status)
        });
    }

    /// Everything that explains a failure, in one folder; what cannot be had is said there.
    fn dump(&mut self, folder: &Path) {
        let write = |name: &str, text: &str| {
            if let Err(error) = std::fs::write(folder.join(name), text) {
                eprintln!("{name}: {error}");
            }
        };
        if let Err(error) = std::fs::create_dir_all(folder) {
            eprintln!("{}: {error}", folder.display());
        }
        write("switch", &self.switch.counts());
        for machine in self.servers.iter_mut().chain(&mut self.nodes) {
            let name = machine.spec.name.clone();
            write(&format!("{name}-console.log"), &machine.console());
            for (file, question) in QUESTIONS {
                let answer = machine.run_within(question, DUMP_WITHIN);
                let text = answer.map_or_else(|error| format!("{error:#}"), |(_, output)| output);
                write(&format!("{name}-{file}"), &text);
            }
        }
        for (file, args) in
            [("objects.yaml", ["get", KINDS, "-A", "-o", "yaml"]), ("events", ["get", "events", "-A", "-o", "wide"])]
        {
            let text = self.kctl(&args).unwrap_or_else(|error| format!("{error:#}"));
            write(file, &text);
        }
        eprintln!("what explains the failure is in {}", folder.display());
    }
}

/// Of the machine with that number.
fn address(last: u8) -> String {
    format!("192.168.77.{last}")
}

fn type_in(machine: &mut Machine, command: &str) -> Result<()> {
    machine.read(&format!("cd; {command}")).map(drop)
}

/// A port of the loopback address that nobody has right now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The commands of README's section on several machines, and who types them.
fn commands(readme: &str) -> Result<Vec<(Who, String)>> {
    let (_, section) = readme.split_once("\n## Several machines\n").context("README has no such section")?;
    let (_, block) = section.split_once("```sh\n").context("the section has no commands")?;
    let (block, _) = block.split_once("```").context("the commands have no end")?;
    let mut who = None;
    let mut commands = Vec::new();
    for line in block.lines() {
        match line.strip_prefix("# ") {
            Some(text) if text.starts_with("on the first machine") => who = Some(Who::First),
            Some(text) if text.starts_with("on every other machine") => who = Some(Who::EveryOther),
            Some(text) => anyhow::bail!("nobody knows where this is: {text}"),
            None => commands.push((who.context("a command of nobody")?, line.trim().to_owned())),
        }
    }
    Ok(commands)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_says_who_types_what() {
        let text = "# D\n\n## Several machines\n\nSay:\n\n```sh\n# on the first machine\na b\n# on every other machine, as root\nc\n```\n\n## More\n```sh\nd\n```\n";
        assert_eq!(commands(text).unwrap(), [(Who::First, "a b".to_owned()), (Who::EveryOther, "c".to_owned())]);
        assert!(commands("# D\n").is_err());
        let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
        assert!(commands(&readme).unwrap().iter().any(|(who, text)| *who == Who::First && text == "drover server"));
    }
}
