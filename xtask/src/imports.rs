//! The import table of ARCHITECTURE.md as a test: which of our crates may use which. It reads `cargo metadata`, so that
//! no edge exists that the table does not name.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Crate -> what it may use of ours. `*` is everything: the places that wire and the tests that drive.
const TABLE: &[(&str, &[&str])] = &[
    ("kinds", &[]),
    ("store", &[]),
    ("client", &["kinds"]),
    ("apiserver", &["kinds", "store", "client"]),
    ("controllers", &["kinds", "client"]),
    ("scheduler", &["kinds", "client"]),
    ("agent", &["kinds", "client", "proto"]),
    ("runtime", &["proto"]),
    ("proxy", &["kinds", "client"]),
    ("dns", &["kinds", "client"]),
    ("ingress", &["kinds", "client"]),
    ("kctl", &["kinds", "client"]),
    ("proto", &[]),
    ("drover", &["*"]),
    ("e2e", &["*"]),
    ("sim", &["*"]),
    ("xtask", &[]),
    ("web-server", &[]),
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    path: Option<String>,
    /// `null` for normal, `dev`, `build`.
    kind: Option<String>,
}

/// One line for each edge that the table does not name, and for each crate that it does not know.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked", "--offline"])
        .current_dir(root)
        .output()
        .context("cannot run cargo metadata")?;
    anyhow::ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let table: BTreeMap<&str, &[&str]> = TABLE.iter().copied().collect();
    let ours = metadata.packages.iter().filter(|package| metadata.workspace_members.contains(&package.id));
    Ok(ours.flat_map(|package| findings(package, &table)).collect())
}

fn findings(package: &Package, table: &BTreeMap<&str, &[&str]>) -> Vec<String> {
    let Some(allowed) = table.get(package.name.as_str()) else {
        return vec![format!(
            "{}: not in the import table (xtask/src/imports.rs); adding it needs an ADR",
            package.name
        )];
    };
    if allowed.contains(&"*") {
        return Vec::new();
    }
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.path.is_some() && dependency.kind.as_deref() != Some("dev"))
        .filter(|dependency| !allowed.contains(&dependency.name.as_str()))
        .map(|dependency| {
            format!("{} may not use {}: see the import table in ARCHITECTURE.md", package.name, dependency.name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, uses: &[(&str, Option<&str>)]) -> Package {
        let dependency = |&(name, kind): &(&str, Option<&str>)| Dependency {
            name: name.into(),
            path: Some("here".into()),
            kind: kind.map(Into::into),
        };
        Package { id: String::new(), name: name.into(), dependencies: uses.iter().map(dependency).collect() }
    }

    #[test]
    fn only_the_api_server_may_see_the_store() {
        let table: BTreeMap<&str, &[&str]> = TABLE.iter().copied().collect();
        assert!(findings(&package("apiserver", &[("store", None)]), &table).is_empty());
        for name in ["controllers", "scheduler", "agent", "proxy", "kctl", "client", "kinds"] {
            assert_eq!(findings(&package(name, &[("store", None)]), &table).len(), 1, "{name}");
        }
        assert!(findings(&package("stranger", &[]), &table)[0].contains("import table"));
    }

    #[test]
    fn the_workspace_has_no_edge_beyond_the_table() {
        assert_eq!(check(&crate::root()).unwrap(), Vec::<String>::new());
    }
}
