//! What every verb works with: the server, the namespace, the screen and the clock.

use crate::high::Global;
use crate::resource::Resource;
use crate::screen::Screen;
use crate::server::Server;
use anyhow::{Result, bail};
use client::clock::Clock;
use std::sync::Arc;

#[derive(Clone)]
pub struct Session {
    pub global: Global,
    pub server: Server,
    pub screen: Screen,
    /// The namespace that commands work in: `-n`, else the context's.
    pub namespace: String,
    pub clock: Arc<dyn Clock>,
}

impl Session {
    /// The namespace of an object of a manifest.
    pub(crate) fn namespace_of<'a>(&'a self, resource: &Resource, of_object: Option<&'a str>) -> Result<&'a str> {
        match (of_object.filter(|namespace| !namespace.is_empty()), self.global.namespace.as_deref()) {
            // k8s: kubectl resource RequireNamespace
            (Some(own), Some(asked)) if resource.namespaced && own != asked => bail!(
                "the namespace from the provided object \"{own}\" does not match the namespace \"{asked}\". You must pass '--namespace={own}' to perform this operation."
            ),
            (Some(own), _) => Ok(own),
            (None, _) => Ok(&self.namespace),
        }
    }

    /// The namespace to list in; `None` for all.
    pub fn scope(&self, all_namespaces: bool) -> Option<&str> {
        if all_namespaces { None } else { Some(&self.namespace) }
    }

    /// Shows an error and goes on; commands on several objects end with the exit code 1 afterwards.
    pub fn complain(&self, error: &anyhow::Error) -> Result<()> {
        Ok(self.screen.note(&crate::failure::message(error))?)
    }
}

/// Counts what failed while a command went on.
#[derive(Debug, Default)]
pub struct Failures(usize);

impl Failures {
    /// Shows the error of one object, if there is one.
    pub fn take<T>(&mut self, session: &Session, outcome: Result<T>) -> Result<Option<T>> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            // Nobody reads on, or nobody answers: the next object fares no better.
            Err(error) if error.is::<std::io::Error>() || error.is::<crate::failure::Unreachable>() => Err(error),
            Err(error) => {
                session.complain(&error)?;
                self.0 += 1;
                Ok(None)
            }
        }
    }

    pub fn end(self) -> Result<()> {
        if self.0 == 0 { Ok(()) } else { Err(crate::failure::Exit(1).into()) }
    }
}
