//! `config`: the kubeconfig, looked at and changed without a server.

use crate::connect::{self, Environment};
use crate::high::Global;
use crate::low;
use crate::print::{Format, grid, tree};
use crate::screen::Screen;
use anyhow::{Context, Result, bail};
use kube::config::Kubeconfig;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What stands in for a secret.
const HIDDEN: &str = "DATA+OMITTED";
const REDACTED: &str = "REDACTED";

pub(crate) fn run(screen: &Screen, global: &Global, environment: &Environment, typed: &low::Config) -> Result<()> {
    let kubeconfig = connect::load(global, environment)?;
    match typed {
        low::Config::View { raw, minify, format } => {
            let mut whole = serde_json::to_value(&kubeconfig)?;
            if *minify {
                minified(&mut whole, current(global, &kubeconfig)?);
            }
            if !*raw {
                hide(&mut whole);
            }
            match Format::parse(format.output.as_deref())? {
                Format::Json => screen.text(&tree::json(&whole))?,
                Format::JsonPath(template) => {
                    screen.text(&template.render(&whole, crate::jsonpath::Missing::Empty)?)?;
                }
                _ => screen.text(&tree::yaml(&whole))?,
            }
            Ok(())
        }
        low::Config::CurrentContext => Ok(screen.line(current(global, &kubeconfig)?)?),
        low::Config::GetContexts { format, no_headers } => contexts(screen, global, &kubeconfig, format, *no_headers),
        low::Config::UseContext { name } => {
            let known = kubeconfig.contexts.iter().any(|context| context.name == *name);
            anyhow::ensure!(known, "no context exists with the name: \"{name}\"");
            change(&owner(global, environment, |file| file["current-context"].is_string())?, |file| {
                file["current-context"] = name.as_str().into();
                Ok(())
            })?;
            Ok(screen.line(&format!("Switched to context \"{name}\"."))?)
        }
        low::Config::SetContext { name, current: of_current, cluster, user } => {
            let name = match (name, of_current) {
                (Some(name), false) => name.clone(),
                (None, true) => current(global, &kubeconfig)?.to_owned(),
                _ => bail!("give a context's name or --current, not both"),
            };
            set_context(global, environment, &name, cluster.as_deref(), user.as_deref())?;
            let known = kubeconfig.contexts.iter().any(|context| context.name == name);
            Ok(screen.line(&format!("Context \"{name}\" {}.", if known { "modified" } else { "created" }))?)
        }
    }
}

fn current<'a>(global: &'a Global, kubeconfig: &'a Kubeconfig) -> Result<&'a str> {
    let named = global.context.as_deref().or(kubeconfig.current_context.as_deref());
    named.filter(|name| !name.is_empty()).context("current-context is not set")
}

fn contexts(screen: &Screen, global: &Global, kubeconfig: &Kubeconfig, format: &low::Format, bare: bool) -> Result<()> {
    let names_only = Format::parse(format.output.as_deref())? == Format::Name;
    let current = current(global, kubeconfig).unwrap_or_default();
    let mut rows = vec![];
    if !bare && !names_only {
        rows.push(["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"].map(str::to_owned).to_vec());
    }
    for named in &kubeconfig.contexts {
        let context = named.context.clone().unwrap_or_default();
        if names_only {
            rows.push(vec![named.name.clone()]);
        } else {
            let mark = if named.name == current { "*" } else { "" };
            let namespace = context.namespace.unwrap_or_default();
            rows.push(vec![
                mark.to_owned(),
                named.name.clone(),
                context.cluster,
                context.user.unwrap_or_default(),
                namespace,
            ]);
        }
    }
    grid::lines(&rows).iter().try_for_each(|line| Ok(screen.line(line.trim_end())?))
}

fn set_context(
    global: &Global,
    environment: &Environment,
    name: &str,
    cluster: Option<&str>,
    user: Option<&str>,
) -> Result<()> {
    let has = |file: &Value| file["contexts"].as_array().into_iter().flatten().any(|context| context["name"] == name);
    change(&owner(global, environment, has)?, |file| {
        if !file["contexts"].is_array() {
            file["contexts"] = json!([]);
        }
        let contexts = file["contexts"].as_array_mut().expect("made an array above");
        let known = contexts.iter().position(|context| context["name"] == name);
        let at = known.unwrap_or(contexts.len());
        if known.is_none() {
            contexts.push(json!({"name": name, "context": {"cluster": "", "user": ""}}));
        }
        for (key, value) in [("cluster", cluster), ("user", user), ("namespace", global.namespace.as_deref())] {
            if let Some(value) = value {
                contexts[at]["context"][key] = value.into();
            }
        }
        Ok(())
    })
}

/// The file to change: the first that already has what is changed, or the first of all.
fn owner(global: &Global, environment: &Environment, has: impl Fn(&Value) -> bool) -> Result<PathBuf> {
    let files = connect::files(global, environment);
    for file in &files {
        if has(&read(file)?) {
            return Ok(file.clone());
        }
    }
    files.into_iter().next().context("no kubeconfig to change")
}

fn read(file: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_norway::from_str(&text).with_context(|| format!("cannot parse {}", file.display()))
}

/// Writes beside the file and renames, so that a kubeconfig is never half written; its keys stay the owner's alone.
fn change(file: &Path, edit: impl FnOnce(&mut Value) -> Result<()>) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut whole = read(file)?;
    edit(&mut whole)?;
    // Through a link, the file it leads to is the one to replace.
    let file = file.canonicalize().with_context(|| format!("cannot find {}", file.display()))?;
    let beside = file.with_extension(format!("kctl-{}", std::process::id()));
    let cannot = || format!("cannot write {}", beside.display());
    let mut new =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).with_context(cannot)?;
    new.write_all(tree::yaml(&whole).as_bytes()).and_then(|()| new.sync_all()).with_context(cannot)?;
    std::fs::rename(&beside, &file).with_context(|| format!("cannot replace {}", file.display()))
}

/// Keeps what the current context uses.
fn minified(whole: &mut Value, current: &str) {
    let contexts = whole["contexts"].as_array().cloned().unwrap_or_default();
    let context = contexts.into_iter().find(|context| context["name"] == current).unwrap_or_default();
    for (list, name) in [
        ("contexts", &json!(current)),
        ("clusters", &context["context"]["cluster"]),
        ("users", &context["context"]["user"]),
    ] {
        if let Some(items) = whole[list].as_array_mut() {
            items.retain(|item| item["name"] == *name);
        }
    }
    whole["current-context"] = current.into();
}

fn hide(whole: &mut Value) {
    let entries = |whole: &mut Value, list: &str, inner: &str, keys: &[(&str, &str)]| {
        for item in whole[list].as_array_mut().into_iter().flatten() {
            for (key, mark) in keys {
                if let Some(value) = item[inner].get_mut(*key).filter(|value| !value.is_null()) {
                    *value = (*mark).into();
                }
            }
        }
    };
    entries(whole, "clusters", "cluster", &[("certificate-authority-data", HIDDEN)]);
    let secrets =
        [("client-certificate-data", HIDDEN), ("client-key-data", HIDDEN), ("token", REDACTED), ("password", REDACTED)];
    entries(whole, "users", "user", &secrets);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_other_contexts_dropped() {
        let mut whole = json!({
            "clusters": [{"name": "c", "cluster": {"server": "s", "certificate-authority-data": "x"}}, {"name": "d"}],
            "users": [{"name": "u", "user": {"token": "t", "client-key-data": "k"}}, {"name": "v"}],
            "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}, {"name": "b"}],
        });
        minified(&mut whole, "a");
        hide(&mut whole);
        assert_eq!(
            whole["clusters"],
            json!([{"name": "c", "cluster": {"server": "s", "certificate-authority-data": HIDDEN}}])
        );
        assert_eq!(whole["users"], json!([{"name": "u", "user": {"token": REDACTED, "client-key-data": HIDDEN}}]));
        assert_eq!(whole["contexts"].as_array().unwrap().len(), 1);
    }
}
