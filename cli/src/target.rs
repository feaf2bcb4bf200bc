//! The words after a verb: which resources and names they mean (`pods`, `pod a b`, `pod/a svc/b`, `pods,svc`, `all`).

use crate::resource::{self, Resource};
use crate::server::Server;
use anyhow::{Result, bail};

/// One object by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub resource: Resource,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// All objects of these resources, or those that selectors choose.
    Kinds(Vec<Resource>),
    Names(Vec<Named>),
}

/// Reads the words of `get`, `delete`, `describe` and their like.
pub(crate) async fn parse(server: &Server, words: &[String]) -> Result<Target> {
    let Some(first) = words.first() else {
        bail!("you must name a resource, such as `pods` or `deployment/web` (`kctl api-resources` lists them)");
    };
    if words.iter().any(|word| word.contains('/')) {
        let mut names = vec![];
        for word in words {
            names.push(slashed(server, word).await?);
        }
        return Ok(Target::Names(names));
    }
    let mut kinds: Vec<Resource> = vec![];
    for word in first.split(',').filter(|word| !word.is_empty()) {
        for found in resource::find_all(server, word).await? {
            if !kinds.contains(&found) {
                kinds.push(found);
            }
        }
    }
    let names = &words[1..];
    if names.is_empty() {
        return Ok(Target::Kinds(kinds));
    }
    let pairs =
        kinds.iter().flat_map(|kind| names.iter().map(|name| Named { resource: kind.clone(), name: name.clone() }));
    Ok(Target::Names(pairs.collect()))
}

async fn slashed(server: &Server, word: &str) -> Result<Named> {
    let Some((kind, name)) = word.split_once('/') else {
        // k8s: kubectl resource builder
        bail!(
            "there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. `kctl get resource/<name>` instead of `kctl get resource resource/<name>`)"
        );
    };
    if kind.is_empty() || name.is_empty() || name.contains('/') {
        bail!("arguments in resource/name form must have a single resource and name, not \"{word}\"");
    }
    Ok(Named { resource: resource::find(server, kind).await?, name: name.to_owned() })
}

/// A pod word of `logs`, `exec`, `port-forward`: a bare word is a pod's name.
pub(crate) async fn pod_or_owner(server: &Server, word: &str) -> Result<Named> {
    if word.contains('/') {
        slashed(server, word).await
    } else {
        Ok(Named { resource: resource::known("", "pods"), name: word.to_owned() })
    }
}
