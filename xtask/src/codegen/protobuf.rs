//! Reads k8s-pb's sources: protobuf tags, and upstream's markers (`+listType=map`, ..) in the comments of fields.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;
use walkdir::WalkDir;

#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    pub(super) fields: Vec<Field>,
    pub(super) markers: Markers,
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    /// As [`plain`] writes it.
    pub(super) name: String,
    pub(super) tag: u16,
    /// The last segment of a message type's path.
    pub(super) message: Option<String>,
    pub(super) markers: Markers,
}

/// `+key=value` comments, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Markers(Vec<(String, String)>);

impl Markers {
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    pub(super) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn read(&mut self, comment: &str) {
        if let Some(marker) = comment.strip_prefix('+') {
            let (key, value) = marker.split_once('=').unwrap_or((marker, ""));
            self.0.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
}

/// Names are compared without case and punctuation: prost writes `pod_i_ps` for `podIPs`.
pub(super) fn plain(name: &str) -> String {
    name.strip_prefix("r#")
        .unwrap_or(name)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_lowercase()
}

/// Messages by module and plain name, `api::core::v1::pod`.
pub(super) fn read(source: &Path) -> Result<BTreeMap<String, Message>> {
    let mut messages = BTreeMap::new();
    for entry in WalkDir::new(source).sort_by_file_name() {
        let entry = entry.context("cannot walk k8s-pb's sources")?;
        if entry.file_name() != "mod.rs" {
            continue;
        }
        let folder = entry.path().strip_prefix(source)?.parent().context("a file lies in a folder")?;
        let module: Vec<_> = folder.iter().map(|part| part.to_string_lossy()).collect();
        let module = module.join("::");
        let text = std::fs::read_to_string(entry.path())?;
        for (name, message) in parse(&text) {
            messages.insert(format!("{module}::{}", plain(&name)), message);
        }
    }
    Ok(messages)
}

fn parse(text: &str) -> Vec<(String, Message)> {
    let mut messages: Vec<(String, Message)> = Vec::new();
    let mut markers = Markers::default();
    let mut tag = None;
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("///") {
            markers.read(comment.trim());
        } else if let Some(attributes) = line.strip_prefix("#[prost(") {
            tag = attributes
                .split("tag = \"")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .and_then(|tag| tag.parse().ok());
        } else if let Some(name) = line.strip_prefix("pub struct ").and_then(|rest| rest.split(' ').next()) {
            messages.push((name.to_owned(), Message { fields: Vec::new(), markers: std::mem::take(&mut markers) }));
        } else if let (Some(field), Some(number)) = (line.strip_prefix("pub "), tag) {
            let (name, kind) = field.split_once(':').unwrap_or((field, ""));
            if let Some((_, message)) = messages.last_mut() {
                let markers = std::mem::take(&mut markers);
                message.fields.push(Field { name: plain(name), tag: number, message: last_segment(kind), markers });
            }
            tag = None;
        } else if !line.starts_with("#[") {
            markers = Markers::default();
        }
    }
    messages
}

/// `VolumeSource` of `::core::option::Option<VolumeSource>,`
fn last_segment(kind: &str) -> Option<String> {
    let inner = kind.trim().trim_end_matches(',').trim_end_matches('>');
    inner.rsplit(['<', ':', ' ']).next().filter(|name| name.starts_with(char::is_uppercase)).map(plain)
}
