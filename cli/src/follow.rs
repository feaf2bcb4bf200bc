//! Objects as they change: one, or all that a query selects. Ends of watches and lost history are handled here.

use crate::failure;
use crate::resource::Resource;
use crate::server::{Event, JSON, Query, Server, Watch};
use anyhow::Result;
use serde_json::Value;

/// One object: its state now, then each later one.
pub(crate) struct Follow<'a> {
    server: &'a Server,
    path: String,
    query: Query,
    watch: Option<Watch>,
    /// Where the next watch goes on; `None` where the state must be read anew.
    revision: Option<String>,
}

impl<'a> Follow<'a> {
    pub(crate) fn new(server: &'a Server, resource: &Resource, namespace: &str, name: &str) -> Self {
        Self {
            server,
            path: resource.path(Some(namespace)),
            query: Query::new().set("fieldSelector", format!("metadata.name={name}")),
            watch: None,
            revision: None,
        }
    }

    /// The object now, at the first call; afterwards, each time it changed. `None`: it does not exist.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>> {
        loop {
            let Some(revision) = &self.revision else {
                let list = self.server.get(&self.query.on(&self.path)).await?;
                self.revision = Some(list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned());
                return Ok(list["items"].get(0).cloned());
            };
            if self.watch.is_none() {
                let query = self.query.clone().set("resourceVersion", revision).set("allowWatchBookmarks", "true");
                self.watch = Some(self.server.watch(&self.path, &query, JSON).await?);
            }
            let watch = self.watch.as_mut().expect("set above");
            match watch.next().await {
                Ok(Some(event)) => {
                    if let Some(revision) = event.object["metadata"]["resourceVersion"].as_str() {
                        self.revision = Some(revision.to_owned());
                    }
                    match event.kind.as_str() {
                        "BOOKMARK" => {}
                        "DELETED" => return Ok(None),
                        _ => return Ok(Some(event.object)),
                    }
                }
                Ok(None) => self.watch = None,
                Err(error) if is_lost(&error) => {
                    self.watch = None;
                    self.revision = None;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether the server has forgotten what happened since the revision that was asked for.
fn is_lost(error: &anyhow::Error) -> bool {
    failure::status(error).is_some_and(|status| status.code == 410)
}

/// The changes to all that a query selects, in the form that the caller accepts.
pub(crate) struct Changes<'a> {
    server: &'a Server,
    path: String,
    query: Query,
    accept: &'static str,
    watch: Option<Watch>,
    /// Where the next watch goes on; `None` begins with what there is.
    revision: Option<String>,
}

impl<'a> Changes<'a> {
    pub(crate) fn new(
        server: &'a Server,
        path: String,
        query: Query,
        accept: &'static str,
        revision: Option<String>,
    ) -> Self {
        Self { server, path, query, accept, watch: None, revision }
    }

    /// The next change. What a lost history held is not told; later changes are.
    pub(crate) async fn next(&mut self) -> Result<Event> {
        loop {
            if self.watch.is_none() {
                let query = self.query.clone().maybe("resourceVersion", self.revision.as_deref());
                let query = query.set("allowWatchBookmarks", "true");
                self.watch = Some(self.server.watch(&self.path, &query, self.accept).await?);
            }
            let watch = self.watch.as_mut().expect("set above");
            match watch.next().await {
                Ok(None) => self.watch = None,
                Ok(Some(event)) => {
                    self.revision = revision_of(&event).or(self.revision.take());
                    if event.kind != "BOOKMARK" {
                        return Ok(event);
                    }
                }
                Err(error) if is_lost(&error) => {
                    let list = self.server.get_as(&self.query.on(&self.path), self.accept).await?;
                    self.revision = list["metadata"]["resourceVersion"].as_str().map(str::to_owned);
                    self.watch = None;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// An event's own revision: that of the object, or of the one row in its table.
fn revision_of(event: &Event) -> Option<String> {
    let own = event.object["metadata"]["resourceVersion"].as_str().filter(|revision| !revision.is_empty());
    let of_row = || event.object["rows"][0]["object"]["metadata"]["resourceVersion"].as_str();
    own.or_else(of_row).map(str::to_owned)
}
