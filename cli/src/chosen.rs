//! The objects that a command is about: by name, by selector, by manifest, or all of a type.

use crate::high::DryRun;
use crate::low::{Files, Select};
use crate::manifest;
use crate::resource::{self, Resource};
use crate::server::Query;
use crate::session::Session;
use crate::target::{self, Target};
use anyhow::{Result, bail};
use serde_json::Value;

/// An object that a command is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chosen {
    pub resource: Resource,
    pub namespace: String,
    pub name: String,
    /// The object as listed, where choosing it took a list.
    pub listed: Option<Value>,
}

impl Chosen {
    pub(crate) fn path(&self) -> String {
        self.resource.object_path(&self.namespace, &self.name)
    }

    /// The path of a subresource, or of a write with this dry run.
    pub(crate) fn write_path(&self, dry_run: DryRun) -> String {
        Query::new().set("fieldManager", "kctl").maybe("dryRun", dry_run.query()).on(&self.path())
    }

    /// `deployment.apps/web`
    pub(crate) fn title(&self) -> String {
        self.resource.named(&self.name)
    }

    pub(crate) async fn object(&self, session: &Session) -> Result<Value> {
        match &self.listed {
            Some(object) => Ok(object.clone()),
            None => session.server.get(&self.path()).await,
        }
    }
}

/// What a type without a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nameless {
    /// All objects of it.
    All,
    /// A mistake, unless a selector says which.
    Refused,
}

pub(crate) struct Choice<'a> {
    pub words: &'a [String],
    pub files: Option<&'a Files>,
    pub select: &'a Select,
    pub nameless: Nameless,
}

/// The query that carries selectors.
pub(crate) fn selectors(select: &Select) -> Query {
    Query::new()
        .maybe("labelSelector", select.selector.as_deref())
        .maybe("fieldSelector", select.field_selector.as_deref())
}

/// Finds the objects; an object of a manifest that cannot be read is an error of the whole choice.
pub(crate) async fn choose(session: &Session, choice: &Choice<'_>) -> Result<Vec<Chosen>> {
    if let Some(files) = choice.files.filter(|files| !files.names.is_empty()) {
        anyhow::ensure!(choice.words.is_empty(), "name objects or give -f, not both");
        return of_files(session, files).await;
    }
    let selected = choice.select.selector.is_some() || choice.select.field_selector.is_some();
    match target::parse(&session.server, choice.words).await? {
        Target::Names(_) if selected => bail!("name objects or give a selector, not both"),
        Target::Names(_) if choice.select.all_namespaces => {
            bail!("a resource cannot be retrieved by name across all namespaces")
        }
        Target::Names(names) => Ok(names
            .into_iter()
            .map(|named| Chosen {
                resource: named.resource,
                namespace: session.namespace.clone(),
                name: named.name,
                listed: None,
            })
            .collect()),
        Target::Kinds(_) if choice.nameless == Nameless::Refused && !selected => {
            bail!("resource(s) were provided, but no name was specified (use --all or -l to choose several)")
        }
        Target::Kinds(kinds) => listed(session, &kinds, choice.select).await,
    }
}

async fn of_files(session: &Session, files: &Files) -> Result<Vec<Chosen>> {
    let mut chosen = vec![];
    for document in manifest::read(&files.names, files.recursive) {
        let document = document?;
        let resource = resource::of_object(&session.server, document.api_version(), document.kind()).await?;
        let metadata = &document.object["metadata"];
        let namespace = session.namespace_of(&resource, metadata["namespace"].as_str())?.to_owned();
        let Some(name) = metadata["name"].as_str() else {
            bail!("{} has a {} without a name", document.source, document.kind())
        };
        chosen.push(Chosen { resource, namespace, name: name.to_owned(), listed: None });
    }
    Ok(chosen)
}

async fn listed(session: &Session, kinds: &[Resource], select: &Select) -> Result<Vec<Chosen>> {
    let mut chosen = vec![];
    for resource in kinds.iter().filter(|resource| resource.can("list")) {
        let path = resource.path(session.scope(select.all_namespaces));
        for object in session.server.list(&path, &selectors(select)).await? {
            let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
            let (namespace, name) = (text("namespace"), text("name"));
            chosen.push(Chosen { resource: resource.clone(), namespace, name, listed: Some(object) });
        }
    }
    Ok(chosen)
}
