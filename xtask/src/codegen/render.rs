//! Writes the table as Rust: numbers into static arrays, names once each in one string, so that the table has no
//! pointers to relocate and nothing to build at start.

use super::table::{FieldRow, Merging, Row, Table};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Between two descriptions; occurs in none.
const SEPARATOR: char = '\u{1f}';

const HEADER: &str = "\
//! The schema table. Written by `cargo run -p xtask -- codegen`; do not edit.

use super::row::{d, f, m};
use super::row::{DefinitionRow, FieldRow, MergingRow};
use super::row::Leaf as L;
use super::row::Shape as S;
";

/// Texts of the table, each once.
#[derive(Default)]
struct Names {
    index: BTreeMap<String, u16>,
    order: Vec<String>,
}

impl Names {
    fn add(&mut self, name: &str) -> Result<u16> {
        if let Some(index) = self.index.get(name) {
            return Ok(*index);
        }
        let index = u16::try_from(self.order.len()).context("too many names")?;
        self.index.insert(name.to_owned(), index);
        self.order.push(name.to_owned());
        Ok(index)
    }
}

pub(super) fn table(table: &Table) -> Result<String> {
    let mut names = Names::default();
    names.add("")?;
    let positions: BTreeMap<&str, usize> =
        table.definitions.iter().enumerate().map(|(index, row)| (row.name.as_str(), index)).collect();
    let mut merging = vec![Merging::default()];
    let mut definitions = String::new();
    let mut fields = String::new();
    let mut first = 0;
    for row in &table.definitions {
        let name = names.add(&row.name)?;
        let (count, leaf) = (row.fields.len(), row.leaf);
        writeln!(definitions, "    d({name}, {first}, {count}, L::{leaf:?}, {}), // {}", row.atomic, row.name)?;
        writeln!(fields, "    // {}", row.name)?;
        for field in &row.fields {
            let line = field_line(field, &positions, &mut names, &mut merging)?;
            writeln!(fields, "    {line}")?;
        }
        first += count;
    }
    let mut mergings = String::new();
    for each in &merging {
        writeln!(mergings, "    {}", merging_line(each, &mut names)?)?;
    }
    let mut text = HEADER.to_owned();
    write!(
        text,
        "\npub(super) static DEFINITIONS: [DefinitionRow; {}] = [\n{definitions}];\n",
        table.definitions.len()
    )?;
    write!(text, "\npub(super) static FIELDS: [FieldRow; {first}] = [\n{fields}];\n")?;
    write!(text, "\npub(super) static MERGING: [MergingRow; {}] = [\n{mergings}];\n", merging.len())?;
    write_names(&mut text, &names.order)?;
    Ok(text)
}

fn field_line(
    field: &FieldRow,
    positions: &BTreeMap<&str, usize>,
    names: &mut Names,
    merging: &mut Vec<Merging>,
) -> Result<String> {
    let name = names.add(&field.name)?;
    let target = match &field.target {
        Some(target) => *positions.get(target.as_str()).with_context(|| format!("no definition {target}"))?,
        None => 0,
    };
    let merge = merging.iter().position(|known| *known == field.merging).unwrap_or_else(|| {
        merging.push(field.merging.clone());
        merging.len() - 1
    });
    let default = names.add(field.default.as_deref().unwrap_or(""))?;
    let FieldRow { leaf, shape, required, zero_counts, tag, via, .. } = field;
    Ok(format!(
        "f({name}, L::{leaf:?}, S::{shape:?}, {target}, {required}, {zero_counts}, {tag}, {via}, {merge}, {default}), // {}",
        field.name
    ))
}

fn merging_line(merging: &Merging, names: &mut Names) -> Result<String> {
    let topology = match merging.topology.as_str() {
        "atomic" => 1,
        "set" => 2,
        "map" => 3,
        "granular" => 4,
        _ => 0,
    };
    let mut keys = [0u16; 4];
    for (slot, key) in merging.list_keys.iter().enumerate() {
        *keys.get_mut(slot).context("more than four list keys")? = names.add(key)?;
    }
    let key = names.add(&merging.merge_key)?;
    Ok(format!("m({topology}, {keys:?}, {key}, {}, {}),", merging.merge, merging.retain_keys))
}

fn write_names(text: &mut String, names: &[String]) -> Result<()> {
    let mut end = 0;
    let mut ends = Vec::new();
    for name in names {
        end += name.len();
        ends.push(u16::try_from(end).context("the names are longer than 64 KiB")?.to_string());
    }
    write!(text, "\npub(super) static NAME_ENDS: [u16; {}] = [\n", ends.len())?;
    for line in ends.chunks(16) {
        writeln!(text, "    {},", line.join(", "))?;
    }
    write!(text, "];\n\npub(super) static NAMES: &str = concat!(\n")?;
    for line in names.chunks(8) {
        writeln!(text, "    {:?},", line.concat())?;
    }
    text.push_str(");\n");
    Ok(())
}

/// The descriptions of each definition and then of its fields, in the table's order.
pub(super) fn descriptions(table: &Table) -> String {
    let mut all = Vec::new();
    for row in &table.definitions {
        let Row { description, fields, .. } = row;
        all.push(description.as_str());
        all.extend(fields.iter().map(|field| field.description.as_str()));
    }
    all.join(&SEPARATOR.to_string())
}
