//! Pod networks of others: plugins that a list in a folder names are called instead of making our own bridge.
//!
//! cni: SPEC.md of version 1.0.0. A plugin is a program that is told what to do in its environment, and how on its standard
//! input; it answers with JSON. Of a list, each plugin gets what the ones before it made; all are undone in the opposite
//! order, also where one of them has failed.

mod capability;
#[cfg(test)]
mod tests;

use super::PortMap;
use proto::cri;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Where plugins and their lists are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CniConfig {
    /// The first `*.conflist`, `*.conf` or `*.json` by name is what counts, whenever a pod is made.
    pub conf_dir: PathBuf,
    /// Searched in this order.
    pub bin_dirs: Vec<PathBuf>,
}

#[derive(Debug, Error)]
pub enum CniError {
    #[error("no network configuration is in {}", .0.display())]
    NoList(PathBuf),
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is no network configuration: {why}", path.display())]
    BadList { path: PathBuf, why: String },
    #[error("plugin {0:?} is in none of the plugins' folders")]
    NoPlugin(String),
    #[error("cannot run plugin {plugin:?}")]
    Run { plugin: String, source: io::Error },
    #[error("plugin {plugin:?} took longer than {} s", PATIENCE.as_secs())]
    Slow { plugin: String },
    #[error("plugin {plugin:?} failed: {message}")]
    Failed { plugin: String, message: String },
    #[error("network {0:?} gave the pod no address")]
    NoAddress(String),
}

/// Versions that are spoken, the newest last.
const VERSIONS: [&str; 5] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
/// The pod's interface.
const INTERFACE: &str = super::POD_INTERFACE;
/// Plugins that ask other programs need some seconds; one that hangs must not hold a pod for ever.
const PATIENCE: Duration = Duration::from_mins(1);
const SUFFIXES: [&str; 3] = ["conflist", "conf", "json"];

/// A list of plugins, as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct List {
    name: String,
    version: String,
    plugins: Vec<Map<String, Value>>,
}

/// What was done for a sandbox, and has to be undone the same way. Kept in the sandbox's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attachment {
    list: List,
    arguments: String,
    /// By capability; a plugin gets those that it declares.
    capabilities: Map<String, Value>,
    /// Of the last plugin; none before all have answered.
    result: Option<Value>,
}

impl CniConfig {
    /// The list that counts now.
    pub(crate) fn list(&self) -> Result<List, CniError> {
        let read = |source| CniError::Read { path: self.conf_dir.clone(), source };
        let entries = match fs::read_dir(&self.conf_dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(CniError::NoList(self.conf_dir.clone()));
            }
            entries => entries.map_err(read)?,
        };
        let mut files = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>().map_err(read)?;
        files.retain(|file| file.extension().is_some_and(|suffix| SUFFIXES.iter().any(|known| suffix == *known)));
        files.sort();
        let path = files.into_iter().next().ok_or_else(|| CniError::NoList(self.conf_dir.clone()))?;
        let text = fs::read_to_string(&path).map_err(|source| CniError::Read { path: path.clone(), source })?;
        parse(&text).map_err(|why| CniError::BadList { path, why })
    }

    /// A sandbox's part of the network that the list describes now; nothing has been done for it yet.
    pub(crate) fn plan(
        &self,
        sandbox: &str,
        config: &cri::PodSandboxConfig,
        ports: &[PortMap],
    ) -> Result<Attachment, CniError> {
        let metadata = config.metadata.clone().unwrap_or_default();
        let arguments = format!(
            "IgnoreUnknown=1;K8S_POD_NAMESPACE={};K8S_POD_NAME={};K8S_POD_INFRA_CONTAINER_ID={sandbox};K8S_POD_UID={}",
            metadata.namespace, metadata.name, metadata.uid
        );
        let capabilities = capability::of(config, ports);
        Ok(Attachment { list: self.list()?, arguments, capabilities, result: None })
    }

    /// ADD: connects the network namespace at `netns`; returns the pod's addresses. Undoes what a plugin did before
    /// another one failed.
    pub(crate) async fn add(
        &self,
        sandbox: &str,
        netns: &Path,
        attachment: &mut Attachment,
    ) -> Result<Vec<IpAddr>, CniError> {
        let mut result = None;
        for plugin in &attachment.list.plugins {
            match self.call("ADD", (sandbox, Some(netns)), attachment, plugin, result.as_ref()).await {
                Ok(answer) => result = answer.or(result),
                Err(error) => {
                    if let Err(undo) = self.delete(sandbox, Some(netns), attachment).await {
                        tracing::warn!(sandbox, error = %undo, "a pod's network is not wholly undone");
                    }
                    return Err(error);
                }
            }
        }
        let ips = result.as_ref().map(addresses).unwrap_or_default();
        attachment.result = result;
        if ips.is_empty() {
            if let Err(undo) = self.delete(sandbox, Some(netns), attachment).await {
                tracing::warn!(sandbox, error = %undo, "a pod's network is not wholly undone");
            }
            return Err(CniError::NoAddress(attachment.list.name.clone()));
        }
        Ok(ips)
    }

    /// DEL: undoes it. `netns` is none where the pod's processes have ended; every plugin is asked, though one fails.
    pub(crate) async fn delete(
        &self,
        sandbox: &str,
        netns: Option<&Path>,
        attachment: &Attachment,
    ) -> Result<(), CniError> {
        let mut outcome = Ok(());
        for plugin in attachment.list.plugins.iter().rev() {
            let result = attachment.result.as_ref();
            let deleted = self.call("DEL", (sandbox, netns), attachment, plugin, result).await;
            outcome = outcome.and(deleted.map(drop));
        }
        outcome
    }

    /// What a plugin answers to one command; nothing where it says nothing.
    async fn call(
        &self,
        command: &str,
        (sandbox, netns): (&str, Option<&Path>),
        attachment: &Attachment,
        plugin: &Map<String, Value>,
        previous: Option<&Value>,
    ) -> Result<Option<Value>, CniError> {
        let name = plugin.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        // A path would lead out of the plugins' folders.
        let found = self.bin_dirs.iter().map(|dir| dir.join(&name)).find(|path| path.is_file());
        let program = found.filter(|_| !name.contains('/')).ok_or_else(|| CniError::NoPlugin(name.clone()))?;
        let path = self.bin_dirs.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(":");
        let mut child = Command::new(program)
            .env("CNI_COMMAND", command)
            .env("CNI_CONTAINERID", sandbox)
            .env("CNI_NETNS", netns.unwrap_or(Path::new("")))
            .env("CNI_IFNAME", INTERFACE)
            .env("CNI_ARGS", &attachment.arguments)
            .env("CNI_PATH", path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| CniError::Run { plugin: name.clone(), source })?;
        let input = configuration(attachment, plugin, previous).to_string();
        let stdin = child.stdin.take();
        let talk = async move {
            if let Some(mut stdin) = stdin {
                // One that does not read its configuration says in its answer why.
                if let Err(error) = stdin.write_all(input.as_bytes()).await {
                    tracing::debug!(%error, "a plugin did not read its configuration");
                }
            }
            child.wait_with_output().await
        };
        let output = tokio::time::timeout(PATIENCE, talk).await;
        let output = output.map_err(|_| CniError::Slow { plugin: name.clone() })?;
        let output = output.map_err(|source| CniError::Run { plugin: name.clone(), source })?;
        let answer: Option<Value> = serde_json::from_slice(&output.stdout).ok();
        if output.status.success() {
            return Ok(answer);
        }
        Err(CniError::Failed { plugin: name, message: failure(answer.as_ref(), &output) })
    }
}

/// What a plugin reads: its part of the list, what all have in common, and what others made before it.
fn configuration(attachment: &Attachment, plugin: &Map<String, Value>, previous: Option<&Value>) -> Value {
    let mut all = plugin.clone();
    all.insert("name".to_owned(), json!(attachment.list.name));
    all.insert("cniVersion".to_owned(), json!(attachment.list.version));
    let declared = all.remove("capabilities");
    let is_declared = |name: &str| declared.as_ref().is_some_and(|declared| declared[name] == true);
    let wanted: Map<String, Value> = attachment
        .capabilities
        .iter()
        .filter(|(name, _)| is_declared(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if !wanted.is_empty() {
        all.insert("runtimeConfig".to_owned(), Value::Object(wanted));
    }
    if let Some(previous) = previous {
        all.insert("prevResult".to_owned(), previous.clone());
    }
    Value::Object(all)
}

fn failure(answer: Option<&Value>, output: &std::process::Output) -> String {
    let said = |field: &str| answer.and_then(|answer| answer[field].as_str()).filter(|text| !text.is_empty());
    match (said("msg"), said("details")) {
        (Some(message), Some(details)) => format!("{message}: {details}"),
        (Some(message), None) => message.to_owned(),
        (None, _) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            format!("{} {}", output.status, errors.trim().lines().next_back().unwrap_or_default())
        }
    }
}

/// The addresses of the pod's own interfaces, one of each family, in the order of the result.
fn addresses(result: &Value) -> Vec<IpAddr> {
    let list = |field: &str| result[field].as_array().cloned().unwrap_or_default();
    let interfaces = list("interfaces");
    // Others are the host's ends.
    let is_inside = |index: &Value| {
        let interface = index.as_u64().and_then(|index| interfaces.get(usize::try_from(index).ok()?));
        interface.is_none_or(|interface| interface["sandbox"].as_str().is_some_and(|sandbox| !sandbox.is_empty()))
    };
    let mut found: Vec<IpAddr> = Vec::new();
    for one in list("ips").iter().filter(|one| is_inside(&one["interface"])) {
        let address = one["address"].as_str().and_then(|address| address.split('/').next()?.parse::<IpAddr>().ok());
        if let Some(ip) = address.filter(|ip| !found.iter().any(|other| other.is_ipv4() == ip.is_ipv4())) {
            found.push(ip);
        }
    }
    found
}

/// A list, or a single plugin's configuration as a list of one.
fn parse(text: &str) -> Result<List, String> {
    let value: Map<String, Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let text = |field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    let name = text("name").filter(|name| !name.is_empty()).ok_or("it has no name")?;
    let version = text("cniVersion").unwrap_or_default();
    if !VERSIONS.contains(&version.as_str()) {
        return Err(format!("cniVersion {version:?} is none of {}", VERSIONS.join(", ")));
    }
    let plugins: Vec<Map<String, Value>> = match value.get("plugins") {
        Some(plugins) => serde_json::from_value(plugins.clone()).map_err(|error| error.to_string())?,
        None => vec![value.clone()],
    };
    let named = |plugin: &Map<String, Value>| plugin.get("type").and_then(Value::as_str).is_some_and(|t| !t.is_empty());
    if plugins.is_empty() || !plugins.iter().all(named) {
        return Err("every plugin needs a type, and there has to be one".to_owned());
    }
    Ok(List { name, version, plugins })
}
