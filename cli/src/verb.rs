//! The verbs, one file each, and the table from typed commands to them.

mod apply;
mod create;
mod delete;
mod exec;
mod get;
mod logs;
mod pods;
mod port_forward;
mod rollout;
mod scale;
mod set;
mod template;
mod wait;

use crate::jsonpath::Missing;
use crate::low::{Command, Rollout, Set};
use crate::print::{Format, tree};
use crate::session::Session;
use anyhow::Result;
use serde_json::Value;

/// Runs a command that needs a server.
pub async fn run(session: &Session, command: &Command) -> Result<()> {
    match command {
        Command::Apply(typed) => apply::run(session, typed).await,
        Command::Create(typed) => create::run(session, typed).await,
        Command::Get(typed) => get::run(session, typed).await,
        Command::Delete(typed) => delete::run(session, typed).await,
        Command::Logs(typed) => logs::run(session, typed).await,
        Command::Exec(typed) => exec::run(session, typed).await,
        Command::Attach(typed) => exec::attach(session, typed).await,
        Command::PortForward(typed) => port_forward::run(session, typed).await,
        Command::Scale(typed) => scale::run(session, typed).await,
        Command::Rollout(Rollout::Status(typed)) => rollout::status(session, typed).await,
        Command::Rollout(Rollout::History { named, revision }) => rollout::history(session, named, *revision).await,
        Command::Rollout(Rollout::Undo(typed)) => rollout::undo(session, typed).await,
        Command::Rollout(Rollout::Restart(typed)) => rollout::restart(session, typed).await,
        Command::Rollout(Rollout::Pause(typed)) => rollout::pause(session, typed, rollout::Pause::Pause).await,
        Command::Rollout(Rollout::Resume(typed)) => rollout::pause(session, typed, rollout::Pause::Resume).await,
        Command::Set(Set::Image(typed)) => set::image(session, typed).await,
        Command::Set(Set::Env(typed)) => set::environment(session, typed).await,
        Command::Wait(typed) => wait::run(session, typed).await,
        _ => anyhow::bail!("this command is not built yet"),
    }
}

/// Shows an object that a write returned, in the form that `-o` asks for.
fn show_tree(session: &Session, format: Option<&Format>, object: &Value) -> Result<()> {
    let mut object = object.clone();
    tree::without_managed_fields(&mut object);
    match format {
        None | Some(Format::Table { .. } | Format::Name | Format::CustomColumns(_)) => {
            anyhow::bail!("this command can only print yaml, json, name or jsonpath=")
        }
        Some(Format::Yaml) => session.screen.text(&tree::yaml(&object))?,
        Some(Format::Json) => session.screen.text(&tree::json(&object))?,
        Some(Format::JsonPath(template)) => session.screen.text(&template.render(&object, Missing::Empty)?)?,
    }
    Ok(())
}
