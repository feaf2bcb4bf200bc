//! The verbs, one file each, and the table from typed commands to them.

mod apply;
mod auth;
mod autoscale;
mod certificate;
mod change;
mod cluster;
mod config;
mod cp;
mod create;
mod delete;
mod describe;
mod diff;
mod events;
mod exec;
mod explain;
mod get;
mod logs;
mod metadata;
mod node;
mod pods;
mod port_forward;
mod rollout;
mod run;
mod scale;
mod set;
mod template;
mod token;
mod top;
mod wait;
mod why;

use crate::connect::Environment;
use crate::high::Global;
use crate::jsonpath::Missing;
use crate::low::{Auth, Certificate, Cli, Command, LastApplied, Rollout, Set, Token};
use crate::print::{Format, tree};
use crate::screen::Screen;
use crate::session::Session;
use anyhow::{Result, bail};
use clap::CommandFactory as _;
use serde_json::Value;

/// Runs a command that needs a server.
pub(crate) async fn run(session: &Session, command: &Command) -> Result<()> {
    match command {
        Command::Apply(typed) => match &typed.last {
            None => apply::run(session, typed).await,
            Some(LastApplied::ViewLastApplied(typed)) => apply::view_last(session, typed).await,
        },
        Command::Diff(typed) => diff::run(session, typed).await,
        Command::Create(typed) => create::run(session, typed).await,
        Command::Get(typed) => get::run(session, typed).await,
        Command::Delete(typed) => delete::run(session, typed).await,
        Command::Logs(typed) => logs::run(session, typed).await,
        Command::Exec(typed) => exec::run(session, typed).await,
        Command::Attach(typed) => exec::attach(session, typed).await,
        Command::Copy(typed) => cp::run(session, typed).await,
        Command::PortForward(typed) => port_forward::run(session, typed).await,
        Command::Scale(typed) => scale::run(session, typed).await,
        Command::Autoscale(typed) => autoscale::run(session, typed).await,
        Command::Rollout(Rollout::Status(typed)) => rollout::status(session, typed).await,
        Command::Rollout(Rollout::History { named, revision }) => rollout::history(session, named, *revision).await,
        Command::Rollout(Rollout::Undo(typed)) => rollout::undo(session, typed).await,
        Command::Rollout(Rollout::Restart(typed)) => rollout::restart(session, typed).await,
        Command::Rollout(Rollout::Pause(typed)) => rollout::pause(session, typed, rollout::Pause::Pause).await,
        Command::Rollout(Rollout::Resume(typed)) => rollout::pause(session, typed, rollout::Pause::Resume).await,
        Command::Set(Set::Image(typed)) => set::image(session, typed).await,
        Command::Set(Set::Env(typed)) => set::environment(session, typed).await,
        Command::Wait(typed) => wait::run(session, typed).await,
        Command::Describe(typed) => describe::run(session, typed).await,
        Command::Events(typed) => events::run(session, typed).await,
        Command::Why(typed) => why::run(session, typed).await,
        Command::Label(typed) => metadata::run(session, typed, metadata::Field::Labels).await,
        Command::Annotate(typed) => metadata::run(session, &typed.what, metadata::Field::Annotations).await,
        Command::Taint(typed) => node::taint(session, typed).await,
        Command::Cordon(typed) => node::cordon(session, &typed.nodes, node::Cordon::On).await,
        Command::Uncordon(typed) => node::cordon(session, &typed.nodes, node::Cordon::Off).await,
        Command::Drain(typed) => node::drain(session, typed).await,
        Command::Patch(typed) => change::patch(session, typed).await,
        Command::Replace(typed) => change::replace(session, typed).await,
        Command::Edit(typed) => change::edit(session, typed).await,
        Command::Run(typed) => run::run(session, typed).await,
        Command::Expose(typed) => run::expose(session, typed).await,
        Command::Explain(typed) => explain::run(session, typed).await,
        Command::ApiResources(typed) => cluster::api_resources(session, typed).await,
        Command::ApiVersions => cluster::api_versions(session).await,
        Command::Version(typed) => cluster::version(session, typed).await,
        Command::ClusterInfo => cluster::info(session).await,
        Command::Auth(Auth::CanI(typed)) => auth::can_i(session, typed).await,
        Command::Auth(Auth::WhoAmI { format }) => auth::who_am_i(session, format).await,
        Command::Certificate(Certificate::Approve(typed)) => {
            certificate::decide(session, typed, certificate::Decision::Approve).await
        }
        Command::Certificate(Certificate::Deny(typed)) => {
            certificate::decide(session, typed, certificate::Decision::Deny).await
        }
        Command::Token(Token::Create(typed)) => token::create(session, typed).await,
        Command::Token(Token::List { no_headers }) => token::list(session, *no_headers).await,
        Command::Token(Token::Revoke { tokens }) => token::revoke(session, tokens).await,
        Command::Top(typed) => top::run(session, typed).await,
        Command::Config(_) | Command::Completion(_) => bail!("this command works without a server"),
    }
}

/// Runs a command that needs no server; whether it was one.
pub(crate) fn run_offline(
    screen: &Screen,
    global: &Global,
    environment: &Environment,
    command: &Command,
) -> Result<bool> {
    match command {
        Command::Config(typed) => config::run(screen, global, environment, typed)?,
        Command::Completion(typed) => {
            let mut script = vec![];
            clap_complete::generate(typed.shell, &mut Cli::command(), "kctl", &mut script);
            screen.bytes(&script)?;
        }
        Command::Version(typed) if typed.client => cluster::show_version(screen, typed, None)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Says what a write did to an object, or shows the object that it returned, as `-o` asks.
fn tell(session: &Session, format: Option<&Format>, title: &str, done: &str, object: &Value) -> Result<()> {
    match format {
        None => Ok(session.screen.line(&format!("{title} {done}"))?),
        Some(Format::Name) => Ok(session.screen.line(title)?),
        Some(format) => show_tree(session, Some(format), object),
    }
}

/// Shows an object that a write returned, in the form that `-o` asks for.
fn show_tree(session: &Session, format: Option<&Format>, object: &Value) -> Result<()> {
    let mut object = object.clone();
    tree::without_managed_fields(&mut object);
    match format {
        None | Some(Format::Table { .. } | Format::Name | Format::CustomColumns(_)) => {
            bail!("this command can only print yaml, json, name or jsonpath=")
        }
        Some(Format::Yaml) => session.screen.text(&tree::yaml(&object))?,
        Some(Format::Json) => session.screen.text(&tree::json(&object))?,
        Some(Format::JsonPath(template)) => session.screen.text(&template.render(&object, Missing::Empty)?)?,
    }
    Ok(())
}
