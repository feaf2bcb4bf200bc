//! The events about an object, as the last part of its page.

use super::page::Page;
use crate::resource;
use crate::server::Query;
use crate::session::Session;
use crate::verb::events::{age, last_seen};
use anyhow::Result;
use serde_json::Value;

pub(super) async fn show(session: &Session, page: &mut Page, object: &Value) -> Result<()> {
    let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
    let fields = [
        ("involvedObject.name", text("name")),
        ("involvedObject.namespace", text("namespace")),
        ("involvedObject.kind", object["kind"].as_str().unwrap_or_default()),
        // Events of a node name it in place of a uid, so the uid is left out there.
        ("involvedObject.uid", if object["kind"] == "Node" { "" } else { text("uid") }),
    ];
    let selector: Vec<String> =
        fields.iter().filter(|(_, value)| !value.is_empty()).map(|(field, value)| format!("{field}={value}")).collect();
    let namespace = Some(text("namespace")).filter(|namespace| !namespace.is_empty());
    let path = resource::known("", "events").path(namespace);
    let mut events = session.server.list(&path, &Query::new().set("fieldSelector", selector.join(","))).await?;
    events.sort_by_key(last_seen);
    let now = session.clock.now().as_second();
    page.table(
        "Events",
        &["Type", "Reason", "Age", "From", "Message"],
        events.iter().map(|event| row(event, now)).collect(),
    );
    Ok(())
}

fn row(event: &Value, now: i64) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().trim().to_owned();
    let from = match text(&event["source"]["component"]) {
        none if none.is_empty() => text(&event["reportingComponent"]),
        component => component,
    };
    vec![text(&event["type"]), text(&event["reason"]), age(event, now), from, text(&event["message"])]
}
