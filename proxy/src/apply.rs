//! The only I/O of the proxy: runs iptables-restore, iptables-save, nft and conntrack, and sets the kernel's switches.

use crate::conntrack::Deletion;
use crate::iptables::{JUMPS, Tables, leftovers, removal};
use crate::kernel::Backend;
use kinds::ip::Family;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// xtables' lock is shared with everything else on the node that programs iptables.
const LOCK_WAIT_SECS: &str = "10";

#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("cannot run {program} (install Debian's packages iptables, nftables and conntrack)")]
    Missing { program: &'static str, source: std::io::Error },
    #[error("{program} failed: {message}")]
    Failed { program: &'static str, message: String },
    #[error("chain {chain} of table {table} has {found} rules instead of {rules}")]
    Gone { table: &'static str, chain: String, rules: usize, found: usize },
    #[error("the kernel does not answer for nf_tables")]
    Netfilter(#[source] std::io::Error),
}

/// The programs of a family: what feeds a restore, and what lists a table.
fn programs(family: Family) -> [&'static str; 2] {
    match family {
        Family::V4 => ["iptables-restore", "iptables-save"],
        Family::V6 => ["ip6tables-restore", "ip6tables-save"],
    }
}

/// Feeds one restore; all of it takes effect, or nothing.
pub(crate) async fn restore(family: Family, input: &str) -> Result<(), ApplyError> {
    let [restore, _] = programs(family);
    run(restore, &["--noflush", "--wait", LOCK_WAIT_SECS], input).await.map(drop)
}

/// Which of its two kinds the installed iptables is.
pub(crate) async fn backend(family: Family) -> Result<Backend, ApplyError> {
    let [restore, _] = programs(family);
    let version = run(restore, &["--version"], "").await?;
    Ok(if version.contains("nf_tables") { Backend::NfTables } else { Backend::Legacy })
}

/// Whether what `inspection` names is in the kernel; an error says what is not.
pub(crate) async fn inspect(family: Family, inspection: &str) -> Result<(), ApplyError> {
    restore(family, inspection).await
}

/// The chains that an earlier process left behind, and an input that puts our jumps in front of the built-in chains
/// where they are missing.
pub(crate) async fn existing(family: Family) -> Result<(Tables, String), ApplyError> {
    let [_, save] = programs(family);
    let [nat, filter] = [run(save, &["-t", "nat"], "").await?, run(save, &["-t", "filter"], "").await?];
    let jumps = [missing_jumps("nat", &nat), missing_jumps("filter", &filter)].concat();
    Ok((Tables { nat: leftovers(&nat), filter: leftovers(&filter) }, jumps))
}

/// Takes away all that a proxy in iptables mode programmed.
pub(crate) async fn remove_iptables(family: Family) -> Result<(), ApplyError> {
    let [_, save] = programs(family);
    for table in ["nat", "filter"] {
        if let Some(input) = removal(table, &run(save, &["-t", table], "").await?) {
            restore(family, &input).await?;
        }
    }
    Ok(())
}

fn missing_jumps(table: &str, saved: &str) -> String {
    let missing: String = JUMPS
        .iter()
        .rev()
        .filter(|(of, chain, rule)| *of == table && !has(saved, chain, rule))
        .map(|(_, chain, rule)| format!("-I {chain} {rule}\n"))
        .collect();
    if missing.is_empty() { String::new() } else { format!("*{table}\n{missing}COMMIT\n") }
}

/// Whether a listing has a jump of ours: same chain and target, however the tool orders its matches.
fn has(saved: &str, chain: &str, rule: &str) -> bool {
    let target = rule.rsplit(' ').next().unwrap_or(rule);
    saved.lines().any(|line| line.starts_with(&format!("-A {chain} ")) && line.ends_with(&format!("-j {target}")))
}

/// Forgets flows; that there are none is no error.
pub(crate) async fn forget(family: Family, deletion: &Deletion) -> Result<(), ApplyError> {
    let name = match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    };
    let args: Vec<&str> =
        ["-D", "-f", name, "-p", "udp"].into_iter().chain(deletion.iter().map(String::as_str)).collect();
    match run("conntrack", &args, "").await {
        Err(ApplyError::Failed { message, .. }) if message.contains("0 flow entries") => Ok(()),
        other => other.map(drop),
    }
}

/// Feeds one transaction of nftables; all of it takes effect, or nothing.
pub(crate) async fn nft(transaction: &str) -> Result<(), ApplyError> {
    run("nft", &["-f", "-"], transaction).await.map(drop)
}

/// NodePorts on 127.0.0.1 need local addresses to be routable; the martian rule in KUBE-FIREWALL keeps others out.
pub(crate) fn allow_local_node_ports() -> std::io::Result<()> {
    std::fs::write("/proc/sys/net/ipv4/conf/all/route_localnet", "1")
}

/// How long the kernel remembers a TCP flow that nothing is sent on, in seconds: open, and closed by one side. A program
/// may read what it was sent for longer than the minute that the kernel gives it. k8s: kube-proxy's `conntrack` defaults
const FLOW_SECS: [(&str, &str); 2] = [("established", "86400"), ("close_wait", "3600")];

/// Sets [`FLOW_SECS`]; there is nothing to set before the first rule has loaded the kernel's part.
pub(crate) fn remember_flows() {
    for (state, secs) in FLOW_SECS {
        let path = format!("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_{state}");
        let is_set = std::fs::read_to_string(&path).is_ok_and(|value| value.trim() == secs);
        if !is_set && let Err(error) = std::fs::write(&path, secs) {
            tracing::warn!(path, %error, "cannot be set; idle connections to Services may be forgotten");
        }
    }
}

async fn run(program: &'static str, args: &[&str], input: &str) -> Result<String, ApplyError> {
    let missing = |source| ApplyError::Missing { program, source };
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(missing)?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let (written, output) = tokio::join!(
        async move {
            let written = stdin.write_all(input.as_bytes()).await;
            drop(stdin);
            written
        },
        child.wait_with_output()
    );
    let output = output.map_err(missing)?;
    if output.status.success() && written.is_ok() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(ApplyError::Failed { program, message: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
    }
}
