//! `events`: what happened to objects of late, the oldest first; and how events tell their age, for `describe` too.

use super::get;
use crate::follow::Changes;
use crate::low;
use crate::print::{Format, grid};
use crate::resource;
use crate::server::{JSON, Query};
use crate::session::Session;
use crate::target::{self, Target};
use anyhow::{Result, bail, ensure};
use jiff::Timestamp;
use kinds::age;
use serde_json::Value;

const TYPES: [&str; 2] = ["Normal", "Warning"];

pub(super) async fn run(session: &Session, typed: &low::Events) -> Result<()> {
    let known = |wanted: &String| TYPES.iter().any(|known| known.eq_ignore_ascii_case(wanted));
    ensure!(typed.types.iter().all(known), "valid --types are Normal or Warning");
    let format = Format::parse(typed.format.output.as_deref())?;
    let query = Query::new().maybe("fieldSelector", about(session, typed.about.as_deref()).await?);
    let path = resource::known("", "events").path(session.scope(typed.all_namespaces));
    let mut shown = Shown { session, typed, format, widths: grid::Widths::default(), titled: typed.no_headers };
    let wanted = |event: &Value| {
        let of_type = event["type"].as_str().unwrap_or_default();
        typed.types.is_empty() || typed.types.iter().any(|wanted| wanted.eq_ignore_ascii_case(of_type))
    };
    if !typed.watch {
        let mut events = session.server.list(&path, &query).await?;
        events.retain(wanted);
        return shown.list(events);
    }
    // From nowhere on: the server begins with what there is.
    let mut changes = Changes::new(&session.server, path, query, JSON, None);
    loop {
        let change = changes.next().await?;
        // Events are dropped when they are old; that is no news.
        if change.kind != "DELETED" && wanted(&change.object) {
            shown.one(change.object)?;
        }
    }
}

/// The field selector of the events about an object.
async fn about(session: &Session, word: Option<&str>) -> Result<Option<String>> {
    let Some(word) = word else { return Ok(None) };
    ensure!(word.contains('/'), "--for must be in resource/name form");
    match target::parse(&session.server, &[word.to_owned()]).await? {
        Target::Names(names) if names.len() == 1 => {
            let (kind, name) = (&names[0].resource.kind, &names[0].name);
            Ok(Some(format!("involvedObject.kind={kind},involvedObject.name={name}")))
        }
        Target::Names(_) | Target::Kinds(_) => bail!("--for must be in resource/name form"),
    }
}

struct Shown<'a> {
    session: &'a Session,
    typed: &'a low::Events,
    format: Format,
    widths: grid::Widths,
    /// Whether the titles have been shown, or are not to be.
    titled: bool,
}

impl Shown<'_> {
    fn list(&mut self, mut events: Vec<Value>) -> Result<()> {
        if events.is_empty() {
            let place = if self.typed.all_namespaces {
                String::new()
            } else {
                format!(" in {} namespace", self.session.namespace)
            };
            return Ok(self.session.screen.note(&format!("No events found{place}."))?);
        }
        events.sort_by_key(last_seen);
        if !self.format.needs_objects() {
            return self.rows(&events);
        }
        let resource = resource::known("", "events");
        let items = events.into_iter().map(|event| (resource.clone(), event)).collect();
        get::show(self.session, &self.format, self.titled, items, false)
    }

    /// One that came while we watched.
    fn one(&mut self, event: Value) -> Result<()> {
        if !self.format.needs_objects() {
            return self.rows(&[event]);
        }
        if self.format == Format::Yaml {
            self.session.screen.line("---")?;
        }
        let titled = std::mem::replace(&mut self.titled, true);
        get::show(self.session, &self.format, titled, vec![(resource::known("", "events"), event)], true)
    }

    fn rows(&mut self, events: &[Value]) -> Result<()> {
        let mut rows = vec![];
        if !std::mem::replace(&mut self.titled, true) {
            let namespace = self.typed.all_namespaces.then_some("NAMESPACE");
            let titles = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"];
            rows.push(namespace.into_iter().chain(titles).map(str::to_owned).collect());
        }
        let now = self.session.clock.now().as_second();
        rows.extend(events.iter().map(|event| {
            let namespace = self.typed.all_namespaces.then(|| cell(&event["metadata"]["namespace"]));
            let object = &event["involvedObject"];
            let object = format!("{}/{}", cell(&object["kind"]), cell(&object["name"]));
            let told = [age(event, now), cell(&event["type"]), cell(&event["reason"]), object, cell(&event["message"])];
            namespace.into_iter().chain(told).collect::<Vec<String>>()
        }));
        for line in self.widths.lines(&rows) {
            self.session.screen.line(&line)?;
        }
        Ok(())
    }
}

/// A text in one line: what follows its first is left out.
fn cell(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default().trim();
    match text.split_once(['\n', '\r', '\u{c}']) {
        None => text.to_owned(),
        Some((first, _)) => format!("{first}..."),
    }
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// When it happened last.
pub(super) fn last_seen(event: &Value) -> Option<Timestamp> {
    time(&event["series"]["lastObservedTime"])
        .or_else(|| time(&event["lastTimestamp"]))
        .or_else(|| time(&event["eventTime"]))
        .or_else(|| time(&event["metadata"]["creationTimestamp"]))
}

/// `5s`, or `5s (x3 over 2m)` of one that happened several times.
pub(super) fn age(event: &Value, now: i64) -> String {
    let since = |at: Option<Timestamp>| age::since(at.map(Timestamp::as_second), now);
    let count = event["series"]["count"].as_i64().or(event["count"].as_i64()).unwrap_or(1);
    let first = time(&event["firstTimestamp"]).or_else(|| time(&event["eventTime"]));
    if count > 1 {
        format!("{} (x{count} over {})", since(last_seen(event)), since(first))
    } else {
        since(first.or_else(|| last_seen(event)))
    }
}
