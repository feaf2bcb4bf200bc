//! `describe`: an object for a reader, with its events. Kinds that people look at most have views of their own; every
//! other kind is shown field by field.

mod events;
mod page;
mod views;

use crate::chosen::{self, Choice, Chosen, Nameless};
use crate::failure;
use crate::low;
use crate::session::{Failures, Session};
use anyhow::{Result, bail};
use page::Page;
use serde_json::Value;

pub(super) async fn run(session: &Session, typed: &low::Describe) -> Result<()> {
    let choice =
        Choice { words: &typed.words, files: Some(&typed.files), select: &typed.select, nameless: Nameless::All };
    let chosen = by_prefix(session, chosen::choose(session, &choice).await?).await?;
    if chosen.is_empty() {
        session.screen.note(&format!("No resources found in {} namespace.", session.namespace))?;
    }
    let mut failures = Failures::default();
    for (at, one) in chosen.iter().enumerate() {
        let Some(text) = failures.take(session, describe(session, typed, one).await)? else { continue };
        if at > 0 {
            session.screen.text("\n\n")?;
        }
        session.screen.text(&text)?;
    }
    failures.end()
}

/// A name that no object has may be the begin of some: `describe pod web`.
async fn by_prefix(session: &Session, chosen: Vec<Chosen>) -> Result<Vec<Chosen>> {
    let mut found = vec![];
    for mut one in chosen {
        if one.listed.is_some() {
            found.push(one);
            continue;
        }
        match session.server.get(&one.path()).await {
            Ok(object) => {
                one.listed = Some(object);
                found.push(one);
            }
            Err(error) if failure::is_not_found(&error) => {
                let objects =
                    session.server.list(&one.resource.path(Some(&one.namespace)), &crate::server::Query::new()).await?;
                let named = |object: &Value| object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                let mut matching = objects.into_iter().filter(|object| named(object).starts_with(&one.name)).peekable();
                if matching.peek().is_none() {
                    return Err(error);
                }
                found.extend(matching.map(|object| Chosen {
                    name: named(&object),
                    listed: Some(object),
                    ..one.clone()
                }));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

async fn describe(session: &Session, typed: &low::Describe, one: &Chosen) -> Result<String> {
    let object = one.object(session).await?;
    if !object.is_object() {
        bail!("the server answered without an object");
    }
    let now = session.clock.now();
    let related = related(session, one, &object).await?;
    let mut page = Page::default();
    match one.resource.kind.as_str() {
        "Pod" => views::pod(&mut page, &object),
        "Deployment" => views::deployment(&mut page, &object, &related),
        "Service" => views::service(&mut page, &object, &related),
        "Node" => views::node(&mut page, &object, &related, now),
        "Secret" => views::secret(&mut page, &object),
        "ConfigMap" => views::config_map(&mut page, &object),
        _ => views::generic(&mut page, &object),
    }
    if typed.show_events {
        events::show(session, &mut page, &object).await?;
    }
    Ok(page.text())
}

/// Objects that a view tells of besides its own: ReplicaSets of a Deployment, EndpointSlices of a Service, pods of a node.
async fn related(session: &Session, one: &Chosen, object: &Value) -> Result<Vec<Value>> {
    use crate::resource::known;
    use crate::server::Query;
    let (path, query) = match one.resource.kind.as_str() {
        "Deployment" => {
            let selector = super::pods::selector(object);
            (known("apps", "replicasets").path(Some(&one.namespace)), Query::new().maybe("labelSelector", selector))
        }
        "Service" => {
            let selector = format!("kubernetes.io/service-name={}", one.name);
            let path = known("discovery.k8s.io", "endpointslices").path(Some(&one.namespace));
            (path, Query::new().set("labelSelector", selector))
        }
        "Node" => {
            let selector = format!("spec.nodeName={}", one.name);
            (known("", "pods").path(None), Query::new().set("fieldSelector", selector))
        }
        _ => return Ok(vec![]),
    };
    session.server.list(&path, &query).await
}
