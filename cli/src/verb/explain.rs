//! `explain`: the fields of a built-in kind, from the same table that the server decodes by.

use crate::low;
use crate::resource;
use crate::session::Session;
use anyhow::{Context, Result, bail};
use kinds::schema::{Descriptions, Field, Leaf, Schema, Shape};
use std::fmt::Write as _;

pub(super) async fn run(session: &Session, typed: &low::Explain) -> Result<()> {
    let (word, path) =
        typed.path.split_once('.').map_or((typed.path.as_str(), None), |(word, path)| (word, Some(path)));
    let resource = resource::find(&session.server, word).await?;
    let Some(kind) = kinds::table::find(&resource.group, &resource.version, &resource.plural) else {
        bail!(
            "{} is not built in: its fields are in its CustomResourceDefinition (`kctl get crd {0} -o yaml`)",
            resource.full_plural()
        );
    };
    let schema = kinds::schema::lookup(&kind.row().schema).context("the kind has no schema")?;
    let descriptions = Descriptions::unpack();
    let mut page = String::new();
    if !resource.group.is_empty() {
        writeln!(page, "GROUP:      {}", resource.group).expect("strings take everything");
    }
    writeln!(page, "KIND:       {}\nVERSION:    {}\n", resource.kind, resource.version)
        .expect("strings take everything");
    let (below, description) = match path {
        None => (Some(schema), descriptions.of(schema).to_owned()),
        Some(path) => {
            let field = schema.at(path).with_context(|| format!("field \"{path}\" does not exist"))?;
            writeln!(page, "FIELD: {} <{}>\n", field.name(), kind_of(field)).expect("strings take everything");
            (field.schema(), descriptions.of_field(field).to_owned())
        }
    };
    writeln!(page, "DESCRIPTION:\n{}", wrapped(&description, "    ")).expect("strings take everything");
    if let Some(schema) = below.filter(|schema| schema.fields().next().is_some()) {
        page += "FIELDS:\n";
        fields(&mut page, schema, &descriptions, typed.recursive, 1);
    }
    Ok(session.screen.text(&page)?)
}

/// Levels that `--recursive` goes down; JSON schemas hold themselves.
const DEPTH_MAX: usize = 12;

fn fields(page: &mut String, schema: Schema, descriptions: &Descriptions, recursive: bool, depth: usize) {
    let indent = "  ".repeat(depth);
    for field in schema.fields() {
        let required = if field.is_required() { " -required-" } else { "" };
        writeln!(page, "{indent}{}\t<{}>{required}", field.name(), kind_of(field)).expect("strings take everything");
        if recursive {
            if let Some(below) = field.schema().filter(|below| *below != schema && depth < DEPTH_MAX) {
                fields(page, below, descriptions, recursive, depth + 1);
            }
        } else {
            writeln!(page, "{}", wrapped(descriptions.of_field(field), "    ")).expect("strings take everything");
        }
    }
}

/// `string`, `[]Container`, `map[string]string`.
fn kind_of(field: Field) -> String {
    let leaf = match (field.leaf(), field.schema()) {
        (Leaf::Object, Some(schema)) => schema.short_name().to_owned(),
        (leaf, _) => format!("{leaf:?}").to_lowercase(),
    };
    match field.shape() {
        Shape::One => leaf,
        Shape::List => format!("[]{leaf}"),
        Shape::Map => format!("map[string]{leaf}"),
        Shape::MapOfLists => format!("map[string][]{leaf}"),
    }
}

/// Words in lines of at most 80 columns.
fn wrapped(text: &str, indent: &str) -> String {
    let mut page = String::new();
    for paragraph in text.lines() {
        let mut line = indent.to_owned();
        for word in paragraph.split_whitespace() {
            if line.len() > indent.len() && line.len() + word.len() >= 80 {
                writeln!(page, "{}", line.trim_end()).expect("strings take everything");
                indent.clone_into(&mut line);
            }
            line += word;
            line.push(' ');
        }
        writeln!(page, "{}", line.trim_end()).expect("strings take everything");
    }
    page
}
