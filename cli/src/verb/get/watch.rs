//! `get -w`: the list, then every change as a row or as an object.

use super::Plan;
use crate::follow::Changes;
use crate::jsonpath::Missing;
use crate::print::{Format, custom, grid, table, tree};
use crate::resource::Resource;
use crate::server::{Event, JSON, Query, TABLE};
use crate::session::Session;
use crate::target::{self, Target};
use anyhow::{Result, bail};
use serde_json::Value;

pub(super) async fn run(session: &Session, plan: &Plan<'_>) -> Result<()> {
    let (resource, query) = what(session, plan).await?;
    let path = resource.path(session.scope(plan.typed.select.all_namespaces));
    let accept = if plan.format.needs_objects() { JSON } else { TABLE };
    let mut rows = Rows { session, plan, resource, columns: None, widths: grid::Widths::default() };
    let list = session.server.get_as(&query.on(&path), accept).await?;
    let revision = list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    if plan.typed.watch_only {
        rows.learn(&list);
    } else {
        rows.list(&list)?;
    }
    let mut changes = Changes::new(&session.server, path, query, accept, Some(revision));
    loop {
        rows.event(changes.next().await?)?;
    }
}

/// The one resource to watch, and what selects its objects.
async fn what(session: &Session, plan: &Plan<'_>) -> Result<(Resource, Query)> {
    match target::parse(&session.server, &plan.typed.words).await? {
        Target::Kinds(mut kinds) if kinds.len() == 1 => Ok((kinds.remove(0), plan.query.clone())),
        Target::Names(mut names) if names.len() == 1 => {
            let named = names.remove(0);
            let query = plan.query.clone().set("fieldSelector", format!("metadata.name={}", named.name));
            Ok((named.resource, query))
        }
        Target::Kinds(_) | Target::Names(_) => bail!("you may only watch one resource type or object at a time"),
    }
}

struct Rows<'a> {
    session: &'a Session,
    plan: &'a Plan<'a>,
    resource: Resource,
    columns: Option<table::Columns>,
    widths: grid::Widths,
}

impl Rows<'_> {
    /// Takes the columns of a table; later ones of a watch come without.
    fn learn(&mut self, table: &Value) {
        if self.columns.is_none() && table["columnDefinitions"].is_array() {
            self.columns = Some(table::Columns::of(table, self.plan.layout(String::new())));
        }
    }

    fn list(&mut self, list: &Value) -> Result<()> {
        if !self.plan.format.needs_objects() {
            return self.table(list);
        }
        let (api_version, kind) = (self.resource.api_version(), self.resource.kind.clone());
        for item in list["items"].as_array().into_iter().flatten() {
            let mut item = item.clone();
            item["apiVersion"] = api_version.clone().into();
            item["kind"] = kind.clone().into();
            self.object(item)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event) -> Result<()> {
        if self.plan.format.needs_objects() { self.object(event.object) } else { self.table(&event.object) }
    }

    fn table(&mut self, table: &Value) -> Result<()> {
        let first = self.columns.is_none();
        self.learn(table);
        let Some(columns) = &self.columns else { bail!("the server answered without a table") };
        let mut rows: Vec<Vec<String>> = table::rows(table).iter().map(|row| columns.row(row)).collect();
        if first && !rows.is_empty() && !self.plan.typed.no_headers {
            rows.insert(0, columns.titles());
        } else if first && rows.is_empty() {
            // The titles come with the first row.
            self.columns = None;
        }
        self.lines(&rows)
    }

    fn lines(&mut self, rows: &[Vec<String>]) -> Result<()> {
        for line in self.widths.lines(rows) {
            self.session.screen.line(&line)?;
        }
        Ok(())
    }

    fn object(&mut self, mut object: Value) -> Result<()> {
        if !self.plan.typed.show_managed_fields {
            tree::without_managed_fields(&mut object);
        }
        let screen = &self.session.screen;
        match &self.plan.format {
            Format::Yaml => screen.text(&format!("---\n{}", tree::yaml(&object)))?,
            Format::Json => screen.text(&tree::json(&object))?,
            Format::Name => {
                screen.line(&self.resource.named(object["metadata"]["name"].as_str().unwrap_or_default()))?;
            }
            Format::JsonPath(template) => screen.text(&template.render(&object, Missing::Empty)?)?,
            Format::CustomColumns(columns) => {
                let row = custom::row(columns, &object)?;
                self.lines(&[row])?;
            }
            Format::Table { .. } => bail!("tables are shown as rows"),
        }
        Ok(())
    }
}
