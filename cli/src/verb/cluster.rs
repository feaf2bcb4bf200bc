//! What the server has and is: `api-resources`, `api-versions`, `version`, `cluster-info`.

use crate::low;
use crate::print::{Format, grid, tree};
use crate::resource;
use crate::server::Query;
use crate::session::Session;
use anyhow::{Result, bail};
use serde_json::{Value, json};

pub(super) async fn api_resources(session: &Session, typed: &low::ApiResources) -> Result<()> {
    let format = Format::parse(typed.format.output.as_deref())?;
    let mut served = resource::served(&session.server).await?;
    served.retain(|resource| {
        typed.namespaced.is_none_or(|wanted| wanted == resource.namespaced)
            && typed.api_group.as_ref().is_none_or(|group| *group == resource.group)
            && typed.verbs.iter().all(|verb| resource.can(verb))
            && typed.categories.iter().all(|category| resource.categories.contains(category))
    });
    served.sort_by(|left, right| (&left.group, &left.plural).cmp(&(&right.group, &right.plural)));
    served.dedup_by(|next, kept| next.group == kept.group && next.plural == kept.plural);
    let wide = match format {
        Format::Name => {
            for resource in &served {
                session.screen.line(&resource.full_plural())?;
            }
            return Ok(());
        }
        Format::Table { wide } => wide,
        _ => bail!("--output must be one of (wide, name)"),
    };
    let mut rows = vec![];
    if !typed.no_headers {
        let titles = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND", "VERBS", "CATEGORIES"];
        rows.push(titles.iter().take(if wide { 7 } else { 5 }).map(ToString::to_string).collect());
    }
    for resource in &served {
        let mut row = vec![
            resource.plural.clone(),
            resource.short_names.join(","),
            resource.api_version(),
            resource.namespaced.to_string(),
            resource.kind.clone(),
        ];
        if wide {
            row.extend([resource.verbs.join(","), resource.categories.join(",")]);
        }
        rows.push(row);
    }
    Ok(session.screen.text(&(grid::lines(&rows).join("\n") + "\n"))?)
}

pub(super) async fn api_versions(session: &Session) -> Result<()> {
    let mut versions: Vec<String> =
        resource::served(&session.server).await?.iter().map(resource::Resource::api_version).collect();
    versions.sort();
    versions.dedup();
    versions.iter().try_for_each(|version| Ok(session.screen.line(version)?))
}

pub(super) fn client_version() -> Value {
    json!({
        "major": "1", "minor": "37", "gitVersion": concat!("v1.37.0+drover-", env!("CARGO_PKG_VERSION")),
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

pub(super) async fn version(session: &Session, typed: &low::Version) -> Result<()> {
    let server = session.server.get("/version").await?;
    show_version(&session.screen, typed, Some(&server))
}

pub(crate) fn show_version(screen: &crate::screen::Screen, typed: &low::Version, server: Option<&Value>) -> Result<()> {
    let mut whole = json!({"clientVersion": client_version()});
    if let Some(server) = server {
        whole["serverVersion"] = server.clone();
    }
    match typed.format.output.as_deref() {
        Some("json") => screen.text(&tree::json(&whole))?,
        Some("yaml") => screen.text(&tree::yaml(&whole))?,
        Some(other) => bail!("--output must be 'yaml' or 'json', not '{other}'"),
        None => {
            screen.line(&format!("Client Version: {}", client_version()["gitVersion"].as_str().unwrap_or_default()))?;
            if let Some(server) = server {
                screen.line(&format!("Server Version: {}", server["gitVersion"].as_str().unwrap_or_default()))?;
            }
        }
    }
    Ok(())
}

pub(super) async fn info(session: &Session) -> Result<()> {
    let url = session.server.url();
    // Asked before anything is claimed.
    let query = Query::new().set("labelSelector", "kubernetes.io/cluster-service=true");
    let services = session.server.list(&resource::known("", "services").path(Some("kube-system")), &query).await?;
    session.screen.line(&format!("Kubernetes control plane is running at {url}"))?;
    for service in services {
        let name = service["metadata"]["name"].as_str().unwrap_or_default();
        let port = service["spec"]["ports"][0]["name"].as_str().map(|port| format!(":{port}")).unwrap_or_default();
        let title = service["metadata"]["labels"]["kubernetes.io/name"].as_str().unwrap_or(name);
        session
            .screen
            .line(&format!("{title} is running at {url}/api/v1/namespaces/kube-system/services/{name}{port}/proxy"))?;
    }
    Ok(())
}
