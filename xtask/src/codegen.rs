//! `codegen`: writes the schema table of `kinds` from the sources of two published crates. k8s-openapi has the fields,
//! their types and descriptions; k8s-pb has protobuf tags and the markers that say how lists and maps merge.
//!
//! The result is checked in and a test compares it, so nothing is generated while building.

mod openapi;
mod protobuf;
mod render;
mod table;
mod tags;
mod zero;

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const TABLE: &str = "kinds/src/schema/generated/table.rs";
const DESCRIPTIONS: &str = "kinds/src/schema/generated/descriptions.bin";
/// For people only: what the tables of [`zero`] come to.
const ZEROS: &str = "xtask/src/codegen/zeros.txt";

/// The module of k8s-openapi that has the API version which Drover serves.
const API_MODULE: &str = "v1_37";

/// What the checked-in files should hold.
struct Generated {
    table: String,
    descriptions: String,
    zeros: String,
}

pub(crate) fn run() -> Result<()> {
    let root = crate::root();
    let generated = generate(&root)?;
    std::fs::write(root.join(TABLE), &generated.table).with_context(|| format!("cannot write {TABLE}"))?;
    let packed = pack(&generated.descriptions)?;
    std::fs::write(root.join(DESCRIPTIONS), packed).with_context(|| format!("cannot write {DESCRIPTIONS}"))?;
    std::fs::write(root.join(ZEROS), &generated.zeros).with_context(|| format!("cannot write {ZEROS}"))?;
    Ok(())
}

fn table_of(root: &Path) -> Result<table::Table> {
    let definitions = openapi::read(&source_of(root, "k8s-openapi")?.join("src").join(API_MODULE))?;
    let messages = protobuf::read(&source_of(root, "k8s-pb")?.join("src"))?;
    table::build(&definitions, &messages)
}

fn generate(root: &Path) -> Result<Generated> {
    let table = table_of(root)?;
    let (descriptions, zeros) = (render::descriptions(&table), zero::listing(&table));
    Ok(Generated { table: render::table(&table)?, descriptions, zeros })
}

/// The folder of a dependency's source.
fn source_of(root: &Path, package: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = root.join("xtask/Cargo.toml");
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--all-features", "--manifest-path"])
        .arg(manifest)
        .output()
        .context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata wrote no JSON")?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let found = packages.iter().find(|candidate| candidate["name"] == package);
    let manifest = found.and_then(|found| found["manifest_path"].as_str());
    let manifest = Path::new(manifest.with_context(|| format!("{package} is not a dependency"))?);
    Ok(manifest.parent().context("a manifest lies in a folder")?.to_owned())
}

fn pack(text: &str) -> Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes())?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::DeflateDecoder;
    use std::io::Read;

    fn unpack(bytes: &[u8]) -> Result<String> {
        let mut text = String::new();
        DeflateDecoder::new(bytes).read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn checked_in_schema_table_is_what_the_sources_say() {
        let root = crate::root();
        let generated = generate(&root).expect("both crates' sources are read");
        let table = std::fs::read_to_string(root.join(TABLE)).expect("the table is there");
        let descriptions = std::fs::read(root.join(DESCRIPTIONS)).expect("the descriptions are there");
        assert!(generated.table == table, "{TABLE} is old: run `cargo run -p xtask -- codegen`");
        let zeros = std::fs::read_to_string(root.join(ZEROS)).expect("the list is there");
        assert!(generated.zeros == zeros, "{ZEROS} is old: run `cargo run -p xtask -- codegen`, and read what changed");
        let descriptions = unpack(&descriptions).expect("the descriptions unpack");
        assert!(generated.descriptions == descriptions, "{DESCRIPTIONS} is old: run `cargo run -p xtask -- codegen`");
    }
}
