//! `kctl`: Drover's command line for the Kubernetes API. It is a client like any other: it knows kinds by the same table
//! as the server, and asks the server for everything else.
//!
//! [`low`] is what was typed, [`high`] what it means; each verb is a file; only [`failure`] words errors, only [`screen`]
//! writes.
#![forbid(unsafe_code)]

mod chosen;
pub mod connect;
pub mod failure;
mod follow;
pub mod high;
pub mod jsonpath;
pub mod low;
mod manifest;
mod print;
mod resource;
pub mod screen;
pub mod server;
pub mod session;
mod target;
mod terminal;
mod verb;

use crate::connect::Environment;
use crate::high::Global;
use crate::low::{Cli, Command};
use crate::screen::Screen;
use crate::session::Session;
use anyhow::Result;
use client::clock::SystemClock;
use std::sync::Arc;

/// Runs a command line; the exit code.
pub async fn run(cli: Cli, environment: &Environment, screen: Screen) -> u8 {
    let outcome = dispatch(cli, environment, &screen).await;
    failure::report(&screen, outcome)
}

async fn dispatch(cli: Cli, environment: &Environment, screen: &Screen) -> Result<()> {
    let global = Global::new(&cli.global)?;
    if verb::run_offline(screen, &global, environment, &cli.command)? {
        return Ok(());
    }
    let (server, of_context) = connect::connect(&global, environment, screen.clone()).await?;
    let namespace = global.namespace.clone().unwrap_or(of_context);
    let session = Session { global, server, screen: screen.clone(), namespace, clock: Arc::new(SystemClock) };
    execute(&session, &cli.command).await
}

/// Runs a command on a session; tests bring a server of their own.
pub async fn execute(session: &Session, command: &Command) -> Result<()> {
    verb::run(session, command).await
}
