//! `get`: lists and objects, as the server's tables or as trees. Watching is in `watch`.

mod watch;

use crate::chosen::{self, Choice, Chosen, Nameless};
use crate::jsonpath::{Missing, Template, order};
use crate::low;
use crate::print::{Format, custom, grid, table, tree};
use crate::resource::Resource;
use crate::server::{Query, TABLE};
use crate::session::{Failures, Session};
use crate::target::{self, Target};
use anyhow::{Result, bail};
use serde_json::Value;
use std::cmp::Ordering;

/// The flags, validated.
struct Plan<'a> {
    typed: &'a low::Get,
    format: Format,
    sort_by: Option<Template>,
    query: Query,
}

impl<'a> Plan<'a> {
    fn new(typed: &'a low::Get) -> Result<Self> {
        let format = Format::parse(typed.format.output.as_deref())?;
        let sort_by = typed.sort_by.as_deref().map(Template::relaxed).transpose()?;
        if sort_by.is_some() && (typed.watch || typed.watch_only) {
            bail!("--sort-by and --watch do not go together");
        }
        let mut query = chosen::selectors(&typed.select);
        if sort_by.is_some() && !format.needs_objects() {
            query = query.set("includeObject", "Object");
        }
        Ok(Self { typed, format, sort_by, query })
    }

    fn layout(&self, prefix: String) -> table::Layout {
        table::Layout {
            wide: self.format == Format::Table { wide: true },
            namespaces: self.typed.select.all_namespaces,
            labels: self.typed.show_labels,
            label_columns: self.typed.label_columns.clone(),
            prefix,
        }
    }
}

pub(super) async fn run(session: &Session, typed: &low::Get) -> Result<()> {
    if let Some(path) = &typed.raw {
        return Ok(session.screen.text(&session.server.text(path).await?)?);
    }
    let plan = Plan::new(typed)?;
    if typed.watch || typed.watch_only {
        return watch::run(session, &plan).await;
    }
    if plan.format.needs_objects() { objects(session, &plan).await } else { tables(session, &plan).await }
}

/// The table of one resource, gathered from its pages or its named objects.
struct Gathered {
    resource: Resource,
    columns: Option<Value>,
    rows: Vec<Value>,
}

impl Gathered {
    fn new(resource: Resource) -> Self {
        Self { resource, columns: None, rows: vec![] }
    }

    fn take(&mut self, mut page: Value) {
        if let Value::Array(rows) = page["rows"].take() {
            self.rows.extend(rows);
        }
        if self.columns.is_none() {
            self.columns = Some(page);
        }
    }
}

async fn tables(session: &Session, plan: &Plan<'_>) -> Result<()> {
    let mut failures = Failures::default();
    let (gathered, prefixed) = gather(session, plan, &mut failures).await?;
    let mut shown = 0;
    for mut one in gathered {
        let Some(columns) = one.columns.take().filter(|_| !one.rows.is_empty()) else { continue };
        if shown > 0 {
            session.screen.line("")?;
        }
        shown += 1;
        if let Some(path) = &plan.sort_by {
            sort(&mut one.rows, path, |row| &row["object"])?;
        }
        let prefix = if prefixed { format!("{}/", one.resource.full_singular()) } else { String::new() };
        let columns = table::Columns::of(&columns, plan.layout(prefix));
        let titles = (!plan.typed.no_headers).then(|| columns.titles());
        let rows: Vec<Vec<String>> = titles.into_iter().chain(one.rows.iter().map(|row| columns.row(row))).collect();
        session.screen.text(&(grid::lines(&rows).join("\n") + "\n"))?;
    }
    let failed = failures.end();
    if shown == 0 && failed.is_ok() && !plan.typed.ignore_not_found {
        let place = if plan.typed.select.all_namespaces {
            String::new()
        } else {
            format!(" in {} namespace", session.namespace)
        };
        session.screen.note(&format!("No resources found{place}{}", if place.is_empty() { "" } else { "." }))?;
    }
    failed
}

/// The tables asked for, and whether names need their kind before them.
async fn gather(session: &Session, plan: &Plan<'_>, failures: &mut Failures) -> Result<(Vec<Gathered>, bool)> {
    let typed = plan.typed;
    let mut gathered: Vec<Gathered> = vec![];
    if typed.files.names.is_empty()
        && let Target::Kinds(kinds) = target::parse(&session.server, &typed.words).await?
    {
        let prefixed = kinds.len() > 1;
        for resource in kinds.into_iter().filter(|resource| resource.can("list")) {
            let path = resource.path(session.scope(typed.select.all_namespaces));
            let mut one = Gathered::new(resource);
            let listed = session.server.pages(&path, &plan.query, TABLE, |page| {
                one.take(page);
                Ok(())
            });
            failures.take(session, listed.await)?;
            gathered.push(one);
        }
        return Ok((gathered, prefixed));
    }
    for named in named(session, plan).await? {
        let page = session.server.get_as(&plan.query.on(&named.path()), TABLE).await;
        let Some(page) = failures.take(session, found(plan, page))?.flatten() else { continue };
        let known = gathered.iter().position(|one| one.resource == named.resource);
        let at = known.unwrap_or(gathered.len());
        if known.is_none() {
            gathered.push(Gathered::new(named.resource));
        }
        gathered[at].take(page);
    }
    let prefixed = gathered.len() > 1;
    Ok((gathered, prefixed))
}

async fn named(session: &Session, plan: &Plan<'_>) -> Result<Vec<Chosen>> {
    let typed = plan.typed;
    let files = Some(&typed.files);
    chosen::choose(session, &Choice { words: &typed.words, files, select: &typed.select, nameless: Nameless::All })
        .await
}

/// With `--ignore-not-found`, a missing object is nothing.
fn found(plan: &Plan<'_>, outcome: Result<Value>) -> Result<Option<Value>> {
    match outcome {
        Err(error) if plan.typed.ignore_not_found && crate::failure::is_not_found(&error) => Ok(None),
        outcome => outcome.map(Some),
    }
}

async fn objects(session: &Session, plan: &Plan<'_>) -> Result<()> {
    let typed = plan.typed;
    let mut failures = Failures::default();
    let mut items: Vec<(Resource, Value)> = vec![];
    let mut single = false;
    let by_kind =
        typed.files.names.is_empty() && matches!(target::parse(&session.server, &typed.words).await?, Target::Kinds(_));
    let chosen = named(session, plan).await?;
    if !by_kind {
        single = chosen.len() == 1;
    }
    for one in chosen {
        let object = found(plan, one.object(session).await);
        if let Some(object) = failures.take(session, object)?.flatten() {
            items.push((one.resource, object));
        }
    }
    if let Some(path) = &plan.sort_by {
        sort(&mut items, path, |(_, object)| object)?;
    }
    if !typed.show_managed_fields {
        for (_, object) in &mut items {
            tree::without_managed_fields(object);
        }
    }
    // What was found of several is shown, then the failure counts; a single one that failed has nothing to show.
    if !(single && items.is_empty()) {
        show(session, &plan.format, typed.no_headers, items, single)?;
    }
    failures.end()
}

/// Shows objects in a form that is no table: a single one as itself, others as a list.
pub(super) fn show(
    session: &Session,
    format: &Format,
    no_headers: bool,
    mut items: Vec<(Resource, Value)>,
    single: bool,
) -> Result<()> {
    let screen = &session.screen;
    match format {
        Format::Table { .. } => bail!("tables are shown elsewhere"),
        Format::Name => {
            for (resource, object) in &items {
                screen.line(&resource.named(object["metadata"]["name"].as_str().unwrap_or_default()))?;
            }
        }
        Format::CustomColumns(columns) => {
            let titles = (!no_headers).then(|| Ok(custom::headers(columns)));
            let rows = items.iter().map(|(_, object)| custom::row(columns, object));
            let rows: Vec<Vec<String>> = titles.into_iter().chain(rows).collect::<Result<_>>()?;
            for line in grid::lines(&rows) {
                screen.line(&line)?;
            }
        }
        Format::Yaml | Format::Json | Format::JsonPath(_) => {
            let whole = match items.len() {
                1 if single => items.remove(0).1,
                _ => tree::list(&items.into_iter().map(|(_, object)| object).collect::<Vec<_>>()),
            };
            match format {
                Format::Yaml => screen.text(&tree::yaml(&whole))?,
                Format::JsonPath(template) => screen.text(&template.render(&whole, Missing::Empty)?)?,
                _ => screen.text(&tree::json(&whole))?,
            }
        }
    }
    Ok(())
}

/// Orders by the value at a path; objects without it come first, as in kubectl.
fn sort<T>(items: &mut [T], path: &Template, object: impl Fn(&T) -> &Value) -> Result<()> {
    let mut lost = !items.is_empty();
    for item in items.iter() {
        lost &= path.values(object(item), Missing::Empty)?.is_empty();
    }
    if lost {
        bail!("--sort-by: no object has a value there");
    }
    items.sort_by(|left, right| {
        let value = |item| path.values(object(item), Missing::Empty).unwrap_or_default().first().copied();
        match (value(left), value(right)) {
            (Some(left), Some(right)) => natural(left, right),
            (left, right) => left.is_some().cmp(&right.is_some()),
        }
    });
    Ok(())
}

/// Quantities (`500m`, `2Gi`) by size and before other texts, everything else by its type's order, one type after the other: of
/// values that cannot be compared, too, one comes first, as sorting demands.
fn natural(left: &Value, right: &Value) -> Ordering {
    let quantity = |value: &Value| kinds::quantity::Quantity::parse(value.as_str()?).ok();
    let (a, b) = (quantity(left), quantity(right));
    let by_type = place_of_type(left).cmp(&place_of_type(right));
    by_type.then_with(|| b.is_some().cmp(&a.is_some())).then_with(|| match (a, b) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => order(left, right).unwrap_or(Ordering::Equal),
    })
}

fn place_of_type(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}
