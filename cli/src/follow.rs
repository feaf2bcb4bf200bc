//! One object as it changes: its state now, then each later one. Ends of watches and lost history are handled here.

use crate::failure;
use crate::resource::Resource;
use crate::server::{JSON, Query, Server, Watch};
use anyhow::Result;
use serde_json::Value;

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
                Err(error) if failure::status(&error).is_some_and(|status| status.code == 410) => {
                    self.watch = None;
                    self.revision = None;
                }
                Err(error) => return Err(error),
            }
        }
    }
}
