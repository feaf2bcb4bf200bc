//! From the surroundings (flags, `$KUBECONFIG`, home folder) to a connection and the namespace that commands work in.

use crate::high::Global;
use crate::screen::Screen;
use crate::server::Server;
use anyhow::{Context, Result, bail};
use client::kubeconfig::{Surroundings, candidates};
use kube::config::{KubeConfigOptions, Kubeconfig};
use std::path::{Path, PathBuf};

/// Where `drover` keeps its data unless told otherwise; its admin kubeconfig is the last that is tried.
pub const DATA_DIR: &str = "/var/lib/drover";

/// Folders and variables of the process, read once.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    pub kubeconfig: Option<std::ffi::OsString>,
    pub home: Option<PathBuf>,
}

impl Environment {
    pub fn of_process() -> Self {
        Self { kubeconfig: std::env::var_os("KUBECONFIG"), home: std::env::home_dir() }
    }
}

/// The kubeconfig files that count, in order of precedence.
pub fn files(global: &Global, environment: &Environment) -> Vec<PathBuf> {
    let around = Surroundings {
        flag: global.kubeconfig.as_deref(),
        env: environment.kubeconfig.as_deref(),
        home: environment.home.as_deref(),
        data_dir: Path::new(DATA_DIR),
    };
    candidates(around, Path::exists)
}

/// The merged kubeconfig.
pub fn load(global: &Global, environment: &Environment) -> Result<Kubeconfig> {
    let files = files(global, environment);
    if let [only] = files.as_slice()
        && !only.exists()
    {
        bail!(
            "no kubeconfig at {} (start a cluster with `drover up`, or name one with --kubeconfig or $KUBECONFIG)",
            only.display()
        );
    }
    let mut merged = Kubeconfig::default();
    for file in files {
        let next = Kubeconfig::read_from(&file).with_context(|| format!("cannot use kubeconfig {}", file.display()))?;
        merged = merged.merge(next).with_context(|| format!("cannot merge kubeconfig {}", file.display()))?;
    }
    Ok(merged)
}

/// A connection, and the namespace of the context.
pub async fn connect(global: &Global, environment: &Environment, screen: Screen) -> Result<(Server, String)> {
    let mut kubeconfig = load(global, environment)?;
    if let Some(server) = &global.server {
        for cluster in &mut kubeconfig.clusters {
            cluster.cluster.get_or_insert_default().server = Some(server.clone());
        }
    }
    let options = KubeConfigOptions { context: global.context.clone(), ..KubeConfigOptions::default() };
    let config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.context("cannot use the kubeconfig")?;
    let mut config = client::transport::with_scheme(config)?;
    if global.impersonate.is_some() {
        config.auth_info.impersonate.clone_from(&global.impersonate);
    }
    if !global.impersonate_groups.is_empty() {
        config.auth_info.impersonate_groups = Some(global.impersonate_groups.clone());
    }
    config.read_timeout = None;
    let url = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let namespace = config.default_namespace.clone();
    let client = client::transport::https_from(config)?;
    let server = Server::new(client, url, screen).with_timeout(global.request_timeout).with_verbosity(global.verbosity);
    Ok((server, namespace))
}
