//! `create`: from manifests, or from arguments for the kinds that people make by hand.

use crate::failure;
use crate::high::{self, DryRun};
use crate::low::{self, CreateSecretKind, CreateWhat};
use crate::manifest;
use crate::print::Format;
use crate::resource::{self, Resource};
use crate::server::Query;
use crate::session::{Failures, Session};
use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::path::Path;

/// How the result is made and shown.
pub(super) struct Plan {
    pub(super) dry_run: DryRun,
    pub(super) format: Option<Format>,
    /// What is said of the object: `created`, or what the verb makes of others by it.
    pub(super) done: &'static str,
}

impl Plan {
    pub(super) fn new(dry_run: Option<&str>, output: Option<&str>) -> Result<Self> {
        let format = output.map(|text| Format::parse(Some(text))).transpose()?;
        Ok(Self { dry_run: DryRun::parse(dry_run)?, format, done: "created" })
    }
}

pub(super) async fn run(session: &Session, typed: &low::Create) -> Result<()> {
    let plan = Plan::new(typed.dry_run.as_deref(), typed.output.as_deref())?;
    let Some(what) = &typed.what else { return of_files(session, &plan, &typed.files).await };
    if let CreateWhat::Token(token) = what {
        return self::token(session, token).await;
    }
    let object = object(what)?;
    let resource = resource::of_object(
        &session.server,
        object["apiVersion"].as_str().unwrap_or_default(),
        object["kind"].as_str().unwrap_or_default(),
    )
    .await?;
    post(session, &plan, &resource, object).await.map(drop)
}

async fn of_files(session: &Session, plan: &Plan, files: &low::Files) -> Result<()> {
    if files.names.is_empty() {
        bail!("must specify -f, or what to create (`kctl create --help` lists it)");
    }
    let mut failures = Failures::default();
    for document in manifest::read(&files.names, files.recursive) {
        let Some(document) = failures.take(session, document)? else { continue };
        let outcome = async {
            let resource = resource::of_object(&session.server, document.api_version(), document.kind()).await?;
            post(session, plan, &resource, document.object.clone()).await
        };
        let outcome = outcome.await.map_err(|error| match failure::status(&error) {
            Some(_) => error.context(failure::During(format!("error when creating \"{}\"", document.source))),
            None => error,
        });
        failures.take(session, outcome)?;
    }
    failures.end()
}

/// Creates and shows an object in the session's namespace or its own.
pub(super) async fn post(session: &Session, plan: &Plan, resource: &Resource, mut object: Value) -> Result<Value> {
    let own = object["metadata"]["namespace"].as_str().map(str::to_owned);
    let namespace = session.namespace_of(resource, own.as_deref())?.to_owned();
    if resource.namespaced {
        object["metadata"]["namespace"] = namespace.as_str().into();
    }
    let created = if plan.dry_run == DryRun::Client {
        object
    } else {
        let query = Query::new()
            .set("fieldManager", "kctl-create")
            .set("fieldValidation", "Strict")
            .maybe("dryRun", plan.dry_run.query());
        session.server.post(&query.on(&resource.path(Some(&namespace))), &object).await?
    };
    let title = resource.named(created["metadata"]["name"].as_str().unwrap_or_default());
    let done = format!("{}{}", plan.done, plan.dry_run.suffix());
    super::tell(session, plan.format.as_ref(), &title, &done, &created)?;
    Ok(created)
}

fn object(what: &CreateWhat) -> Result<Value> {
    Ok(match what {
        CreateWhat::Namespace { name } => json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
        CreateWhat::ServiceAccount { name } => {
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
        }
        CreateWhat::ConfigMap(typed) => config_map(typed)?,
        CreateWhat::Secret(typed) => secret(&typed.kind)?,
        CreateWhat::Deployment(typed) => deployment(typed),
        CreateWhat::Token(_) => bail!("a token is asked for, not created"),
    })
}

/// The entries that flags name, in bytes.
fn entries(typed: &low::CreateConfigMap) -> Result<Vec<(String, Vec<u8>)>> {
    let mut entries: Vec<(String, Vec<u8>)> = vec![];
    for literal in &typed.from_literal {
        let Some((key, value)) = literal.split_once('=') else {
            bail!("invalid literal source {literal}, expected key=value");
        };
        entries.push((key.to_owned(), value.into()));
    }
    for source in &typed.from_file {
        let (key, path) = match source.split_once('=') {
            Some((key, path)) => (Some(key), Path::new(path)),
            None => (None, Path::new(source)),
        };
        if key.is_none() && path.is_dir() {
            entries.extend(folder(path)?);
        } else {
            entries.push(file(key, path)?);
        }
    }
    for path in &typed.from_env_file {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read \"{path}\""))?;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            entries.push((key.to_owned(), value.into()));
        }
    }
    let mut keys = std::collections::BTreeSet::new();
    for (key, _) in &entries {
        anyhow::ensure!(keys.insert(key), "cannot add key {key}, another key by that name already exists");
    }
    Ok(entries)
}

fn folder(path: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let cannot = || format!("cannot read \"{}\"", path.display());
    let mut files = vec![];
    for entry in path.read_dir().with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        if path.is_file() {
            files.push(file(None, &path)?);
        }
    }
    files.sort();
    Ok(files)
}

fn file(key: Option<&str>, path: &Path) -> Result<(String, Vec<u8>)> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read \"{}\"", path.display()))?;
    let of_path = || path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok((key.map_or_else(of_path, str::to_owned), bytes))
}

fn config_map(typed: &low::CreateConfigMap) -> Result<Value> {
    let (mut data, mut binary) = (Map::new(), Map::new());
    for (key, bytes) in entries(typed)? {
        match String::from_utf8(bytes) {
            Ok(text) => data.insert(key, text.into()),
            Err(error) => binary.insert(key, STANDARD.encode(error.as_bytes()).into()),
        };
    }
    let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": typed.name}});
    if !data.is_empty() {
        object["data"] = Value::Object(data);
    }
    if !binary.is_empty() {
        object["binaryData"] = Value::Object(binary);
    }
    Ok(object)
}

fn secret(kind: &CreateSecretKind) -> Result<Value> {
    let (name, secret_type, entries) = match kind {
        CreateSecretKind::Generic { data, secret_type } => {
            (&data.name, secret_type.as_deref().unwrap_or("Opaque"), entries(data)?)
        }
        CreateSecretKind::Tls { name, cert, key } => {
            (name, "kubernetes.io/tls", vec![file(Some("tls.crt"), cert)?, file(Some("tls.key"), key)?])
        }
    };
    let data: Map<String, Value> =
        entries.into_iter().map(|(key, bytes)| (key, STANDARD.encode(bytes).into())).collect();
    Ok(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": secret_type, "data": data}))
}

fn deployment(typed: &low::CreateDeployment) -> Value {
    let containers: Vec<Value> = typed
        .image
        .iter()
        .map(|image| {
            let mut container = json!({"name": container_name(image), "image": image});
            if !typed.command.is_empty() {
                container["command"] = json!(typed.command);
            }
            if let Some(port) = typed.port {
                container["ports"] = json!([{"containerPort": port}]);
            }
            container
        })
        .collect();
    let labels = json!({"app": typed.name});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": typed.name, "labels": labels},
        "spec": {
            "replicas": typed.replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    })
}

/// The image's last path segment without tag or digest, as a DNS label.
fn container_name(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    let bare = last.split(['@', ':']).next().unwrap_or(last);
    let name: String =
        bare.to_lowercase().chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    name.trim_matches('-').to_owned()
}

async fn token(session: &Session, typed: &low::CreateToken) -> Result<()> {
    let path = resource::known("", "serviceaccounts").object_path(&session.namespace, &typed.name);
    let mut request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    if !typed.audience.is_empty() {
        request["spec"]["audiences"] = json!(typed.audience);
    }
    if let Some(duration) = &typed.duration {
        request["spec"]["expirationSeconds"] = high::duration(duration)?.as_secs().into();
    }
    let answer = session.server.post(&format!("{path}/token"), &request).await?;
    let token = answer["status"]["token"].as_str().context("the server answered without a token")?;
    Ok(session.screen.line(token)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_named_after_their_image() {
        for (image, name) in [("drover.local/web:1", "web"), ("nginx", "nginx"), ("a/b_c@sha256:0", "b-c")] {
            assert_eq!(container_name(image), name);
        }
    }

    #[test]
    fn config_maps_take_literals_and_files_and_keep_binary_apart() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t.txt"), "text").unwrap();
        std::fs::write(folder.path().join("b.bin"), [0xff, 0]).unwrap();
        let typed = low::CreateConfigMap {
            name: "c".into(),
            from_literal: vec!["a=b=c".into()],
            from_file: vec![folder.path().to_string_lossy().into_owned()],
            from_env_file: vec![],
        };
        let object = config_map(&typed).unwrap();
        assert_eq!(object["data"], json!({"a": "b=c", "t.txt": "text"}));
        assert_eq!(object["binaryData"], json!({"b.bin": "/wA="}));
        let twice = low::CreateConfigMap { from_literal: vec!["a=1".into(), "a=2".into()], from_file: vec![], ..typed };
        assert!(config_map(&twice).is_err());
    }
}
